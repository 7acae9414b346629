"""Additive statistics of users: what item models learn from, as sums that can be added, subtracted and merged."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ._nearest import Below, nearest_rows, prune_rows
from ._topk import stored_rows


class Cooccurrence:
    r"""The product :math:`L^T R` of two matrices of users, a sum over users; formed only where it is needed.

    Parameters
    ----------
    left, right : CSR arrays of shape (n_users, n_items), dtype float32
        The two factors, entries of at least 0; the same array twice gives the Gram matrix.
    """

    def __init__(self, left: sp.csr_array, right: sp.csr_array):
        self._factors: tuple = (left, right)
        self._product: sp.csr_array | None = None

    @classmethod
    def _of(cls, product: sp.csr_array) -> "Cooccurrence":
        formed = cls.__new__(cls)
        formed._factors, formed._product = (), product
        return formed

    def tocsr(self) -> sp.csr_array:
        """Return the product, a CSR array (n_items, n_items) that may not be written to."""
        if self._product is None:
            left, right = self._factors
            self._product = sp.csr_array(left.T @ right)
        return self._product

    def toarray(self) -> np.ndarray:
        """Return the product as a new dense array (n_items, n_items) in Fortran order."""
        if self._product is None:
            left, right = self._factors
            return (left.T @ right).toarray(order="F")
        return self._product.toarray(order="F")

    def nearest(self, n: int, below: Below) -> sp.csr_array:
        """Keep the n largest entries of each row once divided, without the diagonal; see `nearest_rows`.

        Where the product has not been formed, it never is as a whole.
        """
        if self._product is None:
            left, right = self._factors
            return nearest_rows(sp.csr_array(left.T), right, n, below)
        product = self._product.copy()
        rows = stored_rows(product)
        product.data = below.divide(product.data, rows, product.indices)
        product.data[rows == product.indices] = 0
        product.eliminate_zeros()
        return prune_rows(product, n)

    def __add__(self, other: "Cooccurrence") -> "Cooccurrence":
        return self._of(sp.csr_array(self.tocsr() + other.tocsr()))

    def __sub__(self, other: "Cooccurrence") -> "Cooccurrence":
        return self._of(sp.csr_array(self.tocsr() - other.tocsr()))


class Records:
    """Rows of which every one counts, such as events with their times: a multiset that grows by what is added.

    Parameters
    ----------
    *columns : ndarrays of shape (n_rows,)
        The values of each row.
    """

    def __init__(self, *columns: np.ndarray):
        self.columns = columns

    def __add__(self, other: "Records") -> "Records":
        return Records(*(np.concatenate(pair) for pair in zip(self.columns, other.columns, strict=True)))

    def __sub__(self, other: "Records") -> "Records":
        n_own = len(self.columns[0])
        rows = np.rec.fromarrays((self + other).columns)
        _, kind = np.unique(rows, return_inverse=True)
        order = np.argsort(kind, kind="stable")
        ends = np.bincount(kind)
        place = np.empty(len(kind), dtype=np.int64)  # of each row among the equal ones, own rows first
        place[order] = np.arange(len(kind)) - np.repeat(np.cumsum(ends) - ends, ends)
        own = np.bincount(kind[:n_own], minlength=len(ends))
        place[n_own:] -= own[kind[n_own:]]  # the first row of `other` takes away the first of the own
        gone = np.isin(kind[:n_own] * len(kind) + place[:n_own], kind[n_own:] * len(kind) + place[n_own:])
        return Records(*(column[~gone] for column in self.columns))


@dataclass(frozen=True)
class Statistics:
    """Named sums over users. Statistics of disjoint users over the same items add; those of some can be subtracted.

    Attributes
    ----------
    sums : mapping of str to array, sparse array, number or Cooccurrence
        What was counted.
    """

    sums: Mapping[str, object]

    def __getitem__(self, name: str):
        return self.sums[name]

    def __add__(self, other: "Statistics") -> "Statistics":
        return Statistics({name: value + other[name] for name, value in self.sums.items()})

    def __sub__(self, other: "Statistics") -> "Statistics":
        return Statistics({name: value - other[name] for name, value in self.sums.items()})
