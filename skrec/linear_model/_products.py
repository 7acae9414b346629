"""Products of item columns: what the sparse linear models learn from."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from ..utils._progress import Progress
from ..utils._threads import drain, single_threaded_blas

_DENSE_SHARE = 0.25  # above this share of stored entries a dense matrix takes little more memory than a sparse one
_LONG = 1000  # mean number of entries of rows from which on a binary search is faster than reading them
_PIECE = 64  # columns that a thread solves in one go


class ItemProducts:
    """The Gram matrix of the items, dense where many pairs occur together.

    Parameters
    ----------
    products : CSR array of shape (n_items, n_items), dtype float32
        Products of all pairs of item columns.

    Attributes
    ----------
    norms : ndarray of shape (n_items,)
        Norms of the item columns.
    products : ndarray or CSR array of shape (n_items, n_items)
        Products of all pairs of item columns.
    """

    def __init__(self, products: sp.csr_array):
        self.norms = np.sqrt(products.diagonal().astype(np.float64))
        self.products = products
        if not products.has_sorted_indices:
            self.products = products.sorted_indices()
        if products.nnz > _DENSE_SHARE * np.prod(products.shape):
            self.products = products.toarray()

    def row(self, item: int) -> np.ndarray:
        """Return the products of one item with all."""
        if not sp.issparse(self.products):
            return self.products[item].astype(np.float64)
        row = np.zeros(len(self.norms))
        stored = slice(*self.products.indptr[item : item + 2])
        row[self.products.indices[stored]] = self.products.data[stored]
        return row

    def square(self, items: np.ndarray) -> np.ndarray:
        """Return the products among some items, in C order."""
        if not sp.issparse(self.products):
            return self.products[np.ix_(items, items)].astype(np.float64)
        starts = self.products.indptr[items]  # by hand: indexing of scipy takes longer than all the rest
        lengths = self.products.indptr[items + 1] - starts
        if lengths.sum() > _LONG * len(items):
            return self._square_of_long_rows(items, starts, lengths)
        ends = np.cumsum(lengths)
        stored = np.repeat(starts - ends + lengths, lengths) + np.arange(ends[-1])
        place = np.full(len(self.norms), -1, dtype=np.int32)
        place[items] = np.arange(len(items))
        columns = place[self.products.indices[stored]]
        inside = np.flatnonzero(columns >= 0)
        of = np.searchsorted(ends, inside, side="right")
        square = np.zeros((len(items), len(items)))
        square[of, columns[inside]] = self.products.data[stored[inside]]
        return square

    def _square_of_long_rows(self, items: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the same by a binary search in each row: rows of frequent items are longer than all else."""
        square = np.zeros((len(items), len(items)))
        items = items.astype(self.products.indices.dtype)  # else every row is copied
        for place, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            columns = self.products.indices[start : start + length]
            at = np.searchsorted(columns, items)
            at[at == length] = 0
            found = columns[at] == items if length else np.zeros(len(items), dtype=bool)
            square[place, found] = self.products.data[start + at[found]]
        return square

    def combine(self, items: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the weighted sum of the rows of some items."""
        rows = self.products[items]
        return rows.T @ weights if sp.issparse(rows) else weights.astype(np.float32) @ rows


def largest(values: np.ndarray, n: int, rank: np.ndarray | None = None) -> np.ndarray:
    """Return the positions of the n largest values, ascending; of equal values the first, or that of smaller rank."""
    if len(values) <= n:
        return np.arange(len(values))
    order = np.argsort(-values, kind="stable") if rank is None else np.lexsort((rank, -values))
    return np.sort(order[:n])


def solve_columns(solve: Callable, n_items: int, threads: int, owner) -> sp.csr_array:
    """Put the columns of a sparse weight matrix together.

    Parameters
    ----------
    solve : callable
        Takes the number of a column and returns its rows, ascending, and the weights in them.
    n_items : int
        Number of columns and rows.
    threads : int
        Number of threads.
    owner : estimator
        Whose progress it is.

    Returns
    -------
    CSR array of shape (n_items, n_items), dtype float32
        The weights.
    """
    solved: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    pieces = [(start, min(start + _PIECE, n_items)) for start in range(0, n_items, _PIECE)]

    def work(start, stop):
        for item in range(start, stop):
            solved[item] = solve(item)
        progress.step(stop - start)

    with single_threaded_blas(), Progress(owner, "item", n_items, n_tasks=len(pieces)) as progress:
        drain(pieces, work, threads)
    columns = [solved[item] for item in range(n_items)]
    indptr = np.concatenate([[0], np.cumsum([len(rows) for rows, _ in columns])])
    rows, weights = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return sp.csc_array((weights.astype(np.float32), rows, indptr), shape=(n_items, n_items)).tocsr()
