"""Memory of recommending for a million users among 100,000 items: how far above the model and the input it goes.

python benchmarks/bench_memory.py [n_users] [n_items]
"""

import sys

from skrec.datasets import make_histories
from skrec.decomposition import ALS
from skrec.neighbors import ItemKNN
from skrec.utils._resources import measure_resources


def main(n_users=1_000_000, n_items=100_000):
    histories = make_histories(n_users, n_items, mean_length=8, n_clusters=50, random_state=0)
    train = histories.iloc[: n_users // 20]
    print(f"{len(histories):,} users, {n_items:,} items; models learn from {len(train):,} users")
    for model in (ItemKNN(50), ALS(32, max_iter=2, random_state=0)):
        model.fit(train)
        with measure_resources() as used:
            answer = model.predict(histories)
        print(
            f"{type(model).__name__:8} knows {model.n_items_:,} items: {answer.shape[0]:,} x {answer.shape[1]} in "
            f"{used.seconds:6.1f} s, {used.peak_mib:7,.0f} MiB above the model and the input",
            flush=True,
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
