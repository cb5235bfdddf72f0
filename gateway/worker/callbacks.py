"""Tells a satellite what became of its document, by a signed POST to the URL registered for it: Standard Webhooks 1.0.0.

At least once, and for each document in the order of its steps: a callback waits until the one before it was taken or given up. A
satellite that must not act twice compares ``webhook-id``, which stays the same over all tries. Whatever a satellite answers, only
the status is looked at; no redirect is followed, and no name leads to a link-local address, where clouds keep their credentials.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import orjson
import structlog
from sqlalchemy import select

from gateway.documents import tables
from gateway.documents.audit import timestamp
from gateway.documents.ledger import Ledger
from gateway.documents.records import GATEWAY, Document, find
from gateway.documents.states import State
from gateway.documents.transaction import Transaction
from gateway.documents.work import Work, finish, postpone
from gateway.errors import UpstreamProblem
from gateway.exchange import Headers, Outgoing
from gateway.identity.satellites import Callback, Satellites
from gateway.ports import Client
from gateway.upstreams.settings import ClientSettings
from gateway.worker.turns import BUSY, BUSY_SECONDS, Turns, put_back

log = structlog.get_logger()

WAITS: Final = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
"""Seconds before the second, third … try, as Standard Webhooks recommends."""

TIMEOUT: Final = 15.0
LEASE: Final = 30.0
"""Seconds a try is nobody else's; longer than ``TIMEOUT``."""

ANSWER_LIMIT: Final = 1 << 40
"""None: an answer's body is never read, so one that says it is long is as good as any other."""

EARLIER: Final = "waits for an earlier callback of the document"

_METADATA: Final = (
    ipaddress.ip_network("100.100.100.200/32"),  # Alibaba Cloud
    ipaddress.ip_network("192.0.0.192/32"),  # Oracle Cloud
    ipaddress.ip_network("168.63.129.16/32"),  # Azure
    ipaddress.ip_network("fd00:ec2::/32"),  # Amazon
    ipaddress.ip_network("fd20:ce::254/128"),  # Google
)
"""Where clouds serve credentials, beside link-local addresses."""

Verdict = Literal["done", "stop", "again"]


def shunned(address: str) -> bool:
    """Whether an IP address is link-local (RFC 3927, RFC 4291) or a cloud's metadata service, be it IPv4 inside IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_link_local or any(ip in network for network in _METADATA)


def client_settings(origin: str) -> ClientSettings:
    """How to speak to ``https://host[:port]``, with an ``http1`` client. An address that stands in the URL itself was meant."""
    host = urlsplit(origin).hostname or ""
    try:
        ipaddress.ip_address(host)
        shuns = None
    except ValueError:
        shuns = shunned
    return ClientSettings(connections=8, timeout=TIMEOUT, connect_timeout=5.0, answer_limit=ANSWER_LIMIT, shuns=shuns)


