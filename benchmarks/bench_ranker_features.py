"""What do the features of TwoStageRecommender's ranker give? Each group left out, on validation parts.

Prints NDCG at 10 (20 for sessions) with all features and, for each group of features, the loss without it, relative,
with a 95 % paired bootstrap interval over users; in the last columns the seconds of learning and the number of
features. Parts and settings are those of `bench_hybrid.py`, the ranker is LambdaMART where LightGBM is installed
(`--ranker default`: that of scikit-learn), seeds 0 to 2 (`--seeds`), averaged per user. No test part is touched.

    python benchmarks/bench_ranker_features.py [--ranker listwise|default] [--seeds 0 1 2] [set ...]
"""

import argparse
import re
import time

import bench_hybrid
import numpy as np

from skrec.ensemble import TwoStageRecommender, _parts
from skrec.ensemble._listwise import listwise_ranker
from skrec.ensemble._pair_features import PairFeatures
from skrec.metrics import paired_bootstrap

SETS = ["online_retail", "online_retail_new", "dunnhumby", "beauty"]
GROUPS = {  # regular expressions of names
    "places": r".* place",
    "popularity in windows": r"popularity \d+D",
    "item age and idle time": r"item (age|idle)",
    "user": r"history (length|idle)|baskets",
    "user and item": r"item (count|share|recency|days)",
    "baskets": r"baskets|item basket (share|recency)",
    "intervals": r"item (interval|due)",
}
_table = PairFeatures.table


def leave_out(pattern: str | None) -> None:
    """Let rankers see all features but those whose names match."""

    def table(self, *arguments):
        names, values = _table(self, *arguments)
        kept = [number for number, name in enumerate(names) if not re.fullmatch(pattern, name)]
        return [names[number] for number in kept], values[:, kept]

    PairFeatures.table = _table if pattern is None else table


def measure(name: str, ranker: str, seeds: list[int]) -> None:
    """Print the rows of one set."""
    task, parts, learning = bench_hybrid.task_and_parts(name, validation=True)
    task, k = bench_hybrid.fewer_users(task, 0), 20 if name in ("retailrocket", "diginetica") else 10
    steps = {"n_holdouts": 3} if "holdout" in learning else {}
    whole, all_names = None, None
    for group, pattern in {"all features": None, **GROUPS}.items():
        if all_names is not None and not any(re.fullmatch(pattern, one) for one in all_names):
            continue
        leave_out(pattern)
        reached, seconds = [], 0.0
        for seed in seeds:
            model = TwoStageRecommender(
                list(parts.items()),
                ranker=listwise_ranker(seed) if ranker == "listwise" else None,
                exclude_seen=task.exclude_seen,
                random_state=seed,
                **learning,
                **steps,
            )
            start = time.process_time()
            model.fit(task.X_train)
            seconds += time.process_time() - start
            reached.append(bench_hybrid.measure(task, model, k)[2])
        ndcg = np.mean(reached, axis=0)
        if whole is None:
            whole, all_names = ndcg, model.feature_names_
            loss = ""
        else:
            difference, low, high, _ = paired_bootstrap(whole, ndcg, random_state=0)
            base = np.nanmean(whole)
            loss = f"{difference / base:+.2%} ({low / base:+.2%} to {high / base:+.2%})"
        print(
            f"{task.name:36}{group:26}{np.nanmean(ndcg):8.4f}  {loss:34}{seconds / len(seeds):8.0f}"
            f"{len(model.feature_names_):5}",
            flush=True,
        )
    leave_out(None)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=SETS)
    parser.add_argument("--ranker", choices=["listwise", "default"], default="listwise")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    _parts._fit_part = bench_hybrid.fit_once
    print(f"{'set':36}{'features':26}{'NDCG':>8}  {'lost without the group':34}{'CPU s':>8}{'n':>5}")
    for name in arguments.names:
        measure(name, arguments.ranker, arguments.seeds)
        bench_hybrid._fitted.clear()


if __name__ == "__main__":
    main()
