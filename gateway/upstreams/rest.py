"""A REST operation as a route ends in it: passed through as it is, or translated by field tables.

Passed through, bodies stream in both directions and only headers that may cross do. Mapped, both bodies are JSON values. A 5xx
never reaches the satellite as the ERP wrote it; a 4xx does so only where the route is a pass-through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from gateway.errors import BadAnswer, BadRequest, FaultServer, FieldError, Unprocessable
from gateway.exchange import Exchange, Headers, Outgoing, Reply
from gateway.ports import Client, Incoming
from gateway.protocols import json_http
from gateway.upstreams.headers import DEFAULT_FORWARD, answerable, forwardable
from gateway.upstreams.refusals import answered, refused_status
from gateway.upstreams.table import Table, in_rest_terms

WHOLE = 64 * 1024
"""A pass-through answer of at most this size is read whole: one write to the satellite instead of several."""

OWN = frozenset({b"traceparent", b"x-request-id"})
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_EMPTY = (b"content-length", b"0")
_JSON: Headers = [(b"content-type", b"application/json")]
_ACCEPT: Headers = [(b"accept", b"application/json, application/problem+json")]
_UNRESERVED = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_.~-]*")
_UNSAFE = re.compile(r"[/\\%;?#\x00-\x1f\x7f\ud800-\udfff]")


class Target:
    """The upstream's path with its parameters: ``/items/{sku}``."""

    def __init__(self, template: str) -> None:
        self._start, *parts = re.split(r"\{(\w+)\}", template)
        self.names = tuple(parts[::2])
        self._rest = tuple(zip(self.names, parts[1::2], strict=True))

    def fill(self, values: Mapping[str, object]) -> str:
        """Percent-encoded. What a careless reader could take for a path segment of its own is refused as the edge refuses it,
        encoded or not. Raises ``Unprocessable``."""
        text = self._start
        for name, literal in self._rest:
            value = values.get(name)
            if not isinstance(value, str) or not _UNRESERVED.fullmatch(value):
                value = _segment(name, value)
            text += value + literal
        return text


