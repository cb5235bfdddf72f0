"""What can be done to documents inside a unit of the ledger: receive one, take a step, claim work.

``receive`` and ``apply`` are the only functions that write a state, and they ask the table of ``states``. Each step writes the
row, its audit entry and the work its effects ask for in the caller's transaction; the table decides what happens, this module
only how it is kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, Update, bindparam, select

from gateway.documents import tables
from gateway.documents.decisions import RECEIVED, basis, file
from gateway.documents.history import request_digest
from gateway.documents.states import Effect, Event, State, Step, step
from gateway.documents.transaction import MESSAGES as MESSAGES
from gateway.documents.transaction import Json as Json
from gateway.documents.transaction import Todo as Todo
from gateway.documents.transaction import Transaction, restored, storable
from gateway.documents.work import Work as Work
from gateway.documents.work import claim as claim
from gateway.documents.work import finish as finish
from gateway.documents.work import next_due as next_due
from gateway.documents.work import postpone as postpone
from gateway.documents.work import put as put
from gateway.ports import Decided

Delivery = Literal["inline", "queued"]

GATEWAY = "gateway"
"""The actor of what the gateway does by itself."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How documents of one operation are sent, from its route and its upstream. Times in seconds.

    :param lease: how long whoever sends may take; after that it is gone and the outcome unknown.
    :param backoff: waits before the second, third … try; when they are used up the document is dead.
    :param window: how long after a lost answer a booking may still be invisible to a probe.
    :param probes: waits between probes that say nothing; when they are used up, operators decide.
    :param callback: whether the satellite wants to be told.
    """

    lease: float = 30.0
    backoff: tuple[float, ...] = (2, 10, 60, 300, 900, 3600)
    window: float = 5.0
    probes: tuple[float, ...] = (5, 30, 120, 600)
    callback: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """The satellite's request, kept so that it can be made again: everything but credentials."""

    method: str
    path: str
    query: str
    params: Mapping[str, str]
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the satellite was, or is to be, told. ``headers`` are pairs of text."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Hold:
    """What people are asked, and until when. Times are Unix seconds, durations seconds.

    :param approvers: the Casbin role whose members may vote; after escalation also ``escalate_to``.
    :param reasons: why it is held: stable codes with parameters.
    :param facts: what a person reads and signs: amount, currency, entity, payees …
    :param payload_hash: SHA-256, hex, of the manifest that votes are bound to.
    :param initiator: the natural person who asked for it, where one is known.
    :param editors: who changed it since.
    :param received: how many approvals count so far, as the last vote found.
    """

    rule: str
    required: int
    approvers: str
    reasons: tuple[Json, ...]
    facts: Json
    payload_hash: str
    initiator: str | None
    editors: tuple[str, ...]
    expires_at: float
    remind_at: float | None
    remind_every: float | None
    escalate_at: float | None
    escalate_to: str | None
    execute_within: float
    escalated: bool = False
    received: int = 0

    def text(self) -> str:
        return json.dumps({each.name: getattr(self, each.name) for each in fields(self)})

    @classmethod
    def read(cls, text: str) -> Hold:
        value = json.loads(text)
        return cls(**value | {"reasons": tuple(value["reasons"]), "editors": tuple(value["editors"])})


@dataclass(frozen=True, slots=True)
class Document:
    """One write a satellite handed in, as the ledger has it. Immutable: a step gives a new one."""

    id: str
    operation: str
    version: str
    satellite: str
    tenant: str
    roles: tuple[str, ...]
    state: State
    seq: int
    revision: int
    delivery: Delivery
    key: str | None
    fingerprint: str
    request: Request
    received_at: float
    updated_at: float
    attempts: int = 0
    sent_at: float | None = None
    reference: str | None = None
    answer: Answer | None = None
    note: Json | None = None
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Payee:
    """One line of a document for the rolling window. ``amount`` is decimal text, ``payee`` a normalised account."""

    payee: str
    amount: str
    currency: str


