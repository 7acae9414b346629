"""Additive statistics of users: what item models learn from, as sums that can be added, subtracted and merged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ._cooccurrence import Cooccurrence
from ._histories import Histories
from ._row_blocks import row_blocks

_N_MARKS = 2**20  # of rows that are looked for, one byte each
NOT_LEARNED = "X holds histories that the model has not learned: pass complete histories as they were learned"


class Records:
    """Rows of which every one counts, such as events with their times: a multiset, in any order.

    Parameters
    ----------
    items : int ndarray of shape (n_rows,)
        The item of each row.
    *columns : ndarrays of shape (n_rows,)
        Further values of each row.
    """

    def __init__(self, items: np.ndarray, *columns: np.ndarray):
        self.columns = (items, *columns)

    def _taken(self, rows) -> "Records":
        return Records(*(column[rows] for column in self.columns))

    def _marks(self) -> np.ndarray:
        """Return a number below `_N_MARKS` of each row, the same for equal rows."""
        total = np.zeros(len(self.columns[0]), dtype=np.uint64)
        for column in self.columns:
            total += (column.astype(np.float64) + 0.0).view(np.uint64)
            total *= np.uint64(0x9E3779B97F4A7C15)
        return total >> np.uint64(64 - _N_MARKS.bit_length() + 1)

    def __add__(self, other: "Records") -> "Records":
        return Records(*(np.concatenate(pair) for pair in zip(self.columns, other.columns, strict=True)))

    def __sub__(self, other: "Records") -> "Records":
        """Take rows away, each once.

        Raises
        ------
        ValueError
            If a row of `other` is not there.
        """
        n_own, both = len(self.columns[0]), self + other
        if not len(other.columns[0]):
            return self
        marked = np.zeros(_N_MARKS, dtype=bool)
        marked[other._marks()] = True
        possible = marked[self._marks()]  # few rows: only these are sorted
        rows = np.concatenate([np.flatnonzero(possible), np.arange(n_own, len(both.columns[0]))])
        some = both._taken(rows)
        order = np.lexsort(some.columns)
        new = np.zeros(len(rows), dtype=bool)
        for column in some.columns:
            new[1:] |= np.diff(column[order]) != 0
        kind = np.empty(len(rows), dtype=np.int64)
        kind[order] = np.cumsum(new)
        n_kinds, n_some = int(kind.max()) + 1, int(np.count_nonzero(possible))
        own, gone = (np.bincount(part, minlength=n_kinds) for part in (kind[:n_some], kind[n_some:]))
        if (gone > own).any():
            raise ValueError(NOT_LEARNED)
        by_kind = np.argsort(kind[:n_some], kind="stable")
        place = np.arange(n_some) - np.repeat(np.cumsum(own) - own, own)
        keep = np.ones(n_own, dtype=bool)
        keep[rows[by_kind[place < np.repeat(gone, own)]]] = False
        return self._taken(keep)

    def moved(self, positions: np.ndarray, n_items: int) -> "Records":
        """Return the rows with item i at ``positions[i]``; items at -1 may have none."""
        return Records(positions[self.columns[0]].astype(self.columns[0].dtype), *self.columns[1:])


class Rows:
    """One row of events for each user: a multiset of rows, newest last, in which a key tells equal histories.

    Parameters
    ----------
    keys : uint64 ndarray of shape (n_rows,)
        From `history_keys`.
    indptr : int64 ndarray of shape (n_rows + 1,)
        Row boundaries.
    events : tuple of ndarrays of shape (n_events,)
        The items, and further values of each event.
    columns : tuple of ndarrays of shape (n_rows,)
        Values of each row.
    """

    def __init__(self, keys: np.ndarray, indptr: np.ndarray, events: Iterable, columns: Iterable = ()):
        self.keys, self.indptr, self.events, self.columns = keys, indptr, tuple(events), tuple(columns)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def lengths(self) -> np.ndarray:
        """Number of events of each row, shape (n_rows,)."""
        return np.diff(self.indptr)

    def taken(self, keep: np.ndarray) -> "Rows":
        """Return the rows where a boolean mask is true."""
        if keep.all():
            return self
        of_events = np.repeat(keep, self.lengths)
        indptr = np.concatenate([[0], np.cumsum(self.lengths[keep])])
        return Rows(
            self.keys[keep], indptr, [e[of_events] for e in self.events], [column[keep] for column in self.columns]
        )

    def __add__(self, other: "Rows") -> "Rows":
        def joined(mine, others):
            return [np.concatenate(pair) for pair in zip(mine, others, strict=True)]

        indptr = np.concatenate([self.indptr, self.indptr[-1] + other.indptr[1:]])
        keys = np.concatenate([self.keys, other.keys])
        return Rows(keys, indptr, joined(self.events, other.events), joined(self.columns, other.columns))

    def __sub__(self, other: "Rows") -> "Rows":
        """Take rows away, each once.

        Raises
        ------
        ValueError
            If a row of `other` is not there.
        """
        if not len(other):
            return self
        wanted, needed = np.unique(other.keys, return_counts=True)
        place = np.minimum(np.searchsorted(wanted, self.keys), len(wanted) - 1)
        found = np.flatnonzero(wanted[place] == self.keys)
        kind = place[found]
        there = np.bincount(kind, minlength=len(wanted))
        if (there < needed).any():
            raise ValueError(NOT_LEARNED)
        by_kind = np.argsort(kind, kind="stable")
        number = np.arange(len(found)) - np.repeat(np.cumsum(there) - there, there)
        keep = np.ones(len(self), dtype=bool)
        keep[found[by_kind[number < np.repeat(needed, there)]]] = False
        return self.taken(keep)

    def moved(self, positions: np.ndarray, n_items: int) -> "Rows":
        """Return the rows with item i at ``positions[i]``; items at -1 may have none."""
        items, *others = self.events
        return Rows(self.keys, self.indptr, [positions[items].astype(items.dtype), *others], self.columns)


class Grouped:
    """Sums by group of users, whose number may grow.

    Parameters
    ----------
    sums : CSR array of shape (n_groups, n_columns)
        The sums of each group.
    by_item : bool
        Whether the columns are items.
    """

    def __init__(self, sums: sp.csr_array, by_item: bool):
        self.sums, self.by_item = sums, by_item

    def _padded(self, shape) -> sp.csr_array:
        larger = self.sums.copy()
        larger.resize(shape)
        return larger

    def __add__(self, other: "Grouped") -> "Grouped":
        shape = tuple(np.maximum(self.sums.shape, other.sums.shape))
        return Grouped(sp.csr_array(self._padded(shape) + other._padded(shape)), self.by_item)

    def __sub__(self, other: "Grouped") -> "Grouped":
        shape = tuple(np.maximum(self.sums.shape, other.sums.shape))
        left = sp.csr_array(self._padded(shape) - other._padded(shape))
        left.data[np.abs(left.data) < 1e-9] = 0  # what rounding leaves
        left.eliminate_zeros()
        return Grouped(left, self.by_item)

    def moved(self, positions: np.ndarray, n_items: int) -> "Grouped":
        """Return the sums with item i at ``positions[i]`` of n_items; items at -1 are left out."""
        if not self.by_item:
            return self
        entries = self.sums.tocoo()
        columns = positions[entries.col]
        keep = columns >= 0
        shape = (self.sums.shape[0], n_items)
        return Grouped(sp.csr_array((entries.data[keep], (entries.row[keep], columns[keep])), shape=shape), True)


def history_keys(histories: Histories, items: np.ndarray, *values: np.ndarray, rows=None) -> np.ndarray:
    """Return a number for each history that tells it from others, by its items, their order, times and values.

    Parameters
    ----------
    histories : Histories of shape (n_users,)
        Histories coded by position in `items`.
    items : ndarray of shape (n_items,)
        Item ids; the numbers do not depend on their positions.
    *values : ndarrays of shape (n_events,)
        Further values of the events.
    rows : int ndarray of shape (n_users,), default=None
        A further value of each history.

    Returns
    -------
    ndarray of shape (n_users,), dtype uint64
        Sums of 64-bit hashes of the events.
    """
    import pandas as pd

    names = np.array([str(item) for item in items], dtype=object)
    hashes = pd.util.hash_array(names, categorize=False)
    keys = np.empty(len(histories), dtype=np.uint64)
    for part in row_blocks(histories.indptr):
        block = histories[part]
        events = hashes[block.codes]
        position = np.arange(len(events), dtype=np.uint64) - np.repeat(block.indptr[:-1], block.lengths).astype(
            np.uint64
        )
        events = _mixed(events ^ _mixed(position))
        of_block = slice(histories.indptr[part.start], histories.indptr[part.stop])
        for numbers in (histories.time, *values):
            if numbers is not None:
                events = _mixed(events ^ (numbers[of_block].astype(np.float64) + 0.0).view(np.uint64))
        total = np.concatenate([[np.uint64(0)], np.cumsum(events, dtype=np.uint64)])
        keys[part] = total[block.indptr[1:]] - total[block.indptr[:-1]]
    return keys if rows is None else _mixed(keys ^ _mixed(rows.astype(np.uint64)))


def _mixed(values: np.ndarray) -> np.ndarray:
    """Return the finalizer of SplitMix64, a bijection of 64-bit numbers."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


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

    def updated(self, after: "Statistics", before: "Statistics") -> tuple["Statistics", dict]:
        """Return the sums with what some users have now in the place of what they had before.

        Also returned are the changes of products by name, which have been formed on the way.
        """
        changes = {name: after[name] - before[name] for name, old in self.sums.items() if isinstance(old, Cooccurrence)}
        sums = {
            name: old + changes[name] if name in changes else old + after[name] - before[name]
            for name, old in self.sums.items()
        }
        return Statistics(sums), changes

    def is_negative(self, *, products: bool = True) -> bool:
        """Tell whether more has been taken away than was there, beyond rounding; of products only if asked."""
        return any(_is_negative(v) for v in self.sums.values() if products or not isinstance(v, Cooccurrence))

    def moved(self, positions: np.ndarray, n_items: int) -> "Statistics":
        """Return the same sums with item i at ``positions[i]`` of n_items; items at -1 are left out."""
        return Statistics({name: _moved_sum(value, positions, n_items) for name, value in self.sums.items()})

    def formed(self) -> "Statistics":
        """Return the same sums without the users they were made of."""
        made = {name: value.formed() if hasattr(value, "formed") else value for name, value in self.sums.items()}
        return Statistics(made)


def _is_negative(value) -> bool:
    if isinstance(value, (Records, Rows)):
        return False  # rows that are not there cannot be taken away
    if isinstance(value, (Cooccurrence, Grouped)):
        value = value.exact().data if isinstance(value, Cooccurrence) else value.sums.data
    values = np.asarray(value, dtype=np.float64)
    return bool(values.min(initial=0) < -1e-6 * max(1.0, float(np.abs(values).max(initial=0))))


def _moved_sum(value, positions: np.ndarray, n_items: int):
    if hasattr(value, "moved"):
        return value.moved(positions, n_items)
    if not isinstance(value, np.ndarray):
        return value
    moved = np.zeros(n_items, dtype=value.dtype)
    moved[positions[positions >= 0]] = value[positions >= 0]
    return moved
