"""Run the iALS of irspack in an environment of its own; called by ../bench_irspack.py.

python run_irspack.py MATRIX.npz SETTINGS ANSWER.npz
"""

import json
import sys
import time

import numpy as np
import scipy.sparse as sp
from irspack.recommenders import IALSRecommender


def main(source, settings, target):
    matrix = sp.csr_matrix(sp.load_npz(source), dtype=np.float64)
    settings = json.loads(settings)
    best_fit = best_ask = np.inf
    for _ in range(settings.pop("repeats")):
        start = time.process_time()
        model = IALSRecommender(matrix, **settings).learn()
        fitted = time.process_time()
        best = np.empty((matrix.shape[0], 10), dtype=np.int64)
        for begin in range(0, len(best), 1000):  # its scores of a block of users, of which NumPy picks the best
            scores = -model.get_score_remove_seen_block(begin, min(begin + 1000, len(best)))
            top = np.argpartition(scores, 10, axis=1)[:, :10]
            order = np.take_along_axis(scores, top, axis=1).argsort(axis=1)
            best[begin : begin + 1000] = np.take_along_axis(top, order, axis=1)
        best_fit = min(best_fit, fitted - start)
        best_ask = min(best_ask, time.process_time() - fitted)
    np.savez(target, items=best, fit=best_fit, ask=best_ask)


if __name__ == "__main__":
    main(*sys.argv[1:])
