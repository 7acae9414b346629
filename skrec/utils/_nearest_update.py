"""Nearest rows of a product that changes: a reserve of further entries lets an update cost the change alone."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ._cooccurrence import Cooccurrence
from ._nearest import Below, nearest_rows, prune_rows
from ._topk import stored_rows

_RESERVE = 2  # entries held for each one that is wanted
_SLACK = np.float32(1 + 1e-6)  # of sums and quotients in float32
_LIKELY = np.float32(0.98)  # share of the former last value from which a changed entry is looked up


class NearestRows(NamedTuple):
    r"""The largest entries of each row of a product once divided, and some more [1]_.

    Every entry that is not held has a value of at most `bound`. As long as the n-th value held is above it, the n
    largest are among those held. An entry whose product has not changed cannot rise, since what it is divided by only
    grows; one that has changed rises by its change over the divisor at most, and is looked up where that could matter.

    Attributes
    ----------
    products : CSR array of shape (n_items, n_items)
        The products of the entries held.
    bound : float32 ndarray of shape (n_items,)
        The largest value that an entry which is not held can have; 0 where all are held.
    below : Below
        What the products are divided by.
    n : int
        Number of entries wanted in each row.
    last : float32 ndarray of shape (n_items,)
        The n-th largest value of each row; 0 where it has fewer.

    References
    ----------
    .. [1] K. Yi, H. Yu, J. Yang, G. Xia and Y. Chen, "Efficient Maintenance of Materialized Top-k Views", ICDE 2003.
    """

    products: sp.csr_array
    bound: np.ndarray
    below: Below
    n: int
    last: np.ndarray

    @classmethod
    def build(cls, product: Cooccurrence, n: int, below: Below, rank) -> tuple["NearestRows", sp.csr_array]:
        """Return the reserve of a product, and the n largest values of each row, columns ascending."""
        nearest = product.nearest(_RESERVE * n, below, rank)
        rows, data = stored_rows(nearest), nearest.data.astype(np.float64)
        if product.is_whole():
            ones = np.ones(len(rows), dtype=np.float32)
            data = np.rint(data / below.divide(ones, rows, nearest.indices)).astype(np.float32)
        else:
            data = product.entries(rows, nearest.indices)
        held = sp.csr_array((data, nearest.indices, nearest.indptr), shape=nearest.shape)
        bound = _least(nearest, _RESERVE * n)
        return cls(held, bound, below, n, bound)._solved(rank)

    def update(self, product: Cooccurrence, change: sp.csr_array, below: Below, rank):
        """Return the same pair for a product that has changed, or None where what it is divided by has shrunk.

        Parameters
        ----------
        product : Cooccurrence of shape (n_items, n_items)
            The product after the change; it may have further items, which come last.
        change : CSR array of shape (n_items, n_items)
            The change.
        below : Below
            What the products are divided by now.
        rank : ndarray of shape (n_items,) or None
            Breaks ties; None is the position.
        """
        n_items, n_old = change.shape[0], len(self.bound)
        if below.slope or below[4:] != self.below[4:]:
            return None
        if any((new[:n_old] < old).any() for new, old in zip(below[:4], self.below[:4], strict=True)):
            return None
        products = self.products.copy()
        products.resize((n_items, n_items))
        bound, last = (np.append(old, np.zeros(n_items - n_old, np.float32)) for old in (self.bound, self.last))
        inside = sp.csr_array(_pattern(products).multiply(change))
        products = sp.csr_array(products + inside)
        risen = sp.csr_array(change - inside)
        rows, keep = stored_rows(risen), risen.data > 0
        keep &= rows != risen.indices
        rows, columns, rises = rows[keep], risen.indices[keep], risen.data[keep].astype(np.float32)
        ceiling = (bound[rows] + below.divide(rises, rows, columns)) * _SLACK
        complete, likely = bound[rows] == 0, ceiling >= _LIKELY * last[rows]
        np.maximum.at(bound, rows[~complete & ~likely], ceiling[~complete & ~likely])
        likely &= ~complete
        found = np.where(complete, rises, 0)
        found[likely] = product.entries(rows[likely], columns[likely])
        enter = complete | likely
        added = sp.csr_array((found[enter].astype(products.dtype), (rows[enter], columns[enter])), shape=products.shape)
        products = sp.csr_array(products + added)
        products.eliminate_zeros()
        updated = NearestRows(products, bound, below, self.n, last)
        solved, nearest = updated._solved(rank)
        short = np.flatnonzero((bound > 0) & (solved.last <= bound * _SLACK))
        if len(short):
            solved, fresh = solved._with_rows(short, product, rank)
            nearest = _with_rows_of(nearest, short, fresh)
        if products.nnz > 2 * _RESERVE * self.n * n_items:
            solved = solved._trimmed(rank)
        return solved, nearest

    def _values(self) -> sp.csr_array:
        products = self.products
        values = self.below.divide(products.data.astype(np.float32), stored_rows(products), products.indices)
        return sp.csr_array((values, products.indices, products.indptr), shape=products.shape)

    def _solved(self, rank) -> tuple["NearestRows", sp.csr_array]:
        """Return the reserve with the n-th values as they are, and the n largest values of each row."""
        nearest = _largest(self._values(), self.n, rank)
        return self._replace(last=_least(nearest, self.n)), nearest

    def _with_rows(self, rows: np.ndarray, product: Cooccurrence, rank) -> tuple["NearestRows", sp.csr_array]:
        """Look all entries of some rows up again; return the n largest values of these rows as well."""
        below = Below(self.below[0][rows], self.below[1], self.below[2][rows], *self.below[3:])
        some = product.rows(rows)
        some.data[rows[stored_rows(some)] == some.indices] = 0
        n, data = _RESERVE * self.n, below.divide(some.data, stored_rows(some), some.indices)
        fresh = sp.csr_array((data, some.indices.copy(), some.indptr.copy()), shape=some.shape)
        fresh.eliminate_zeros()
        fresh = prune_rows(fresh, n, rank)
        nearest = prune_rows(fresh, self.n, rank)
        bound, last = self.bound.copy(), self.last.copy()
        bound[rows], last[rows] = _least(fresh, n), _least(nearest, self.n)
        looked_up = sp.csr_array(_pattern(fresh).multiply(some), dtype=self.products.dtype)
        return self._replace(products=_with_rows_of(self.products, rows, looked_up), bound=bound, last=last), nearest

    def _trimmed(self, rank) -> "NearestRows":
        """Hold no more than the reserve has."""
        n = _RESERVE * self.n
        if np.diff(self.products.indptr).max(initial=0) <= n:
            return self
        kept = _largest(self._values(), n, rank)
        bound = np.maximum(self.bound, _least(kept, n))
        return self._replace(products=sp.csr_array(_pattern(kept).multiply(self.products)), bound=bound)


def _largest(values: sp.csr_array, n: int, rank) -> sp.csr_array:
    """Return the n largest positive values of each row, columns ascending."""
    identity = sp.csr_array(
        (np.ones(values.shape[0], np.float32), np.arange(values.shape[0]), np.arange(values.shape[0] + 1))
    )
    return nearest_rows(identity, values, n, None, rank)


def _least(nearest: sp.csr_array, n: int) -> np.ndarray:
    """Return the smallest value of each row that has n, 0 for the others."""
    full = np.diff(nearest.indptr) >= n
    least = np.zeros(nearest.shape[0], dtype=np.float32)
    if full.any():
        data = nearest.data[np.repeat(full, np.diff(nearest.indptr))].reshape(-1, n)
        least[full] = data.min(axis=1)
    return least


def _with_rows_of(matrix: sp.csr_array, rows: np.ndarray, other: sp.csr_array) -> sp.csr_array:
    """Return a matrix with other values in some rows, those of `other` in their order."""
    place = np.arange(matrix.shape[0])
    place[rows] = matrix.shape[0] + np.arange(len(rows))
    return sp.csr_array(sp.csr_array(sp.vstack([matrix, other], format="csr"))[place])


def _pattern(matrix: sp.csr_array) -> sp.csr_array:
    return sp.csr_array((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
