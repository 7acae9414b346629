"""The part of the store that drift is judged by: recent events, recent answers, and the last scores."""

from typing import Any

import orjson
import pyarrow as pa
import sqlalchemy as sa

from ._database import Part
from ._store_bulk import _fetched
from ._tables import attributions, events, impressions, settings

MOST_ANSWERS = 1_000_000  # the newest lists that are looked at
DAY = 86_400_000_000
_SCORES, _GAUGES = "drift", "drift_gauges"  # names of the rows


class Watch(Part):
    """Events and answers since a moment, and the scores of drift."""

    def last_event(self, until: int) -> int | None:
        """Return the time (microseconds) of the last event at or before a moment, None without one."""
        with self.database.begin() as connection:
            query = sa.select(sa.func.max(events.c.time)).where(events.c.time <= until)
            return connection.execute(query).scalar_one()

    def events_after(self, moment: int) -> int:
        """Count the events after a moment."""
        with self.database.begin() as connection:
            return connection.execute(sa.select(sa.func.count()).where(events.c.time > moment)).scalar_one()

    def recent_events(self, since: int, until: int) -> pa.Table:
        """Return the events from one moment to another, both included: user, item, event, time and value."""
        columns = (events.c[name] for name in ("user", "item", "event", "time", "value"))
        query = sa.select(*columns).where(events.c.time.between(since, until))
        with self.database.begin() as connection:
            return _fetched(self.database, connection, query, self.kinds)

    def recent_answers(self, since: int, until: int) -> pa.Table:
        """Return the lists shown from one moment to another, newest first: time, user, score, version and taken.

        `score` is that of the first item, `version` is null where popularity answered, and `taken` is 1 where an event
        that named the list took an item of it within a day, else 0. Later ones, and what is attributed by rule, which
        happens during experiments alone, would make the newest lists, or those after an experiment, look worse.
        """
        shown = impressions.c
        own = sa.and_(
            attributions.c.rec_id == shown.rec_id,
            events.c.seq == attributions.c.event_seq,
            events.c.rec_id.is_not(None),
            events.c.time < shown.time + DAY,
        )
        taken = sa.exists().where(own)
        query = sa.select(
            *(shown.time, shown.user, shown.score, shown.version, sa.case((taken, 1), else_=0).label("taken"))
        )
        first = sa.and_(shown.rec_id >= f"{max(since, 0):014x}", shown.position == 0)  # ids are in the order of time
        with self.database.begin() as connection:
            chosen = query.where(first, shown.time <= until).order_by(shown.rec_id.desc()).limit(MOST_ANSWERS)
            return _fetched(self.database, connection, chosen, self.kinds)

    def keep_drift(self, scores: dict[str, Any], gauges: dict[str, float]) -> None:
        """Keep the scores of drift and their gauges in the place of the former ones."""
        rows = [(_SCORES, orjson.dumps(scores).decode()), (_GAUGES, orjson.dumps(gauges).decode())]
        new = self.database.insert(settings).values([{"name": name, "value": value} for name, value in rows])
        with self.database.begin(write=True) as connection:
            connection.execute(new.on_conflict_do_update(index_elements=["name"], set_={"value": new.excluded.value}))

    def drift(self) -> dict[str, Any] | None:
        """Return the scores of drift that were kept last, with their gauges; None before the first."""
        found = self._kept(_SCORES, _GAUGES)
        return None if _SCORES not in found else {"gauges": found.get(_GAUGES, {})} | found[_SCORES]

    def drift_gauges(self) -> dict[str, float]:
        """Return the gauges of the scores that were kept last, without reading the scores."""
        return self._kept(_GAUGES).get(_GAUGES, {})

    def _kept(self, *names: str) -> dict[str, Any]:
        query = sa.select(settings.c.name, settings.c.value).where(settings.c.name.in_(names))
        with self.database.begin() as connection:
            return {name: orjson.loads(value) for name, value in connection.execute(query)}
