"""Cutting histories without changing the container they came in."""

import sys
from collections.abc import Mapping, Sized
from collections.abc import Set as AbstractSet
from itertools import compress

import numpy as np

from ._histories import COLUMNS, Histories, is_arrow_table, is_frame
from ._validation import type_name


def keep_events(X, histories: Histories, keep: np.ndarray):
    """Keep some events of every row.

    Parameters
    ----------
    X : sequence of histories or frame
        What `histories` was read from.
    histories : Histories
        The compressed form of X.
    keep : ndarray of shape (n_events,), dtype bool
        Which events stay.

    Returns
    -------
    same container as X
        Every row stays; in a frame the parallel list columns are cut alike and the other columns are untouched.
    """
    if is_stored(X):
        return X._keep_events(keep)
    if isinstance(X, Histories):
        return X.take_events(keep)
    after = _boundaries(histories.indptr, keep)
    if is_arrow_table(X):
        for name in COLUMNS:
            if name in X.column_names:
                place = X.column_names.index(name)
                X = X.set_column(place, name, _cut(X[name], histories.indptr, keep, after))
        return X
    if not is_frame(X):
        return _cut(X, histories.indptr, keep, after)
    columns = {name: _cut(X[name], histories.indptr, keep, after) for name in COLUMNS if name in X.columns}
    if _is_polars(X):
        return X.with_columns(**columns)
    return X.assign(**columns)


def keep_items(X, histories: Histories, keep: np.ndarray):
    """Return the items of some events of every row: a column for a frame or table, else the same container as X."""
    if is_stored(X):
        return X._keep_items(keep)
    column = X["item"] if is_frame(X) or is_arrow_table(X) else X
    return _cut(column, histories.indptr, keep, _boundaries(histories.indptr, keep))


def take_rows(X, rows: np.ndarray):
    """Return some rows of X, in the container of X."""
    if isinstance(X, Histories):
        return X.take_rows(rows)
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if isinstance(X, (list, tuple)):
        return [X[row] for row in rows]
    if hasattr(X, "take") and not isinstance(X, np.ndarray) and not _is_polars(X):
        return X.take(rows)
    return X[rows]


def count_rows(X, name: str = "X") -> int:
    """Return the number of rows of X.

    Raises
    ------
    TypeError
        If it is no sequence of rows.
    """
    shape = getattr(X, "shape", None)
    if isinstance(shape, tuple) and shape:
        return int(shape[0])
    if shape is not None or isinstance(X, (str, bytes, Mapping, AbstractSet)) or not isinstance(X, Sized):
        raise TypeError(f"{name} must be a sequence with one row per user, or a frame, got {type_name(X)}")
    return len(X)


def is_stored(X) -> bool:
    """Tell whether X is `StoredHistories`, which live above this module."""
    return hasattr(X, "_keep_events")


def row_ids(X):
    """Return the user ids of the rows of X, the index of a pandas frame or of stored histories; None without them."""
    return X.index if is_stored(X) or (is_frame(X) and hasattr(X, "index")) else None


def _is_polars(X) -> bool:
    polars = sys.modules.get("polars")
    return polars is not None and isinstance(X, (polars.DataFrame, polars.Series))


def _boundaries(indptr: np.ndarray, keep: np.ndarray) -> np.ndarray:
    return np.append(0, np.cumsum(keep, dtype=np.int64))[indptr]


def _cut(column, indptr: np.ndarray, keep: np.ndarray, after: np.ndarray):
    """Cut one list column; ``after`` holds the row boundaries among the kept events."""
    if _is_polars(column):
        import polars as pl

        cut = pl.Series(column.name, _cut_arrow(column.to_arrow(), keep, after))
        return cut if cut.dtype == column.dtype else cut.cast(column.dtype)
    pa = sys.modules.get("pyarrow")
    if pa is not None and isinstance(column, (pa.Array, pa.ChunkedArray)):
        return _cut_arrow(column, keep, after)
    is_series = hasattr(column, "iloc")
    if is_series and not isinstance(column.dtype, np.dtype):
        import pandas as pd
        import pyarrow

        values = pd.arrays.ArrowExtensionArray(_cut_arrow(pyarrow.array(column, from_pandas=True), keep, after))
        return pd.Series(values, index=column.index, name=column.name)
    rows = _cut_rows(column, indptr, keep)
    if not is_series and not isinstance(column, np.ndarray):
        return rows
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    if not is_series:
        return array
    import pandas as pd

    return pd.Series(array, index=column.index, name=column.name, dtype=object)


def _cut_arrow(array, keep: np.ndarray, after: np.ndarray):
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    values = array.flatten().filter(pa.array(keep))
    if pa.types.is_large_list(array.type):
        return pa.LargeListArray.from_arrays(pa.array(after), values, type=array.type)
    return pa.ListArray.from_arrays(pa.array(after.astype(np.int32)), values, type=array.type)


def _cut_rows(rows, indptr: np.ndarray, keep: np.ndarray) -> list:
    """Cut Python rows: an array stays an array, everything else becomes a list."""
    bounds, flags = indptr.tolist(), keep.tolist()
    cut = []
    for row, start, stop in zip(rows, bounds[:-1], bounds[1:], strict=True):
        if hasattr(row, "to_pylist"):
            row = row.to_pylist()
        if isinstance(row, np.ndarray):
            cut.append(row[keep[start:stop]])
        elif start == stop:  # an empty row may also be None or NaN
            cut.append([])
        else:
            cut.append(list(compress(row, flags[start:stop])))
    return cut
