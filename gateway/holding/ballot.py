"""What people said about a document, read from the ledger in one consistent state, and what it amounts to now.

Votes are only ever counted by ``approvals.quorum`` and always anew, with the roles people hold at this moment; operators'
attestations lie in the same table and are no votes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy import Connection, bindparam, select

from gateway.approvals.compare import person_key
from gateway.approvals.facts import manifest_hash, payload_hash
from gateway.approvals.quorum import Delegation, Quorum, Refusal, Vote, may_vote, quorum
from gateway.approvals.quorum import Hold as Question
from gateway.documents import tables
from gateway.documents.records import Document, Hold
from gateway.errors import BadRequest, Unprocessable
from gateway.exchange import Principal
from gateway.people import POLICY_ACTIVATE
from gateway.policy.index import PolicyIndex
from gateway.policy.roles import Roles
from gateway.protocols import json_http

MOST_DEPTH = 200
EVERY_TENANT = "*"
"""As a caller's tenant: one that only rows for every tenant are about."""


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote as the ledger has it. ``roles`` are those the sign-in carried, ``method`` how the person proved to be there."""

    vote: Vote
    roles: tuple[str, ...] = ()
    method: str = ""
    reason: str | None = None


class Holders(Protocol):
    """Who holds what a hold asks for."""

    def of(self, subject: str, carried: Iterable[str] = ()) -> Collection[str]:
        """Everything somebody holds; ``carried`` are roles that their sign-in gives beside the policy file."""
        ...


@dataclass(frozen=True, slots=True)
class Permitted:
    """Immutable. Stands for roles where a built-in operation says who decides, for all tenants: it is held by those whom policy
    lets do it in their own tenant, with what their sign-in carries, and in every tenant, by rows alone. Nobody holds it by a role
    of its name, nor by a role that only a sign-in gives."""

    policy: PolicyIndex
    tenant: str
    operation: str

    def of(self, subject: str, carried: Iterable[str] = ()) -> Collection[str]:
        asked = (Principal(subject, self.tenant, tuple(carried)), Principal(subject, EVERY_TENANT))
        allowed = all(self.policy.decide(principal, self.operation, "").allowed for principal in asked)
        return frozenset({self.operation}) if allowed else frozenset()


@dataclass(frozen=True, slots=True)
class Ballot:
    """Immutable. The question people are asked, their votes in the order they were given, and who may act for whom."""

    question: Question
    casts: tuple[Cast, ...]
    delegations: tuple[Delegation, ...]
    roles: Holders

    def quorum(self) -> Quorum:
        return quorum(self.question, self._votes(), self._roles_of, self.delegations)

    def refusal(self, vote: Vote, carried: Sequence[str]) -> Refusal | None:
        """Why ``vote`` must not be taken; ``carried`` are the roles its voter's sign-in gives. Who agreed may still say no."""
        given = self._votes() if vote.decision == "approve" else ()
        proposed = replace(self, casts=(*self.casts, Cast(vote, tuple(carried))))
        return may_vote(self.question, given, vote, proposed._roles_of, self.delegations)

    def beside(self, cast: Cast) -> Ballot:
        """With one vote more, in the place of one its voter gave before to the same effect."""
        same = (cast.vote.person, cast.vote.decision, cast.vote.revision)
        kept = [old for old in self.casts if (old.vote.person, old.vote.decision, old.vote.revision) != same]
        return replace(self, casts=(*kept, cast))

    def asking(self, question: Question) -> Ballot:
        """The same votes under another question."""
        return replace(self, question=question)

    def delegators(self, person: str, at: float) -> tuple[str, ...]:
        """In whose place somebody may act at a moment."""
        key = person_key(person)
        return tuple(dict.fromkeys(d.delegator for d in self.delegations if d.covers(at) and person_key(d.delegate) == key))

    def _votes(self) -> tuple[Vote, ...]:
        return tuple(cast.vote for cast in self.casts)

    def _roles_of(self, name: str) -> Collection[str]:
        """Of policy.csv as it is now, and those the person's own sign-in carried when voting on this revision."""
        key = person_key(name)
        carried: tuple[str, ...] = ()
        for cast in self.casts:
            if cast.vote.revision == self.question.revision and person_key(cast.vote.person) == key:
                carried = cast.roles
        return self.roles.of(name, carried)


