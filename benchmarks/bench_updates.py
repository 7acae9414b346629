"""Updates: processor seconds and memory of `partial_fit` with the newest events, against a refit on all of them.

Beauty (S3-Rec) has no common time: new are the last events of 10,000 users (seed 0). On Online Retail and on Complete
Journey, with households drawn with replacement until there are 13 million events (seed 0, as in bench_growth.py), the
newest events are new. EASE and SLIM, which solve whole matrices of items, learn 1,000 events, on Complete Journey of
the items that 1,000 households have. Each line is a process of its own: fit on what came before, then the update on
copies of the model, the least of up to three, and the refit, with and without `incremental`. Seconds are the
processor's, of all threads together; "1 in" is the refit without `incremental` over the update; "differ" is the largest
difference of scores, relative to the largest score.

    python benchmarks/bench_updates.py [--data beauty ...] [--model ItemKNN ...]
"""

import argparse
import copy
import json
import subprocess
import sys
import time

import numpy as np
import protocols
from bench_growth import histories_at

from skrec.dummy import PopularityRecommender
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import TIFUKNN, BuyAgainRecommender, ItemKNN, RP3beta, SessionKNN, TransitionRecommender
from skrec.utils import _fast
from skrec.utils._histories import read_histories
from skrec.utils._resources import measure_resources

MODELS = {
    "PopularityRecommender": PopularityRecommender(),
    "Popularity, window": PopularityRecommender(window=30),
    "ItemKNN": ItemKNN(incremental=True),
    "RP3beta": RP3beta(incremental=True),
    "TransitionRecommender": TransitionRecommender(incremental=True),
    "SessionKNN": SessionKNN(incremental=True),
    "BuyAgainRecommender": BuyAgainRecommender(incremental=True),
    "TIFUKNN": TIFUKNN(incremental=True),
    "EASE": EASE(incremental=True),
    "SLIM": SLIM(incremental=True),
}
DENSE = ("EASE", "SLIM")


def load(data, n_new):
    """Return all histories, and how many events of each user are known before the update."""
    if data == "beauty":
        X = protocols.s3rec("beauty").X_test
        lengths = read_histories(X).lengths
        known = lengths.copy()
        active = np.random.default_rng(0).choice(np.flatnonzero(lengths > 1), n_new, replace=False)
        known[active] -= 1
        return X, known
    X = protocols.online_retail().X_train[["item", "time"]] if data == "retail" else histories_at(10)[["item", "time"]]
    if data == "growth" and n_new < 10_000:
        X = frequent(X)
    histories = read_histories(X)
    since = np.sort(histories.time)[-n_new]
    early = histories.time < since
    return X, np.diff(np.concatenate([[0], np.cumsum(early)])[histories.indptr])


def frequent(X, n_users=1_000):
    """Keep the items of at least so many users."""
    from skrec.feature_extraction import HistoryVectorizer, to_histories

    items = HistoryVectorizer(min_df=n_users).fit(X).items_
    events = X[["item", "time"]].explode(["item", "time"]).reset_index(names="user").dropna()
    return to_histories(events[events["item"].isin(items)], user="user", item="item", time="time")


def first_events(X, known):
    """Return histories cut behind their first events."""
    import pandas as pd

    cut = {name: [row[:n] for row, n in zip(X[name].to_numpy(), known, strict=True)] for name in ("item", "time")}
    return pd.DataFrame({name: pd.Series(rows, index=X.index, dtype=object) for name, rows in cut.items()})


def seconds(work) -> tuple[float, float]:
    """Return the least processor seconds of up to three runs, and the peak memory of the first in MiB."""
    taken, peak = [], None
    while len(taken) < 3 and sum(taken) < 20:
        with measure_resources() as used:
            start = time.process_time()
            work()
            taken.append(time.process_time() - start)
        peak = used.peak_mib if peak is None else peak
    return min(taken), peak


def measure(data, name):
    """Print the measurements of one model on one data set as JSON."""
    model = MODELS[name]
    X, known = load(data, 1_000 if name in DENSE else 10_000)
    lengths = read_histories(X).lengths
    active = np.flatnonzero(lengths > known)
    before = first_events(X, known)
    before = before[np.asarray(known) > 0]
    if _fast.available():
        _fast.kernels()
    model.fit(before)
    new, since = X.iloc[active], known[active]
    update = seconds(lambda: copy.copy(model).partial_fit(new, since=since))
    updated = copy.copy(model).partial_fit(new, since=since)
    refit = seconds(lambda: model.fit(X))
    again = model.decision_function(X.iloc[:20])
    place = [int(np.flatnonzero(updated.items_ == item)[0]) for item in model.items_]
    differ = float(
        np.abs(updated.decision_function(X.iloc[:20])[:, place] - again).max() / max(1e-9, np.abs(again).max())
    )
    plain = seconds(lambda: model.set_params(incremental=False).fit(X)) if hasattr(model, "incremental") else refit
    print(
        json.dumps(
            [
                int(lengths.sum()),
                int((lengths - known).sum()),
                len(active),
                model.n_items_,
                update,
                refit,
                plain,
                differ,
            ]
        )
    )


def main(data, names):
    print(
        f"{'data':10}{'model':24}{'events':>12}{'new':>8}{'users':>8}{'items':>8}{'update s':>10}{'refit s':>10}"
        f"{'plain s':>9}{'1 in':>8}{'MiB':>7}{'refit':>7}{'differ':>10}"
    )
    for source in data:
        for name in names:
            command = [sys.executable, __file__, "--measure", source, name]
            lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
            events, new, users, items, update, refit, plain, differ = json.loads(lines[-1])
            print(
                f"{source:10}{name:24}{events:12,}{new:8,}{users:8,}{items:8,}{update[0]:10.3f}{refit[0]:10.3f}{plain[0]:9.3f}"
                f"{plain[0] / update[0]:8.1f}{update[1]:7,.0f}{refit[1]:7,.0f}{differ:10.1e}",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:])
    else:
        parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
        parser.add_argument("--data", nargs="+", default=["beauty", "retail", "growth"])
        parser.add_argument("--model", nargs="+", default=list(MODELS))
        options = parser.parse_args()
        main(options.data, options.model)
