"""The part of the store about experiments: which there are, who was shown which variant, and what followed."""

import logging
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Any

import orjson
import sqlalchemy as sa

from ._database import Id, Part, StoreUnavailable, advance, id_of, now, row_of, text_of
from ._tables import attributions, events, experiments, exposures, impressions, merges, settings, state

DAY = 86_400_000_000  # microseconds
_APART = DAY // 24  # before the first list
_SOON = 0.25  # seconds that exposures wait
_MOST = 100_000  # exposures that wait; more are dropped
_PART = 5000  # events that are attributed in one transaction, while which others are not written
_CURSOR = "attributed_seq"
_COUNTED: Any = {"preserve_rowcount": True}
logger = logging.getLogger("skrec.serving")


class Experiments(Part):
    """Experiments as dicts of their columns, exposures and attribution by rule."""

    _waiting_exposures: "Waiting"

    # ------------------------------------------------------------------------------------------------ experiments

    def experiments(self) -> list[dict[str, Any]]:
        """Return all experiments, oldest first; `settings` is the body of `ExperimentIn`."""
        with self.database.begin() as connection:
            rows = connection.execute(sa.select(experiments).order_by(experiments.c.created, experiments.c.name))
            return [_loaded(row) for row in rows.mappings()]

    def experiment(self, name: str) -> dict[str, Any] | None:
        """Return an experiment, or None."""
        with self.database.begin() as connection:
            query = sa.select(experiments).where(experiments.c.name == name)
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else _loaded(row)

    def add_experiment(self, name: str, body: dict[str, Any], start: int, stop: int | None) -> bool:
        """Add an experiment; return False if the name is taken."""
        text = orjson.dumps(body).decode()
        row = self.database.insert(experiments).values(
            name=name, settings=text, status="running", created=now(), start=start, stop=stop
        )
        with self.database.begin(write=True) as connection:
            advance(connection, "rules")  # other processes look again
            return connection.execute(row.on_conflict_do_nothing(), execution_options=_COUNTED).rowcount > 0

    def change_experiment(self, name: str, **columns: Any) -> bool:
        """Change columns of an experiment; return False if there is none."""
        if "settings" in columns:
            columns["settings"] = orjson.dumps(columns["settings"]).decode()
        with self.database.begin(write=True) as connection:
            advance(connection, "rules")
            query = sa.update(experiments).where(experiments.c.name == name).values(columns)
            return connection.execute(query).rowcount > 0

    def running_experiments(self, ended: int = 0) -> list[dict[str, Any]]:
        """Return the experiments that run or will, and those that ended in the last microseconds."""
        moment = now()
        return [
            row
            for row in self.experiments()
            if status_of(row, moment) != "stopped" or (ended and (row["stop"] or 0) > moment - ended)
        ]

    def versions_in_use(self) -> set[int]:
        """Return the versions of the model that running experiments show."""
        variants = [one for row in self.running_experiments() for one in row["settings"]["variants"].values()]
        return {one["version"] for one in variants if one.get("version") is not None}

    # -------------------------------------------------------------------------------------------------- exposures

    def expose(self, rec_id: str, user: Id, variants: Iterable[tuple[str, str]], time: int) -> None:
        """Write soon in which variants of which experiments a list was shown; nobody waits for it."""
        kind = self.kinds.user
        if kind is None:
            return  # a request does not fix the kind of the ids
        text = text_of(user, kind, "user")
        rows = [(rec_id, experiment, variant, text, time) for experiment, variant in variants]
        waiting = self._waiting_exposures
        with waiting.lock:
            if len(waiting.rows) + len(rows) > _MOST:
                waiting.n_dropped += len(rows)
                return
            waiting.rows.extend(rows)
            if waiting.timer is None:
                waiting.timer = threading.Timer(_SOON, self._flush_quietly)
                waiting.timer.daemon = True
                waiting.timer.start()

    @property
    def n_exposures_dropped(self) -> int:
        """Number of exposures that were dropped: too many waited, or the database was away."""
        return self._waiting_exposures.n_dropped

    def flush_exposures(self) -> None:
        """Write the exposures that wait in this process."""
        waiting = self._waiting_exposures
        with waiting.writing:
            with waiting.lock:
                rows, waiting.timer = list(waiting.rows), None
                waiting.rows.clear()
            if not rows:
                return
            names = ("rec_id", "experiment", "variant", "user", "time")
            try:
                with self.database.begin(write=True) as connection:
                    self.database.put(connection, "exposures", names, rows)
            except BaseException:
                waiting.n_dropped += len(rows)
                raise

    def _flush_quietly(self) -> None:
        try:
            self.flush_exposures()
        except StoreUnavailable as error:
            logger.warning("exposures were dropped: %s", error)
        except Exception:
            logger.exception("exposures were dropped")

    # ----------------------------------------------------------------------------------------------- what followed

    def exposed(
        self, experiment: str, until: int, connection: sa.Connection | None = None
    ) -> list[tuple[Any, str, int, int]]:
        """Return by person, variant and day (since 1970) the number of lists that were shown before a time."""
        person, source = _person_of_exposures()
        day = (exposures.c.time // DAY).label("day")
        columns = (person, exposures.c.variant, day)
        query = sa.select(*columns, sa.func.count()).select_from(source)
        query = query.where(exposures.c.experiment == experiment, exposures.c.time < until).group_by(*columns)
        return self._by_user(query, connection)

    def followed(
        self,
        experiment: str,
        *,
        before: int,
        until: int,
        event: str | None = None,
        connection: sa.Connection | None = None,
    ) -> list[tuple[Any, bool, int, int, float | None]]:
        """Return by person and day the events since the first list, and those before.

        The hour before the first list belongs to neither: the clocks of the shop may differ, and what the list led to
        must not count as the past.

        Parameters
        ----------
        experiment : str
            Name of the experiment.
        before : int
            Microseconds before the first list from which on events count as the past.
        until : int
            Time from which on events do not count.
        event : str, default=None
            The only kind of event.
        connection : Connection, default=None
            Where to read, so that several reads see one state.

        Returns
        -------
        list of (user, bool, int, int, float or None)
            Person, whether the events followed, the day (since 1970), their number, and the sum of their values.
        """
        person, source = _person_of_exposures()
        first = sa.select(person, sa.func.min(exposures.c.time).label("first")).select_from(source)
        shown = first.where(exposures.c.experiment == experiment, exposures.c.time < until).group_by(person).subquery()
        since = sa.case((events.c.time >= shown.c.first, 1), else_=0).label("since")
        day = (events.c.time // DAY).label("day")
        columns = (shown.c.person, since, day)
        query = sa.select(*columns, sa.func.count(), sa.func.sum(events.c.value))
        query = query.select_from(shown.join(events, events.c.user == shown.c.person))
        apart = sa.or_(events.c.time >= shown.c.first, events.c.time < shown.c.first - _APART)
        query = query.where(events.c.time >= shown.c.first - before, events.c.time < until, apart)
        return [
            (user, bool(is_after), *rest)
            for user, is_after, *rest in self._by_user(_of_kind(query, event).group_by(*columns), connection)
        ]

    def responses(
        self,
        experiment: str,
        *,
        within: int,
        until: int,
        event: str | None = None,
        connection: sa.Connection | None = None,
    ) -> list[tuple[Any, str, int, int]]:
        """Return by person, variant and day the events that are attributed to lists of an experiment.

        The day is that of the event; `within` is how many microseconds after the list it may come at most. The
        columns are person, variant, day and number of events.
        """
        person, source = _person_of_exposures()
        day = (events.c.time // DAY).label("day")
        columns = (person, exposures.c.variant, day)
        joined = source.join(attributions, attributions.c.rec_id == exposures.c.rec_id)
        joined = joined.join(events, events.c.seq == attributions.c.event_seq)
        query = sa.select(*columns, sa.func.count()).select_from(joined)
        late = events.c.time - exposures.c.time
        in_time = sa.and_(late <= within, exposures.c.time < until, events.c.time < until)
        query = query.where(exposures.c.experiment == experiment, in_time)
        return self._by_user(_of_kind(query, event).group_by(*columns), connection)

    def unattributed(self, since: int, until: int) -> int:
        """Return how many events of a span, without a `rec_id`, attribution by rule has not looked at yet."""
        query = sa.select(sa.func.count()).where(
            events.c.seq > (self.attributed_seq() or 0),
            events.c.rec_id.is_(None),
            events.c.time >= since,
            events.c.time < until,
        )
        with self.database.begin() as connection:
            return connection.execute(query).scalar_one()

    def _by_user(self, query: sa.Select, connection: sa.Connection | None) -> list[Any]:
        with self.database.begin() if connection is None else nullcontext(connection) as reading:
            rows = reading.execute(query).all()
        kind = self.kinds.user
        return [(id_of(user, kind), *rest) for user, *rest in rows]

    # ------------------------------------------------------------------------------------------------- attribution

    def attributed_seq(self) -> int | None:
        """Return the number of the last event that was looked at for attribution by rule; None before the first."""
        with self.database.begin() as connection:
            query = sa.select(settings.c.value).where(settings.c.name == _CURSOR)
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else int(found)

    def seq_before(self, moment: int) -> int:
        """Return the number below which no event is at or after a moment."""
        with self.database.begin() as connection:
            found = connection.execute(sa.select(sa.func.min(events.c.seq)).where(events.c.time >= moment)).scalar()
            return connection.execute(sa.select(state.c.last_seq)).scalar_one() if found is None else found - 1

    def attribute(self, after: int, upto: int, within: int) -> int:
        """Attribute events without a `rec_id` to the list that showed their item to their user last.

        Parameters
        ----------
        after, upto : int
            Numbers of events: above the one, and not above the other.
        within : int
            Microseconds before the event in which the list must have been shown.

        Returns
        -------
        int
            Number of attributions that are new; what is attributed stays as it is.
        """
        added = 0
        for start in range(after, upto, _PART):
            end = min(start + _PART, upto)
            with self.database.begin(ordered=True) as connection:
                query = self._attributing(start, end, within)
                added += connection.execute(query, execution_options=_COUNTED).rowcount
                row = self.database.insert(settings).values(name=_CURSOR, value=str(end))
                connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": str(end)}))
        return added

    def _attributing(self, after: int, upto: int, within: int):
        own = sa.and_(events.c.seq > after, events.c.seq <= upto, events.c.rec_id.is_(None))
        names = sa.union(
            sa.select(events.c.user.label("person"), events.c.user.label("shown_to")).where(own),
            sa.select(merges.c.user, merges.c.source),
        ).subquery()
        latest = sa.func.row_number().over(
            partition_by=events.c.seq,
            order_by=(impressions.c.time.desc(), impressions.c.rec_id.desc(), impressions.c.position),
        )
        shown = sa.and_(
            impressions.c.user == names.c.shown_to,
            impressions.c.item == events.c.item,
            impressions.c.time <= events.c.time,
            impressions.c.time >= events.c.time - within,
        )
        joined = events.join(names, names.c.person == events.c.user).join(impressions, shown)
        ranked = sa.select(events.c.seq, impressions.c.rec_id, impressions.c.position, latest.label("place"))
        found = ranked.select_from(joined).where(own).subquery()
        best = sa.select(found.c.seq, found.c.rec_id, found.c.position).where(found.c.place == 1)
        return (
            self.database.insert(attributions)
            .from_select(["event_seq", "rec_id", "position"], best)
            .on_conflict_do_nothing()
        )


class Waiting:
    """Exposures that are not written yet."""

    def __init__(self) -> None:
        self.rows: deque[tuple] = deque()
        self.lock, self.writing = threading.Lock(), threading.Lock()
        self.timer: threading.Timer | None = None
        self.n_dropped = 0


def status_of(row: dict[str, Any], moment: int) -> str:
    """Return "planned", "running" or "stopped", as an experiment is at a moment."""
    if row["status"] != "running" or (row["stop"] is not None and row["stop"] <= moment):
        return "stopped"
    return "planned" if moment < row["start"] else "running"


def attribute_again(connection: sa.Connection, seq: int) -> None:
    """Let attribution by rule look again at the events from a number on, which an import has brought."""
    row = sa.update(settings).where(settings.c.name == _CURSOR, sa.cast(settings.c.value, sa.BigInteger) >= seq)
    connection.execute(row.values(value=str(seq - 1)))


def delete_exposures(connection: sa.Connection, texts: Sequence[str], before: int | None = None) -> None:
    """Delete what the tables of experiments hold about users; `before` bounds the time."""
    late = () if before is None else (exposures.c.time < before,)
    connection.execute(sa.delete(exposures).where(exposures.c.user.in_(texts), *late))


def _person_of_exposures() -> tuple[sa.Label, Any]:
    """Return the person of an exposure, and the tables that tell."""
    joined = exposures.outerjoin(merges, merges.c.source == exposures.c.user)
    return sa.func.coalesce(merges.c.user, exposures.c.user).label("person"), joined


def _of_kind(query: sa.Select, event: str | None) -> sa.Select:
    return query if event is None else query.where(events.c.event == event)


def _loaded(row: Any) -> dict[str, Any]:
    found = row_of(row)
    return found | {"settings": orjson.loads(found["settings"])}
