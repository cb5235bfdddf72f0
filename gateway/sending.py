"""Sending a document to the ERP, and saying what became of it.

There are four outcomes and no fifth: the ERP booked it, the ERP said no, it was certainly not booked, or nobody knows. Only the third may be
sent again without asking. The same code serves a call that waits for the answer and the worker that delivers later.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import orjson

from gateway.approvals.file import Rule
from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import GATEWAY, Answer, Document, Terms, apply, find
from gateway.documents.states import Event, State, allowed
from gateway.errors import (
    FaultClient,
    FieldError,
    Problem,
    Refused,
    RefusedMissing,
    Unprocessable,
    UpstreamProblem,
    UpstreamTimeout,
)
from gateway.exchange import ABSENT, Exchange, Headers, Outgoing, Reply, Request, Whole
from gateway.pipeline import Handler
from gateway.ports import Clock, Operation
from gateway.protocols import json_http

OPERATION_ID = b"x-operation-id"
MARGIN = 5.0
"""Seconds between the end of a sender's time and the moment it counts as gone."""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """How to find a booking. ``by`` names the probe's parameters, each with a path into the body, or ``$operation_id``."""

    call: Operation
    by: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Writing:
    """How the documents of one operation are prepared, sent and probed. Immutable, part of a snapshot.

    :param prepare: reads, checks and maps an exchange's request; afterwards it has ``outgoing``.
    :param target: what it is sent to, ``finance:CreatePayment``: people who approve sign it.
    :param not_booked: 5xx answers that mean it was certainly not booked.
    :param reference: where the answer holds the ERP's number.
    :param operation_id: a field of the body that is given the document's id.
    :param rule: what has to be approved; ``None`` lets everything pass.
    """

    operation: str
    version: str
    delivery: Literal["inline", "queued"]
    target: str
    prepare: Handler
    call: Operation
    terms: Terms
    not_booked: frozenset[int] = frozenset()
    probe: Probe | None = None
    reference: Path = ("number",)
    operation_id: Path | None = None
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt. ``event`` is ``deliver``, ``refuse``, ``retry`` (certainly not booked) or ``lose``."""

    event: Event
    answer: Answer | None = None
    reference: str | None = None
    note: dict[str, Any] | None = None
    problem: UpstreamProblem | None = None


async def exchange_of(writing: Writing, document: Document, trace: bytes) -> Exchange:
    """The document's request made again, read, checked and mapped by what is configured now. Raises ``Problem``."""
    kept = document.request
    headers: Headers = [(b"content-length", b"%d" % len(kept.body))]
    if kept.content_type:
        headers.append((b"content-type", kept.content_type.encode("latin-1")))
    request = Request(kept.method, kept.path, kept.query, headers, Whole(kept.body))
    exchange = Exchange(request, document.id, document.operation, document.version, dict(kept.params), trace)
    await writing.prepare(exchange)
    return exchange


def addressed(writing: Writing, exchange: Exchange, document: str) -> Outgoing:
    """What is sent carries the document's id, the same at every attempt. Raises ``Unprocessable`` when the field for it is taken."""
    if writing.operation_id is not None:
        exchange.value = placed(exchange.value, writing.operation_id, document)
        exchange.outgoing = writing.call.prepare(exchange)
    outgoing = exchange.outgoing
    if outgoing is None:
        raise AssertionError("the call was not prepared")
    outgoing.headers = [header for header in outgoing.headers if header[0] != OPERATION_ID]
    outgoing.headers.append((OPERATION_ID, document.encode("ascii")))
    return outgoing


async def transmit(writing: Writing, outgoing: Outgoing, sent_at: float, clock: Clock) -> Outcome:
    """Send once and wait for the answer. ``sent_at`` is when the intent was committed: whoever comes so late that others may take
    it for gone does not send any more."""
    time_left = sent_at + writing.terms.lease - MARGIN - clock.now()
    if time_left <= 0:
        return _failed(UpstreamTimeout("The gateway was too slow to send it.", sent=False), writing)
    try:
        async with asyncio.timeout(time_left):
            reply = await writing.call.send(outgoing)
            body = await _whole(reply)
    except UpstreamProblem as problem:
        return _failed(problem, writing)
    except TimeoutError as error:
        late = UpstreamTimeout("The ERP did not answer in time.")
        late.__cause__ = error
        return _failed(late, writing)
    answer = Answer(reply.status, tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in reply.headers), body)
    if reply.status >= 400:
        return Outcome(Event.REFUSE, answer, note={"code": "refused", "status": reply.status})
    return Outcome(Event.DELIVER, answer, reference_in(reply.value, body, writing.reference))


async def _whole(reply: Reply) -> bytes:
    if reply.value is not ABSENT:
        if not any(name == b"content-type" for name, _ in reply.headers):
            reply.headers.append((b"content-type", b"application/json"))
        return json_http.dumps(reply.value)
    if isinstance(reply.body, bytes):
        return reply.body
    parts: AsyncIterator[bytes] = reply.body
    return b"".join([part async for part in parts])


def _failed(problem: UpstreamProblem, writing: Writing) -> Outcome:
    note = {"code": problem.slug, "detail": problem.detail}
    if isinstance(problem, Refused | FaultClient):
        return Outcome(Event.REFUSE, told(problem), note=note, problem=problem)
    if not problem.sent or problem.answered in writing.not_booked or 400 <= (problem.answered or 0) < 500:
        return Outcome(Event.RETRY, note=note, problem=problem)
    return Outcome(Event.LOSE, note=note, problem=problem)


