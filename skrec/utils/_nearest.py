"""The largest entries of each row of a sparse product, such as the nearest items of each item."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from . import _fast
from ._csr import fits, with_values
from ._topk import map_blocks, stored_rows

_BLOCK = 2**22  # entries looked at in one go where arrays of all would be large


class Below(NamedTuple):
    """What each entry p of row i and column j of a product is divided by; where it is not above 0, the answer is 0.

    It is ``plus_left[i] + plus_right[j] + slope * p + times_left[i] * times_right[j] + constant``, with the square
    root of the fourth term if `root` is set.
    """

    plus_left: np.ndarray
    plus_right: np.ndarray
    times_left: np.ndarray
    times_right: np.ndarray
    slope: float = 0.0
    root: bool = False
    constant: float = 0.0

    def terms(self) -> tuple:
        """Return the arguments of the compiled loop."""
        left_plus, right_plus, left_times, right_times = (np.require(term, np.float32, ["C", "A"]) for term in self[:4])
        scalars = (True, self.root, np.float32(self.slope), np.float32(self.constant))
        return *scalars, left_plus, left_times, right_plus, right_times

    def divide(self, product: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Divide the stored entries of a product."""
        both = self.times_left[rows] * self.times_right[columns]
        if self.root:
            both = np.sqrt(both)
        below = (self.plus_left[rows] + self.plus_right[columns]) + np.float32(self.slope) * product
        below = below + both + np.float32(self.constant)
        return np.divide(product, below, out=np.zeros_like(product), where=below > 0)


def nearest_rows(
    left: sp.csr_array,
    right: sp.csr_array,
    n: int,
    below: Below | None = None,
    rank: np.ndarray | None = None,
    *,
    transpose: bool = False,
) -> sp.csr_array:
    """Keep the n largest entries of each row of a square product, without its diagonal.

    Parameters
    ----------
    left : CSR array of shape (n_items, n_users), dtype float32
        Entries of at least 0.
    right : CSR array of shape (n_users, n_items), dtype float32
        Entries of at least 0.
    n : int
        Number of entries to keep in each row; of equal values the smaller column stays.
    below : Below, default=None
        What the entries of the product are divided by.
    rank : ndarray of shape (n_items,), default=None
        Of equal values the column of smaller rank stays instead.
    transpose : bool, default=False
        Whether to return the transpose of what stays.

    Returns
    -------
    CSR array of shape (n_items, n_items), dtype float32
        The positive entries that stay, columns ascending.

    Notes
    -----
    The whole product exists only in blocks of rows; with numba not even there.
    """
    n_items = left.shape[0]
    lengths = np.diff(right.indptr)
    blocks = (left.indices[start : start + _BLOCK] for start in range(0, left.nnz, _BLOCK))
    work = float(sum(int(lengths[users].sum()) for users in blocks))  # multiply-adds
    seconds = 3e-9 * work + 6e-8 * min(work, n_items**2)
    if _fast.worthwhile(seconds) and fits(left, right):
        diagonal = sp.csr_array(
            (np.ones(n_items, np.float32), np.arange(n_items), np.arange(n_items + 1)), shape=(n_items, n_items)
        )
        order = None if rank is None else np.argsort(rank)
        columns, values, counts = _fast.best_of_product(
            left, right, min(n, n_items), order=order, removed=diagonal, below=below, fill=False
        )
        indptr = np.concatenate([[0], np.cumsum(counts)])
        if indptr[-1] < 2**31:
            indptr = indptr.astype(np.int32)
        parts = (compacted(values, counts), compacted(columns, counts), indptr)
        nearest = sp.csr_array(parts, shape=(n_items, n_items)).tocsc()  # a counting sort: rows ascending
        del left, columns, values, parts
        if transpose:
            return sp.csr_array((nearest.data, nearest.indices, nearest.indptr), shape=nearest.shape)
        return nearest.tocsr()

    width = int(min(12 * n_items, 12 * work / max(1, n_items) + 1))  # bytes of a row of the product: at most dense
    nearest = _nearest_in_blocks(left, with_values(right), n, below, rank, width)
    return sp.csr_array(nearest.T) if transpose else nearest


def _nearest_in_blocks(left, right, n, below, rank, row_bytes: int) -> sp.csr_array:
    """Keep the n largest entries of each row without numba."""

    def block_of(block):
        product = sp.csr_array(left[block] @ right)
        rows = stored_rows(product) + block.start
        if below is not None:
            product.data = below.divide(product.data, rows, product.indices)
        product.data[rows == product.indices] = 0
        product.eliminate_zeros()
        return prune_rows(product, n, rank)

    return sp.csr_array(sp.vstack(map_blocks(block_of, left.shape[0], row_bytes), format="csr"))


def compacted(padded: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Move the first counts[i] values of each row together, in place, and return them as a vector.

    Parameters
    ----------
    padded : C-contiguous ndarray of shape (n_rows, n)
        Values; overwritten.
    counts : int ndarray of shape (n_rows,)
        How many values of each row count.
    """
    flat, n, end = padded.reshape(-1), padded.shape[1], 0
    for start in range(0, len(counts), step := max(1, _BLOCK // max(1, n))):
        block = slice(start, start + step)
        kept = padded[block][np.arange(n) < counts[block, None]]  # copied, since it may overlap its new place
        flat[end : (end := end + len(kept))] = kept
    return flat[:end]


def prune_rows(matrix: sp.csr_array, n: int, rank: np.ndarray | None = None) -> sp.csr_array:
    """Keep the n largest stored values of each row; of equal values the smaller column, or that of smaller rank."""
    matrix.sort_indices()
    counts = np.diff(matrix.indptr)
    if counts.size == 0 or counts.max() <= n:
        return matrix
    rows = stored_rows(matrix)
    long = counts > n
    threshold = np.full(matrix.shape[0], -np.inf, dtype=matrix.dtype)
    for row in np.flatnonzero(long):
        data = matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]]
        threshold[row] = np.partition(data, len(data) - n)[len(data) - n]
    keep = matrix.data > threshold[rows]
    tied = np.flatnonzero((matrix.data == threshold[rows]) & long[rows])
    if rank is not None:
        tied = tied[np.lexsort((rank[matrix.indices[tied]], rows[tied]))]
    need = n - np.bincount(rows[keep], minlength=matrix.shape[0])
    place = np.arange(len(tied)) - np.searchsorted(rows[tied], rows[tied])
    keep[tied[place < need[rows[tied]]]] = True
    keep |= ~long[rows]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[keep], minlength=matrix.shape[0]))])
    return sp.csr_array((matrix.data[keep], matrix.indices[keep], indptr), shape=matrix.shape)
