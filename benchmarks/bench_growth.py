"""Growth: seconds to fit and to recommend, and peak memory, at 1, 3 and 10 times the events of Complete Journey.

The households are kept and more of them are drawn with replacement (seed 0), so that users and events grow while the
items and the length of a history stay. Each model is fitted in a process of its own, after a warm-up on few users, and
then asked about the same 1,000 households. Seconds are the processor's, of all threads together. Printed are the
slopes of the logarithms, 1 for what is proportional to the events, beside the growth that the docstrings give.

    python benchmarks/bench_growth.py [ItemKNN ALS ...]
"""

import json
import subprocess
import sys
import time

import numpy as np
import protocols

from skrec.decomposition import ALS, BPR, PureSVD
from skrec.dummy import PopularityRecommender
from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE, SLIM
from skrec.neighbors import TIFUKNN, BuyAgainRecommender, ItemKNN, RP3beta, SessionKNN, TransitionRecommender
from skrec.utils import _fast
from skrec.utils._resources import measure_resources

FACTORS = (1, 3, 10)
ASKED = 1000
SORT = 1.07  # of n log n between a million and ten million events


def frequent(factor):
    """Keep the same items at every size, those of at least 100 households of the original."""
    return HistoryVectorizer(min_df=100 * factor)


# the model at a size; documented growth of fit, recommend (for a fixed number of users) and memory while fitting
MODELS = {
    "PopularityRecommender": (lambda factor: PopularityRecommender(), (1, 0, 1)),
    "ItemKNN": (lambda factor: ItemKNN(), (1, 0, 1)),
    "RP3beta": (lambda factor: RP3beta(), (1, 0, 1)),
    "TransitionRecommender": (lambda factor: TransitionRecommender(), (1, 0, 1)),
    "BuyAgainRecommender": (lambda factor: BuyAgainRecommender(), (SORT, 0, 1)),
    "TIFUKNN": (lambda factor: TIFUKNN(), (SORT, 1, 1)),
    "SessionKNN": (lambda factor: SessionKNN(), (SORT, 1, 1)),  # asking: until the items have n_candidates sessions
    "EASE, min_df": (lambda factor: EASE(vectorizer=frequent(factor)), (1, 0, 1)),
    "SLIM, min_df": (lambda factor: SLIM(l1=factor, l2=200 * factor, vectorizer=frequent(factor)), (1, 0, 1)),
    "ALS": (lambda factor: ALS(32, max_iter=3, random_state=0), (1, 0, 1)),
    "BPR": (lambda factor: BPR(32, max_iter=3, random_state=0), (1, 0, 1)),
    "PureSVD": (lambda factor: PureSVD(32, random_state=0), (1, 0, 1)),
}


def histories_at(factor):
    """Return the histories of all households, and of more that are drawn from them."""
    histories = protocols.dunnhumby().X_train
    drawn = np.random.default_rng(0).integers(len(histories), size=(factor - 1) * len(histories))
    return histories.iloc[np.concatenate([np.arange(len(histories)), drawn])].reset_index(drop=True)


def measure(name, factor):
    """Print the measurements of one model at one size as JSON."""
    histories = histories_at(factor)
    if _fast.available():
        _fast.kernels()
    few = histories.iloc[:100]
    MODELS[name][0](1).set_params(**({"vectorizer": None} if "min_df" in name else {})).fit(few).predict(few)
    model = MODELS[name][0](factor)
    seconds, used = {}, None
    for what, work in (("fit", lambda: model.fit(histories)), ("ask", lambda: model.predict(histories.iloc[:ASKED]))):
        seconds[what] = []
        while len(seconds[what]) < 3 and sum(seconds[what]) < 10:  # the least of three where that takes no time
            with measure_resources() as resources:
                start = time.process_time()
                work()
                seconds[what].append(time.process_time() - start)
            used = used or resources
    n_events = int(histories["item"].list.len().sum())
    print(json.dumps([n_events, model.n_items_, min(seconds["fit"]), min(seconds["ask"]), used.peak_mib]))


def main(names):
    print(f"{'model':24}{'events':>12}{'items':>8}{'fit s':>9}{'ask s':>8}{'MiB':>8}")
    slopes = []
    for name in names:
        rows = []
        for factor in FACTORS:
            command = [sys.executable, __file__, "--measure", name, str(factor)]
            lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
            rows.append(json.loads(lines[-1]))
            n_events, n_items, fit, ask, memory = rows[-1]
            print(f"{name:24}{n_events:12,}{n_items:8,}{fit:9.2f}{ask:8.2f}{memory:8,.0f}", flush=True)
        events = np.log([row[0] for row in rows])
        slopes.append(
            [np.polyfit(events, np.log(np.maximum(column, 1e-3)), 1)[0] for column in zip(*rows, strict=True)][2:]
        )
    print(f"\n{'slope, documented':24}{'fit':>16}{'recommend':>16}{'memory':>16}")
    for name, measured in zip(names, slopes, strict=True):
        pairs = zip(measured, MODELS[name][1], strict=True)
        print(f"{name:24}" + "".join(f"{f'{slope:.2f}, {documented}':>16}" for slope, documented in pairs))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2], int(sys.argv[3]))
    else:
        main(sys.argv[1:] or list(MODELS))
