"""Defaults against tuned parameters: each model with its defaults and with the best of its `default_grid`.

Everything happens on the validation parts of the protocols; the test parts are not touched. "Best" is the best of the
grid on the part it is compared on, an upper bound of what tuning gains. Quality is NDCG@10.

    python benchmarks/bench_defaults.py [beauty online_retail online_retail_new dunnhumby ml1m retailrocket]
"""

import sys
import time
import warnings

import protocols
from bench_sessions import sessions
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ParameterGrid

from skrec import decomposition, linear_model, neighbors
from skrec.base import BaseRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.model_selection import default_grid

SLOW = {"ml1m": {"SLIM"}, "dunnhumby": {"SLIM", "SessionKNN", "BPR"}}  # minutes per setting


def task(name):
    """Return the validation task, and the vectorizer that suits the set."""
    if name == "beauty":
        return protocols.s3rec("beauty", validation=True), HistoryVectorizer(recency=0.6)
    if name == "online_retail":
        return protocols.online_retail(validation=True), HistoryVectorizer(binary=False)
    if name == "online_retail_new":
        return protocols.online_retail(validation=True, exclude_seen=True), HistoryVectorizer()
    if name == "dunnhumby":
        return protocols.dunnhumby(validation=True), HistoryVectorizer(binary=False, min_df=100)
    if name == "retailrocket":
        return sessions("retailrocket", validation=True, n_test=3000), HistoryVectorizer(recency=0.6, min_df=5)
    return protocols.ml1m(validation=True), HistoryVectorizer()


def models():
    """Yield every personalised recommender with its defaults."""
    for package in (neighbors, linear_model, decomposition):
        for name in package.__all__:
            kind = getattr(package, name)
            if issubclass(kind, BaseRecommender):
                yield kind()


def main(names):
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"{'set':20}{'model':24}{'default':>9}{'best':>9}{'behind':>8}  best setting")
    for set_name in names:
        question, vectorizer = task(set_name)
        for model in models():
            name = type(model).__name__
            if name in SLOW.get(set_name, ()):
                continue
            fixed = {"exclude_seen": question.exclude_seen, "k": 10}
            fixed |= {"vectorizer": vectorizer} if "vectorizer" in model.get_params() else {}
            fixed |= {"random_state": 0} if "random_state" in model.get_params() else {}
            start, scores = time.perf_counter(), []
            grid = list(ParameterGrid(default_grid(model)))
            defaults = {key: model.get_params()[key] for key in (grid[0] if grid else {})}
            for setting in grid:
                model.set_params(**fixed, **setting).fit(question.X_train)
                scores.append((model.score(question.X_test, question.y_test), setting))
            default = next(score for score, setting in scores if setting == defaults)
            best, setting = max(scores, key=lambda pair: pair[0])
            print(
                f"{set_name:20}{name:24}{default:9.4f}{best:9.4f}{1 - default / best:8.1%}  {setting}"
                f"   ({len(grid)} settings, {time.perf_counter() - start:.0f} s)",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:] or ["beauty", "online_retail", "online_retail_new", "dunnhumby", "ml1m", "retailrocket"])
