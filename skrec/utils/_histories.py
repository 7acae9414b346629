"""Histories: every form a user may pass, read into one compressed form."""

import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from ._list_columns import encode, list_column, to_numpy
from ._row_blocks import BLOCK, kept_boundaries
from ._time import are_dates, as_days
from ._validation import as_weights, lookup

COLUMNS = ("item", "time", "weight", "event")


@dataclass(frozen=True)
class Histories:
    """Histories in compressed rows: row i owns the events ``indptr[i]:indptr[i + 1]``.

    Attributes
    ----------
    ids : ndarray of shape (n_ids,)
        The distinct item ids, in any order.
    codes : ndarray of shape (n_events,), dtype int32 or int64
        Position of each event's item in `ids`.
    indptr : ndarray of shape (n_rows + 1,), dtype int64
        Row boundaries.
    time : ndarray of shape (n_events,), dtype float64, or None
        Days since 1970 for dates, the number itself otherwise; never decreasing within a row.
    weight : ndarray of shape (n_events,), dtype float32, or None
        Weight of each event, at least 0.
    event_ids, event_codes : ndarray or None
        The distinct event names, and the position of each event's name in them.
    dated : bool
        Whether the times are dates; otherwise they are numbers of unknown unit.
    """

    ids: np.ndarray
    codes: np.ndarray
    indptr: np.ndarray
    time: np.ndarray | None = None
    weight: np.ndarray | None = None
    event_ids: np.ndarray | None = None
    event_codes: np.ndarray | None = None
    dated: bool = False

    def __post_init__(self):
        for name in ("ids", "codes", "indptr", "time", "weight", "event_ids", "event_codes"):
            array = getattr(self, name)
            if isinstance(array, np.ndarray) and array.flags.writeable:  # a view: what the caller holds stays as it is
                view = array.view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Number of events of each row, shape (n_rows,)."""
        return np.diff(self.indptr)

    @property
    def rows(self) -> np.ndarray:
        """Row number of each event, shape (n_events,)."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    def take_events(self, keep: np.ndarray) -> "Histories":
        """Keep the events where a boolean mask of shape (n_events,) is true; every row stays, perhaps empty."""
        indptr = kept_boundaries(keep, self.indptr)
        parts: dict[str, Any] = {
            name: None if value is None else value[keep]
            for name, value in [
                ("codes", self.codes),
                ("time", self.time),
                ("weight", self.weight),
                ("event_codes", self.event_codes),
            ]
        }
        return replace(self, indptr=indptr, **parts)

    def take_rows(self, rows: np.ndarray) -> "Histories":
        """Return the histories at some positions, shape (n_taken,)."""
        indptr = np.concatenate([[0], np.cumsum(self.lengths[rows], dtype=np.int64)])
        events = np.arange(indptr[-1]) + np.repeat(self.indptr[:-1][rows] - indptr[:-1], np.diff(indptr))
        parts: dict[str, Any] = {
            name: None if (value := getattr(self, name)) is None else value[events]
            for name in ("codes", "time", "weight", "event_codes")
        }
        return replace(self, indptr=indptr, **parts)

    def on_items(self, items: np.ndarray) -> "Histories":
        """Code the events by their position in `items` and leave out those whose item is not there."""
        if self.ids is items:
            return self
        position = self.item_positions(items)
        coded = replace(self, ids=items, codes=_positions_of(self.codes, position))
        if position is None or (position >= 0).all() or (known := coded.codes >= 0).all():
            return coded
        return coded.take_events(known)

    def __getitem__(self, rows: slice) -> "Histories":
        start, stop, _ = rows.indices(len(self))
        events = slice(self.indptr[start], self.indptr[stop])
        return replace(
            self,
            codes=self.codes[events],
            indptr=self.indptr[start : stop + 1] - self.indptr[start],
            time=None if self.time is None else self.time[events],
            weight=None if self.weight is None else self.weight[events],
            event_codes=None if self.event_codes is None else self.event_codes[events],
        )

    def to_matrix(self, values: np.ndarray | None = None, n_items: int | None = None) -> sp.csr_array:
        """Sum a value per event, shape (n_events,), by item: a float32 CSR array (n_rows, n_items) of its own arrays.

        None for `values` counts the events; None for `n_items` takes the number of `ids`.
        """
        values = np.ones(len(self.codes), np.float32) if values is None else np.array(values, dtype=np.float32)
        shape = (len(self), len(self.ids) if n_items is None else n_items)
        matrix = sp.csr_array((values, self.codes.copy(), self.indptr.copy()), shape=shape)
        matrix.sum_duplicates()
        return matrix

    def item_codes(self, items: np.ndarray) -> np.ndarray:
        """Position of each event's item in `items`, -1 where it is not there; shape (n_events,), int32."""
        return self.codes if self.ids is items else _positions_of(self.codes, self.item_positions(items))

    def item_positions(self, items: np.ndarray) -> np.ndarray | None:
        """Position of each of the `ids` in `items`, -1 where it is not there; None where both hold the same ids."""
        ids = self.ids
        if ids is items or (ids.dtype.kind == items.dtype.kind and np.array_equal(ids, items)):
            return None
        return lookup(ids, items)