class Sibling(NamedTuple):
    """Another document that would pay the same payee."""

    document: str
    amount: str
    currency: str
    at: float
    state: State


# --- reading -----------------------------------------------------------------------------------------------------------------

_D = tables.documents
_BY_ID = select(_D).where(_D.c.id == bindparam("document"))
_BY_KEY = select(_D).where(
    _D.c.satellite == bindparam("satellite"), _D.c.operation == bindparam("operation"), _D.c.key == bindparam("key")
)


def find(connection: Connection, document: str) -> Document | None:
    row = connection.execute(_BY_ID, {"document": document}).one_or_none()
    return None if row is None else from_row(row)


def find_by_key(connection: Connection, satellite: str, operation: str, key: str) -> Document | None:
    row = connection.execute(_BY_KEY, {"satellite": satellite, "operation": operation, "key": storable(key)}).one_or_none()
    return None if row is None else from_row(row)


def from_row(row: Row[Any]) -> Document:
    """A document from all columns of its row."""
    request = json.loads(row.request)
    return Document(
        id=row.id,
        operation=row.operation,
        version=row.version,
        satellite=row.satellite,
        tenant=row.tenant,
        roles=tuple(json.loads(row.roles)),
        state=State(row.state),
        seq=row.seq,
        revision=row.revision,
        delivery=row.delivery,
        key=restored(row.key),
        fingerprint=row.fingerprint,
        request=Request(**request, body=bytes(row.body)),
        received_at=row.received_at,
        updated_at=row.updated_at,
        attempts=row.attempts,
        sent_at=row.sent_at,
        reference=restored(row.reference),
        answer=_answer(row),
        note=json.loads(row.note) if row.note else None,
        hold=Hold.read(row.hold) if row.hold else None,
    )


def _answer(row: Row[Any]) -> Answer | None:
    if not row.answer:
        return None
    answer = json.loads(row.answer)
    return Answer(answer["status"], tuple(map(tuple, answer["headers"])), bytes(row.answer_body or b""))


_KEPT: Mapping[str, Callable[[Document], Any]] = {
    "roles": lambda document: json.dumps(document.roles),
    "state": lambda document: document.state.value,
    "key": lambda document: storable(document.key),
    "request": lambda document: _request_text(document.request),
    "body": lambda document: document.request.body,
    "reference": lambda document: _reference(document.reference),
    "answer": lambda document: document.answer and _answer_text(document.answer),
    "answer_body": lambda document: document.answer and document.answer.body,
    "note": lambda document: None if document.note is None else json.dumps(document.note),
    "hold": lambda document: document.hold and document.hold.text(),
    "initiator": lambda document: document.hold and storable(document.hold.initiator),
}
"""Columns that are not just the field of their name. JSON is ASCII, so that it holds whatever text people and systems come up
with."""


def to_row(document: Document, columns: Iterable[str] = tuple(_D.c.keys())) -> dict[str, Any]:
    """The row of a document, or these columns of it."""
    return {name: _KEPT[name](document) if name in _KEPT else getattr(document, name) for name in columns}


def _request_text(request: Request) -> str:
    parts = {name: getattr(request, name) for name in ("method", "path", "query", "content_type")}
    return json.dumps({**parts, "params": dict(request.params)})


def _answer_text(answer: Answer) -> str:
    return json.dumps({"status": answer.status, "headers": answer.headers})


_REFERENCE_LENGTH = 200


def _reference(text: str | None) -> str | None:
    """An ERP may call its booking what it likes; what is too long to be kept must not keep the outcome from being recorded."""
    stored = storable(text)
    return stored and stored[:_REFERENCE_LENGTH]


