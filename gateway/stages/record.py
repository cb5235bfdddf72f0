"""A write becomes a document: recorded before a byte leaves, sent now, later, or when people agreed.

One unit of the ledger looks for the idempotency key, decides whether people must agree, and commits the document with its first
step. What was accepted is told only after that commit; what the ERP answered only after the commit that records it.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal
from urllib.parse import quote

import orjson
import structlog

from gateway.approvals.facts import Facts, facts_of
from gateway.documents.ledger import Ledger, LedgerUnavailable, Transaction
from gateway.documents.records import Answer, Document, Payee, Request, Terms, apply, find, find_by_key, receive
from gateway.documents.revisions import repeat
from gateway.documents.states import Event, State, allowed
from gateway.documents.view import RETRY_AFTER, path, represent
from gateway.errors import (
    BadRequest,
    Conflict,
    FieldError,
    KeyInUse,
    KeyMissing,
    KeyReused,
    Problem,
    Unprocessable,
    UnsupportedMediaType,
    UpstreamProblem,
)
from gateway.exchange import ABSENT, Exchange, Reply
from gateway.holding import Asking, admit
from gateway.pipeline import Handler, Phase, Stage
from gateway.ports import Clock, Decided, Runtime
from gateway.sending import Outcome, Path, Writing, addressed, in_flight, pick, settled, transmit

log = structlog.get_logger()

_KEY = re.compile(rb'(")?([!#-~][ !#-~]{0,253}[!#-~]|[!#-~])(?(1)")')
_DOCUMENT = re.compile(rb"[0-9a-f]{32}")
MOST_NATURAL_KEY = 200
MOST_KEY = 300
"""What the ledger's column takes."""
CONDITIONS = (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since")

Initiator = Callable[[Exchange, Facts], tuple[str | None, tuple[str, ...]]]
"""The natural person behind a call, where one is proved, and others who must not approve it."""

Basis = Callable[[Exchange], Decided | None]
"""What allowed a call, for the document's first entry."""


def new_id() -> str:
    """A document's id: 48 bits of milliseconds, so that ids sort by time, then 80 random bits (as RFC 9562's UUIDv7)."""
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


@dataclass(frozen=True, slots=True)
class Record:
    """Record the call as a document and send it, or hold it until people agreed.

    :param writing: how it is sent: ``inline`` within the call, ``queued`` later; and which field is a natural key.
    :param idempotency: ``required`` refuses a call without an Idempotency-Key.
    """

    writing: Writing = field(repr=False)
    ledger: Ledger = field(repr=False)
    clock: Clock = field(repr=False)
    asking: Asking = field(repr=False)
    initiator: Initiator = field(default=lambda exchange, facts: (None, ()), repr=False)
    basis: Basis = field(default=lambda exchange: None, repr=False)
    idempotency: Literal["required", "optional"] = "optional"
    phase: ClassVar[Phase] = Phase.RECORD

    def build(self, runtime: Runtime) -> Stage:
        async def record(exchange: Exchange, call_next: Handler) -> Reply:
            call = self._call(exchange)
            try:
                document, fresh = await self.ledger.write(lambda tx: self._unit(tx, call))
            except LedgerUnavailable as problem:
                raise _perhaps_kept(problem, call.draft) from problem
            exchange.notes |= {"document": document.id, "state": document.state.value}
            if not fresh:
                return again(document)
            if document.state is not State.SENDING:
                return accepted(document)
            return await self._send(exchange, document)

        return record

    # --- receiving ---------------------------------------------------------------------------------------------------

    def _call(self, exchange: Exchange) -> _Call:
        """Everything that can be wrong with a call is found here, before anything is recorded."""
        rule = self.writing.rule
        if exchange.value is ABSENT:
            require_plain(exchange)
        draft = self._draft(exchange)
        addressed(self.writing, exchange, draft.id)
        facts = None if rule is None else facts_of(rule, exchange.value, self.writing.target)
        return _Call(exchange, draft, facts, superseded(exchange), self.basis(exchange))

    def _draft(self, exchange: Exchange) -> Document:
        request, principal = exchange.request, exchange.principal
        kind = (request.header(b"content-type") or b"").decode("latin-1")
        kept = Request(request.method, request.path, request.query, exchange.params, kind, exchange.content)
        tenant = principal.tenant if principal else ""
        now = self.clock.now()
        return Document(
            id=new_id(),
            operation=exchange.operation,
            version=exchange.version,
            satellite=principal.subject if principal else "",
            tenant=tenant,
            roles=principal.roles if principal else (),
            state=State.RECEIVED,
            seq=0,
            revision=1,
            delivery=self.writing.delivery,
            key=self._key(exchange, tenant),
            fingerprint=fingerprint(exchange),
            request=kept,
            received_at=now,
            updated_at=now,
        )

    def _key(self, exchange: Exchange, tenant: str) -> str | None:
        if self.writing.key is not None:
            return scoped("field", tenant, natural_key(exchange.value, self.writing.key))
        key = idempotency_key(exchange)
        if key is None and self.idempotency == "required":
            raise KeyMissing("Send an Idempotency-Key header: a new value for each new request, the same one for a retry.")
        return None if key is None else scoped("key", tenant, key)

    def _unit(self, tx: Transaction, call: _Call) -> tuple[Document, bool]:
        """The document of the call, and whether this call has to see to it."""
        draft = call.draft
        found = None if draft.key is None else find_by_key(tx.connection, draft.satellite, draft.operation, draft.key)
        if found is None:
            return self._receive(tx, call), True
        if found.fingerprint != draft.fingerprint:
            raise KeyReused("The same key came with another request; a new request needs a new key.")
        if found.state is State.DEAD and found.delivery == "inline" and found.hold is None:
            return self._repeat(tx, call, found), True
        return found, False

    def _receive(self, tx: Transaction, call: _Call) -> Document:
        terms, draft, decided = self.writing.terms, call.draft, call.decided
        if call.supersedes is not None:
            supersede(tx, call.supersedes, draft, terms)
        held, payees = self._judged(tx, call, draft)
        if held.hold is None:
            first = Event.QUEUE if self.writing.delivery == "queued" else Event.SEND
            return receive(tx, draft, first, terms=terms, payees=payees, decided=decided)
        details = {"reasons": [reason["code"] for reason in held.hold.reasons], "payload_hash": held.hold.payload_hash}
        return receive(tx, held, Event.HOLD, terms=terms, payees=payees, details=details, decided=decided)

    def _repeat(self, tx: Transaction, call: _Call, dead: Document) -> Document:
        """An earlier attempt ended before the ERP booked anything. What the rule says now decides: siblings may have come."""
        terms, actor = self.writing.terms, dead.satellite
        held, payees = self._judged(tx, call, dead)
        queued = repeat(tx, dead, payees=payees, actor=actor, terms=terms)
        if held.hold is None:
            return apply(tx, queued, Event.SEND, actor=actor, terms=terms)
        note = {"code": "held_now"}
        return apply(tx, queued, Event.REOPEN, actor=actor, terms=terms, details=note, note=note, hold=held.hold)

    def _judged(self, tx: Transaction, call: _Call, document: Document) -> tuple[Document, tuple[Payee, ...]]:
        """The document, with a hold where people must agree, and what it would pay to whom."""
        rule, facts = self.writing.rule, call.facts
        if rule is None or facts is None:
            return document, ()
        operation, tenant = document.operation, document.tenant
        reasons, payees = admit(tx.connection, rule, facts, operation=operation, tenant=tenant, now=tx.now, but=document.id)
        if not reasons:
            return document, payees
        initiator, editors = self.initiator(call.exchange, facts)
        value, revision = call.exchange.value, document.revision
        hold = self.asking(rule, facts, reasons, value, initiator=initiator, editors=editors, revision=revision, now=tx.now)
        return replace(document, hold=hold), payees

    # --- sending -----------------------------------------------------------------------------------------------------

    async def _send(self, exchange: Exchange, document: Document) -> Reply:
        """Within the call: one try, whose failure is the satellite's to repeat."""
        outgoing = addressed(self.writing, exchange, document.id)
        outcome = await transmit(self.writing, outgoing, document.sent_at or 0.0, self.clock)
        try:
            document = await settled(self.ledger, document, outcome, self.writing.terms, tries=1)
        except LedgerUnavailable as problem:
            # It is kept as sending and will be found out about; a problem would invite to send it again.
            log.error("document.unsettled", document=document.id, outcome=outcome.event.value, exc_info=problem)
            return accepted(document)
        exchange.notes["state"] = document.state.value
        return self._told(outcome, document)

    def _told(self, outcome: Outcome, document: Document) -> Reply:
        if outcome.problem is not None and document.state in (State.REFUSED, State.DEAD):
            raise _about(outcome.problem, document)
        return accepted(document) if document.answer is None else reply_of(document.answer, document)


@dataclass(frozen=True, slots=True)
class _Call:
    """One call as it is about to be recorded."""

    exchange: Exchange
    draft: Document
    facts: Facts | None
    supersedes: str | None
    decided: Decided | None


def _about(problem: UpstreamProblem, document: Document) -> UpstreamProblem:
    problem.extensions["document"] = document.id
    problem.headers["document-id"] = document.id
    return problem


def _perhaps_kept(problem: LedgerUnavailable, draft: Document) -> Problem:
    """Nobody can tell whether it was recorded. With a key the same call finds out; without one it would be a second document."""
    if draft.key is None:
        detail = "It may have been recorded. Look for it in the ERP before sending it again."
        return LedgerUnavailable(detail, extensions={"retryable": False, "outcome": "unknown"})
    return LedgerUnavailable("Send it again with the same key.", headers={"retry-after": "5"})


# --- what a call says about itself ---------------------------------------------------------------------------------------------


def idempotency_key(exchange: Exchange) -> str | None:
    """The Idempotency-Key header, with or without quotes. Raises ``BadRequest`` for two of them or one of a strange form."""
    found = [value for name, value in exchange.request.headers if name == b"idempotency-key"]
    if not found:
        return None
    match = _KEY.fullmatch(found[0]) if len(found) == 1 else None
    if match is None:
        raise BadRequest("Send one Idempotency-Key of 1 to 255 printable ASCII characters, such as a UUID.")
    return match[2].decode("ascii")


def natural_key(value: object, where: Path) -> str:
    """The value at a path of the body. Raises ``Unprocessable`` when it cannot be a key."""
    found = pick(value, where)
    text = str(found).strip() if isinstance(found, str | int) and not isinstance(found, bool) else ""
    if text.isprintable() and 0 < len(text) <= MOST_NATURAL_KEY:
        return text
    detail = f"is the key of this operation: text of 1 to {MOST_NATURAL_KEY} printable characters"
    raise Unprocessable(errors=[FieldError("/" + "/".join(where), detail)])


def scoped(kind: str, tenant: str, key: str) -> str:
    """A key as the ledger keeps it beside satellite and operation. No two are the same; a long one is kept as its hash, and so is
    one with backslashes, which the ledger would write longer."""
    text = f"{kind}/{quote(tenant, safe='')}/{key}"
    if len(text) <= MOST_KEY and "\\" not in text:
        return text
    return f"{kind}/sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def require_plain(exchange: Exchange) -> None:
    """What is passed through as bytes is kept with its media type and nothing else, so a header without which it would mean
    something else later is refused. Others, such as Accept-Language, reach the ERP only when it is sent within the call.
    Raises ``UnsupportedMediaType`` or ``BadRequest``."""
    if (exchange.request.header(b"content-encoding") or b"identity").lower() != b"identity":
        raise UnsupportedMediaType("Send the body without a Content-Encoding.", headers={"accept-encoding": "identity"})
    if any(exchange.request.header(name) is not None for name in CONDITIONS):
        raise BadRequest("A write that is recorded cannot be conditional; leave out If-Match and the like.")


def superseded(exchange: Exchange) -> str | None:
    """The held document this one takes the place of, from the header ``Supersedes``."""
    found = [value for name, value in exchange.request.headers if name == b"supersedes"]
    if not found:
        return None
    if len(found) > 1 or not _DOCUMENT.fullmatch(found[0]):
        raise BadRequest("Supersedes names one document by its id.")
    return found[0].decode("ascii")


def supersede(tx: Transaction, id_: str, by: Document, terms: Terms) -> None:
    old = find(tx.connection, id_)
    if old is None or (old.satellite, old.tenant, old.operation) != (by.satellite, by.tenant, by.operation):
        raise Conflict("The document it supersedes is not one of yours for this operation.")
    if not allowed(old.state, Event.SUPERSEDE):
        raise Conflict(f"The document it supersedes is {old.state}; only a held one can be superseded.")
    apply(
        tx, old, Event.SUPERSEDE, actor=by.satellite, terms=terms, details={"by": by.id}, note={"code": "superseded", "by": by.id}
    )


def fingerprint(exchange: Exchange) -> str:
    """SHA-256 of what is asked for, the document to supersede with it: white space and the order of keys do not count."""
    request = exchange.request
    about = [request.method, request.path, request.query]
    about += [value.decode("latin-1") for name, value in request.headers if name == b"supersedes"]
    if exchange.value is ABSENT:
        digest = hashlib.sha256(orjson.dumps(about))
        digest.update(exchange.content)
        return digest.hexdigest()
    return hashlib.sha256(orjson.dumps([*about, exchange.value], option=orjson.OPT_SORT_KEYS)).hexdigest()


# --- what a call is told -------------------------------------------------------------------------------------------------------


def accepted(document: Document) -> Reply:
    """202: it is kept, and here is where to ask for it."""
    headers = [
        (b"location", path(document.id).encode("ascii")),
        (b"retry-after", b"%d" % RETRY_AFTER.get(document.state, 60)),
        (b"document-id", document.id.encode("ascii")),
    ]
    return Reply(202, headers, value=represent(document))


def reply_of(answer: Answer, document: Document) -> Reply:
    """The ERP's answer. Where it took the message and said nothing more (202, SOAP one-way), where to follow the document."""
    if answer.status == 202 and not answer.body:
        return accepted(document)
    headers: list[tuple[bytes, bytes]] = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in answer.headers]
    return Reply(answer.status, [*headers, (b"document-id", document.id.encode("ascii"))], body=answer.body)


def again(document: Document) -> Reply:
    """The answer to a request that came before. Raises ``KeyInUse`` while the first is on its way."""
    if document.answer is not None:
        reply = reply_of(document.answer, document)
    elif in_flight(document):
        raise KeyInUse("The first call is still on its way; ask again.", headers={"retry-after": "1"})
    else:
        reply = accepted(document)
    reply.headers.append((b"idempotent-replayed", b"true"))
    return reply
