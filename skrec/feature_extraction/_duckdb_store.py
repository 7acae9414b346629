"""Events of files coded and sorted by DuckDB, and written into the arrays of stored histories."""

from pathlib import Path

import numpy as np

from ..utils._list_columns import to_numpy
from ..utils._time import as_days
from ._duckdb import BATCH, events_relation, opened_duckdb
from ._event_columns import DROP, check_values, missing_message, plain
from ._store import part_writer
from ._stored_times import finest_type, is_dated
from ._time_units import with_unit

_KEYS = {"user": "users", "item": "items", "event": "kinds"}


def store_with_duckdb(
    paths: list[str],
    names: dict,
    delimiters: list[str],
    types: dict,
    time_unit: str | None,
    folder: Path,
    memory: float,
) -> str | None:
    """Write the events of files into a part; return the unit of time that was recognised.

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
    time_unit : str or None
        The unit of times that are numbers.
    folder : pathlib.Path
        The new part.
    memory : float
        GiB that DuckDB may take; what does not fit is sorted on disk, beside the part.
    """
    with opened_duckdb(paths, memory=memory, folder=folder.parent) as connection:
        relation = events_relation(connection, paths, names, delimiters)
        ids, counts = {}, None
        for role in _KEYS.keys() & names.keys():
            ids[role], count = _distinct(connection, relation, role, names, types)
            counts = count if role == "user" else counts
        assert counts is not None
        for role in ("time", "weight"):
            if role in names and (missing := _missing(connection, relation, role)) and role != "weight":
                raise ValueError(_lacks(role, names, missing))
        unit = recognised = time_unit
        if "time" in names and not _is_timestamp(connection, relation):
            low_high = connection.sql(f'SELECT min("time"), max("time") FROM {relation}').fetchall()[0]
            unit, recognised = _unit(low_high, time_unit, names)
        indptr = np.concatenate([[0], np.cumsum(counts)])
        roles = [role for role in ("item", "time", "weight", "event") if role in names]
        time_types: set[str] = set()
        with part_writer(folder, int(indptr[-1]), roles) as writer:
            for batch in _sorted_batches(connection, relation, names):
                writer.add({role: _read(batch.column(role), role, names, types, unit, time_types) for role in roles})
            time_type = finest_type(sorted(time_types)) if time_types else None
            dated = time_type is not None and is_dated(time_type)
            writer.close(indptr, ids, {"user": names["user"], "time_type": time_type, "dated": dated})
    return recognised if time_unit is None else None


def _read(array, role: str, names: dict, types: dict, unit: str | None, time_types: set[str]) -> np.ndarray:
    """Return a column of a batch as it is stored; the type of its times is added to `time_types`."""
    values = plain(array)
    if role not in ("time", "weight"):  # codes already
        return values.to_numpy(zero_copy_only=False)
    values = values.cast(types[role]) if types else values
    label = f"{role} column {names[role]!r}"
    check_values(values, role, label, DROP["files"].format(names[role]))
    if role == "weight":
        return values.to_numpy(zero_copy_only=False)
    if unit is not None:  # of all times; not what a batch by itself looks like
        values, _ = with_unit(values, unit, label)
    time_types.add(str(values.type))
    return as_days(to_numpy(values), label)


def _distinct(connection, relation: str, role: str, names: dict, types: dict) -> tuple:
    """Return the distinct ids of a column, ascending, with their counts, and leave their codes as a table."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = connection.sql(f'SELECT "{role}" AS id, count(*) AS n FROM {relation} GROUP BY "{role}"')
    table = table.to_arrow_table() if hasattr(table, "to_arrow_table") else table.fetch_arrow_table()
    ids, counts = plain(table.column("id")), table.column("n").to_numpy()
    if not len(ids):
        raise ValueError("events is empty: at least one event is needed to make a history")
    if ids.null_count:
        missing = int(counts[pc.is_null(ids).to_numpy(zero_copy_only=False)].sum())
        raise ValueError(_lacks(role, names, missing))
    order = pc.array_sort_indices(ids)
    ids, counts = ids.take(order), counts[order.to_numpy(zero_copy_only=False)]
    codes = pa.array(np.arange(len(ids), dtype=np.int32))
    connection.register(_KEYS[role], pa.table({"id": ids, "code": codes}))
    ids = ids.cast(types[role]) if types else ids
    check_values(ids, role, f"{role} column {names[role]!r}", DROP["files"].format(names[role]))
    return ids, counts


def _sorted_batches(connection, relation: str, names: dict):
    chosen = ", ".join(
        f'{_KEYS[role]}.code AS "{role}"' if role in _KEYS else f'"{role}"' for role in names if role != "user"
    )
    joins = " ".join(
        f'JOIN {table} ON events_read."{role}" = {table}.id' for role, table in _KEYS.items() if role in names
    )
    by = 'users.code, "time", number' if "time" in names else "users.code, number"
    result = connection.sql(f"SELECT {chosen} FROM {relation} AS events_read {joins} ORDER BY {by}")
    batches = result.to_arrow_reader if hasattr(result, "to_arrow_reader") else result.fetch_arrow_reader
    yield from batches(BATCH)


def _is_timestamp(connection, relation: str) -> bool:
    kind = str(connection.sql(f'SELECT "time" FROM {relation} LIMIT 0').types[0])
    return kind.startswith(("TIMESTAMP", "DATE", "VARCHAR"))


def _missing(connection, relation: str, role: str) -> int:
    return connection.sql(f'SELECT count(*) - count("{role}") FROM {relation}').fetchall()[0][0]


def _lacks(role: str, names: dict, missing: int) -> str:
    return missing_message(f"{role} column {names[role]!r}", missing, DROP["files"].format(names[role]))


def _unit(low_high: tuple, time_unit: str | None, names: dict) -> tuple[str | None, str | None]:
    """Return the unit of times that are numbers, and the one that was recognised."""
    import pyarrow as pa

    _, recognised = with_unit(pa.array(list(low_high)), time_unit, f"time column {names['time']!r}")
    return time_unit or recognised, recognised
