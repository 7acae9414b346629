"""Speed and quality against skrecsys (Rust core), fit and top 10 for all users, in one run.

The peer runs in an environment of its own, whose Python is the first argument. Both learn from all but the last item of
each user, each the fastest of three runs (one of SLIM, and of EASE on Beauty). Settings are the same: ItemKNN with 50
neighbours, RP3beta with 100, alpha 0.6 and beta 0.5, EASE with l2=100, SLIM with l1=1 and l2=200 (the peer divides its
penalties by the users and keeps 100 weights a column; ours keeps all). Two models differ under one name: BM25 of the
peer takes items for documents, multiplies their columns and weighs in training only, ours takes users for documents,
has the cosine and weighs when asking too; and the peer's RP3beta cuts rows before columns.
With numba (the extra `fast`) our compiled loop is loaded first, and the time that takes is printed.

    python -m venv peer && peer/bin/pip install skrecsys==0.9.0
    python benchmarks/bench_peers.py peer/bin/python [beauty ml1m] [ItemKNN RP3beta ...]
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import protocols
from sklearn.pipeline import make_pipeline

from skrec.feature_extraction import BM25Transformer, HistoryVectorizer
from skrec.linear_model import EASE, SLIM
from skrec.metrics import ndcg_at_k
from skrec.neighbors import ItemKNN, RP3beta
from skrec.utils import _fast
from skrec.utils._histories import read_histories

WEIGHTED = make_pipeline(HistoryVectorizer(), BM25Transformer())
MODELS = {
    "ItemKNN": lambda: ItemKNN(50, shrinkage=0),
    "BM25": lambda: ItemKNN(50, shrinkage=0, vectorizer=WEIGHTED),
    "RP3beta": lambda: RP3beta(100, alpha=0.6, beta=0.5),
    "EASE": lambda: EASE(100),
    "SLIM": lambda: SLIM(1.0, l2=200),
}


def ours(name, task, repeats):
    """Return the answer and the fastest fit and recommend."""
    best_fit = best_ask = np.inf
    for _ in range(repeats):
        model = MODELS[name]()
        start = time.perf_counter()
        model.fit(task.X_test)
        fitted = time.perf_counter()
        answer = model.predict(task.X_test)
        best_fit = min(best_fit, fitted - start)
        best_ask = min(best_ask, time.perf_counter() - fitted)
    return answer, best_fit, best_ask


def main(peer, arguments):
    models = [name for name in arguments if name in MODELS] or list(MODELS)
    names = [name for name in arguments if name not in MODELS] or ["beauty", "ml1m"]
    script = Path(__file__).parent / "peers" / "run_skrecsys.py"
    if _fast.available():
        start = time.perf_counter()
        _fast.kernels()
        print(f"numba and the compiled loop: {time.perf_counter() - start:.2f} s, once in a process")
    header = f"{'set':8}{'model':16}{'skrecsys fit':>13}{'ours':>8}{'ratio':>7}"
    print(f"{header}{'recommend':>11}{'ours':>8}{'ratio':>7}{'NDCG@10':>10}{'ours':>8}")
    for set_name in names:
        task = protocols.s3rec(set_name) if set_name in ("beauty", "sports") else getattr(protocols, set_name)()
        histories = read_histories(task.X_test)
        interactions = np.column_stack([histories.rows, histories.ids[histories.codes]])
        for name in models:
            repeats = 1 if name == "SLIM" or (name == "EASE" and set_name != "ml1m") else 3
            with tempfile.TemporaryDirectory() as folder:
                source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
                np.savez(source, interactions=interactions, users=np.arange(len(histories)), repeats=repeats)
                subprocess.run([peer, script, source, name, target], check=True, stderr=subprocess.DEVNULL)
                theirs = dict(np.load(target))
            answer, fit, ask = ours(name, task, repeats)
            print(
                f"{set_name:8}{name:16}{theirs['fit']:11.2f} s{fit:6.2f} s{fit / theirs['fit']:7.2f}"
                f"{theirs['ask']:9.2f} s{ask:6.2f} s{ask / theirs['ask']:7.2f}"
                f"{ndcg_at_k(task.y_test, theirs['items']):10.4f}{ndcg_at_k(task.y_test, answer):8.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
