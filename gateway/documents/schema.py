"""Bring a ledger's schema up to date, by Alembic. Processes that start together take turns."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

HEAD = "0004"
"""The newest revision. A test compares it with the migrations."""

LOCK = 0x4C454447
"""Any number of our own, for PostgreSQL's advisory lock."""


class UnknownSchema(Exception):
    """The database was made by a newer gateway, or is not a ledger."""


def upgrade(connection: Connection) -> None:
    """Make or change the tables until they are this version's, in the caller's transaction. Raises ``UnknownSchema`` for a newer
    one."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    found = _revision(connection)
    if found == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise UnknownSchema(f"the ledger's schema is {found}, which this version of the gateway does not know") from error


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found
