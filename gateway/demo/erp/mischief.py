"""The ways a real ERP misbehaves, on demand: ``POST /control`` arms them, the next requests of that service meet them.

    before the ERP looks at the request      drop_before · http500 · html502 · fault
    after it has decided, and booked         delay · hold · drop_after_commit · garbage · truncate · oversize · dtd

What happens after the decision is in the journal, whatever the caller gets to see.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

SERVICES = ("finance", "procurement", "inventory", "sales")
BEFORE = ("drop_before", "http500", "html502", "fault")
AFTER = ("delay", "hold", "drop_after_commit", "garbage", "truncate", "oversize", "dtd")
CHUNK = 65_536
TRANSPORT = "gateway.demo.erp.transport"

HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1><hr>proxy</body></html>"
ENTITY_BOMB = (
    '<?xml version="1.0"?><!DOCTYPE e [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {name} "{f"&{inner};" * 10}">' for inner, name in zip("abcdefgh", "bcdefghi", strict=True))
    + ']><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>&i;</e:Body></e:Envelope>'
).encode()


@dataclass(frozen=True, slots=True)
class Trick:
    """:param seconds: how long ``delay`` waits. :param bytes: how much ``oversize`` sends."""

    mode: str
    seconds: float = 1.0
    bytes: int = 33_554_432


class Mischief:
    """Tricks waiting for their requests, first in, first out for each service."""

    def __init__(self) -> None:
        self._armed: dict[str, deque[Trick]] = {service: deque() for service in SERVICES}
        self._held: dict[str, asyncio.Event] = {service: asyncio.Event() for service in SERVICES}

    def control(self, order: object) -> None:
        """Obey one control document. Raises ``ValueError`` that says what would be right."""
        if not isinstance(order, dict) or order.get("service") not in SERVICES:
            raise ValueError(f"service must be one of {', '.join(SERVICES)}")
        service, mode = order["service"], order.get("mode")
        if mode == "clear":
            self._armed[service].clear()
        if mode in ("clear", "release"):
            self._held[service].set()
            self._held[service] = asyncio.Event()
        elif mode in BEFORE + AFTER:
            self._armed[service].extend([_trick(order)] * _count(order))
        else:
            raise ValueError(f"mode must be one of {', '.join(BEFORE + AFTER)}, clear, release")

    def take(self, service: str) -> Trick | None:
        armed = self._armed[service]
        return armed.popleft() if armed else None

    def armed(self) -> Mapping[str, list[str]]:
        return {service: [trick.mode for trick in tricks] for service, tricks in self._armed.items()}

    async def released(self, service: str) -> None:
        await self._held[service].wait()


async def before(trick: Trick, request: Request) -> Response | None:
    """What the caller gets instead of being heard; ``None`` lets it pass."""
    if trick.mode == "drop_before":
        return Dropped()
    if trick.mode == "http500":
        await request.body()
        return PlainTextResponse("Internal Server Error", 500)
    if trick.mode == "html502":
        await request.body()
        return HTMLResponse(HTML, 502)
    return None


async def after(trick: Trick, mischief: Mischief, service: str, answer: Response) -> Response:
    """What the caller gets instead of the answer to a request the ERP has decided."""
    if trick.mode == "delay":
        await asyncio.sleep(trick.seconds)
        return answer
    if trick.mode == "hold":
        await mischief.released(service)
        return answer
    media_type = answer.headers["content-type"]
    if trick.mode == "drop_after_commit":
        return Dropped()
    if trick.mode == "garbage":
        return Response(b"\x00\x93{<not" * 40, media_type=media_type)
    if trick.mode == "truncate":
        return Truncated(bytes(answer.body), answer.status_code, media_type=media_type)
    if trick.mode == "oversize":
        return Oversize(bytes(answer.body), media_type=media_type, padding=trick.bytes)
    return Response(ENTITY_BOMB, media_type=media_type)


class Dropped(Response):
    """No answer: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _cut(scope, receive)


class Truncated(Response):
    """The whole length announced, half of it sent, then the connection closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body[: len(self.body) // 2]), "more_body": True})
        await _close(scope, receive)


class Oversize(Response):
    """A valid answer behind a great deal of leading white space, in chunks of unannounced total length."""

    def __init__(self, content: bytes, media_type: str, padding: int) -> None:
        super().__init__(content, media_type=media_type)
        self.padding = padding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        head, _, rest = bytes(self.body).partition(b"\n")
        has_prologue = head.startswith(b"<?xml")
        await send({"type": "http.response.body", "body": head if has_prologue else b"", "more_body": True})
        for _ in range(self.padding // CHUNK + 1):
            await send({"type": "http.response.body", "body": b" " * CHUNK, "more_body": True})
        await send({"type": "http.response.body", "body": rest if has_prologue else bytes(self.body)})


async def _cut(scope: Scope, receive: Receive) -> None:
    scope["state"][TRANSPORT].abort()
    await _until_disconnected(receive)


async def _close(scope: Scope, receive: Receive) -> None:
    scope["state"][TRANSPORT].close()
    await _until_disconnected(receive)


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _trick(order: dict[str, Any]) -> Trick:
    seconds, size = order.get("seconds", 1.0), order.get("bytes", Trick("oversize").bytes)
    if not isinstance(seconds, int | float) or not 0 <= seconds <= 600 or not isinstance(size, int) or not 0 <= size <= 1 << 32:
        raise ValueError("seconds must be a number up to 600, bytes an integer up to 4294967296")
    return Trick(order["mode"], float(seconds), size)


def _count(order: dict[str, Any]) -> int:
    times = order.get("times", 1)
    if not isinstance(times, int) or not 1 <= times <= 100_000:
        raise ValueError("times must be an integer from 1 to 100000")
    return times
