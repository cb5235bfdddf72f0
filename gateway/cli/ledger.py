"""Reading a ledger from the command line, beside a gateway that may be running. Nothing is written, and none is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from gateway.config.gateway import Gateway
from gateway.config.source import read_source, validate
from gateway.documents.stores import located, open_store

T = TypeVar("T")


class Unreadable(Exception):
    """There is no ledger to be read. Says why."""


def read_ledger(config: Path, look: Callable[[Connection], T]) -> T:
    """What ``look`` finds in the ledger of the deployment at ``config``, in one consistent state. Raises ``Unreadable``, and
    ``ConfigError`` when the file cannot be used."""
    settings = validate(read_source(config, name=config.name), Gateway).ledger
    url = located(settings.url, config.parent)
    parsed = make_url(url)
    if parsed.drivername == "sqlite" and not Path(parsed.database or "").is_file():
        raise Unreadable(f"The ledger cannot be read: there is no file {parsed.database}.")
    try:
        return asyncio.run(_read(url, look))
    except (SQLAlchemyError, OSError) as error:
        raise Unreadable(f"The ledger cannot be read: {getattr(error, 'orig', None) or error}") from error


async def _read(url: str, look: Callable[[Connection], T]) -> T:
    store = open_store(url)
    try:
        return await store.read(look)
    finally:
        await store.aclose()
