"""Errors as problem details (RFC 9457) that name the field."""

from typing import Any

import orjson

_TITLES = {
    400: "Bad request",
    401: "A key is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "The request took too long to arrive",
    409: "Conflict",
    411: "Length required",
    413: "The body is too large",
    415: "Unsupported media type",
    422: "The request is not valid",
    429: "Too many requests",
    500: "Internal error",
    503: "The store is unavailable",
}

_BRANCHES = frozenset(
    {"int", "str", "float", "bool", "Range", "constrained-int", "constrained-str", "constrained-float"}
)


class Problem(Exception):
    """An answer other than success.

    Parameters
    ----------
    status : int
        Status of HTTP.
    detail : str
        What is wrong, and what to do.
    errors : list of dict, default=()
        For each field ``{"field", "reason"}``.
    headers : dict, default=None
        Headers of the answer.
    """

    def __init__(self, status: int, detail: str, errors: Any = (), headers: dict[str, str] | None = None):
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, list(errors)
        self.headers = headers or {}

    @property
    def body(self) -> bytes:
        """The body, ``application/problem+json``."""
        title = _TITLES.get(self.status, "Error")
        problem = {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail}
        return orjson.dumps(problem | ({"errors": self.errors} if self.errors else {}))


def field_errors(errors: list[dict]) -> list[dict[str, str]]:
    """Return the fields of pydantic's errors; a field of several types is named once, with what was expected."""
    found: dict[str, str] = {}
    for error in errors:
        inside = error["loc"][1:] if error["loc"][:1] in (("body",), ("query",), ("path",)) else error["loc"]
        names = [] if error["type"] == "json_invalid" else [str(part) for part in inside if not _is_branch(part)]
        field = ".".join(names) or "body"
        reason = error["msg"].removeprefix("Value error, ")
        found[field] = f"{found[field]}; or: {reason}" if field in found and reason not in found[field] else reason
    return [{"field": field[:200], "reason": reason[:500]} for field, reason in found.items()]


def _is_branch(part) -> bool:
    """Tell whether a part of a location names a branch of a union rather than a field."""
    return isinstance(part, str) and (part in _BRANCHES or "[" in part)
