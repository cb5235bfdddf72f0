"""Who may see which document, and what each person may do with it.

A document is seen by those who are asked about it, who asked for it, changed it or voted on it, and by operators and auditors,
all of its own tenant. For everybody else it does not exist.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from sqlalchemy import Connection, Select, select

from gateway.approvals.compare import account_key, person_key
from gateway.approvals.facts import total
from gateway.approvals.file import Rule
from gateway.approvals.quorum import Vote
from gateway.desk.masking import accounts_in, masked, masked_details
from gateway.desk.refusals import Refusal
from gateway.desk.restricting import restricted_row
from gateway.desk.views import Json, Row
from gateway.documents import tables
from gateway.documents.records import Document, Hold
from gateway.documents.states import State
from gateway.documents.transaction import restored
from gateway.exchange import Principal
from gateway.holding import Ballot, Rules, ballots
from gateway.people import AUDIT, DELEGATE, OPERATE, Person
from gateway.policy.roles import Roles
from gateway.scope import EVERYTHING, Fields

Decision = Literal["approve", "reject"]

_D = tables.documents
_P = tables.payees
_SHOWN = (
    _D.c.id,
    _D.c.operation,
    _D.c.version,
    _D.c.satellite,
    _D.c.tenant,
    _D.c.state,
    _D.c.revision,
    _D.c.received_at,
    _D.c.updated_at,
    _D.c.reference,
    _D.c.note,
    _D.c.hold,
)


@dataclass(frozen=True, slots=True)
class Item:
    """A document without its bodies."""

    id: str
    operation: str
    version: str
    satellite: str
    tenant: str
    state: State
    revision: int
    received_at: float
    updated_at: float
    reference: str | None
    note: Json | None
    hold: Hold | None


def item_of(document: Document) -> Item:
    """The same of a whole document."""
    return Item(*(getattr(document, name) for name in Item.__dataclass_fields__))


def shown() -> Select[Any]:
    """The query for items, without conditions."""
    return select(*_SHOWN)


def items(connection: Connection, query: Select[Any]) -> list[Item]:
    return [
        Item(
            row.id,
            row.operation,
            row.version,
            row.satellite,
            row.tenant,
            State(row.state),
            row.revision,
            row.received_at,
            row.updated_at,
            restored(row.reference),
            json.loads(row.note) if row.note else None,
            Hold.read(row.hold) if row.hold else None,
        )
        for row in connection.execute(query)
    ]


class Viewer:
    """Immutable. One person, under the files in force, at one moment."""

    def __init__(self, person: Person, rules: Rules, now: float) -> None:
        self.person = person
        self.key = person_key(person.subject)
        self.now = now
        self.roles = Roles(rules.policy, person.tenant)
        self._policy = rules.policy
        self._approvals = rules.approvals

    @cached_property
    def own(self) -> frozenset[str]:
        """The roles the person holds, those of the sign-in among them."""
        return self.roles.of(self.person.subject, self.person.roles)

    @cached_property
    def operates(self) -> bool:
        return self._may(OPERATE)

    @cached_property
    def audits(self) -> bool:
        return self._may(AUDIT)

    @cached_property
    def delegates(self) -> bool:
        return self._may(DELEGATE)

    def _may(self, operation: str) -> bool:
        person = self.person
        return (
            bool(self.key) and self._policy.decide(Principal(person.subject, person.tenant, person.roles), operation, "").allowed
        )

    def fields(self, operation: str, version: str) -> Fields:
        """What the person sees of an operation's documents, whether or not they may call it."""
        person = self.person
        scope = self._policy.decide(Principal(person.subject, person.tenant, person.roles), operation, version).scope
        return scope.fields if scope is not None else EVERYTHING.fields

    def rule(self, operation: str) -> Rule | None:
        return self._approvals.rules.get(operation)

    def ballots(self, connection: Connection, found: Iterable[Item]) -> dict[str, Ballot]:
        held = [(item.id, item.revision, item.received_at, item.hold) for item in found if item.hold is not None]
        return ballots(connection, held, self.person.tenant, self.roles, self._policy)

    def is_asked(self, ballot: Ballot) -> bool:
        """Whether the person, or somebody whose place they may take now, holds a role that decides."""
        asked = {ballot.question.approvers, ballot.question.escalated}
        own = ballot.roles.of(self.person.subject, self.person.roles)
        others = (ballot.roles.of(delegator) for delegator in ballot.delegators(self.person.subject, self.now))
        return any(not asked.isdisjoint(roles) for roles in (own, *others))

    def is_party(self, ballot: Ballot) -> bool:
        """Whether the person asked for it, or changed it."""
        question = ballot.question
        return self.key in {person_key(name) for name in (question.initiator or "", *question.editors)} - {""}

    def has_voted(self, ballot: Ballot) -> bool:
        people = {name for cast in ballot.casts for name in (cast.vote.person, cast.vote.delegator or "")}
        return self.key in {person_key(name) for name in people} - {""}

    def sees(self, item: Item, ballot: Ballot | None) -> bool:
        if item.tenant != self.person.tenant or not self.key:
            return False
        if self.operates or self.audits:
            return True
        return ballot is not None and (self.is_asked(ballot) or self.is_party(ballot) or self.has_voted(ballot))

    def vote_refusal(self, item: Item, ballot: Ballot, decision: Decision, delegator: str | None = None) -> Refusal | None:
        """Why the person cannot decide so now; ``None`` when they can."""
        if item.state is not State.HELD:
            return Refusal("not_held", {"state": item.state.value})
        question = ballot.question
        vote = Vote(self.person.subject, decision, question.revision, question.payload_hash, self.now, delegator)
        return refusal_of(ballot, vote, self.person.roles)

    def may_act_for(self, item: Item, ballot: Ballot, decision: Decision) -> tuple[str, ...]:
        """In whose place the person can decide so now."""
        others = ballot.delegators(self.person.subject, self.now)
        return tuple(name for name in others if self.vote_refusal(item, ballot, decision, name) is None)

    def may_reveal(self, ballot: Ballot | None) -> bool:
        return self.audits or (ballot is not None and self.is_asked(ballot))


