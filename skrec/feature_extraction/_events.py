"""Events in, histories out: the one door for a table with a row per event."""

from pathlib import Path

import numpy as np

from ..utils._arguments import check_flags
from ..utils._time import logger
from ._event_columns import DROP, check_names, drop_missing_events, keep_where, read_columns
from ._grouping import group_events
from ._time_units import check_time_unit, read_times, time_notes, with_unit
from ._where import Where

_INT32_MAX = 2**31 - 1


def to_histories(
    events,
    *,
    user: str,
    item: str,
    time: str | None = None,
    weight: str | None = None,
    event: str | None = None,
    time_unit: str | None = None,
    time_format: str | None = None,
    where: str | None = None,
    drop_missing: bool = False,
    encoding: str | None = None,
):
    """Turn a log of events into histories: one row per user, oldest event first.

    Every recommender, splitter and metric takes the frame that this function returns.

    Parameters
    ----------
    events : pandas or polars DataFrame, polars LazyFrame, pyarrow Table, path, or list of paths
        One row per event. A path names a file of CSV, parquet or JSON lines and may be a glob such as
        ``"log/2024-*.parquet"``; files are read in sorted order (a list: in its order), and only the columns asked for
        are read. ``"-"`` is standard input.
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
    time_unit : {"s", "ms", "us", "ns", "D"}, default=None
        The unit since 1970 of times that are numbers, which become dates. With None, seconds to nanoseconds are
        recognised where all times lie within 1990 to 2100; other numbers stay numbers, of unknown unit.
    time_format : str, default=None
        How times are written in text, such as ``"%d.%m.%Y %H:%M"``; None is ISO 8601 in files, and no text elsewhere.
    where : str, default=None
        Which events to take, such as ``"Quantity > 0 and Country != 'France'"``: comparisons of columns with numbers,
        quoted texts or columns, with ``and``, ``or``, ``not`` and ``in``. A missing value fulfils no comparison.
    drop_missing : bool, default=False
        Leave out events without a user, an item or a time, and say how many; otherwise they are an error.
    encoding : str, default=None
        How text files are written, such as ``"latin-1"``; None is UTF-8.

    Returns
    -------
    pandas.DataFrame or polars.DataFrame
        One row per user, sorted by user id, with the list column `item` and, where asked for, the parallel list
        columns `time`, `weight` and `event`. In pandas the columns are Arrow lists and the user ids are the index;
        for polars input the frame is a polars one and the user ids are its first column. What was recognised, dropped
        or looks wrong is logged as a warning of the logger ``skrec``, and in pandas a list of texts in
        ``attrs["notes"]``.

    Raises
    ------
    TypeError
        If `events` is not one of the forms, ids are of mixed types, or times are not times.
    ValueError
        If a column or file is missing, the log is empty, an id or a time is missing, a weight is negative, times with
        and without a zone are mixed, or an option does not fit the events.

    See Also
    --------
    skrec.datasets.load_online_retail : A real log, and its histories.
    skrec.model_selection.split_last : Hold out the last items of each history.

    Notes
    -----
    Value types are kept, categories become plain values. In memory the work is a counting sort by user, linear in
    the number of events, and at its peak takes one to three times the memory of the columns it reads, the result
    included. Files are sorted by DuckDB where it is installed (``pip install 'skrec-hybrid[large]'``), which spills to
    disk, so that only the result must fit in memory; JSON lines, and files with `where`, `time_format`,
    `drop_missing` or `encoding`, are read into memory.

    Times with a zone are moments in UTC, and times without one count as UTC. Dates more than a year from now are said
    and count in no window of a model.

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
    check_time_unit(time_unit)
    check_flags(drop_missing=drop_missing)
    for value, name in ((time_unit, "time_unit"), (time_format, "time_format")):
        if value is not None and time is None:
            raise ValueError(f"{name}={value!r} needs the times of the events: name their column with time=")
    if time_unit is not None and time_format is not None:
        raise ValueError("time_unit is for times that are numbers and time_format for text: give one of them")
    condition = None if where is None else Where(where)
    notes: list[str] = []

    def clean(columns):
        return drop_missing_events(columns, names, notes)

    if isinstance(events, (str, Path)) or (isinstance(events, (list, tuple)) and events):
        from ._event_files import read_files

        kind = "files"
        users, indptr, flat = read_files(
            events,
            names,
            encoding=encoding,
            where=condition,
            time_format=time_format,
            clean=clean if drop_missing else None,
        )
    else:
        if encoding is not None:
            raise ValueError(f"encoding={encoding!r} is for files, but events is a table: leave encoding out")
        columns, kind = read_columns(keep_where(events, condition, names), names, drop_missing)
        if time_format is not None:
            columns["time"] = read_times(columns["time"], time_format, f"time column {time!r}")
        users, indptr, flat = group_events(clean(columns) if drop_missing else columns, names, DROP[kind])
    if time is not None:
        flat["time"], unit = with_unit(flat["time"], time_unit, f"time column {time!r}")
        notes += time_notes(flat["time"], unit, f"time column {time!r}")
    for note in notes:
        logger.warning(note)
    if kind == "polars":
        return _polars_frame(users, indptr, flat, user)
    frame = pandas_frame(users, indptr, flat, user)
    if notes:
        frame.attrs["notes"] = notes
    return frame


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
    return pl.DataFrame([pl.Series(name, pl.from_arrow(values)) for name, values in columns.items()])
