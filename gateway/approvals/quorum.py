"""Who may vote on a hold, and whether enough people agreed.

Nothing is remembered: both questions are answered from the hold, the votes, the delegations and the people's current roles, and a
quorum asks the first question again for every vote, in order. So a vote loses its weight with its voter's role, with a new
revision or with another payload, and a quorum can be checked once more just before something is sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.approvals.compare import person_key
from gateway.approvals.messages import msgid

RolesOf = Callable[[str], Collection[str]]
"""The roles a person holds now, themselves or through other roles; none for somebody unknown."""

MESSAGES: Mapping[str, str] = {
    "wrong_revision": msgid(
        "The document was changed; this vote is about revision %(revision)s, and %(current)s is the current one."
    ),
    "wrong_hash": msgid("This vote is not about what would be sent."),
    "expired": msgid("The time to decide is over."),
    "initiator": msgid("%(person)s asked for this payment and cannot decide on it."),
    "editor": msgid("%(person)s changed this document and cannot decide on it."),
    "same_person": msgid("%(person)s and %(other)s count as one person, because one acts for the other."),
    "already_voted": msgid("%(person)s has voted on this document."),
    "delegation_not_valid": msgid("%(delegator)s has not delegated to %(person)s for now."),
    "delegation_chain": msgid("%(person)s cannot act for %(delegator)s through somebody else."),
    "not_eligible": msgid("%(person)s does not hold the role %(role)s."),
}
"""English sentences by code, for gettext; the parameters are those of the refusal."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Immutable. What waits, and for whom.

    :param required: how many people must agree, two at least; one beside somebody who is known to have asked.
    :param approvers: Casbin role that may vote; ``escalated`` is the role that may vote too once the hold was escalated.
    :param initiator: the person who asked; ``None`` where no one vouches for who it was, and then nobody is kept out as such.
    :param editors: everybody who changed the document since.
    :param revision: of the document; with ``payload_hash``, from ``manifest_hash``, what a vote must name.
    :param since: when the document was handed in, Unix seconds.
    :param expires_at: the first moment at which nobody may vote any more, Unix seconds.
    """

    rule: str
    required: int
    approvers: str
    initiator: str | None
    editors: tuple[str, ...]
    revision: int
    payload_hash: str
    since: float
    expires_at: float
    escalated: str | None = None

    def __post_init__(self) -> None:
        if self.required < (1 if person_key(self.initiator or "") else 2):
            raise ValueError("a hold needs two people at least, who asked among them where that is known")


@dataclass(frozen=True, slots=True)
class Vote:
    """Immutable. What ``person`` decided at a moment, about one revision and one payload; with a ``delegator``, in the place of
    that person."""

    person: str
    decision: Literal["approve", "reject"]
    revision: int
    payload_hash: str
    at: float
    delegator: str | None = None


@dataclass(frozen=True, slots=True)
class Delegation:
    """Immutable. ``delegate`` may vote in the place of ``delegator`` from ``start`` until before ``end``, Unix seconds."""

    delegator: str
    delegate: str
    start: float
    end: float

    def covers(self, at: float) -> bool:
        return self.start <= at < self.end and math.isfinite(self.end)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Immutable. Why a vote does not count: a stable code, and the parameters of its sentence."""

    code: str
    parameters: Mapping[str, str | int]

    @property
    def message(self) -> str:
        """The sentence to translate, before its parameters."""
        return MESSAGES[self.code]

    def __str__(self) -> str:
        return self.message % self.parameters


@dataclass(frozen=True, slots=True)
class Quorum:
    """Immutable. ``met`` when enough people agreed and nobody said no; the votes that count; those that do not, and why.
    ``rejected`` holds every no to this revision: it blocks, whoever gave it."""

    met: bool
    counted: tuple[Vote, ...]
    void: tuple[tuple[Vote, Refusal], ...]
    rejected: tuple[Vote, ...]


def quorum(hold: Hold, votes: Sequence[Vote], roles_of: RolesOf, delegations: Sequence[Delegation]) -> Quorum:
    """Whether the votes, in the order they were given, let the document go. Asked at each vote and again at release."""
    counted: list[Vote] = []
    void: list[tuple[Vote, Refusal]] = []
    for vote in votes:
        refusal = _refusal(hold, counted, vote, roles_of, delegations)
        if refusal is not None:
            void.append((vote, refusal))
        elif vote.decision == "approve":
            counted.append(vote)
    rejected = tuple(vote for vote in votes if vote.decision != "approve" and vote.revision == hold.revision)
    met = not rejected and len(counted) >= hold.required
    return Quorum(met, tuple(counted), tuple(void), rejected)


