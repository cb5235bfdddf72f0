"""What a satellite may do with a document it handed in: look, wait, take it back, hand in a new revision.

Only its own documents exist for a satellite, and only as long as policy still lets it call the operation they came by.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from typing import Any

from sqlalchemy import Connection

from gateway.approvals.facts import facts_of
from gateway.approvals.file import Approvals
from gateway.approvals.rules import to_json
from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import Document, Terms, apply, find
from gateway.documents.revisions import revise
from gateway.documents.states import Event, allowed
from gateway.documents.view import RETRY_AFTER, etag, represent
from gateway.errors import Conflict, NotFound, PreconditionFailed
from gateway.exchange import Exchange, Outgoing, Reply, Whole
from gateway.exchange import Request as Call
from gateway.holding import Asking, admit
from gateway.ports import Clock, Policy
from gateway.sending import Writing
from gateway.stages.record import Initiator, fingerprint

_WAIT = re.compile(rb"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,4})", re.IGNORECASE)
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


FOLLOWED = Followed()


@dataclass(frozen=True, slots=True)
class Follow:
    """Handlers for ``/api/documents/{id}``. Immutable, part of a snapshot."""

    ledger: Ledger
    clock: Clock
    policy: Policy
    writing_of: Writings
    approvals: Approvals
    initiator: Initiator

    async def get(self, exchange: Exchange) -> Reply:
        """The document; ``Prefer: wait=N`` (RFC 7240) answers when it changes, at the latest after N seconds."""
        document = await self._own(exchange)
        known = exchange.request.header(b"if-none-match")
        wait = wanted_wait(exchange)
        seen = document.seq if known in (None, b"*") or etag(document).encode() in (known or b"") else None
        deadline = self.clock.monotonic() + wait
        while document.seq == seen and (left := deadline - self.clock.monotonic()) > 0:
            await self.ledger.changed(document.id, left)
            document = await self._own(exchange)
        reply = seen_reply(document, known)
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

        return seen_reply(await self.ledger.write(unit), None)

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
            hold = asking.hold(
                rule,
                replace(facts, initiator=current.hold.initiator),
                to_json(reasons) or list(current.hold.reasons),
                again.value,
                initiator=current.hold.initiator,
                editors=editors,
                revision=current.revision + 1,
                now=tx.now,
            )
            print_ = fingerprint(again)
            return revise(tx, current, request=kept, hold=hold, fingerprint=print_, payees=payees, terms=writing.terms)

        return seen_reply(await self.ledger.write(unit), None)

    async def _prepared(self, writing: Writing, document: Document, kind: str, content: bytes, exchange: Exchange) -> Exchange:
        """The new body checked as the first one was."""
        kept = document.request
        headers = [(b"content-type", kind.encode("latin-1")), (b"content-length", b"%d" % len(content))]
        request = Call(kept.method, kept.path, kept.query, headers, Whole(content), exchange.request.peer)
        again = Exchange(request, exchange.id, document.operation, document.version, dict(kept.params), exchange.trace)
        again.principal = exchange.principal
        await writing.prepare(again)
        return again

    async def _own(self, exchange: Exchange) -> Document:
        def look(connection: Connection) -> Document | None:
            return find(connection, exchange.params["id"])

        return self._mine(await self.ledger.read(look), exchange)

    def _mine(self, document: Document | None, exchange: Exchange) -> Document:
        principal = exchange.principal
        if document is None or principal is None:
            raise NotFound("There is no such document of yours.")
        mine = (document.satellite, document.tenant) == (principal.subject, principal.tenant)
        if not mine or not self.policy.decide(principal, document.operation, document.version).allowed:
            raise NotFound("There is no such document of yours.")
        exchange.notes |= {"document": document.id, "state": document.state.value}
        return document


def wanted_wait(exchange: Exchange) -> float:
    """Seconds of ``Prefer: wait=N``, at most a minute."""
    found = _WAIT.search(exchange.request.header(b"prefer") or b"")
    return min(float(found[1]), MAX_WAIT) if found else 0.0


def unchanged(document: Document, exchange: Exchange) -> None:
    """Raises ``PreconditionFailed`` when If-Match names another state of the document (RFC 9110 section 13.1.1)."""
    wanted = exchange.request.header(b"if-match")
    if wanted is not None and wanted.strip() != b"*" and etag(document).encode() not in wanted:
        raise PreconditionFailed("Read the document again and decide anew.")


def seen_reply(document: Document, known: bytes | None) -> Reply:
    tag = etag(document).encode()
    headers = [(b"etag", tag), (b"cache-control", b"private, no-cache")]
    if known is not None and tag in known:
        return Reply(304, headers)
    if document.state in RETRY_AFTER:
        headers.append((b"retry-after", b"%d" % RETRY_AFTER[document.state]))
    return Reply(200, headers, value=represent(document))
