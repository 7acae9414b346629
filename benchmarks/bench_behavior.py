"""How long does BehaviorFeatures take? A million events by default, on one core, next to pandas groupby.

The groupby makes recency, frequency and spend alone (nine features), from the log; BehaviorFeatures makes all of its
features from the histories, reading them included. The best of three runs counts.

    OMP_NUM_THREADS=1 python benchmarks/bench_behavior.py [n_events [n_users]]
"""

import sys
from time import perf_counter

import numpy as np
import pandas as pd

from skrec.feature_extraction import BehaviorFeatures, to_histories
from skrec.feature_extraction._behavior_groups import GROUPS


def make_log(n_events, n_users, n_items=20_000, seed=0):
    """Purchases in baskets of one to nine lines over a year."""
    rng = np.random.default_rng(seed)
    baskets = np.repeat(np.arange(n_events), rng.integers(1, 10, n_events))[:n_events]
    days = np.sort(rng.integers(0, 365 * 86_400, n_events))
    users = rng.permutation(n_events) % n_users
    return pd.DataFrame(
        {
            "user": users[baskets],
            "item": np.char.add("SKU-", rng.integers(0, n_items, n_events).astype(str)).astype(object),
            "time": np.datetime64("2024-01-01", "s") + days[baskets].astype("timedelta64[s]"),
            "spend": rng.lognormal(1, 1, n_events).round(2),
            "kind": np.array(["online", "shop"], dtype=object)[baskets % 2],
        }
    )


def by_groupby(log):
    """Recency, frequency and spend with pandas."""
    end = log["time"].max()
    group = log.groupby("user")
    table = group.agg(
        last=("time", "max"),
        first=("time", "min"),
        events=("item", "size"),
        sum=("spend", "sum"),
        mean=("spend", "mean"),
    )
    table["visits"] = log["time"].dt.normalize().groupby(log["user"]).nunique()
    for days in (7, 30, 90):
        recent = log[log["time"] >= end - pd.Timedelta(days=days)]
        table[f"events_{days}d"] = recent.groupby("user").size().reindex(table.index, fill_value=0)
    table[["last", "first"]] = table[["last", "first"]].rsub(end)
    return table


def best_of(call, repeats=3):
    times = []
    for _ in range(repeats):
        start = perf_counter()
        result = call()
        times.append(perf_counter() - start)
    return min(times), result


def main(n_events=1_000_000, n_users=50_000):
    log = make_log(n_events, n_users)
    X = to_histories(log, user="user", item="item", time="time", weight="spend", event="kind")
    print(f"{n_events:,} events of {len(X):,} users\n")
    print(f"| {'':36} | features | seconds |\n|{'-' * 38}|---------:|--------:|")

    def show(label, seconds, n_features):
        print(f"| {label:36} | {n_features:8} | {seconds:7.3f} |", flush=True)

    seconds, table = best_of(lambda: by_groupby(log))
    show("pandas groupby", seconds, table.shape[1])
    features = BehaviorFeatures()
    seconds, table = best_of(lambda: features.fit_transform(X))
    show("BehaviorFeatures, fit_transform", seconds, table.shape[1])
    seconds, table = best_of(lambda: features.transform(X))
    show("BehaviorFeatures, transform", seconds, table.shape[1])
    one = X.iloc[:1]
    seconds, _ = best_of(lambda: features.transform(one), repeats=20)
    show("BehaviorFeatures, transform of a row", seconds, table.shape[1])
    for group in GROUPS:
        alone = BehaviorFeatures(groups=[group]).fit(X)
        seconds, table = best_of(lambda alone=alone: alone.transform(X))
        show(f'groups=["{group}"]', seconds, table.shape[1])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
