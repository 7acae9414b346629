"""Histories from files: DuckDB where it is installed and enough, else columns in memory."""

import atexit
import glob
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from ..utils._validation import type_name
from ._csv import csv_header, csv_text, typed
from ._duckdb import events_relation, opened_duckdb, sort_with_duckdb
from ._event_columns import DROP, check_columns, first_line, mixed_zones, plain_type
from ._grouping import group_events
from ._json_lines import json_array, json_columns, json_header
from ._time_units import range_notes, read_times

CSV = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
PARQUET = (".parquet", ".pq")
JSON = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")


def read_files(source, names: dict, *, encoding=None, where=None, time_format=None, clean=None) -> tuple:
    """Read and sort the events of one or several files.

    Parameters
    ----------
    source : str, Path or list of these
        What the user gave; "-" is standard input.
    names : dict of str
        The columns asked for, by role.
    encoding : str, default=None
        How text files are written; None is UTF-8.
    where : Where, default=None
        Which events to read.
    time_format : str, default=None
        How times are written in text.
    clean : callable, default=None
        Takes the columns by role and returns those to use.

    Returns
    -------
    tuple
        Users, row boundaries and flat columns, as `group_events` returns them.
    """
    paths = find_files(source)
    kind = file_kind(paths, encoding)
    plain_read = where is None and time_format is None and encoding is None and clean is None
    if has_duckdb() and plain_read and kind != "json":
        types, delimiters = _check_files(paths, names, kind, encoding)
        return sort_with_duckdb(paths, names, delimiters, types)
    columns = read_columns_of_files(source, names, encoding=encoding, where=where, time_format=time_format)
    return group_events(clean(columns) if clean else columns, names, DROP["files"])


def store_files(source, names: dict, time_unit: str | None, part: Path, memory: float, notes: list[str]) -> bool:
    """Sort the events of files into a part of stored histories, with DuckDB; False where only memory can.

    Parameters
    ----------
    source : str, Path or list of these
        What the user gave.
    names : dict of str
        The columns asked for, by role.
    time_unit : str or None
        The unit of times that are numbers.
    part : pathlib.Path
        The new part.
    memory : float
        GiB for sorting.
    notes : list of str
        What was recognised or looks wrong is added.
    """
    paths = find_files(source)
    kind = file_kind(paths)
    if not has_duckdb() or kind == "json":
        return False
    from ._duckdb_store import store_with_duckdb
    from ._open_histories import far_events
    from ._store import read_part

    types, delimiters = _check_files(paths, names, kind, None)
    unit = store_with_duckdb(paths, names, delimiters, types, time_unit, part, memory)
    read = read_part(part).histories
    if read.time is not None and read.dated:
        n_far, *bounds = far_events(read)
        notes += range_notes(tuple(bounds), n_far, len(read.codes), unit, f"time column {names['time']!r}")
    return True


def count_pairs(source, names: dict, memory: float | None = None):
    """Count the pairs of values of two columns of CSV or parquet files, with DuckDB.

    Parameters
    ----------
    source : str, Path or list of these
        What the user gave.
    names : dict of str
        Two columns, by role.
    memory : float, default=None
        GiB that DuckDB may take; None is half of its usual limit.

    Returns
    -------
    pandas.DataFrame of shape (n_pairs, 3)
        The values, in columns called by the roles, and `count`; missing values are left out.
    """
    paths = find_files(source)
    kind = file_kind(paths)
    _, delimiters = _check_files(paths, names, kind, None)
    one, other = names
    with opened_duckdb(paths, memory=memory) as connection:
        relation = events_relation(connection, paths, names, delimiters)
        counted = connection.sql(
            f'SELECT "{one}", "{other}", count(*) AS "count" FROM {relation} '
            f'WHERE "{one}" IS NOT NULL AND "{other}" IS NOT NULL GROUP BY "{one}", "{other}"'
        )
        table = counted.to_arrow_table() if hasattr(counted, "to_arrow_table") else counted.fetch_arrow_table()
    return table.to_pandas()


def read_columns_of_files(source, names: dict, *, encoding=None, where=None, time_format=None, raw=False) -> dict:
    """Return columns of files by role, Arrow arrays or (raw) pandas Series; see `read_files` for the parameters."""
    import pandas as pd
    import pyarrow as pa

    paths = find_files(source)
    kind = file_kind(paths, encoding)
    asked = {**names, **({} if where is None else where.roles)}
    _check_files(paths, asked, kind, encoding)
    wanted = list(dict.fromkeys(asked.values()))
    if kind == "csv":
        table = pa.concat_tables([csv_text(path, wanted, encoding) for path in paths])
    elif kind == "parquet":
        table = _parquet_table(paths, wanted)
    else:
        values = json_columns(paths, wanted, encoding)
        if raw:
            keep = slice(None) if where is None else where.mask(lambda name: pd.Series(values[name], name=name))
            return {role: pd.Series(values[name])[keep].reset_index(drop=True) for role, name in names.items()}
        table = {name: json_array(values[name], role, name) for role, name in asked.items() if role in names}
        if where is not None:
            keep = pa.array(where.mask(lambda name: pd.Series(values[name], name=name)))
            table = {name: array.filter(keep) for name, array in table.items()}
        return _finished(table, names, time_format, kind)
    if where is not None:
        table = table.filter(pa.array(where.mask(lambda name: table.column(name).to_pandas().rename(name))))
    if raw:
        return {role: table.column(name).to_pandas() for role, name in names.items()}
    return _finished({name: table.column(name) for name in names.values()}, names, time_format, kind)


