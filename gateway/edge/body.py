"""A request body as ASGI delivers it, under the edge's limits of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from gateway.errors import BadRequest, BodyTooLarge, RequestTimeout

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

DRAIN_BYTES = 1024 * 1024
DRAIN_SECONDS = 2.0
"""How much of a refused body is still read, so that a client that sends before it reads gets the answer and not a reset.
nginx's lingering_close does the same."""


class AsgiBody:
    """Implements ``gateway.exchange.Body``. Read it once, in one of the two ways."""

    def __init__(self, receive: Receive, *, limit: int, timeout: float, declared: int | None) -> None:
        self._receive = receive
        self._limit = limit
        self._timeout = timeout
        self._declared = declared
        self.finished = declared == 0

    async def read(self) -> bytes:
        if self.finished:
            return b""
        message = None
        parts = []
        async for part in self.chunks():
            message = part
            parts.append(part)
        return message if len(parts) == 1 and message is not None else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        if self._declared is not None and self._declared > self._limit:
            raise self._too_large()
        size = 0
        deadline = asyncio.get_running_loop().time() + self._timeout
        while not self.finished:
            try:
                async with asyncio.timeout_at(deadline):
                    message = await self._receive()
            except TimeoutError as error:
                raise RequestTimeout("The body did not arrive in time.") from error
            if message["type"] == "http.disconnect":
                self.finished = True
                raise BadRequest("The client went away before the body was complete.")
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > self._limit:
                raise self._too_large()
            self.finished = not message.get("more_body", False)
            yield part

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"A body may hold at most {self._limit} bytes.")

    async def drain(self) -> bool:
        """Read and forget what is left, within bounds. True when the connection may be used again."""
        size = 0
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self.finished and size < DRAIN_BYTES:
                    message = await self._receive()
                    size += len(message.get("body", b""))
                    self.finished = message["type"] == "http.disconnect" or not message.get("more_body", False)
        except TimeoutError:
            return False
        return self.finished
