"""HTTP to one upstream through httpx: for everything off the hot path, and for HTTP/2 where the h2 package is installed.

Same port, same settings and same outcomes as ``http1``. It uses httpx's transport and not its client, so that no redirect,
cookie or environment variable can have a say. Connections are not reused: httpcore would take bytes an upstream sends after
one answer for the start of the next, and another satellite would get them. No type of httpx leaves this module.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Final

import httpx

from gateway.errors import BadAnswer, Unreachable, UpstreamProblem, UpstreamTimeout
from gateway.exchange import Headers, Outgoing
from gateway.upstreams.coding import decoded
from gateway.upstreams.framing import check_request_line, declared_length, exactly, request_framing, sendable
from gateway.upstreams.headers import HOP_BY_HOP, nominated
from gateway.upstreams.settings import ClientSettings, parse_base_url, tls_context

HTTP2: Final = importlib.util.find_spec("h2") is not None

_NO_ANSWER: Final = "Server disconnected without sending a response."

# What ended a call before its answer's head, most specific first: the problem, and what the caller is told.
_TRANSLATION: Final[tuple[tuple[type[Exception], type[UpstreamProblem], str], ...]] = (
    (httpx.ConnectTimeout, Unreachable, "The upstream did not accept a connection in time."),
    (httpx.ConnectError, Unreachable, "No connection to the upstream can be made."),
    (httpx.ProtocolError, BadAnswer, "The answer's head is not HTTP/1.1."),
    (httpx.TransportError, Unreachable, "The upstream closed the connection without an answer."),
)


class HttpxClient:
    """Implements ``gateway.ports.Client``.

    :param base_url: ``http://host[:port][/prefix]`` or ``https://…``; the target of each call is appended to the prefix.
        Raises ValueError when it is nothing of the kind.
    """

    def __init__(self, base_url: str, settings: ClientSettings | None = None) -> None:
        self._settings = settings = settings or ClientSettings()
        base = parse_base_url(base_url)
        self._prefix = base.prefix
        self._authority = base.authority.encode()
        self._url = httpx.URL(f"{base.scheme}://{base.authority}")
        self._transport = httpx.AsyncHTTPTransport(
            verify=settings.tls or tls_context(),
            http2=HTTP2,
            trust_env=False,
            limits=httpx.Limits(max_connections=settings.connections, max_keepalive_connections=0),
        )
        self._calls: dict[object, float] = {}
        self._changed = asyncio.Event()
        self._closed = False

    async def send(self, outgoing: Outgoing, *, timeout: float | None = None) -> HttpxAnswer:
        """As ``Http1Client.send``."""
        request, trace = self._request(outgoing)
        if self._closed:
            raise Unreachable("The gateway is closing its connections to the upstream.", sent=False)
        if timeout is None:
            timeout = self._settings.timeout
        elif timeout <= 0:
            raise UpstreamTimeout("No time was left for the upstream.", sent=False)
        deadline = asyncio.get_running_loop().time() + timeout
        self._calls[trace] = deadline
        response: httpx.Response | None = None
        try:
            async with asyncio.timeout_at(deadline) as timer:
                response = await self._transport.handle_async_request(request)
            _check_head(response, self._settings, head_only=outgoing.method == "HEAD")
            return HttpxAnswer(response, self._settings.answer_limit, deadline, partial(self._ended, trace))
        except BaseException as error:
            self._ended(trace)
            if response is not None:
                await response.aclose()
            await trace.aclose()
            if isinstance(error, TimeoutError) and timer.expired():
                raise UpstreamTimeout(trace.late(), sent=trace.sent) from error
            problem = _translated(error, trace)
            if problem is None:
                raise
            raise problem from error

    async def aclose(self) -> None:
        """Refuse new calls, let those under way finish by their deadlines, close every connection."""
        self._closed = True
        try:
            while self._calls:
                self._changed.clear()
                async with asyncio.timeout_at(max(self._calls.values())):
                    await self._changed.wait()
        except TimeoutError:
            pass  # an answer nobody reads: its deadline is over
        finally:
            await self._transport.aclose()

    def _ended(self, trace: object) -> None:
        self._calls.pop(trace, None)
        self._changed.set()

    def _request(self, outgoing: Outgoing) -> tuple[httpx.Request, _Trace]:
        check_request_line(outgoing.method, outgoing.target)
        framing = request_framing(outgoing.method, outgoing.body, outgoing.headers)
        headers = [(b"host", self._authority), *sendable(outgoing.headers)]
        if framing is not None:
            headers.append(framing)
        body = outgoing.body
        if not isinstance(body, bytes):
            length = declared_length(outgoing.headers)
            body = body if length is None else exactly(body, length)
        trace = _Trace()
        limits = {"connect": self._settings.connect_timeout, "read": None, "write": None, "pool": None}
        extensions = {"target": (self._prefix + outgoing.target).encode(), "timeout": limits, "trace": trace.hear}
        content = body if not isinstance(body, bytes) or body else None
        return httpx.Request(outgoing.method, self._url, headers=headers, content=content, extensions=extensions), trace


class _Trace:
    """How far a call has come, as httpcore's trace events tell."""

    def __init__(self) -> None:
        self.connecting = self.sent = False
        self._socket: Any = None

    async def hear(self, event: str, details: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            self.connecting = True
        elif event == "connection.connect_tcp.complete":
            self._socket = details["return_value"]
        elif event.endswith(".send_request_headers.started"):
            self.sent = True

    async def aclose(self) -> None:
        """Close what httpcore leaves open when a TLS handshake is cancelled."""
        if self._socket is not None and not self.sent:
            await self._socket.aclose()

    def late(self) -> str:
        if self.sent:
            return "The upstream did not answer within the deadline."
        if self.connecting:
            return "No connection to the upstream could be made within the deadline."
        return "No connection to the upstream was free within the deadline."


def _translated(error: BaseException, trace: _Trace) -> UpstreamProblem | None:
    if isinstance(error, httpx.RemoteProtocolError) and str(error) == _NO_ANSWER:
        return Unreachable("The upstream closed the connection without an answer.", sent=trace.sent)
    for kind, problem, detail in _TRANSLATION:
        if isinstance(error, kind):
            return problem(detail, sent=trace.sent)
    return None


class HttpxAnswer:
    """An upstream's answer; implements ``gateway.ports.Incoming``."""

    def __init__(self, response: httpx.Response, limit: int, deadline: float, ended: Callable[[], None]) -> None:
        self.status = response.status_code
        self.headers = _end_to_end(response)
        self._response = response
        self._stream = response.aiter_raw()
        self._limit = limit
        self._deadline = deadline
        self._ended = ended
        self._problem: UpstreamProblem | None = None
        self._done = self._reading = False
        self._body: bytes | None = None
        self._closing: asyncio.Task[None] | None = None
        self._watch = asyncio.get_running_loop().call_at(deadline, self._expire)

    async def read(self) -> bytes:
        """The whole body with its content codings undone, which ``headers`` then no longer mention."""
        if self._body is None:
            async with aclosing(self._chunks()) as chunks:
                body = b"".join([data async for data in chunks])
            self._body, self.headers = decoded(body, self.headers, self._limit)
        return self._body

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, codings untouched. The upstream is slowed down to the reader's speed."""
        return self._chunks()

    async def aclose(self) -> None:
        if not self._done:
            self._done = True
            self._problem = self._problem or BadAnswer("The answer was given up before its end.")
            self._watch.cancel()
            self._ended()
            await self._response.aclose()

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        received = 0
        try:
            while data := await self._next():
                received += len(data)
                if received > self._limit:
                    raise BadAnswer("The answer is larger than allowed.")
                yield data
        finally:
            await self.aclose()

    async def _next(self) -> bytes:
        """The next bytes, none at the end."""
        if self._problem is not None:
            raise self._problem
        self._reading = True
        try:
            async with asyncio.timeout_at(self._deadline):
                return await anext(self._stream, b"")
        except TimeoutError as error:
            raise UpstreamTimeout("The upstream did not answer within the deadline.") from error
        except httpx.TransportError as error:
            raise BadAnswer("The answer is cut short.") from error
        finally:
            self._reading = False

    def _expire(self) -> None:
        """Give up an answer that nobody reads; a reader has the deadline itself."""
        if not self._reading:
            self._problem = UpstreamTimeout("The upstream did not answer within the deadline.")
            self._closing = asyncio.get_running_loop().create_task(self.aclose())


def _end_to_end(response: httpx.Response) -> Headers:
    headers = [(name.lower(), value) for name, value in response.headers.raw]
    gone = HOP_BY_HOP | nominated(headers)
    return [header for header in headers if header[0] not in gone]


def _check_head(response: httpx.Response, settings: ClientSettings, *, head_only: bool) -> None:
    """What h11 lets through and ``http1`` does not."""
    headers = [(name.lower(), value) for name, value in response.headers.raw]
    if sum(len(name) + len(value) + 4 for name, value in headers) > settings.head_limit:
        raise BadAnswer("The answer's headers are larger than allowed.")
    if not 200 <= response.status_code < 600:
        raise BadAnswer("The answer's status is not HTTP/1.1.")
    if response.http_version == "HTTP/2":
        return
    if response.http_version not in ("HTTP/1.0", "HTTP/1.1"):
        raise BadAnswer("The answer is not HTTP/1.1.")
    fields = dict(headers)
    length = fields.get(b"content-length")
    chunked = b"transfer-encoding" in fields
    old = response.http_version == "HTTP/1.0"
    if chunked and (length is not None or old):
        raise BadAnswer("The answer's Transfer-Encoding leaves its length in doubt.")
    if head_only or response.status_code in (204, 304):
        return
    if length is not None and int(length) > settings.answer_limit:
        raise BadAnswer("The answer is larger than allowed.")
    options = nominated(headers)
    if length is None and not chunked and b"close" not in options and (not old or b"keep-alive" in options):
        raise BadAnswer("The answer has no length.")


DOCUMENT_BYTES: Final = 16 * 1024 * 1024
DOCUMENT_SECONDS: Final = 20.0


def fetch_document(url: str) -> bytes:
    """A WSDL or schema at a URL the operator configured: bounded in size and time, no redirects. Blocks, so never on the event
    loop. Raises ``OSError`` with a sentence."""
    try:
        client = httpx.Client(follow_redirects=False, trust_env=False, timeout=DOCUMENT_SECONDS)
        with client, client.stream("GET", url) as answer:
            if answer.status_code != 200:
                raise OSError(f"the answer is {answer.status_code}, not 200")
            parts, size = [], 0
            for part in answer.iter_bytes():
                size += len(part)
                if size > DOCUMENT_BYTES:
                    raise OSError(f"it is larger than {DOCUMENT_BYTES >> 20} MiB")
                parts.append(part)
            return b"".join(parts)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(f"it cannot be fetched ({type(error).__name__})") from error
