"""Deciding on a held document: one unit of the ledger takes the vote, counts all votes anew and takes the step they lead to.

Everything is checked inside the unit, where no other vote, revision or deadline can come between. The same click twice is one
vote and the same answer, even after the document has gone on.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from gateway.approvals.compare import person_key
from gateway.approvals.quorum import Vote
from gateway.desk.detail import not_shown, seen
from gateway.desk.refusals import Refusal
from gateway.desk.sight import Viewer, refusal_of, same_vote
from gateway.documents import tables
from gateway.documents.records import Document, Hold, apply
from gateway.documents.states import Event, State
from gateway.documents.transaction import Transaction
from gateway.holding import Ballot, Cast, Rules

MOST_REASON: Final = 1000

_V = tables.votes


@dataclass(frozen=True, slots=True)
class Paper:
    """What a person hands in: the decision, and the revision and hash they were shown. ``on_behalf_of`` is in whose place."""

    decision: Literal["approve", "reject"]
    revision: int
    payload_hash: str
    on_behalf_of: str | None = None
    reason: str | None = None


def cast(tx: Transaction, viewer: Viewer, rules: Rules, id_: str, paper: Paper) -> Document:
    """Take a vote in the caller's unit. Raises ``NotFound``, or the problem of a ``Refusal`` after which nothing was written."""
    document, ballot = seen(tx.connection, viewer, id_)
    delegator = paper.on_behalf_of or None
    vote = Vote(viewer.person.subject, paper.decision, paper.revision, paper.payload_hash, tx.now, delegator)
    if ballot is None or document.hold is None:
        raise Refusal("not_held", {"state": document.state.value}).problem()
    if document.state is not State.HELD:
        if any(same_vote(vote, given.vote) for given in ballot.casts):
            return document
        raise Refusal("not_held", {"state": document.state.value}).problem()
    standing = ballot.quorum()
    if not standing.met and any(same_vote(vote, counted) for counted in standing.counted):
        return document
    refusal = refusal_of(ballot, vote, viewer.person.roles)
    if refusal is None and paper.decision == "approve":
        refusal = not_shown(viewer, document)
    if refusal is not None:
        raise refusal.problem()
    given = Cast(vote, viewer.person.roles, viewer.person.method, paper.reason)
    _write(tx, document, given)
    return _step(tx, document, document.hold, ballot.beside(given), given, rules)


def _write(tx: Transaction, document: Document, given: Cast) -> None:
    """A vote that had lost its weight is replaced; the audit chain keeps both."""
    vote = given.vote
    mine = (_V.c.document == document.id, _V.c.revision == vote.revision, _V.c.person == vote.person)
    tx.write(_V.delete().where(*mine, _V.c.decision == vote.decision))
    row = {
        "document": document.id,
        "revision": vote.revision,
        "person": vote.person,
        "decision": vote.decision,
        "payload_hash": vote.payload_hash,
        "at": vote.at,
        "delegator": vote.delegator,
        "method": given.method,
        "roles": json.dumps(given.roles),
        "reason": given.reason,
    }
    tx.write(_V.insert(), row)


def _step(tx: Transaction, document: Document, hold: Hold, ballot: Ballot, given: Cast, rules: Rules) -> Document:
    standing = ballot.quorum()
    vote, received = given.vote, len(standing.counted)
    terms = rules.terms_of(document.operation, document.version)
    details: dict[str, Any] = {"payload_hash": vote.payload_hash, "method": given.method}
    details |= {"votes": received, "required": hold.required}
    if vote.delegator is not None:
        details["delegator"] = vote.delegator
    if vote.decision == "reject":
        note = {"code": "rejected", "reason": given.reason}
        details["reason"] = given.reason
        return apply(tx, document, Event.REJECT, actor=vote.person, terms=terms, details=details, note=note)
    counted = replace(hold, received=received)
    if not standing.met:
        return apply(tx, document, Event.VOTE, actor=vote.person, terms=terms, details=details, hold=counted)
    within = rules.approvals.after(tx.now, _execute_within(hold, rules)) - tx.now
    released = replace(counted, execute_within=within)
    details["voters"] = [other.person for other in standing.counted]
    return apply(tx, document, Event.APPROVE, actor=vote.person, terms=terms, details=details, hold=released, note=None)


def _execute_within(hold: Hold, rules: Rules) -> float:
    """The rule's business time; that of the hold where the rule is gone, which only lets the document go to operators."""
    rule = rules.approvals.rules.get(hold.rule)
    return hold.execute_within if rule is None else rule.execute_within


def reason_given(text: str) -> str:
    """A reason as it is kept. Raises the problem of a ``Refusal`` where there is none."""
    clean = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs")).strip()
    if not person_key(clean):
        raise Refusal("reason_missing").problem()
    if len(clean) > MOST_REASON:
        raise Refusal("reason_too_long", {"most": MOST_REASON}).problem()
    return clean
