"""What TransitionRecommender loses by keeping only the largest followers of each item.

Fits on the training part of each set and asks for the validation part, with all followers and with `n_neighbors`; the
test parts are not touched. Prints NDCG@10, the entries kept, and the paired bootstrap of the difference to all
followers with its 95 % interval and p-value. Sets and the users asked are those of `bench_defaults.py`.

    python benchmarks/bench_followers.py [beauty online_retail retailrocket ml1m]
"""

import argparse

import bench_defaults
import numpy as np

from skrec.metrics import paired_bootstrap, ranking_scores
from skrec.neighbors import TransitionRecommender

SETS = ["beauty", "online_retail", "retailrocket", "ml1m"]
KEPT = [1000, 500, 300, 200, 100, 50]


def ndcg(task, X, y, n_neighbors):
    """Return NDCG@10 of each user and the number of entries."""
    model = TransitionRecommender(n_neighbors=n_neighbors, exclude_seen=task.exclude_seen).fit(task.X_train)
    return ranking_scores(y, model.predict(X), k=10, metrics=("ndcg",))["ndcg@10"], model.similarity_.nnz


def main(names):
    """Print one row for each set and number of followers."""
    print(f"{'set':16}{'n_neighbors':>12}{'entries':>12}{'NDCG@10':>9}  difference to all")
    for name in names:
        task, _, _ = bench_defaults.task(name)
        X, y = bench_defaults.asked(task, bench_defaults.MOST_ASKED.get(name))
        whole, n_entries = ndcg(task, X, y, None)
        print(f"{name:16}{'all':>12}{n_entries:>12,}{np.nanmean(whole):>9.4f}", flush=True)
        for n_neighbors in KEPT:
            some, n_entries = ndcg(task, X, y, n_neighbors)
            difference, low, high, p_value = paired_bootstrap(some, whole, random_state=0)
            print(
                f"{name:16}{n_neighbors:>12}{n_entries:>12,}{np.nanmean(some):>9.4f}  {difference:+.5f} "
                f"[{low:+.5f}, {high:+.5f}], p = {p_value:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; all without any")
    main(parser.parse_args().sets or SETS)
