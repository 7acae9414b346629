"""What both databases of the store share: rows, errors, connections, and transactions by SQLAlchemy."""

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, NamedTuple

import sqlalchemy as sa

from . import _tables

Id = str | int
LATEST = 2**63 - 1


class StoreUnavailable(RuntimeError):
    """The database cannot be reached, or cannot write, at the moment: the same call can succeed later."""


class MergeRefused(ValueError):
    """A user that was merged into one user cannot be merged into another."""


class Kinds(NamedTuple):
    """Kind of the ids of users and of items: "integer", "string", or None while nothing has fixed it."""

    user: str | None
    item: str | None


class Event(NamedTuple):
    """One event; `id` makes it one event however often it is sent, `time` is in microseconds since 1970 (UTC)."""

    id: str | None
    user: Id
    item: Id
    event: str | None
    time: int
    value: float | None = None
    session: str | None = None
    rec_id: str | None = None


class Impression(NamedTuple):
    """One position of one answer, as it was shown."""

    rec_id: str
    position: int
    user: Id | None
    item: Id
    scenario: str
    score: float | None
    probability: float | None
    version: int | None
    time: int


class State(NamedTuple):
    """Counters that increase with each change of the catalogue, the rules, the current model and the keys."""

    catalogue: int
    rules: int
    models: int
    keys: int


class EventRow(NamedTuple):
    """An event as the database holds it: all ids are texts, and no number is given to it yet."""

    id: str | None
    user: str
    original_user: str | None
    item: str
    event: str | None
    time: int
    value: float | None
    session: str | None
    rec_id: str | None


def kind_of(value) -> str:
    """Return the kind of an id: "string" or "integer"."""
    return "string" if isinstance(value, str) else "integer"


def text_of(value, kind: str | None, what: str) -> str:
    """Return an id as the text that the database holds; `what` names it in the error."""
    if kind == "integer":
        number = value if type(value) is int else _whole(value)
        if number is not None and -(2**63) <= number < 2**63:
            return str(number)
        raise TypeError(f"{what} must be an integer of 64 bits, as all ids of {what}s in this store, got {value!r}")
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{what} must be a string, as all ids of {what}s in this store, got {value!r}")


def _whole(value) -> int | None:
    """Return a NumPy integer as an integer, and None for anything else."""
    is_integer = hasattr(value, "__index__") and not isinstance(value, bool) and type(value).__name__ != "bool"
    return int(value) if is_integer else None


def id_of(text: str | None, kind: str | None) -> Any:
    """Return the id that a text of the database stands for."""
    return int(text) if kind == "integer" and text is not None else text


def advance(connection: sa.Connection, counter: str, by: int = 1) -> int:
    """Add to a counter of the table `state` and return its value; it is locked until the transaction ends."""
    column = _tables.state.c[counter]
    connection.execute(sa.update(_tables.state).values({column: column + by}))
    return connection.execute(sa.select(column)).scalar_one()


def row_of(row: Any) -> dict[str, Any]:
    """Return a row of SQLAlchemy as a dict with plain strings as keys, which JSON encoders ask for."""
    return {str(name): value for name, value in row.items()}


def now() -> int:
    """Return the time in microseconds since 1970 (UTC)."""
    return time.time_ns() // 1000


