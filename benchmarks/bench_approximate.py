"""Approximate updates against refits: what recommendations have in common, quality and processor time.

The newest 5 % of the events of MovieLens-100k and Online Retail (all users) are learned by `partial_fit` by a model
that was fitted on the rest (seed 0). Overlap is the mean share of the ten recommendations of 1,000 users that a model
has in common with the refit on everything with the same seed: the model without the update, with it, and a refit with
seed 1. NDCG@10, without the update, with it, and of the refit, is that of the last item of each user, which none of
them learns from. The settings are the defaults but for the sizes.

    python benchmarks/bench_approximate.py [ALS PureSVD ...]
"""

import copy
import sys
import time

import numpy as np
import protocols
from bench_updates import first_events

from skrec.decomposition import ALS, BPR, PureSVD
from skrec.metrics import ndcg_at_k
from skrec.model_selection import split_last
from skrec.utils._histories import read_histories

SHARE, ASKED = 0.05, 1000


def sasrec(seed):
    from skrec.neural_network import SASRec

    return SASRec(32, epochs=8, random_state=seed)


MODELS = {
    "ALS": lambda seed: ALS(random_state=seed),
    "PureSVD": lambda seed: PureSVD(64, random_state=seed),
    "BPR": lambda seed: BPR(random_state=seed),
    "SASRec": sasrec,
}
DATA = {"ml-100k": protocols.ml100k, "online retail": protocols.online_retail}


def timed(work):
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def main(names):
    print(
        f"{'data':15}{'model':9}{'stale':>8}{'updated':>9}{'seed 1':>8}{'NDCG@10':>10}{'':>18}"
        f"{'update s':>10}{'refit s':>9}"
    )
    for source, task in DATA.items():
        X, y = split_last(task().X_train[["item", "time"]])
        histories = read_histories(X)
        newest = histories.time >= np.quantile(histories.time, 1 - SHARE)
        known = np.diff(np.concatenate([[0], np.cumsum(~newest)])[histories.indptr])
        before = first_events(X, known)[known > 0]
        active = histories.lengths > known
        asked = np.sort(np.random.default_rng(0).permutation(len(X))[:ASKED])
        for name in names:
            stale = MODELS[name](0).fit(before)
            updated = copy.copy(stale)
            _, update = timed(lambda: updated.partial_fit(X[active], since=known[active]))  # noqa: B023
            refit, fit = timed(lambda: MODELS[name](0).fit(X))  # noqa: B023
            answers = [
                model.recommend(X.iloc[asked], k=10) for model in (stale, updated, MODELS[name](1).fit(X), refit)
            ]
            same = [
                np.mean([len(set(a) & set(b)) / 10 for a, b in zip(answer, answers[-1], strict=True)])
                for answer in answers[:-1]
            ]
            scores = [ndcg_at_k(y.iloc[asked], answer) for answer in (answers[0], answers[1], answers[3])]
            print(
                f"{source:15}{name:9}{same[0]:8.3f}{same[1]:9.3f}{same[2]:8.3f}"
                f"{scores[0]:10.4f}{scores[1]:9.4f}{scores[2]:9.4f}{update:10.2f}{fit:9.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:] or list(MODELS))
