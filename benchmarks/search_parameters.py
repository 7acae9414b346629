"""The parameters other than defaults that bench_quality, bench_sessions and bench_repeats use, and how they are chosen.

For each model there that has other parameters than its defaults, a small grid around them is searched on the validation
part of the set; the test parts are not read. The score is NDCG@10, for sessions NDCG@20. Each line says what the script
uses and what the search prefers; "keep" means that what is used is within half a per cent of the best. Sports has the
parameters of Beauty and Diginetica those of RetailRocket, of which 3,000 sessions are asked (seed 0). One thread.

    python benchmarks/search_parameters.py [--settings] [ml100k online_retail beauty retailrocket ml1m dunnhumby]
"""

import sys
import time

import bench_quality
import bench_repeats
import bench_sessions
import protocols
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.model_selection import default_grid

SETS = ["ml100k", "online_retail", "beauty", "retailrocket", "ml1m", "dunnhumby"]
RECENCY = [0.4, 0.6, 0.8, 1.0]
L2 = [30.0, 100.0, 300.0, 500.0, 1000.0]
GRIDS = {  # by task: the grid of each class; a list is searched one dictionary at a time, around what is used
    "ml100k": {"EASE": {"l2": [*L2, 2000.0]}},
    "ml1m": {"EASE": {"l2": [*L2, 2000.0]}},
    "beauty": {
        "ItemKNN": {"vectorizer__recency": RECENCY},
        "ALS": {"vectorizer__recency": RECENCY[:-1]},
        "SLIM": [{"l2": [10.0, 30.0, 100.0, 200.0]}, {"vectorizer__recency": RECENCY[:-1]}],
        "EASE": [{"l2": [30.0, 100.0, 300.0]}, {"vectorizer__recency": [0.4, 0.8]}],
    },
    "online retail, repeats allowed": {
        "ItemKNN": {
            "vectorizer__bm25transformer__k1": [1.2, 4.0, 8.0],
            "vectorizer__bm25transformer__b": [0.25, 0.5, 0.75],
        },
        "ALS": {"vectorizer__binary": [False, True]},
        "EASE": default_grid(EASE()),
        "BuyAgainRecommender": {
            "half_life": [80.0, 180.0, 365.0],
            "prior_weight": [2.0, 5.0, 10.0],
            "repeat_power": [0.25, 0.5],
        },
    },
    "online retail, new items": {
        "EASE": {"l2": L2, "vectorizer__binary": [False, True]},
        "SessionKNN": {
            "half_life": [15, 30],
            "recency": [0.9, 0.98],
            "length_penalty": [0.5, 1.0],
            "idf": [0.75, 1.5],
        },
    },
    "retailrocket": {
        "ItemKNN": {"vectorizer__recency": RECENCY, "n_neighbors": [50, 100, 200]},
        "RP3beta": {"vectorizer__recency": RECENCY},
        "TransitionRecommender": {"backward": [0.0, 0.3, 0.5, 1.0]},
    },
}
GRIDS["dunnhumby, repeats allowed"] = GRIDS["online retail, repeats allowed"]
GRIDS["dunnhumby, new items"] = {"EASE": default_grid(EASE())}
BASELINES = ("PopularityRecommender", "OwnCounts")  # not searched
PUBLISHED = "authors' setting"  # nor models named so
TOLERATED = 0.005  # a gain below half a per cent is none
OUTSIDE = ("exclude_seen", "k", "random_state")  # parameters that are no setting


def used(name):
    """Yield the script, the validation task, the length of the lists, and the model of each row of the scripts."""
    if name == "retailrocket":
        task = bench_sessions.sessions(name, validation=True, n_test=3000)
        yield from (("sessions", task, 20, label, model) for label, model in bench_sessions.models().items())
        return
    for task, models in bench_quality.tasks([name], validation=True):
        yield from (("quality", task, 10, label, model) for label, model in models.items())
    if name in ("online_retail", "dunnhumby"):
        task = getattr(protocols, name)(validation=True)
        yield from (("repeats", task, 10, label, model) for label, model in bench_repeats.models(name))


def is_set(model):
    """Tell whether a model has other parameters than its defaults."""
    parameters = {key: value for key, value in model.get_params(deep=False).items() if key not in OUTSIDE}
    if isinstance(parameters.get("vectorizer"), HistoryVectorizer):  # `min_df` is there for the cost
        parameters["vectorizer"] = clone(parameters["vectorizer"]).set_params(min_df=1)
    defaults = type(model)().get_params() | {"vectorizer": HistoryVectorizer()}
    return any(repr(value) not in ("None", repr(defaults[key])) for key, value in parameters.items())


def main(names, settings):
    for name in names:
        for script, task, k, label, model in used(name):
            kind, question = type(model).__name__, task.name.removesuffix(" validation")
            if kind in BASELINES or PUBLISHED in label or not is_set(model):
                continue
            grid = GRIDS[question].get(kind)
            if grid is None:
                print(f"{question:32}{script:10}{label:30} no grid")
                continue
            start, model = time.perf_counter(), model.set_params(exclude_seen=task.exclude_seen, k=k)
            if "n_jobs" in model.get_params():
                model.set_params(n_jobs=1)
            scores = []
            for part in grid if isinstance(grid, list) else [grid]:
                now = {key: model.get_params()[key] for key in part}
                for setting in ParameterGrid(part):
                    candidate = clone(model).set_params(**setting)
                    score = candidate.fit(task.X_train).score(task.X_test, task.y_test)
                    scores.append((score, setting == now, setting))
            ours = max((score for score, same, _ in scores if same), default=float("nan"))
            best, _, setting = max(scores, key=lambda row: row[0])
            verdict = "keep" if ours >= (1 - TOLERATED) * best else f"{best:.4f} with {setting}"
            print(
                f"{question:32}{script:10}{label:30}{ours:.4f}  {verdict}   ({time.perf_counter() - start:.0f} s)",
                flush=True,
            )
            if settings:
                for score, _, setting in scores:
                    print(f"{'':44}{score:.4f}  {setting}")


if __name__ == "__main__":
    chosen = [name for name in sys.argv[1:] if name != "--settings"]
    main(chosen or SETS, "--settings" in sys.argv)
