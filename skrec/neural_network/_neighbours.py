"""Co-occurrence embeddings (PPMI and SVD) of items and words, to initialise nets."""

import numpy as np
import scipy.sparse as sp

from skrec.utils._ppmi import positive_pmi, truncated_svd, window_counts

_COUNTED = 2**24  # events from which vectors are counted; of longer logs a sample of rows
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
    counts = sp.coo_array(window_counts(codes[codes > 0], rows, size, _WINDOW))
    known = (counts.row >= first) & (counts.col >= first)
    counts = sp.coo_array((counts.data[known], (counts.row[known], counts.col[known])), shape=(size, size))
    vectors = np.zeros((size, min(n_components, size - 1)), dtype=np.float32)
    if counts.nnz:
        left, values = truncated_svd(positive_pmi(counts), vectors.shape[1], seed)
        vectors = (left * np.sqrt(values)).astype(np.float32)
        vectors *= spread / max(vectors[first:].std(), 1e-12)
    vectors[:first] = np.nan
    return vectors


def sampled_rows(codes: np.ndarray, seed: int) -> np.ndarray:
    """Return a random sample of the rows that has about `_COUNTED` events; all of them where there are no more."""
    n_events = np.count_nonzero(codes)
    if n_events <= _COUNTED:
        return codes
    n_rows = max(1, int(len(codes) * (_COUNTED / n_events)))
    return codes[np.sort(np.random.default_rng(seed).choice(len(codes), n_rows, replace=False))]
