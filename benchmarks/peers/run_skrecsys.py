"""Run the models of skrecsys in an environment of their own; called by ../bench_peers.py.

python run_skrecsys.py INTERACTIONS.npz MODEL ANSWER.npz
"""

import sys
import time

import numpy as np
from skrecsys.recommendation import EASE, BM25Recommender, ItemKNNRecommender, RP3Beta, SLIMElasticNet

MODELS = {
    "ItemKNN": lambda n_users: ItemKNNRecommender(n_neighbors=50, n_jobs=-1),
    "BM25": lambda n_users: BM25Recommender(n_neighbors=50, n_jobs=-1),
    "RP3beta": lambda n_users: RP3Beta(n_neighbors=100, alpha=0.6, beta=0.5, normalize_similarity=False, n_jobs=-1),
    "EASE": lambda n_users: EASE(l2_reg=100, n_jobs=-1),
    "SLIM": lambda n_users: SLIMElasticNet(alpha=201 / n_users, l1_ratio=1 / 201, n_neighbors=100, n_jobs=-1),
}


def main(source, name, target):
    data = np.load(source)
    interactions, users = data["interactions"], data["users"]
    best_fit = best_ask = np.inf
    for _ in range(int(data["repeats"])):
        model = MODELS[name](len(users))
        start = time.perf_counter()
        model.fit(interactions)
        fitted = time.perf_counter()
        items, _ = model.recommend(users, n_recommendations=10)
        best_fit = min(best_fit, fitted - start)
        best_ask = min(best_ask, time.perf_counter() - fitted)
    np.savez(target, items=items, fit=best_fit, ask=best_ask)


if __name__ == "__main__":
    main(*sys.argv[1:])
