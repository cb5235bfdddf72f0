"""OpenAPI documents as they are asked for: made once per snapshot, cut for each reader.

Describing a large contract takes seconds, so that it happens in a thread and once; cutting and joining is quick.
"""

from __future__ import annotations

import asyncio

from gateway.edge.openapi import Described, Json, describe, document
from gateway.exchange import Principal
from gateway.snapshot import Snapshot

MOST = 8
"""Documents kept; readers and addresses may be many."""


class Descriptions:
    """Keeps the routes of the current snapshot described, and a few documents made of them."""

    def __init__(self) -> None:
        self._digest = ""
        self._described: dict[str, tuple[Described, ...]] = {}
        self._documents: dict[tuple[str, str, Principal | None], Json] = {}
        self._lock = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._documents)

    async def document(self, snapshot: Snapshot, version: str, base: str, viewer: Principal | None) -> Json:
        """The document of a version, as in ``gateway.edge.openapi``; not to be changed."""
        async with self._lock:
            if snapshot.digest != self._digest:
                self._described, self._documents, self._digest = {}, {}, snapshot.digest
            key = (version, base, viewer)
            if key not in self._documents:
                if version not in self._described:
                    self._described[version] = await asyncio.to_thread(describe, snapshot, version)
                if len(self._documents) >= MOST:
                    self._documents.clear()
                self._documents[key] = document(snapshot, version, base, self._described[version], viewer)
            return self._documents[key]
