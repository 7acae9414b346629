"""Vectors of items and words by whom they stand beside, to start a net from."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from skrec.utils._transitions import count_transitions

_WINDOW = 5  # steps to each side that count as the neighbourhood


def neighbour_vectors(codes: np.ndarray, size: int, n_components: int, seed: int, *, first: int, spread: float):
    """Return vectors of codes by whom they stand beside: SVD of positive pointwise mutual information.

    Context counts are raised to the power 0.75 and singular values to 0.5, as in Levy, Goldberg and Dagan, "Improving
    Distributional Similarity with Lessons Learned from Word Embeddings", TACL 3, 2015.

    Parameters
    ----------
    codes : int ndarray of shape (n_rows, length)
        Rows of codes in their order, 0 for padding at their beginning.
    size : int
        Number of codes.
    n_components : int
        Length of the vectors, at most size - 1.
    seed : int
        Seed of the decomposition.
    first : int
        The first code that stands for an item or a word; those before it get NaN.
    spread : float
        Standard deviation of the vectors.

    Returns
    -------
    ndarray of shape (size, min(n_components, size - 1)), dtype float32
        The vectors; zeros where nothing stands beside a code.
    """
    rows = np.repeat(np.arange(len(codes)), np.count_nonzero(codes, axis=1))
    counts = count_transitions(codes[codes > 0], rows, size, 1 / np.arange(1, _WINDOW + 1))
    counts = sp.coo_array(counts + counts.T)
    known = (counts.row >= first) & (counts.col >= first)
    row, column, count = counts.row[known], counts.col[known], counts.data[known]
    vectors = np.zeros((size, min(n_components, size - 1)), dtype=np.float32)
    if len(count):
        total = np.bincount(row, count, minlength=size)
        context = total**0.75 / (total**0.75).sum()
        information = np.log(count / (total[row] * context[column])).astype(np.float32)
        kept = information > 0
        matrix = sp.csr_array((information[kept], (row[kept], column[kept])), shape=(size, size))
        left, values, _ = randomized_svd(matrix, vectors.shape[1], n_iter=3, random_state=seed)
        vectors = (left * np.sqrt(values)).astype(np.float32)
        vectors *= spread / max(vectors[first:].std(), 1e-12)
    vectors[:first] = np.nan
    return vectors
