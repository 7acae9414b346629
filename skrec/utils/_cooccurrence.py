"""Products of matrices of users, such as how often items occur together: sums over users that add and subtract."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from ._csr import counts_of, estimated_sum, pattern_of, stacked_rows, transposed
from ._nearest import Below, nearest_rows
from ._resources import check_room, free_bytes
from ._topk import stored_rows, stored_values

_WHOLE = 2**24  # whole numbers below are exact in float32
_ENTRY_BYTES = 12  # index and sum
_ROUNDING = 1e-12  # share of a float64 sum below which what subtractions leave of it is nothing


class Cooccurrence:
    r"""The product :math:`L^T R` of two matrices of users, a sum over users; formed only where it is needed.

    A sum or difference keeps a small change beside the product, so that its cost is that of the change.

    Parameters
    ----------
    left, right : CSR arrays of shape (n_users, n_items), dtype float32
        The two factors, entries of at least 0; the same array twice gives the Gram matrix. Values that are all 1 take
        least memory as `_csr.ones`.
    """

    def __init__(self, left: sp.csr_array, right: sp.csr_array):
        self._factors: tuple | None = (left, right)
        self._parts: tuple[sp.csr_array, sp.csr_array | None] | None = None  # the product, and what changed since

    @classmethod
    def of(cls, product: sp.csr_array, change: sp.csr_array | None = None) -> "Cooccurrence":
        """Return a sum over users that has been formed already."""
        formed = cls.__new__(cls)
        formed._factors, formed._parts = None, (product, change)
        return formed

    def __getstate__(self):
        return {"product": self.exact()}

    def __setstate__(self, state):
        self._factors, self._parts = None, (state["product"], None)

    def _lazy(self) -> tuple | None:
        return self._factors if self._parts is None else None

    def factor(self) -> sp.csr_array:
        """Return the left matrix of a product that has not been formed."""
        assert self._factors is not None, "the product has been formed"
        return self._factors[0]

    def formed(self) -> "Cooccurrence":
        """Return the same sum without the users it was made of.

        Raises
        ------
        MemoryError
            If it would not fit into memory, by an estimate from some rows.
        """
        if self._parts is None:
            advice = "fit with incremental=False, or leave rare items out, as HistoryVectorizer(min_df=) does"
            self.check_room(_ENTRY_BYTES, "incremental=True", advice)
        return Cooccurrence.of(self.exact())

    def check_room(self, entry_bytes: int, what: str, advice: str) -> None:
        """Raise MemoryError where entries of so many bytes would not fit into memory; see `_resources.check_room`.

        Their number is estimated from some rows, and only where there may be too many.
        """
        if self._most_entries() * entry_bytes > free_bytes():
            check_room(self.estimated_entries(), entry_bytes, what, advice)

    def _most_entries(self) -> float:
        if (factors := self._lazy()) is None:
            return 0.0 if self._parts is None else float(sum(part.nnz for part in self._parts if part is not None))
        left, right = factors
        pairs = np.diff(left.indptr).astype(np.float64) @ np.diff(right.indptr)
        return min(float(pairs), float(left.shape[1]) * right.shape[1])

    def estimated_entries(self) -> float:
        """Estimate the number of entries of the product, from some rows where it has not been formed."""
        return self._most_entries() if (factors := self._lazy()) is None else _estimated_entries(*factors)

    def exact(self) -> sp.csr_array:
        """Return the product as it is summed: whole numbers in float32, all others in float64."""
        if self._parts is None:
            assert self._factors is not None
            self._parts = (_product(*self._factors), None)
        product, change = self._parts
        if change is not None:
            product = _added(product, change)
            self._parts = (product, None)  # at once, for readers in other threads
        return product

    def is_whole(self) -> bool:
        """Tell whether the sums are whole numbers, which float32 holds exactly."""
        parts = self._parts if self._parts is not None else (self.exact(), None)
        return all(part is None or part.dtype == np.float32 for part in parts)

    def entries(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return single entries, float32 of the shape of `rows`."""
        product, change = self._parts if self._parts is not None else (self.exact(), None)
        found = stored_values(product, rows, columns)
        if change is not None:
            added = found + stored_values(change, rows, columns)
            found = np.where(np.abs(added) > _ROUNDING * np.abs(found), added, 0)
        return found.astype(np.float32)

    def diagonal(self) -> np.ndarray:
        """Return the diagonal, float32 of shape (n_items,)."""
        product, change = self._parts if self._parts is not None else (self.exact(), None)
        diagonal = product.diagonal() if change is None else product.diagonal() + change.diagonal()
        return diagonal.astype(np.float32)

    def rows(self, rows: np.ndarray) -> sp.csr_array:
        """Return some rows of the product, a float32 CSR array of its own."""
        if self._parts is None:
            return sp.csr_array(self.exact()[rows], dtype=np.float32)
        product, change = self._parts
        some = product[rows] if change is None else _added(product[rows], change[rows])
        return sp.csr_array(some, dtype=np.float32)

    def dot(self, vectors: np.ndarray) -> np.ndarray:
        """Return the product with dense vectors (n_items, n)."""
        product, change = self._parts if self._parts is not None else (self.exact(), None)
        return product @ vectors if change is None else product @ vectors + change @ vectors

    def tocsr(self) -> sp.csr_array:
        """Return the product, a float32 CSR array (n_items, n_items) that may not be written to."""
        return self.exact().astype(np.float32, copy=False)

    def toarray(self) -> np.ndarray:
        """Return the product as a new dense array (n_items, n_items) in Fortran order, dtype float32."""
        if (factors := self._lazy()) is not None:
            left, right = factors
            return (left.T @ right).toarray(order="F")
        return self.tocsr().toarray(order="F")

    def nearest(self, n: int, below: Below, rank: np.ndarray | None = None, *, transpose: bool = False) -> sp.csr_array:
        """Keep the n largest entries of each row once divided, without the diagonal; see `nearest_rows`.

        Where the product has not been formed, it never is as a whole.
        """
        if (factors := self._lazy()) is not None:
            left, right = factors
            return nearest_rows(transposed(left), right, n, below, rank, transpose=transpose)
        product = self.tocsr()
        n_items = product.shape[0]
        steps = np.arange(n_items + 1)
        identity = sp.csr_array((np.ones(n_items, np.float32), steps[:-1], steps), shape=product.shape)
        return nearest_rows(identity, product, n, below, rank, transpose=transpose)

    def map_rows(self, function: Callable[[int, sp.csr_array], sp.csr_array]) -> sp.csr_array:
        """Return the rows that a function makes of blocks of rows, given the first row and a CSR array of the sums as
        they are, (n_rows, n_items), which it may not write to.
        """
        product = self.exact()

        def rows_of(start, stop):
            first, last = product.indptr[start], product.indptr[stop]
            arrays = product.data[first:last], product.indices[first:last], product.indptr[start : stop + 1] - first
            return function(start, sp.csr_array(arrays, shape=(stop - start, product.shape[1])))

        return stacked_rows(rows_of, product.indptr.astype(np.int64), product.shape[1])

    def moved(self, positions: np.ndarray, n_items: int) -> "Cooccurrence":
        """Return the sum with item i at ``positions[i]`` of n_items; items at -1 are left out."""
        parts = self._parts if self._parts is not None else (self.exact(), None)
        return Cooccurrence.of(*(None if part is None else _moved(part, positions, n_items) for part in parts))

    def __add__(self, other: "Cooccurrence") -> "Cooccurrence":
        product, change = self._parts if self._parts is not None else (self.exact(), None)
        added = other.exact()
        if change is not None:
            added = _added(change, added)
        if added.nnz < product.nnz // 4:
            return Cooccurrence.of(product, added)
        return Cooccurrence.of(_added(product, added))

    def __sub__(self, other: "Cooccurrence") -> "Cooccurrence":
        mine, theirs = self._lazy(), other._lazy()
        if mine is not None and theirs is not None and mine[0].shape == theirs[0].shape:
            (left, right), (old_left, old_right) = mine, theirs  # L'R' - LR = (L' - L)R' + L(R' - R)
            of_left = of_right = _difference(left, old_left)
            if left is not right:
                of_right = _difference(right, old_right)
            return Cooccurrence.of(_added(_product(of_left, right), _product(old_left, of_right)))
        gone = other.exact()
        return self + Cooccurrence.of(sp.csr_array((-gone.data, gone.indices, gone.indptr), shape=gone.shape))


