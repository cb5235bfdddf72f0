"""The ledger: one database that is the truth, written by one writer per process, many units in one commit.

A *unit* is a plain function that reads and writes inside a transaction it does not own. Units that arrive while a commit is on its way
to the disk are gathered into the next one, so that sixty writers share one fsync. The head of the audit chain is the lock: whoever
writes holds it, on SQLite by BEGIN IMMEDIATE and on PostgreSQL by its row, so writers of all processes follow each other and no unit
ever sees a state that changes under it. A unit's result is told only after its commit is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy import Connection, Executable, event, select
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.documents import tables
from gateway.documents.audit import Anchor, Head, Sealed, seal
from gateway.errors import Problem
from gateway.ports import Clock

log = structlog.get_logger()

T = TypeVar("T")

MAX_BATCH = 256
BUSY_SECONDS = 20
POLL_SECONDS = 1.0
"""How often somebody waiting for a document looks for changes other processes made."""


class LedgerUnavailable(Problem):
    """Nothing can be recorded, so nothing may be sent. Where this happens after a send, the document says ``sending`` and becomes unknown."""

    status, slug, title, retryable = 503, "ledger-unavailable", "The ledger cannot be written", True


@dataclass(slots=True)
class Transaction:
    """What a unit works with. ``now`` is Unix time, one for the whole commit."""

    connection: Connection
    now: float
    _head: Head
    _key: bytes
    entries: list[Sealed] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    work: bool = False
    dirty: bool = False

    def write(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        self.dirty = True
        return self.connection.execute(statement, parameters)

    def audit(self, kind: str, actor: str, *, document: str | None = None, **details: object) -> None:
        """Add an entry to the chain; it commits with everything else the unit does, or not at all."""
        self.dirty = True
        entry = seal(self._head, self._key, at=self.now, kind=kind, actor=actor, document=document, details=details)
        self._head = Head(entry.seq, entry.hash)
        self.entries.append(entry)

    def flush(self) -> Head:
        """Write the entries and the new head. The last thing before the commit."""
        if self.entries:
            rows = [{"seq": e.seq, "entry": e.entry, "document": e.document, "hash": e.hash, "mac": e.mac} for e in self.entries]
            self.connection.execute(tables.audit.insert(), rows)
            self.connection.execute(tables.chain.update(), {"seq": self._head.seq, "hash": self._head.hash})
        return self._head


Unit = Callable[[Transaction], T]


@dataclass(slots=True)
class _Waiting(Generic[T]):
    unit: Unit[T]
    result: asyncio.Future[T]


class Ledger:
    """Open one with ``open_ledger``. Belongs to one event loop."""

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine, key: bytes, clock: Clock) -> None:
        self._writer = writer
        self._reader = reader
        self._key = key
        self._clock = clock
        self._queue: asyncio.Queue[_Waiting[Any]] = asyncio.Queue()
        self._connection: AsyncConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._watched: dict[str, asyncio.Event] = {}
        self.head = Head()
        self.commits = 0
        self.work_arrived = asyncio.Event()
        """Set when a commit of this process left work to do. Whoever waits for it clears it."""

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def aclose(self) -> None:
        """Write what waits, then close."""
        if self._task is not None:
            await self._queue.join()
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._disconnect()
        await self._writer.dispose()
        await self._reader.dispose()

    # --- reading -------------------------------------------------------------------------------------------------------------

    async def read(self, look: Callable[[Connection], T]) -> T:
        """What ``look`` finds in one consistent state. Raises ``LedgerUnavailable``."""
        try:
            async with self._reader.connect() as connection:
                return await connection.run_sync(look)
        except (SQLAlchemyError, OSError) as error:
            raise LedgerUnavailable("The ledger cannot be read.") from error

    async def changed(self, document: str, timeout: float) -> None:
        """Wait until somebody touched the document, at most ``timeout`` seconds; may return early for no reason, and does so every
        second for the sake of changes by other processes."""
        event = self._watched.setdefault(document, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(timeout, POLL_SECONDS)):
                await event.wait()

    # --- writing -------------------------------------------------------------------------------------------------------------

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit; return its result once it is on disk. What the unit raises is raised here, and then nothing of it was written.
        A unit may be run more than once, so it must not do anything but read and write through its transaction.
        Raises ``LedgerUnavailable``, after which the unit may have been written nevertheless."""
        waiting = _Waiting(unit, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(waiting)
        return await waiting.result

    async def _run(self) -> None:
        while True:
            batch = [await self._queue.get()]
            await asyncio.sleep(0)
            while len(batch) < MAX_BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                await self._commit(batch)
            except Exception as error:
                log.error("ledger.failed", units=len(batch), exc_info=error)
                await self._disconnect()
                for waiting in batch:
                    _fail(waiting, error)
            finally:
                for _ in batch:
                    self._queue.task_done()

    async def _commit(self, batch: list[_Waiting[Any]]) -> None:
        """All in one transaction; where one of several fails after it wrote something, each in one of its own."""
        try:
            await self._together(batch)
        except _Spoilt as spoilt:
            if len(batch) == 1:
                _fail(batch[0], spoilt.cause)
                return
            for waiting in batch:
                await self._commit([waiting])

    async def _together(self, batch: list[_Waiting[Any]]) -> None:
        connection = await self._connected()
        async with connection.begin():
            transaction, results = await connection.run_sync(self._units, batch)
        self.commits += 1
        for waiting, (result, failure) in zip(batch, results, strict=True):
            if not waiting.result.done():
                waiting.result.set_exception(failure) if failure else waiting.result.set_result(result)
        self._announce(transaction)

    def _units(
        self, connection: Connection, batch: list[_Waiting[Any]]
    ) -> tuple[Transaction, list[tuple[Any, Exception | None]]]:
        transaction = Transaction(connection, self._clock.now(), _lock(connection), self._key)
        results: list[tuple[Any, Exception | None]] = []
        for waiting in batch:
            transaction.dirty = False
            try:
                results.append((waiting.unit(transaction), None))
            except DBAPIError as error:
                raise (error if error.connection_invalidated else _Spoilt(error)) from error
            except Exception as error:
                if transaction.dirty:
                    raise _Spoilt(error) from error
                results.append((None, error))
        self.head = transaction.flush()
        return transaction, results

    def _announce(self, transaction: Transaction) -> None:
        for document in transaction.touched:
            event = self._watched.pop(document, None)
            if event is not None:
                event.set()
        if transaction.work:
            self.work_arrived.set()

    async def _connected(self) -> AsyncConnection:
        if self._connection is None or self._connection.closed or self._connection.invalidated:
            await self._disconnect()
            self._connection = await self._writer.connect()
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError, OSError):
                await connection.invalidate()
                await connection.close()

    def anchor(self) -> Anchor:
        """The head of the chain as this process last wrote it, to be kept outside the database."""
        return Anchor.of(self.head, self._key, self._clock.now())


