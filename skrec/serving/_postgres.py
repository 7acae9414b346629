"""The store's database on a server: PostgreSQL, by psycopg itself where it is hot."""

import threading
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import orjson
import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects.postgresql import insert

from ._database import Database, EventRow, State, StoreUnavailable
from .migrations import upgrade

_LOCK = 0x736B726563  # "skrec"
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"  # each statement sees what came while it waited for the lock
_ORDER = f"SELECT pg_advisory_xact_lock({_LOCK})"
_UPGRADE = f"SELECT pg_advisory_xact_lock({_LOCK + 1})"
_CONNECT = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "application_name": "skrec",
    "client_encoding": "utf8",
}
_RETRY_SECONDS = 1.0  # after a connection failed, calls fail at once for this long
_READ_ONLY = "25006"  # the server is a standby

_STATE = "SELECT catalogue, rules, models, keys FROM state"
_HISTORY = """
SELECT s.catalogue, s.rules, s.models, s.keys, e.item, e.time, e.event, e.value
FROM state s LEFT JOIN LATERAL (
    SELECT {item} AS item, time, event, value, seq FROM events
    WHERE "{column}" = %s AND time < %s ORDER BY time DESC, seq DESC LIMIT %s
) e ON true ORDER BY e.time, e.seq
"""
_READS = {
    (column, integers): _HISTORY.format(item="CAST(item AS BIGINT)" if integers else "item", column=column)
    for column in ("user", "session")
    for integers in (False, True)
}
_INSERT = """
INSERT INTO events (seq, id, "user", original_user, item, event, time, value, session, rec_id)
SELECT s.last_seq + n.n, n.id, coalesce(m."user", n."user"), CASE WHEN m."user" IS NOT NULL THEN n."user" END,
    n.item, n.event, n.time, n.value, n.session, n.rec_id
FROM state s CROSS JOIN ROWS FROM (json_to_recordset(%s::json) AS (
    id text, "user" text, item text, event text, time bigint, value double precision, session text, rec_id text
)) WITH ORDINALITY AS n (id, "user", item, event, time, value, session, rec_id, n)
LEFT JOIN merges m ON m.source = n."user"
ORDER BY n.n ON CONFLICT (id) WHERE id IS NOT NULL DO NOTHING RETURNING seq
"""
_ADVANCE = "UPDATE state SET last_seq = last_seq + %s RETURNING last_seq"
_SHOWN_COLUMNS = ("rec_id", "position", "user", "item", "scenario", "score", "probability", "version", "time")
_SHOWN = """
INSERT INTO impressions (rec_id, position, "user", item, scenario, score, probability, version, time)
SELECT * FROM json_to_recordset(%s::json) AS n (rec_id text, position int, "user" text, item text, scenario text,
    score double precision, probability double precision, version int, time bigint)
ON CONFLICT DO NOTHING
"""
_ATTRIBUTE = """
INSERT INTO attributions (event_seq, rec_id, position) SELECT e.seq, i.rec_id, min(i.position)
FROM events e JOIN impressions i ON i.rec_id = e.rec_id AND i.item = e.item
WHERE e.rec_id = ANY(%s) GROUP BY e.seq, i.rec_id ON CONFLICT DO NOTHING
"""


