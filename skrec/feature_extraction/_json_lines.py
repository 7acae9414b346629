"""Columns of files with one JSON object a line as Arrow arrays."""

import gzip
import json

from ..utils._validation import as_ids, type_name
from ._csv import typed
from ._event_columns import first_line


def json_header(path: str, encoding: str | None = None) -> list[str]:
    """Return the names of the first object of a file."""
    record = next(_records(path, encoding), None)
    if record is None:
        raise ValueError(f"{path} is empty: a file of events has one JSON object a line")
    return list(record)


def _records(path: str, encoding: str | None):
    opened = gzip.open if path.lower().endswith(".gz") else open
    try:
        with opened(path, "rt", encoding=encoding or "utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise ValueError(
                        f"{path} has no JSON object in line {number} ({first_line(error)}): write one object a line"
                    ) from error
                if not isinstance(record, dict):
                    raise ValueError(
                        f"{path} has {type_name(record)} in line {number}, not a JSON object: write one object a line"
                    )
                yield record
    except LookupError as error:
        raise ValueError(f"encoding={encoding!r} is not known: name one such as 'latin-1' or 'cp1252'") from error
    except (OSError, EOFError, UnicodeError) as error:
        raise ValueError(
            f"{path} cannot be read as {encoding or 'UTF-8'} text ({first_line(error)}): name its encoding=, "
            "or convert it"
        ) from error


def json_columns(paths: list[str], wanted: list[str], encoding: str | None = None) -> dict[str, list]:
    """Return the values of some names in all objects, None where an object lacks the name or has null."""
    columns: dict[str, list] = {name: [] for name in wanted}
    for path in paths:
        for record in _records(path, encoding):
            for name, values in columns.items():
                values.append(record.get(name))
    return columns


def json_array(values: list, role: str, name: str):
    """Bring values of JSON to an Arrow array; text that says a time or a weight is read as in a CSV file."""
    import pyarrow as pa

    there = [value for value in values if value is not None]
    odd = next((value for value in there if isinstance(value, (list, dict, bool))), None)
    if odd is not None:
        raise TypeError(f"{role} column {name!r} has {odd!r} ({type_name(odd)}): a cell must be a number or a text")
    if all(isinstance(value, str) for value in there):
        array = pa.array(values, type=pa.string())
        return typed(array, role, name) if role in ("time", "weight") else array
    if role in ("time", "weight"):
        if any(isinstance(value, str) for value in there):
            raise TypeError(f"{role} column {name!r} mixes numbers and texts: write all of them in one form")
        whole = all(isinstance(value, int) for value in there)
        return pa.array(values if whole else [None if v is None else float(v) for v in values])
    as_ids(there, f"{role} column {name!r}")
    return pa.array(values)
