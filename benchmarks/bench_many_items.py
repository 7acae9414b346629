"""Exact search among many item vectors: processor time a request, against the product with all of them.

Vectors of 64 components, three kinds: those of ALS fitted to planted histories (60,000 users, 100,000 items); the same
drawn with replacement and 5 % of noise up to the number of items asked for; and random vectors of norm 1, for which the
norms end no search early. Users are 500 of the model, or random ones. Prints the time to code the vectors, the time of
the search for the best ten, one by one and together, that of the full product with its top ten, how many items needed
their exact product, and whether all lists agree.

    python benchmarks/bench_many_items.py [--items 100000 1000000 5000000]
"""

import argparse
import time

import numpy as np

from skrec.datasets import make_histories
from skrec.decomposition import ALS
from skrec.utils._fast_search import kernel
from skrec.utils._search import build_index, search
from skrec.utils._topk import top_k_single

K = 10
N_FULL = 20  # users for the product with all items


def als_vectors(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of the items and of 500 users."""
    histories = make_histories(60_000, 100_000, mean_length=12, random_state=seed)
    model = ALS(64, random_state=seed).fit(histories)
    return model.item_factors_, model.transform(histories.iloc[:500])


def drawn(vectors: np.ndarray, n_items: int, seed: int = 0) -> np.ndarray:
    """Return vectors drawn with replacement, with noise of 5 % of their norm."""
    rng = np.random.default_rng(seed)
    chosen = vectors[rng.integers(0, len(vectors), n_items)]
    noise = rng.standard_normal(chosen.shape, dtype=np.float32)
    noise *= 0.05 * np.linalg.norm(chosen, axis=1, keepdims=True) / np.sqrt(chosen.shape[1])
    return chosen + noise


def unit(n_items: int, seed: int = 0) -> np.ndarray:
    """Return random vectors of norm 1."""
    vectors = np.random.default_rng(seed).standard_normal((n_items, 64), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def measure(name: str, items: np.ndarray, users: np.ndarray) -> None:
    """Print the row of one catalogue."""
    started = time.process_time()
    index = build_index(items)
    built = time.process_time() - started
    search(index, users[:1], K)
    started = time.process_time()
    singly = [search(index, users[row : row + 1], K)[0] for row in range(len(users))]
    lists = [best(items, some, user) for some, user in zip(singly, users, strict=True)]
    one = 1000 * (time.process_time() - started) / len(users)
    started = time.process_time()
    search(index, users, K)
    together = 1000 * (time.process_time() - started) / len(users)
    order = np.arange(len(items))
    started = time.process_time()
    full = [top_k_single(items @ user, K, order, order)[0] for user in users[:N_FULL]]
    product = 1000 * (time.process_time() - started) / N_FULL
    same = sum(np.array_equal(one, other) for one, other in zip(lists, full, strict=False))
    exact = np.mean([len(some) for some in singly])
    print(f"{name:8} {len(items):10,} items  coded in {built:5.2f} s  search {one:6.3f} ms, "
          f"together {together:6.3f} ms  full product {product:7.2f} ms  ratio {product / one:5.1f}  "
          f"exact products {exact:5.0f}  "
          f"same lists {same} of {N_FULL}", flush=True)  # fmt: skip


def best(items: np.ndarray, some: np.ndarray, user: np.ndarray) -> np.ndarray:
    """Return the ten best of the items in question."""
    scores = items[some] @ user
    return some[np.lexsort((some, -scores))[:K]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[100_000, 1_000_000, 5_000_000])
    sizes = parser.parse_args().items
    kernel()
    vectors, users = als_vectors()
    measure("ALS", vectors, users)
    for n_items in sizes:
        measure("drawn", drawn(vectors, n_items), users)
    strangers = np.random.default_rng(1).standard_normal((500, 64), dtype=np.float32)
    for n_items in sizes:
        measure("norm 1", unit(n_items), strangers[: 500 if n_items < 10**6 else 100])


if __name__ == "__main__":
    main()