def _positions_of(codes: np.ndarray, position: np.ndarray | None) -> np.ndarray:
    """Return the position of each code as int32, by blocks since NumPy reads codes as 8 bytes each."""
    if position is None:
        return codes.astype(np.int32, copy=False)
    found = np.empty(len(codes), dtype=np.int32)
    for start in range(0, len(codes), BLOCK):
        found[start : start + BLOCK] = position[codes[start : start + BLOCK]]
    return found


@dataclass(frozen=True)
class ReadHistories:
    """What a user passed, and the histories read from it, so that the parts of an ensemble need not read it again."""

    X: object
    histories: Histories

    def __len__(self) -> int:
        return len(self.histories)


def as_passed(X):
    """Return what the user passed, from whatever has been read of it already."""
    return X.X if isinstance(X, ReadHistories) else X


def read_histories(X, name: str = "X") -> Histories:
    """Read histories from any supported container.

    Parameters
    ----------
    X : sequence of histories, or pandas or polars frame with the list column `item`
        One row per user; see the user guide, "Data forms".
    name : str, default="X"
        What it is called in error messages.

    Returns
    -------
    Histories
        The compressed form.

    Raises
    ------
    TypeError, ValueError
        If `X` is not one of the forms, or a column holds values it may not hold.
    """
    if isinstance(X, Histories):
        return X
    if isinstance(read := getattr(X, "histories", None), Histories):  # read already, or on disk
        return read
    if not is_frame(X) and is_arrow_table(X):
        import pandas as pd

        X = X.to_pandas(types_mapper=pd.ArrowDtype)
    if not is_frame(X):
        values, indptr = list_column(X, name)
        return Histories(*encode(values, name), indptr)

    columns = list(X.columns)
    if "item" not in columns:
        raise ValueError(
            f"{name} is a frame without the list column 'item' (it has {columns[:8]}): build it with to_histories, "
            "or pass vectorizer='passthrough' if it is a user x item matrix"
        )
    values, indptr = list_column(X["item"], f"{name}['item']")
    extra: dict = {}
    for column in ("time", "weight", "event"):
        if column not in columns:
            continue
        label = f"{name}[{column!r}]"
        parallel, other = list_column(X[column], label)
        if not np.array_equal(indptr, other):
            row = int(np.flatnonzero(np.diff(indptr) != np.diff(other))[0])
            raise ValueError(
                f"{label} must be parallel to {name}['item'], but row {row} has {np.diff(other)[row]} values "
                f"for {np.diff(indptr)[row]} items"
            )
        if column == "time":
            times = to_numpy(parallel, label)
            extra["time"], extra["dated"] = as_days(times, label), are_dates(times)
            _check_order(extra["time"], indptr, label)
        elif column == "weight":
            extra["weight"] = as_weights(to_numpy(parallel, label), label)
        else:
            extra["event_ids"], extra["event_codes"] = encode(parallel, label)
    return Histories(*encode(values, f"{name}['item']"), indptr, **extra)


def required(values: np.ndarray | None, column: str) -> np.ndarray:
    """Return a list column of histories; raise where they lack it."""
    if values is None:
        raise ValueError(f"X lacks the list column {column!r}: make it with to_histories({column}=)")
    return values


def check_same_times(histories: Histories, dated: bool | None) -> None:
    """Raise where histories have numbers as times and those of `fit` had dates, or the reverse."""
    if dated is not None and len(histories.codes) and histories.dated != dated:
        here, there = ("dates", "numbers") if histories.dated else ("numbers", "dates")
        raise TypeError(f"X['time'] has {here}, but fit had {there}: convert the times to those of fit")


def is_frame(X) -> bool:
    """Tell whether X is a pandas or polars frame, without importing either."""
    return any(
        library in sys.modules and isinstance(X, sys.modules[library].DataFrame) for library in ("pandas", "polars")
    )


def is_arrow_table(X) -> bool:
    """Tell whether X is an Arrow table or record batch."""
    return hasattr(X, "column_names") and hasattr(X, "to_pandas")


def _check_order(time: np.ndarray, indptr: np.ndarray, label: str) -> None:
    back = np.diff(time) < 0
    starts = indptr[1:-1]
    back[starts[(starts > 0) & (starts < len(time))] - 1] = False  # a new row may begin earlier
    if back.any():
        row = int(np.searchsorted(indptr, np.flatnonzero(back)[0], side="right") - 1)
        raise ValueError(f"{label} must not decrease within a history, but row {row} does: build it with to_histories")
