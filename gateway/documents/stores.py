"""The two databases a ledger can be kept in. Both run a plain function in a transaction and return when that is on disk.

SQLite runs in threads of its own, one that writes and a few that read, so that a statement costs no way through the event loop;
PostgreSQL runs on asyncpg. A connection that failed is never used again.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Protocol, TypeVar

import asyncpg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

T = TypeVar("T")
Work = Callable[[Connection], T]

READERS = 4
BUSY_SECONDS = 20
"""How long a writer waits for its turn, and how long PostgreSQL lets one that stopped in the middle keep the others waiting."""


BUSY_AGAIN = 0.01


class Store(Protocol):
    """Both raise what SQLAlchemy or the operating system raises, and then nothing is known of the transaction."""

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction that may write; return when the commit is on disk. What ``work`` raises rolls it back."""
        ...

    async def read(self, look: Work[T]) -> T:
        """Run ``look`` in a transaction that sees one state of the database and cannot write."""
        ...

    async def aclose(self) -> None: ...


def open_store(url: str) -> Store:
    """The store of ``sqlite:///path`` or ``postgresql://user@host/name``. Connects to nothing yet."""
    return SqliteStore(url) if url.startswith("sqlite:") else PostgresStore(url)


def located(url: str, folder: Path) -> str:
    """The same URL with a relative SQLite path made one below ``folder``."""
    parsed = make_url(url)
    if parsed.drivername != "sqlite" or not parsed.database:
        return url
    return parsed.set(database=str(folder / parsed.database)).render_as_string(hide_password=False)


class SqliteStore:
    """WAL with ``synchronous=FULL``: a commit is one fsync of the log. Writers of all processes take turns."""

    def __init__(self, url: str) -> None:
        Path(make_url(url).database or "").parent.mkdir(parents=True, exist_ok=True)
        self._writer = _sqlite(url, 1, "BEGIN IMMEDIATE", ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"))
        self._reader = _sqlite(url, READERS, "BEGIN", ("query_only=ON",))
        self._writing = ThreadPoolExecutor(1, "ledger-writer")
        self._reading = ThreadPoolExecutor(READERS, "ledger-reader")

    async def write(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writing, _transact, self._writer, work)

    async def read(self, look: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reading, _transact, self._reader, look)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._shutdown)

    def _shutdown(self) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._writer.dispose()
        self._reader.dispose()


def _transact(engine: Engine, work: Work[T]) -> T:
    with engine.begin() as connection:
        return work(connection)


def _sqlite(url: str, connections: int, begin: str, pragmas: tuple[str, ...]) -> Engine:
    engine = create_engine(url, pool_size=connections, max_overflow=0)
    event.listen(engine, "connect", lambda connection, _: _prepare(connection, pragmas))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin).close())
    return engine


def _prepare(connection: Any, pragmas: tuple[str, ...]) -> None:
    connection.isolation_level = None  # BEGIN is ours: the driver's own would be deferred, and come with the first write only
    for pragma in (f"busy_timeout={BUSY_SECONDS * 1000}", *pragmas):
        _patiently(connection, f"PRAGMA {pragma}")


def _patiently(connection: Any, statement: str) -> None:
    """SQLite does not wait for its turn where it changes the journal of a file that another process is about to write first."""
    until = monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute(statement).close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
        sleep(BUSY_AGAIN)


class PostgresStore:
    """A commit waits for the write-ahead log, whatever the server's default is."""

    def __init__(self, url: str) -> None:
        self._writer = _postgres(url, pool_size=1, max_overflow=0)
        self._reader = _postgres(url, pool_size=READERS, max_overflow=READERS, isolation_level="REPEATABLE READ")

    async def write(self, work: Work[T]) -> T:
        with _connecting():
            async with self._writer.begin() as connection:
                return await connection.run_sync(work)

    async def read(self, look: Work[T]) -> T:
        with _connecting():
            async with self._reader.connect() as connection:
                await connection.execution_options(postgresql_readonly=True)
                return await connection.run_sync(look)

    async def aclose(self) -> None:
        await self._writer.dispose()
        await self._reader.dispose()


@contextmanager
def _connecting() -> Iterator[None]:
    """What asyncpg raises while it connects comes through SQLAlchemy as it is."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ConnectionError(str(error)) from error


def _postgres(url: str, **options: Any) -> AsyncEngine:
    settings = {
        "application_name": "erp-gateway",
        "synchronous_commit": "on",
        "lock_timeout": f"{BUSY_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{BUSY_SECONDS}s",
    }
    arguments = {"server_settings": settings, "timeout": BUSY_SECONDS, "command_timeout": 2 * BUSY_SECONDS}
    address = make_url(url).set(drivername="postgresql+asyncpg")
    return create_async_engine(address, pool_pre_ping=True, connect_args=arguments, **options)
