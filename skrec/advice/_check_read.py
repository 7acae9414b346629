"""The first rows of a log of any form, with all columns or with some."""

import gzip
import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..feature_extraction._csv import csv_header, csv_text
from ..feature_extraction._event_columns import first_line
from ..feature_extraction._event_files import file_kind, find_files
from ..feature_extraction._json_lines import _records
from ..utils._suggest import did_you_mean
from ..utils._validation import type_name

_CHUNK = 1 << 22  # bytes
_MOST_DECODED = 1 << 31  # bytes of text by which an encoding is recognised
_NOT_WINDOWS = {129, 141, 143, 144, 157}  # bytes that are no character of cp1252
_WINDOWS = set(range(128, 160)) - _NOT_WINDOWS  # characters of cp1252, controls in latin-1
_KINDS = {"csv": "CSV", "parquet": "parquet", "json": "JSON lines", "table": "a table in memory"}


@dataclass
class Source:
    """A log: a table in memory or files, and how its text is written."""

    kind: str
    names: list
    table: Any = None
    given: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    encoding: str | None = None
    delimiter: str | None = None
    n_total: int | None = None  # rows, where that is known before reading

    @property
    def described(self) -> str:
        """What the log is, in words."""
        text = _KINDS[self.kind]
        if self.delimiter is not None:
            marks = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
            text += f", separated by {marks[self.delimiter]}, {self.encoding or 'UTF-8'}"
        return f"{len(self.paths):,} files, {text}" if len(self.paths) > 1 else text

    def position(self, name, role: str) -> int:
        """Return the position of a column that the user named."""
        if name not in self.names:
            meant = did_you_mean(str(name), [str(one) for one in self.names])
            raise ValueError(f"{role}={name!r} is not a column of the log{meant}")
        if self.names.count(name) > 1:
            raise ValueError(f"{role}={name!r} names {self.names.count(name)} columns: rename them apart")
        return self.names.index(name)

    def read(self, n_rows: int, positions: list[int] | None = None) -> tuple[list, bool]:
        """Return the first rows of columns as pandas Series, and whether these are all rows.

        Text of CSV files stays text; values of the other forms are as they stand.
        """
        wanted = list(range(len(self.names))) if positions is None else positions
        if self.kind == "csv":
            names = None if positions is None else [self.names[at] for at in wanted]
            arrays = self._csv_columns(names, n_rows + 1)
            series = [array.to_pandas() for array in arrays]
        elif self.kind == "json":
            series = self._json_columns(wanted, n_rows + 1)
        elif self.kind == "parquet":
            series = self._parquet_columns(wanted, n_rows + 1)
        else:
            series = _columns_of(self.table, wanted, n_rows + 1)
        complete = not series or len(series[0]) <= n_rows
        return [one.iloc[:n_rows].reset_index(drop=True).rename(None) for one in series], complete

    def _csv_columns(self, names: list | None, n_rows: int) -> list:
        import pyarrow as pa

        tables, n_read = [], 0
        for path in self.paths:
            by_name = names
            if names is None and path != self.paths[0]:
                if sorted(csv_header(path, self.encoding)[0]) != sorted(self.names):
                    raise ValueError(
                        f"{path} has other columns than {self.paths[0]}: give files with the same columns, or name the "
                        "columns of users and items that they share"
                    )
                unique = len(set(self.names)) == len(self.names)
                by_name = self.names if unique else None
            tables.append(csv_text(path, by_name, self.encoding, n_rows - n_read))
            n_read += len(tables[-1])
            if n_read >= n_rows:
                break
        columns = [
            pa.chunked_array([c for table in tables for c in table.column(at).chunks], type=pa.string())
            for at in range(tables[0].num_columns)
        ]
        return [column.slice(0, n_rows) for column in columns]

    def _json_columns(self, wanted: list[int], n_rows: int) -> list:
        import pandas as pd

        records = itertools.chain.from_iterable(_records(path, self.encoding) for path in self.paths)
        rows = list(itertools.islice(records, n_rows))
        return [pd.Series([row.get(self.names[at]) for row in rows], dtype=object).infer_objects() for at in wanted]

    def _parquet_columns(self, wanted: list[int], n_rows: int) -> list:
        import pyarrow as pa
        import pyarrow.parquet as pq

        names, batches, n_read = [self.names[at] for at in wanted], [], 0
        for path in self.paths:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(min(n_rows, 1 << 16), columns=names):
                    batches.append(batch.select(names))
                    n_read += len(batch)
                    if n_read >= n_rows:
                        break
            if n_read >= n_rows:
                break
        if not batches:
            schema = pq.read_schema(self.paths[0])
            return [pa.array([], type=schema.field(name).type).to_pandas() for name in names]
        tables = [pa.Table.from_batches([batch]) for batch in batches]
        table = pa.concat_tables(tables, promote_options="permissive").slice(0, n_rows)
        return [table.column(at).to_pandas(integer_object_nulls=True) for at in range(len(names))]