def _product(left: sp.csr_array, right: sp.csr_array) -> sp.csr_array:
    """Return the product over users so that sums of it stay exact."""
    if left.nnz and right.nnz and not (_whole(left) and _whole(right)):
        left, right = left.astype(np.float64), right.astype(np.float64)
    product = sp.csr_array(left.T @ right)
    if product.dtype == np.float32 and _largest(product) >= _WHOLE:
        product = sp.csr_array(left.T.astype(np.float64) @ right)
    product.sort_indices()
    return product


def _estimated_entries(left: sp.csr_array, right: sp.csr_array) -> float:
    """Estimate the number of entries of the product over users from some rows."""
    n_items, right = left.shape[1], pattern_of(right)

    def entries_of(items):
        place = np.full(n_items, -1, dtype=np.int32)
        place[items] = np.arange(len(items))
        events = np.flatnonzero(place[left.indices] >= 0)
        users = np.searchsorted(left.indptr, events, side="right") - 1
        rows = np.ones(len(events), np.float32), (place[left.indices[events]], users)
        return np.diff(sp.csr_array(sp.csr_array(rows, shape=(len(items), left.shape[0])) @ right).indptr)

    return estimated_sum(counts_of(left.indices, n_items), entries_of)


def _whole(matrix: sp.csr_array) -> bool:
    return bool((matrix.data == np.rint(matrix.data)).all()) and _largest(matrix) < _WHOLE


