"""Reading and writing bodies: JSON, schemas, ids of the kind of the store."""

from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import ValidationError

from ._problems import Problem, field_errors

_MOST_ERRORS = 1000  # errors of one body that are looked at


def iso(moment: int | None) -> str | None:
    """Write microseconds since 1970 in ISO 8601; None for a moment that no date has."""
    if moment is None or not -62_135_596_800 <= moment // 1_000_000 <= 253_402_300_799:
        return None
    whole, rest = divmod(moment, 1_000_000)
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=rest).isoformat()


def dumps(value) -> bytes:
    """Write JSON; numbers that JSON lacks are null."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def loads(body: bytes):
    """Read JSON, or raise a problem."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"the body is no JSON: {error}") from error


def parse(schema, body: bytes):
    """Read a body by its schema, or raise a problem that names the fields."""
    try:
        return schema.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from error


def invalid(error: ValidationError) -> Problem:
    """Return the problem of a body that is not valid."""
    errors = errors_of(error)
    if any(one["type"] == "json_invalid" for one in errors):
        return Problem(400, f"the body is no JSON: {errors[0]['msg']}")
    fields = field_errors(errors)[:20]
    return Problem(422, "; ".join(f"{one['field']}: {one['reason']}" for one in fields), fields)


def errors_of(error: ValidationError) -> list[Any]:
    """Return pydantic's errors; one for all where there are very many."""
    if error.error_count() > _MOST_ERRORS:
        return [{"loc": (), "type": "too_many_errors", "msg": f"must be valid, got {error.error_count():,} errors"}]
    return error.errors(include_url=False, include_context=False, include_input=False)


def as_kind(value, kind: str | None, field: str):
    """Bring an id to a kind where that is exact; raise a problem otherwise."""
    if kind == "integer" and isinstance(value, str):
        digits = value.removeprefix("-").isdecimal() and value.isascii() and len(value) <= 20
        if digits and str(int(value)) == value and -(2**63) <= int(value) < 2**63:
            return int(value)
        reason = "must be an integer, as the ids of this shop are, or its decimal digits"
        raise Problem(422, f"{field} {reason}, got {value[:50]!r}", [{"field": field, "reason": reason}])
    return str(value) if kind == "string" and not isinstance(value, str) else value
