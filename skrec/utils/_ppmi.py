"""Positive pointwise mutual information of codes within a window of each other, and vectors of it."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from ._search import of_norm_1
from ._transitions import count_transitions

_ROUNDING = 1e-5  # share of the largest singular value up to which a value is zero
_CAPTURED = 1e-3  # share of an item's row that its vector must hold; the direction of less is left to chance


def window_counts(codes: np.ndarray, rows: np.ndarray, size: int, window: int, *, dtype=np.float32) -> sp.csr_array:
    """Return how often codes stand within a window of each other, pairs weighted by 1 / distance.

    Parameters
    ----------
    codes : int ndarray of shape (n_events,)
        Codes, row after row, in their order.
    rows : int ndarray of shape (n_events,)
        The row of each code.
    size : int
        Number of codes.
    window : int
        Largest distance of a pair that counts.
    dtype : dtype, default=numpy.float32
        Type of the sums.

    Returns
    -------
    CSR array of shape (size, size)
        Symmetric. The diagonal holds repetitions, each from both sides.
    """
    counts = count_transitions(codes, rows, size, 1 / np.arange(1, window + 1), dtype=dtype)
    return sp.csr_array(counts + counts.T)


def positive_pmi(counts, *, context_exponent: float = 0.75, shift: float = 0.0) -> sp.csr_array:
    r"""Return the positive entries of the pointwise mutual information of counts.

    Parameters
    ----------
    counts : sparse array of shape (size, size)
        Co-occurrence counts: row = code, column = context.
    context_exponent : float, default=0.75
        Exponent of the counts of the contexts.
    shift : float, default=0.0
        Subtracted from each entry: the logarithm of the number of negative samples.

    Returns
    -------
    CSR array of shape (size, size), dtype float32
        :math:`\max(0, \log(c_{ij} / (c_i\, p_j)) - \text{shift})`, with :math:`p_j` the smoothed share of context j.
    """
    counts = sp.coo_array(counts)
    row, column, count, size = counts.row, counts.col, counts.data, counts.shape[0]
    if not len(count):
        return sp.csr_array((size, size), dtype=np.float32)
    total = np.bincount(row, count, minlength=size)
    smoothed = np.zeros_like(total)
    np.power(total, context_exponent, out=smoothed, where=total > 0)
    context = smoothed / smoothed.sum()
    information = (np.log(count / (total[row] * context[column])) - shift).astype(np.float32)
    kept = information > 0
    return sp.csr_array((information[kept], (row[kept], column[kept])), shape=(size, size))


def truncated_svd(matrix: sp.csr_array, n_components: int, seed) -> tuple[np.ndarray, np.ndarray]:
    """Return the first left singular vectors and the singular values, by a randomized SVD.

    Parameters
    ----------
    matrix : CSR array of shape (n_rows, n_columns), dtype float32
        What is decomposed.
    n_components : int
        Number of singular vectors.
    seed : int or RandomState
        Seed of the random vectors at the start.

    Returns
    -------
    left : ndarray of shape (n_rows, n_components), dtype float32
        The vectors as columns.
    values : ndarray of shape (n_components,), dtype float32
        The singular values, largest first.
    """
    left, values, _ = randomized_svd(matrix, n_components, n_iter=3, random_state=seed)
    return left, values


def unit_vectors(matrix: sp.csr_array, n_components: int, seed, *, singular_exponent: float = 0.5) -> np.ndarray:
    """Return the rows of a truncated SVD, divided by their norms.

    Parameters
    ----------
    matrix : CSR array of shape (n_rows, n_columns), dtype float32
        What is decomposed.
    n_components : int
        Length of the vectors.
    seed : int or RandomState
        Seed of the randomized SVD.
    singular_exponent : float, default=0.5
        Exponent of the singular values.

    Returns
    -------
    ndarray of shape (n_rows, n_components), dtype float32
        Vectors of norm 1; zeros for empty rows and for rows that the components do not hold.
    """
    if not matrix.nnz:
        return np.zeros((matrix.shape[0], n_components), dtype=np.float32)
    left, values = truncated_svd(matrix, n_components, seed)
    held, whole = np.linalg.norm(left * values, axis=1), sp.linalg.norm(matrix, axis=1)
    left[(whole == 0) | (held <= _CAPTURED * whole)] = 0
    powers = np.where(values > _ROUNDING * values[0], values**singular_exponent, 0)
    return of_norm_1(left * powers)
