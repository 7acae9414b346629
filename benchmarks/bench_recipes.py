"""What do the recipes reach without tuning, by the kind of data? And are the ensembles ever below their best part?

For each set, `skrec.recipes.make_recommender` builds the models from what a user would say of the data (times, rows,
whether repeats count) and nothing else. Prints HR and NDCG at 10 (20 for sessions), seconds of fitting and of asking
all users, and for "blend" and "hybrid" what was chosen, the gain over the best of their parts on the same users with a
95 % paired bootstrap interval, and the milliseconds of one request. `--validation` measures on the validation parts,
`--seed` (0) is that of the ensembles. `--users N` asks N random users who have something held out.

    python benchmarks/bench_recipes.py [--validation] [--seed 0] [--users 5000] [set ...]
"""

import argparse
import time

import bench_hybrid
import bench_sessions
import numpy as np
import protocols

from skrec.ensemble import _parts
from skrec.recipes import ENSEMBLES, make_recommender


def _shop(name, exclude_seen):
    return lambda validation: getattr(protocols, name)(exclude_seen=exclude_seen, validation=validation)


def _baskets(name, exclude_seen=False):
    return lambda validation: protocols.baskets(name, exclude_seen=exclude_seen, validation=validation)


SETS = {  # name: the task, and what `make_recommender` is told of the data
    "online_retail": (_shop("online_retail", False), {"time": "date"}),
    "online_retail_new": (_shop("online_retail", True), {"time": "date"}),
    "dunnhumby": (_shop("dunnhumby", False), {"time": "date"}),
    "dunnhumby_new": (_shop("dunnhumby", True), {"time": "date"}),
    "grocery": (_shop("grocery", True), {"time": "date"}),
    "online_retail_baskets": (_baskets("online_retail"), {"time": "basket"}),
    "dunnhumby_baskets": (_baskets("dunnhumby"), {"time": "basket"}),
    "beauty": (lambda validation: protocols.s3rec("beauty", validation=validation), {}),
    "sports": (lambda validation: protocols.s3rec("sports", validation=validation), {}),
    "ml1m": (lambda validation: protocols.ml1m(validation=validation), {}),
    "retailrocket": (
        lambda validation: bench_sessions.sessions("retailrocket", validation=validation),
        {"rows": "sessions"},
    ),
    "diginetica": (
        lambda validation: bench_sessions.sessions("diginetica", validation=validation),
        {"rows": "sessions"},
    ),
}


def measure(name: str, seed: int, validation: bool, n_users: int) -> None:
    """Print the rows of one set."""
    make, said = SETS[name]
    task, k = bench_hybrid.fewer_users(make(validation), n_users), 20 if said.get("rows") == "sessions" else 10
    given = {"exclude_seen": task.exclude_seen, **said}
    alone = ["popularity-30d" if said.get("time") == "date" else "popularity"]
    best = None
    built = {ensemble: make_recommender(ensemble, {"random_state": seed}, **given) for ensemble in ENSEMBLES}
    parts = dict(built["blend"].recommenders)
    simple = {recipe: make_recommender(recipe, **given) for recipe in alone if "popular" not in parts}
    for label, model in {**simple, **parts, **built}.items():
        start = time.perf_counter()
        if label not in ENSEMBLES:
            model = bench_hybrid.fit_once("parts", label, model, task.X_train)
        model, hits, ndcg, took, ask = bench_hybrid.measure(task, model.set_params(k=k), k)
        took = took if label in ENSEMBLES else time.perf_counter() - start - ask
        if label in parts and (best is None or np.nanmean(ndcg) > np.nanmean(best)):
            best = ndcg
        ensemble = label in ENSEMBLES and best is not None
        gain = bench_hybrid.gain_over(ndcg, best) if ensemble else ""
        bench_hybrid.show(task, label, hits, ndcg, took, ask, gain)
        if label in ENSEMBLES:
            chosen = {one: round(value, 4) for one, value in model.validation_scores_.items()}
            print(f"    chosen by {model.n_validation_users_:,} users: {model.choice_} of {chosen}")
            print(f"    one user at a time: {bench_hybrid.milliseconds(task, model):.1f} ms", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=list(SETS))
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--users", type=int, default=0)
    arguments = parser.parse_args()
    _parts._fit_part = bench_hybrid.fit_once
    print(f"{'task':38}{'model':34}{'HR':>8}{'NDCG':>8}  {'95 % interval':13}{'fit s':>8}{'ask s':>8}  over best")
    for name in arguments.names:
        measure(name, arguments.seed, arguments.validation, arguments.users)
        bench_hybrid._fitted.clear()


if __name__ == "__main__":
    main()
