"""Sending a document to the ERP, and saying what became of it.

There are four outcomes and no fifth: the ERP booked it, the ERP said no, it was certainly not booked, or nobody knows. Only the
third may be sent again without asking. The same code serves a call that waits for the answer and the worker that delivers later.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, Literal

import orjson

from gateway.approvals.file import Rule
from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import GATEWAY, Answer, Document, Terms, Todo, apply, find, put
from gateway.documents.states import Event, State, allowed
from gateway.errors import (
    BadAnswer,
    FaultClient,
    FieldError,
    Problem,
    Refused,
    RefusedMissing,
    Unprocessable,
    UpstreamProblem,
    UpstreamTimeout,
)
from gateway.exchange import ABSENT, OPERATION_ID, Exchange, Headers, Outgoing, Reply, Request, Whole
from gateway.pipeline import Handler
from gateway.ports import Clock, Operation
from gateway.protocols import json_http
from gateway.scope import Records
from gateway.upstreams.refusals import BUSY, refused_status

OURS: Final = frozenset({b"document-id", b"idempotent-replayed"})
"""Headers that only the gateway may put on an answer."""
MOST_TOLD: Final = 300
"""Characters of a problem's detail that a document keeps."""
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
    :param status: of success, where a probe gives the answer that was lost.
    :param operation_id: a field of the body that is given the document's id.
    :param key: a field of the body that says which requests are the same.
    :param rule: what has to be approved; ``None`` lets everything pass.
    :param records: where policy finds what its predicates ask for.
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
    key: Path | None = None
    rule: Rule | None = None
    status: int = 201
    records: Records = field(default_factory=Records)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt. ``event`` is ``deliver``, ``refuse``, ``retry`` (certainly not booked) or ``lose``."""

    event: Event
    answer: Answer | None = None
    reference: str | None = None
    note: dict[str, Any] | None = None
    problem: UpstreamProblem | None = None


async def exchange_of(writing: Writing, document: Document, trace: bytes) -> Exchange:
    """The document's request made again, read, checked and mapped by what is configured now. Raises ``Problem``.

    Of the satellite's headers only the media type is kept: what a pass-through forwards within the call beside it, such as
    Accept-Language, is not there when the worker sends.
    """
    kept = document.request
    headers: Headers = [(b"content-length", b"%d" % len(kept.body))]
    if kept.content_type:
        headers.append((b"content-type", kept.content_type.encode("latin-1")))
    request = Request(kept.method, kept.path, kept.query, headers, Whole(kept.body))
    exchange = Exchange(request, document.id, document.operation, document.version, dict(kept.params), trace)
    await writing.prepare(exchange)
    return exchange


def addressed(writing: Writing, exchange: Exchange, document: str) -> Outgoing:
    """What is sent carries the document's id, the same at every attempt. The exchange's value stays what the satellite sent, for
    that is what people sign. Raises ``Unprocessable`` when the field for the id is taken."""
    outgoing = exchange.outgoing
    if writing.operation_id is not None:
        numbered = replace(exchange, value=placed(exchange.value, writing.operation_id, document))
        outgoing = writing.call.prepare(numbered)
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
    return _answered(reply, body, writing)


def _answered(reply: Reply, body: bytes, writing: Writing) -> Outcome:
    """What an answer means that came whole. A redirection says nothing about a booking."""
    if 300 <= reply.status < 400:
        return _failed(BadAnswer("The ERP answered with a redirection."), writing)
    if reply.status in BUSY:
        busy = refused_status(reply.status, "")
        busy.answered = reply.status
        return _failed(busy, writing)
    headers = tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in reply.headers if n not in OURS)
    answer = Answer(reply.status, headers, body)
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
    note = {"code": problem.slug, "detail": problem.detail[:MOST_TOLD]}
    if isinstance(problem, Refused | FaultClient):
        return Outcome(Event.REFUSE, told(problem), note=note, problem=problem)
    if not problem.sent or problem.answered in writing.not_booked or 400 <= (problem.answered or 0) < 500:
        return Outcome(Event.RETRY, note=note, problem=problem)
    return Outcome(Event.LOSE, note=note, problem=problem)


def told(problem: Problem) -> Answer:
    """A problem as it is stored, to be told again."""
    headers = (("content-type", "application/problem+json"), *problem.headers.items())
    return Answer(problem.status, headers, json_http.dumps(problem.document()))


def settle(tx: Transaction, document: Document, outcome: Outcome, terms: Terms, *, tries: int = 1) -> Document:
    """Record what became of an attempt, in a unit of the ledger. ``document`` is what the attempt was committed as.

    An outcome that comes after others have taken the sender for gone counts when the ERP booked it, or said no before anything
    else happened; anything else is noted. A booking that nobody may record any more is for operators.

    :param tries: how many attempts there may be in all.
    """
    current = find(tx.connection, document.id)
    if current is None:
        raise AssertionError("a document that was sent is not in the ledger")
    event = outcome.event
    if event is Event.RETRY and document.attempts >= tries:
        event = Event.GIVE_UP
    if not _counts(current, document, event):
        _late(tx, current, document, outcome)
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


def _counts(current: Document, document: Document, event: Event) -> bool:
    """Whether the outcome of an attempt still says something about the document as it is now."""
    if not allowed(current.state, event):
        return False
    if event is Event.DELIVER:
        return True
    same = current.attempts == document.attempts
    return same and (current.state is State.SENDING or event in (Event.REFUSE, Event.ABSENT))


def _late(tx: Transaction, current: Document, document: Document, outcome: Outcome) -> None:
    booked = {} if outcome.reference is None else {"reference": outcome.reference}
    tx.audit("document.late", GATEWAY, document=document.id, attempt=document.attempts, outcome=outcome.event.value, **booked)
    known = current.state is State.DELIVERED and outcome.reference in (None, current.reference)
    if outcome.event is Event.DELIVER and not known:
        about = {"state": current.state.value, "seq": current.seq, "revision": current.revision, "code": "booked-late"}
        put(tx, [Todo("alarm", tx.now, document.id, about)])


async def settled(ledger: Ledger, document: Document, outcome: Outcome, terms: Terms, *, tries: int) -> Document:
    return await ledger.write(lambda tx: settle(tx, document, outcome, terms, tries=tries))


# --- probing -----------------------------------------------------------------------------------------------------------------


async def ask(writing: Writing, probe: Probe, document: Document, value: object, trace: bytes) -> Outcome | None:
    """What the ERP says about a document whose outcome is unknown: ``deliver``, or ``absent``; ``None`` when it does not say.
    ``value`` is the document's body. What is found but differs from what was sent is none of ours."""
    value = _value(value, document.request.body)
    try:
        parameters = {name: _asked(path, value, document.id) for name, path in probe.by.items()}
        request = Request("GET", document.request.path, "", [], Whole(b""))
        exchange = Exchange(request, document.id, document.operation, document.version, {}, trace)
        exchange.value, exchange.params = parameters, {name: str(found) for name, found in parameters.items()}
        reply = await probe.call.send(probe.call.prepare(exchange))
        body = await _whole(reply)
    except RefusedMissing:
        return Outcome(Event.ABSENT)
    except (UpstreamProblem, Unprocessable):
        return None
    found = _value(reply.value, body)
    if reply.status == 404 or (reply.status == 200 and found in (None, [])):
        return Outcome(Event.ABSENT)
    if reply.status >= 300 or not agrees(value, found):
        return None
    found = found[0] if isinstance(found, list) and not isinstance(value, list) else found
    answer = Answer(writing.status, (("content-type", "application/json"),), json_http.dumps(found))
    return Outcome(Event.DELIVER, answer, reference_in(found, b"", writing.reference), {"code": "found_by_probe"})


