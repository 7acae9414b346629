"""Rows of one user without matrices: their weights, and their products with similarities."""

import threading
from collections import Counter
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

_DENSE = 16  # columns for each term of a sparse product up to which all columns are looked at
_buffers = threading.local()


class Scored(NamedTuple):
    """Scores of one user that are 0 but for some distinct columns."""

    columns: np.ndarray
    values: np.ndarray
    n_items: int

    def toarray(self) -> np.ndarray:
        """Return the scores of all columns, shape (n_items,)."""
        scores = np.zeros(self.n_items, dtype=self.values.dtype)
        scores[self.columns] = self.values
        return scores


def row_values(codes: list[int], *, binary: bool, recency: float | None, ages: np.ndarray | None = None):
    """Return the columns and values of a row of a matrix, as `HistoryVectorizer` weights it; None for sums of decays.

    Parameters
    ----------
    codes : list of int
        Column of each event, oldest first; -1 where it has none.
    binary : bool
        Whether the largest value of an item's events counts, else their sum.
    recency : float or None
        Factor per step of age.
    ages : int ndarray of shape (n_events,), default=None
        The age of each event, never increasing; None counts the later events.

    Returns
    -------
    columns : ndarray of shape (n_columns,), dtype int64
        Ascending.
    values : ndarray of shape (n_columns,), dtype float32
        The values.
    """
    if recency is None:
        if binary:
            found = set(codes)
            found.discard(-1)
            return np.array(sorted(found), dtype=np.int64), np.ones(len(found), dtype=np.float32)
        counts = Counter(codes)
        del counts[-1]
        columns = np.array(sorted(counts), dtype=np.int64)
        return columns, np.array([counts[column] for column in columns.tolist()], dtype=np.float32)
    if not binary:
        return None
    last = {code: place for place, code in enumerate(codes)}
    last.pop(-1, None)
    columns = np.array(sorted(last), dtype=np.int64)
    latest = np.array([last[column] for column in columns.tolist()], dtype=np.int64)
    ages = len(codes) - 1 - latest if ages is None else ages[latest]
    return columns, np.power(recency, ages).astype(np.float32)


def product_single(columns: np.ndarray, weights: np.ndarray, similarity):
    """Return the product of one sparse row and a matrix, summed in the order in which SciPy sums it.

    Parameters
    ----------
    columns : ndarray of shape (n,)
        Stored entries of the row, in their order.
    weights : ndarray of shape (n,), dtype float32
        Their values.
    similarity : ndarray or CSR array of shape (n_items, n_items)
        The matrix.

    Returns
    -------
    ndarray of shape (n_items,), Scored or None
        The scores; None where the types of numbers are others.
    """
    n_items = similarity.shape[1]
    if similarity.dtype != np.float32 or weights.dtype != np.float32:
        return None
    plain = bool((weights == 1).all())
    if not sp.issparse(similarity):
        if not plain:
            indptr = np.array([0, len(columns)], dtype=np.int32)
            row = sp.csr_array((weights, columns.astype(np.int32), indptr), shape=(1, len(similarity)))
            return (row @ similarity)[0]
        scores = np.zeros(n_items, dtype=np.float32)
        for column in columns.tolist():
            scores += similarity[column]
        return scores
    if similarity.format != "csr":
        return None
    if not len(columns):
        return np.zeros(n_items, dtype=np.float32)
    starts, stops = similarity.indptr[columns], similarity.indptr[columns + 1]
    ranges = list(map(slice, starts.tolist(), stops.tolist()))
    terms = np.concatenate([similarity.indices[part] for part in ranges]).astype(np.int64, copy=False)
    values = np.concatenate([similarity.data[part] for part in ranges])
    if not plain:
        values *= np.repeat(weights, stops - starts)
    if n_items <= _DENSE * len(terms):
        scores = np.zeros(n_items, dtype=np.float32)
        np.add.at(scores, terms, values)
        return scores
    return _sum_by_column(terms, values, n_items)


def _sum_by_column(columns: np.ndarray, values: np.ndarray, n_items: int) -> Scored:
    """Sum values by column, one after the other, in a buffer that each thread keeps and leaves full of zeros."""
    kept = vars(_buffers)
    buffer = kept.pop("buffer", None)  # not kept while in use: after an interruption the next call gets another
    if buffer is None or len(buffer) < n_items:
        buffer = np.zeros(n_items, dtype=np.float32)
    np.add.at(buffer, columns, values)
    sums = buffer[columns]
    number = np.arange(len(columns), dtype=np.float32)
    buffer[columns] = number  # the last of equal columns stays
    once = np.flatnonzero(buffer[columns] == number)
    buffer[columns] = 0
    kept["buffer"] = buffer
    return Scored(columns[once], sums[once], n_items)
