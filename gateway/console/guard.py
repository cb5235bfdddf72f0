"""What stands in front of every page of the console: its own name, its own origin, a small body, and headers that let a browser
help.

A page of another site can make a browser call this port: by a name of its own that resolves here (DNS rebinding), by a form, or
by a frame. So ``Host`` must be one the console goes by, an unsafe method must come from one of its own pages, and nothing may
frame it. Health and metrics are for machines: whatever name they use, and they show no page.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.approvals.messages import msgid
from gateway.errors import BadRequest, BodyTooLarge, Forbidden, Problem

log = structlog.get_logger()

MAX_BODY = 64 * 1024
"""Largest form; a reason has at most some thousand characters."""

OTHER_NAME = msgid("The console does not go by this name. Open it by the address you were given.")
OTHER_SITE = msgid("This was sent by another site, so it was not done. Open the console and do it there.")
TOO_LARGE = msgid("What was sent is too large for a form.")

MACHINES = ("/health/live", "/health/ready", "/metrics")
SAFE = ("GET", "HEAD")
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), publickey-credentials-get=(self)",
    "cache-control": "no-store",
}
"""A page may say otherwise of ``cache-control`` only."""

Refuse = Callable[[Problem], ASGIApp]


class Guard:
    """``public_url`` is the origin browsers use, when it is not this machine's loopback address and the port the call came in by.
    ``refuse`` makes a page of a problem."""

    def __init__(self, app: ASGIApp, public_url: str | None, refuse: Refuse) -> None:
        self._app = app
        self._public_url = public_url
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in MACHINES:
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["id"] = secrets.token_hex(16)
        answer = _Answer(send, state["id"], self._public_url)
        try:
            state["origin"] = self._origin(scope)
            _check_sender(scope, state["origin"])
            app, receive = self._app, _bounded(scope, receive)
        except Problem as problem:
            state.setdefault("origin", "")
            app = self._refuse(problem)
        try:
            await app(scope, receive, answer)
        except ClientDisconnect:
            log.info("console.abandoned", id=state["id"], path=scope["path"])
        except Exception as error:  # starlette has answered with a page and raises what the log must show
            log.error("console.failed", id=state["id"], path=scope["path"], exc_info=error)

    def _origin(self, scope: Scope) -> str:
        """The origin this call was made to. Raises ``BadRequest`` for a name the console does not go by."""
        host = Headers(scope=scope).getlist("host")
        if len(host) == 1:
            for origin in self._origins(scope):
                if urlsplit(origin).netloc == host[0].lower():
                    return origin
        raise BadRequest(OTHER_NAME)

    def _origins(self, scope: Scope) -> list[str]:
        if self._public_url is not None:
            return [self._public_url.lower()]
        port = (scope.get("server") or ("", 0))[1]
        return [f"http://{host}:{port}" for host in LOOPBACK]


def _check_sender(scope: Scope, origin: str) -> None:
    """Who sends an unsafe request: a page of ours, or a client that is no browser and says nothing. Raises ``Forbidden``."""
    if scope["method"] in SAFE:
        return
    headers = Headers(scope=scope)
    site, sender = headers.get("sec-fetch-site"), headers.get("origin")
    if site not in (None, "same-origin", "none") or sender not in (None, origin):
        raise Forbidden(OTHER_SITE)


def _bounded(scope: Scope, receive: Receive) -> Receive:
    length = Headers(scope=scope).get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY:
        raise BodyTooLarge(TOO_LARGE)
    taken = 0

    async def read() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY:
            raise BodyTooLarge(TOO_LARGE)
        return message

    return read


class _Answer:
    """Adds the headers every answer has."""

    def __init__(self, send: Send, id_: str, public_url: str | None) -> None:
        self._send = send
        self._id = id_
        self._tls = public_url is not None and public_url.startswith("https:")

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers["x-request-id"] = self._id
            if self._tls:
                headers["strict-transport-security"] = "max-age=31536000"
        await self._send(message)
