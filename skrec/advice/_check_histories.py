"""Histories of raw columns of a log, made as `to_histories` makes them, without a word in the log of the library."""

from typing import Any

import numpy as np

from ..feature_extraction._csv import typed
from ..feature_extraction._event_columns import DROP, drop_missing_events
from ..feature_extraction._grouping import group_events
from ..feature_extraction._history_frames import pandas_frame
from ..feature_extraction._json_lines import json_array
from ..feature_extraction._time_units import read_times, with_unit


def make_histories(kind: str, series: dict[str, Any], names: dict[str, Any], reading: dict):
    """Return the histories of a log.

    Parameters
    ----------
    kind : {"csv", "json", "parquet", "table"}
        What the log is.
    series : dict of str to pandas.Series
        Its raw columns by role.
    names : dict of str
        What they are called, for error messages.
    reading : dict
        The options `time_format`, `time_unit` and `drop_missing` of `to_histories`.

    Returns
    -------
    pandas.DataFrame
        As `to_histories` returns them.
    """
    columns = {
        role: _array(kind, values, role, names[role], raw=role == "time" and bool(reading["time_format"]))
        for role, values in series.items()
    }
    label = f"time column {names.get('time')!r}"
    if reading["time_format"]:
        columns["time"] = read_times(columns["time"], reading["time_format"], label)
    if reading["drop_missing"]:
        columns = drop_missing_events(columns, names, [])
    users, indptr, flat = group_events(columns, names, DROP["files"])
    if "time" in flat:
        flat["time"], _ = with_unit(flat["time"], reading["time_unit"], label)
    return pandas_frame(users, indptr, flat, "user")


def _array(kind: str, values, role: str, name, *, raw: bool):
    """Return a column as an Arrow array; `raw` leaves text of files as it stands."""
    import pyarrow as pa

    if kind == "csv":
        array = pa.array(values, type=pa.string(), from_pandas=True)
        return array if raw else typed(array, role, name)
    if kind == "json":
        cells = [None if gone else _plain(one) for one, gone in zip(values, values.isna(), strict=True)]
        return json_array(cells, role, name)
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError) as error:
        raise TypeError(f"{role} column {name!r} has values of several types ({error}): bring them to one") from error


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value
