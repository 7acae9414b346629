"""Histories: every form a user may pass, read into one compressed form."""

import sys
from collections.abc import Iterator, Mapping, Sized
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from ._time import are_dates, as_days
from ._validation import as_ids, as_weights, factorize, is_missing, lookup, plain, type_name

BLOCK = 2**22  # events that are worked on at once where copies of all would take too much memory
COLUMNS = ("item", "time", "weight", "event")
_HINT = "a history is a list of item ids, oldest first"


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


def row_blocks(indptr: np.ndarray, n_events: int = BLOCK) -> Iterator[slice]:
    """Cut rows into consecutive blocks of at most `n_events` events, a row that is longer alone.

    Parameters
    ----------
    indptr : ndarray of shape (n_rows + 1,)
        Row boundaries.
    n_events : int, default=4194304
        Events of a block.

    Yields
    ------
    slice
        The rows of a block; one that is empty where there are no rows.
    """
    n_rows, start = len(indptr) - 1, 0
    while True:
        stop = int(np.searchsorted(indptr, indptr[start] + n_events, side="right")) - 1
        stop = min(max(stop, start + 1), n_rows)
        yield slice(start, stop)
        if stop >= n_rows:
            return
        start = stop


def kept_boundaries(keep: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    """Return the row boundaries, shape (n_rows + 1,), of the events where a boolean mask is true."""
    kept = np.zeros(len(indptr), dtype=np.int64)
    for rows in row_blocks(indptr):
        bounds = indptr[rows.start : rows.stop + 1]
        total = np.concatenate([[0], np.cumsum(keep[bounds[0] : bounds[-1]], dtype=np.int64)])
        kept[rows.start : rows.stop + 1] = kept[rows.start] + total[bounds - bounds[0]]
    return kept


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
        values, indptr = _list_column(X, name)
        return Histories(*_encode(values, name), indptr)

    columns = list(X.columns)
    if "item" not in columns:
        raise ValueError(
            f"{name} is a frame without the list column 'item' (it has {columns[:8]}): build it with to_histories, "
            "or pass vectorizer='passthrough' if it is a user x item matrix"
        )
    values, indptr = _list_column(X["item"], f"{name}['item']")
    extra: dict = {}
    for column in ("time", "weight", "event"):
        if column not in columns:
            continue
        label = f"{name}[{column!r}]"
        parallel, other = _list_column(X[column], label)
        if not np.array_equal(indptr, other):
            row = int(np.flatnonzero(np.diff(indptr) != np.diff(other))[0])
            raise ValueError(
                f"{label} must be parallel to {name}['item'], but row {row} has {np.diff(other)[row]} values "
                f"for {np.diff(indptr)[row]} items"
            )
        if column == "time":
            times = _to_numpy(parallel, label)
            extra["time"], extra["dated"] = as_days(times, label), are_dates(times)
            _check_order(extra["time"], indptr, label)
        elif column == "weight":
            extra["weight"] = as_weights(_to_numpy(parallel, label), label)
        else:
            extra["event_ids"], extra["event_codes"] = _encode(parallel, label)
    return Histories(*_encode(values, f"{name}['item']"), indptr, **extra)


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


def number_baskets(indptr: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the baskets of all users: events of one user at one time.

    Returns the basket of each event, and the first basket of each user with one more at the end, (n_users + 1,).
    """
    begins = np.ones(len(times), dtype=bool)
    begins[1:] = times[1:] != times[:-1]
    begins[indptr[:-1][np.diff(indptr) > 0]] = True
    total = np.concatenate([[0], np.cumsum(begins)])
    return total[1:] - 1, total[indptr]


def is_frame(X) -> bool:
    """Tell whether X is a pandas or polars frame, without importing either."""
    return any(
        library in sys.modules and isinstance(X, sys.modules[library].DataFrame) for library in ("pandas", "polars")
    )


def is_arrow_table(X) -> bool:
    """Tell whether X is an Arrow table or record batch."""
    return hasattr(X, "column_names") and hasattr(X, "to_pandas")


def is_matrix(X) -> bool:
    """Tell whether X is a sparse matrix or an array of more than one dimension."""
    return hasattr(X, "tocsr") or getattr(X, "ndim", 1) != 1


def _is_series(X) -> bool:
    return any(
        library in sys.modules and isinstance(X, sys.modules[library].Series) for library in ("pandas", "polars")
    )


def _check_order(time: np.ndarray, indptr: np.ndarray, label: str) -> None:
    back = np.diff(time) < 0
    starts = indptr[1:-1]
    back[starts[(starts > 0) & (starts < len(time))] - 1] = False  # a new row may begin earlier
    if back.any():
        row = int(np.searchsorted(indptr, np.flatnonzero(back)[0], side="right") - 1)
        raise ValueError(f"{label} must not decrease within a history, but row {row} does: build it with to_histories")


def _list_column(column: Any, label: str):
    """Return the flat values (ndarray, list or Arrow array) and the row boundaries of a list column."""
    if _is_series(column) and not isinstance(getattr(column, "dtype", None), np.dtype):
        return _arrow_lists(column, label)
    if "pyarrow" in sys.modules:
        pa = sys.modules["pyarrow"]
        if isinstance(column, (pa.Array, pa.ChunkedArray)):
            return _arrow_lists(column, label)
    if is_matrix(column):
        shape = "x".join(map(str, column.shape))
        where = "give its vectorizer to the recommender as vectorizer=, not before it in a Pipeline"
        if not hasattr(column, "history_items"):
            where += "; for a matrix whose items are its column numbers pass vectorizer='passthrough'"
        raise TypeError(f"{label} is a matrix of shape {shape}, but histories are expected ({_HINT}): {where}")
    if isinstance(column, (str, bytes, Mapping, AbstractSet)) or not isinstance(column, Sized):
        raise TypeError(f"{label} must be a sequence of histories or a frame, got {type_name(column)}")
    values: Any = column
    if _is_series(values):
        values = values.to_numpy()
    elif not isinstance(values, (list, tuple, np.ndarray)):
        values = list(values)
    return _python_lists(values, label)


def _arrow_lists(column, label: str):
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, (pa.Array, pa.ChunkedArray)):
        array = column
    else:
        array = column.to_arrow() if hasattr(column, "to_arrow") else pa.array(column, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
        raise TypeError(f"{label} has the type {array.type}, but a list column is expected: {_HINT}")
    if not array.null_count:
        offsets = array.offsets.to_numpy().astype(np.int64, copy=False)
        return array.flatten(), offsets - offsets[0]
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    return array.flatten(), np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _python_lists(rows: Any, label: str):
    clean = []
    for number, row in enumerate(rows):
        if isinstance(row, (list, tuple)) or (isinstance(row, np.ndarray) and row.ndim == 1):
            clean.append(row)
        elif isinstance(row, Sized) and hasattr(row, "to_numpy"):
            clean.append(row.to_pylist() if hasattr(row, "to_pylist") else row.to_numpy())
        elif not isinstance(row, (str, Sized)) and is_missing(row):
            clean.append(())
        else:
            raise TypeError(
                f"row {number} of {label} is {plain(row)!r} ({type_name(row)}), but {_HINT}: wrap it in a list"
            )
    indptr = np.concatenate([[0], np.cumsum(np.fromiter(map(len, clean), dtype=np.int64, count=len(clean)))])
    arrays = [row for row in clean if isinstance(row, np.ndarray) and len(row)]
    if arrays and len(arrays) == sum(1 for row in clean if len(row)) and len({a.dtype for a in arrays}) == 1:
        return np.concatenate(arrays), indptr.astype(np.int64)
    return [value for row in clean for value in row], indptr.astype(np.int64)


def _to_numpy(values, label: str = "time") -> np.ndarray:
    """Turn flat values of a time or weight column into an array, keeping dates as dates."""
    if not hasattr(values, "to_numpy"):
        try:
            return np.asarray(values) if len(values) else np.empty(0)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{label} must hold one value per event, not lists of different lengths") from error
    import pyarrow as pa

    if pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("s"))
    return values.to_numpy(zero_copy_only=False)


def _encode(values, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct ids and the code of each value."""
    if hasattr(values, "dictionary_encode"):
        import pyarrow as pa

        if values.null_count:
            raise ValueError(f"{label} has a missing id (None or NaN): drop these events or fill the id first")
        if not pa.types.is_dictionary(values.type):
            if pa.types.is_integer(values.type):  # hashing numbers is faster in pandas
                codes, ids = factorize(values.to_numpy(zero_copy_only=False))
                return ids, codes
            values = values.dictionary_encode()
        codes = values.indices.to_numpy(zero_copy_only=False)
        ids = values.dictionary.to_numpy(zero_copy_only=False)
        present = np.zeros(len(ids), dtype=bool)
        present[codes] = True
        if not present.all():  # categories that no event has
            codes, ids = (np.cumsum(present) - 1)[codes], ids[present]
        return (as_ids(ids, label) if len(ids) else ids), codes
    array = as_ids(values, label)
    codes, ids = factorize(array)
    return ids, codes