def _lock(connection: Connection) -> Head:
    row = connection.execute(select(tables.chain.c.seq, tables.chain.c.hash).with_for_update()).one()
    return Head(row.seq, row.hash)


class _Spoilt(Exception):
    """A unit failed after it had written: its transaction must go."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _fail(waiting: _Waiting[Any], error: Exception) -> None:
    if waiting.result.done():
        return
    if isinstance(error, SQLAlchemyError | OSError):
        unavailable = LedgerUnavailable("Try again with the same idempotency key.")
        unavailable.__cause__ = error
        error = unavailable
    waiting.result.set_exception(error)


# --- opening -----------------------------------------------------------------------------------------------------------------


def engines(url: str) -> tuple[AsyncEngine, AsyncEngine]:
    """A writer and a reader for ``sqlite:///path`` or ``postgresql://user@host/name``."""
    kind, _, rest = url.partition(":")
    if kind == "sqlite":
        writer, reader = (create_async_engine(f"sqlite+aiosqlite:{rest}", pool_size=size) for size in (1, 4))
        event.listen(writer.sync_engine, "connect", _sqlite_writer)
        event.listen(writer.sync_engine, "begin", _begin_immediate)
        event.listen(reader.sync_engine, "connect", _sqlite_reader)
        return writer, reader
    options: dict[str, Any] = {"pool_pre_ping": True, "connect_args": {"server_settings": {"synchronous_commit": "on"}}}
    return (
        create_async_engine(f"postgresql+asyncpg:{rest}", pool_size=1, **options),
        create_async_engine(f"postgresql+asyncpg:{rest}", pool_size=4, max_overflow=4, **options),
    )


def _sqlite_writer(connection: Any, _: object) -> None:
    connection.isolation_level = None  # BEGIN is ours: the driver's own would be deferred
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_reader(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    for pragma in ("query_only=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@asynccontextmanager
async def open_ledger(url: str, key: bytes, clock: Clock) -> AsyncIterator[Ledger]:
    """A started ledger whose schema is current. Raises what the database says when it cannot be reached."""
    from gateway.documents.schema import upgrade

    writer, reader = engines(url)
    await upgrade(writer)
    ledger = Ledger(writer, reader, key, clock)
    await ledger.start()
    try:
        yield ledger
    finally:
        await ledger.aclose()
