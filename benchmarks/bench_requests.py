"""Processor time of one request: what `recommend` costs for one user, and for 64 at once, with the model in memory.

A request is one user with the 20 last items, as a list; k is 10. Microseconds of processor time of the whole process,
threads of BLAS included: the median (p50) and the 99th percentile (p99) of many calls, each with another user. The data
are synthetic, with a fixed seed. `--models` picks rows of the table by the beginning of their names, and `--forms`
forms of the request.

    python benchmarks/bench_requests.py [--calls 10000] [--models EASE ALS] [--forms list frame] [--json FILE]
"""

import argparse
import json
import time
import warnings

import numpy as np
import pandas as pd

from skrec.decomposition import ALS
from skrec.dummy import PopularityRecommender
from skrec.ensemble import BlendRecommender, TwoStageRecommender
from skrec.linear_model import EASE
from skrec.neighbors import TIFUKNN, ItemKNN, SessionKNN, TransitionRecommender

LENGTH = 20  # items of the history in a request
BATCH = 64
N_QUESTIONS = 256  # different users
GOALS = {  # microseconds, form "list"
    "Popularity": 50,
    "EASE 3,600": 100,
    "ItemKNN 3,600": 120,
    "ItemKNN 100,000": 120,
    "ALS 100,000 x 64": 1500,
    "Transition": 120,
    "SessionKNN": 800,
    "TIFUKNN": 1000,
    "SASRec 12,101": 600,
    "Blend of five": 1500,
    "TwoStage of five": 2500,
}


def synthetic(n_users, n_items, mean_length=40, n_clusters=60, seed=0):
    """Return histories of clustered tastes: lists of item numbers."""
    rng = np.random.default_rng(seed)
    lengths = 5 + rng.poisson(mean_length - 5, n_users)
    own = np.repeat(rng.integers(0, n_clusters, n_users), lengths)
    size = n_items // n_clusters
    place = np.minimum((rng.pareto(0.8, len(own)) * size / 20).astype(int), size - 1)
    items = np.where(rng.random(len(own)) < 0.8, own * size + place, rng.integers(0, n_items, len(own)))
    if len(items) > 4 * n_items:  # every item occurs
        items[-n_items:] = rng.permutation(n_items)
    return [part.tolist() for part in np.split(items, np.cumsum(lengths)[:-1])]


def parts():
    return [
        ("ease", EASE()),
        ("knn", ItemKNN()),
        ("next", TransitionRecommender()),
        ("session", SessionKNN()),
        ("popular", PopularityRecommender()),
    ]


def sasrec():
    from skrec.neural_network import SASRec

    return SASRec(epochs=1, early_stopping=False, random_state=0)


SMALL, LARGE = (4000, 3600), (60_000, 100_000)
MODELS = {  # name: users and items, the model
    "Popularity": (SMALL, PopularityRecommender),
    "EASE 3,600": (SMALL, EASE),
    "ItemKNN 3,600": (SMALL, ItemKNN),
    "ItemKNN 100,000": (LARGE, ItemKNN),
    "ALS 100,000 x 64": (LARGE, lambda: ALS(64, max_iter=1, random_state=0)),
    "Transition": (SMALL, TransitionRecommender),
    "SessionKNN": (SMALL, SessionKNN),
    "TIFUKNN": (SMALL, TIFUKNN),
    "SASRec 12,101": ((4000, 12_101), sasrec),
    "Blend of five": (SMALL, lambda: BlendRecommender(parts())),
    "TwoStage of five": (SMALL, lambda: TwoStageRecommender(parts(), random_state=0)),
}


def questions(n_items):
    """Return histories of LENGTH items as the users of training have them, but others."""
    drawn = [row[-LENGTH:] for row in synthetic(2 * N_QUESTIONS, n_items, seed=1)]
    return [row for row in drawn if len(row) == LENGTH][:N_QUESTIONS]


def requests(histories, n_items):
    """Return the calls to time by the name of their form: lists of (X, arguments)."""
    rng = np.random.default_rng(2)
    some = [rng.choice(n_items, 100, replace=False).tolist() for _ in histories]
    few = [rng.choice(n_items, 20, replace=False).tolist() for _ in histories]
    batches = [[histories[(start + row) % len(histories)] for row in range(BATCH)] for start in range(0, 256, 16)]
    rows = list(enumerate(histories))
    return {
        "list": [([row], {}) for row in histories],
        "frame": [(pd.DataFrame({"item": [row]}), {}) for row in histories],
        "candidates": [([row], {"candidates": some[number]}) for number, row in rows],
        "exclude": [([row], {"exclude": few[number]}) for number, row in rows],
        "seen allowed": [([row], {"exclude_seen": False}) for row in histories],
        "scores": [([row], {"return_scores": True}) for row in histories],
        f"{BATCH} rows": [(batch, {}) for batch in batches],
    }


def measure(model, calls, n_calls):
    """Return the median and the 99th percentile of microseconds of processor time per call."""
    used = np.empty(n_calls)
    for X, arguments in calls[:20]:
        model.recommend(X, k=10, **arguments)
    for number in range(n_calls):
        X, arguments = calls[number % len(calls)]
        start = time.process_time_ns()
        model.recommend(X, k=10, **arguments)
        used[number] = time.process_time_ns() - start
    return tuple(np.percentile(used / 1e3, [50, 99]).round(1).tolist())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000, help="calls for each figure; a tenth of them for 64 rows")
    parser.add_argument("--models", nargs="*", default=[], help="names of models, or how they begin")
    parser.add_argument("--forms", nargs="*", default=[], help="forms of the request")
    parser.add_argument("--json", help="file to write the figures to")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    forms = arguments.forms or list(requests([[]], 1000))
    print(f"{'us of processor time, p50 / p99':>18} " + "".join(f"{form:>19}" for form in forms))
    table, histories = {}, {}
    for name, ((n_users, n_items), build) in MODELS.items():
        if arguments.models and not name.startswith(tuple(arguments.models)):
            continue
        key = n_users, n_items
        if key not in histories:
            histories = {key: synthetic(n_users, n_items)}
        model = build().fit(histories[key])
        time.sleep(3)  # threads that fit has started still run for a while
        calls, table[name] = requests(questions(n_items), n_items), {}
        for form in forms:
            n_calls = arguments.calls // 10 if form.endswith("rows") else arguments.calls
            table[name][form] = measure(model, calls[form], max(20, n_calls))
        figures = "".join(f"{p50:>9,.0f} /{p99:>8,.0f}" for p50, p99 in table[name].values())
        print(f"{name:18} goal {GOALS[name]:>6,} {figures}", flush=True)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(table, file, indent=1)


if __name__ == "__main__":
    main()
