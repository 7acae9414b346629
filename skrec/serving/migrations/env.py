"""Environment that Alembic runs: the connection comes from `upgrade`."""

from alembic import context

from skrec.serving._tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
