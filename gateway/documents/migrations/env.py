"""How Alembic runs here: always on a connection it is handed, in the transaction that holds the lock."""

from alembic import context

from gateway.documents.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True, render_as_batch=True
)
context.run_migrations()
