"""The ledger: one database that is the truth, written by one writer per process, many units in one commit.

A *unit* is a plain function that reads and writes inside a transaction it does not own. Units that arrive while a commit is on
its way to the disk are gathered into the next one, so that sixty writers share one fsync. The head of the audit chain is the
lock: whoever writes holds it, on SQLite by BEGIN IMMEDIATE and on PostgreSQL by its row, so writers of all processes follow each
other and no unit ever sees a state that changes under it. A unit's result is told only after its commit is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError, SQLAlchemyError

from gateway.documents import tables
from gateway.documents.audit import Anchor, Head, mac_of
from gateway.documents.schema import upgrade
from gateway.documents.seals import Value, sealed
from gateway.documents.stores import Store, open_store
from gateway.documents.transaction import Transaction as Transaction
from gateway.errors import LedgerUnavailable as LedgerUnavailable
from gateway.ports import Clock

log = structlog.get_logger()

T = TypeVar("T")
Unit = Callable[[Transaction], T]

MAX_BATCH = 256
FEW = 4
GATHER_SECONDS = 0.002
"""After a commit of more than a few units the next waits so long for company; PostgreSQL's commit_delay and commit_siblings."""
POLL_SECONDS = 1.0
"""How often somebody waiting for a document looks for changes other processes made."""


class WrongAuditKey(Exception):
    """Going on with another key would make every earlier entry look forged."""


@dataclass(slots=True)
class _Waiting(Generic[T]):
    unit: Unit[T]
    result: asyncio.Future[T]