_P = tables.payees
_SIBLINGS = (
    select(_P.c.document, _P.c.payee, _P.c.amount, _P.c.currency, _P.c.at, _D.c.state)
    .join(_D, _D.c.id == _P.c.document)
    .where(_P.c.operation == bindparam("operation"), _P.c.tenant == bindparam("tenant"), _P.c.at > bindparam("since"))
    .where(_P.c.payee.in_(bindparam("payees", expanding=True)), _P.c.document != bindparam("but"))
    .order_by(_P.c.at)
)
_NEVER_PAYS = frozenset({State.REJECTED, State.RECALLED, State.EXPIRED, State.SUPERSEDED, State.REFUSED, State.DISCARDED})


def siblings(
    connection: Connection, operation: str, tenant: str, payees: Iterable[str], since: float, but: str = ""
) -> dict[str, list[Sibling]]:
    """What other documents would pay, or have paid, to each payee since then; those that never will are left out."""
    wanted = {"operation": operation, "tenant": tenant, "payees": list(payees), "since": since, "but": but}
    found: dict[str, list[Sibling]] = {}
    for row in connection.execute(_SIBLINGS, wanted):
        state = State(row.state)
        if state not in _NEVER_PAYS:
            found.setdefault(row.payee, []).append(Sibling(row.document, row.amount, row.currency, row.at, state))
    return found


# --- steps -------------------------------------------------------------------------------------------------------------------


def receive(
    tx: Transaction,
    document: Document,
    event: Event,
    *,
    terms: Terms,
    payees: Sequence[Payee] = (),
    details: Mapping[str, Any] | None = None,
    decided: Decided | None = None,
) -> Document:
    """Record a new document and its first step: ``hold``, ``queue`` or ``send``. The caller has looked for its key in this
    transaction. ``decided`` is what allowed the call. Raises ``IllegalStep``."""
    taken = step(document.state, event)
    moved = _moved(document, event, taken, tx.now, {})
    row = to_row(moved)
    tx.write(_INSERT, row)
    write_payees(tx, document, payees)
    facts: dict[str, Any] = {"operation": document.operation, "version": document.version, "tenant": document.tenant}
    facts |= {"fingerprint": document.fingerprint, "request": request_digest(row["request"], row["body"])}
    facts |= {"delivery": document.delivery, **(basis(decided) if decided else {}), **(details or {})}
    tx.audit(RECEIVED, document.satellite, document=document.id, **facts)
    if decided is not None:
        file(tx, replace(decided, first=tx.now, last=tx.now))
    _step(tx, document, moved, event, taken, actor=GATEWAY, terms=terms)
    return moved


def apply(
    tx: Transaction,
    document: Document,
    event: Event,
    *,
    actor: str,
    terms: Terms,
    details: Mapping[str, Any] | None = None,
    after: float | None = None,
    **changes: Any,
) -> Document:
    """Take one step and leave its work. ``document`` must have been read in this transaction.

    :param actor: who did it: a person, a satellite, or ``gateway``.
    :param details: for the audit entry: JSON values without fractions.
    :param after: seconds until a send or probe the step asks for; default by the terms.
    :param changes: further fields of the document.
    Raises ``IllegalStep``.
    """
    taken = step(document.state, event)
    moved = _moved(document, event, taken, tx.now, changes)
    columns = _columns(event, changes)
    row = to_row(moved, columns)
    tx.write(_update(columns), {"document": document.id, **row})
    if "request" in changes:
        details = {**(details or {}), "request": request_digest(row["request"], row["body"])}
    _step(tx, document, moved, event, taken, actor=actor, terms=terms, details=details, after=after)
    return moved


_INSERT = _D.insert()
_PAYEES = tables.payees.insert()
_ALWAYS = ("state", "seq", "updated_at")
_SENT = ("attempts", "sent_at")
_SEVERAL = {"answer": ("answer", "answer_body"), "request": ("request", "body"), "hold": ("hold", "initiator")}


