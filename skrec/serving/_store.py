"""The store of the service: events, items, rules, impressions, models and jobs, in SQLite or PostgreSQL."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import orjson
import sqlalchemy as sa

from . import _tables
from ._database import (
    LATEST,
    Database,
    Event,
    EventRow,
    Id,
    Impression,
    Kinds,
    MergeRefused,
    State,
    StoreUnavailable,
    advance,
    kind_of,
    text_of,
)
from ._store_admin import Administration
from ._store_bulk import Bulk
from ._store_experiments import Experiments, Waiting
from ._store_users import Users
from ._store_watch import Watch
from ._writer import Answer, Writer

__all__ = ["Event", "Impression", "Kinds", "MergeRefused", "State", "Store", "StoreUnavailable", "open_store"]


class Store(Experiments, Bulk, Users, Administration, Watch):
    """Everything that the service keeps; all methods may be called from any thread.

    Ids are Python strings or integers, as `kinds` says; times are microseconds since 1970 (UTC). Calls raise
    `StoreUnavailable` while the database is away, and succeed again once it is back.

    Parameters
    ----------
    database : Database
        Where the tables are; `open_store` makes it from a URL.

    Attributes
    ----------
    on_commit : callable or None
        Called with a list of ``(token, answer)`` once for each group of submits that were committed together, for
        the submits of `submit_to`. It runs in the thread that writes, and so must be short: an asyncio application
        passes the list on by one ``loop.call_soon_threadsafe``.
    """

    def __init__(self, database: Database):
        self.database = database
        self.on_commit: Callable[[list[tuple[Any, Answer]]], object] | None = None
        self._kinds = Kinds(None, None)
        self._waiting_exposures = Waiting()
        self._writer = Writer(database, self._committed)

    def start(self) -> None:
        """Start the thread that writes; before it, `submit` is refused."""
        self._writer.start()

    def close(self) -> None:
        """Commit what is queued, and close all connections."""
        self._writer.close()
        self._flush_quietly()
        self.database.close()

    @property
    def n_dropped(self) -> int:
        """Number of impressions that were dropped: too many waited, or the database was away."""
        return self._writer.n_dropped

    @property
    def kinds(self) -> Kinds:
        """Kinds of the ids; what is not fixed yet is looked up again."""
        if None in self._kinds:
            with self.database.begin() as connection:
                self._read_kinds(connection)
        return self._kinds

    def fix_kinds(self, user: str | None = None, item: str | None = None) -> Kinds:
        """Set the kinds that are not fixed yet, and return what holds: another process may have been first."""
        for kind in (user, item):
            if kind not in ("integer", "string", None):
                raise ValueError(f"a kind must be 'integer' or 'string', got {kind!r}")
        before = self.kinds
        if (before.user is None and user is not None) or (before.item is None and item is not None):
            with self.database.begin(write=True) as connection:
                for name, kind in (("user_kind", user), ("item_kind", item)):
                    if kind is not None:
                        row = self.database.insert(_tables.settings).values(name=name, value=kind)
                        connection.execute(row.on_conflict_do_nothing())
                self._read_kinds(connection)
        return self._kinds

    def _read_kinds(self, connection: sa.Connection) -> None:
        name, value = _tables.settings.c.name, _tables.settings.c.value
        query = sa.select(name, value).where(name.in_(["user_kind", "item_kind"]))
        values = dict(connection.execute(query).all())
        self._kinds = Kinds(values.get("user_kind"), values.get("item_kind"))

    def _kinds_for(self, user: Any = None, item: Any = None) -> Kinds:
        """Return the kinds, fixed by these ids where nothing has fixed them yet."""
        if None not in self._kinds:
            return self._kinds
        return self.fix_kinds(*(None if value is None else kind_of(value) for value in (user, item)))

    # ------------------------------------------------------------------------------------------------ events in

    def submit(self, events: Sequence[Event]) -> "Future[list[bool]]":
        """Write events; all of them in one commit, or none.

        Parameters
        ----------
        events : list of Event
            The events. An event whose id is known already, also within the list, is left out. A user who was merged
            into another is written as that one.

        Returns
        -------
        Future
            Resolved after the commit, when the events are on the disk: for each event True if it was accepted and
            False if its id was known. `StoreUnavailable` if the database cannot be written; the events may then be
            submitted again (those with an id are not doubled even where the commit did happen).

        Raises
        ------
        TypeError
            If an id is not of the kind of this store.
        RuntimeError
            If the store was not started.
        """
        future: Future[list[bool]] = Future()
        self._writer.submit(self._rows(events), future)
        return future

    def submit_to(self, events: Sequence[Event], token: Any) -> None:
        """Write events as `submit` does; the answer goes to `on_commit` with the token.

        Parameters
        ----------
        events : list of Event
            The events.
        token : object
            What `on_commit` gets beside the answer (a list of bool, or the exception), such as an asyncio future.
        """
        self._writer.submit(self._rows(events), token)

    def _rows(self, events: Sequence[Event]) -> list[EventRow]:
        if not events:
            return []
        user_kind, item_kind = self._kinds_for(events[0].user, events[0].item)
        return [
            EventRow(
                event.id,
                text_of(event.user, user_kind, "user"),
                None,
                text_of(event.item, item_kind, "item"),
                event.event,
                event.time,
                event.value,
                event.session,
                event.rec_id,
            )
            for event in events
        ]

    def _committed(self, answers: list[tuple[Any, Answer]]) -> None:
        if self.on_commit is not None:
            self.on_commit(answers)

    def show(self, impressions: Sequence[Impression]) -> None:
        """Write impressions soon, without an answer: with the next commit that needs them, or in a quarter second.

        Where too many wait they are dropped, and counted in `n_dropped`.

        Parameters
        ----------
        impressions : list of Impression
            One for each position that was shown.
        """
        if not impressions:
            return
        user_kind, item_kind = self._kinds_for(impressions[0].user, impressions[0].item)
        self._writer.show(
            [
                row._replace(
                    user=None if row.user is None else text_of(row.user, user_kind, "user"),
                    item=text_of(row.item, item_kind, "item"),
                )
                for row in impressions
            ]
        )

    def show_list(
        self,
        rec_id: str,
        user: Id | None,
        items: Sequence,
        scores: Sequence,
        probabilities: Sequence | None,
        *rest: Any,
    ) -> None:
        """Write the impressions of one list as `show` does, at less cost; `rest` is scenario, version and time.

        Parameters
        ----------
        rec_id : str
            Name of the list.
        user : str or int or None
            Who was shown it.
        items : sequence of ids
            The items by position, of the kind of this store.
        scores, probabilities : sequence of float, or None
            Their scores, and the probability of each at its position.
        *rest : str, int, int
            Scenario, version of the model (or None), and time.
        """
        kinds = self._kinds_for(user, items[0] if items else None)
        who = None if user is None else text_of(user, kinds.user, "user")
        texts = items if kinds.item == "string" else [str(item) for item in items]
        scenario, version, time = rest
        chances = probabilities or [None] * len(items)
        rows = zip(texts, scores, chances, strict=True)
        self._writer.show(
            [(rec_id, n, who, item, scenario, s, c, version, time) for n, (item, s, c) in enumerate(rows)]
        )

    def _flush_impressions(self) -> None:
        self._writer.flush()
        self.flush_exposures()

    # ---------------------------------------------------------------------------------------------- histories out

    def read(
        self, user: Id | None = None, session: str | None = None, limit: int = 1000, before: int | None = None
    ) -> tuple[State, list[tuple[Any, int, str | None, float | None]]]:
        """Return the newest events of a user, or of a session, and the counters.

        Parameters
        ----------
        user : str or int, default=None
            Whose events; before `session`.
        session : str, default=None
            The events of this session, if no user is given.
        limit : int, default=1000
            Maximum number of events.
        before : int, default=None
            Only events before this time.

        Returns
        -------
        tuple of (State, list)
            The counters, and the events as (item, time, event, value), oldest first.
        """
        kinds = self._kinds if None not in self._kinds else self.kinds
        column, key = None, ""
        if user is not None and kinds.user is not None:
            column, key = "user", text_of(user, kinds.user, "user")
        elif user is None and session is not None:
            column, key = "session", session
        return self.database.read(
            column, key, limit, LATEST if before is None else before, integers=kinds.item == "integer"
        )

    def state(self) -> State:
        """Return the counters that increase with each change."""
        return self.database.read(None, "", 0, 0, integers=False)[0]

    # ------------------------------------------------------------------------------------------------------ rules

    def rules(self) -> dict[str, dict]:
        """Return the rules of each scenario."""
        with self.database.begin() as connection:
            rows = connection.execute(sa.select(_tables.rules)).all()
        return {scenario: orjson.loads(body) for scenario, body in rows}

    def put_rules(self, scenario: str, body: dict) -> None:
        """Set the rules of a scenario."""
        text = orjson.dumps(body).decode()
        with self.database.begin(write=True) as connection:
            advance(connection, "rules")
            row = self.database.insert(_tables.rules).values(scenario=scenario, body=text)
            connection.execute(row.on_conflict_do_update(index_elements=["scenario"], set_={"body": text}))

    def delete_rules(self, scenario: str) -> bool:
        """Delete the rules of a scenario; return whether there were any."""
        with self.database.begin(write=True) as connection:
            found = connection.execute(sa.delete(_tables.rules).where(_tables.rules.c.scenario == scenario)).rowcount
            if found:
                advance(connection, "rules")
        return found > 0


def open_store(url: str) -> Store:
    """Open the store at a URL, and bring its tables up to date.

    Parameters
    ----------
    url : str
        ``sqlite:///path`` (``sqlite:////absolute/path``; the folder is made), or ``postgresql://user:password@host/name``.

    Returns
    -------
    Store
        The store; `start` it before events are submitted.

    Raises
    ------
    ValueError
        If the URL is of neither database.
    StoreUnavailable
        If the database cannot be reached.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        path = rest.removeprefix("/")
        if not rest.startswith("/") or path in ("", ":memory:"):
            raise ValueError("a database of SQLite must be a file: sqlite:///path or sqlite:////absolute/path")
        from ._sqlite import SQLite

        database: Database = SQLite(path)
    elif scheme in ("postgresql", "postgres"):
        from ._postgres import PostgreSQL

        database = PostgreSQL(url)
    else:
        raise ValueError(f"the database must be sqlite:///path or postgresql://..., got a URL of {scheme!r}")
    try:
        database.upgrade()
    except BaseException:
        database.close()
        raise
    return Store(database)
