"""Memory and time of a net with a million items: SASRec, 64 dimensions, sampled softmax.

Made-up histories in which every item occurs: a million items in 50,000 histories of 20 events. Prints the peak memory
of the whole process (resident set, TensorFlow and data included), seconds of one epoch and of asking 1,000 users, all
items scored.

    python benchmarks/bench_large_catalogue.py [n_items] [n_users] [adam | lazy_adam]
"""

import resource
import sys
import time

import numpy as np
import pyarrow as pa

from skrec.neural_network import SASRec


def histories(n_items: int, n_users: int, length: int = 20) -> pa.ListArray:
    """Return histories in which every item occurs."""
    rng = np.random.default_rng(0)
    n_events = n_users * length
    popular = (n_items * rng.random(max(0, n_events - n_items)) ** 3).astype(np.int64)
    items = rng.permutation(np.concatenate([np.arange(n_items), popular]))[:n_events]
    return pa.ListArray.from_arrays(np.arange(0, n_events + 1, length, dtype=np.int32), items)


def peak_gib() -> float:
    """Return the most memory that the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main(n_items="1000000", n_users="50000", optimizer="lazy_adam"):
    X = histories(int(n_items), int(n_users))
    print(f"{len(X):,} histories, before training {peak_gib():.2f} GiB", flush=True)
    model, start = SASRec(64, epochs=1, optimizer=optimizer, random_state=0, verbose=1), time.perf_counter()
    model.fit(X)
    print(f"{model.n_items_:,} items: fit {time.perf_counter() - start:.0f} s, peak {peak_gib():.2f} GiB", flush=True)
    start = time.perf_counter()
    model.predict(X[:1000])
    print(f"asking 1,000 users: {time.perf_counter() - start:.1f} s, peak {peak_gib():.2f} GiB")


if __name__ == "__main__":
    main(*sys.argv[1:])
