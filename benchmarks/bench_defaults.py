"""Defaults against tuned parameters: each model with its defaults and with the best of its `default_grid`.

Everything happens on the validation parts of the protocols; the test parts are not touched. "Best" is the best of the
grid on the part it is compared on, an upper bound of what tuning gains. Quality is NDCG@10. "Plain" has the default
vectorizer as well; "default" and "best" have the vectorizer that suits the set (see `task`), for models that take one.
At most `MOST_ASKED` users of a set (or of a set and a model), drawn with seed 0, are asked; all are learned from. One
thread.

    python benchmarks/bench_defaults.py [--models EASE ALS] [--settings] [--results FILE] [beauty online_retail ...]
    python benchmarks/bench_defaults.py --summary FILE
    python benchmarks/bench_defaults.py --recency [--models EASE ItemKNN] [beauty ...]

`--settings` prints the score of every setting; `--results` adds them to a file of JSON lines, of which `--summary`
prints the table of all sets and, for each setting, the mean over the sets of its score over the best. `--recency`
compares values of the vectorizer's `recency` with the models' defaults otherwise.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import protocols
from bench_sessions import sessions
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ParameterGrid

from skrec import decomposition, linear_model, neighbors
from skrec.base import BaseRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.model_selection import default_grid

SETS = ["beauty", "online_retail", "dunnhumby", "ml1m", "retailrocket", "online_retail_new"]
MOST_ASKED = {"ml1m": 3000, "dunnhumby": 1000, "ml1m SessionKNN": 1000, "dunnhumby SessionKNN": 500}
MIN_DF = {"retailrocket EASE": 10}  # 13,585 items instead of 25,520, whose inverse would take minutes a setting
SMALLER = {  # more components would take minutes a setting
    "beauty ALS": {"n_components": [32, 64]},
    "retailrocket PureSVD": {"n_components": [20, 64, "auto"]},
    "retailrocket PPMISVD": {"n_components": [128, 256]},
}
PLAIN = {"online_retail ItemKNN", "dunnhumby ItemKNN"}  # counts mislead the cosine: the plain vectorizer suits better
# passed over unless named: minutes per setting on one thread
SLOW = {"ml1m": {"SLIM", "ALS", "BPR"}, "retailrocket": {"SLIM", "ALS", "BPR"}}
TOLERATED = 0.1


def task(name):
    """Return the validation task, the plain vectorizer, and the one that suits the set."""
    plain = HistoryVectorizer()
    if name == "beauty":
        return protocols.s3rec("beauty", validation=True), plain, HistoryVectorizer(recency=0.6)
    if name == "online_retail":
        return protocols.online_retail(validation=True), plain, HistoryVectorizer(binary=False)
    if name == "online_retail_new":
        return protocols.online_retail(validation=True, exclude_seen=True), plain, plain
    if name == "dunnhumby":  # 65,000 items: those of fewer than 100 households are left out
        frequent = HistoryVectorizer(min_df=100)
        return protocols.dunnhumby(validation=True), frequent, HistoryVectorizer(binary=False, min_df=100)
    if name == "retailrocket":
        frequent = HistoryVectorizer(min_df=5)
        question = sessions("retailrocket", validation=True, n_test=3000)
        return question, frequent, HistoryVectorizer(recency=0.6, min_df=5)
    return protocols.ml1m(validation=True), plain, HistoryVectorizer(recency=0.8)


def asked(question, most):
    """Return the users that are asked and what was held out: all of them, or `most` at random."""
    X, y = question.X_test, question.y_test
    if most is None or len(X) <= most:
        return X, y
    chosen = np.sort(np.random.default_rng(0).permutation(len(X))[:most])
    return X.iloc[chosen], y.iloc[chosen]


def models(wanted=None):
    """Yield every personalised recommender with its defaults."""
    for package in (neighbors, linear_model, decomposition):
        for name in package.__all__:
            kind = getattr(package, name)
            if issubclass(kind, BaseRecommender) and (not wanted or name in wanted):
                yield kind()


def measure(set_name, wanted=None):
    """Yield for each model its scores: plain, and a list of pairs of setting and score, the default first."""
    question, plain, vectorizer = task(set_name)
    for model in models(wanted):
        name, parameters = type(model).__name__, model.get_params()
        if name in SLOW.get(set_name, ()) and not wanted:
            continue
        X_test, y_test = asked(question, MOST_ASKED.get(f"{set_name} {name}", MOST_ASKED.get(set_name)))
        always = {"exclude_seen": question.exclude_seen, "k": 10, "random_state": 0, "n_jobs": 1}
        model.set_params(**{key: value for key, value in always.items() if key in parameters})
        grid = list(ParameterGrid(default_grid(model) | SMALLER.get(f"{set_name} {name}", {})))
        defaults = {key: parameters[key] for key in grid[0]}
        grid.sort(key=lambda setting: setting != defaults)
        if grid[0] != defaults:
            raise ValueError(f"the default of {name} is not in its grid")

        rare = MIN_DF.get(f"{set_name} {name}", plain.min_df)
        suited = plain if f"{set_name} {name}" in PLAIN else vectorizer
        start, scores = time.perf_counter(), []
        for setting in grid:
            if "vectorizer" in parameters:
                model.set_params(vectorizer=clone(suited).set_params(min_df=rare))
            score = model.set_params(**setting).fit(question.X_train).score(X_test, y_test)
            scores.append((setting, score))
        seconds = time.perf_counter() - start
        alone = scores[0][1]
        if "vectorizer" in parameters and plain.get_params() != suited.get_params():
            model.set_params(vectorizer=clone(plain).set_params(min_df=rare), **defaults)
            alone = model.fit(question.X_train).score(X_test, y_test)
        yield name, alone, scores, seconds


def recency(set_names, wanted):
    """Print what the recency of the plain vectorizer is worth; it matters when asking, so one fit is enough."""
    values = [None, 0.95, 0.9, 0.8, 0.7, 0.6]
    print(f"{'set':19}{'model':23}" + "".join(f"{value or 'none':>8}" for value in values))
    for set_name in set_names:
        question, plain, _ = task(set_name)
        X_test, y_test = asked(question, MOST_ASKED.get(set_name))
        for model in models(wanted):
            name = type(model).__name__
            rare = MIN_DF.get(f"{set_name} {name}", plain.min_df)
            model.set_params(exclude_seen=question.exclude_seen, vectorizer=clone(plain).set_params(min_df=rare))
            model.fit(question.X_train)
            scores = []
            for value in values:
                model.vectorizer_.set_params(recency=value)
                scores.append(model.score(X_test, y_test))
            print(f"{set_name:19}{name:23}" + "".join(f"{score:8.4f}" for score in scores), flush=True)


HEAD = f"{'set':19}{'model':23}{'plain':>8}{'default':>9}{'best':>8}{'plain, default behind':>23}  best setting"


def line(set_name, model, plain, scores):
    """Return a row of the table; a star marks what is further behind than tolerated."""
    default = scores[0][1]
    setting, best = max(scores, key=lambda pair: pair[1])
    chosen = ", ".join(f"{key}={value}" for key, value in setting.items()) if best > default else "default"
    behind = [1 - score / max(best, plain) for score in (plain, default)]
    shown = "".join(f"{share:10.1%}{'*' if share > TOLERATED else ' '}" for share in behind)
    return f"{set_name:19}{model:23}{plain:8.4f}{default:9.4f}{best:8.4f} {shown}  {chosen}"


def main(arguments):
    """Measure set after set."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(HEAD)
    for set_name in arguments.sets or SETS:
        for model, plain, scores, seconds in measure(set_name, arguments.models):
            print(line(set_name, model, plain, scores), f"({len(scores)} settings, {seconds:.0f} s)", flush=True)
            if arguments.settings:
                for setting, score in scores:
                    print(f"{'':42}{score:8.4f}  {setting}", flush=True)
            if arguments.results:
                result = {"set": set_name, "model": model, "plain": plain, "scores": scores}
                with arguments.results.open("a") as file:
                    print(json.dumps(result), file=file)


