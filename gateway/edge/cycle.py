"""One API call on a connection, without ASGI in between: what the parser found goes straight to the edge, and the answer leaves
in one write. uvicorn's own cycle stays for the site, and sends what is streamed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

import structlog
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.edge.body import AsgiBody, NoBody
from gateway.errors import Problem
from gateway.exchange import Headers, Reply

log = structlog.get_logger()


class Calls(Protocol):
    """Whoever answers API calls."""

    async def call(self, cycle: ApiCycle) -> None: ...


class Connection(Protocol):
    """The client's connection, as a cycle sees it."""

    transport: asyncio.Transport
    flow: FlowControl
    server_state: ServerState
    peer: str

    def on_response_complete(self) -> None: ...


class ApiCycle(RequestResponseCycle):
    """One request and its reply. uvicorn's constructor is not called: what it sets is the same for every call that begins, and
    stands in the class.

    :param target: the request target in origin-form.
    """

    access_log = False
    waiting_for_100_continue = False
    disconnected = False
    body: bytearray = b""  # type: ignore[assignment]
    more_body = False
    message_event = asyncio.Event()
    response_started = False
    response_complete = False
    chunked_encoding = None
    expected_content_length = 0

    def __init__(self, connection: Connection, method: str, target: bytes, headers: Headers, *, keep_alive: bool) -> None:
        self.transport = connection.transport
        self.flow = connection.flow
        self.default_headers = connection.server_state.default_headers
        self.on_response = connection.on_response_complete
        self.keep_alive = keep_alive
        self.method = method
        self.target = target
        self.headers = headers
        self.peer = connection.peer

    def expect_body(self, *, asked: bool) -> None:
        """Bytes will come, if ``asked`` once the client reads 100 Continue."""
        self.body = bytearray()
        self.more_body = True
        self.message_event = asyncio.Event()
        self.waiting_for_100_continue = asked

    async def run(self, calls: Calls) -> None:
        """Every outcome of a call is a reply already; what can still go wrong is sending it, and then the connection ends so
        that the client sees the answer is not whole."""
        try:
            await calls.call(self)
        except Problem as problem:
            log.warning("answer.cut", target=self.target.decode("latin-1"), problem=problem.slug, detail=problem.detail)
            self.transport.close()
        except Exception as error:
            log.error("answer.broke", target=self.target.decode("latin-1"), exc_info=error)
            self.transport.close()
        except asyncio.CancelledError:
            self.transport.close()
            raise
        finally:
            self.on_response = _nothing

    def body_arrived(self) -> bool:
        return not self.more_body

    async def respond(self, reply: Reply, body: AsgiBody | NoBody) -> None:
        """Send a reply. A request body nobody read is drained first, within bounds, or the connection is closed after it."""
        if not body.finished and not await body.drain():
            self.keep_alive = False
        content = reply.body
        if not isinstance(content, bytes):
            await self._stream(reply.status, reply.headers, content)
            return
        bare = reply.status in (204, 304)
        head = self._head(reply.status, reply.headers, None if bare else len(content))
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected or self.transport.is_closing():
            return
        self.response_started = True
        self.transport.write(head if bare or self.method == "HEAD" else head + content)
        self.response_complete = True
        if not self.keep_alive and not self.more_body:
            self.transport.close()
        self.on_response()

    def _head(self, status: int, headers: Headers, length: int | None) -> bytes:
        parts = [STATUS_LINE[status]]
        for name, value in self.default_headers:
            parts += (name, b": ", value, b"\r\n")
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        if not self.keep_alive:
            parts.append(b"connection: close\r\n")
        parts.append(b"\r\n" if length is None else b"content-length: %d\r\n\r\n" % length)
        head = b"".join(parts)
        lines = 2 + len(self.default_headers) + len(headers) + (length is not None) + (not self.keep_alive)
        if head.count(b"\n") != lines or head.count(b"\r") != lines:
            raise ValueError("a header would break into another line")
        return head

    async def _stream(self, status: int, headers: Headers, content: AsyncIterator[bytes]) -> None:
        """Chunked, under the connection's back pressure."""
        self.scope = {"method": self.method}  # type: ignore[typeddict-item]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        try:
            async for part in content:
                await self.send({"type": "http.response.body", "body": part, "more_body": True})
        finally:
            if isinstance(content, AsyncGenerator):
                await content.aclose()
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})


def _nothing() -> None:
    pass


class Answering:
    """The calls of one connection, answered one after the other in one task, which is one of ``tasks`` until the connection is
    lost and its last call done: the server waits for them when it drains."""

    def __init__(self, calls: Calls, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[None]]) -> None:
        self._calls = calls
        self._loop = loop
        self._next: ApiCycle | None = None
        self._idle: asyncio.Future[None] | None = None
        self._over = False
        task = loop.create_task(self._run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def start(self, cycle: ApiCycle) -> None:
        """Answer this call next: the one before has been answered."""
        self._next = cycle
        self._wake()

    def end(self) -> None:
        """No more calls will come."""
        self._over = True
        self._wake()

    def _wake(self) -> None:
        idle, self._idle = self._idle, None
        if idle is not None and not idle.done():
            idle.set_result(None)

    async def _run(self) -> None:
        while True:
            cycle, self._next = self._next, None
            if cycle is not None:
                await cycle.run(self._calls)
            elif self._over:
                return
            else:
                self._idle = self._loop.create_future()
                await self._idle