def _finished(table: dict, names: dict, time_format, kind: str) -> dict:
    columns = {}
    for role, name in names.items():
        array = table[name]
        if role == "time" and time_format is not None:
            columns[role] = read_times(array, time_format, f"time column {name!r}")
        else:
            columns[role] = typed(array, role, name) if kind == "csv" else array
    return columns


def file_kind(paths: list[str], encoding: str | None = None) -> str:
    """Return "csv", "parquet" or "json" by the names of the files, all of one kind."""
    kinds = ["csv" if p.lower().endswith(CSV) else "json" if p.lower().endswith(JSON) else "parquet" for p in paths]
    for path, kind in zip(paths, kinds, strict=True):
        if kind != kinds[0]:
            both = " and ".join(sorted({kind, kinds[0]}, key=("csv", "parquet", "json").index))
            both = both.replace("csv", "CSV").replace("json", "JSON")
            raise ValueError(f"events names both {both} files, {paths[0]} and {path}: give one kind at a time")
    if encoding is not None and kinds[0] == "parquet":
        raise ValueError(f"encoding={encoding!r} is for text files, but {paths[0]} is parquet: leave encoding out")
    return kinds[0]


def _check_files(paths: list[str], names: dict, kind: str, encoding: str | None) -> tuple[dict, list[str]]:
    """Check that all files have the columns; return the types by role (parquet) and the delimiters (CSV)."""
    types: dict = {}
    delimiters: list[str] = []
    for path in paths:
        if kind == "csv":
            header, delimiter = csv_header(path, encoding)
            check_columns(names, header, path)
            delimiters.append(delimiter)
        elif kind == "json":
            if path == paths[0]:  # a later object may lack a name
                check_columns(names, json_header(path, encoding), path)
        else:
            types = _check_parquet(path, paths[0], names, types)
    return types, delimiters


def _check_parquet(path: str, first: str, names: dict, types: dict) -> dict:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except Exception as error:
        raise ValueError(f"{path} cannot be read as parquet ({first_line(error)}): write it again") from error
    check_columns(names, schema.names, path)
    found = {role: plain_type(schema.field(name).type) for role, name in names.items()}
    types = types or found
    for role, kind in found.items():
        other = types[role]
        if pa.types.is_timestamp(kind) and pa.types.is_timestamp(other) and (kind.tz is None) != (other.tz is None):
            raise ValueError(mixed_zones(f"{role} column {names[role]!r} of {first} and {path}"))
        if _is_text(kind) != _is_text(other) or pa.types.is_temporal(kind) != pa.types.is_temporal(other):
            raise TypeError(
                f"{path} has {kind} in the column {names[role]!r} but {first} has {other}: write both with one type"
            )
    return types


def _is_text(kind) -> bool:
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def has_duckdb() -> bool:
    """Tell whether DuckDB is installed."""
    return importlib.util.find_spec("duckdb") is not None


def find_files(source) -> list[str]:
    """Return the paths of the files that the user named; standard input as a temporary file."""
    given = source if isinstance(source, (list, tuple)) else [source]
    paths = []
    for one in given:
        if not isinstance(one, (str, Path)):
            raise TypeError(
                f"events must list paths only, got {type_name(one)} among them: pass one table or only paths"
            )
        text = str(Path(one).expanduser())
        if text == "-":
            found = [_standard_input()]
        elif Path(text).is_dir():
            raise ValueError(f"events={text!r} is a directory: name its files, such as {text + '/*.parquet'!r}")
        elif Path(text).is_file():
            found = [text]
        elif glob.has_magic(text):
            found = sorted(path for path in glob.glob(text, recursive=True) if Path(path).is_file())
            if not found:
                raise ValueError(f"no file matches events={text!r}: check the pattern")
        else:
            raise ValueError(f"events={text!r} does not exist: check the path (looked from {Path.cwd()})")
        paths += found
    for path in paths:
        if not path.lower().endswith(CSV + PARQUET + JSON):
            raise ValueError(
                f"{path} is neither CSV nor parquet nor JSON lines by its name: use one of "
                f"{', '.join(CSV + PARQUET + JSON)}"
            )
    return paths


_spooled: list = []  # standard input and its file: it can be read once, but is needed more than once


def _standard_input() -> str:
    if not _spooled or _spooled[0] is not sys.stdin:
        source = getattr(sys.stdin, "buffer", sys.stdin)
        folder = tempfile.mkdtemp(prefix="skrec-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        written = Path(folder, "standard_input")
        with written.open("wb") as file:
            start = source.read(1 << 20)
            if not isinstance(start, bytes):
                start = start.encode()
                file.write(start + source.read().encode())
            else:
                file.write(start)
                shutil.copyfileobj(source, file)
        if not start.strip():
            raise ValueError("events='-' reads standard input, which is empty: pipe a CSV file or JSON lines into it")
        kind = (
            "parquet"
            if start[:4] == b"PAR1"
            else "jsonl"
            if start.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"{"
            else "csv"
        )
        kind += ".gz" if start[:2] == b"\x1f\x8b" else ""
        path = written.rename(written.with_name(f"{written.name}.{kind}"))
        _spooled[:] = [sys.stdin, str(path)]
    return _spooled[1]


def _parquet_table(paths: list[str], wanted: list[str]):
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for path in paths:
        try:
            tables.append(pq.ParquetFile(path).read(columns=wanted).select(wanted))
        except (OSError, pa.ArrowException) as error:
            raise ValueError(f"{path} cannot be read as parquet ({first_line(error)}): write it again") from error
    return pa.concat_tables(tables, promote_options="permissive")
