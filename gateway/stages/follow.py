"""What a satellite may do with a document it handed in: look, wait, take it back, hand in a new revision.

Only its own documents exist for a satellite, and only as long as policy still lets it call the operation they came by.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from gateway.approvals.facts import facts_of
from gateway.approvals.file import Approvals
from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import Document, Terms, apply, find
from gateway.documents.revisions import revise
from gateway.documents.states import FINAL, Event, allowed
from gateway.documents.view import RETRY_AFTER, etag, represent
from gateway.errors import Conflict, FieldError, Forbidden, NotFound, PreconditionFailed, Problem, Unprocessable
from gateway.exchange import Exchange, Outgoing, Principal, Reply, Whole
from gateway.exchange import Request as Call
from gateway.holding import Asking, admit, value_of
from gateway.people import PERMISSIONS
from gateway.ports import Clock, Decision, Decisions, Policy, asked_by
from gateway.scope import Context, Records
from gateway.sending import Writing, addressed
from gateway.stages.authorize import forbidden
from gateway.stages.record import Initiator, fingerprint, natural_key
from gateway.stages.restrict import Restriction, refused_by, restricted

_ID = re.compile(r"[0-9a-f]{32}")
_WAIT = re.compile(rb'(?:^|,)\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?=[;,]|$)', re.IGNORECASE)
_TAG = re.compile(rb'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
MAX_WAIT = 60.0

Writings = Callable[[str, str], Writing | None]


class Followed:
    """Implements ``gateway.ports.Operation`` for routes that end in the ledger and not in an upstream."""

    def prepare(self, exchange: Exchange) -> Outgoing:
        raise AssertionError("nothing is sent")

    async def send(self, outgoing: Outgoing) -> Reply:
        raise AssertionError("nothing is sent")

    def request_schema(self) -> dict[str, Any] | None:
        return None

    def answer_schema(self) -> dict[str, Any] | None:
        return None

    def refusals(self) -> Mapping[str, tuple[int, dict[str, Any]]]:
        return {}


FOLLOWED = Followed()


@dataclass(frozen=True, slots=True)
class Follow:
    """Handlers for ``/api/documents/{id}``. Immutable, part of a snapshot."""

    ledger: Ledger
    clock: Clock
    policy: Policy
    decisions: Decisions
    writing_of: Writings
    approvals: Approvals
    initiator: Initiator

    async def get(self, exchange: Exchange) -> Reply:
        """The document; ``Prefer: wait=N`` (RFC 7240) answers when it changes, at the latest after N seconds. One that is not as
        If-None-Match says has changed, and one that nothing can happen to any more is not waited for."""
        document = await self._own(exchange)
        known = header_list(exchange, b"if-none-match")
        wait = wanted_wait(exchange)
        seen = document.seq if known is None or names(known, document) else None
        deadline = self.clock.monotonic() + wait
        while document.seq == seen and document.state not in FINAL and (left := deadline - self.clock.monotonic()) > 0:
            await self.ledger.changed(document.id, left)
            document = await self._own(exchange)
        reply = seen_reply(document, known, exchange)
        if wait:
            reply.headers.append((b"preference-applied", b"wait=%d" % wait))
        return reply

    async def recall(self, exchange: Exchange) -> Reply:
        """Take it back, as long as nothing was sent."""
        await self._own(exchange)

        def unit(tx: Transaction) -> Document:
            document = self._mine(find(tx.connection, exchange.params["id"]), exchange)
            unchanged(document, exchange)
            if not allowed(document.state, Event.RECALL):
                raise Conflict(f"The document is {document.state}; it can be taken back only before it is sent.")
            writing = self.writing_of(document.operation, document.version)
            terms = writing.terms if writing is not None else Terms()
            return apply(tx, document, Event.RECALL, actor=document.satellite, terms=terms, note={"code": "recalled"})

        return seen_reply(await self.ledger.write(unit), None, exchange)

    async def revise(self, exchange: Exchange) -> Reply:
        """Another body for a held document: a new revision without votes. It stays held, whatever it says."""
        document = await self._own(exchange)
        writing = self.writing_of(document.operation, document.version)
        if writing is None or writing.rule is None or document.hold is None:
            raise Conflict("Only a held document can be revised.")
        content = await exchange.request.body.read()
        kind = exchange.request.header(b"content-type") or b""
        kept = replace(document.request, body=content, content_type=kind.decode("latin-1"))
        again = await self._prepared(writing, document, kept.content_type, content, exchange)
        addressed(writing, again, document.id)
        same_key(writing, document, again)
        facts = facts_of(writing.rule, again.value, writing.target)
        rule, asking = writing.rule, Asking(self.approvals, document.operation)

        def unit(tx: Transaction) -> Document:
            current = self._mine(find(tx.connection, document.id), exchange)
            unchanged(current, exchange)
            if not allowed(current.state, Event.REVISE) or current.hold is None:
                raise Conflict(f"The document is {current.state}; only a held one can be revised.")
            reasons, payees = admit(
                tx.connection, rule, facts, operation=current.operation, tenant=current.tenant, now=tx.now, but=current.id
            )
            person, others = self.initiator(again, facts)
            editors = tuple(dict.fromkeys([*current.hold.editors, *([person] if person else []), *others]))
            hold = asking(
                rule,
                facts,
                reasons or current.hold.reasons,
                again.value,
                initiator=current.hold.initiator,
                editors=editors,
                revision=current.revision + 1,
                now=tx.now,
            )
            print_ = fingerprint(again)
            return revise(tx, current, request=kept, hold=hold, fingerprint=print_, payees=payees, terms=writing.terms)

        return seen_reply(await self.ledger.write(unit), None, exchange)

    async def _prepared(self, writing: Writing, document: Document, kind: str, content: bytes, exchange: Exchange) -> Exchange:
        """The new body checked as the first one was."""
        kept = document.request
        headers = [(b"content-type", kind.encode("latin-1")), (b"content-length", b"%d" % len(content))]
        request = Call(kept.method, kept.path, kept.query, headers, Whole(content), exchange.request.peer)
        again = Exchange(request, exchange.id, document.operation, document.version, dict(kept.params), exchange.trace)
        again.principal, again.guard = exchange.principal, exchange.guard
        try:
            await writing.prepare(again)
        except Problem as problem:
            if isinstance(problem, Forbidden):
                await self._refused(document, exchange, refused_by(problem))
            if isinstance(exchange.guard, Restriction):
                exchange.guard.problem(problem)
            raise
        return again

    async def _own(self, exchange: Exchange) -> Document:
        def look(connection: Connection) -> Document | None:
            id_ = exchange.params["id"]
            return find(connection, id_) if _ID.fullmatch(id_) else None

        document = await self.ledger.read(look)
        try:
            return self._mine(document, exchange)
        except (NotFound, Forbidden):
            if document is not None:
                await self._refused(document, exchange)
            raise

    async def _refused(self, document: Document, exchange: Exchange, kinds: tuple[str, ...] = ()) -> None:
        """Policy does not let the caller see or change a document of its own. That one is another's is nothing policy says."""
        principal = exchange.principal
        if principal is not None and handed_in_by(principal, document):
            asked = asked_by(exchange, principal)._replace(operation=document.operation, version=document.version)
            decision, unmet = self._answer(document, exchange, principal)
            await self.decisions.denied(asked, decision, kinds or unmet)

    def _answer(self, document: Document, exchange: Exchange, principal: Principal) -> tuple[Decision, tuple[str, ...]]:
        """What policy says of the operation the document came by, and which of its conditions do not hold."""
        decision = self.policy.decide(principal, document.operation, document.version)
        if not decision.allowed or decision.scope is None:
            return decision, ()
        return decision, decision.scope.unmet(Context(self.clock.now(), exchange.request.peer))

    def _mine(self, document: Document | None, exchange: Exchange) -> Document:
        """What restricts the operation the document came by restricts its document."""
        principal = exchange.principal
        if document is None or principal is None or document.operation in PERMISSIONS:
            raise NotFound("There is no such document of yours.")
        decision, unmet = self._answer(document, exchange, principal)
        if not handed_in_by(principal, document) or not decision.allowed:
            raise NotFound("There is no such document of yours.")
        if unmet:
            raise forbidden(asked_by(exchange, principal), exchange, decision, unmet)
        if decision.scope is not None:
            writing = self.writing_of(document.operation, document.version)
            exchange.guard = restricted(decision.scope, writing.records if writing else Records(), principal, writes=True)
        exchange.notes |= {"document": document.id, "state": document.state.value}
        return document


