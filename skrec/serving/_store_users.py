"""The part of the store about people: merges, deletion, export, search, and what is popular among them."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from ._database import Id, Kinds, MergeRefused, Part, advance, id_of, kind_of, now, row_of, text_of
from ._store_experiments import delete_exposures
from ._tables import attributions, events, exposures, impressions, jobs, merges
from ._tables import items as catalogue

_PEOPLE = 20  # whose late impressions are deleted in one transaction
_SHOWN = (impressions, exposures)


class Merge(NamedTuple):
    """A merge: `target` as it was asked for, `user` where the events of the source are now."""

    seq: int
    source: Any
    target: Any
    user: Any
    time: int


class Users(Part):
    """A user and all users merged into it are one person, whose events stand under one id."""

    def merge(self, source: Id, target: Id) -> int:
        """Move the events of a user, and those that will come, to another user.

        Parameters
        ----------
        source : str or int
            Who is moved, such as the visitor who logs in.
        target : str or int
            Where to; if that user was merged itself, where its events are.

        Returns
        -------
        int
            Number of events moved; 0 if the two are one person already.

        Raises
        ------
        MergeRefused
            If the source was merged into another user before, or is the target.
        """
        kind = self.fix_kinds(user=kind_of(source)).user
        old, asked = text_of(source, kind, "user"), text_of(target, kind, "user")
        if old == asked:
            raise MergeRefused(f"a user must be merged into another one, got {source!r} twice")
        with self.database.begin(ordered=True) as connection:
            new = _person(connection, asked)
            person = _person(connection, old)
            if person == new:
                return 0
            if person != old:
                raise MergeRefused(
                    f"user {source!r} must not have been merged before, but its events are those of "
                    f"{id_of(person, kind)!r}: merge that user if they are one person"
                )
            seq = advance(connection, "last_merge")
            original = sa.func.coalesce(events.c.original_user, events.c.user)
            moved = connection.execute(
                sa.update(events).where(events.c.user == old).values(original_user=original, user=new)
            ).rowcount
            connection.execute(sa.update(merges).where(merges.c.user == old).values(user=new))
            connection.execute(sa.insert(merges).values(seq=seq, source=old, target=new, user=new, time=now()))
        return moved

    def merges(self, after: int = 0) -> list[Merge]:
        """Return the merges with a number above `after`, in their order."""
        with self.database.begin() as connection:
            query = sa.select(merges).where(merges.c.seq > after).order_by(merges.c.seq)
            rows = connection.execute(query).all()
        kind = self.kinds.user
        return [
            Merge(seq, id_of(source, kind), id_of(target, kind), id_of(user, kind), time)
            for seq, source, target, user, time in rows
        ]

    def delete_user(self, user: Id) -> int:
        """Delete a person: all rows of the user, and of all users merged with it, in every table.

        Parameters
        ----------
        user : str or int
            The user; one who was merged stands for the person.

        Returns
        -------
        int
            Id of the job "forget", made in the same transaction. Its payload holds what the models must unlearn,
            until `empty_jobs` empties it: ``user``, ``users`` (all ids of the person), ``events`` (dicts with seq,
            user, original_user, item, event, time, value and session), ``merges`` (dicts with seq, source, target,
            user and time), and ``texts``: further ids that `scrub` must leave nothing of.
        """
        self._flush_impressions()
        kinds = self._kinds_of(user)
        with self.database.begin(ordered=True) as connection:
            person, texts = _everyone(connection, text_of(user, kinds.user, "user"))
            rows = _rows_of(connection, kinds, person, texts)
            payload = {
                "user": id_of(person, kinds.user),
                "users": [id_of(text, kinds.user) for text in texts],
                "events": [{name: row[name] for name in _LEARNED} for row in rows["events"]],
                "merges": rows["merges"],
                "texts": sorted(_texts_of(rows)),
            }
            shown = sa.select(impressions.c.rec_id).where(impressions.c.user.in_(texts))
            own = sa.select(events.c.seq).where(events.c.user == person)
            for condition in (
                attributions.c.event_seq.in_(own),
                attributions.c.rec_id.in_(shown),
                impressions.c.user.in_(texts),
                events.c.user == person,
                merges.c.user == person,
            ):
                connection.execute(sa.delete(condition.left.table).where(condition))
            delete_exposures(connection, texts)
            job = sa.insert(jobs).values(
                kind="forget", status="waiting", created=now(), payload=orjson.dumps(payload).decode()
            )
            (job_id,) = connection.execute(job).inserted_primary_key or (0,)
        return job_id

    def delete_impressions(self, shown: Iterable[tuple[Sequence[Id], int]]) -> int:
        """Delete what users were shown before a time, and return how many rows; for what came behind `delete_user`.

        Impressions are written a moment after the answer, by each process of the service: those of another process
        can come after a deletion.

        Parameters
        ----------
        shown : iterable of (list of users, int)
            Users, and the time.

        Returns
        -------
        int
            Number of impressions.
        """
        kind, n_deleted = self.kinds.user, 0
        if kind is None:
            return 0
        asked = [([text_of(user, kind, "user") for user in users], before) for users, before in shown]
        first = self._first_shown({text for texts, _ in asked for text in texts})
        found = (one for one in asked if any(first.get(text, one[1]) < one[1] for text in one[0]))
        while part := list(islice(found, _PEOPLE)):  # mostly none: those who write do not wait
            with self.database.begin(write=True) as connection:
                for texts, before in part:
                    late = sa.and_(impressions.c.user.in_(texts), impressions.c.time < before)
                    of_lists = attributions.c.rec_id.in_(sa.select(impressions.c.rec_id).where(late))
                    connection.execute(sa.delete(attributions).where(of_lists))
                    n_deleted += connection.execute(sa.delete(impressions).where(late)).rowcount
                    delete_exposures(connection, texts, before)
        return n_deleted

    def _first_shown(self, texts: set[str]) -> dict[str, int]:
        """Return when each user was shown something first."""
        first: dict[str, int] = {}
        with self.database.begin() as connection:
            for table in _SHOWN:
                query = sa.select(table.c.user, sa.func.min(table.c.time)).group_by(table.c.user)
                for text, moment in connection.execute(query.where(self.database.among(table.c.user, list(texts)))):
                    first[text] = min(moment, first.get(text, moment))
        return first

    def only_of(self, items: Iterable[Id]) -> set[Id]:
        """Return those of the items that are neither in an event nor in the catalogue."""
        kind = self.kinds.item
        if kind is None:
            return set()
        texts = {text_of(item, kind, "item") for item in items}
        with self.database.begin() as connection:
            for column in (events.c.item, catalogue.c.item):
                query = sa.select(column).distinct().where(self.database.among(column, list(texts)))
                texts -= set(connection.execute(query).scalars())
        return {id_of(text, kind) for text in texts}

    def _kinds_of(self, user: Id) -> Kinds:
        """Return the kinds; while nothing has fixed that of users, the kind of this one."""
        kinds = self.kinds
        return kinds if kinds.user else kinds._replace(user=kind_of(user))

    def export_user(self, user: Id) -> dict[str, Any]:
        """Return all rows of a person: user, users (all ids), and those of each table, exposures among them."""
        self._flush_impressions()
        kinds = self._kinds_of(user)
        with self.database.begin() as connection:
            person, texts = _everyone(connection, text_of(user, kinds.user, "user"))
            rows = _rows_of(connection, kinds, person, texts)
        return {"user": id_of(person, kinds.user), "users": [id_of(text, kinds.user) for text in texts]} | rows

    def search_users(self, text: str = "", limit: int = 50) -> list[tuple[Any, int, int]]:
        """Return users whose id begins with a text as (user, number of events, last time), most active first."""
        n_events = sa.func.count()
        query = sa.select(events.c.user, n_events, sa.func.max(events.c.time)).group_by(events.c.user)
        if text:
            query = query.where(events.c.user >= text)
            if (end := _after(text)) is not None:
                query = query.where(events.c.user < end)
        with self.database.begin() as connection:
            rows = connection.execute(query.order_by(n_events.desc(), events.c.user).limit(limit)).all()
        kind = self.kinds.user
        return [(id_of(user, kind), count, last) for user, count, last in rows]

    def popular(self, since: int, limit: int) -> list[tuple[Any, int]]:
        """Return the items that most users had an event with since a time, as (item, number of users)."""
        n_users = sa.func.count(sa.distinct(events.c.user))
        query = sa.select(events.c.item, n_users).where(events.c.time >= since).group_by(events.c.item)
        query = query.order_by(n_users.desc(), events.c.item)
        with self.database.begin() as connection:
            rows = connection.execute(query.limit(limit)).all()
        kind = self.kinds.item
        return [(id_of(item, kind), count) for item, count in rows]

    def first_seen(self, limit: int) -> list[tuple[Any, int]]:
        """Return the items whose first event is the latest, newest first, as (item, time of the first event)."""
        first = sa.func.min(events.c.time)
        query = sa.select(events.c.item, first).group_by(events.c.item).order_by(first.desc(), events.c.item)
        with self.database.begin() as connection:
            rows = connection.execute(query.limit(limit)).all()
        kind = self.kinds.item
        return [(id_of(item, kind), time) for item, time in rows]

    def latest_time(self) -> int | None:
        """Return the time of the latest event."""
        with self.database.begin() as connection:
            return connection.execute(sa.select(sa.func.max(events.c.time))).scalar_one()


_LEARNED = ("seq", "user", "original_user", "item", "event", "time", "value", "session")


def _texts_of(rows: dict[str, list[dict[str, Any]]]) -> set[str]:
    """Return the texts of a person's rows that name what is the person's alone: events, lists and sessions."""
    names = [
        (table, column) for table in ("events", "impressions", "exposures") for column in ("id", "session", "rec_id")
    ]
    return {row[column] for table, column in names for row in rows[table] if row.get(column)}


def _person(connection: sa.Connection, text: str) -> str:
    """Return the id under which the events of a user stand."""
    return connection.execute(sa.select(merges.c.user).where(merges.c.source == text)).scalar_one_or_none() or text


def _everyone(connection: sa.Connection, text: str) -> tuple[str, list[str]]:
    """Return the id of the person that a user is, and all ids of that person."""
    person = _person(connection, text)
    sources = connection.execute(sa.select(merges.c.source).where(merges.c.user == person).order_by(merges.c.seq))
    return person, [person, *sources.scalars()]


def _rows_of(connection: sa.Connection, kinds: Kinds, person: str, texts: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of a person by table, with ids as the service uses them."""
    own = sa.select(events.c.seq).where(events.c.user == person)
    shown = sa.select(impressions.c.rec_id).where(impressions.c.user.in_(texts))
    mine = sa.or_(attributions.c.event_seq.in_(own), attributions.c.rec_id.in_(shown))
    queries = {
        "events": sa.select(events).where(events.c.user == person).order_by(events.c.time, events.c.seq),
        "impressions": sa.select(impressions).where(impressions.c.user.in_(texts)).order_by(impressions.c.time),
        "attributions": sa.select(attributions).where(mine).order_by(attributions.c.event_seq),
        "exposures": sa.select(exposures).where(exposures.c.user.in_(texts)).order_by(exposures.c.time),
        "merges": sa.select(merges).where(merges.c.user == person).order_by(merges.c.seq),
    }
    rows = {name: _decoded(connection.execute(query).mappings(), kinds) for name, query in queries.items()}
    for row in rows["events"]:
        row["original_user"] = row["user"] if row["original_user"] is None else row["original_user"]
    return rows


def _decoded(rows: Iterable[Any], kinds: Kinds) -> list[dict[str, Any]]:
    columns = dict.fromkeys(("user", "original_user", "source", "target"), kinds.user) | {"item": kinds.item}
    return [
        {name: id_of(value, columns[name]) if name in columns else value for name, value in row_of(row).items()}
        for row in rows
    ]


def _after(text: str) -> str | None:
    """Return the first text behind all that begin with `text`, compared by code points."""
    while text:
        last = ord(text[-1])
        if last < 0x10FFFF:
            return text[:-1] + chr(0xE000 if last == 0xD7FF else last + 1)
        text = text[:-1]
    return None
