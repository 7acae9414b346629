"""The store's database in a file: SQLite with a write-ahead log, by the driver itself where it is hot."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from ._database import Database, EventRow, State, StoreUnavailable
from ._traces import holds_any
from .migrations import upgrade

# busy, locked, read-only, I/O error, damaged, full, cannot open, protocol, not a database
_OUTAGES = {5, 6, 8, 10, 11, 13, 14, 15, 26}
_BUSY_SECONDS = 30.0
_LOG_MILLISECONDS, _LOG_SECONDS = 50, 300  # for which writers may wait for readers, and in all
_STATE = "SELECT catalogue, rules, models, keys FROM state"
_HISTORY = (
    "SELECT {item}, time, event, value FROM events WHERE {column} = ? AND time < ? ORDER BY time DESC, seq DESC LIMIT ?"
)
_READS = {
    (column, integers): _HISTORY.format(item="CAST(item AS INTEGER)" if integers else "item", column=f'"{column}"')
    for column in ("user", "session")
    for integers in (False, True)
}
_SIZES = (128, 64, 32, 16, 8, 4, 2, 1)  # rows a statement: few texts, so that each stays prepared
_INSERTS = {
    size: "INSERT INTO events VALUES " + ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * size)
    + " ON CONFLICT (id) WHERE id IS NOT NULL DO NOTHING"
    for size in _SIZES
}  # fmt: skip
_ALIASES = 'SELECT source, "user" FROM merges WHERE source IN (SELECT value FROM json_each(?))'
_SHOWN = "INSERT INTO impressions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_ATTRIBUTE = """
INSERT INTO attributions SELECT e.seq, i.rec_id, min(i.position)
FROM events e JOIN impressions i ON i.rec_id = e.rec_id AND i.item = e.item
WHERE {condition} GROUP BY e.seq, i.rec_id ON CONFLICT DO NOTHING
"""
_ATTRIBUTE_NEW = _ATTRIBUTE.format(condition="e.seq > ? AND e.rec_id IS NOT NULL")
_ATTRIBUTE_LATE = _ATTRIBUTE.format(condition="e.rec_id IN (SELECT value FROM json_each(?))")


class SQLite(Database):
    """A database file; other processes may use it at the same time."""

    name = "sqlite"
    insert = staticmethod(insert)
    errors = (sqlite3.Error,)

    def __init__(self, path: str | os.PathLike):
        super().__init__()
        self.path = Path(path).absolute()
        self._address = f"file:{quote(str(self.path))}?mode=rw"  # never makes a new file where the old one is gone
        self._file: tuple[int, int] | None = None  # which file the connections belong to
        self._renewing = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._writer_file: tuple[int, int] | None = None
        self.engine = sa.create_engine("sqlite://", creator=self.connect, poolclass=sa.QueuePool)
        sa.event.listen(self.engine, "begin", _begin)

    def connect(self) -> sqlite3.Connection:
        """Open a connection in autocommit mode."""
        connection = None
        try:
            connection = sqlite3.connect(
                self._address,
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk before it is acknowledged
            connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
            connection.execute("PRAGMA cache_size = -32000")
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            raise self.fault(error) from error
        return connection

    def check(self) -> None:
        """Find out whether the file is still the one that the connections belong to, and renew them if not."""
        try:
            status = os.stat(self.path)
        except OSError as error:
            raise StoreUnavailable(f"the database {self.path} must be there: {error.strerror}") from error
        if (status.st_ino, status.st_dev) != self._file:
            with self._renewing:
                if (status.st_ino, status.st_dev) != self._file:
                    self._file = (status.st_ino, status.st_dev)
                    super().close()

    def is_outage(self, error: BaseException) -> bool:
        """Return whether the primary code of an error is one that can pass."""
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _OUTAGES

    def upgrade(self) -> None:
        """Create the file and its folder if there is none, and bring the tables up to date."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))  # events are personal data
        self.check()
        connection = self.take()
        try:
            _use_write_ahead_log(connection)
        except sqlite3.Error as error:
            raise self.fault(error) from error
        finally:
            connection.close()
        with self.begin(write=True) as transaction:
            upgrade(transaction)

    def read(self, column: str | None, key: str, limit: int, before: int, *, integers: bool) -> tuple[State, list]:
        """Return the counters, and the newest events where `column` is `key`, oldest first."""
        self.check()
        file, connection = self._file, self.take()
        try:
            state = State._make(connection.execute(_STATE).fetchone())
            rows: list[Any] = []
            if column is not None:
                rows = connection.execute(_READS[column, integers], (key, before, limit)).fetchall()
                rows.reverse()
        except BaseException as error:
            connection.close()
            raise self.fault(error) from error
        if file == self._file:
            self.give(connection)
        else:
            connection.close()
        return state, rows

    def write(self, submits: Sequence[list[EventRow]], shown: list[tuple]) -> list[list[bool]]:
        """Commit impressions and submits in one transaction; say for each event whether it is new."""
        self.check()
        if self._writer_file != self._file:
            self._end_writer()
        connection = self._writer = self._writer or self.connect()
        self._writer_file = self._file
        try:
            connection.execute("BEGIN IMMEDIATE")
            if shown:
                connection.executemany(_SHOWN, shown)
                connection.execute(_ATTRIBUTE_LATE, (_json({row[0] for row in shown}),))
            new = _insert_events(connection, [row for submit in submits for row in submit])
            connection.execute("COMMIT")
        except BaseException as error:
            self._end_writer()
            raise self.fault(error) from error
        if new is None:
            return [[True] * len(submit) for submit in submits]
        answers = iter(new)
        return [[next(answers) for _ in submit] for submit in submits]

    def order(self, connection: sa.Connection) -> None:
        """Do nothing: a transaction that writes is the only one."""

    def put(self, connection: sa.Connection, table: str, columns: Sequence[str], rows: Iterable[tuple]) -> int:
        """Insert many rows, leave out those whose key is there, and return how many were inserted."""
        driver: Any = connection.connection.driver_connection
        names = ", ".join(f'"{name}"' for name in columns)
        before = driver.total_changes
        driver.executemany(
            f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))}) ON CONFLICT DO NOTHING", rows
        )
        return driver.total_changes - before

    def cursor(self, connection: sa.Connection) -> sqlite3.Cursor:
        """Return a cursor of the driver."""
        driver: Any = connection.connection.driver_connection
        return driver.cursor()

    def among(self, column: sa.ColumnElement, values: Sequence[Any]) -> sa.ColumnElement[bool]:
        """Return the condition that a column is one of many values, passed as one parameter."""
        table = sa.func.json_each(_json(values)).table_valued("value")
        return column.in_(sa.select(table.c.value))

    def scrub(self, texts: set[str] | None) -> bool:
        """Empty the log of earlier pages, and rewrite the file where copies of rows that moved may hold a text."""
        self.check()
        connection = self.connect()
        try:
            self._empty_log(connection)
            if texts is not None and not holds_any(self.path, texts):
                return False
            connection.execute("VACUUM")
            self._empty_log(connection)
        except sqlite3.Error as error:
            raise self.fault(error) from error
        finally:
            connection.close()
        return True

    def _empty_log(self, connection: sqlite3.Connection) -> None:
        """Bring all pages from the log into the file, and cut the log to nothing.

        The first step holds nobody up. The second one does while it waits for those who read earlier pages, so it
        waits for a moment only, and is tried again.
        """
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        connection.execute(f"PRAGMA busy_timeout = {_LOG_MILLISECONDS}").fetchall()
        end = time.monotonic() + _LOG_SECONDS
        while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > end:
                raise StoreUnavailable(
                    f"the log of the database must be emptied, and somebody has read earlier pages for {_LOG_SECONDS} s"
                )
            time.sleep(0.25)
        connection.execute(f"PRAGMA busy_timeout = {round(_BUSY_SECONDS * 1000)}").fetchall()

    def close(self) -> None:
        """Close all connections."""
        self._end_writer()
        super().close()

    def _end_writer(self) -> None:
        connection, self._writer = self._writer, None
        if connection is not None:
            connection.close()  # rolls back

    def _prepared(self, connection: sa.Connection, write: bool) -> sa.Connection:
        return connection.execution_options(skrec_write=write)


