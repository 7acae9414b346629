"""Measure every recommender on one protocol: ``python docs/measure_models.py [NAME ...]`` writes ``_data/models.json``.

Online Retail: learn before 1 October 2011 (3,613 customers), ask what they bought in October. Parameters are the
defaults, ``random_state=0``, one thread; ensembles are the recipes ``blend`` and ``hybrid``, item features are the
descriptions of the products. A request is one history, given as a list. With names, only these are measured again.
"""

import inspect
import json
import sys
import tempfile
from datetime import date
from pathlib import Path
from time import process_time

import numpy as np
from models_table import recommenders
from threadpoolctl import threadpool_limits

import skrec
from skrec.datasets import load_online_retail
from skrec.decomposition import ALS
from skrec.ensemble import Reranker
from skrec.metrics import ndcg_at_k
from skrec.model_selection import split_time
from skrec.recipes import make_recommender

PATH = Path(__file__).parent / "_data" / "models.json"
N_REQUESTS = 200
RECIPES = {"BlendRecommender": "blend", "TwoStageRecommender": "hybrid"}


def build(name, features):
    """Return the model with its defaults, and whether it must be fitted for each question."""
    if name in RECIPES:
        return make_recommender(RECIPES[name], exclude_seen=False, time="date"), True
    if name == "Reranker":
        return Reranker(ALS(exclude_seen=False, random_state=0, n_jobs=1), diversity="mmr", random_state=0), False
    parameters = inspect.signature(recommenders()[name]).parameters
    given = {"random_state": 0, "n_jobs": 1, "verbose": 0, "exclude_seen": False}
    if name == "ContentRecommender" or name == "TwoTower":
        given["item_features"] = features
    return recommenders()[name](**{key: value for key, value in given.items() if key in parameters}), False


def measure(name, features, X, y_all, y_new):
    """Return NDCG@10 of both questions, processor seconds, the milliseconds of a request and the size of the file."""
    model, is_asked_apart = build(name, features)
    start = process_time()
    model.fit(X)
    seconds = process_time() - start
    repeats = ndcg_at_k(y_all, model.recommend(X, k=10, exclude_seen=False))
    asked = model
    if is_asked_apart:
        asked = make_recommender(RECIPES[name], exclude_seen=True, time="date").fit(X)
    new = ndcg_at_k(y_new, asked.recommend(X, k=10, exclude_seen=True))
    rows = [[items] for items in X["item"].sample(N_REQUESTS, random_state=0).map(list)]
    model.recommend(rows[0], k=10)
    times = []
    for row in rows:
        start = process_time()
        model.recommend(row, k=10)
        times.append(process_time() - start)
    with tempfile.TemporaryDirectory() as folder:
        skrec.save(model, f"{folder}/model.skrec")
        size = Path(f"{folder}/model.skrec").stat().st_size
    return {
        "repeats": round(float(repeats), 4),
        "new": round(float(new), 4),
        "fit_s": round(seconds, 2),
        "request_ms": round(1000 * float(np.median(times)), 2),
        "file_mb": round(size / 1e6, 2),
        "date": date.today().isoformat(),
    }


def main():
    """Measure the models that are named, or all."""
    data = load_online_retail()
    october = {"at": "2011-10-01", "until": "2011-11-01", "verbose": 0}
    X, y_all = split_time(data.histories, **october)
    _, y_new = split_time(data.histories, **october, exclude_seen=True)
    known = X["item"].list.len() > 0
    results = json.loads(PATH.read_text()) if PATH.exists() else {}
    for name in sys.argv[1:] or recommenders():
        if name == "AutoRecommender":  # chooses among the others, within a budget of time
            continue
        with threadpool_limits(1):
            results[name] = measure(name, data.item_features[["description"]], X[known], y_all[known], y_new[known])
        print(name, results[name], flush=True)
        PATH.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
