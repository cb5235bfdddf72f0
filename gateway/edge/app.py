"""The public port as an ASGI application: canonical path, dispatch, reply.

API calls are dispatched here, straight to the route's compiled handler; everything else (token endpoint, documentation, health)
belongs to a Starlette application that this one falls back to. A call takes the snapshot that is current when it arrives and
keeps it to the end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from gateway.edge.body import AsgiBody, Receive
from gateway.edge.path import canonical, checked_query
from gateway.edge.site import SITE
from gateway.errors import Problem
from gateway.exchange import Exchange, Reply, Request
from gateway.pipeline import Handler
from gateway.snapshot import Snapshot

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class Holder(Protocol):
    """Whoever holds the current snapshot."""

    @property
    def snapshot(self) -> Snapshot: ...


class Edge:
    """``holder`` is asked for its snapshot once per call; ``site`` serves what is no API call."""

    def __init__(self, holder: Holder, site: Asgi) -> None:
        self._holder = holder
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        snapshot = self._holder.snapshot
        raw_path: bytes = scope["raw_path"]
        if not raw_path.startswith(b"/api/") and raw_path[1:].partition(b"/")[0] in SITE:
            await self._site(scope, receive, send)
            return
        limits = snapshot.limits
        declared = content_length(scope["headers"])
        expected = (b"expect", b"100-continue") in scope["headers"]
        body = AsgiBody(receive, limit=limits.body, timeout=limits.body_timeout, declared=declared, expected=expected)
        exchange, handler = begin(snapshot, scope, body, raw_path)
        reply = await handler(exchange)
        await write(reply, body, send)


def begin(snapshot: Snapshot, scope: Scope, body: AsgiBody, raw_path: bytes) -> tuple[Exchange, Handler]:
    """The exchange of a request and what handles it. A request that fits no route still goes through the outermost stage."""
    client = scope["client"]
    request = Request(
        scope["method"],
        raw_path.decode("ascii"),
        scope["query_string"].decode("latin-1"),
        scope["headers"],
        body,
        client[0] if client else "",
    )
    try:
        request.path = canonical(raw_path)
        checked_query(scope["query_string"])
        route, params = snapshot.router.match(request.method, request.path)
    except Problem as problem:
        return Exchange(request, "", "none", "", {}), snapshot.refuse(problem)
    return Exchange(request, "", route.operation, route.version, params), route.handler


def content_length(headers: list[tuple[bytes, bytes]]) -> int | None:
    """The declared size of the body: 0 when there is none, ``None`` when it is chunked. The parser has checked the form."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
        if name == b"transfer-encoding":
            return None
    return 0


async def write(reply: Reply, body: AsgiBody, send: Send) -> None:
    """Send a reply. A request body nobody read is drained first, within bounds, or the connection is closed after the answer."""
    headers = reply.headers
    if not body.finished and not await body.drain():
        headers.append((b"connection", b"close"))
    content = reply.body
    if not isinstance(content, bytes):
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        async for part in content:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    if reply.status in (204, 304):
        content = b""
    else:
        headers.append((b"content-length", b"%d" % len(content)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
