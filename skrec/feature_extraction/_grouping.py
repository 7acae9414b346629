"""Events sorted by user and time, in memory."""

import numpy as np
from scipy.sparse import csr_array

from ..utils._validation import factorize
from ._event_columns import check_values, plain

_INT32_MAX = 2**31 - 1


def group_events(columns: dict, names: dict, drop: str) -> tuple:
    """Sort events by user and time.

    Parameters
    ----------
    columns : dict of Arrow arrays
        By role; `user` and `item` at least. Emptied on the way, to free memory.
    names : dict of str
        What the columns are called, for error messages.
    drop : str
        How to drop missing values; a format string that takes the column's name.

    Returns
    -------
    users : pyarrow.Array of shape (n_users,)
        Distinct user ids, sorted.
    indptr : ndarray of shape (n_users + 1,), dtype int64
        Row boundaries.
    flat : dict of pyarrow.Array of shape (n_events,)
        The other columns in their new order.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(columns["user"]) == 0:
        raise ValueError("events is empty: at least one event is needed to make a history")
    for role in columns:
        columns[role] = plain(columns[role])
        check_values(columns[role], role, f"{role} column {names[role]!r}", drop.format(names[role]))

    users, codes = _encode_users(columns.pop("user"))
    order, indptr = _counting_sort(codes, len(users))
    del codes
    key = _time_key(columns["time"]) if "time" in columns else None
    if key is not None and (key[1:] < key[:-1]).any():
        key = key[order]
        within = _order_within(key, indptr)
        del key
        order = order if within is None else order[within]
        del within
    taken = pa.array(order)
    flat = {}
    for role in list(columns):
        array = columns.pop(role)
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            encoded = array.dictionary_encode()  # a take of short codes is three times faster than one of texts
            array = None
            flat[role] = encoded.dictionary.take(encoded.indices.take(taken))
        else:
            flat[role] = pc.take(array, taken, boundscheck=False)
    return users, indptr, flat


def _encode_users(array):
    """Return the sorted distinct ids and each event's position in them, int32 or int64."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        encoded = array.dictionary_encode()
        users, codes = encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False)
    else:
        values = array.to_numpy(zero_copy_only=False)
        low, high = values.min(), values.max()
        if values.dtype.kind in "iu" and int(high) - int(low) <= 2 * len(values) and int(high) < 2**62:
            codes = np.subtract(values, low, dtype=np.int64, casting="unsafe")  # dense ids need no hashing
            present = np.zeros(int(high) - int(low) + 1, dtype=bool)
            present[codes] = True
            rank = np.cumsum(present, dtype=np.int32) - np.int32(1)
            distinct = (np.flatnonzero(present) + int(low)).astype(values.dtype)
            return pa.array(distinct, type=array.type), rank[codes]
        codes, distinct = factorize(values)
        users = pa.array(distinct, type=array.type)
    order = pc.array_sort_indices(users)
    rank = np.empty(len(users), dtype=np.int32)
    rank[order.to_numpy(zero_copy_only=False)] = np.arange(len(users), dtype=np.int32)
    return users.take(order), rank[codes]


def _counting_sort(codes: np.ndarray, n_codes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the stable order of codes and the boundaries of each code, in linear time.

    The transpose of a matrix with one entry per row is a counting sort.
    """
    dtype = np.int32 if len(codes) <= _INT32_MAX else np.int64
    ones, rows = np.ones(len(codes), dtype=np.int8), np.arange(len(codes) + 1, dtype=dtype)
    matrix = csr_array((ones, codes.astype(dtype, copy=False), rows), shape=(len(codes), n_codes)).tocsc()
    return matrix.indices, matrix.indptr.astype(np.int64)


def _time_key(array) -> np.ndarray:
    """Return numbers in the order of time."""
    import pyarrow as pa

    if pa.types.is_timestamp(array.type) or pa.types.is_date64(array.type):
        array = array.view(pa.int64())
    elif pa.types.is_date32(array.type):
        array = array.view(pa.int32())
    return array.to_numpy(zero_copy_only=False)


def _order_within(key: np.ndarray, indptr: np.ndarray) -> np.ndarray | None:
    """Return the stable order by row, then key; None where the rows are in order already."""
    back = key[1:] < key[:-1]
    back[indptr[1:-1] - 1] = False
    if not back.any():
        return None
    rows = np.repeat(np.arange(len(indptr) - 1, dtype=np.int64), np.diff(indptr))
    if key.dtype.kind in "iu":
        low = int(key.min())
        span = int(key.max()) - low
        if span < 2**62:
            key = np.subtract(key, low, dtype=np.int64, casting="unsafe")
            for unit in (10**9, 10**6, 10**3):  # nanoseconds that only count seconds
                if not (key[:1000] % unit).any() and not (key % unit).any():
                    key //= unit
                    span //= unit
            bits = span.bit_length()
            if bits + len(indptr).bit_length() <= 63:
                rows <<= bits
                rows |= key
                del key
                return np.argsort(rows, kind="stable")
    order = np.argsort(key, kind="stable")
    return order[_counting_sort(rows[order], len(indptr) - 1)[0]]