def ballots(
    connection: Connection, held: Iterable[tuple[str, int, float, Hold]], tenant: str, roles: Roles, policy: PolicyIndex
) -> dict[str, Ballot]:
    """The ballots of documents of one tenant, each given by id, revision, time it was received, and hold. On a change of policy
    nobody votes in the place of somebody else."""
    documents = list(held)
    if not documents:
        return {}
    casts = _casts(connection, [document for document, *_ in documents])
    delegations = delegations_of(connection, tenant, min(received for _, _, received, _ in documents))
    found = {}
    for document, revision, received, hold in documents:
        asked, given = question(hold, revision, received), tuple(casts.get(document, ()))
        if hold.rule == POLICY_ACTIVATE:
            found[document] = Ballot(asked, given, (), Permitted(policy, tenant, POLICY_ACTIVATE))
        else:
            found[document] = Ballot(asked, given, delegations, roles)
    return found


def question(hold: Hold, revision: int, received_at: float) -> Question:
    """A hold as the quorum's rules see it."""
    return Question(
        rule=hold.rule,
        required=hold.required,
        approvers=hold.approvers,
        initiator=hold.initiator,
        editors=hold.editors,
        revision=revision,
        payload_hash=hold.payload_hash,
        since=received_at,
        expires_at=hold.expires_at,
        escalated=hold.escalate_to if hold.escalated else None,
    )


_V, _D = tables.votes, tables.delegations
_CASTS = (
    select(_V)
    .where(_V.c.document.in_(bindparam("documents", expanding=True)), _V.c.decision.in_(("approve", "reject")))
    .order_by(_V.c.id)
)
_DELEGATIONS = select(_D).where(_D.c.tenant == bindparam("tenant"), _D.c.ends_at > bindparam("since")).order_by(_D.c.id)


def _casts(connection: Connection, documents: Sequence[str]) -> Mapping[str, list[Cast]]:
    found: dict[str, list[Cast]] = {}
    for row in connection.execute(_CASTS, {"documents": documents}):
        vote = Vote(row.person, row.decision, row.revision, row.payload_hash, row.at, row.delegator)
        found.setdefault(row.document, []).append(Cast(vote, tuple(json.loads(row.roles)), row.method, row.reason))
    return found


def delegations_of(connection: Connection, tenant: str, since: float) -> tuple[Delegation, ...]:
    """Every delegation of a tenant that was in force at some time since; one that was revoked ended then."""
    found = []
    for row in connection.execute(_DELEGATIONS, {"tenant": tenant, "since": since}):
        end = row.ends_at if row.revoked_at is None else min(row.ends_at, row.revoked_at)
        if end > row.starts_at:
            found.append(Delegation(row.delegator, row.delegate, row.starts_at, end))
    return tuple(found)


# --- the body ----------------------------------------------------------------------------------------------------------------


def value_of(document: Document) -> object:
    """The body as the stages read it, with the path's parameters. Raises ``BadRequest`` for one that is no JSON."""
    value = json_http.loads(document.request.body, depth=MOST_DEPTH)
    if isinstance(value, dict):
        for name, given in document.request.params.items():
            value.setdefault(name, given)
    return value


def intact(document: Document) -> bool:
    """Whether the body of a held document is still the one people are shown."""
    try:
        return document.hold is not None and shows(document.hold, value_of(document))
    except BadRequest:
        return False


def shows(hold: Hold, value: object) -> bool:
    """Whether what people are shown belongs to this body, and is what they sign."""
    try:
        payload = payload_hash(value)
    except Unprocessable:
        return False
    return hold.facts.get("payload") == payload and manifest_hash(hold.facts) == hold.payload_hash
