"""The connections to one upstream: at most so many, first come first served, the most recently used one first.

A call holds a place from before it connects until its answer is complete; an idle connection keeps its place. Places and
connections pass straight from a finished call to the first in line, so nobody overtakes. What ends a call in doubt ends its
connection too.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Final

from gateway.errors import Unreachable, UpstreamTimeout
from gateway.upstreams.connection import Connection
from gateway.upstreams.settings import BaseUrl, ClientSettings, tls_context

_CLOSING: Final = 1.0

# Why no connection could be made, most specific first. None of these sentences may name a host.
_TRANSLATION: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ssl.SSLCertVerificationError, "The upstream's certificate was not accepted."),
    (ssl.SSLError, "No secure connection to the upstream could be agreed."),
    (ConnectionRefusedError, "The upstream refused the connection."),
    (ConnectionError, "The upstream closed the connection while it was being made."),
    (TimeoutError, "The upstream did not accept a connection in time."),
    (OSError, "The upstream's address cannot be reached."),
)


class Pool:
    """Implements ``gateway.upstreams.connection.Owner``."""

    def __init__(self, base: BaseUrl, settings: ClientSettings) -> None:
        self._base = base
        self._settings = settings
        self._tls = (settings.tls or tls_context()) if base.scheme == "https" else None
        self._idle: list[Connection] = []
        self._places = 0
        self._line: deque[asyncio.Future[Connection | None]] = deque()
        self._open: set[Connection] = set()
        self._closed = False
        self._changed: asyncio.Event | None = None

    def idle(self) -> Connection | None:
        """What ``take`` would give without waiting: the idle connection used last."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable():
                return connection
            self._places -= 1
        return None

    async def take(self, deadline: float) -> Connection:
        """A connection for one call, to be given back through ``ended``.

        :param deadline: in loop time.
        :raises UpstreamTimeout: none became free, or was made, by the deadline. :raises Unreachable: none can be made.
        """
        if self._closed:
            raise Unreachable("The gateway is closing its connections to the upstream.", sent=False)
        connection = self.idle()
        if connection is not None:
            return connection
        if self._places < self._settings.connections:
            self._places += 1
            return await self.connect(deadline)
        return await self._queue(deadline) or await self.connect(deadline)

    async def connect(self, deadline: float) -> Connection:
        """A new connection in a place the caller holds; on failure the place is given up. Raises like ``take``."""
        loop = asyncio.get_running_loop()
        limit = loop.time() + self._settings.connect_timeout
        base = self._base
        try:
            async with asyncio.timeout_at(min(deadline, limit)):
                transport, connection = await loop.create_connection(
                    lambda: Connection(loop, self), base.host, base.port, ssl=self._tls
                )
            shuns = self._settings.shuns
            if shuns is not None and shuns(transport.get_extra_info("peername")[0]):
                connection.cut()
                raise PermissionError("an address not to be spoken to")
        except BaseException as error:
            self._give_place()
            if isinstance(error, TimeoutError) and deadline <= limit:
                raise UpstreamTimeout("No connection to the upstream could be made within the deadline.", sent=False) from error
            problem = _translated(error)
            if problem is None:
                raise
            raise problem from error
        return connection

    async def aclose(self) -> None:
        """Refuse new calls, wait for those under way (each ends by its deadline), close every connection."""
        self._closed = True
        for connection in self._idle:
            self._places -= 1
            connection.close()
        self._idle.clear()
        if self._changed is None:
            self._changed = asyncio.Event()
        try:
            while self._places:
                await self._change()
            async with asyncio.timeout(_CLOSING):
                while self._open:
                    await self._change()
        except TimeoutError:
            pass  # a peer that does not answer the goodbye; what is left is cut below
        finally:
            for connection in list(self._open):
                connection.cut()

    # What a connection calls.

    def made(self, connection: Connection) -> None:
        self._open.add(connection)

    def gone(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._notify()

    def ended(self, connection: Connection, *, reusable: bool) -> None:
        if reusable and self._line and self._hand_over(connection):
            return
        if reusable and not self._closed:
            self._idle.append(connection)
            connection.expire_in(self._settings.idle)
            return
        connection.close()
        self._give_place()

    def dropped(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
            self._give_place()

    # The line.

    async def _queue(self, deadline: float) -> Connection | None:
        """Wait in line for a connection, or for a place to make one (None)."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Connection | None] = loop.create_future()
        self._line.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
                return await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._pass_on(turn.result())
            elif turn in self._line:
                self._line.remove(turn)
            if isinstance(error, TimeoutError):
                raise UpstreamTimeout("No connection to the upstream was free within the deadline.", sent=False) from error
            raise

    def _pass_on(self, granted: Connection | None) -> None:
        if granted is None:
            self._give_place()
        else:
            self.ended(granted, reusable=granted.usable())

    def _hand_over(self, granted: Connection | None) -> bool:
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(granted)
                return True
        return False

    def _give_place(self) -> None:
        if not self._hand_over(None):
            self._places -= 1
            self._notify()

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed.set()

    async def _change(self) -> None:
        assert self._changed is not None
        self._changed.clear()
        await self._changed.wait()


def _translated(error: BaseException) -> Unreachable | None:
    for kind, detail in _TRANSLATION:
        if isinstance(error, kind):
            return Unreachable(detail, sent=False)
    return None
