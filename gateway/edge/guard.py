"""The HTTP server's outer guard: what must be refused before a request is a request.

uvicorn's httptools protocol parses strictly but knows no bounds; this subclass adds them: bytes and count of a head, exactly one
Host, a deadline for a head, a cap on connections, an end to readers that do not read. Refusals are problems like all others; a
call in flight on the same connection is answered first.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.edge.cycle import Answering, ApiCycle, Calls
from gateway.edge.origin import origin
from gateway.edge.path import origin_form
from gateway.errors import BadRequest, HeadersTooLarge, Overloaded, Problem, RequestTimeout
from gateway.scope.conditions import Network

PIPELINE = 32
"""Requests that may wait on one connection. Each is an object from the moment it is read, answered or not."""

LINGER_BYTES = 32 * 1024 * 1024
LINGER_SECONDS = 2.0
"""How much is still read after a refusal, so that a client that goes on sending reads the answer and not a reset."""

API = b"/api/"
FRAMING = frozenset({b"content-length", b"expect", b"transfer-encoding"})
SITE = frozenset({b"docs", b"openapi", b"health", b"oauth", b".well-known"})
"""First path segments that are the site's; no route begins with them, for routes live under /api."""

_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]{1,255}\Z")


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """Sizes in bytes, times in seconds.

    :param write_timeout: how long a client may take to read what fills the send buffer.
    :param proxies: networks of the proxies in front, whose word on a caller's address is taken.
    """

    header_bytes: int = 32 * 1024
    header_count: int = 100
    header_timeout: float = 10.0
    connections: int = 4096
    write_timeout: float = 30.0
    proxies: tuple[Network, ...] = ()


