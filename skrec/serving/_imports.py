"""What a parquet file must hold so that it can be imported; the database would take more, and then serve nothing."""

from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from ._schemas import RulesIn
from ._schemas_experiments import check_row

_NUMBERS = {"seq", "event_seq", "position", "stock", "version", "created", "start", "stop"}
_FLOATS = {"value", "score", "probability", "price"}
_TIMES = {"time", "added"}
_IDS = {"user", "original_user", "source", "target", "item"}
_NEEDED = {
    "events": {"seq", "user", "item", "time"},
    "items": {"item", "hidden", "properties"},
    "rules": {"scenario", "body"},
    "impressions": {"rec_id", "position", "item", "scenario", "time"},
    "attributions": {"event_seq", "rec_id", "position"},
    "merges": {"seq", "source", "target", "user", "time"},
    "experiments": {"name", "settings", "status", "created", "start"},
    "exposures": {"rec_id", "experiment", "variant", "user", "time"},
}
_LAST = 2**53  # of the numbers of events: those that follow need numbers as well


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _is_time(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_timestamp(kind)


def _expected(name: str) -> tuple[str, Callable[[pa.DataType], bool], pa.DataType | None]:
    """Return what a column must be, how to tell, and the type to bring it to."""
    if name in _NUMBERS:
        return "integers", pa.types.is_integer, pa.int64()
    if name in _FLOATS:
        return "numbers", _is_number, pa.float64()
    if name in _TIMES:
        return "timestamps, or integers: microseconds since 1970", _is_time, None
    if name == "hidden":
        return "booleans", pa.types.is_boolean, None
    if name in _IDS:
        return "integers or texts", lambda kind: _is_text(kind) or pa.types.is_integer(kind), None
    return "texts", _is_text, pa.string()


def checked(name: str, table: pa.Table) -> pa.Table:
    """Return a table of an import with the types that the store expects.

    Parameters
    ----------
    name : str
        Which table.
    table : pyarrow.Table
        Its rows.

    Returns
    -------
    pyarrow.Table
        The same rows.

    Raises
    ------
    ValueError
        If a column has another type, missing values where there must be none, or what nothing can be served from.
    """
    for place, field in enumerate(table.schema):
        what, is_right, kind = _expected(field.name)
        column = table.column(place)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if not (is_right(column.type) or pa.types.is_null(column.type)):
            raise ValueError(f"{field.name} must be {what}, got {column.type}")
        if column.null_count and field.name in _NEEDED[name]:
            raise ValueError(f"{field.name} must have no missing values, got {column.null_count}")
        if kind is not None:
            column = column.cast(kind)
        if field.name in ("value", "price") and pc.all(pc.is_finite(column)).as_py() is False:
            raise ValueError(f"{field.name} must be finite numbers: what is unknown is a missing value")
        column.validate(full=True)  # texts of parquet may be no Unicode
        if _is_text(column.type) and pc.any(pc.match_substring(column, "\x00")).as_py():
            raise ValueError(f"{field.name} must not hold the character NUL")
        if field.name in ("seq", "event_seq", "position"):
            _check_range(field.name, column)
        table = table.set_column(place, field.name, column)
    if name == "experiments" and {"name", "settings", "status"} <= set(table.column_names):
        for row in table.to_pylist():
            check_row(row)
    for column, check in (("body", _check_rules), ("properties", _check_properties)):
        if column in table.column_names:
            for text in table[column].to_pylist():
                check(text)
    return table


def _check_range(name: str, column: Any) -> None:
    bounds = pc.min_max(column).as_py()
    if len(column) and not 0 <= bounds["min"] <= bounds["max"] <= _LAST:
        raise ValueError(f"{name} must be from 0 to {_LAST}, got {bounds['min']} to {bounds['max']}")


def _check_rules(text: str) -> None:
    try:
        RulesIn.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(f"body must be the JSON of rules: {error.errors()[0]['msg']}") from None


def _check_properties(text: str) -> None:
    try:
        is_object = isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        is_object = False
    if not is_object:
        raise ValueError("properties must be JSON objects")
