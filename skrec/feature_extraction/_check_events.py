"""What looks wrong in a log of events: counted before a model learns from it."""

import re
from decimal import Decimal
from numbers import Real
from pathlib import Path

import numpy as np

from ..utils._list_columns import to_numpy
from ..utils._time import are_dates, as_days, far_future
from ._event_columns import check_names, keep_where, plain, read_raw
from ._time_units import read_times, recognise_unit, with_unit
from ._where import Where

_ABSENT = {"", "na", "n/a", "nan", "null", "none", "nil", "<na>", "nat", "undefined", "unknown", "-", "?", "#n/a"}
_FLOAT = re.compile(r"-?\d+\.0+")
_SEVERAL = re.compile(r"[^\s,;|]+\s*[,;|]\s*[^\s,;|]+")
_1990 = 7305.0  # in days since 1970


def check_events(
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
    encoding: str | None = None,
):
    """Count what looks wrong in a log of events.

    Nothing is changed and nothing is refused: `to_histories` refuses what it cannot read, and takes the rest as it is.

    Parameters
    ----------
    events : pandas or polars DataFrame, polars LazyFrame, pyarrow Table, path, or list of paths
        One row per event, as `to_histories` takes them.
    user, item : str
        The columns that say who and what.
    time, weight, event : str, default=None
        The columns that say when, how much and what kind.
    time_unit, time_format, where, encoding : str, default=None
        As in `to_histories`.

    Returns
    -------
    pandas.DataFrame
        One row for each thing that was found, the most frequent first, with the columns `check` (what it is), `count`
        (events), `share` (of all events) and `example`. Empty where nothing was found.

    Raises
    ------
    TypeError, ValueError
        If a column or file is missing or an option does not fit the events.

    See Also
    --------
    to_histories : Turns the log into histories.

    Notes
    -----
    Looked for are: missing values; events that are there twice; ids such as ``NA`` or ``null`` in text, ids written
    as ``13509.0``, several ids or a list in one cell; weights that are negative or 0; times that are all the same,
    before 1990 (as dates), or more than a year from now, and numbers whose unit is not known.

    Cost: linear in the events, which are read into memory.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.feature_extraction import check_events
    >>> events = pd.DataFrame({"user": [1, 1, 2, 2], "item": ["mug", "mug", "NA", "mug,jug"]})
    >>> check_events(events, user="user", item="item")[["check", "count", "share"]]
                                 check  count  share
    0                 exact duplicates      1   0.25
    1        item: id says it is absent      1   0.25
    2  item: several items in one cell      1   0.25
    """
    import pandas as pd

    names = check_names({"user": user, "item": item, "time": time, "weight": weight, "event": event})
    condition = None if where is None else Where(where)
    if isinstance(events, (str, Path)) or (isinstance(events, (list, tuple)) and events):
        from ._event_files import read_columns_of_files

        columns = read_columns_of_files(events, names, encoding=encoding, where=condition, raw=True)
    else:
        columns = read_raw(keep_where(events, condition, names), names)
    series = {role: column.rename(names[role]) for role, column in columns.items()}
    n_events = len(series["user"])
    found = [*_missing(series, names), *_duplicates(series)]
    for role in ("user", "item"):
        found += _ids(series[role].dropna(), role)
    if weight is not None:
        found += _weights(series["weight"].dropna())
    if time is not None:
        found += _times(series["time"].dropna(), time_unit, time_format, f"time column {time!r}")
    table = pd.DataFrame(found, columns=["check", "count", "example"])
    table = table[table["count"] > 0].sort_values("count", ascending=False, kind="stable", ignore_index=True)
    table.insert(2, "share", table["count"] / max(n_events, 1))
    return table


def _first(series, mask: np.ndarray):
    """Return how many there are and the first of them as text."""
    count = int(np.count_nonzero(mask))
    return count, str(series.iloc[int(np.argmax(mask))]) if count else ""