def _largest(matrix: sp.csr_array) -> float:
    return float(np.abs(matrix.data).max(initial=0))


def _difference(new: sp.csr_array, old: sp.csr_array) -> sp.csr_array:
    dtype = np.float32 if _whole(new) and _whole(old) else np.float64
    change = sp.csr_array(new.astype(dtype) - old.astype(dtype))
    change.eliminate_zeros()
    return change


def _added(product: sp.csr_array, change: sp.csr_array) -> sp.csr_array:
    """Add a change; what rounding leaves of an entry that is subtracted as a whole is nothing."""
    if product.dtype == change.dtype == np.float32 and _largest(product) + _largest(change) >= _WHOLE:
        product = product.astype(np.float64)
    total = sp.csr_array(product + change)
    if total.dtype == np.float64:
        near = np.flatnonzero(np.abs(total.data) <= _ROUNDING * product.data.max(initial=0))
        was = stored_values(product, stored_rows(total)[near], total.indices[near])
        total.data[near[np.abs(total.data[near]) <= _ROUNDING * np.abs(was)]] = 0
    total.eliminate_zeros()
    total.sort_indices()
    return total


def _moved(matrix: sp.csr_array, positions: np.ndarray, n_items: int) -> sp.csr_array:
    """Return a square matrix with rows and columns at other positions, those at -1 left out."""
    if len(positions) <= n_items and np.array_equal(positions, np.arange(len(positions))):  # items were added
        indptr = np.concatenate([matrix.indptr, np.full(n_items - len(positions), matrix.indptr[-1])])
        return sp.csr_array((matrix.data, matrix.indices, indptr.astype(matrix.indptr.dtype)), shape=(n_items, n_items))
    rows, columns = positions[stored_rows(matrix)], positions[matrix.indices]
    keep = (rows >= 0) & (columns >= 0)
    moved = sp.csr_array((matrix.data[keep], (rows[keep], columns[keep])), shape=(n_items, n_items))
    moved.sort_indices()
    return moved
