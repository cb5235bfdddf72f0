"""A write becomes a document: recorded before a byte leaves, sent now, later, or when people agreed.

One unit of the ledger looks for the idempotency key, decides whether people must agree, and commits the document with its first step. What was
accepted is told only after that commit; what the ERP answered only after the commit that records it.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import orjson

from gateway.approvals.facts import Facts, facts_of
from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import Answer, Document, Request, Terms, apply, find, find_by_key, receive
from gateway.documents.states import Event, State, allowed
from gateway.documents.view import RETRY_AFTER, path, represent
from gateway.errors import BadRequest, Conflict, FieldError, KeyInUse, KeyMissing, KeyReused, Unprocessable, UpstreamProblem
from gateway.exchange import ABSENT, Exchange, Reply
from gateway.holding import Asking, admit
from gateway.pipeline import Handler, Phase, Stage
from gateway.ports import Clock, Runtime
from gateway.sending import Writing, addressed, in_flight, pick, settled, split, transmit

_KEY = re.compile(rb'"?([!#-~][ !#-~]{0,253}[!#-~]|[!#-~])"?')
_DOCUMENT = re.compile(rb"[0-9a-f]{32}")
MAX_NATURAL_KEY = 200

Initiator = Callable[[Exchange, Facts], tuple[str | None, tuple[str, ...]]]
"""The natural person behind a call, where one is proved, and others who must not approve it."""


def new_id() -> str:
    """A document's id: 48 bits of milliseconds, so that ids sort by time, and 80 random bits (the layout of RFC 9562's UUIDv7)."""
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"


@dataclass(frozen=True, slots=True)
class Record:
    """Record the call as a document and send it, or hold it until people agreed.

    :param delivery: ``inline`` sends within the call, ``queued`` later.
    :param idempotency: ``required`` refuses a call without an Idempotency-Key.
    :param key: a natural key in the body, used instead.
    """

    writing: Writing = field(repr=False)
    ledger: Ledger = field(repr=False)
    clock: Clock = field(repr=False)
    asking: Asking = field(repr=False)
    initiator: Initiator = field(default=lambda exchange, facts: (None, ()), repr=False)
    idempotency: Literal["required", "optional"] = "optional"
    key: str | None = None
    phase: ClassVar[Phase] = Phase.RECORD

    @property
    def delivery(self) -> str:
        return self.writing.delivery

    def build(self, runtime: Runtime) -> Stage:
        async def record(exchange: Exchange, call_next: Handler) -> Reply:
            draft = self._draft(exchange)
            supersedes = superseded(exchange)
            facts = self._facts(exchange)
            exchange.notes["document"] = draft.id

            def unit(tx: Transaction) -> tuple[Document, bool]:
                known = self._known(tx, draft)
                return known or (self._receive(tx, draft, exchange, facts, supersedes), True)

            document, fresh = await self.ledger.write(unit)
            exchange.notes |= {"document": document.id, "state": document.state.value}
            if not fresh:
                return again(document)
            if document.state is not State.SENDING:
                return accepted(document)
            return await self._send(exchange, document)

        return record

    # --- receiving ---------------------------------------------------------------------------------------------------

    def _draft(self, exchange: Exchange) -> Document:
        request, principal = exchange.request, exchange.principal
        kind = (request.header(b"content-type") or b"").decode("latin-1")
        kept = Request(request.method, request.path, request.query, exchange.params, kind, exchange.content)
        now = self.clock.now()
        return Document(
            id=new_id(),
            operation=exchange.operation,
            version=exchange.version,
            satellite=principal.subject if principal else "",
            tenant=principal.tenant if principal else "",
            roles=principal.roles if principal else (),
            state=State.RECEIVED,
            seq=0,
            revision=1,
            delivery=self.writing.delivery,
            key=self._key(exchange),
            fingerprint=fingerprint(exchange),
            request=kept,
            received_at=now,
            updated_at=now,
        )

    def _key(self, exchange: Exchange) -> str | None:
        if self.key is not None:
            return "field:" + natural_key(exchange.value, self.key)
        key = idempotency_key(exchange)
        if key is None and self.idempotency == "required":
            raise KeyMissing("Send an Idempotency-Key header: a new value for each new request, the same one for a retry.")
        return None if key is None else "key:" + key

    def _facts(self, exchange: Exchange) -> Facts | None:
        rule = self.writing.rule
        return None if rule is None else facts_of(rule, exchange.value, self.writing.target)

    def _known(self, tx: Transaction, draft: Document) -> tuple[Document, bool] | None:
        """The document this key belongs to; it is fresh when an earlier attempt ended before the ERP booked anything."""
        if draft.key is None:
            return None
        found = find_by_key(tx.connection, draft.satellite, draft.operation, draft.key)
        if found is None:
            return None
        if found.fingerprint != draft.fingerprint:
            raise KeyReused("The same key came with another request; a new request needs a new key.")
        if found.state is State.DEAD and found.delivery == "inline" and found.hold is None:
            terms, actor = self.writing.terms, draft.satellite
            queued = apply(tx, found, Event.REPLAY, actor=actor, terms=terms)
            return apply(tx, queued, Event.SEND, actor=actor, terms=terms), True
        return found, False

    def _receive(
        self, tx: Transaction, draft: Document, exchange: Exchange, facts: Facts | None, supersedes: str | None
    ) -> Document:
        terms, asking, rule = self.writing.terms, self.asking, self.writing.rule
        if supersedes is not None:
            supersede(tx, supersedes, draft, terms)
        if facts is None or rule is None:
            return receive(tx, draft, self._first(), terms=terms)
        reasons, payees = admit(tx.connection, rule, facts, operation=draft.operation, tenant=draft.tenant, now=tx.now)
        if not reasons:
            return receive(tx, draft, self._first(), terms=terms, payees=payees)
        initiator, editors = self.initiator(exchange, facts)
        hold = asking(rule, facts, reasons, exchange.value, initiator=initiator, editors=editors, revision=1, now=tx.now)
        held = replace(draft, hold=hold)
        details = {"reasons": [reason["code"] for reason in hold.reasons], "payload_hash": hold.payload_hash}
        return receive(tx, held, Event.HOLD, terms=terms, payees=payees, details=details)

    def _first(self) -> Event:
        return Event.QUEUE if self.writing.delivery == "queued" else Event.SEND

    # --- sending -----------------------------------------------------------------------------------------------------

    async def _send(self, exchange: Exchange, document: Document) -> Reply:
        """Within the call: one try, whose failure is the satellite's to repeat."""
        outgoing = addressed(self.writing, exchange, document.id)
        outcome = await transmit(self.writing, outgoing, document.sent_at or 0.0, self.clock)
        document = await settled(self.ledger, document, outcome, self.writing.terms, tries=1)
        exchange.notes["state"] = document.state.value
        if document.state in (State.UNKNOWN, State.MANUAL):
            return accepted(document)
        if outcome.problem is not None:
            raise self._told(outcome.problem, document)
        if outcome.answer is None:
            return accepted(document)
        return reply_of(outcome.answer, document)

    def _told(self, problem: UpstreamProblem, document: Document) -> UpstreamProblem:
        problem.extensions["document"] = document.id
        return problem


