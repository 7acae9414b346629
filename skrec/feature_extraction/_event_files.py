"""Histories from CSV and parquet files: DuckDB where it is installed, pyarrow otherwise."""

import glob
import gzip
import importlib.util
import tempfile
from pathlib import Path

import numpy as np

from ..utils._validation import type_name
from ._event_columns import DROP, check_columns, check_values, count_missing, missing_message, plain, plain_type
from ._events import group_events

_CSV = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_PARQUET = (".parquet", ".pq")
_BATCH = 1_000_000
_MEMORY_SHARE = 0.5  # of DuckDB's usual limit; the rest is for the result


def read_files(source, names: dict) -> tuple:
    """Read and sort the events of one or several files.

    Parameters
    ----------
    source : str, Path or list of these
        What the user gave.
    names : dict of str
        The columns asked for, by role.

    Returns
    -------
    tuple
        Users, row boundaries and flat columns, as `group_events` returns them.
    """
    paths = _find(source)
    csv = paths[0].lower().endswith(_CSV)
    for path in paths:
        if path.lower().endswith(_CSV) != csv:
            raise ValueError(f"events names both CSV and parquet files, {paths[0]} and {path}: give one kind at a time")
    delimiter = None
    if csv:
        for path in paths:
            header, delimiter = _csv_header(path)
            check_columns(names, header, path)
        types = {}
    else:
        import pyarrow.parquet as pq

        types = {}
        for path in paths:
            try:
                schema = pq.read_schema(path)
            except Exception as error:
                raise ValueError(f"{path} cannot be read as parquet ({_first_line(error)}): write it again") from error
            check_columns(names, schema.names, path)
            found = {role: plain_type(schema.field(name).type) for role, name in names.items()}
            types = types or found
            for role, kind in found.items():
                if _is_text(kind) != _is_text(types[role]):
                    raise TypeError(
                        f"{path} has {kind} in the column {names[role]!r} but {paths[0]} has {types[role]}: "
                        "write both with one type"
                    )
    if not _has_duckdb():
        columns = _read_csv(paths, names, delimiter) if csv else _read_parquet(paths, names)
        return group_events(columns, names, DROP["files"])
    return _sort_with_duckdb(paths, names, delimiter, types)


def _is_text(kind) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _has_duckdb() -> bool:
    return importlib.util.find_spec("duckdb") is not None


def _find(source) -> list[str]:
    given = source if isinstance(source, (list, tuple)) else [source]
    paths = []
    for one in given:
        if not isinstance(one, (str, Path)):
            raise TypeError(
                f"events must list paths only, got {type_name(one)} among them: pass one table or only paths"
            )
        text = str(Path(one).expanduser())
        if Path(text).is_dir():
            raise ValueError(f"events={text!r} is a directory: name its files, such as {text + '/*.parquet'!r}")
        if Path(text).is_file():
            found = [text]
        elif glob.has_magic(text):
            found = sorted(path for path in glob.glob(text, recursive=True) if Path(path).is_file())
            if not found:
                raise ValueError(f"no file matches events={text!r}: check the pattern")
        else:
            raise ValueError(f"events={text!r} does not exist: check the path (looked from {Path.cwd()})")
        paths += found
    for path in paths:
        if not path.lower().endswith(_CSV + _PARQUET):
            raise ValueError(f"{path} is neither CSV nor parquet by its name: use one of {', '.join(_CSV + _PARQUET)}")
    return paths


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


def _csv_header(path: str) -> tuple[list[str], str]:
    import csv

    try:
        with (gzip.open if path.lower().endswith(".gz") else open)(
            path, "rt", encoding="utf-8-sig", newline=""
        ) as file:
            first = file.readline()
            delimiter = max(",;\t|", key=first.count)
            header = next(csv.reader([first], delimiter=delimiter), [])
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as UTF-8 text ({_first_line(error)}): convert it first") from error
    if not header:
        raise ValueError(f"{path} is empty: a CSV file of events begins with the names of its columns")
    return header, delimiter