def _asked(path: str, value: object, document: str) -> object:
    if path == "$operation_id":
        return document
    found = pick(value, split(path))
    if not isinstance(found, str | int) or isinstance(found, bool):
        raise Unprocessable(f"{path} is not in the body")
    return found


def agrees(sent: object, found: object) -> bool:
    """Whether there is something both have, and all of that is the same. One item of a list of one counts as the item."""
    pairs = list(_both(sent, found))
    return bool(pairs) and all(_same(one, other) for one, other in pairs)


def _both(sent: object, found: object) -> Iterator[tuple[object, object]]:
    """The leaves both have; what differs in shape is a leaf too."""
    if isinstance(found, list) and not isinstance(sent, list) and len(found) == 1:
        yield from _both(sent, found[0])
    elif isinstance(sent, dict) and isinstance(found, dict):
        for name in sent.keys() & found.keys():
            yield from _both(sent[name], found[name])
    elif isinstance(sent, list) and isinstance(found, list) and len(sent) == len(found):
        for one, other in zip(sent, found, strict=True):
            yield from _both(one, other)
    else:
        yield sent, found


def _same(one: object, other: object) -> bool:
    """Equal, or numbers of one value however they are written. Text with leading zeros is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other or (_number(one) is not None and _number(one) == _number(other))


_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,99})?")


def _number(value: object) -> Decimal | None:
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        return None
    return Decimal(str(value)) if isinstance(value, str | int | float | Decimal) else None


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
    """The value with ``text`` at a path. Raises ``Unprocessable`` where something stands there already, or in the way."""
    inner = value
    for name in path[:-1]:
        inner = inner.get(name, {}) if isinstance(inner, dict) else ABSENT
    if not isinstance(inner, dict) or path[-1] in inner:
        raise Unprocessable(errors=[FieldError("/" + "/".join(path), "is given by the gateway")])
    return _with(value, path, text)


def _with(value: Any, path: Path, text: str) -> object:
    name, rest = path[0], path[1:]
    return {**value, name: _with(value.get(name, {}), rest, text) if rest else text}


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
