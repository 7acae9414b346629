"""Counts over a whole log of which only the first rows are checked: with DuckDB, on disk where it is large."""

from typing import NamedTuple

from ..feature_extraction._csv import csv_header
from ..feature_extraction._duckdb import events_relation, opened_duckdb
from ..feature_extraction._event_files import has_duckdb
from ._check_read import Source


class Whole(NamedTuple):
    """Counts over all rows: missing values by role, negative weights, and about how many users and items."""

    n_rows: int
    n_users: int
    n_items: int
    missing: dict[str, int]
    n_negative: int

    def text(self) -> str:
        """Return the counts in words."""
        lacking = ", ".join(f"{n:,} without a {role}" for role, n in self.missing.items() if n)
        text = f"over all rows about {self.n_users:,} users and {self.n_items:,} items, and {self.n_negative:,} "
        return f"{text}negative weights; {lacking or 'no value is missing'}"


def count_whole(source: Source, columns: dict[str, str]) -> Whole | None:
    """Count over all rows of a log.

    Parameters
    ----------
    source : Source
        The log.
    columns : dict of str to str
        Its columns by role.

    Returns
    -------
    Whole or None
        None without DuckDB, and for logs that DuckDB does not read: JSON lines, text that is not UTF-8, tables.
    """
    if not has_duckdb() or source.kind not in ("csv", "parquet") or source.encoding is not None:
        return None
    delimiters = [csv_header(path)[1] for path in source.paths] if source.kind == "csv" else []
    counts = ", ".join(f'count("{role}")' for role in columns)
    negative = 'count(*) FILTER (TRY_CAST("weight" AS DOUBLE) < 0)' if "weight" in columns else "0"
    with opened_duckdb(source.paths) as connection:
        relation = events_relation(connection, source.paths, columns, delimiters)
        row = connection.sql(
            f'SELECT count(*), approx_count_distinct("user"), approx_count_distinct("item"), {negative}, {counts} '
            f"FROM {relation}"
        ).fetchall()[0]
    n_rows, n_users, n_items, n_negative, *there = map(int, row)
    return Whole(
        n_rows, n_users, n_items, {role: n_rows - n for role, n in zip(columns, there, strict=True)}, n_negative
    )
