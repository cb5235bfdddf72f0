"""What can be done to documents inside a unit of the ledger: receive one, take a step, claim work.

``apply`` is the only function that writes a state, and it asks the table of ``states``. Each step writes the row, its audit entry and the
work its effects ask for in the caller's transaction; the table decides what happens, this module only how it is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, RowMapping, bindparam, select

from gateway.documents import tables
from gateway.documents.ledger import Transaction
from gateway.documents.states import Effect, Event, State, step

Delivery = Literal["inline", "queued"]
Json = dict[str, Any]

MESSAGES = ("ask", "remind", "escalate", "alarm", "callback")
"""Kinds of work that tell somebody something. They stay when a document moves on."""

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
    """

    rule: str
    required: int
    approvers: str
    reasons: tuple[Json, ...]
    facts: Json
    payload_hash: str
    initiator: str | None
    editors: tuple[str, ...]
    asked_at: float
    expires_at: float
    remind_at: float | None
    remind_every: float | None
    escalate_at: float | None
    escalate_to: str | None
    execute_within: float
    escalated: bool = False
    expires_in: float = 0.0

    def text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

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
_BY_ID = select(_D).where(_D.c.id == bindparam("id"))
_BY_KEY = select(_D).where(
    _D.c.satellite == bindparam("satellite"), _D.c.operation == bindparam("operation"), _D.c.key == bindparam("key")
)


def find(connection: Connection, document: str) -> Document | None:
    row = (connection.execute(_BY_ID, {"id": document})).mappings().one_or_none()
    return None if row is None else from_row(row)


def find_by_key(connection: Connection, satellite: str, operation: str, key: str) -> Document | None:
    parameters = {"satellite": satellite, "operation": operation, "key": key}
    row = (connection.execute(_BY_KEY, parameters)).mappings().one_or_none()
    return None if row is None else from_row(row)


def from_row(row: RowMapping) -> Document:
    request = json.loads(row["request"])
    answer = json.loads(row["answer"]) if row["answer"] else None
    return Document(
        id=row["id"],
        operation=row["operation"],
        version=row["version"],
        satellite=row["satellite"],
        tenant=row["tenant"],
        roles=tuple(json.loads(row["roles"])),
        state=State(row["state"]),
        seq=row["seq"],
        revision=row["revision"],
        delivery=row["delivery"],
        key=row["key"],
        fingerprint=row["fingerprint"],
        request=Request(**request, body=bytes(row["body"])),
        received_at=row["received_at"],
        updated_at=row["updated_at"],
        attempts=row["attempts"],
        sent_at=row["sent_at"],
        reference=row["reference"],
        answer=Answer(answer["status"], tuple(map(tuple, answer["headers"])), bytes(row["answer_body"] or b""))
        if answer
        else None,
        note=json.loads(row["note"]) if row["note"] else None,
        hold=Hold.read(row["hold"]) if row["hold"] else None,
    )


def _to_row(document: Document) -> dict[str, Any]:
    request, answer, hold = document.request, document.answer, document.hold
    parts = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "params": dict(request.params),
        "content_type": request.content_type,
    }
    return {
        "id": document.id,
        "operation": document.operation,
        "version": document.version,
        "satellite": document.satellite,
        "tenant": document.tenant,
        "roles": json.dumps(document.roles),
        "state": document.state.value,
        "seq": document.seq,
        "revision": document.revision,
        "delivery": document.delivery,
        "key": document.key,
        "fingerprint": document.fingerprint,
        "request": json.dumps(parts, ensure_ascii=False),
        "body": request.body,
        "received_at": document.received_at,
        "updated_at": document.updated_at,
        "attempts": document.attempts,
        "sent_at": document.sent_at,
        "reference": document.reference,
        "answer": json.dumps({"status": answer.status, "headers": answer.headers}) if answer else None,
        "answer_body": answer.body if answer else None,
        "note": json.dumps(document.note, ensure_ascii=False) if document.note else None,
        "hold": hold.text() if hold else None,
        "initiator": hold.initiator if hold else None,
    }


def siblings(
    connection: Connection, operation: str, tenant: str, payees: Iterable[str], since: float, but: str = ""
) -> dict[str, list[Sibling]]:
    """What other documents would pay, or have paid, to each payee since then; those that never will are left out."""
    gone = [State.REJECTED, State.RECALLED, State.EXPIRED, State.SUPERSEDED, State.REFUSED, State.DISCARDED]
    p = tables.payees
    query = (
        select(p.c.document, p.c.payee, p.c.amount, p.c.currency, p.c.at, _D.c.state)
        .join(_D, _D.c.id == p.c.document)
        .where(p.c.operation == operation, p.c.tenant == tenant, p.c.payee.in_(list(payees)), p.c.at > since)
        .where(p.c.document != but, _D.c.state.not_in([state.value for state in gone]))
        .order_by(p.c.at)
    )
    found: dict[str, list[Sibling]] = {}
    for row in connection.execute(query):
        found.setdefault(row.payee, []).append(Sibling(row.document, row.amount, row.currency, row.at, State(row.state)))
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
) -> Document:
    """Record a new document and its first step: ``hold``, ``queue`` or ``send``. The caller has looked for its key in this
    transaction. Raises ``IllegalStep``."""
    tx.write(_D.insert(), _to_row(document))
    if payees:
        rows = [
            {
                "document": document.id,
                "line": line,
                "operation": document.operation,
                "tenant": document.tenant,
                "payee": payee.payee,
                "amount": payee.amount,
                "currency": payee.currency,
                "at": tx.now,
            }
            for line, payee in enumerate(payees)
        ]
        tx.write(tables.payees.insert(), rows)
    facts: dict[str, Any] = {"operation": document.operation, "version": document.version, "tenant": document.tenant}
    facts |= {"fingerprint": document.fingerprint, "delivery": document.delivery, **(details or {})}
    tx.audit("document.received", document.satellite, document=document.id, **facts)
    return apply(tx, document, event, actor=GATEWAY, terms=terms)


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
    if event is Event.SEND:
        changes |= {"attempts": document.attempts + 1, "sent_at": tx.now}
    moved = replace(document, state=taken.to, seq=document.seq + 1, updated_at=tx.now, **changes)
    row = _to_row(moved)
    changed = {name: row[name] for name in _written(changes)}
    tx.write(_D.update().where(_D.c.id == document.id), changed)
    facts = {"from": document.state.value, "to": taken.to.value, "revision": moved.revision, **(details or {})}
    tx.audit(f"document.{event.value}", actor, document=document.id, **facts)
    tx.touched.add(document.id)
    _effects(tx, moved, taken.effects, terms, after)
    return moved