def summary(file):
    """Print the table of the latest results of each set and model, and how near each setting is to the best."""
    read = [json.loads(row) for row in file.read_text().splitlines()]
    results = {(result["model"], result["set"]): result for result in read}
    print(HEAD)
    for name in dict.fromkeys(model for model, _ in results):
        sets = [set_name for set_name in SETS if (name, set_name) in results]
        near = {}
        for set_name in sets:
            result = results[name, set_name]
            print(line(set_name, name, result["plain"], result["scores"]))
            best = max(score for _, score in result["scores"])
            for setting, score in result["scores"]:
                near.setdefault(json.dumps(setting), []).append(score / best)
        near = {setting: shares for setting, shares in near.items() if len(shares) == len(sets)}
        for setting in sorted(near, key=lambda setting: -np.mean(near[setting]))[:6]:
            shares = " ".join(f"{share:5.3f}" for share in near[setting])
            print(f"{'':19}{np.mean(near[setting]):.4f}  ({shares})  {setting}")
        print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; all without any")
    parser.add_argument("--models", nargs="+", metavar="MODEL")
    parser.add_argument("--settings", action="store_true", help="print every setting")
    parser.add_argument("--results", type=Path, help="file of JSON lines that results are added to")
    parser.add_argument("--summary", type=Path, metavar="FILE", help="print what such a file holds")
    parser.add_argument("--recency", action="store_true", help="compare values of the vectorizer's recency")
    arguments = parser.parse_args()
    if arguments.recency:
        recency(arguments.sets or SETS, arguments.models or ["EASE", "ItemKNN"])
        sys.exit()
    summary(arguments.summary) if arguments.summary else main(arguments)
