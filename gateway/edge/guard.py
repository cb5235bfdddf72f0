"""The HTTP server's outer guard: what must be refused before a request is a request.

uvicorn's httptools protocol parses strictly but knows no bounds; this subclass adds them: bytes and count of a head, exactly one
Host, a deadline for a head, a cap on connections. Refusals are problems like all others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.errors import BadRequest, HeadersTooLarge, Overloaded, Problem, RequestTimeout


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """Sizes in bytes, times in seconds."""

    header_bytes: int = 32 * 1024
    header_count: int = 100
    header_timeout: float = 10.0
    connections: int = 4096


class GuardedProtocol(HttpToolsProtocol):
    """One connection of the public port. ``guarded(limits)`` makes the class uvicorn is given."""

    limits = GuardLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_bytes = 0
        self._hosts = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(Overloaded("Too many connections."))
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_head or self._head_bytes == 0 or self._refused:
            return
        if self._head_bytes > self.limits.header_bytes:
            self._refuse(HeadersTooLarge(f"A request head may hold at most {self.limits.header_bytes} bytes."))
        elif self._head_timer is None:
            self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._hosts = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self.limits.header_bytes:
            raise ValueError("url")

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if self.headers[-1][0] == b"host":
            self._hosts += 1
        if len(self.headers) > self.limits.header_count:
            raise ValueError("headers")

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_arrived()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.limits.header_bytes:
            raise ValueError("headers")
        if self._hosts != 1 and self.parser.get_http_version() != "1.0":
            raise ValueError("host")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def send_400_response(self, msg: str) -> None:
        """uvicorn's answer to a head it cannot parse, or that a callback above refused."""
        limits = self.limits
        if len(self.headers or ()) > limits.header_count or self._head_bytes > limits.header_bytes:
            self._refuse(HeadersTooLarge(f"At most {limits.header_count} headers in {limits.header_bytes} bytes."))
        elif self._hosts != 1 and not self._in_head:
            self._refuse(BadRequest("A request needs exactly one Host header."))
        else:
            self._refuse(BadRequest("This is not HTTP/1.1 as RFC 9112 has it."))

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.header_timeout, self._head_late)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_late(self) -> None:
        self._head_timer = None
        if self._head_bytes == 0:
            self.transport.close()
        elif not self.transport.is_closing():
            self._refuse(RequestTimeout("The request head did not arrive in time."))

    def _refuse(self, problem: Problem) -> None:
        self._refused = True
        self._head_arrived()
        if self.transport.is_closing():
            return
        if not self._busy():
            self.transport.write(_raw(problem))
        self.transport.close()


def guarded(limits: GuardLimits) -> type[GuardedProtocol]:
    return type("GuardedProtocol", (GuardedProtocol,), {"limits": limits})


def _raw(problem: Problem) -> bytes:
    body = orjson.dumps(problem.document())
    head = (
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
        f"content-type: application/problem+json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