def open_source(events, encoding: str | None) -> Source:
    """Find out what a log is: its columns, and for text its encoding and what separates the columns."""
    if isinstance(events, (str, Path)) or (isinstance(events, (list, tuple)) and events):
        return _open_files(events, encoding)
    if encoding is not None:
        raise ValueError(f"encoding={encoding!r} is for files, but events is a table: leave encoding out")
    if hasattr(events, "collect_schema"):  # polars, lazy or not
        return Source("table", list(events.collect_schema().names()), events)
    if hasattr(events, "schema") and hasattr(events, "column_names"):  # pyarrow
        return Source("table", list(events.column_names), events, n_total=events.num_rows)
    if hasattr(events, "iloc") and hasattr(events, "columns"):
        return Source("table", list(events.columns), events, n_total=len(events))
    raise TypeError(
        "events must be a pandas or polars DataFrame, a pyarrow Table, or the path of CSV, parquet or JSON lines "
        f"files, got {type_name(events)}: make a DataFrame with one row per event"
    )


def _open_files(events, encoding: str | None) -> Source:
    import pyarrow.parquet as pq

    given = [str(one) for one in (events if isinstance(events, (list, tuple)) else [events])]
    paths = find_files(events)
    kind = file_kind(paths, encoding)
    if kind == "parquet":
        try:
            metadata = [pq.read_metadata(path) for path in paths]
            names = [name for name in pq.read_schema(paths[0]).names if not name.startswith("__index_level_")]
        except Exception as error:
            raise ValueError(f"{paths[0]} cannot be read as parquet ({first_line(error)}): write it again") from error
        return Source(kind, names, given=given, paths=paths, n_total=sum(one.num_rows for one in metadata))
    for path in paths:
        encoding = encoding or recognise_encoding(path)
    if kind == "csv":
        names, delimiter = csv_header(paths[0], encoding)
        return Source(kind, names, given=given, paths=paths, encoding=encoding, delimiter=delimiter)
    first = next(_records(paths[0], encoding), None)
    if not first:
        raise ValueError(f"{paths[0]} is empty: a file of events has one JSON object a line")
    return Source(kind, list(first), given=given, paths=paths, encoding=encoding)


def recognise_encoding(path: str) -> str | None:
    """Return the encoding of a text file: None for UTF-8, else UTF-16 by its mark, cp1252 or latin-1.

    In latin-1 the bytes 128 to 159 are control characters, so that text which has them is taken for cp1252.
    """
    import codecs

    with (gzip.open if path.lower().endswith(".gz") else open)(path, "rb") as file:
        start = file.read(_CHUNK)
        if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        decoder, n_read, chunk = codecs.getincrementaldecoder("utf-8")(), 0, start
        try:
            while chunk and n_read < _MOST_DECODED:
                decoder.decode(chunk)
                n_read += len(chunk)
                chunk = file.read(_CHUNK)
            if not chunk:
                decoder.decode(b"", final=True)
            return None
        except UnicodeDecodeError:
            seen: set[int] = set()
            while chunk:
                seen.update(chunk)
                chunk = file.read(_CHUNK)
            return "cp1252" if seen & _WINDOWS and not seen & _NOT_WINDOWS else "latin-1"


def bytes_of(source: Source) -> int:
    """Return the size of the files of a log."""
    return sum(os.path.getsize(path) for path in source.paths)


def _columns_of(table, wanted: list[int], n_rows: int) -> list:
    if hasattr(table, "collect_schema"):  # polars
        names = table.collect_schema().names()
        head = table.select([names[at] for at in wanted]).head(n_rows)
        head = head.collect() if hasattr(head, "collect") else head
        arrays = [head.get_column(name).to_arrow() for name in head.columns]
        return [array.to_pandas(integer_object_nulls=True) for array in arrays]
    if hasattr(table, "column_names"):
        return [table.column(at).slice(0, n_rows).to_pandas(integer_object_nulls=True) for at in wanted]
    return [table.iloc[:n_rows, at] for at in wanted]
