"""RP3beta with two and with three exponents: what an exponent of its own for users, `gamma`, is worth.

On each set the best of a grid of `alpha` and `beta` with ``gamma=None``, and the best of the same grid with all values
of `gamma` besides, are chosen on the validation part by NDCG@10; both then learn from the training part and are asked
on the test part. Prints both scores on both parts, and the paired bootstrap of their difference on the test part: mean,
95 % interval and p-value. Vectorizers and validation parts are those of `bench_defaults.py`; 3,000 sessions of
RetailRocket are asked on either part (seed 0), and as many users of MovieLens-1M when choosing.

``--sharpening`` measures `sharpening`, the second half of blurring-sharpening process models (Choi et al., SIGIR 2023):
exponents and time of the process are chosen on one half of the users of the validation part, without and with
sharpening, and measured on the other half; then both learn from the training part and are asked on the test part.

    python benchmarks/bench_walks.py [--settings] [beauty ml1m retailrocket]
    python benchmarks/bench_walks.py --sharpening [--settings] [ml1m online_retail_new beauty]
"""

import argparse
import time
from itertools import product

import bench_defaults
import numpy as np
import protocols
from bench_sessions import sessions
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skrec.metrics import paired_bootstrap, ranking_scores
from skrec.neighbors import RP3beta
from skrec.utils._containers import count_rows

SETS = ["beauty", "ml1m", "retailrocket"]
GRID = {
    "alpha": [0.2, 0.4, 0.6, 0.8, 1.0, 1.3],
    "beta": [0.1, 0.3, 0.5, 0.7],
    "gamma": [None, 0.0, 0.2, 0.4, 0.7, 1.0, 1.4],
}
SHARPENED = {  # exponents by set: those of few that were best there without sharpening
    "ml1m": [(0.4, 0.7, 0.7), (0.6, 0.5, 0.7), (0.8, 0.5, 1.0)],
    "online_retail_new": [(1.0, 0.3, None), (0.8, 0.3, 1.0)],
    "beauty": [(0.4, 0.1, None)],
}
TIMES = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0)


def test_part(name):
    if name == "retailrocket":
        return sessions(name, n_test=3000)
    if name == "online_retail_new":
        return protocols.online_retail(exclude_seen=True)
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


def sharpening(names, settings):
    """Print what sharpening gives on users on whom nothing was chosen, and on the test part."""
    print(f"{'set':20}{'weights':12}{'chosen on':>10}{'others':>8}{'test':>8}  setting")
    for name in names:
        start = time.process_time()
        task, _, vectorizer = bench_defaults.task(name)
        first = np.random.default_rng(0).random(count_rows(task.X_test)) < 0.5
        model = RP3beta(vectorizer=vectorizer, exclude_seen=task.exclude_seen)
        found = []
        for (alpha, beta, gamma), length in product(SHARPENED[name], TIMES):
            setting = {"alpha": alpha, "beta": beta, "gamma": gamma, "sharpening": length}
            ndcg = scores(clone(model).set_params(**setting), task.X_train, task.X_test, task.y_test)
            found.append((ndcg, setting))
            if settings:
                print(f"    {np.nanmean(ndcg):.4f}  {setting}", flush=True)
        test, others, reached = test_part(name), [], []
        for label, rows in (("alone", [row for row in found if not row[1]["sharpening"]]), ("sharpened", found)):
            ndcg, setting = max(rows, key=lambda row: np.nanmean(row[0][first]))
            others.append(ndcg[~first])
            reached.append(scores(clone(model).set_params(**setting), test.X_train, test.X_test, test.y_test))
            print(
                f"{name:20}{label:12}{np.nanmean(ndcg[first]):10.4f}{np.nanmean(others[-1]):8.4f}"
                f"{np.nanmean(reached[-1]):8.4f}  {setting}",
                flush=True,
            )
        for part, (alone, sharpened) in (("others", others), ("test", reached)):
            difference, low, high, p_value = paired_bootstrap(sharpened, alone, random_state=0)
            gain = f"{difference:+.4f} [{low:+.4f}, {high:+.4f}], p = {p_value:.3f}"
            print(f"{name:20}{part}: sharpened - alone {gain}", flush=True)
        print(f"    {time.process_time() - start:.0f} s of processor")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join({*SETS, *SHARPENED})}; all without any")
    parser.add_argument("--sharpening", action="store_true", help="measure sharpening behind the filter")
    parser.add_argument("--settings", action="store_true", help="print every setting of the grid")
    given = parser.parse_args()
    if given.sharpening:
        sharpening(given.sets or SHARPENED, given.settings)
    else:
        main(given.sets or SETS, given.settings)