def signature(secret: bytes, id_: str, at: int, body: bytes) -> str:
    """The ``webhook-signature`` of a message: HMAC-SHA256 over id, timestamp and body."""
    digest = hmac.new(secret, f"{id_}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


@dataclass(frozen=True, slots=True)
class _Event:
    """Immutable. One callback, ready to be sent."""

    satellite: str
    callback: Callback
    headers: Headers
    body: bytes


class Callbacks:
    """Handles work of its ``kinds``.

    :param satellites: those of the live configuration.
    :param represent: a document as ``GET /api/documents/{id}`` shows it.
    :param connect: a client for ``https://host[:port]``, made with ``client_settings``; one per origin is kept until ``aclose``.
    :param jitter: gives numbers from 0 to 1.
    :ivar failed: tries that failed. :ivar given_up: callbacks that will not be tried again. Both count since the start.
    """

    kinds = ("callback",)

    def __init__(
        self,
        ledger: Ledger,
        satellites: Callable[[], Satellites],
        represent: Callable[[Document], dict[str, Any]],
        connect: Callable[[str], Client],
        *,
        jitter: Callable[[], float] = random.random,
        timeout: float = TIMEOUT,
        turns: Turns | None = None,
    ) -> None:
        self._ledger = ledger
        self._satellites = satellites
        self._represent = represent
        self._connect = connect
        self._jitter = jitter
        self._timeout = timeout
        self._turns = turns or Turns()
        self._clients: dict[str, Client] = {}
        self.failed = 0
        self.given_up = 0

    async def handle(self, work: Work) -> None:
        """Do it, or leave it for later. Raises ``LedgerUnavailable`` and nothing else: then the claim runs out by itself."""
        event = await self._ledger.write(partial(_begin, work, self._satellites(), self._represent))
        if event is None:
            return
        async with self._turns.turn(event.satellite) as free:
            if not free:
                later = BUSY_SECONDS * (1 + self._jitter() * 4)
                await self._ledger.write(lambda tx: put_back(tx, work, later, BUSY))
                return
            verdict, problem = await self._post(event)
        wait = WAITS[min(work.attempts, len(WAITS)) - 1] * (1 + self._jitter() / 10)
        await self._ledger.write(partial(_settle, work, verdict, problem, wait))
        if verdict != "done":
            final = verdict == "stop" or work.attempts > len(WAITS)
            self.failed += 1
            self.given_up += final
            log.error("callback.failed", document=work.document, attempts=work.attempts, given_up=final, problem=problem)

    async def aclose(self) -> None:
        """Close the clients."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    async def _post(self, event: _Event) -> tuple[Verdict, str]:
        """Send it; what that means, and what went wrong."""
        parts = urlsplit(event.callback.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            client = self._client(f"{parts.scheme}://{parts.netloc}")
            answer = await client.send(Outgoing("POST", target, event.headers, event.body), timeout=self._timeout)
            await answer.aclose()
        except UpstreamProblem as error:
            return "again", f"not reached ({type(error).__name__})" if not error.sent else f"no answer ({type(error).__name__})"
        if 200 <= answer.status < 300:
            return "done", ""
        return "stop" if answer.status == 410 else "again", f"the satellite answered {answer.status}"

    def _client(self, origin: str) -> Client:
        if origin not in self._clients:
            self._clients[origin] = self._connect(origin)
        return self._clients[origin]


# --- units of the ledger -----------------------------------------------------------------------------------------------------

_W = tables.work


def _begin(work: Work, satellites: Satellites, represent: Callable[[Document], dict[str, Any]], tx: Transaction) -> _Event | None:
    """What to send now; ``None`` when it is not this callback's turn, or there is nobody to tell."""
    tx.settle()
    mine = tx.connection.execute(select(_W).where(_W.c.id == work.id, _W.c.attempts == work.attempts)).first()
    if mine is None:
        return None  # The claim ran out, and somebody else has it.
    document = find(tx.connection, work.document) if work.document is not None else None
    satellite = satellites.get(document.satellite) if document is not None else None
    if document is None or satellite is None or satellite.callback is None:
        finish(tx, work)
        tx.audit("callback.dropped", GATEWAY, document=work.document, sequence=work.data["seq"], reason="no URL is registered")
        _wake(tx, work)
        return None
    earlier = _earlier(tx, work)
    if earlier is not None:
        put_back(tx, work, max(earlier - tx.now, 0.0) + 1.0, EARLIER)
        return None
    tx.write(_W.update().where(_W.c.id == work.id).values(at=tx.now + LEASE, problem=None))
    return _event(work, document, satellite.callback, represent, tx.now)


def _earlier(tx: Transaction, work: Work) -> float | None:
    """When the next callback of the document that goes before this one is due."""
    others = select(_W.c.at).where(_W.c.document == work.document, _W.c.kind == "callback", _W.c.id < work.id)
    at: float | None = tx.connection.execute(others.order_by(_W.c.id).limit(1)).scalar()
    return at


def _event(
    work: Work, document: Document, callback: Callback, represent: Callable[[Document], dict[str, Any]], now: float
) -> _Event:
    """The event as its step left the document. What came after that step is a later callback's to tell."""
    state, seq, at = State(work.data["state"]), work.data["seq"], work.data.get("at", document.updated_at)
    if document.seq != seq:
        document = replace(document, state=state, seq=seq, revision=work.data["revision"], updated_at=at, note=None)
        document = document if state is State.DELIVERED else replace(document, reference=None, answer=None)
    shown = {**represent(document), "sequence": seq}
    body = orjson.dumps({"type": f"document.{state.value}", "timestamp": timestamp(at), "data": shown})
    id_, sent = f"{document.id}.{seq}", int(now)
    fields: Mapping[str, str] = {
        "content-type": "application/json",
        "user-agent": "erp-gateway",
        "webhook-id": id_,
        "webhook-timestamp": str(sent),
        "webhook-signature": signature(callback.secret, id_, sent, body),
    }
    return _Event(document.satellite, callback, [(name.encode(), value.encode()) for name, value in fields.items()], body)


def _settle(work: Work, verdict: Verdict, problem: str, wait: float, tx: Transaction) -> None:
    facts = {"document": work.document, "sequence": work.data["seq"]}
    if verdict == "again" and work.attempts <= len(WAITS):
        postpone(tx, work, wait, problem)
        return
    if not finish(tx, work):
        return
    if verdict == "done":
        tx.audit("callback.sent", GATEWAY, **facts)
    else:
        tx.audit("callback.given_up", GATEWAY, **facts, attempts=work.attempts, problem=problem)
    _wake(tx, work)


def _wake(tx: Transaction, work: Work) -> None:
    """The next callback of the document need not wait any longer."""
    waiting = (_W.c.document == work.document, _W.c.kind == "callback", _W.c.problem == EARLIER, _W.c.at > tx.now)
    if tx.write(_W.update().where(*waiting).values(at=tx.now)).rowcount:
        tx.work = True
