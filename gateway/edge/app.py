"""The public port: canonical path, dispatch, reply.

API calls go straight to the route's compiled handler. A call takes the snapshot that is current when it arrives and keeps it to
the end.
"""

from __future__ import annotations

from typing import Protocol

from gateway.config.gateway import EdgeLimits
from gateway.edge.body import NO_BODY, AsgiBody, NoBody
from gateway.edge.cycle import ApiCycle
from gateway.edge.path import canonical, checked_query
from gateway.edge.soap import SOAP, SoapFacade
from gateway.errors import Problem
from gateway.exchange import Exchange, Headers, Request
from gateway.pipeline import Handler
from gateway.snapshot import Snapshot


class Holder(Protocol):
    """Whoever holds the current snapshot."""

    @property
    def snapshot(self) -> Snapshot: ...


class Edge:
    """Answers API calls, those in SOAP through ``facade``. ``holder`` is asked for its snapshot once per call."""

    def __init__(self, holder: Holder, facade: SoapFacade) -> None:
        self._holder = holder
        self._facade = facade

    async def call(self, cycle: ApiCycle) -> None:
        snapshot = self._holder.snapshot
        body = body_of(cycle, snapshot.limits) if cycle.more_body or cycle.body else NO_BODY
        if cycle.target.startswith(SOAP):
            await cycle.respond(await self._facade.reply(snapshot, cycle, body), body)
            return
        exchange, handler = begin(snapshot, cycle, body)
        await cycle.respond(await handler(exchange), body)


def body_of(cycle: ApiCycle, limits: EdgeLimits) -> AsgiBody:
    return AsgiBody(
        cycle.receive,
        limit=limits.body,
        timeout=limits.body_timeout,
        declared=content_length(cycle.headers),
        expected=cycle.waiting_for_100_continue,
        arrived=cycle.body_arrived,
    )


def begin(snapshot: Snapshot, cycle: ApiCycle, body: AsgiBody | NoBody) -> tuple[Exchange, Handler]:
    """The exchange of a request and what handles it. A request that fits no route still goes through the outermost stage."""
    raw_path, _, query = cycle.target.partition(b"?")
    request = Request(cycle.method, "", query.decode("latin-1"), cycle.headers, body, cycle.peer)
    try:
        request.path = canonical(raw_path)
        if query:
            checked_query(query)
        route, params = snapshot.router.match(request.method, request.path)
    except Problem as problem:
        request.path = request.path or raw_path.decode("latin-1")
        return Exchange(request, "", "none", "", {}), snapshot.refuse(problem)
    return Exchange(request, "", route.operation, route.version, params), route.handler


def content_length(headers: Headers) -> int | None:
    """The declared size of the body: 0 when there is none, ``None`` when it is chunked. The parser has checked the form."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
        if name == b"transfer-encoding":
            return None
    return 0
