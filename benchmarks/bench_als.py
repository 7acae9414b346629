"""ALS through skrec against implicit at equal settings on MovieLens-1M, in one run.

Both fit the same matrix with the same seed, alternating, three times each; the ratio compares the fastest runs.

    python benchmarks/bench_als.py
"""

import time
import warnings

import numpy as np
import protocols
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from skrec.decomposition import ALS
from skrec.feature_extraction import HistoryVectorizer


def main():
    from implicit.cpu.als import AlternatingLeastSquares

    warnings.simplefilter("ignore", RuntimeWarning)  # implicit warns of BLAS threads
    matrix = sp.csr_matrix(HistoryVectorizer().fit_transform(protocols.ml1m().X_train))
    users = np.arange(matrix.shape[0])
    print(f"{matrix.shape[0]:,} users, {matrix.shape[1]:,} items, {matrix.nnz:,} entries; 64 factors, 15 sweeps")
    for solver in ("cg", "cholesky"):
        times = {"implicit fit": [], "skrec fit": [], "implicit recommend": [], "skrec recommend": []}
        for _ in range(3):
            peer = AlternatingLeastSquares(
                64, regularization=5.0, alpha=2.0, iterations=15, use_cg=solver == "cg", random_state=0
            )
            with threadpool_limits(1, "blas"):  # as its documentation asks
                start = time.perf_counter()
                peer.fit(matrix, show_progress=False)
                times["implicit fit"].append(time.perf_counter() - start)
            start = time.perf_counter()
            ids, _ = peer.recommend(users, matrix, N=10, recalculate_user=True)
            times["implicit recommend"].append(time.perf_counter() - start)

            ours = ALS(
                64,
                l2=5.0,
                l2_exponent=0,
                alpha=2.0,
                unobserved_weight=1.0,
                max_iter=15,
                solver=solver,
                vectorizer="passthrough",
                random_state=0,
            )
            start = time.perf_counter()
            ours.fit(matrix)
            times["skrec fit"].append(time.perf_counter() - start)
            start = time.perf_counter()
            answer = ours.predict(matrix)
            times["skrec recommend"].append(time.perf_counter() - start)
        best = {name: min(runs) for name, runs in times.items()}
        print(f"\nsolver={solver!r}: same ids in {(answer == ids).mean():.2%} of the places")
        for what in ("fit", "recommend"):
            theirs, our = best[f"implicit {what}"], best[f"skrec {what}"]
            print(f"  {what:10} implicit {theirs:6.2f} s   skrec {our:6.2f} s   ratio {our / theirs:.3f}")


if __name__ == "__main__":
    main()
