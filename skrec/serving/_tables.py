"""Tables of the store (SQLAlchemy Core); `migrations` creates them."""

import sqlalchemy as sa

_Long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # an INTEGER PRIMARY KEY is SQLite's row id
_Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")  # compared as bytes in both databases

metadata = sa.MetaData()


def _key(name: str) -> sa.Column:
    return sa.Column(name, _Long, primary_key=True, autoincrement=True)


def _own_key(name: str, kind=_Text) -> sa.Column:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, _Text, nullable=nullable)


def _long(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def _double(name: str) -> sa.Column:
    return sa.Column(name, sa.Double)


settings = sa.Table("settings", metadata, _own_key("name"), _text("value"))

# one row: counters of changes, and the last numbers given to events and merges, in the order of commits
state = sa.Table(
    "state",
    metadata,
    _own_key("id", sa.Integer),
    *(_long(name) for name in ("catalogue", "rules", "models", "keys", "last_seq", "last_merge")),
)

# original_user is NULL where the event came for `user` itself, otherwise the user it came for before a merge
events = sa.Table(
    "events",
    metadata,
    _own_key("seq", _Long),
    _text("id", nullable=True),
    _text("user"),
    _text("original_user", nullable=True),
    _text("item"),
    _text("event", nullable=True),
    _long("time"),
    _double("value"),
    _text("session", nullable=True),
    _text("rec_id", nullable=True),
)
_id, _session, _rec, _original = (events.c[name].isnot(None) for name in ("id", "session", "rec_id", "original_user"))
sa.Index("events_by_user", *(events.c[name] for name in ("user", "time", "seq", "item", "event", "value")))
sa.Index("events_by_id", events.c.id, unique=True, sqlite_where=_id, postgresql_where=_id)
sa.Index("events_by_time", events.c.time)
sa.Index("events_by_session", events.c.session, events.c.time, sqlite_where=_session, postgresql_where=_session)
sa.Index("events_by_rec", events.c.rec_id, sqlite_where=_rec, postgresql_where=_rec)
sa.Index("events_by_original", events.c.original_user, sqlite_where=_original, postgresql_where=_original)

# target: as the merge was asked for (after earlier merges); user: where the source's events are now
merges = sa.Table(
    "merges",
    metadata,
    _own_key("seq", _Long),
    sa.Column("source", _Text, nullable=False, unique=True),
    _text("target"),
    sa.Column("user", _Text, nullable=False, index=True),
    _long("time"),
)

items = sa.Table(
    "items",
    metadata,
    _own_key("item"),
    _text("name", nullable=True),
    _text("category", nullable=True),
    _double("price"),
    _long("stock", nullable=True),
    sa.Column("hidden", sa.Boolean, nullable=False),
    _text("image", nullable=True),
    _long("added", nullable=True),
    _text("properties"),
    sa.Column("version", sa.BigInteger, nullable=False, index=True),
    sa.Column("deleted", sa.Boolean, nullable=False),
)

rules = sa.Table("rules", metadata, _own_key("scenario"), _text("body"))

impressions = sa.Table(
    "impressions",
    metadata,
    _own_key("rec_id"),
    _own_key("position", sa.Integer),
    sa.Column("user", _Text, index=True),
    _text("item"),
    _text("scenario"),
    _double("score"),
    _double("probability"),
    sa.Column("version", sa.Integer),
    _long("time"),
)

attributions = sa.Table(
    "attributions",
    metadata,
    _own_key("event_seq", _Long),
    sa.Column("rec_id", _Text, nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
)

jobs = sa.Table(
    "jobs",
    metadata,
    _key("id"),
    _text("kind"),
    sa.Column("status", _Text, nullable=False, index=True),
    _long("created"),
    *(_long(name, nullable=True) for name in ("started", "finished", "heartbeat")),
    _double("progress"),
    _text("payload", nullable=True),
    _text("result", nullable=True),
    sqlite_autoincrement=True,
)

models = sa.Table(
    "models",
    metadata,
    _key("version"),
    _text("file"),
    _text("status"),
    _long("created"),
    *(_long(name, nullable=True) for name in ("learned_seq", "learned_merge", "learned_until")),
    _text("note", nullable=True),
    _text("quality"),
    sqlite_autoincrement=True,
)

quality = sa.Table(
    "quality",
    metadata,
    _own_key("day"),
    _own_key("version", sa.Integer),
    sa.Column("n_users", sa.Integer, nullable=False),
    *(_double(name) for name in ("ndcg", "hit_rate", "popularity_ndcg")),
)

keys = sa.Table("keys", metadata, _own_key("name"), _text("role"), _text("digest"), _long("created"))

experiments = sa.Table(
    "experiments",
    metadata,
    _own_key("name"),
    _text("settings"),
    _text("status"),
    *(_long(name) for name in ("created", "start")),
    _long("stop", nullable=True),
)

# the lists of users who take part in an experiment; user: as the request named it
exposures = sa.Table(
    "exposures",
    metadata,
    _own_key("rec_id"),
    _own_key("experiment"),
    _text("variant"),
    sa.Column("user", _Text, nullable=False, index=True),
    _long("time"),
)
sa.Index("exposures_by_experiment", exposures.c.experiment, exposures.c.user)
