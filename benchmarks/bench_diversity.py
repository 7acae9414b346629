"""Variety against accuracy: what a Reranker with genres gains and costs on MovieLens-1M, leave one out.

EASE gives 100 candidates. Intra-list diversity is one minus the cosine of two films' genres; the divergence is that of
the genres of the list from those of the history (Kullback-Leibler, list smoothed by 0.01), lower is better calibrated.
Trade-offs are compared on the validation part (``--validation``).

    python benchmarks/bench_diversity.py [--validation]
"""

import sys
import time

import numpy as np
import pandas as pd
import protocols
from sklearn.preprocessing import MultiLabelBinarizer

from skrec.ensemble import Reranker
from skrec.linear_model import EASE
from skrec.metrics import coverage_at_k, hit_rate_at_k, intra_list_diversity_at_k, ndcg_at_k

TRADE_OFFS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
CANDIDATES = [(diversity, trade_off) for diversity in ("mmr", "mean", "calibrated") for trade_off in TRADE_OFFS]
WIDTHS = (8, 9, 9, 8, 8, 9, 7, 7)


def genres():
    """Return the genres of each film as lists, by id."""
    items = protocols._read("ml1m_items", ["item_id", "genres"]).to_pandas().set_index("item_id")
    return items["genres"].str.split("|")


def divergence(histories, lists, table):
    """Return the mean divergence of the genres of the lists from those of the histories."""
    share = pd.DataFrame(table.div(table.sum(axis=1), axis=0))
    place = share.index.get_indexer
    rows = share.to_numpy()
    total = 0.0
    for history, chosen in zip(histories, lists, strict=True):
        p, q = rows[place(history)].mean(axis=0), rows[place(chosen)].mean(axis=0)
        there = p > 0
        total += (p[there] * np.log(p[there] / (0.99 * q[there] + 0.01 * p[there]))).sum()
    return total / len(lists)


def main(validation):
    task, kinds = protocols.ml1m(validation=validation), genres()
    binarizer = MultiLabelBinarizer()
    table = pd.DataFrame(binarizer.fit_transform(kinds), index=kinds.index, columns=binarizer.classes_)
    fitted = EASE(300).fit(task.X_train)
    models = [("EASE l2=300", fitted)]
    models += [("at most 3 of a genre", Reranker(fitted, prefit=True, categories=kinds, max_per_category=3))]
    for diversity, trade_off in CANDIDATES:
        model = Reranker(fitted, prefit=True, categories=kinds, diversity=diversity, trade_off=trade_off)
        models.append((f"{diversity}, trade_off={trade_off}", model))
    print(f"{task.name}: {len(task.y_test)} users, EASE l2=300, 100 candidates")
    names = ("HR@10", "NDCG@10", "of EASE", "ILD@10", "gain", "diverg.", "cover", "s")
    print(f"{'model':28}" + "".join(f"{name:>{size}}" for name, size in zip(names, WIDTHS, strict=True)))
    first = None
    for label, model in models:
        start = time.perf_counter()
        answer = model.fit(task.X_train).predict(task.X_test) if model is not fitted else model.predict(task.X_test)
        seconds = time.perf_counter() - start
        ndcg = ndcg_at_k(task.y_test, answer)
        variety = intra_list_diversity_at_k(None, answer, item_features=table)
        first = first or (ndcg, variety)
        print(
            f"{label:28}{hit_rate_at_k(task.y_test, answer):8.4f}{ndcg:9.4f}{ndcg / first[0]:9.1%}{variety:8.4f}"
            f"{variety / first[1] - 1:+8.1%}{divergence(task.X_test['item'], answer, table):9.3f}"
            f"{coverage_at_k(None, answer, n_items=model.n_items_):7.3f}{seconds:7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main("--validation" in sys.argv)
