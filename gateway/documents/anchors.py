"""Anchors: the head of the audit chain, written from time to time to a file outside the database, one JSON object a line.

The file belongs on a disk, or in a collector of logs, that whoever administers the database cannot change. It is only added
to, and every line is on disk before ``write`` returns.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, select

from gateway.documents import tables
from gateway.documents.audit import Anchor, Head
from gateway.documents.ledger import Ledger
from gateway.ports import Clock

EVERY_ENTRIES = 1000
EVERY_SECONDS = 60.0


def head_of(connection: Connection) -> Head | None:
    """The last entry of the chain as the database has it; ``None`` when the row is gone."""
    row = connection.execute(select(tables.chain.c.seq, tables.chain.c.hash)).one_or_none()
    return None if row is None else Head(row.seq, row.hash)


@dataclass(slots=True)
class Anchors:
    """The file of anchors. One writer a process; several processes may add to the same file."""

    path: Path
    clock: Clock
    every_entries: int = EVERY_ENTRIES
    every_seconds: float = EVERY_SECONDS
    _last: int = 0
    _at: float = field(default=float("-inf"))

    async def write(self, ledger: Ledger, *, now: bool = False) -> Anchor | None:
        """Write an anchor when enough entries or enough time have gone by since the last, or with ``now`` whenever there is a new
        entry. Returns what was written. Raises ``LedgerUnavailable`` and ``OSError``."""
        head = await ledger.read(head_of)
        new = head.seq - self._last if head else 0
        due = now or new >= self.every_entries or self.clock.monotonic() - self._at >= self.every_seconds
        if head is None or new <= 0 or not due:
            return None
        anchor = ledger.anchor(head)
        await asyncio.to_thread(append, self.path, anchor.line())
        self._last, self._at = head.seq, self.clock.monotonic()
        return anchor


def append(path: Path, line: str) -> None:
    """Add a line and bring it to disk. After a line that a crash cut short it begins on a new one. Raises ``OSError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        size = os.fstat(descriptor).st_size
        cut = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        file.write((b"\n" if cut else b"") + line.encode())
        os.fsync(descriptor)
    if new:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
