"""What operators settle: documents nobody can tell the outcome of, by the word of two, and dead ones, by one.

An attestation can send a payment a second time, so it takes two different natural persons who say the same, neither of whom
asked for the payment, changed it or decided on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, select

from gateway.approvals.compare import account_key, person_key
from gateway.desk.refusals import Refusal
from gateway.desk.sight import Viewer
from gateway.desk.views import Attested
from gateway.documents import tables
from gateway.documents.records import Document, apply
from gateway.documents.states import Event, State
from gateway.documents.transaction import Transaction
from gateway.holding import Ballot, Rules

Outcome = Literal["booked", "absent", "discard"]

EVENTS: Final[dict[Outcome, Event]] = {"booked": Event.DELIVER, "absent": Event.ABSENT, "discard": Event.DISCARD}
AGREE: Final = 2
MOST_REFERENCE: Final = 200

_V = tables.votes


@dataclass(frozen=True, slots=True)
class Word:
    """What an operator hands in. ``reference`` is the ERP's number of the booking they found."""

    outcome: Outcome
    reference: str
    reason: str

    def __post_init__(self) -> None:
        if self.outcome == "booked" and not (account_key(self.reference) and len(self.reference) <= MOST_REFERENCE):
            raise Refusal("reference_missing", {"most": MOST_REFERENCE}).problem()
        if self.outcome != "booked" and self.reference:
            raise Refusal("reference_unwanted").problem()


def impartial(viewer: Viewer, ballot: Ballot | None) -> Refusal | None:
    """Why this operator has an interest in the document."""
    if ballot is None:
        return None
    who = {"person": viewer.person.subject}
    if viewer.is_party(ballot):
        asked = person_key(ballot.question.initiator or "") == viewer.key
        return Refusal("initiator" if asked else "editor", who)
    return Refusal("voter", who) if viewer.has_voted(ballot) else None


def attest(tx: Transaction, viewer: Viewer, rules: Rules, document: Document, ballot: Ballot | None, word: Word) -> Document:
    """Take an operator's word in the caller's unit. The second that agrees settles the document; an operator's new word replaces
    the old one. Raises the problem of a ``Refusal``, after which nothing was written."""
    operator(viewer)
    refusal = impartial(viewer, ballot)
    if refusal is None and document.state is not State.MANUAL:
        refusal = Refusal("not_manual", {"state": document.state.value})
    given = list(attestations(tx.connection, document))
    same = next((other for other in given if person_key(other.person) == viewer.key), None)
    if refusal is None and same is not None and same.person != viewer.person.subject:
        refusal = Refusal("already_attested", {"person": viewer.person.subject, "other": same.person})
    if refusal is not None:
        raise refusal.problem()
    if same is not None and _agrees(same, word):
        return document
    _write(tx, viewer, document, word)
    agreeing = [other for other in given if other is not same and _agrees(other, word)]
    return _step(tx, viewer, rules, document, word, agreeing)


def _agrees(other: Attested, word: Word) -> bool:
    return other.outcome == word.outcome and account_key(other.reference) == account_key(word.reference)


def _step(tx: Transaction, viewer: Viewer, rules: Rules, document: Document, word: Word, agreeing: list[Attested]) -> Document:
    terms = rules.terms_of(document.operation, document.version)
    details: dict[str, Any] = {"outcome": word.outcome, "reason": word.reason, "method": viewer.person.method}
    if word.reference:
        details["reference"] = word.reference
    if len(agreeing) + 1 < AGREE:
        return apply(tx, document, Event.ATTEST, actor=viewer.person.subject, terms=terms, details=details)
    # Words are about this time the outcome is unknown; another time needs two anew. The audit chain keeps them.
    tx.write(_V.delete().where(_V.c.document == document.id, _V.c.decision.in_(EVENTS)))
    details["operators"] = [*(other.person for other in agreeing), viewer.person.subject]
    changes: dict[str, Any] = {"note": {"code": "attested", "outcome": word.outcome}}
    if word.outcome == "booked":
        changes["reference"] = word.reference
    return apply(tx, document, EVENTS[word.outcome], actor=viewer.person.subject, terms=terms, details=details, **changes)


def _write(tx: Transaction, viewer: Viewer, document: Document, word: Word) -> None:
    mine = (_V.c.document == document.id, _V.c.person == viewer.person.subject, _V.c.decision.in_(EVENTS))
    tx.write(_V.delete().where(*mine))
    row = {
        "document": document.id,
        "revision": document.revision,
        "person": viewer.person.subject,
        "decision": word.outcome,
        "payload_hash": document.hold.payload_hash if document.hold else document.fingerprint,
        "at": tx.now,
        "delegator": None,
        "method": viewer.person.method,
        "roles": json.dumps(viewer.person.roles),
        "reason": json.dumps({"reason": word.reason, "reference": word.reference}),
    }
    tx.write(_V.insert(), row)


def attestations(connection: Connection, document: Document) -> Iterator[Attested]:
    """What operators said so far, in order."""
    query = select(_V).where(_V.c.document == document.id, _V.c.decision.in_(EVENTS)).order_by(_V.c.id)
    for row in connection.execute(query):
        said = json.loads(row.reason)
        yield Attested(row.person, row.decision, said["reference"], said["reason"], row.at)


def operator(viewer: Viewer) -> None:
    """Raises the problem of a ``Refusal`` for somebody who is none."""
    if not viewer.operates:
        raise Refusal("not_operator", {"person": viewer.person.subject}).problem()


def revive(tx: Transaction, viewer: Viewer, rules: Rules, document: Document, event: Event, reason: str | None) -> Document:
    """``replay`` or ``discard`` a dead document. A replay is looked at once more before it is sent, as every release is."""
    operator(viewer)
    if document.state is not State.DEAD:
        raise Refusal("not_dead", {"state": document.state.value}).problem()
    details: dict[str, Any] = {"method": viewer.person.method}
    changes: dict[str, Any] = {}
    if reason is not None:
        details["reason"] = reason
        changes["note"] = {"code": "discarded", "reason": reason}
    terms = rules.terms_of(document.operation, document.version)
    return apply(tx, document, event, actor=viewer.person.subject, terms=terms, details=details, **changes)
