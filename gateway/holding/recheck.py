"""The last look before a document goes: what people agreed to, whether they still may, and whether that is still enough.

Asked in the unit that commits the intent to send, from nothing but the ledger and the files in force. It can only take a document
back; it never approves one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import Connection

from gateway.approvals.facts import Facts, facts_of, manifest, manifest_hash
from gateway.approvals.file import Approvals, Rule
from gateway.approvals.messages import msgid
from gateway.approvals.rules import to_json
from gateway.documents.records import GATEWAY, Document, Hold, Terms, apply
from gateway.documents.states import Event
from gateway.documents.transaction import Transaction
from gateway.errors import Unprocessable
from gateway.holding.asking import Asking, admit
from gateway.holding.ballot import ballots, question, shows
from gateway.policy.index import PolicyIndex
from gateway.policy.roles import Roles

OBJECTIONS: Mapping[str, str] = {
    "not_on_record": msgid("What is kept is not what the audit chain says."),
    "body_changed": msgid("What is kept is not what people agreed to."),
    "rule_gone": msgid("There is no approval rule for this any more."),
    "rule_unreadable": msgid("The approval rule cannot read this document any more."),
    "rule_changed": msgid("What is asked of people has changed since they agreed."),
    "quorum_lost": msgid("Not enough of the votes count any more."),
    "execution_expired": msgid("It was approved, and not sent in time."),
    "held_now": msgid("The approval rule asks for people now."),
}
"""English sentences by code, for gettext. The code is also the document's note."""


class Rules(Protocol):
    """The files in force, from one snapshot."""

    @property
    def policy(self) -> PolicyIndex: ...

    @property
    def approvals(self) -> Approvals: ...

    def terms_of(self, operation: str, version: str) -> Terms:
        """Those of a route that is gone are the default ones."""
        ...


@dataclass(frozen=True, slots=True)
class Objection:
    """Immutable. Why a document is not sent, and the step it takes instead: reopen, with a new hold, distrust or expire."""

    event: Event
    code: str
    hold: Hold | None = None

    @property
    def message(self) -> str:
        """The sentence to translate."""
        return OBJECTIONS[self.code]

    def take(self, tx: Transaction, document: Document, terms: Terms) -> Document:
        """Take the step. ``document`` was read in this transaction and is approved or queued."""
        note = {"code": self.code}
        changes: dict[str, Any] = {"note": note} if self.hold is None else {"note": note, "hold": self.hold}
        return apply(tx, document, self.event, actor=GATEWAY, terms=terms, details=note, **changes)


class Sends(Protocol):
    """What the last look needs to know of how a document would be sent."""

    @property
    def target(self) -> str: ...


Recheck = Callable[[Connection, Document, Sends, object, float], Objection | None]
"""``recheck`` with the rules filled in: connection, document, how it would be sent, its value, now."""


def recheck(
    connection: Connection, document: Document, rules: Rules, now: float, *, value: object, target: str
) -> Objection | None:
    """Why an approved or queued document must not be sent; ``None`` when it may.

    :param value: the body as it was just read and would be sent.
    :param target: where it would be sent.
    """
    rule = rules.approvals.rules.get(document.operation)
    asking = Asking(rules.approvals, document.operation)
    if document.hold is None:
        return None if rule is None else _never_held(connection, document, rule, asking, value, target, now)
    if not shows(document.hold, value):
        return Objection(Event.DISTRUST, "body_changed")
    if rule is None:
        return Objection(Event.DISTRUST, "rule_gone")
    try:
        facts = replace(facts_of(rule, value, target), initiator=document.hold.initiator)
    except Unprocessable:
        return Objection(Event.DISTRUST, "rule_unreadable")
    roles = Roles(rules.policy, document.tenant)
    return _Look(connection, document, document.hold, rule, asking, facts, value, now).at(roles, rules.policy)


@dataclass(frozen=True, slots=True)
class _Look:
    """A document that was held, its body known to be the one that was shown."""

    connection: Connection
    document: Document
    hold: Hold
    rule: Rule
    asking: Asking
    facts: Facts
    value: object
    now: float

    def at(self, roles: Roles, policy: PolicyIndex) -> Objection | None:
        document, hold = self.document, self.hold
        if manifest_hash(manifest(self.facts, self.value, document.revision)) != hold.payload_hash:
            return Objection(Event.REOPEN, "rule_changed", self._again(0))
        key = (document.id, document.revision, document.received_at, hold)
        ballot = ballots(self.connection, [key], document.tenant, roles, policy)[document.id]
        stood = ballot.quorum()
        stands = ballot.asking(question(_as_asked_now(hold, self.rule), document.revision, document.received_at)).quorum()
        if not stood.met or not stands.met:
            return Objection(Event.REOPEN, "quorum_lost" if not stood.met else "rule_changed", self._again(len(stands.counted)))
        if document.attempts == 0 and self.now >= max(vote.at for vote in stood.counted) + hold.execute_within:
            return Objection(Event.EXPIRE, "execution_expired")
        return None

    def _again(self, received: int) -> Hold:
        """The question put anew, by the rule in force; the reasons of then where it finds none now."""
        document, hold = self.document, self.hold
        reasons = _reasons(self.connection, document, self.rule, self.facts) or list(hold.reasons)
        asked = self.asking.hold(
            self.rule,
            self.facts,
            reasons,
            self.value,
            initiator=hold.initiator,
            editors=hold.editors,
            revision=document.revision,
            now=self.now,
        )
        return replace(asked, received=received, required=max(asked.required, hold.required))


def _as_asked_now(hold: Hold, rule: Rule) -> Hold:
    """What a rule that was tightened adds; one that was loosened takes nothing off, since what was asked then must be met too."""
    escalate_to = rule.escalate.to if rule.escalate else None
    return replace(hold, required=rule.required, approvers=rule.approvers, escalate_to=escalate_to)


def _reasons(connection: Connection, document: Document, rule: Rule, facts: Facts) -> list[dict[str, Any]]:
    """Why it is held by the rule in force, beside the siblings there were when it was handed in."""
    about = {"operation": document.operation, "tenant": document.tenant, "but": document.id}
    reasons, _ = admit(connection, rule, facts, now=document.received_at, until=document.received_at, **about)
    return to_json(reasons)


def _never_held(
    connection: Connection, document: Document, rule: Rule, asking: Asking, value: object, target: str, now: float
) -> Objection | None:
    """A document that passed the rule of its time and was not sent since."""
    try:
        facts = facts_of(rule, value, target)
    except Unprocessable:
        return Objection(Event.DISTRUST, "rule_unreadable")
    about = {"operation": document.operation, "tenant": document.tenant, "but": document.id}
    reasons, _ = admit(connection, rule, facts, now=document.received_at, until=document.received_at, **about)
    if not reasons:
        return None
    # Who asked was not kept. Whom the body names does not count as proved, and is kept out all the same.
    named = (facts.initiator,) if facts.initiator else ()
    hold = asking(rule, facts, reasons, value, initiator=None, editors=named, revision=document.revision, now=now)
    return Objection(Event.REOPEN, "held_now", hold)
