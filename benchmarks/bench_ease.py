"""EASE's inverse against `numpy.linalg.inv` on the item matrix of Beauty (12,101 items), in one run.

python benchmarks/bench_ease.py
"""

import time

import numpy as np
import protocols

from skrec.feature_extraction import HistoryVectorizer
from skrec.linear_model import EASE
from skrec.linear_model._ease import symmetric_inverse


def main():
    task = protocols.s3rec("beauty")
    matrix = HistoryVectorizer().fit_transform(task.X_train).astype(np.float32)
    gram = (matrix.T @ matrix).toarray(order="F")
    gram[np.diag_indices_from(gram)] += 100
    print(f"{gram.shape[0]:,} items, float32")

    start = time.perf_counter()
    theirs = np.linalg.inv(gram)
    numpy_seconds = time.perf_counter() - start
    start = time.perf_counter()
    ours = symmetric_inverse(gram)
    our_seconds = time.perf_counter() - start
    print(f"numpy.linalg.inv   {numpy_seconds:7.1f} s")
    print(f"symmetric_inverse  {our_seconds:7.1f} s   {numpy_seconds / our_seconds:.2f} times as fast")
    print(f"largest difference of an entry: {np.abs(ours - theirs).max():.1e}")
    del ours, theirs, gram

    start = time.perf_counter()
    model = EASE(l2=100, vectorizer=HistoryVectorizer(recency=0.6)).fit(task.X_train)
    fitted = time.perf_counter()
    model.predict(task.X_test)
    print(f"EASE.fit {fitted - start:.1f} s, top 10 of {len(task.X_test):,} users {time.perf_counter() - fitted:.2f} s")


if __name__ == "__main__":
    main()