_ALWAYS = ("state", "seq", "updated_at")
_COLUMNS = {"answer": ("answer", "answer_body"), "request": ("request", "body"), "hold": ("hold", "initiator")}


def _written(changes: Mapping[str, Any]) -> list[str]:
    return [*_ALWAYS, *(column for name in changes for column in _COLUMNS.get(name, (name,)))]


def _effects(tx: Transaction, document: Document, effects: Sequence[Effect], terms: Terms, after: float | None) -> None:
    if Effect.CLEAR in effects:
        w = tables.work
        tx.write(w.delete().where(w.c.document == document.id, w.c.kind.not_in(MESSAGES)))
    rows = [row for effect in effects for row in _work(effect, document, terms, tx.now, after)]
    if rows:
        put(tx, rows)


class Todo(NamedTuple):
    """Work to be written down."""

    kind: str
    at: float
    document: str | None
    data: Json = {}


def _work(effect: Effect, document: Document, terms: Terms, now: float, after: float | None) -> list[Todo]:
    hold, id_ = document.hold, document.id
    seen = {"state": document.state.value, "seq": document.seq, "revision": document.revision}
    match effect:
        case Effect.ASK if hold:
            timers = (("expire", hold.expires_at), ("remind_due", hold.remind_at), ("escalate_due", hold.escalate_at))
            return [Todo("ask", now, id_, seen), *(Todo(kind, at, id_) for kind, at in timers if at is not None)]
        case Effect.REMIND if hold:
            again = [Todo("remind_due", now + hold.remind_every, id_)] if hold.remind_every else []
            return [Todo("remind", now, id_, seen), *again]
        case Effect.ESCALATE:
            return [Todo("escalate", now, id_, seen)]
        case Effect.DISPATCH:
            return [Todo("send", now + (after or 0), id_)]
        case Effect.BACKOFF:
            return [Todo("send", now + (after if after is not None else backoff(terms, document.attempts)), id_)]
        case Effect.DEADLINE if hold:
            return [Todo("expire", now + hold.execute_within, id_)]
        case Effect.WATCH:
            return [Todo("watch", now + terms.lease, id_)]
        case Effect.PROBE:
            return [Todo("probe", now + (after if after is not None else terms.window), id_)]
        case Effect.ALARM:
            return [Todo("alarm", now, id_, seen)]
        case Effect.TELL if terms.callback:
            return [Todo("callback", now, id_, seen)]
        case _:
            return []


def backoff(terms: Terms, attempts: int) -> float:
    """Seconds before the next try after so many."""
    return terms.backoff[min(attempts, len(terms.backoff)) - 1] if terms.backoff else 0.0


# --- work --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to do, claimed. Once done it is deleted in the transaction that records the outcome."""

    id: int
    document: str | None
    kind: str
    at: float
    attempts: int
    data: Json = field(default_factory=dict)


def put(tx: Transaction, todos: Sequence[Todo]) -> None:
    rows = [
        {"document": t.document, "kind": t.kind, "at": t.at, "attempts": 0, "data": json.dumps(t.data), "problem": None}
        for t in todos
    ]
    tx.write(tables.work.insert(), rows)
    tx.work = True


def claim(tx: Transaction, kinds: Sequence[str], *, lease: float, limit: int) -> list[Work]:
    """What is due, earliest first, now invisible to others for ``lease`` seconds. Whoever dies leaves it to be claimed again."""
    w = tables.work
    query = select(w).where(w.c.at <= tx.now, w.c.kind.in_(list(kinds))).order_by(w.c.at, w.c.id).limit(limit)
    rows = (tx.connection.execute(query)).mappings().all()
    if rows:
        claimed = {"at": tx.now + lease, "attempts": w.c.attempts + 1}
        tx.write(w.update().where(w.c.id.in_([row["id"] for row in rows])).values(claimed))
    return [
        Work(row["id"], row["document"], row["kind"], row["at"], row["attempts"] + 1, json.loads(row["data"])) for row in rows
    ]


def finish(tx: Transaction, work: Work) -> bool:
    """Delete a piece of work that is done; false when it was gone already, and then its outcome must not count."""
    result = tx.write(tables.work.delete().where(tables.work.c.id == work.id))
    return bool(result.rowcount)


def postpone(tx: Transaction, work: Work, seconds: float, problem: str) -> None:
    """Try again later; ``problem`` is shown to operators and holds no payload."""
    values = {"at": tx.now + seconds, "problem": problem[:500]}
    tx.write(tables.work.update().where(tables.work.c.id == work.id), values)


def next_due(connection: Connection, kinds: Sequence[str]) -> float | None:
    """When the earliest work of these kinds is due."""
    w = tables.work
    found: float | None = (connection.execute(select(w.c.at).where(w.c.kind.in_(list(kinds))).order_by(w.c.at).limit(1))).scalar()
    return found