def _missing(series: dict, names: dict):
    for role, column in series.items():
        absent = column.isna().to_numpy()
        count = int(absent.sum())
        yield f"{role}: missing value", count, f"row {int(np.argmax(absent))}" if count else ""


def _duplicates(series: dict):
    import pandas as pd

    table = pd.DataFrame(
        {role: column.map(_hashable) if column.dtype == object else column for role, column in series.items()}
    )
    twice = table.duplicated().to_numpy()
    example = ", ".join(map(str, table.iloc[int(np.argmax(twice))])) if twice.any() else ""
    yield "exact duplicates", int(twice.sum()), example


def _hashable(value):
    if isinstance(value, (list, tuple, set)) or (isinstance(value, np.ndarray) and value.ndim):
        return tuple(map(_hashable, value))
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def _ids(ids, role: str):
    lists = np.zeros(len(ids), dtype=np.bool_)
    if ids.dtype == object:
        lists = ids.map(lambda value: isinstance(value, (list, tuple, set, dict, np.ndarray))).to_numpy(dtype=np.bool_)
    yield f"{role}: list in a cell", *_first(ids, lists)
    single = ids[~lists]
    if getattr(single.dtype, "kind", "O") in "iub":
        return
    if getattr(single.dtype, "kind", "O") == "f":
        whole = (single == np.floor(single)).to_numpy()
        yield f"{role}: whole number written as a float", *_first(single, whole)
        return
    codes, distinct = (single.map(_hashable) if single.dtype == object else single).factorize()
    texts = [str(value).strip() for value in distinct]
    several = "several items in one cell" if role == "item" else "several ids in one cell"
    for what, found in [
        ("id says it is absent", [text.lower() in _ABSENT for text in texts]),
        ("whole number written as a float", [_FLOAT.fullmatch(text) is not None for text in texts]),
        (several, [_SEVERAL.search(text) is not None for text in texts]),
    ]:
        odd = np.array(found, dtype=np.bool_)
        yield f"{role}: {what}", *_first(single, odd[codes] if len(odd) else np.zeros(0, dtype=bool))


def _weights(weights):
    import pandas as pd

    single = weights
    if weights.dtype == object:  # a table in a cell makes pandas fail
        single = weights.map(lambda value: value if isinstance(value, (Real, str, Decimal)) else None)
    numbers = pd.to_numeric(single, errors="coerce").astype(np.float64).to_numpy()
    yield "weight: not a number", *_first(weights, np.isnan(numbers))
    yield "weight: negative", *_first(weights, numbers < 0)
    yield "weight: zero", *_first(weights, numbers == 0)


def _times(times, time_unit, time_format, label: str):
    import pyarrow as pa

    if not len(times):
        return
    try:
        array = plain(pa.array(times, from_pandas=True))
        array = read_times(array, time_format, label) if time_format is not None else _typed_times(array, label)
        if not (
            pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_temporal(array.type)
        ):
            yield "time: not a time", len(times), str(times.iloc[0])
            return
        array, _ = with_unit(array, time_unit, label)
    except (ValueError, TypeError, OverflowError, pa.ArrowException) as error:
        yield f"time: cannot be read ({error})", len(times), str(times.iloc[0])
        return
    values = to_numpy(array)
    if len(values) > 1 and (values == values[0]).all():
        yield "time: the same for all events", len(values), str(times.iloc[0])
    if are_dates(values):
        days = as_days(values, label)
        yield "time: before 1990", *_first(times, days < _1990)
        yield "time: more than a year from now", *_first(times, far_future(days, True))
        return
    inside = np.array([recognise_unit(value, value) is not None for value in np.unique(values)])
    if inside.any():  # some look like seconds since 1970, others do not
        odd = ~inside[np.unique(values, return_inverse=True)[1]]
        yield "time: not within 1990 to 2100 as the others are", *_first(times, odd)
    else:
        yield "time: numbers of unknown unit", len(values), str(times.iloc[0])


def _typed_times(array, label: str):
    import pyarrow as pa

    from ._csv import typed

    text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
    return typed(array, "time", label) if text else array
