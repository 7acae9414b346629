"""How long do all ranking metrics take, next to ranx?

100,000 users, 20 recommendations and 1 to 9 held-out items each, a catalogue of 20,000 items. skrec uses one core.
ranx computes the same six metrics (it has no AUC at k) in parallel threads, after its compilation, and the building of
its Qrels and Run from dictionaries is timed apart. The best of three runs counts.

Usage: taskset -c 0 python benchmarks/bench_metrics.py [n_users]  # without taskset, ranx uses all cores
"""

import sys
import warnings
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa

from skrec.metrics import bootstrap_interval, ranking_scores

K, N_ITEMS = 20, 20_000
METRICS = ["hit_rate", "recall", "precision", "map", "mrr", "ndcg"]


def make_data(n_users, rng):
    """Held-out items, three in ten of which are recommended, and distinct recommendations."""
    y_pred = np.argsort(rng.random((1000, N_ITEMS)), axis=1)[:, :K][rng.integers(1000, size=n_users)]
    lengths = rng.integers(1, 10, size=n_users)
    rows = np.repeat(np.arange(n_users), lengths)
    flat = rng.integers(N_ITEMS, size=len(rows))
    found = rng.random(len(rows)) < 0.3
    flat[found] = y_pred[rows[found], rng.integers(K, size=found.sum())]
    return [row.tolist() for row in np.split(flat, np.cumsum(lengths)[:-1])], y_pred


def best_of(call, repeats=3):
    times = []
    for _ in range(repeats):
        start = perf_counter()
        result = call()
        times.append(perf_counter() - start)
    return min(times), result


def time_ranx(y_true, y_pred):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ranx import Qrels, Run, evaluate

        names = [f"{name}@{K}" for name in METRICS]

        def build(n):
            qrels = Qrels({str(u): {str(i): 1 for i in row} for u, row in enumerate(y_true[:n])})
            run = Run({str(u): {str(i): float(K - r) for r, i in enumerate(row)} for u, row in enumerate(y_pred[:n])})
            return qrels, run

        evaluate(*build(100), names)  # compile
        build_time, (qrels, run) = best_of(lambda: build(len(y_true)), repeats=1)
        evaluate_time, means = best_of(lambda: evaluate(qrels, run, names))
    return build_time, evaluate_time, means


def main(n_users=100_000):
    y_true, y_pred = make_data(n_users, np.random.default_rng(0))
    names = np.array([f"SKU-{i:06d}" for i in range(N_ITEMS)], dtype=object)
    named_true, named_pred = [names[row].tolist() for row in y_true], names[y_pred]
    arrow = pd.Series(named_true, dtype=pd.ArrowDtype(pa.list_(pa.string())))

    def run(truth, pred, metrics):
        return best_of(lambda: ranking_scores(truth, pred, k=K, metrics=metrics, n_items=N_ITEMS))

    results = {}
    for label, truth, pred in [
        ("integer ids, lists", y_true, y_pred),
        ("string ids, lists", named_true, named_pred),
        ("string ids, Arrow lists", arrow, named_pred),
    ]:
        results[f"skrec, {label}"], scores = run(truth, pred, METRICS)
    results["skrec, string ids, lists, with AUC"], _ = run(named_true, named_pred, [*METRICS, "auc"])
    build_time, results["ranx, evaluate"], means = time_ranx(y_true, y_pred)
    results["ranx, build and evaluate"] = build_time + results["ranx, evaluate"]
    for name, value in means.items():
        assert abs(np.nanmean(scores[name]) - value) < 1e-9, name

    print(f"{n_users:,} users x {K} recommendations, {len(METRICS)} metrics (equal to ranx to 1e-9)\n")
    print(f"| {'':35} | seconds | ratio to ranx, evaluate |")
    print(f"|{'-' * 37}|{'-' * 8}:|{'-' * 24}:|")
    for label, seconds in results.items():
        print(f"| {label:35} | {seconds:7.3f} | {seconds / results['ranx, evaluate']:23.2f} |")
    print()
    for name in ("ndcg@20", "hit_rate@20"):
        values = scores[name]
        seconds, _ = best_of(lambda values=values: bootstrap_interval(values, random_state=0))
        print(f"bootstrap_interval of {name}, {len(np.unique(values)):,} distinct values: {seconds:.3f} s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