# --- what a call says about itself ---------------------------------------------------------------------------------------------


def idempotency_key(exchange: Exchange) -> str | None:
    """The Idempotency-Key header, with or without quotes. Raises ``BadRequest`` for two of them or one of a strange form."""
    found = [value for name, value in exchange.request.headers if name == b"idempotency-key"]
    if not found:
        return None
    match = _KEY.fullmatch(found[0]) if len(found) == 1 else None
    if match is None:
        raise BadRequest("Send one Idempotency-Key of 1 to 255 printable ASCII characters, such as a UUID.")
    return match[1].decode("ascii")


def natural_key(value: object, where: str) -> str:
    """The value at a path of the body. Raises ``Unprocessable`` when it cannot be a key."""
    found = pick(value, split(where))
    if isinstance(found, str | int) and not isinstance(found, bool) and 0 < len(str(found).strip()) <= MAX_NATURAL_KEY:
        return str(found).strip()
    pointer = "/" + "/".join(split(where))
    raise Unprocessable(errors=[FieldError(pointer, f"is the key of this operation: text of 1 to {MAX_NATURAL_KEY} characters")])


def superseded(exchange: Exchange) -> str | None:
    """The held document this one takes the place of, from the header ``Supersedes``."""
    found = exchange.request.header(b"supersedes")
    if found is None:
        return None
    if not _DOCUMENT.fullmatch(found):
        raise BadRequest("Supersedes names a document by its id.")
    return found.decode("ascii")


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
    """SHA-256 of what is asked for: white space and the order of keys do not count."""
    request = exchange.request
    about = [request.method, request.path, request.query]
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
