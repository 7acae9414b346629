"""The part of the store that drift is judged by: recent events, recent answers, and the last scores."""

from typing import Any

import orjson
import pyarrow as pa
import sqlalchemy as sa

from ._database import Part
from ._store_bulk import _fetched
from ._tables import attributions, events, impressions, settings

_MOST_ANSWERS = 1_000_000  # the newest lists that are looked at
_SCORES = "drift"  # name of the row


class Watch(Part):
    """Events and answers since a moment, and the scores of drift."""

    def recent_events(self, since: int) -> pa.Table:
        """Return the events at or after a moment (microseconds): user, item, event, time and value."""
        columns = (events.c[name] for name in ("user", "item", "event", "time", "value"))
        with self.database.begin() as connection:
            return _fetched(self.database, connection, sa.select(*columns).where(events.c.time >= since), self.kinds)

    def recent_answers(self, since: int) -> pa.Table:
        """Return the lists shown at or after a moment, newest first: time, user, score, version and taken.

        `score` is that of the first item, `version` is null where popularity answered, and `taken` is 1 where an item
        of the list was taken, else 0.
        """
        taken = sa.exists().where(attributions.c.rec_id == impressions.c.rec_id)
        shown = impressions.c
        query = sa.select(
            *(shown.time, shown.user, shown.score, shown.version, sa.case((taken, 1), else_=0).label("taken"))
        )
        first = sa.and_(shown.rec_id >= f"{max(since, 0):014x}", shown.position == 0)  # ids are in the order of time
        with self.database.begin() as connection:
            chosen = query.where(first).order_by(shown.rec_id.desc()).limit(_MOST_ANSWERS)
            return _fetched(self.database, connection, chosen, self.kinds)

    def keep_drift(self, scores: Any) -> None:
        """Keep the scores of drift in the place of the former ones."""
        row = self.database.insert(settings).values(name=_SCORES, value=orjson.dumps(scores).decode())
        with self.database.begin(write=True) as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": row.excluded.value}))

    def drift(self) -> Any:
        """Return the scores of drift that were kept last; None before the first."""
        with self.database.begin() as connection:
            found = connection.execute(sa.select(settings.c.value).where(settings.c.name == _SCORES)).scalar()
        return None if found is None else orjson.loads(found)