class Database(ABC):
    """A database: transactions by SQLAlchemy for what is not hot, the driver itself for events in and histories out."""

    name: ClassVar[str]
    insert: ClassVar[Callable[..., Any]]  # the dialect's insert, which has on_conflict_do_update
    errors: ClassVar[tuple[type[Exception], ...]]  # all errors of the driver
    engine: sa.Engine

    def __init__(self) -> None:
        self._idle: deque[Any] = deque()

    @abstractmethod
    def connect(self) -> Any:
        """Open a connection of the driver in autocommit mode."""

    @abstractmethod
    def check(self) -> None:
        """Raise StoreUnavailable if the database is known to be away."""

    @abstractmethod
    def is_outage(self, error: BaseException) -> bool:
        """Return whether an error of the driver says that the same call can succeed later."""

    @abstractmethod
    def upgrade(self) -> None:
        """Create the database where it can be, and bring its tables up to date, one process at a time."""

    @abstractmethod
    def write(self, submits: Sequence[list[EventRow]], shown: list[tuple]) -> list[list[bool]]:
        """Commit impressions and submits in one transaction; say for each event whether it is new."""

    @abstractmethod
    def read(self, column: str | None, key: str, limit: int, before: int, *, integers: bool) -> tuple[State, list]:
        """Return the counters, and the newest events where `column` is `key`, oldest first."""

    @abstractmethod
    def order(self, connection: sa.Connection) -> None:
        """Make this transaction the only one that gives numbers to events and merges until it ends."""

    @abstractmethod
    def put(self, connection: sa.Connection, table: str, columns: Sequence[str], rows: Iterable[tuple]) -> int:
        """Insert many rows, leave out those whose key is there, and return how many were inserted."""

    @abstractmethod
    def cursor(self, connection: sa.Connection) -> Any:
        """Return a cursor of the driver that does not hold all rows of its result."""

    def stream(self, connection: sa.Connection, query: sa.Select, size: int) -> Iterator[list[tuple]]:
        """Run a query by the driver, whose rows cost less, and return `size` rows at a time."""
        compiled: Any = query.compile(dialect=self.engine.dialect)
        values = compiled.params
        cursor = self.cursor(connection)
        try:
            cursor.execute(str(compiled), [values[name] for name in compiled.positiontup or ()] or values)
            while rows := cursor.fetchmany(size):
                yield rows
        finally:
            cursor.close()

    @abstractmethod
    def among(self, column: sa.ColumnElement, values: Sequence[Any]) -> sa.ColumnElement[bool]:
        """Return the condition that a column is one of many values, passed as one parameter."""

    @abstractmethod
    def scrub(self, texts: set[str] | None) -> bool:
        """Remove from the database's files what was deleted from the tables; return whether they were rewritten."""

    def take(self) -> Any:
        """Return an idle connection of the driver, or a new one; `give` takes it back."""
        with suppress(IndexError):
            return self._idle.pop()
        return self.connect()

    def give(self, connection: Any) -> None:
        """Take a connection back for the next call."""
        self._idle.append(connection)

    def close(self) -> None:
        """Close all connections."""
        while self._idle:
            self._idle.pop().close()
        self.engine.dispose()

    def fault(self, error: BaseException) -> BaseException:
        """Return the error to raise for one of the driver."""
        if isinstance(error, self.errors) and self.is_outage(error):
            return StoreUnavailable(f"the database must be reachable and writable: {str(error).strip()}")
        return error

    @contextmanager
    def begin(self, *, write: bool = False, ordered: bool = False) -> Iterator[sa.Connection]:
        """Open a transaction, which sees one state of the database; it is committed unless the block raises."""
        self.check()
        try:
            with self.engine.connect() as connection:
                connection = self._prepared(connection, write or ordered)
                with connection.begin():
                    if ordered:
                        self.order(connection)
                    yield connection
        except sa.exc.DBAPIError as error:
            raise self.fault(error.orig or error) from error
        except sa.exc.TimeoutError as error:
            raise StoreUnavailable(f"a connection to the database must come free: {error}") from error
        except self.errors as error:
            raise self.fault(error) from error

    @abstractmethod
    def _prepared(self, connection: sa.Connection, write: bool) -> sa.Connection:
        """Return a connection whose transactions are of the kind asked for."""


class Part:
    """What the parts of the store rely on."""

    database: Database

    @property
    def kinds(self) -> Kinds:
        """Kinds of the ids."""
        raise NotImplementedError

    def fix_kinds(self, user: str | None = None, item: str | None = None) -> Kinds:
        """Set the kinds that are not fixed yet."""
        raise NotImplementedError

    def _flush_impressions(self) -> None:
        """Write the impressions that wait in this process."""
