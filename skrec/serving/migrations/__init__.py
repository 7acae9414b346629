"""Migrations of the store's tables (Alembic)."""

from pathlib import Path

import sqlalchemy as sa


class NewerDatabase(RuntimeError):
    """The database was written by a newer version of skrec."""


def upgrade(connection: sa.Connection) -> None:
    """Bring the tables up to date within the transaction of `connection`, which holds the lock on the database."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise NewerDatabase(
            f"the database must be of this version of skrec or of an earlier one: {error}. Install the newer skrec, "
            "or name another database"
        ) from error