def write_payees(tx: Transaction, document: Document, payees: Sequence[Payee]) -> None:
    """What the document would pay to whom, counted from the moment it was received."""
    if payees:
        at = document.received_at
        tx.write(_PAYEES, [_payee_row(document, line, payee, at) for line, payee in enumerate(payees)])


def _payee_row(document: Document, line: int, payee: Payee, now: float) -> Json:
    about = {"document": document.id, "line": line, "operation": document.operation, "tenant": document.tenant, "at": now}
    return {**about, "payee": payee.payee, "amount": payee.amount, "currency": payee.currency}


def _moved(document: Document, event: Event, taken: Step, now: float, changes: Mapping[str, Any]) -> Document:
    sent: dict[str, Any] = {"attempts": document.attempts + 1, "sent_at": now} if event is Event.SEND else {}
    return replace(document, state=taken.to, seq=document.seq + 1, updated_at=now, **sent, **changes)


def _columns(event: Event, changes: Mapping[str, Any]) -> tuple[str, ...]:
    sent = _SENT if event is Event.SEND else ()
    return (*_ALWAYS, *sent, *(column for name in changes for column in _SEVERAL.get(name, (name,))))


@cache
def _update(columns: tuple[str, ...]) -> Update:
    return _D.update().where(_D.c.id == bindparam("document")).values({name: bindparam(name) for name in columns})


def _step(
    tx: Transaction,
    document: Document,
    moved: Document,
    event: Event,
    taken: Step,
    *,
    actor: str,
    terms: Terms,
    details: Mapping[str, Any] | None = None,
    after: float | None = None,
) -> None:
    facts = {**(details or {}), "from": document.state.value, "to": taken.to.value, "revision": moved.revision}
    tx.audit(f"document.{event.value}", actor, document=document.id, **facts)
    tx.touched.add(document.id)
    if Effect.CLEAR in taken.effects:
        tx.clear(document.id)
    put(tx, [todo for effect in taken.effects for todo in _work(effect, moved, terms, tx.now, after)])


_TELLING = {Effect.ESCALATE: "escalate", Effect.ALARM: "alarm", Effect.TELL: "callback"}


def _work(effect: Effect, document: Document, terms: Terms, now: float, after: float | None) -> list[Todo]:
    id_ = document.id
    if effect in _TELLING:
        wanted = effect is not Effect.TELL or terms.callback
        return [Todo(_TELLING[effect], now, id_, _seen(document))] if wanted else []
    match effect:
        case Effect.DISPATCH:
            return [Todo("send", now + (after or 0), id_)]
        case Effect.BACKOFF:
            return [Todo("send", now + (after if after is not None else backoff(terms, document.attempts)), id_)]
        case Effect.WATCH:
            return [Todo("watch", now + terms.lease, id_)]
        case Effect.PROBE:
            return [Todo("probe", now + (after if after is not None else terms.window), id_)]
        case _:
            return _asking(effect, document, document.hold, now) if document.hold else []


def _asking(effect: Effect, document: Document, hold: Hold, now: float) -> list[Todo]:
    id_ = document.id
    match effect:
        case Effect.ASK:
            timers = (("expire", hold.expires_at), ("remind_due", hold.remind_at), ("escalate_due", hold.escalate_at))
            return [Todo("ask", now, id_, _seen(document)), *(Todo(kind, at, id_) for kind, at in timers if at is not None)]
        case Effect.REMIND:
            again = [Todo("remind_due", now + hold.remind_every, id_)] if hold.remind_every else []
            return [Todo("remind", now, id_, _seen(document)), *again]
        case Effect.DEADLINE:
            return [Todo("expire", now + hold.execute_within, id_)]
        case _:
            return []


def _seen(document: Document) -> Json:
    return {"state": document.state.value, "seq": document.seq, "revision": document.revision, "at": document.updated_at}


def backoff(terms: Terms, attempts: int) -> float:
    """Seconds before the next try after so many."""
    return terms.backoff[min(attempts, len(terms.backoff)) - 1] if terms.backoff else 0.0
