"""A request body as ASGI delivers it, under the edge's limits of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from gateway.errors import BadRequest, BodyTooLarge, RequestTimeout

Receive = Callable[[], Awaitable[Any]]
"""An ASGI ``receive``: each message is a mapping."""

DRAIN_BYTES = 1024 * 1024
DRAIN_SECONDS = 2.0
"""How much of a refused body is still read, so that a client that sends before it reads gets the answer and not a reset.
nginx's lingering_close does the same."""


class AsgiBody:
    """Implements ``gateway.exchange.Body``. Read it once, in one of the two ways.

    :param declared: the size the request declares; ``None`` when it is chunked.
    :param arrived: says whether the whole body is already here, so that no deadline is needed.
    :param expected: the client waits for 100 Continue, which the server sends when the body is first asked for.
    """

    def __init__(
        self,
        receive: Receive,
        *,
        limit: int,
        timeout: float,
        declared: int | None,
        expected: bool = False,
        arrived: Callable[[], bool] | None = None,
    ) -> None:
        self._receive = receive
        self._limit = limit
        self._timeout = timeout
        self._declared = declared
        self._held_back = expected
        self._arrived = arrived
        self.finished = declared == 0

    async def read(self) -> bytes:
        if self.finished:
            return b""
        if self._arrived is not None and self._arrived():
            return self._taken(await self._receive())
        message = None
        parts = []
        async for part in self.chunks():
            message = part
            parts.append(part)
        return message if len(parts) == 1 and message is not None else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        if self._declared is not None and self._declared > self._limit:
            raise self._too_large()
        self._held_back = False
        size = 0
        deadline = asyncio.get_running_loop().time() + self._timeout
        while not self.finished:
            try:
                async with asyncio.timeout_at(deadline):
                    message = await self._receive()
            except TimeoutError as error:
                raise RequestTimeout("The body did not arrive in time.") from error
            part = self._taken(message, size)
            size += len(part)
            yield part

    def _taken(self, message: MutableMapping[str, Any], size: int = 0) -> bytes:
        """The bytes of one message, ``size`` of the body having come before."""
        if message["type"] == "http.disconnect":
            self.finished = True
            raise BadRequest("The client went away before the body was complete.")
        part: bytes = message.get("body", b"")
        self.finished = not message.get("more_body", False)
        if size + len(part) > self._limit:
            raise self._too_large()
        return part

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"A body may hold at most {self._limit} bytes.")

    async def drain(self) -> bool:
        """Read and forget what is left, within bounds. True when the connection may be used again. A client that still waits to
        be asked for its body is not asked (RFC 9110 section 10.1.1)."""
        if self._held_back:
            return self.finished
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


_NOTHING: tuple[bytes, ...] = ()


class NoBody:
    """Implements ``gateway.exchange.Body`` for a request that has none."""

    finished = True

    async def read(self) -> bytes:
        return b""

    async def chunks(self) -> AsyncIterator[bytes]:
        for part in _NOTHING:
            yield part

    async def drain(self) -> bool:
        return True


NO_BODY = NoBody()
