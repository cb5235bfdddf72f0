"""So many at once for each receiver: one that hangs must not take up the whole worker.

Whoever comes when all turns are taken waits a moment, because most receivers are quick; then the work goes back, and has not cost
a try.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from gateway.documents import tables
from gateway.documents.transaction import Transaction
from gateway.documents.work import Work

AT_ONCE: Final = 4
PATIENCE: Final = 1.0
BUSY: Final = "waits for others to the same receiver"
BUSY_SECONDS: Final = 5.0

_W = tables.work


class Turns:
    """:param most: at once for each receiver. :param patience: seconds to wait for a turn."""

    def __init__(self, most: int = AT_ONCE, patience: float = PATIENCE) -> None:
        self._most = most
        self._patience = patience
        self._gates: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def turn(self, receiver: str) -> AsyncIterator[bool]:
        """Whether there was one; taken until the end of the block."""
        gate = self._gates.setdefault(receiver, asyncio.Semaphore(self._most))
        mine = await self._enter(gate)
        try:
            yield mine
        finally:
            if mine:
                gate.release()

    async def _enter(self, gate: asyncio.Semaphore) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                return await gate.acquire()
        except TimeoutError:
            return False


def put_back(tx: Transaction, work: Work, seconds: float, why: str) -> None:
    """Try again later, as if it had not been claimed."""
    values = {"at": tx.now + seconds, "attempts": work.attempts - 1, "problem": why}
    tx.write(_W.update().where(_W.c.id == work.id, _W.c.attempts == work.attempts).values(values))
