"""List columns: the flat values and row boundaries of a column of lists in any container."""

import sys
from collections.abc import Mapping, Sized
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from ._validation import as_ids, factorize, is_missing, plain, type_name

_HINT = "a history is a list of item ids, oldest first"


def is_matrix(X) -> bool:
    """Tell whether X is a sparse matrix or an array of more than one dimension."""
    return hasattr(X, "tocsr") or getattr(X, "ndim", 1) != 1


def _is_series(X) -> bool:
    return any(
        library in sys.modules and isinstance(X, sys.modules[library].Series) for library in ("pandas", "polars")
    )


def list_column(column: Any, label: str):
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


def to_numpy(values, label: str = "time") -> np.ndarray:
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


def encode(values, label: str) -> tuple[np.ndarray, np.ndarray]:
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
