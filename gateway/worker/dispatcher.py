"""The worker's loop: claim what is due, hand each piece to whoever handles its kind, sleep until there is more.

A claim makes work invisible for a while and nothing more; handlers delete it in the unit that records its outcome. So a worker
may be killed at any point, several may run at once, and nothing is lost: what was claimed comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import Work, claim, next_due
from gateway.ports import Clock

log = structlog.get_logger()

Handle = Callable[[Work], Awaitable[None]]

LEASE = 30.0
"""Seconds a claim lasts: longer than a message or a callback may take, and how long a release waits whose worker died."""
AT_ONCE = 64
POLL = 0.5
"""Seconds between looks at what other processes left to do, and at what became due."""


class Dispatcher:
    """:param handlers: by kind of work."""

    def __init__(self, ledger: Ledger, clock: Clock, handlers: Mapping[str, Handle]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._handlers = dict(handlers)
        self._kinds = tuple(self._handlers)
        self._arrived = ledger.listen()
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop; then what is in hand is finished."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                if not await self._took():
                    await self._sleep(stopping)
        finally:
            stopping.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _took(self) -> bool:
        """Whether there was work to take. The worker's edge in the sense of rule 7, as ``_handle`` is: a loop that ended would
        be noticed by nobody."""
        try:
            return await self._claim() > 0
        except Exception as error:
            log.error("worker.waits", exc_info=error)
            return False

    async def _claim(self) -> int:
        free = AT_ONCE - len(self._running)
        if free <= 0 or not await self._due():
            return 0
        self._arrived.clear()

        def unit(tx: Transaction) -> list[Work]:
            return claim(tx, self._kinds, lease=LEASE, limit=free)

        claimed = await self._ledger.write(unit)
        for work in claimed:
            task = asyncio.create_task(self._handle(work))
            self._running.add(task)
            task.add_done_callback(self._done)
        return len(claimed)

    async def _due(self) -> bool:
        at = await self._ledger.read(lambda connection: next_due(connection, self._kinds))
        return at is not None and at <= self._clock.now()

    def _done(self, task: asyncio.Task[None]) -> None:
        """Something that is due can only be waiting for a hand while all are full; what else there is announces itself."""
        if len(self._running) >= AT_ONCE:
            self._arrived.set()
        self._running.discard(task)

    async def _handle(self, work: Work) -> None:
        """What breaks here is logged, and its claim runs out."""
        try:
            await self._handlers[work.kind](work)
        except Exception as error:
            log.error("work.broke", work=work.id, kind=work.kind, document=work.document, exc_info=error)

    async def _sleep(self, stopping: asyncio.Task[bool]) -> None:
        """Until something may have changed: work arrived, a hand is free again, time has passed, or it is time to stop."""
        arrived = asyncio.create_task(self._arrived.wait())
        try:
            await asyncio.wait({arrived, stopping}, timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrived.cancel()
        self._arrived.clear()