def _read_parquet(paths: list[str], names: dict) -> dict:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for path in paths:
        try:
            tables.append(pq.ParquetFile(path).read(columns=list(names.values())))
        except (OSError, pa.ArrowException) as error:
            raise ValueError(f"{path} cannot be read as parquet ({_first_line(error)}): write it again") from error
    table = pa.concat_tables(
        [pa.table({role: t.column(name) for role, name in names.items()}) for t in tables],
        promote_options="permissive",
    )
    return {role: table.column(role) for role in names}


def _read_csv(paths: list[str], names: dict, delimiter: str) -> dict:
    import pyarrow as pa
    from pyarrow import csv

    wanted = list(names.values())
    tables = []
    for path in paths:
        try:
            tables.append(
                csv.read_csv(
                    path,
                    parse_options=csv.ParseOptions(delimiter=_csv_header(path)[1], newlines_in_values=True),
                    convert_options=csv.ConvertOptions(
                        include_columns=wanted,
                        column_types=dict.fromkeys(wanted, pa.string()),
                        strings_can_be_null=True,
                        null_values=[""],
                        quoted_strings_can_be_null=False,
                    ),
                )
            )
        except (OSError, pa.ArrowException) as error:
            raise ValueError(f"{path} cannot be read as CSV ({_first_line(error)}): check the file") from error
    table = pa.concat_tables(tables)
    return {role: _typed(plain(table.column(name)), role) for role, name in names.items()}


