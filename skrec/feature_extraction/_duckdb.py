"""Events of CSV and parquet files sorted by DuckDB, which spills to disk."""

import contextlib
import glob
import tempfile

import numpy as np

from ._event_columns import DROP, ZONE, check_values, count_missing, first_line, missing_message, mixed_zones, plain

BATCH = 1_000_000  # events
SPILLED = ".skrec-duckdb-"  # how the name of a folder to spill to begins
_MEMORY_SHARE = 0.5  # of DuckDB's usual limit; the rest is for the result


def sort_with_duckdb(paths: list[str], names: dict, delimiters: list[str], types: dict) -> tuple:
    """Read and sort the events of files.

    Parameters
    ----------
    paths : list of str
        CSV files, or parquet files.
    names : dict of str
        The columns asked for, by role.
    delimiters : list of str
        What separates the columns of each CSV file; empty for parquet files.
    types : dict of Arrow types
        The types of the columns in parquet files, by role; empty for CSV files.

    Returns
    -------
    tuple
        Users, row boundaries and flat columns, as `group_events` returns them.
    """
    with opened_duckdb(paths) as connection:
        relation = events_relation(connection, paths, names, delimiters)
        by = '"user", "time"' if "time" in names else '"user"'
        columns = ", ".join(f'"{role}"' for role in names)
        result = connection.sql(f"SELECT {columns} FROM {relation} ORDER BY {by}, number")
        batches = result.to_arrow_reader if hasattr(result, "to_arrow_reader") else result.fetch_arrow_reader
        return _collect(batches(BATCH), names, types)


@contextlib.contextmanager
def opened_duckdb(paths: list[str], *, memory: float | None = None, folder=None):
    """Give a connection that spills to disk, and say what its errors mean for the files.

    Parameters
    ----------
    paths : list of str
        The files that are read.
    memory : float, default=None
        GiB that it may take; None is half of DuckDB's usual limit.
    folder : path-like, default=None
        Where it spills to; None is the system's folder of temporary files.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix=SPILLED, dir=folder, ignore_cleanup_errors=True) as spilled:
        # what does not fit into memory goes to the folder, and the folder goes away
        config: dict[str, str | bool | int | float | list[str]] = {
            "temp_directory": spilled,
            "preserve_insertion_order": "true",
        }
        with duckdb.connect(":memory:", config=config) as connection:
            try:
                connection.execute("SET TimeZone = 'UTC'")
                if memory is None:
                    limit, unit = connection.sql("SELECT current_setting('memory_limit')").fetchall()[0][0].split()
                    memory_limit = f"{float(limit) * _MEMORY_SHARE:.3f} {unit}"
                else:
                    memory_limit = f"{memory:.3f} GiB"
                connection.execute(f"SET memory_limit = '{memory_limit}'")
                yield connection
            except duckdb.OutOfMemoryException as error:
                raise MemoryError(f"sorting events needs more memory or temporary disk: {first_line(error)}") from error
            except duckdb.Error as error:
                shown = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
                raise ValueError(f"{shown} cannot be read ({first_line(error)}): check the file") from error


def events_relation(connection, paths: list[str], names: dict, delimiters: list[str]) -> str:
    """Return the relation of the columns by role, and `number`, the place of an event in the files."""
    if delimiters:
        return _csv_relation(connection, paths, names, delimiters)
    return _parquet_relation(connection, paths, names)


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


def _csv_relation(connection, paths: list[str], names: dict, delimiters: list[str]) -> str:
    chosen = ", ".join(f'{_name(name)} AS "{role}"' for role, name in names.items())
    for number, (path, delimiter) in enumerate(zip(paths, delimiters, strict=True)):
        query = (
            f"SELECT {chosen} FROM read_csv(?, all_varchar = true, header = true, delim = ?, quote = '\"', "
            "escape = '\"', nullstr = '', allow_quoted_nulls = false)"
        )
        verb = "CREATE TEMP TABLE events AS " if number == 0 else "INSERT INTO events "
        connection.execute(verb + query, [_literal_paths([path]), delimiter])
    chosen = ", ".join(f'{_cast(connection, role, name)} AS "{role}"' for role, name in names.items())
    return f"(SELECT {chosen}, rowid AS number FROM events)"


def _cast(connection, role: str, name: str) -> str:
    """Return the expression that gives a column of CSV text its type; the same rule as `typed` in _csv.py."""
    column = f'"{role}"'

    def every(test: str) -> bool:
        return connection.execute(
            f"SELECT coalesce(bool_and({test}), true) FROM events WHERE {column} IS NOT NULL"
        ).fetchall()[0][0]

    if every(f"coalesce(CAST(TRY_CAST({column} AS BIGINT) AS VARCHAR) = {column}, false)"):  # as INTEGER there
        return f"CAST({column} AS BIGINT)"
    if role in ("time", "weight") and every(f"TRY_CAST({column} AS DOUBLE) IS NOT NULL"):
        return f"CAST({column} AS DOUBLE)"
    if role == "time" and every(f"TRY_CAST({column} AS TIMESTAMPTZ) IS NOT NULL"):
        if every(f"NOT regexp_matches({column}, '{ZONE}')") == every(f"regexp_matches({column}, '{ZONE}')"):
            raise ValueError(mixed_zones(f"time column {name!r}"))
        return f"CAST(CAST({column} AS TIMESTAMPTZ) AS TIMESTAMP)"  # the connection's zone is UTC
    return column


def _collect(batches, names: dict, types: dict) -> tuple:
    """Join sorted batches: runs of one user become rows."""
    import pyarrow as pa

    parts: dict[str, list] = {role: [] for role in names}
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
