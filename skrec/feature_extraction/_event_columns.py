"""The columns of an event log: found, checked and brought to plain Arrow arrays."""

import difflib
import sys
from collections.abc import Hashable, Sized
from numbers import Real

import numpy as np

from ..utils._time import as_days
from ..utils._validation import as_ids, as_weights, is_missing, type_name

_INT32_MAX = 2**31 - 1

DROP = {
    "pandas": "events.dropna(subset=[{!r}])",
    "polars": "events.drop_nulls({!r})",
    "pyarrow": "events.filter(pyarrow.compute.is_valid(events[{!r}]))",
    "files": "leave out the rows without {!r}, or fill them",
}


# the zone at the end of a time in text
ZONE = r":[0-9]{2}([.,][0-9]+)?\s?(Z|z|[+-][0-9]{2}(:?[0-9]{2})?)$"


def mixed_zones(label: str) -> str:
    """Say that times with and without a zone are mixed."""
    return f"{label} mixes times with a zone and without one: give all of them a zone, or none (then they count as UTC)"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text without its full stop."""
    return str(error).strip().partition("\n")[0].rstrip(".")


def check_names(names: dict) -> dict:
    """Return the columns asked for, by role; raise where one is given twice."""
    for role in ("user", "item"):
        if names[role] is None:
            raise ValueError(f"{role} must name a column of events, got None")
    names = {role: name for role, name in names.items() if name is not None}
    given: dict[str, str] = {}
    for role, name in names.items():
        one = isinstance(name, Hashable) and (isinstance(name, (str, tuple)) or not isinstance(name, Sized))
        if not one or is_missing(name):
            raise TypeError(f"{role} must name one column of events, got {type_name(name)}: give the column's name")
        if name in given:
            raise ValueError(f"{given[name]} and {role} both name the column {name!r}: give each its own column")
        given[name] = role
    return names


def check_columns(names: dict, columns: list, where: str = "events", hint: str = "") -> None:
    """Raise where a column asked for is not there, and suggest the closest."""
    for role, name in names.items():
        if name in columns:
            continue
        texts = [str(column) for column in columns]
        lowered = {text.lower().replace("_", ""): text for text in reversed(texts)}
        close = difflib.get_close_matches(str(name).lower().replace("_", ""), lowered, n=1, cutoff=0.5)
        meant = f"; did you mean {lowered[close[0]]!r}?" if close else ""
        shown = ", ".join(map(repr, columns[:20])) + (", ..." if len(columns) > 20 else "")
        role = "where" if role.startswith("where ") else role
        raise ValueError(f"{role}={name!r} is not a column of {where}, which has {shown}{meant}{hint}")


def _library(events) -> str | None:
    """Return the library of a table, None where it is no table."""
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and isinstance(events, pandas.DataFrame):
        return "pandas"
    if polars is not None and isinstance(events, (polars.DataFrame, polars.LazyFrame)):
        return "polars"
    pyarrow = sys.modules.get("pyarrow")
    return "pyarrow" if pyarrow is not None and isinstance(events, (pyarrow.Table, pyarrow.RecordBatch)) else None


def keep_where(events, where, names: dict):
    """Return the events of a table that fulfil a condition; `where` is a Where or None."""
    kind = _library(events)
    if where is None or kind is None:
        return events
    import pyarrow as pa

    if kind == "polars" and hasattr(events, "collect_schema") and hasattr(events, "collect"):
        every = events.collect_schema().names()
        where.check_columns(every)
        check_columns(names, every)
        events = events.select(list(dict.fromkeys([*names.values(), *where.columns]))).collect()
    columns = events.schema.names if kind == "pyarrow" else list(events.columns)
    where.check_columns(columns)
    if kind == "pandas":
        return events[where.mask(lambda name: events[name])]
    if kind == "polars":
        return events.filter(where.mask(lambda name: events.get_column(name).to_pandas()))
    return events.filter(pa.array(where.mask(lambda name: events.column(name).to_pandas().rename(name))))


def read_raw(events, names: dict) -> dict:
    """Return the columns of a table asked for as pandas Series, by role, without checking their values."""
    kind = _library(events)
    if kind is None:
        return read_columns(events, names)[0]
    if kind == "polars" and hasattr(events, "collect_schema") and hasattr(events, "collect"):
        check_columns(names, events.collect_schema().names())
        events = events.select(list(names.values())).collect()
    columns = events.schema.names if kind == "pyarrow" else list(events.columns)
    check_columns(names, columns)
    if kind in ("pyarrow", "polars"):  # integers with nulls stay integers
        arrays = {role: events[name] if kind == "pyarrow" else events[name].to_arrow() for role, name in names.items()}
        return {role: array.to_pandas(integer_object_nulls=True) for role, array in arrays.items()}
    return {role: events[name].reset_index(drop=True) for role, name in names.items()}


def drop_missing_events(columns: dict, names: dict, notes: list[str]) -> dict:
    """Leave out events that lack a value in a column other than the weight, and note how many lack what."""
    import pyarrow as pa
    import pyarrow.compute as pc

    keep = None
    for role, array in columns.items():
        if role == "weight" or not count_missing(array):
            continue
        there = pc.is_valid(array)
        if pa.types.is_floating(array.type):
            there = pc.and_(there, pc.fill_null(pc.invert(pc.is_nan(array)), False))
        notes.append(f"{role} column {names[role]!r}: {count_missing(array)} events without a value are left out")
        keep = there if keep is None else pc.and_(keep, there)
    return columns if keep is None else {role: plain(array).filter(plain(keep)) for role, array in columns.items()}


def read_columns(events, names: dict, drop_missing: bool = False) -> tuple[dict, str]:
    """Return the columns asked for as Arrow arrays, by role, and the library they came from."""
    import pyarrow as pa

    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and isinstance(events, pandas.DataFrame):
        index = [name for name in names.values() if name in events.index.names and name not in events.columns]
        hint = f" ({index[0]!r} is in the index: pass events.reset_index())" if index else ""
        check_columns(names, list(events.columns), hint=hint)
        return {role: _from_pandas(events[name], role, name, drop_missing) for role, name in names.items()}, "pandas"
    if polars is not None and isinstance(events, (polars.DataFrame, polars.LazyFrame)):
        lazy = isinstance(events, polars.LazyFrame)
        check_columns(names, events.collect_schema().names() if lazy else events.columns)
        if lazy:
            events = events.select(list(names.values())).collect()
        return {role: events.get_column(name).to_arrow() for role, name in names.items()}, "polars"
    if isinstance(events, (pa.Table, pa.RecordBatch)):
        check_columns(names, events.schema.names)
        return {role: events.column(name) for role, name in names.items()}, "pyarrow"
    got = "an empty list" if isinstance(events, (list, tuple)) and not events else type_name(events)
    raise TypeError(
        "events must be a pandas or polars DataFrame, a pyarrow Table, or the path of CSV or parquet files, "
        f"got {got}: make a DataFrame with one row per event"
    )


def _from_pandas(series, role: str, name, drop_missing: bool):
    import pyarrow as pa

    if series.ndim != 1:
        raise ValueError(f"events has {series.shape[1]} columns called {name!r} ({role}): rename them apart")
    if series.dtype != object:
        return pa.array(series, from_pandas=True)
    label = f"{role} column {name!r}"
    missing = int(series.isna().sum())
    if missing and not drop_missing:
        raise ValueError(missing_message(label, missing, DROP["pandas"].format(name)))
    values = series.dropna().to_numpy()
    if role == "weight":
        as_weights(_no_text(values, label), label)
    elif role == "time" and len(values) and all(isinstance(value, str) for value in values):
        pass  # texts, as pandas before version 3 holds them: time_format may read them
    elif role == "time":
        as_days(values, label)
        if len({isinstance(value, Real) for value in values}) > 1:
            raise TypeError(f"{label} mixes numbers and datetimes: convert it, for instance with pandas.to_datetime")
    else:
        values = as_ids(values, label)
    return pa.array(series.to_numpy(), from_pandas=True) if missing else pa.array(values)


def _no_text(values: np.ndarray, label: str) -> np.ndarray:
    text = next((value for value in values if isinstance(value, (str, bytes))), None)
    if text is not None:
        raise TypeError(f"{label} has {text!r}, which is not a number: convert it, for instance with pandas.to_numeric")
    return values


def missing_message(label: str, count: int, drop: str) -> str:
    """Say that a column has missing values, and how to drop them."""
    return f"{label} has {count} missing value{'s' if count > 1 else ''}: drop these events first, {drop}"


def count_missing(array) -> int:
    """Count nulls and NaNs of an Arrow array."""
    import pyarrow as pa
    import pyarrow.compute as pc

    nan = pc.sum(pc.is_nan(array)).as_py() if pa.types.is_floating(array.type) else 0
    return array.null_count + (nan or 0)


def check_values(array, role: str, label: str, drop: str) -> None:
    """Raise where a plain Arrow array holds values that its role does not allow."""
    import pyarrow.types as pt

    if pt.is_float16(array.type):
        raise TypeError(f"{label} has half-precision numbers: convert it to float64")
    missing = count_missing(array)
    if missing and role != "weight":
        raise ValueError(missing_message(label, missing, drop))
    kind = array.type
    if role == "weight":
        if not (pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind) or pt.is_boolean(kind)):
            raise TypeError(f"{label} has the type {kind}: weights must be numbers, such as a quantity or an amount")
        as_weights(array.to_numpy(zero_copy_only=False), label)
    elif role == "time":
        if pt.is_floating(kind):
            as_days(array.to_numpy(zero_copy_only=False), label)
        elif not (pt.is_integer(kind) or pt.is_timestamp(kind) or pt.is_date(kind)):
            first = array[0].as_py() if len(array) else None
            how = ", or name their form with time_format=" if pt.is_string(kind) else ""
            raise TypeError(
                f"{label} has {first!r} ({kind}), which is not a time: give datetimes or numbers, "
                f"for instance through pandas.to_datetime{how}"
            )
    elif not (pt.is_integer(kind) or pt.is_floating(kind) or pt.is_string(kind) or pt.is_large_string(kind)):
        raise TypeError(f"{label} has the type {kind}: ids must be integers or strings, one in a row: convert it")


def plain(array):
    """Bring an Arrow array to one chunk without dictionaries or views."""
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = plain_type(array.type)
    if pa.types.is_string(kind) and pa.types.is_large_string(array.type) and array.nbytes > _INT32_MAX:
        return array
    return array if array.type == kind else array.cast(kind)


def plain_type(kind):
    """Return the type that `plain` brings a type to."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else kind