def _typed(text, role: str):
    """Give a column of CSV text its type: see the notes of `to_histories`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.all(pc.match_substring_regex(text, _INTEGER)).as_py() in (True, None):
        try:
            return text.cast(pa.int64())
        except pa.ArrowInvalid:  # beyond 64 bits
            return text
    if role in ("time", "weight"):
        for kind in [pa.float64()] + ([pa.timestamp("us")] if role == "time" else []):
            try:
                return text.cast(kind)
            except pa.ArrowInvalid:
                pass
    return _zoned_times(text) if role == "time" else text


def _zoned_times(text):
    import pandas as pd
    import pyarrow as pa

    try:
        times = pd.to_datetime(text.to_pandas(), format="ISO8601", utc=True)
    except ValueError:
        return text
    return pa.array(times.dt.tz_localize(None).dt.as_unit("us"), from_pandas=True)


_INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"  # written as Python writes it, so that it reads back the same


def _sort_with_duckdb(paths: list[str], names: dict, delimiter: str | None, types: dict) -> tuple:
    import duckdb

    with tempfile.TemporaryDirectory(prefix="skrec-", ignore_cleanup_errors=True) as folder:
        # what does not fit into memory goes to the folder, and the folder goes away
        config = {"temp_directory": folder, "preserve_insertion_order": "true"}
        with duckdb.connect(":memory:", config=config) as connection:
            try:
                connection.execute("SET TimeZone = 'UTC'")
                limit, unit = connection.sql("SELECT current_setting('memory_limit')").fetchall()[0][0].split()
                connection.execute(f"SET memory_limit = '{float(limit) * _MEMORY_SHARE:.3f} {unit}'")
                if delimiter is None:
                    relation = _parquet_relation(connection, paths, names)
                else:
                    relation = _csv_relation(connection, paths, names, delimiter)
                by = '"user", "time"' if "time" in names else '"user"'
                columns = ", ".join(f'"{role}"' for role in names)
                result = connection.sql(f"SELECT {columns} FROM {relation} ORDER BY {by}, number")
                batches = result.to_arrow_reader if hasattr(result, "to_arrow_reader") else result.fetch_arrow_reader
                return _collect(batches(_BATCH), names, types)
            except duckdb.OutOfMemoryException as error:
                raise MemoryError(
                    f"sorting events needs more memory or temporary disk: {_first_line(error)}"
                ) from error
            except duckdb.Error as error:
                shown = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
                raise ValueError(f"{shown} cannot be read ({_first_line(error)}): check the file") from error


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal_paths(paths: list[str]) -> list[str]:
    """Keep DuckDB from taking a path for a pattern."""
    return [glob.escape(path) if glob.has_magic(path) else path for path in paths]


def _parquet_relation(connection, paths: list[str], names: dict) -> str:
    # a relation takes no parameters, so the paths go into a variable of the connection
    connection.execute("SET VARIABLE paths = ?", [_literal_paths(paths)])
    chosen = ", ".join(f'{_name(name)} AS "{role}"' for role, name in names.items())
    return (
        f"(SELECT {chosen}, row_number() OVER () AS number "
        "FROM read_parquet(getvariable('paths'), union_by_name = true))"
    )


def _csv_relation(connection, paths: list[str], names: dict, delimiter: str) -> str:
    chosen = ", ".join(f'{_name(name)} AS "{role}"' for role, name in names.items())
    for number, path in enumerate(paths):
        query = (
            f"SELECT {chosen} FROM read_csv(?, all_varchar = true, header = true, delim = ?, quote = '\"', "
            "escape = '\"', nullstr = '', allow_quoted_nulls = false)"
        )
        verb = "CREATE TEMP TABLE events AS " if number == 0 else "INSERT INTO events "
        connection.execute(verb + query, [_literal_paths([path]), _csv_header(path)[1]])
    chosen = ", ".join(f'{_cast(connection, role)} AS "{role}"' for role in names)
    return f"(SELECT {chosen}, rowid AS number FROM events)"


def _cast(connection, role: str) -> str:
    """Return the expression that gives a column of CSV text its type; the same rule as `_typed`."""
    column = f'"{role}"'

    def every(test: str) -> bool:
        return connection.execute(
            f"SELECT coalesce(bool_and({test}), true) FROM events WHERE {column} IS NOT NULL"
        ).fetchall()[0][0]

    if every(f"coalesce(CAST(TRY_CAST({column} AS BIGINT) AS VARCHAR) = {column}, false)"):  # as `_INTEGER`
        return f"CAST({column} AS BIGINT)"
    if role in ("time", "weight") and every(f"TRY_CAST({column} AS DOUBLE) IS NOT NULL"):
        return f"CAST({column} AS DOUBLE)"
    if role == "time" and every(f"TRY_CAST({column} AS TIMESTAMPTZ) IS NOT NULL"):
        return f"CAST(CAST({column} AS TIMESTAMPTZ) AS TIMESTAMP)"  # the connection's zone is UTC
    return column


def _collect(batches, names: dict, types: dict) -> tuple:
    """Join sorted batches: runs of one user become rows."""
    import pyarrow as pa

    parts = {role: [] for role in names}
    ends, total, missing = [], 0, 0
    for batch in batches:
        columns = {role: plain(batch.column(role)) for role in names}
        users = columns.pop("user")
        missing += count_missing(users)
        for role, values in columns.items():
            parts[role].append(values)
        change = np.flatnonzero(_differs(users))
        parts["user"].append(users.take(pa.array(change)))
        ends.append(change + total)
        total += len(users)
    if total == 0:
        raise ValueError("events is empty: at least one event is needed to make a history")
    label = "user column {!r}".format(names["user"])
    if missing:
        raise ValueError(missing_message(label, missing, DROP["files"].format(names["user"])))

    users, start = pa.concat_arrays(parts.pop("user")), np.concatenate(ends)
    first = _differs(users)  # a user may go on from one batch to the next
    users, start = users.filter(pa.array(first)), start[first]
    users = users.cast(types["user"]) if types else users
    check_values(users, "user", label, "")
    flat = {}
    for role in list(parts):
        flat[role] = plain(pa.chunked_array(parts.pop(role)))
        flat[role] = flat[role].cast(types[role]) if types else flat[role]
        check_values(flat[role], role, f"{role} column {names[role]!r}", DROP["files"].format(names[role]))
    return users, np.append(start, total), flat


def _differs(array) -> np.ndarray:
    """Tell where a value is not that of the one before; the first always."""
    import pyarrow.compute as pc

    new = np.ones(len(array), dtype=bool)
    if len(array) > 1:
        new[1:] = pc.fill_null(pc.not_equal(array[1:], array[:-1]), True).to_numpy(zero_copy_only=False)
    return new