def _segment(name: str, value: object) -> str:
    shown = str(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else ""
    if shown in ("", ".", "..") or _UNSAFE.search(shown):
        raise Unprocessable(errors=[FieldError(f"/{name}", "cannot stand in a path")])
    return quote(shown, safe="")


@dataclass(frozen=True, slots=True)
class PassThrough:
    """Implements ``gateway.ports.Operation`` for a REST upstream without field tables."""

    client: Client
    method: str
    target: Target
    timeout: float | None = None
    safe: bool = False
    forward: frozenset[bytes] = DEFAULT_FORWARD
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        own = OWN.union(name for name, _ in self.headers)
        object.__setattr__(self, "forward", self.forward - own)

    def prepare(self, exchange: Exchange) -> Outgoing:
        request = exchange.request
        target = self.target.fill(exchange.params)
        if request.query:
            target = f"{target}?{request.query}"
        headers = forwardable(request.headers, self.forward)
        headers += self.headers
        headers.append((b"x-request-id", exchange.id.encode("ascii")))
        headers.append((b"traceparent", exchange.trace))
        length, has_body = framing_of(request.headers)
        if length is not None:
            headers.append(length)
        return Outgoing(self.method, target, headers, request.body.chunks() if has_body else b"", self.safe)

    async def send(self, outgoing: Outgoing) -> Reply:
        incoming = await self.client.send(outgoing, timeout=self.timeout)
        if incoming.status >= 500:
            await incoming.aclose()
            raise answered(FaultServer("The ERP answered with an error."), incoming)
        if incoming.status in (401, 407):
            await incoming.aclose()
            raise answered(refused_status(incoming.status, ""), incoming)
        headers = answerable(incoming.headers)
        if fits_whole(incoming.headers):
            return Reply(incoming.status, headers, body=await incoming.read())
        return Reply(incoming.status, headers, body=incoming.chunks())

    def request_schema(self) -> dict[str, Any] | None:
        return None

    def answer_schema(self) -> dict[str, Any] | None:
        return None

    def refusals(self) -> Mapping[str, tuple[int, dict[str, Any]]]:
        return {}


@dataclass(frozen=True, slots=True)
class RestOperation:
    """Implements ``gateway.ports.Operation`` for a REST upstream with field tables. Mapped fields that the path does not
    take become the JSON body, or the query of a method without one."""

    client: Client
    method: str
    target: Target
    table: Table
    status: int = 200
    timeout: float | None = None
    safe: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)

    def prepare(self, exchange: Exchange) -> Outgoing:
        mapped = self.table.request(exchange.value) if self.table.request else exchange.value
        values = mapped if isinstance(mapped, dict) else {}
        target = self._target(values)
        rest = {name: value for name, value in values.items() if name not in self.target.names}
        body, kind = b"", []
        if self.method in ("GET", "DELETE"):
            target = f"{target}?{query_of(rest)}" if rest else target
        else:
            body, kind = json_http.dumps(rest if isinstance(mapped, dict) else mapped), _JSON
        own = {name for name, _ in self.headers}
        headers = [header for header in (*kind, *_ACCEPT) if header[0] not in own]
        headers += [*self.headers, (b"x-request-id", exchange.id.encode("ascii")), (b"traceparent", exchange.trace)]
        return Outgoing(self.method, target, headers, body, self.safe)

    def _target(self, values: Mapping[str, object]) -> str:
        try:
            return self.target.fill(values)
        except Unprocessable as error:
            raise (in_rest_terms(error, self.table.request) if self.table.request else error) from error

    async def send(self, outgoing: Outgoing) -> Reply:
        incoming = await self.client.send(outgoing, timeout=self.timeout)
        data = await incoming.read()
        if incoming.status >= 500:
            raise answered(FaultServer("The ERP answered with an error."), incoming)
        if incoming.status >= 400:
            raise answered(refused_status(incoming.status, told(incoming, data)), incoming)
        if not data and incoming.status < 300 and self.table.answer is None:
            return Reply(self.status)
        value = read_json(incoming, data)
        if self.table.answer is not None:
            value = self.table.answer(value)
        return Reply(self.status, value=value)

    def request_schema(self) -> dict[str, Any] | None:
        return self.table.request_schema()

    def answer_schema(self) -> dict[str, Any] | None:
        return self.table.answer_schema()

    def refusals(self) -> Mapping[str, tuple[int, dict[str, Any]]]:
        return {}


def query_of(values: Mapping[str, object]) -> str:
    """Mapped values as a query: a list is the same name several times, ``None`` is left out, booleans are ``true`` and ``false``.
    Raises ``Unprocessable`` for what has no form in a query."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict | list):
                raise Unprocessable(errors=[FieldError(f"/{name}", "cannot stand in a query")])
            if item is not None:
                pairs.append((name, str(item).lower() if isinstance(item, bool) else str(item)))
    return urlencode(pairs)


def framing_of(headers: Headers) -> tuple[tuple[bytes, bytes] | None, bool]:
    """A request's first Content-Length, and whether it has a body."""
    length, has_body = None, False
    for header in headers:
        if header[0] in _FRAMING:
            has_body = has_body or header != _EMPTY
            if length is None and header[0] == b"content-length":
                length = header
    return length, has_body


def fits_whole(headers: Headers) -> bool:
    """Small, of known size, and not compressed."""
    size = -1
    for name, value in headers:
        if name == b"content-length":
            size = int(value) if value.isdigit() else -1
        elif name == b"content-encoding":
            return False
    return 0 <= size <= WHOLE


def read_json(incoming: Incoming, data: bytes) -> object:
    """An answer's JSON value. Raises ``BadAnswer``."""
    if 300 <= incoming.status < 400:
        raise BadAnswer("The ERP answered with a redirection.")
    try:
        return json_http.loads(data)
    except BadRequest as error:
        raise BadAnswer("The ERP's answer is not JSON.") from error


def told(incoming: Incoming, data: bytes) -> str:
    """What an upstream's problem document (RFC 9457) says to its caller, at most a sentence or two."""
    kinds = [value.partition(b";")[0].strip() for name, value in incoming.headers if name == b"content-type"]
    if kinds != [b"application/problem+json"]:
        return ""
    try:
        problem = json_http.loads(data)
    except BadRequest:
        return ""
    detail = problem.get("detail") if isinstance(problem, dict) else None
    return detail[:300] if isinstance(detail, str) and detail.isprintable() else ""