def refusal_of(ballot: Ballot, vote: Vote, carried: Sequence[str]) -> Refusal | None:
    """Why a vote cannot be taken. Who agreed before may say so once more where that lets the document go: enough votes may have
    come to count since, with a role that somebody got back."""
    refusal = ballot.refusal(vote, carried)
    if refusal is None or (refusal.code == "already_voted" and _confirms(ballot, vote)):
        return None
    return Refusal.of(refusal)


def _confirms(ballot: Ballot, vote: Vote) -> bool:
    standing = ballot.quorum()
    return vote.decision == "approve" and standing.met and any(same_vote(vote, counted) for counted in standing.counted)


def same_vote(one: Vote, other: Vote) -> bool:
    """Whether two votes are the same decision of one person, about the same and in the same place."""
    ours = (one.person, one.decision, one.revision, one.payload_hash, person_key(one.delegator or ""))
    return ours == (other.person, other.decision, other.revision, other.payload_hash, person_key(other.delegator or ""))


def rows(connection: Connection, viewer: Viewer, found: Sequence[Item], ballots: Mapping[str, Ballot]) -> list[Row]:
    """What a list shows of documents the person may see."""
    sums = _sums(connection, [item.id for item in found if item.hold is None])
    whole = [_row(viewer, item, ballots.get(item.id), sums.get(item.id)) for item in found]
    return [restricted_row(row, viewer.fields(row.operation, row.version), viewer.rule(row.operation)) for row in whole]


@dataclass(frozen=True, slots=True)
class _Money:
    amount: str = ""
    currency: str = ""
    payee: str = ""
    account: str = ""
    payments: int = 0
    entity: str = ""


def _row(viewer: Viewer, item: Item, ballot: Ballot | None, paid: _Money | None) -> Row:
    hold = item.hold
    money = (paid or _Money()) if hold is None else _money(hold.facts)
    why_not: Refusal | None = Refusal("not_held", {"state": item.state.value})
    for_whom: tuple[str, ...] = ()
    if ballot is not None:
        why_not = viewer.vote_refusal(item, ballot, "approve")
        for_whom = viewer.may_act_for(item, ballot, "approve")
    may_vote = why_not is None or bool(for_whom)
    return Row(
        id=item.id,
        operation=item.operation,
        version=item.version,
        satellite=item.satellite,
        state=item.state,
        revision=item.revision,
        amount=money.amount,
        currency=money.currency,
        payee=money.payee,
        account=money.account,
        payments=money.payments,
        entity=money.entity,
        initiator=hold.initiator if hold else None,
        reasons=hold.reasons if hold else (),
        votes=len(ballot.quorum().counted) if ballot else 0,
        required=hold.required if hold else 0,
        received_at=item.received_at,
        updated_at=item.updated_at,
        expires_at=hold.expires_at if hold and item.state is State.HELD else None,
        escalated=hold.escalated if hold else False,
        reference=item.reference,
        note=_noted(item),
        may_vote=may_vote,
        for_whom=for_whom,
        why_not=None if may_vote else why_not,
    )


def _money(facts: Mapping[str, Any]) -> _Money:
    accounts = accounts_in(facts)
    one = facts.get("payee") or (facts["lines"][0]["payee"] if len(accounts) == 1 else {})
    account = masked(one["account"]) if one else ""
    amount, currency, entity = (facts.get(name, "") for name in ("amount", "currency", "entity"))
    return _Money(amount, currency, one.get("name", ""), account, len(accounts), entity)


def _noted(item: Item) -> Json | None:
    if item.note is None:
        return None
    accounts = accounts_in(item.hold.facts) if item.hold else ()
    return masked_details(item.note, {account_key(account) for account in accounts})


def _sums(connection: Connection, documents: Sequence[str]) -> dict[str, _Money]:
    """Of documents nobody was asked about: what the ledger kept to find siblings by."""
    if not documents:
        return {}
    query = select(_P.c.document, _P.c.payee, _P.c.amount, _P.c.currency).where(_P.c.document.in_(documents))
    lines: dict[str, list[Any]] = {}
    for row in connection.execute(query):
        lines.setdefault(row.document, []).append(row)
    return {
        document: _Money(
            amount=format(total(Decimal(row.amount) for row in paid), "f"),
            currency=paid[0].currency,
            account=masked(paid[0].payee) if len(paid) == 1 else "",
            payments=len(paid),
        )
        for document, paid in lines.items()
    }
