"""RP3beta with two and with three exponents: what an exponent of its own for users, `gamma`, is worth.

On each set the best of a grid of `alpha` and `beta` with ``gamma=None``, and the best of the same grid with all values
of `gamma` besides, are chosen on the validation part by NDCG@10; both then learn from the training part and are asked
on the test part. Prints both scores on both parts, and the paired bootstrap of their difference on the test part: mean,
95 % interval and p-value. Vectorizers and validation parts are those of `bench_defaults.py`; 3,000 sessions of
RetailRocket are asked on either part (seed 0), and as many users of MovieLens-1M when choosing.

    python benchmarks/bench_walks.py [--settings] [beauty ml1m retailrocket]
"""

import argparse
import time

import bench_defaults
import numpy as np
import protocols
from bench_sessions import sessions
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skrec.metrics import paired_bootstrap, ranking_scores
from skrec.neighbors import RP3beta

SETS = ["beauty", "ml1m", "retailrocket"]
GRID = {
    "alpha": [0.2, 0.4, 0.6, 0.8, 1.0, 1.3],
    "beta": [0.1, 0.3, 0.5, 0.7],
    "gamma": [None, 0.0, 0.2, 0.4, 0.7, 1.0, 1.4],
}


def test_part(name):
    if name == "retailrocket":
        return sessions(name, n_test=3000)
    return protocols.s3rec(name) if name == "beauty" else protocols.ml1m()


def scores(model, train, X, y):
    """Return NDCG@10 of each user."""
    return ranking_scores(y, model.fit(train).predict(X), k=10, metrics=("ndcg",))["ndcg@10"]


def main(names, settings):
    print(f"{'set':14}{'exponents':12}{'validation':>11}{'test':>8}  setting")
    for name in names:
        start = time.perf_counter()
        task, _, vectorizer = bench_defaults.task(name)
        asked = bench_defaults.asked(task, bench_defaults.MOST_ASKED.get(name))
        model = RP3beta(vectorizer=vectorizer, exclude_seen=task.exclude_seen)
        found = []
        for setting in ParameterGrid(GRID):
            found.append((np.nanmean(scores(clone(model).set_params(**setting), task.X_train, *asked)), setting))
            if settings:
                print(f"    {found[-1][0]:.4f}  {setting}", flush=True)
        test, reached = test_part(name), []
        for label, rows in (("two", [row for row in found if row[1]["gamma"] is None]), ("three", found)):
            score, setting = max(rows, key=lambda row: row[0])
            best = clone(model).set_params(**setting)
            reached.append(scores(best, test.X_train, test.X_test, test.y_test))
            print(f"{name:14}{label:12}{score:11.4f}{np.nanmean(reached[-1]):8.4f}  {setting}", flush=True)
        difference, low, high, p_value = paired_bootstrap(*reached[::-1], random_state=0)
        seconds = time.perf_counter() - start
        print(
            f"{name:14}three - two {difference:+.4f} [{low:+.4f}, {high:+.4f}], p = {p_value:.3f}   ({seconds:.0f} s)"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; all without any")
    parser.add_argument("--settings", action="store_true", help="print every setting of the grid")
    given = parser.parse_args()
    main(given.sets or SETS, given.settings)
