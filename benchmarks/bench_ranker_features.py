"""What do the features of TwoStageRecommender's ranker give? Each group left out, on validation parts.

Prints NDCG at 10 with all features and, for each group of features, the relative loss without it with a 95 % paired
bootstrap interval over users; in the last columns the processor seconds of learning and the number of features.
Retrievers and settings are those of the recipe "hybrid" for the set (`bench_recipes.py`), the ranker is LambdaMART
(`--ranker default`: that of scikit-learn), seeds 0 to 2 (`--seeds`), averaged per user. "fine counts and ages" has
those of items without their coarse steps. `--users N` asks N random users of the validation part, `--groups` leaves
out the named groups alone, and `--with-net` adds SASRec to the retrievers, with the settings of `bench_sequences.py`:
"net score" is then the square root of its probabilities, standardised per user. `--folds` prints instead what the
validation scores of ``ranker="auto"`` promise, by other holdouts and by other users of the same holdouts, beside what
the chosen candidate reaches on the validation part. No test part is touched.

    python benchmarks/bench_ranker_features.py [set ...] [--ranker listwise|default] [--seeds 0 1 2] [--users 2000]
        [--groups baskets intervals] [--with-net] [--folds]
"""

import argparse
import re
import time

import bench_hybrid
import bench_recipes
import bench_sequences
import numpy as np

from skrec.ensemble import _pair_features, _parts, _second_stage
from skrec.ensemble._choice import folds_of
from skrec.ensemble._listwise import listwise_ranker
from skrec.ensemble._pair_features import PairFeatures
from skrec.metrics import paired_bootstrap
from skrec.recipes import make_recommender

SETS = ["online_retail", "online_retail_new", "dunnhumby", "grocery"]
FINE = "fine counts and ages"
GROUPS = {  # regular expressions of names
    "scores": r".* score",
    "places": r".* place",
    "net probabilities": r"net score",
    "net": r"net (score|place)",
    "popularity in windows": r"popularity \d+D",
    "item age and idle time": r"item (age|idle)",
    "user": r"history (length|idle)|baskets",
    "user and item": r"item (count|share|recency|days)",
    "baskets": r"baskets|item basket (share|recency)",
    "intervals": r"item (interval|due)",
    "cosines": r"(newest|largest) cosine",
}
_table = PairFeatures.table


def leave_out(pattern: str | None) -> None:
    """Let rankers see all features but those whose names match."""

    def table(self, *arguments):
        names, values = _table(self, *arguments)
        kept = [number for number, name in enumerate(names) if not re.fullmatch(pattern, name)]
        return [names[number] for number in kept], values[:, kept]

    PairFeatures.table = _table if pattern is None else table


def task_and_model(name: str, seed: int, n_users: int = 0, with_net: bool = False):
    """Return the validation task of a set and the recipe."""
    make, said = bench_recipes.SETS[name]
    task = bench_hybrid.fewer_users(make(True), n_users)
    model = make_recommender("hybrid", {"random_state": seed}, exclude_seen=task.exclude_seen, **said)
    if with_net:
        from skrec.neural_network import SASRec

        net = SASRec(random_state=0, exclude_seen=task.exclude_seen, **bench_sequences.SETTINGS.get(name, {}))
        model.set_params(retrievers=[*model.retrievers, ("net", net)])
    return task, model


def promises(name: str, seeds: list[int]) -> None:
    """Print what validation scores promise, and what is reached."""
    by_users = {"other holdouts": folds_of, "other users": lambda holdout, rng: folds_of(np.zeros_like(holdout), rng)}
    for seed in seeds:
        for folds, function in by_users.items():
            _second_stage.folds_of = function
            task, model = task_and_model(name, seed)
            model, _, ndcg, _, _ = bench_hybrid.measure(task, model, 10)
            promised = {one: round(value, 4) for one, value in model.validation_scores_.items()}
            reached = f"{model.choice_} {np.nanmean(ndcg):.4f}"
            print(f"{task.name:36}seed {seed}, by {folds}: {reached}, promised {promised}", flush=True)
    _second_stage.folds_of = folds_of


def measure(name: str, ranker: str, seeds: list[int], groups: list[str], n_users: int, with_net: bool) -> None:
    """Print the rows of one set."""
    whole, all_names, levels = None, None, _pair_features._LEVELS
    patterns = {FINE: None, **GROUPS}
    for group, pattern in {"all features": None, **{one: patterns[one] for one in groups or patterns}}.items():
        if pattern is not None and not any(re.fullmatch(pattern, one) for one in all_names or []):
            continue
        leave_out(pattern)
        _pair_features._LEVELS = 1_000_000 if group == FINE else levels
        reached, seconds = [], 0.0
        for seed in seeds:
            task, model = task_and_model(name, seed, n_users, with_net)
            model.set_params(ranker=listwise_ranker(seed) if ranker == "listwise" else None)
            start = time.process_time()
            model.fit(task.X_train)
            seconds += time.process_time() - start
            reached.append(bench_hybrid.measure(task, model, 10)[2])
        ndcg, loss = np.mean(reached, axis=0), ""
        if whole is None:
            whole, all_names = ndcg, model.feature_names_
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
    parser.add_argument("--groups", nargs="+", choices=[FINE, *GROUPS], default=[])
    parser.add_argument("--users", type=int, default=0)
    parser.add_argument("--with-net", action="store_true")
    parser.add_argument("--folds", action="store_true")
    arguments = parser.parse_args()
    _parts._fit_part = bench_hybrid.fit_once
    if not arguments.folds:
        print(f"{'set':36}{'features':26}{'NDCG':>8}  {'lost without the group':34}{'CPU s':>8}{'n':>5}")
    for name in arguments.names:
        if arguments.folds:
            promises(name, arguments.seeds)
        else:
            measure(name, arguments.ranker, arguments.seeds, arguments.groups, arguments.users, arguments.with_net)
        bench_hybrid._fitted.clear()


if __name__ == "__main__":
    main()
