"""What the ledger's tests share: a clock moved by hand, and documents to record."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from gateway.documents import tables
from gateway.documents.anchors import head_of
from gateway.documents.audit import Head, Sealed
from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import Document, Hold, Request, Terms, receive
from gateway.documents.states import Event, State
from gateway.documents.verify import Verdict, verify

KEY = b"0123456789abcdef0123456789abcdef"
NOON = 1_795_348_800.0
TERMS = Terms(callback=True)


@dataclass
class HandClock:
    """Time stands still until a test moves it."""

    time: float = NOON

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


def document(**changes: Any) -> Document:
    """A payment by ``oa``, just received."""
    facts: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "operation": "payments.create",
        "version": "v1",
        "satellite": "oa",
        "tenant": "cn01",
        "roles": ("satellites",),
        "state": State.RECEIVED,
        "seq": 0,
        "revision": 1,
        "delivery": "inline",
        "key": None,
        "fingerprint": "f" * 64,
        "request": Request("POST", "/api/v1/payments", "", {}, "application/json", b'{"amount":"500000.01"}'),
        "received_at": NOON,
        "updated_at": NOON,
    }
    return Document(**facts | changes)


def hold(**changes: Any) -> Hold:
    facts: dict[str, Any] = {
        "rule": "large-payments",
        "required": 2,
        "approvers": "payment-approvers",
        "reasons": ({"code": "over", "currency": "CNY"},),
        "facts": {"amount": "500000.01", "currency": "CNY"},
        "payload_hash": "a" * 64,
        "initiator": "clerk-1",
        "editors": (),
        "expires_at": NOON + 72 * 3600,
        "remind_at": NOON + 4 * 3600,
        "remind_every": 4 * 3600.0,
        "escalate_at": NOON + 24 * 3600,
        "escalate_to": "cfo",
        "execute_within": 48 * 3600.0,
    }
    return Hold(**facts | changes)


async def record(ledger: Ledger, event: Event = Event.SEND, **changes: Any) -> Document:
    """A document in the ledger, one step on."""
    if event is Event.HOLD:
        changes.setdefault("hold", hold())
    new = document(**changes)
    return await ledger.write(lambda tx: receive(tx, new, event, terms=TERMS))


def note(kind: str) -> Any:
    """A unit that only writes an audit entry, and returns its number."""

    def unit(tx: Transaction) -> int:
        tx.audit(kind, "test")
        return tx.head.seq

    return unit


async def chain(ledger: Ledger) -> tuple[list[Sealed], Head | None]:
    """The rows of the audit chain, and what the ledger says its last entry is."""
    a = tables.audit.c
    query = select(a.seq, a.entry, a.document, a.hash, a.mac).order_by(a.seq)
    rows = await ledger.read(lambda connection: connection.execute(query).all())
    return [Sealed(*row) for row in rows], await ledger.read(head_of)


async def verdict(ledger: Ledger) -> Verdict:
    return await ledger.read(lambda connection: verify(connection, KEY, ()))


async def work(ledger: Ledger, of: str | None = None) -> list[tuple[str, float]]:
    """What is to be done, earliest first: kind and time."""
    w = tables.work.c
    query = select(w.kind, w.at, w.document).order_by(w.at, w.id)
    rows = await ledger.read(lambda connection: connection.execute(query).all())
    return [(row.kind, row.at) for row in rows if of is None or row.document == of]