def _json(values: Iterable[Any]) -> str:
    return orjson.dumps(list(values)).decode()


def _begin(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("skrec_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch the journal; SQLite does not wait for another process that does the same."""
    for attempt in range(50):
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            return
        except sqlite3.OperationalError as error:
            if attempt == 49 or error.sqlite_errorcode & 0xFF not in (5, 6):
                raise
            time.sleep(0.1)


def _insert_events(connection: sqlite3.Connection, rows: list[EventRow]) -> list[bool] | None:
    """Insert events and return which were new, or None where all were.

    Each statement gives the interpreter lock up and waits to get it back, so rows go in by few statements.
    """
    if not rows:
        return None
    last_seq, last_merge = connection.execute("SELECT last_seq, last_merge FROM state").fetchone()
    if last_merge:
        aliases = dict(connection.execute(_ALIASES, (_json({row.user for row in rows}),)).fetchall())
        if aliases:
            rows = [_renamed(row, aliases) for row in rows]
    before, place = connection.total_changes, 0
    for size in _SIZES:
        while len(rows) - place >= size:
            part = rows[place : place + size]
            numbered = [(seq, *row) for seq, row in enumerate(part, last_seq + place + 1)]
            connection.execute(_INSERTS[size], tuple(chain.from_iterable(numbered)))
            place += size
    new = None
    if connection.total_changes - before < len(rows):
        inserted = {seq for (seq,) in connection.execute("SELECT seq FROM events WHERE seq > ?", (last_seq,))}
        new = [seq in inserted for seq in range(last_seq + 1, last_seq + len(rows) + 1)]
    if any(row.rec_id is not None for row in rows):
        connection.execute(_ATTRIBUTE_NEW, (last_seq,))
    connection.execute("UPDATE state SET last_seq = ?", (last_seq + len(rows),))
    return new


def _renamed(row: EventRow, aliases: dict[str, str]) -> EventRow:
    user = aliases.get(row.user)
    return row if user is None else row._replace(user=user, original_user=row.user)
