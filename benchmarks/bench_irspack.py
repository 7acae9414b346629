"""ALS against the iALS of irspack at equal settings on MovieLens-1M, leave one out: time and NDCG@10, in one run.

The peer runs in an environment of its own, whose Python is the first argument. Both minimise the same loss, with the
frequency-scaled penalty of Rendle et al. (irspack's ``loss_type="ORIGINAL"`` adds the unobserved weight to the
confidence of an entry, so ours is given that), at the defaults of ALS, which were chosen on validation parts. Seconds
are the processor's, of all threads together, so that other work on the machine counts little; two runs of each,
alternating, and the least counts. When asked, the peer looks up the vectors of its training users, while ours solves
for each history, since it keeps no users.

    python -m venv peer && peer/bin/pip install irspack==0.5.2
    python benchmarks/bench_irspack.py peer/bin/python
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import protocols
import scipy.sparse as sp

from skrec.decomposition import ALS
from skrec.feature_extraction import HistoryVectorizer
from skrec.metrics import ndcg_at_k
from skrec.utils import _fast, _fast_als

REPEATS = 2
SWEEPS = 16


def ours(settings, matrix):
    model = ALS(vectorizer="passthrough", random_state=0, **settings)
    start = time.process_time()
    model.fit(matrix)
    fitted = time.process_time()
    return model.predict(matrix), fitted - start, time.process_time() - fitted


def main(peer):
    script = Path(__file__).parent / "peers" / "run_irspack.py"
    if _fast.available():
        _fast_als._kernel()  # compiled once for each version, outside of what is timed
    task = protocols.ml1m()
    vectorizer = HistoryVectorizer()
    matrix = sp.csr_matrix(vectorizer.fit_transform(task.X_train))  # columns without ids
    weight = 12 * matrix.nnz / np.prod(matrix.shape)  # what ALS takes by default
    print(
        f"{matrix.shape[0]:,} users, {matrix.shape[1]:,} items, {matrix.nnz:,} entries; unobserved weight {weight:.3f}"
    )
    print(f"{'factors':>7} {'irspack':14}{'fit s':>7}{'ALS':>7}{'ratio':>7}{'ask s':>8}{'ALS':>7}{'ratio':>7}"
          f"{'NDCG@10':>10}{'ALS':>8}{'ratio':>7}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        sp.save_npz(source, sp.csr_matrix(matrix))
        for n_components, solver in ((64, "CHOLESKY"), (64, "CG"), (128, "CHOLESKY")):
            theirs = {
                "n_components": n_components,
                "alpha0": weight,
                "reg": 0.01,
                "nu": 1.0,
                "loss_type": "ORIGINAL",
                "solver_type": solver,
                "train_epochs": SWEEPS,
                "n_threads": 2,
                "repeats": 1,
            }
            own = {
                "n_components": n_components,
                "unobserved_weight": weight,
                "alpha": 1 + weight,
                "l2": 0.01,
                "l2_exponent": 1.0,
                "max_iter": SWEEPS,
                "n_jobs": 2,
                "solver": solver.lower(),
            }
            best = np.full(4, np.inf)
            for _ in range(REPEATS):
                command = [peer, script, source, json.dumps(theirs), target]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                answer = dict(np.load(target))
                items, fit, ask = ours(own, matrix)
                best = np.minimum(best, [answer["fit"], fit, answer["ask"], ask])
            scores = [ndcg_at_k(task.y_test, vectorizer.items_[found]) for found in (answer["items"], items)]
            print(
                f"{n_components:7} {solver:14}{best[0]:7.2f}{best[1]:7.2f}{best[1] / best[0]:7.2f}"
                f"{best[2]:8.2f}{best[3]:7.2f}{best[3] / best[2]:7.2f}"
                f"{scores[0]:10.4f}{scores[1]:8.4f}{scores[1] / scores[0]:7.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1])