def handed_in_by(principal: Principal, document: Document) -> bool:
    return (document.satellite, document.tenant) == (principal.subject, principal.tenant)


def same_key(writing: Writing, document: Document, again: Exchange) -> None:
    """A revision keeps the document's natural key: under another it would be another document, and could be handed in twice.
    Raises ``Unprocessable``."""
    if writing.key is None:
        return
    if natural_key(again.value, writing.key) != natural_key(value_of(document), writing.key):
        detail = "is the key of the document and cannot be changed; recall it and hand in another"
        raise Unprocessable(errors=[FieldError("/" + "/".join(writing.key), detail)])


def header_list(exchange: Exchange, name: bytes) -> bytes | None:
    """All lines of a list header as one (RFC 9110 section 5.3)."""
    lines = [value for header, value in exchange.request.headers if header == name]
    return b",".join(lines) if lines else None


def wanted_wait(exchange: Exchange) -> float:
    """Seconds of ``Prefer: wait=N``, at most a minute. The first counts (RFC 7240 section 2)."""
    found = _WAIT.search(header_list(exchange, b"prefer") or b"")
    return min(float(found[1]), MAX_WAIT) if found else 0.0


def names(listed: bytes, document: Document, *, strong: bool = False) -> bool:
    """Whether a list of entity tags has the document's, or is ``*``. A weak tag never compares strongly (RFC 9110 section
    8.8.3.2)."""
    if listed.strip() == b"*":
        return True
    tag = etag(document).encode()
    return any(found == tag and not (strong and weak) for weak, found in _TAG.findall(listed))


def unchanged(document: Document, exchange: Exchange) -> None:
    """Raises ``PreconditionFailed`` when If-Match names another state of the document (RFC 9110 section 13.1.1)."""
    wanted = header_list(exchange, b"if-match")
    if wanted is not None and not names(wanted, document, strong=True):
        raise PreconditionFailed("Read the document again and decide anew.")


def seen_reply(document: Document, known: bytes | None, exchange: Exchange) -> Reply:
    headers = [(b"etag", etag(document).encode()), (b"cache-control", b"private, no-cache")]
    if known is not None and names(known, document):
        return Reply(304, headers)
    if document.state in RETRY_AFTER:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER[document.state]))
    told, guard = represent(document), exchange.guard
    return Reply(200, headers, value=guard.document(told) if isinstance(guard, Restriction) else told)
