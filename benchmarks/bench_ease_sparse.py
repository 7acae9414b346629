"""What does the sparse EASE of a large catalogue cost, and what does reading long rows by binary search save?

Fits `EASE(method="sparse")` on the histories of Complete Journey before 2017-12-01 (60,000 products), on some of the
items (`--items N`, the most frequent; 0, the default, takes all), with the binary search in rows of frequent items and
without; prints processor seconds and the largest difference of the weights.

    python benchmarks/bench_ease_sparse.py [--items 0]
"""

import argparse
import time

import numpy as np
import protocols

from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE, _products


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=0)
    n_items = parser.parse_args().items
    task = protocols.dunnhumby()
    fitted = {}
    for label, long in (("binary search in long rows", _products._LONG), ("all rows read", 10**12)):
        _products._LONG = long
        model = EASE(method="sparse", vectorizer=HistoryVectorizer(binary=False, max_items=n_items or None))
        start, used = time.perf_counter(), time.process_time()
        fitted[label] = model.fit(task.X_train).similarity_
        clock, used = time.perf_counter() - start, time.process_time() - used
        print(f"{label:30}{model.n_items_:8,} items{clock:8.1f} s{used:8.1f} s of processor", flush=True)
    ours, other = fitted.values()
    print(f"largest difference of the weights {np.abs((ours - other).data).max(initial=0):.1e}")


if __name__ == "__main__":
    main()