def told(problem: Problem) -> Answer:
    """A problem as it is stored, to be told again."""
    headers = (("content-type", "application/problem+json"), *problem.headers.items())
    return Answer(problem.status, headers, json_http.dumps(problem.document()))


def settle(tx: Transaction, document: Document, outcome: Outcome, terms: Terms, *, tries: int) -> Document:
    """Record what became of an attempt, in a unit of the ledger. ``document`` is what the attempt was committed as.

    An outcome that comes after others have taken the sender for gone counts only when the ERP booked it; anything else is noted.

    :param tries: how many attempts there may be in all.
    """
    current = find(tx.connection, document.id)
    if current is None:
        raise AssertionError("a document that was sent is not in the ledger")
    event = outcome.event
    if event is Event.RETRY and document.attempts >= tries:
        event = Event.GIVE_UP
    same = current.attempts == document.attempts
    if not allowed(current.state, event) or not (same or event is Event.DELIVER):
        tx.audit("document.late", GATEWAY, document=document.id, attempt=document.attempts, outcome=event.value)
        return current
    details: dict[str, Any] = {"attempt": document.attempts}
    changes: dict[str, Any] = {"note": outcome.note}
    if outcome.answer is not None:
        changes["answer"] = outcome.answer
        details |= {"status": outcome.answer.status, "answer": hashlib.sha256(outcome.answer.body).hexdigest()}
    if outcome.reference is not None:
        changes["reference"] = details["reference"] = outcome.reference
    if outcome.note:
        details["note"] = outcome.note
    return apply(tx, current, event, actor=GATEWAY, terms=terms, details=details, **changes)


async def settled(ledger: Ledger, document: Document, outcome: Outcome, terms: Terms, *, tries: int) -> Document:
    return await ledger.write(lambda tx: settle(tx, document, outcome, terms, tries=tries))


# --- probing -----------------------------------------------------------------------------------------------------------------


async def ask(writing: Writing, probe: Probe, document: Document, value: object, trace: bytes) -> Outcome | None:
    """What the ERP says about a document whose outcome is unknown: ``deliver``, or ``absent``; ``None`` when it does not say.
    ``value`` is the document's body. What is found but differs from what was sent is none of ours."""
    try:
        parameters = {name: _asked(path, value, document.id) for name, path in probe.by.items()}
        request = Request("GET", document.request.path, "", [], Whole(b""))
        exchange = Exchange(request, document.id, document.operation, document.version, {}, trace)
        exchange.value, exchange.params = parameters, {name: str(found) for name, found in parameters.items()}
        outgoing = probe.call.prepare(exchange)
        reply = await probe.call.send(outgoing)
        body = await _whole(reply)
    except RefusedMissing:
        return Outcome(Event.ABSENT)
    except (UpstreamProblem, Unprocessable):
        return None
    found = _value(reply.value, body)
    if reply.status == 404 or found in (None, []):
        return Outcome(Event.ABSENT)
    if reply.status >= 300 or not agrees(value, found):
        return None
    answer = Answer(201 if document.request.method == "POST" else 200, (("content-type", "application/json"),), body)
    return Outcome(Event.DELIVER, answer, reference_in(found, body, writing.reference), {"code": "found_by_probe"})


def _asked(path: str, value: object, document: str) -> object:
    if path == "$operation_id":
        return document
    found = pick(value, split(path))
    if not isinstance(found, str | int) or isinstance(found, bool):
        raise Unprocessable(f"{path} is not in the body")
    return found


def agrees(sent: object, found: object) -> bool:
    """Whether everything both have is the same; numbers by value. One item of a list of one counts as the item."""
    if isinstance(found, list) and not isinstance(sent, list):
        return len(found) == 1 and agrees(sent, found[0])
    if isinstance(sent, dict) and isinstance(found, dict):
        return all(agrees(value, found[name]) for name, value in sent.items() if name in found)
    if isinstance(sent, list) and isinstance(found, list):
        return len(sent) == len(found) and all(map(agrees, sent, found))
    return sent == found or _number(sent) == _number(found) is not None


def _number(value: object) -> Decimal | None:
    try:
        return Decimal(str(value)) if isinstance(value, str | int | float) else None
    except InvalidOperation:
        return None


# --- values ------------------------------------------------------------------------------------------------------------------


def split(path: str) -> Path:
    """``$.payee.account`` as names."""
    return tuple(path.split(".")[1:])


def pick(value: object, path: Path) -> object:
    """What stands at a path, or ``ABSENT``."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return ABSENT
        value = value[name]
    return value


def placed(value: object, path: Path, text: str) -> object:
    """The value with ``text`` at a path. Raises ``Unprocessable`` where something else stands in the way."""
    name, rest = path[0], path[1:]
    if not isinstance(value, dict) or (not rest and name in value):
        raise Unprocessable(errors=[FieldError("/" + "/".join(path), "is given by the gateway")])
    return {**value, name: placed(value.get(name, {}), rest, text) if rest else text}


def reference_in(value: object, body: bytes, path: Path) -> str | None:
    """The ERP's number in an answer, where it is."""
    found = pick(_value(value, body), path)
    return str(found)[:200] if isinstance(found, str | int) and not isinstance(found, bool) else None


def _value(value: object, body: bytes) -> object:
    if value is not ABSENT:
        return value
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return ABSENT


def in_flight(document: Document) -> bool:
    return document.state is State.SENDING and document.delivery == "inline"