def may_vote(
    hold: Hold, votes: Sequence[Vote], vote: Vote, roles_of: RolesOf, delegations: Sequence[Delegation]
) -> Refusal | None:
    """Why this vote must not be taken, beside those already given; ``None`` when it may."""
    standing = quorum(hold, votes, roles_of, delegations)
    return _refusal(hold, [*standing.counted, *standing.rejected], vote, roles_of, delegations)


def _refusal(
    hold: Hold, counted: Sequence[Vote], vote: Vote, roles_of: RolesOf, delegations: Sequence[Delegation]
) -> Refusal | None:
    return (
        _other_document(hold, vote)
        or _own_document(hold, vote, delegations)
        or _already_voted(counted, vote)
        or _delegation(vote, delegations)
        or _role(hold, vote, roles_of)
    )


def _other_document(hold: Hold, vote: Vote) -> Refusal | None:
    if vote.revision != hold.revision:
        return Refusal("wrong_revision", {"revision": vote.revision, "current": hold.revision})
    if vote.payload_hash != hold.payload_hash:
        return Refusal("wrong_hash", {})
    # Not "at >= expires_at": a moment that is no number must not pass.
    if not vote.at < hold.expires_at:
        return Refusal("expired", {})
    return None


def _people(vote: Vote) -> dict[str, str]:
    """The natural persons a vote stands for, by key: who gave it, and in whose place."""
    names = [vote.person] if vote.delegator is None else [vote.person, vote.delegator]
    return {person_key(name): name for name in names}


def _own_document(hold: Hold, vote: Vote, delegations: Sequence[Delegation]) -> Refusal | None:
    """Who asked, or changed something, does not decide; nor does anybody in whose place they could act meanwhile."""
    initiator = person_key(hold.initiator or "")
    editors = {person_key(editor) for editor in hold.editors}
    people = _people(vote)
    for key, name in people.items():
        if initiator and key == initiator:
            return Refusal("initiator", {"person": name})
        if key in editors:
            return Refusal("editor", {"person": name})
    for delegation in delegations:
        delegate, delegator = person_key(delegation.delegate), person_key(delegation.delegator)
        interested = delegate in editors or (initiator and delegate == initiator)
        if interested and delegator in people and delegation.start <= vote.at and delegation.end > hold.since:
            return Refusal("same_person", {"person": people[delegator], "other": delegation.delegate})
    return None


def _already_voted(counted: Sequence[Vote], vote: Vote) -> Refusal | None:
    people = _people(vote)
    for earlier in counted:
        if not people.keys() & _people(earlier).keys():
            continue
        if person_key(vote.person) == person_key(earlier.person):
            return Refusal("already_voted", {"person": vote.person})
        pair = next((pair for pair in (vote, earlier) if pair.delegator is not None), vote)
        return Refusal("same_person", {"person": pair.person, "other": pair.delegator or pair.person})
    return None


def _delegation(vote: Vote, delegations: Sequence[Delegation]) -> Refusal | None:
    """One step, from the delegator to who votes: what was delegated to somebody is not theirs to delegate."""
    if vote.delegator is None:
        return None
    person, delegator = person_key(vote.person), person_key(vote.delegator)
    pairs = {(person_key(d.delegator), person_key(d.delegate)) for d in delegations if d.covers(vote.at)}
    steps = {(start, end) for start, end in pairs if start != end}
    if (delegator, person) in steps:
        return None
    chain = any((delegator, middle) in steps for middle, end in steps if end == person)
    code = "delegation_chain" if chain else "delegation_not_valid"
    return Refusal(code, {"person": vote.person, "delegator": vote.delegator})


def _role(hold: Hold, vote: Vote, roles_of: RolesOf) -> Refusal | None:
    """The role of the person whose vote it is: the delegator's, where there is one."""
    voter = vote.person if vote.delegator is None else vote.delegator
    roles = {hold.approvers} if hold.escalated is None else {hold.approvers, hold.escalated}
    if "" not in _people(vote) and roles & set(roles_of(voter)):
        return None
    return Refusal("not_eligible", {"person": voter, "role": hold.approvers})
