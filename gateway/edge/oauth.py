"""The token endpoint and the two documents that describe it, as Starlette routes (RFC 6749, RFC 7517, RFC 8414).

Whoever holds the current snapshot is asked for the issuer on every request, so a reload needs no new application; what must
outlive it is here: how many failures each client and each peer had, and how many secrets are being checked. A failed client
authentication counts against its client at this peer and against the peer, a success never; who is over a limit waits without
being heard, for otherwise the limit would not slow guessing.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from math import ceil
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.edge.body import AsgiBody
from gateway.errors import BodyTooLarge, NotFound, Overloaded, TooManyRequests, UnsupportedMediaType
from gateway.identity.hashes import CLIENT
from gateway.identity.issuer import JWKS_PATH, METADATA_PATH, TOKEN_PATH, Answer, TokenIssuer, TokenRequest
from gateway.ports import Clock, Counters, Limit

MAX_BODY = 16 * 1024
MAX_FIELDS = 20
BODY_SECONDS = 10.0

CLIENT_FAILURES = Limit("token-client", 10, 60.0, 10)
PEER_FAILURES = Limit("token-peer", 100, 60.0, 100)
"""A company's proxy is one peer for many clients, so one misconfigured client must not use up what the others need."""

CHECKS_AT_ONCE = 2
CHECKS_WAITING = 64
"""Secret checks are slow on purpose: more would take the processor from the API, longer queues only delay the answer."""

MAX_BLOCKED = 10_000

Partitions = Sequence[tuple[Limit, str]]


def oauth_routes(current: Callable[[], TokenIssuer | None], checks: SecretChecks) -> list[Route]:
    """The routes. ``current`` gives the issuer of the current snapshot, or ``None`` when it has none: then all are 404. Endpoints
    raise ``Problem`` for what no OAuth client handles (404, 408, 413, 415, 429, 503); the application renders it."""
    endpoints = _Endpoints(current, checks)
    return [
        Route(TOKEN_PATH, endpoints.token, methods=["POST"]),
        Route(JWKS_PATH, endpoints.jwks),
        Route(METADATA_PATH, endpoints.metadata),
    ]


class Throttle:
    """Who failed too often. Counters only learn of failures, so who is over a limit is remembered here until its time is up."""

    def __init__(self, counters: Counters, clock: Clock) -> None:
        self._counters = counters
        self._monotonic = clock.monotonic
        self._blocked: dict[tuple[str, str], float] = {}

    def check(self, partitions: Partitions) -> None:
        """Raises ``TooManyRequests`` while any of these is over its limit."""
        now = self._monotonic()
        until = max(self._blocked.get((limit.name, partition), now) for limit, partition in partitions)
        if until > now:
            raise _too_many(until - now)

    async def failed(self, partitions: Partitions) -> None:
        """Count a failure. Raises ``TooManyRequests`` when it was one too many."""
        quotes = await self._counters.take(partitions)
        refused = [(quote, partition) for quote, (_, partition) in zip(quotes, partitions, strict=True) if not quote.allowed]
        if not refused:
            return
        now = self._monotonic()
        if len(self._blocked) >= MAX_BLOCKED:
            self._blocked = {key: until for key, until in self._blocked.items() if until > now}
        for quote, partition in refused:
            if len(self._blocked) < MAX_BLOCKED:
                self._blocked[quote.limit.name, partition] = now + quote.retry_after
        raise _too_many(max(quote.retry_after for quote, _ in refused))


def _too_many(seconds: float) -> TooManyRequests:
    wait = max(1, ceil(seconds))
    return TooManyRequests(f"Too many failed attempts. Try again in {wait} s.", headers={"retry-after": str(wait)})


class SecretChecks:
    """Where every client secret is checked, whatever it came with: few at once, and not for who failed too often."""

    def __init__(self, counters: Counters, clock: Clock) -> None:
        self._throttle = Throttle(counters, clock)
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._waiting = 0

    async def respond(self, issuer: TokenIssuer, read: TokenRequest, peer: str) -> Answer:
        """The issuer's answer; ``peer`` is the client's address. Raises ``TooManyRequests`` or ``Overloaded``."""
        network = network_of(peer)
        client = read.client if CLIENT.fullmatch(read.client) else "?"
        partitions = [(CLIENT_FAILURES, f"{client} {network}"), (PEER_FAILURES, network)]
        self._throttle.check(partitions)
        answer = await self._in_turn(issuer, read, partitions)
        if answer.failed and read.method:
            await self._throttle.failed(partitions)
        return answer

    async def _in_turn(self, issuer: TokenIssuer, read: TokenRequest, partitions: Partitions) -> Answer:
        if self._waiting >= CHECKS_WAITING:
            raise Overloaded("Too many token requests at once.", headers={"retry-after": "1"})
        self._waiting += 1
        try:
            async with self._checks:
                # Those before it in the queue may have used up what was left.
                self._throttle.check(partitions)
                return await issuer.respond(read)
        finally:
            self._waiting -= 1


class _Endpoints:
    def __init__(self, current: Callable[[], TokenIssuer | None], checks: SecretChecks) -> None:
        self._current = current
        self._checks = checks

    async def token(self, request: Request) -> Response:
        issuer = self._issuer()
        answer = await _read(issuer, request)
        if isinstance(answer, TokenRequest):
            answer = await self._checks.respond(issuer, answer, request.client.host if request.client else "")
        headers = {"cache-control": "no-store", "pragma": "no-cache", **answer.headers}
        return JSONResponse(dict(answer.body), answer.status, headers)

    async def jwks(self, request: Request) -> Response:
        return JSONResponse(self._issuer().jwks, headers={"cache-control": "public, max-age=300"})

    async def metadata(self, request: Request) -> Response:
        return JSONResponse(self._issuer().metadata, headers={"cache-control": "public, max-age=300"})

    def _issuer(self) -> TokenIssuer:
        issuer = self._current()
        if issuer is None:
            raise NotFound("This gateway issues no tokens.")
        return issuer


def network_of(host: str) -> str:
    """The peer, for IPv6 its /64: whoever has one such address usually has them all."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host or "?"
    if isinstance(address, ipaddress.IPv4Address):
        return host
    return str(address.ipv4_mapped or ipaddress.IPv6Network((address.packed[:8] + bytes(8), 64)))


async def _read(issuer: TokenIssuer, request: Request) -> TokenRequest | Answer:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType("Send application/x-www-form-urlencoded.")
    authorizations = request.headers.getlist("authorization")
    if len(authorizations) > 1:
        return _unreadable("more than one Authorization header")
    body = await _body(request)
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        return _unreadable("the body is no form of at most 20 fields")
    form = {name: value for name, value in fields if value}
    if len({name for name, _ in fields}) < len(fields):
        return _unreadable("a parameter is repeated")
    return issuer.read(form, authorizations[0] if authorizations else None)


def _unreadable(description: str) -> Answer:
    return Answer(400, {"error": "invalid_request", "error_description": description})


async def _body(request: Request) -> bytes:
    length = request.headers.get("content-length", "")
    declared = int(length) if length.isdecimal() else None
    body = AsgiBody(request.receive, limit=MAX_BODY, timeout=BODY_SECONDS, declared=declared)
    try:
        return await body.read()
    except BodyTooLarge:
        await body.drain()
        raise
