"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _column(name, kind, *, null=True, key=False):
    return sa.Column(name, kind, nullable=null and not key, primary_key=key, autoincrement=False)


def _index(name, table, columns, *, given=None, unique=False):
    where = sa.text(f"{given} IS NOT NULL") if given else None
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _events() -> None:
    op.create_table(
        "events",
        _column("seq", LONG, key=True),
        _column("id", TEXT),
        _column("user", TEXT, null=False),
        _column("original_user", TEXT),
        _column("item", TEXT, null=False),
        _column("event", TEXT),
        _column("time", sa.BigInteger, null=False),
        _column("value", sa.Double),
        _column("session", TEXT),
        _column("rec_id", TEXT),
    )
    _index("events_by_user", "events", ["user", "time", "seq", "item", "event", "value"])
    _index("events_by_id", "events", ["id"], given="id", unique=True)
    _index("events_by_time", "events", ["time"])
    _index("events_by_session", "events", ["session", "time"], given="session")
    _index("events_by_rec", "events", ["rec_id"], given="rec_id")
    _index("events_by_original", "events", ["original_user"], given="original_user")
    op.create_table(
        "merges",
        _column("seq", LONG, key=True),
        sa.Column("source", TEXT, nullable=False, unique=True),
        _column("target", TEXT, null=False),
        _column("user", TEXT, null=False),
        _column("time", sa.BigInteger, null=False),
    )
    _index("ix_merges_user", "merges", ["user"])


def _shown() -> None:
    op.create_table(
        "impressions",
        _column("rec_id", TEXT, key=True),
        _column("position", sa.Integer, key=True),
        _column("user", TEXT),
        _column("item", TEXT, null=False),
        _column("scenario", TEXT, null=False),
        _column("score", sa.Double),
        _column("probability", sa.Double),
        _column("version", sa.Integer),
        _column("time", sa.BigInteger, null=False),
    )
    _index("ix_impressions_user", "impressions", ["user"])
    op.create_table(
        "attributions",
        _column("event_seq", LONG, key=True),
        _column("rec_id", TEXT, null=False),
        _column("position", sa.Integer, null=False),
    )
    _index("ix_attributions_rec_id", "attributions", ["rec_id"])


def _catalogue() -> None:
    op.create_table(
        "items",
        _column("item", TEXT, key=True),
        _column("name", TEXT),
        _column("category", TEXT),
        _column("price", sa.Double),
        _column("stock", sa.BigInteger),
        _column("hidden", sa.Boolean, null=False),
        _column("image", TEXT),
        _column("added", sa.BigInteger),
        _column("properties", TEXT, null=False),
        _column("version", sa.BigInteger, null=False),
        _column("deleted", sa.Boolean, null=False),
    )
    _index("ix_items_version", "items", ["version"])
    op.create_table("rules", _column("scenario", TEXT, key=True), _column("body", TEXT, null=False))


def _administration() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", LONG, primary_key=True, autoincrement=True),
        _column("kind", TEXT, null=False),
        _column("status", TEXT, null=False),
        _column("created", sa.BigInteger, null=False),
        _column("started", sa.BigInteger),
        _column("finished", sa.BigInteger),
        _column("heartbeat", sa.BigInteger),
        _column("progress", sa.Double),
        _column("payload", TEXT),
        _column("result", TEXT),
        sqlite_autoincrement=True,
    )
    _index("ix_jobs_status", "jobs", ["status"])
    op.create_table(
        "models",
        sa.Column("version", LONG, primary_key=True, autoincrement=True),
        _column("file", TEXT, null=False),
        _column("status", TEXT, null=False),
        _column("created", sa.BigInteger, null=False),
        _column("learned_seq", sa.BigInteger),
        _column("learned_merge", sa.BigInteger),
        _column("learned_until", sa.BigInteger),
        _column("note", TEXT),
        _column("quality", TEXT, null=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "quality",
        _column("day", TEXT, key=True),
        _column("version", sa.Integer, key=True),
        _column("n_users", sa.Integer, null=False),
        _column("ndcg", sa.Double),
        _column("hit_rate", sa.Double),
        _column("popularity_ndcg", sa.Double),
    )
    op.create_table(
        "keys",
        _column("name", TEXT, key=True),
        _column("role", TEXT, null=False),
        _column("digest", TEXT, null=False),
        _column("created", sa.BigInteger, null=False),
    )


def upgrade() -> None:
    """Create the tables, and the one row of counters."""
    op.create_table("settings", _column("name", TEXT, key=True), _column("value", TEXT, null=False))
    counters = ("catalogue", "rules", "models", "keys", "last_seq", "last_merge")
    op.create_table(
        "state", _column("id", sa.Integer, key=True), *(_column(name, sa.BigInteger, null=False) for name in counters)
    )
    _events()
    _shown()
    _catalogue()
    _administration()
    op.execute("INSERT INTO state VALUES (1, 0, 0, 0, 0, 0, 0)")
