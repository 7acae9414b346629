"""Events in, histories out: the one door for a table with a row per event."""

import os
from pathlib import Path

from ..utils._arguments import check_flags, check_memory
from ..utils._time import logger
from ._event_columns import DROP, check_names, drop_missing_events, keep_where, read_columns
from ._grouping import group_events
from ._history_frames import pandas_frame, polars_frame
from ._time_units import check_time_unit, read_times, time_notes, with_unit
from ._where import Where


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
    store: str | os.PathLike | None = None,
    append: bool = False,
    max_memory: float = 1.0,
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
    store : path-like, default=None
        A folder to be made, in which the histories are stored: they are then read from there, memory-mapped, and need
        not fit into memory. See `StoredHistories`.
    append : bool, default=False
        Add the events to those that the folder has, if it is there: they become a part of their own, and are merged
        with the others when the folder is opened next. Events of the same time come behind those stored.
    max_memory : float, default=1.0
        GiB for sorting files into `store` with DuckDB; what does not fit is sorted on disk.

    Returns
    -------
    pandas.DataFrame, polars.DataFrame or StoredHistories
        One row per user, sorted by user id, with the list column `item` and, where asked for, the parallel list
        columns `time`, `weight` and `event`. In pandas the columns are Arrow lists and the user ids are the index;
        for polars input the frame is a polars one and the user ids are its first column. What was recognised, dropped
        or looks wrong is logged as a warning of the logger ``skrec``, and in pandas a list of texts in
        ``attrs["notes"]``. With `store`, the stored histories.

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
    disk, so that only the result must fit in memory, and with `store` not even that; JSON lines, and files with
    `where`, `time_format`, `drop_missing` or `encoding`, are read into memory.

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
    check_flags(drop_missing=drop_missing, append=append)
    max_memory = check_memory(max_memory)
    for value, name in ((time_unit, "time_unit"), (time_format, "time_format")):
        if value is not None and time is None:
            raise ValueError(f"{name}={value!r} needs the times of the events: name their column with time=")
    if time_unit is not None and time_format is not None:
        raise ValueError("time_unit is for times that are numbers and time_format for text: give one of them")
    condition = None if where is None else Where(where)
    notes: list[str] = []
    label = f"time column {time!r}"

    def read() -> tuple:
        clean = (lambda columns: drop_missing_events(columns, names, notes)) if drop_missing else None
        if _are_paths(events):
            from ._event_files import read_files

            found = read_files(events, names, encoding=encoding, where=condition, time_format=time_format, clean=clean)
            kind = "files"
        else:
            if encoding is not None:
                raise ValueError(f"encoding={encoding!r} is for files, but events is a table: leave encoding out")
            columns, kind = read_columns(keep_where(events, condition, names), names, drop_missing)
            if time_format is not None:
                columns["time"] = read_times(columns["time"], time_format, label)
            found = group_events(clean(columns) if clean else columns, names, DROP[kind])
        users, indptr, flat = found
        if time is not None:
            flat["time"], unit = with_unit(flat["time"], time_unit, label)
            notes.extend(time_notes(flat["time"], unit, label))
        return users, indptr, flat, kind

    if store is not None:
        from ._open_histories import store_part, write_part

        def write(part) -> None:
            plain_read = not drop_missing and condition is None and time_format is None and encoding is None
            if _are_paths(events) and plain_read:
                from ._event_files import store_files

                if store_files(events, names, time_unit, part, max_memory, notes):
                    return
            users, indptr, flat, _ = read()
            write_part(part, users, indptr, flat, user)

        stored = store_part(store, append, user, write)
        for note in notes:
            logger.warning(note)
        return stored
    if append:
        raise ValueError("append=True adds events to stored histories: name their folder with store=")
    users, indptr, flat, kind = read()
    for note in notes:
        logger.warning(note)
    if kind == "polars":
        return polars_frame(users, indptr, flat, user)
    frame = pandas_frame(users, indptr, flat, user)
    if notes:
        frame.attrs["notes"] = notes
    return frame


def _are_paths(events) -> bool:
    return isinstance(events, (str, Path)) or (isinstance(events, (list, tuple)) and bool(events))
