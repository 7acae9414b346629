"""Measure the tables of the user guide: ``python docs/measure_tables.py [baselines] [vectorizers] [neighbors] ...``.

Online Retail: learn before 1 October 2011, ask what known customers bought in October; NDCG at 10.
"""

import sys
from time import perf_counter

from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.pipeline import make_pipeline

from skrec.datasets import load_online_retail
from skrec.decomposition import ALS
from skrec.dummy import PopularityRecommender, RandomRecommender
from skrec.feature_extraction import BM25Transformer, HistoryVectorizer
from skrec.linear_model import EASE
from skrec.metrics import ndcg_at_k
from skrec.model_selection import split_time
from skrec.neighbors import ItemKNN, RP3beta

counts = HistoryVectorizer(binary=False)
tfidf = make_pipeline(counts, TfidfTransformer(sublinear_tf=True))
VECTORIZERS = [
    HistoryVectorizer(),
    HistoryVectorizer(recency=0.9),
    HistoryVectorizer(half_life="90D"),
    counts,
    tfidf,
    make_pipeline(counts, BM25Transformer()),
    make_pipeline(counts, BM25Transformer(use_idf=False)),
]
KNN = [
    {},
    {"n_neighbors": 20},
    {"n_neighbors": 300},
    {"shrinkage": 0},
    {"metric": "jaccard"},
    {"metric": "asymmetric", "alpha": 0.3},
    {"metric": "asymmetric", "alpha": 0.7},
    {"vectorizer": tfidf},
    {"vectorizer": tfidf, "n_neighbors": 20},
]
FACTORS = [
    {},
    {"n_components": 32},
    {"n_components": 128},
    {"l2": 0.003},
    {"l2": 0.03},
    {"l2": 0.1},
    {"unobserved_weight": 0.03},
    {"unobserved_weight": 1},
    {"l2_exponent": 0, "l2": 10},
]
TABLES = {
    "baselines": [
        RandomRecommender(random_state=0),
        PopularityRecommender(),
        PopularityRecommender(half_life="30D"),
        PopularityRecommender(window="30D"),
        PopularityRecommender(window="7D"),
    ],
    "vectorizers": [model(vectorizer=vectorizer) for vectorizer in VECTORIZERS for model in (ItemKNN, EASE)],
    "neighbors": [ItemKNN(**parameters) for parameters in KNN],
    "walks": [RP3beta(beta=beta) for beta in (0.3, 0.5, 0.7, 0.9)],
    "linear_models": [EASE(l2=l2) for l2 in (10, 30, 100, 300, 1000, 3000)],
    "matrix_factorization": [ALS(random_state=0, n_jobs=1, **parameters) for parameters in FACTORS],
}


def _measure(model, X, y_all, y_new):
    start = perf_counter()
    model.fit(X)
    seconds = perf_counter() - start
    repeats = ndcg_at_k(y_all, model.recommend(X, exclude_seen=False))
    new = ndcg_at_k(y_new, model.recommend(X, exclude_seen=True))
    print(f"{repeats:.4f} {new:.4f} {seconds:6.1f} s  {' '.join(repr(model).split())}", flush=True)


if __name__ == "__main__":
    october = {"at": "2011-10-01", "until": "2011-11-01", "verbose": 0}
    histories = load_online_retail().histories
    X, y_all = split_time(histories, **october)
    _, y_new = split_time(histories, **october, exclude_seen=True)
    known = X["item"].list.len() > 0
    print("repeats  new   fit")
    for table in sys.argv[1:] or TABLES:
        for model in TABLES[table]:
            _measure(model, X[known], y_all[known], y_new[known])
