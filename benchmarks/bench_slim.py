"""SLIM and the two methods of EASE: seconds, memory of the weights and NDCG@10, in one run.

    python benchmarks/bench_slim.py [beauty ml100k online_retail]

Where the package `skrecsys` is installed its SLIM is fitted on the same matrix with the same penalties.
"""

import sys
import time
from importlib.util import find_spec

import numpy as np
import protocols
import scipy.sparse as sp

from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE, SLIM


def tasks(names):
    """Yield each task and the recency that suits it."""
    for name in names:
        if name in ("beauty", "sports"):
            yield protocols.s3rec(name), 0.6
        elif name == "online_retail":
            yield protocols.online_retail(exclude_seen=True), None
        else:
            yield getattr(protocols, name)(), None


def megabytes(weights) -> float:
    arrays = (weights.data, weights.indices, weights.indptr) if sp.issparse(weights) else (weights,)
    return sum(array.nbytes for array in arrays) / 2**20


def peer(task, l1, l2):
    """Print the seconds that skrecsys takes; its penalties are means over users."""
    from skrecsys.recommendation import SLIMElasticNet

    matrix = sp.coo_array(HistoryVectorizer().fit_transform(task.X_train))
    pairs, n_users = np.column_stack(matrix.coords), matrix.shape[0]
    model = SLIMElasticNet(alpha=(l1 + l2) / n_users, l1_ratio=l1 / (l1 + l2), n_neighbors=100, n_jobs=2)
    start, used = time.perf_counter(), time.process_time()
    model.fit(pairs)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    print(f"{task.name:34}{'skrecsys, n_neighbors=100':30}{seconds:8.1f}{used:8.1f}", flush=True)


def main(names):
    print(f"{'task':34}{'model':30}{'fit s':>8}{'CPU s':>8}{'MiB':>8}{'weights':>9}{'NDCG@10':>9}")
    for task, recency in tasks(names):
        models = {
            "SLIM()": SLIM(),
            "SLIM(l2=30)": SLIM(l2=30),
            "SLIM(n_neighbors=100)": SLIM(n_neighbors=100),
            "EASE()": EASE(),
            "EASE(l2=500)": EASE(l2=500),
            "EASE(method='sparse')": EASE(method="sparse"),
            "EASE(l2=500, method='sparse')": EASE(l2=500, method="sparse"),
        }
        for name, model in models.items():
            model.set_params(vectorizer=HistoryVectorizer(recency=recency), exclude_seen=task.exclude_seen)
            start, used = time.perf_counter(), time.process_time()
            model.fit(task.X_train)
            seconds, used = time.perf_counter() - start, time.process_time() - used
            weights = model.similarity_
            stored = (weights.nnz if sp.issparse(weights) else np.count_nonzero(weights)) / model.n_items_
            print(
                f"{task.name:34}{name:30}{seconds:8.1f}{used:8.1f}{megabytes(weights):8.1f}{stored:9.1f}"
                f"{model.score(task.X_test, task.y_test):9.4f}",
                flush=True,
            )
        if find_spec("skrecsys"):
            peer(task, 1.0, 200.0)


if __name__ == "__main__":
    main(sys.argv[1:] or ["beauty", "ml100k", "online_retail"])