class GuardedProtocol(HttpToolsProtocol):
    """One connection of the public port. ``guarded(limits)`` makes the class uvicorn is given.

    ``_unread`` counts the bytes since the parser last got somewhere, which is a whole message or a piece of a body: so it bounds
    heads, trailers and chunk extensions alike. ``_deaf`` means that nothing more is parsed, because the connection ends.
    """

    limits = GuardLimits()
    calls: Calls | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._begun = False
        self._unread = 0
        self._deaf = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._eof = False
        self._offered = False
        self._has_body = False
        self._answering: Answering | None = None
        self._host: bytes | None = None
        self._reason: Problem | None = None
        self._refusal: Problem | None = None

    # --- the connection ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.peer = self.client[0] if self.client else ""
        if len(self.connections) > 2 * self.limits.connections:
            transport.abort()
        elif len(self.connections) > self.limits.connections:
            self._refuse(Overloaded("Too many connections."))
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        self._written()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self.pipeline.clear()
        if self._answering is not None:
            self._answering.end()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that has said everything may still listen: whole requests are answered before the connection closes."""
        self._eof = True
        return self._busy() and not self.cycle.more_body

    def data_received(self, data: bytes) -> None:
        self._unread += len(data)
        if self._deaf:
            if self._unread > LINGER_BYTES:
                self.transport.abort()
            return
        self._feed(data)
        if self._begun or self._unread:
            self._watch_head()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("")

    def _decline_upgrade(self, rest: bytes) -> None:
        """A request that offers another protocol is an ordinary request (RFC 9110 section 7.8), but the parser takes everything
        behind its head for that protocol. So its head is read again without the offer, by a new parser."""
        closing = any(b"close" in value.lower() for name, value in self.headers if name == b"connection")
        kept = [header for header in self.headers if header[0] not in (b"connection", b"upgrade", b"http2-settings")]
        if closing:
            kept.append((b"connection", b"close"))
        lines = [b"%b %b HTTP/1.1" % (self.parser.get_method(), self.url), *(b"%b: %b" % header for header in kept)]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._in_head = True
        self._feed(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    def _watch_head(self) -> None:
        if self._deaf:
            return
        if self._unread > self.limits.header_bytes:
            self._refuse(self._too_large())
        elif self._in_head and self._begun and self._head_timer is None:
            self._await_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.write_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        self._written()
        super().resume_writing()

    def _written(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    # --- the parser --------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.calls is None:
            super().on_message_begin()
        else:
            self.url, self.headers, self.expect_100_continue = b"", [], False
        self._begun = True
        self._has_body = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # Trailers are never merged into the headers (RFC 9110 section 6.5.1).
            name = name.lower()
            self.headers.append((name, value))
            if name in FRAMING:
                self._note_framing(name, value)

    def _note_framing(self, name: bytes, value: bytes) -> None:
        if name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
            return
        self._has_body = True
        if name == b"transfer-encoding" and value.lower() != b"chunked":
            self._reject(BadRequest("The only transfer coding here is chunked."))

    def _reject(self, problem: Problem) -> NoReturn:
        """Out of a parser callback: uvicorn's protocol then calls ``send_400_response``."""
        self._reason = problem
        raise ValueError(problem.slug)

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_arrived()
        parser = self.parser
        version = parser.get_http_version()
        problem = self._wrong_head(version)
        if problem is not None:
            self._reject(problem)
        self._offered = parser.should_upgrade()
        if self._offered:  # ``_decline_upgrade`` is next.
            return
        url = self.url = origin_form(self.url)
        if self.calls is None:
            super().on_headers_complete()
        elif not url.startswith(API) and url[1:].partition(b"/")[0].partition(b"?")[0] in SITE:
            self._serve_site()
        else:
            self._start_call(keep_alive=version != "1.0" and parser.should_keep_alive())

    def _serve_site(self) -> None:
        """Through uvicorn's own cycle, with the scope that an API call has no use for."""
        url, headers, expected = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expected
        self.scope["headers"] = headers
        if self.limits.proxies:
            self.scope["client"] = (origin(self.peer, headers, self.limits.proxies), 0)
        super().on_headers_complete()

    def _start_call(self, *, keep_alive: bool) -> None:
        before = self.cycle
        method = self.parser.get_method().decode("ascii")
        self.cycle = cycle = ApiCycle(self, method, self.url, self.headers, keep_alive=keep_alive)
        if self.limits.proxies:
            cycle.peer = origin(self.peer, self.headers, self.limits.proxies)
        if self._has_body:
            cycle.expect_body(asked=self.expect_100_continue)
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if not isinstance(cycle, ApiCycle) or self.calls is None:
            super()._start_asgi_task(cycle, app)
            return
        if self._answering is None:
            self._answering = Answering(self.calls, self.loop, self.tasks)
        self._answering.start(cycle)

    def _wrong_head(self, version: str) -> Problem | None:
        headers, limits = self.headers, self.limits
        size = len(self.url) + 4 * len(headers)
        hosts = []
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"host":
                hosts.append(value)
        if size > limits.header_bytes or len(headers) > limits.header_count:
            return self._too_large()
        if len(self.pipeline) >= PIPELINE:
            return Overloaded(f"A connection may have {PIPELINE} requests waiting.")
        if version not in ("1.0", "1.1"):
            return BadRequest("This port speaks HTTP/1.1.")
        if len(hosts) != 1 and (hosts or version == "1.1"):
            return BadRequest("A request needs exactly one Host header.")
        if hosts and hosts[0] != self._host:
            if not _HOST.match(hosts[0]):
                return BadRequest("The Host header names no host.")
            self._host = hosts[0]
        if self.parser.get_method() == b"CONNECT":
            return BadRequest("This port is no proxy.")
        return None

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._offered:
            return
        cycle = self.cycle
        if cycle.more_body and not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()
        self._in_head = True
        self._begun = False
        self._unread = 0

    def send_400_response(self, msg: str) -> None:
        """uvicorn's answer to what it cannot parse, or what a callback above refused."""
        self._refuse(self._reason or BadRequest("This is not HTTP/1.1 as RFC 9112 has it."))

    def _too_large(self) -> HeadersTooLarge:
        limits = self.limits
        return HeadersTooLarge(f"A request head may hold {limits.header_bytes} bytes in {limits.header_count} headers.")

    # --- deadlines ---------------------------------------------------------------------------------------------------

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.header_timeout, self._head_late)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_late(self) -> None:
        self._head_timer = None
        if self._busy():
            self._await_head()
        elif not self._begun:
            self.transport.close()
        elif not self.transport.is_closing():
            self._refuse(RequestTimeout("The request head did not arrive in time."))

    # --- refusing ----------------------------------------------------------------------------------------------------

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, problem: Problem) -> None:
        """Answer with a problem and close: at once, or after the calls that came before on this connection."""
        self._deaf = True
        self._refusal = problem
        self._unread = 0
        self._head_arrived()
        if self.transport.is_closing():
            return
        if self._busy() and self.cycle.more_body:
            self._break_off()
        if not self._busy():
            self._answer_refusal(problem)

    def _break_off(self) -> None:
        """The request being read is itself broken. Its handler hears of a disconnect; its answer, if begun, stays incomplete."""
        if self.pipeline or self.cycle.response_started:
            self.transport.close()
        self.cycle.disconnected = True
        self.cycle.response_complete = True
        self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        unfinished = self.cycle.more_body and self.cycle.response_complete
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle()
        if self._refusal is not None and not self._busy():
            self._answer_refusal(self._refusal)
        elif unfinished:  # The rest of a body nobody wants would hold the connection for ever.
            self._linger()

    def _idle(self) -> None:
        """From now on the connection may be closed for saying nothing. One timer for the connection, set anew only when it has
        run out, because one per request would cost more than the request's parsing."""
        if self._eof:
            self.transport.close()
            return
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._idle_out)

    def _idle_out(self) -> None:
        self._idle_timer = None
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if self._busy() or self._begun:  # A head has its own deadline, a call its own too.
            return
        if left <= 0:
            self.transport.close()
        else:
            self._idle_timer = self.loop.call_later(left, self._idle_out)

    def _answer_refusal(self, problem: Problem) -> None:
        if not self.transport.is_closing():
            self.transport.write(_raw(problem))
            self._linger()

    def _linger(self) -> None:
        """Close in two steps: say that this was all, and hear the client out for a moment."""
        self._deaf = True
        self._unread = 0
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._head_timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)


def guarded(limits: GuardLimits, calls: Calls | None = None) -> type[GuardedProtocol]:
    """The protocol class for uvicorn. ``calls`` answers what is not the site's; without it all goes to uvicorn's application."""
    return type("GuardedProtocol", (GuardedProtocol,), {"limits": limits, "calls": calls})


def _raw(problem: Problem) -> bytes:
    body = orjson.dumps(problem.document())
    head = (
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
        f"content-type: application/problem+json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