class Ledger:
    """Open one with ``open_ledger``. Belongs to one event loop."""

    def __init__(self, store: Store, key: bytes, clock: Clock) -> None:
        self._store = store
        self._key = key
        self._clock = clock
        self._queue: asyncio.Queue[_Waiting[Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._watched: dict[str, set[asyncio.Future[None]]] = {}
        self.head = Head()
        """The head of the chain as this process last wrote it."""
        self.commits = 0
        self._listening: list[asyncio.Event] = []

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="ledger")

    async def aclose(self) -> None:
        """Write what waits, then close. Later calls get ``LedgerUnavailable``."""
        task, self._task = self._task, None
        if task is not None:
            await self._queue.join()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._store.aclose()

    # --- reading -------------------------------------------------------------------------------------------------------------

    async def read(self, look: Callable[[Connection], T]) -> T:
        """What ``look`` finds in one consistent state. Raises ``LedgerUnavailable``."""
        if self._task is None:
            raise LedgerUnavailable("The ledger is closed.")
        try:
            return await self._store.read(look)
        except (SQLAlchemyError, OSError) as error:
            raise LedgerUnavailable("The ledger cannot be read.") from error

    async def proved(self, look: Callable[[Connection, bytes], T]) -> T:
        """The same, with the key that tells an entry of the chain from one somebody else wrote."""
        return await self.read(lambda connection: look(connection, self._key))

    async def changed(self, document: str, timeout: float) -> None:
        """Wait until somebody touched the document, at most ``timeout`` seconds; may return early for no reason, and does so
        every second for the sake of changes by other processes."""
        happened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._watched.setdefault(document, set())
        waiting.add(happened)
        try:
            await asyncio.wait([happened], timeout=min(timeout, POLL_SECONDS))
        finally:
            waiting.discard(happened)
            if not waiting and self._watched.get(document) is waiting:
                del self._watched[document]

    def listen(self) -> asyncio.Event:
        """An event that is set when a commit of this process left work that is due. Whoever waits for it clears it."""
        event = asyncio.Event()
        self._listening.append(event)
        return event

    # --- writing -------------------------------------------------------------------------------------------------------------

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit; return its result once it is on disk. What the unit raises is raised here, and then nothing of it was
        written. A unit may be run more than once and in another thread, so it must do nothing but read and write through its
        transaction; it is run even when whoever waits for it gives up. Raises ``LedgerUnavailable``, after which the unit may
        have been written nevertheless."""
        if self._task is None:
            raise LedgerUnavailable("The ledger is closed.")
        waiting = _Waiting(unit, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(waiting)
        return cast("T", await waiting.result)

    async def _run(self) -> None:
        last = 0
        while True:
            batch = [await self._queue.get()]
            if last > FEW and self._queue.qsize() < last - 1:
                await asyncio.sleep(GATHER_SECONDS)
            while len(batch) < MAX_BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            last = len(batch)
            try:
                await self._commit(batch)
            except Exception as error:
                log.error("ledger.failed", units=len(batch), exc_info=error)
                for waiting in batch:
                    _fail(waiting, _told(error))
            finally:
                for _ in batch:
                    self._queue.task_done()

    async def _commit(self, batch: list[_Waiting[Any]]) -> None:
        """All in one transaction; where one fails after it wrote something, all again with a savepoint for each."""
        units = [waiting.unit for waiting in batch]
        try:
            transaction, results = await self._store.write(lambda connection: self._together(connection, units))
        except _Spoilt:
            transaction, results = await self._store.write(lambda connection: self._apart(connection, units))
        self.commits += 1
        self.head = transaction.head
        for waiting, (result, failure) in zip(batch, results, strict=True):
            if failure is not None:
                _fail(waiting, failure)
            elif not waiting.result.done():
                waiting.result.set_result(result)
        self._announce(transaction)

    def _together(self, connection: Connection, units: list[Unit[Any]]) -> _Outcome:
        transaction = Transaction.begun(connection, self._clock.now(), self._key)
        results: list[tuple[Any, Exception | None]] = []
        for unit in units:
            transaction.dirty = False
            try:
                results.append((unit(transaction), None))
            except Exception as error:
                if _of_the_database(error):
                    raise
                if transaction.dirty or isinstance(error, SQLAlchemyError):
                    raise _Spoilt from error
                results.append((None, error))
        transaction.flush()
        return transaction, results

    def _apart(self, connection: Connection, units: list[Unit[Any]]) -> _Outcome:
        transaction = Transaction.begun(connection, self._clock.now(), self._key)
        results: list[tuple[Any, Exception | None]] = []
        for unit in units:
            attempt = transaction.attempt()
            try:
                with connection.begin_nested():
                    results.append((unit(attempt), None))
            except Exception as error:
                if _of_the_database(error):
                    raise
                results.append((None, error))
            else:
                transaction = attempt
        transaction.flush()
        return transaction, results

    def _announce(self, transaction: Transaction) -> None:
        for document in transaction.touched:
            for happened in self._watched.pop(document, ()):
                if not happened.done():
                    happened.set_result(None)
        if transaction.work:
            for event in self._listening:
                event.set()

    def sealed(self, given: str, kind: str, *values: Value) -> bool:
        """Whether a row has the seal this gateway gave it."""
        return sealed(self._key, given, kind, *values)

    def anchor(self, head: Head | None = None) -> Anchor:
        """The head of the chain, by default as this process last wrote it, sealed to be kept outside the database."""
        return Anchor.of(head or self.head, self._key, self._clock.now())


_Outcome = tuple[Transaction, list[tuple[Any, Exception | None]]]


class _Spoilt(Exception):
    """A unit failed after it had written: its transaction must go."""


def _of_the_database(error: Exception) -> bool:
    """Whether nothing more can be done on this connection, whichever unit it happened to."""
    if isinstance(error, DBAPIError):
        own = isinstance(error, IntegrityError | DataError | ProgrammingError | NotSupportedError)
        return error.connection_invalidated or not own
    return isinstance(error, OSError)


def _told(error: Exception) -> Exception:
    if not isinstance(error, SQLAlchemyError | OSError):
        return error
    unavailable = LedgerUnavailable("Try again with the same idempotency key.")
    unavailable.__cause__ = error
    return unavailable


def _fail(waiting: _Waiting[Any], error: Exception) -> None:
    if not waiting.result.done():
        waiting.result.set_exception(error)


def _same_key(connection: Connection, key: bytes) -> None:
    audit = tables.audit.c
    last = connection.execute(select(audit.hash, audit.mac).order_by(audit.seq.desc()).limit(1)).one_or_none()
    if last is not None and not hmac.compare_digest(last.mac.encode(), mac_of(key, last.hash).encode()):
        raise WrongAuditKey(
            "the last audit entry was sealed with another key than ledger.audit_key or ledger.audit_key_file gives"
        )


@asynccontextmanager
async def open_ledger(url: str, key: bytes, clock: Clock) -> AsyncIterator[Ledger]:
    """A started ledger whose schema is current. Raises ``UnknownSchema`` or ``WrongAuditKey``, and what the database says when it
    cannot be reached."""
    store = open_store(url)
    try:
        await store.write(upgrade)
        await store.read(lambda connection: _same_key(connection, key))
    except BaseException:
        await store.aclose()
        raise
    ledger = Ledger(store, key, clock)
    await ledger.start()
    try:
        yield ledger
    finally:
        await ledger.aclose()