class PostgreSQL(Database):
    """A database of a PostgreSQL server; `url` is what libpq takes."""

    name = "postgresql"
    insert = staticmethod(insert)
    errors = (psycopg.Error,)

    def __init__(self, url: str):
        super().__init__()
        self._url = url
        self._writer: psycopg.Connection | None = None
        self._failure: tuple[float, str] | None = None  # when the last connection failed, and why
        self._connecting = threading.Lock()
        self.engine = sa.create_engine(
            "postgresql+psycopg://", creator=lambda: self._connect(autocommit=False), pool_pre_ping=True
        )

    def connect(self) -> psycopg.Connection:
        """Open a connection in autocommit mode."""
        return self._connect(autocommit=True)

    def _connect(self, *, autocommit: bool) -> psycopg.Connection:
        self.check()
        with self._connecting:  # where the server does not answer, only one thread waits for it
            self.check()
            try:
                connection = psycopg.connect(self._url, autocommit=autocommit, prepare_threshold=1, **_CONNECT)  # type: ignore[arg-type]
            except psycopg.OperationalError as error:
                self._failure = (time.monotonic(), str(error).strip())
                raise self.fault(error) from error
            self._failure = None
        return connection

    def check(self) -> None:
        """Raise StoreUnavailable while a failed connection is only a moment ago."""
        if self._failure is not None and time.monotonic() - self._failure[0] < _RETRY_SECONDS:
            raise StoreUnavailable(f"the database must be reachable: {self._failure[1]}")

    def is_outage(self, error: BaseException) -> bool:
        """Return whether the connection is gone, the server stops or lacks resources, or is a standby."""
        return (
            isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
            or getattr(error, "sqlstate", None) == _READ_ONLY
        )

    def upgrade(self) -> None:
        """Bring the tables up to date, one process at a time."""
        with self.begin(write=True) as connection:
            connection.exec_driver_sql(_UPGRADE)
            upgrade(connection)

    def read(self, column: str | None, key: str, limit: int, before: int, *, integers: bool) -> tuple[State, list]:
        """Return the counters, and the newest events where `column` is `key`, oldest first."""
        if column is None:
            rows = self._fetch(_STATE, None)
        else:
            rows = self._fetch(_READS[column, integers], (key, before, limit))
        state = State._make(rows[0][:4])
        if column is None or rows[0][5] is None:
            return state, []
        return state, [row[4:] for row in rows]

    def _fetch(self, query: str, parameters: tuple | None) -> list[Any]:
        """Run a query that only reads; an idle connection may have ended since, so a second one is tried."""
        while True:
            fresh = not self._idle
            connection = self.take()
            try:
                rows = connection.execute(query, parameters, binary=True).fetchall()
            except BaseException as error:
                connection.close()
                if fresh or not self.is_outage(error):
                    raise self.fault(error) from error
                continue
            self.give(connection)
            return rows

    def write(self, submits: Sequence[list[EventRow]], shown: list[tuple]) -> list[list[bool]]:
        """Commit impressions and submits in one transaction; say for each event whether it is new."""
        if self._writer is None or self._writer.closed:
            self._writer = self.connect()
        connection = self._writer
        rows = [row for submit in submits for row in submit]
        answered = {row.rec_id for row in rows if row.rec_id is not None} | {row[0] for row in shown}
        try:
            with connection.pipeline():
                connection.execute(_BEGIN)
                connection.execute(_ORDER)
                if shown:
                    connection.execute(_SHOWN, (_json(dict(zip(_SHOWN_COLUMNS, row, strict=True)) for row in shown),))
                if rows:
                    inserted = connection.execute(_INSERT, (_json(map(_object, rows)),))
                    advanced = connection.execute(_ADVANCE, (len(rows),))
                if answered:
                    connection.execute(_ATTRIBUTE, (list(answered),))
                commit = connection.execute("COMMIT")
        except BaseException as error:
            connection.close()
            raise self.fault(error) from error
        if commit.statusmessage != "COMMIT":
            connection.close()
            raise StoreUnavailable(f"the database must commit, it answered {commit.statusmessage!r}")
        if not rows:
            return [[] for _ in submits]
        new = {seq for (seq,) in inserted.fetchall()}
        first = advanced.fetchall()[0][0] - len(rows) + 1
        answers = iter([seq in new for seq in range(first, first + len(rows))])
        return [[next(answers) for _ in submit] for submit in submits]

    def order(self, connection: sa.Connection) -> None:
        """Make this transaction the only one that gives numbers to events and merges until it ends."""
        connection.exec_driver_sql(_ORDER)

    def put(self, connection: sa.Connection, table: str, columns: Sequence[str], rows: Iterable[tuple]) -> int:
        """Insert many rows, leave out those whose key is there, and return how many were inserted."""
        driver: Any = connection.connection.driver_connection
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        parts = {"table": sql.Identifier(table), "names": names, "first": sql.Identifier(columns[0])}
        rows, n_inserted = iter(rows), 0
        with driver.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE TEMPORARY TABLE incoming (LIKE {table}) ON COMMIT DROP").format(**parts))
            while part := list(islice(rows, 100_000)):
                with cursor.copy(sql.SQL("COPY incoming ({names}) FROM STDIN").format(**parts)) as copy:
                    for row in part:
                        copy.write_row(row)
                cursor.execute(
                    sql.SQL(
                        "INSERT INTO {table} ({names}) SELECT {names} FROM incoming ORDER BY {first} "
                        "ON CONFLICT DO NOTHING"
                    ).format(**parts)
                )
                n_inserted += cursor.rowcount
                cursor.execute("TRUNCATE incoming")
            cursor.execute("DROP TABLE incoming")
        return n_inserted

    def cursor(self, connection: sa.Connection) -> psycopg.ServerCursor:
        """Return a cursor whose result stays on the server."""
        driver: Any = connection.connection.driver_connection
        return driver.cursor("stream")

    def among(self, column: sa.ColumnElement, values: Sequence[Any]) -> sa.ColumnElement[bool]:
        """Return the condition that a column is one of many values, passed as one parameter."""
        return column == sa.any_(sa.bindparam(None, list(values), type_=sa.ARRAY(column.type)))

    def scrub(self, texts: set[str] | None) -> bool:
        """Remove the versions of rows that no transaction sees, which holds nobody up."""
        connection = self.take()
        try:
            connection.execute("VACUUM events, merges, impressions, exposures, attributions, jobs")
        except BaseException as error:
            connection.close()
            raise self.fault(error) from error
        self.give(connection)
        return False

    def close(self) -> None:
        """Close all connections."""
        connection, self._writer = self._writer, None
        if connection is not None:
            connection.close()
        super().close()

    def _prepared(self, connection: sa.Connection, write: bool) -> sa.Connection:
        return connection.execution_options(isolation_level="READ COMMITTED" if write else "REPEATABLE READ")


def _object(row: EventRow) -> dict[str, Any]:
    return row._asdict()


def _json(rows: Iterable[dict[str, Any]]) -> str:
    return orjson.dumps(list(rows)).decode()
