"""Experiments, and which lists were shown in which variant."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "experiments",
        sa.Column("name", TEXT, primary_key=True, autoincrement=False),
        sa.Column("settings", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("stop", sa.BigInteger, nullable=True),
    )
    op.create_table(
        "exposures",
        sa.Column("rec_id", TEXT, primary_key=True, autoincrement=False),
        sa.Column("experiment", TEXT, primary_key=True, autoincrement=False),
        sa.Column("variant", TEXT, nullable=False),
        sa.Column("user", TEXT, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_exposures_user", "exposures", ["user"])
    op.create_index("exposures_by_experiment", "exposures", ["experiment", "user"])
