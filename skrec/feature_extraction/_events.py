"""Events in, histories out: the one door for a table with a row per event."""

from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from ..utils._validation import factorize
from ._event_columns import DROP, check_names, check_values, plain, read_columns

_INT32_MAX = 2**31 - 1


def to_histories(
    events,
    *,
    user: str,
    item: str,
    time: str | None = None,
    weight: str | None = None,
    event: str | None = None,
):
    """Turn a log of events into histories: one row per user, oldest event first.

    Every recommender, splitter and metric takes the frame that this function returns.

    Parameters
    ----------
    events : pandas or polars DataFrame, polars LazyFrame, pyarrow Table, path, or list of paths
        One row per event. A path names a CSV or parquet file and may be a glob such as ``"log/2024-*.parquet"``;
        files are read in sorted order (a list: in its order), and only the columns asked for are read.
    user : str
        The column that says who.
    item : str
        The column that says what.
    time : str, default=None
        The column that says when: datetimes, dates or numbers. Events of the same time keep their input order.
        With None, the input order is the order.
    weight : str, default=None
        The column that says how much, at least 0: a quantity, an amount, seconds of dwell.
    event : str, default=None
        The column that says what kind of event, such as "view" or "purchase".

    Returns
    -------
    pandas.DataFrame or polars.DataFrame
        One row per user, sorted by user id, with the list column `item` and, where asked for, the parallel list
        columns `time`, `weight` and `event`. In pandas the columns are Arrow lists and the user ids are the index;
        for polars input the frame is a polars one and the user ids are its first column.

    Raises
    ------
    TypeError
        If `events` is not one of the forms, ids are of mixed types, or times are not times.
    ValueError
        If a column or file is missing, the log is empty, an id or a time is missing, or a weight is negative.

    See Also
    --------
    skrec.datasets.load_online_retail : A real log, and its histories.
    skrec.model_selection.split_last : Hold out the last items of each history.

    Notes
    -----
    Value types are kept, categories become plain values. In memory the work is a counting sort by user, linear in
    the number of events, and at its peak takes one to three times the memory of the columns it reads, the result
    included. Files are sorted by DuckDB where it is installed (``pip install 'skrec-hybrid[large]'``), which spills to
    disk, so that only the result must fit in memory.

    In a CSV file a column counts as integer where every value is written as a plain integer, so that codes such as
    00123 stay text; its times are numbers or ISO 8601 (``2011-12-09 12:50``).

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.feature_extraction import to_histories
    >>> events = pd.DataFrame({
    ...     "customer": [7, 3, 7, 3],
    ...     "product": ["mug", "lamp", "bowl", "mug"],
    ...     "day": [12, 5, 11, 6],
    ... })
    >>> histories = to_histories(events, user="customer", item="product", time="day")
    >>> histories["item"].to_dict()
    {3: ['lamp', 'mug'], 7: ['bowl', 'mug']}
    """
    names = check_names({"user": user, "item": item, "time": time, "weight": weight, "event": event})
    if isinstance(events, (str, Path)) or (isinstance(events, (list, tuple)) and events):
        from ._event_files import read_files

        users, indptr, flat = read_files(events, names)
        return pandas_frame(users, indptr, flat, user)

    columns, kind = read_columns(events, names)
    users, indptr, flat = group_events(columns, names, DROP[kind])
    if kind == "polars":
        return _polars_frame(users, indptr, flat, user)
    return pandas_frame(users, indptr, flat, user)


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


def _lists(indptr: np.ndarray, flat: dict) -> dict:
    import pyarrow as pa

    large = indptr[-1] > _INT32_MAX
    offsets = pa.array(indptr if large else indptr.astype(np.int32))
    array = pa.LargeListArray if large else pa.ListArray
    return {role: array.from_arrays(offsets, values) for role, values in flat.items()}


def pandas_frame(users, indptr: np.ndarray, flat: dict, user: str):
    """Build the frame from user ids, row boundaries and flat columns (Arrow or NumPy arrays)."""
    import pandas as pd
    import pyarrow as pa

    users = pa.array(users)
    flat = {role: pa.array(values) for role, values in flat.items()}

    columns = {
        role: pd.array(values, dtype=pd.ArrowDtype(values.type)) for role, values in _lists(indptr, flat).items()
    }
    text = pa.types.is_string(users.type) or pa.types.is_large_string(users.type)
    index = pd.Index(users.to_pandas() if text else users.to_numpy(zero_copy_only=False), name=user)
    return pd.DataFrame(columns, index=index)


def _polars_frame(users, indptr: np.ndarray, flat: dict, user: str):
    import polars as pl

    if user in flat:
        raise ValueError(f"user={user!r} is also the name of a list column of the result: rename the column first")
    columns = {user: users, **_lists(indptr, flat)}
    return pl.DataFrame([pl.from_arrow(values).alias(name) for name, values in columns.items()])
