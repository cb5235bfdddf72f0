"""Who may vote and when enough people agreed: each refusal, and every invariant over random histories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.approvals.quorum import MESSAGES, Delegation, Hold, Quorum, Vote, may_vote, quorum

HASH = "a" * 64
HOLD = Hold("payments.create", 2, "finance-approver", "li.na", ("wang.fang",), 1, HASH, since=100.0, expires_at=1000.0)
ROLES: Mapping[str, tuple[str, ...]] = {
    "approver-a": ("finance-approver",),
    "approver-b": ("finance-approver", "clerk"),
    "approver-c": ("finance-approver",),
    "li.na": ("finance-approver",),
    "wang.fang": ("finance-approver",),
    "cfo": ("cfo",),
    "clerk-1": ("clerk",),
}


def roles_of(person: str) -> tuple[str, ...]:
    return ROLES.get(person.strip().lower(), ())


def yes(person: str, at: float = 200.0, delegator: str | None = None) -> Vote:
    return Vote(person, "approve", 1, HASH, at, delegator)


def no(person: str, at: float = 200.0) -> Vote:
    return Vote(person, "reject", 1, HASH, at)


def refusal(vote: Vote, *votes: Vote, hold: Hold = HOLD, delegations: tuple[Delegation, ...] = ()) -> str | None:
    found = may_vote(hold, votes, vote, roles_of, delegations)
    if found is None:
        return None
    assert str(found).endswith(".")
    assert "%(" not in str(found)
    return found.code


def counted(*votes: Vote, hold: Hold = HOLD, delegations: tuple[Delegation, ...] = ()) -> Quorum:
    return quorum(hold, votes, roles_of, delegations)


# --- one vote --------------------------------------------------------------------------------------------------------


def test_two_people_are_a_quorum() -> None:
    assert refusal(yes("approver-a")) is None
    assert refusal(yes("approver-b"), yes("approver-a")) is None
    assert not counted().met
    assert not counted(yes("approver-a")).met
    standing = counted(yes("approver-a"), yes("approver-b"))
    assert standing == Quorum(True, (yes("approver-a"), yes("approver-b")), (), ())


def test_the_same_person_is_one_person_in_every_spelling() -> None:
    for person in ("approver-a", "Approver-A", " approver-a"):
        assert refusal(yes(person, 300.0), yes("approver-a")) == "already_voted"
    standing = counted(yes("approver-a"), yes("APPROVER-A "), yes("approver-a"))
    assert not standing.met
    assert [refused.code for _, refused in standing.void] == ["already_voted", "already_voted"]


def test_who_asked_and_who_changed_something_do_not_decide() -> None:
    assert refusal(yes("Li.Na ")) == "initiator"
    assert refusal(yes("WANG.FANG")) == "editor"
    assert refusal(no("li.na")) == "initiator"


def test_who_lacks_the_role_does_not_decide() -> None:
    assert refusal(yes("clerk-1")) == "not_eligible"
    assert refusal(yes("nobody")) == "not_eligible"
    nameless = may_vote(HOLD, [], yes(" \u200b"), lambda person: ("finance-approver",), ())
    assert nameless is not None
    assert nameless.code == "not_eligible"
    assert refusal(yes("cfo")) == "not_eligible"
    assert refusal(yes("cfo"), hold=replace(HOLD, escalated="cfo")) is None
    assert refusal(yes("approver-a"), hold=replace(HOLD, escalated="cfo")) is None


def test_a_vote_is_about_one_revision_and_one_payload() -> None:
    assert refusal(replace(yes("approver-a"), revision=2)) == "wrong_revision"
    assert refusal(replace(yes("approver-a"), payload_hash="b" * 64)) == "wrong_hash"
    changed = replace(HOLD, revision=2, payload_hash="b" * 64)
    standing = counted(yes("approver-a"), yes("approver-b"), hold=changed)
    assert (standing.met, standing.counted) == (False, ())
    again = replace(yes("approver-a"), revision=2, payload_hash="b" * 64)
    assert refusal(again, yes("approver-a"), hold=changed) is None


@pytest.mark.parametrize("at", [1000.0, 1000.5, float("inf"), float("nan")])
def test_nobody_votes_after_the_end(at: float) -> None:
    assert refusal(yes("approver-a", at)) == "expired"
    assert not counted(yes("approver-a"), yes("approver-b", at)).met


def test_the_last_moment_counts() -> None:
    assert refusal(yes("approver-a", 999.999)) is None


def test_a_quorum_is_of_the_people_as_they_are_now() -> None:
    votes = (yes("approver-a"), yes("approver-b"))
    left = {"approver-a": ("finance-approver",)}
    standing = quorum(HOLD, votes, lambda person: left.get(person, ()), ())
    assert not standing.met
    assert [(vote.person, refused.code) for vote, refused in standing.void] == [("approver-b", "not_eligible")]
    assert may_vote(HOLD, votes, yes("approver-c"), roles_of, ()) is None


def test_one_no_blocks_whatever_else_is_said() -> None:
    assert refusal(no("approver-a")) is None
    standing = counted(no("approver-c"), yes("approver-a"), yes("approver-b"))
    assert (standing.met, len(standing.counted), standing.rejected) == (False, 2, (no("approver-c"),))
    assert not counted(yes("approver-a"), yes("approver-b"), no("nobody")).met
    assert refusal(yes("approver-c", 300.0), no("approver-c")) == "already_voted"
    earlier = replace(no("approver-c"), revision=0)
    assert counted(earlier, yes("approver-a"), yes("approver-b")).met


def test_more_than_two_can_be_needed_and_never_fewer() -> None:
    three = replace(HOLD, required=3)
    assert not counted(yes("approver-a"), yes("approver-b"), hold=three).met
    assert counted(yes("approver-a"), yes("approver-b"), yes("approver-c"), hold=three).met
    for required in (0, -1):
        with pytest.raises(ValueError, match="two people"):
            replace(HOLD, required=required)
    for nobody in (None, "", "\u200b"):
        with pytest.raises(ValueError, match="two people"):
            replace(HOLD, required=1, initiator=nobody)


def test_one_beside_who_asked_makes_two() -> None:
    one = replace(HOLD, required=1)
    assert not counted(hold=one).met
    assert counted(yes("approver-a"), hold=one).met
    assert not counted(yes(one.initiator or ""), hold=one).met


def test_a_hold_without_a_known_initiator() -> None:
    hold = replace(HOLD, initiator=None)
    assert refusal(yes("li.na"), hold=hold) is None
    assert refusal(yes("approver-a"), hold=replace(HOLD, initiator="", editors=())) is None


# --- delegation ------------------------------------------------------------------------------------------------------

A_TO_CLERK = Delegation("approver-a", "clerk-1", 150.0, 500.0)


def test_a_delegate_votes_in_the_delegators_place() -> None:
    assert refusal(yes("clerk-1", delegator="approver-a"), delegations=(A_TO_CLERK,)) is None
    assert counted(yes("clerk-1", delegator="approver-a"), yes("approver-b"), delegations=(A_TO_CLERK,)).met


@pytest.mark.parametrize(("at", "code"), [(149.9, "delegation_not_valid"), (150.0, None), (499.9, None)])
def test_a_delegation_has_its_time(at: float, code: str | None) -> None:
    assert refusal(yes("clerk-1", at, "approver-a"), delegations=(A_TO_CLERK,)) == code
    assert refusal(yes("clerk-1", 500.0, "approver-a"), delegations=(A_TO_CLERK,)) == "delegation_not_valid"


def test_a_delegation_that_is_withdrawn_takes_its_votes_along() -> None:
    votes = (yes("clerk-1", delegator="approver-a"), yes("approver-b"))
    assert counted(*votes, delegations=(A_TO_CLERK,)).met
    standing = counted(*votes)
    assert [refused.code for _, refused in standing.void] == ["delegation_not_valid"]
    assert refusal(yes("approver-a", 300.0), *votes) is None


@pytest.mark.parametrize("end", [float("inf"), float("nan")])
def test_a_delegation_without_an_end_is_none(end: float) -> None:
    forever = (Delegation("approver-a", "clerk-1", 0.0, end),)
    assert refusal(yes("clerk-1", delegator="approver-a"), delegations=forever) == "delegation_not_valid"


def test_delegate_and_delegator_count_as_one() -> None:
    delegations = (A_TO_CLERK, Delegation("approver-a", "approver-b", 150.0, 500.0))
    acted = yes("approver-b", delegator="approver-a")
    assert refusal(acted, delegations=delegations) is None
    assert refusal(yes("approver-a"), acted, delegations=delegations) == "same_person"
    assert refusal(yes("approver-b"), acted, delegations=delegations) == "already_voted"
    assert refusal(acted, yes("approver-b"), delegations=delegations) == "already_voted"
    assert refusal(acted, yes("approver-a"), delegations=delegations) == "same_person"
    assert refusal(yes("clerk-1", delegator="approver-a"), acted, delegations=delegations) == "same_person"
    assert refusal(yes("approver-c"), acted, delegations=delegations) is None


def test_delegation_has_no_chains() -> None:
    delegations = (A_TO_CLERK, Delegation("clerk-1", "clerk-2", 150.0, 500.0))
    assert refusal(yes("clerk-2", delegator="approver-a"), delegations=delegations) == "delegation_chain"
    assert refusal(yes("clerk-2", delegator="clerk-1"), delegations=delegations) == "not_eligible"


def test_nobody_delegates_to_themselves() -> None:
    own = (Delegation("approver-a", "Approver-A", 150.0, 500.0),)
    assert refusal(yes("approver-a", delegator="approver-a"), delegations=own) == "delegation_not_valid"


def test_a_delegate_brings_no_vote_of_somebody_kept_out() -> None:
    delegations = (
        Delegation("li.na", "approver-b", 150.0, 500.0),
        Delegation("approver-c", "wang.fang", 150.0, 500.0),
        Delegation("clerk-1", "approver-b", 150.0, 500.0),
    )
    assert refusal(yes("approver-b", delegator="li.na"), delegations=delegations) == "initiator"
    assert refusal(yes("wang.fang", delegator="approver-c"), delegations=delegations) == "editor"
    assert refusal(yes("approver-b", delegator="clerk-1"), delegations=delegations) == "not_eligible"


def test_who_let_the_initiator_act_for_them_does_not_decide() -> None:
    def asked(start: float, end: float) -> str | None:
        return refusal(yes("approver-a", 200.0), delegations=(Delegation("Approver-A", "LI.NA", start, end),))

    assert asked(150.0, 500.0) == "same_person"
    assert asked(0.0, 150.0) == "same_person"  # over now, but not when the payment was asked for
    assert asked(0.0, 100.0) is None
    assert asked(200.5, 500.0) is None


# --- random votes against a model ------------------------------------------------------------------------------------

PEOPLE = 6
SPELLINGS = ("p{}", "P{}", " p{}", "ｐ{}", "p{}\u200b")
ROLE, BOSS = "finance-approver", "cfo"


@dataclass(frozen=True)
class Event:
    """A vote in the model's words: people are numbers."""

    person: int
    delegator: int | None
    decision: Literal["approve", "reject"]
    revision: int
    payload_hash: str
    at: int

    def people(self) -> set[int]:
        return {self.person} if self.delegator is None else {self.person, self.delegator}


@dataclass(frozen=True)
class World:
    initiator: int | None
    editors: frozenset[int]
    escalated: bool
    required: int
    roles: Mapping[int, frozenset[str]]
    delegations: tuple[tuple[int, int, int, int], ...]
    since: int = 2
    expires: int = 8

    def acceptable(self, event: Event) -> bool:
        """Everything that can be said of a vote without the others."""
        kept_out = self.editors | ({self.initiator} if self.initiator is not None else set())
        for delegator, delegate, start, end in self.delegations:
            if delegate in kept_out and start <= event.at and end > self.since and delegator in event.people():
                return False
        direct = event.delegator is None or any(
            (delegator, delegate) == (event.delegator, event.person) and start <= event.at < end and delegator != delegate
            for delegator, delegate, start, end in self.delegations
        )
        voter = event.person if event.delegator is None else event.delegator
        return (
            (event.revision, event.payload_hash) == (1, "h1")
            and event.at < self.expires
            and not event.people() & kept_out
            and direct
            and bool(self.roles[voter] & ({ROLE, BOSS} if self.escalated else {ROLE}))
        )

    def hold(self) -> Hold:
        initiator = None if self.initiator is None else f"P{self.initiator} "
        editors = tuple(f"ｐ{editor}" for editor in sorted(self.editors))
        escalated = BOSS if self.escalated else None
        return Hold("r", self.required, ROLE, initiator, editors, 1, "h1", float(self.since), float(self.expires), escalated)

    def roles_of(self, person: str) -> frozenset[str]:
        return self.roles[int(person.strip("pPｐ \u200b"))]

    def granted(self) -> list[Delegation]:
        return [Delegation(f"p{a}", f"P{b}", float(start), float(end)) for a, b, start, end in self.delegations]


people = st.integers(0, PEOPLE - 1)
moments = st.integers(0, 9)
roles = st.sampled_from([{ROLE}, {ROLE}, {ROLE, BOSS}, {ROLE, "clerk"}, {BOSS}, set()]).map(frozenset)
worlds = st.builds(
    World,
    st.none() | st.just(0),
    st.frozensets(people, max_size=1),
    st.booleans(),
    st.sampled_from([2, 2, 2, 3]),
    st.fixed_dictionaries(dict.fromkeys(range(PEOPLE), roles)),
    st.lists(
        st.tuples(people, people, st.integers(0, 3), st.integers(3, 9)) | st.tuples(people, people, moments, moments), max_size=5
    ).map(tuple),
)


@st.composite
def events(draw: st.DrawFn, world: World) -> Event:
    """Mostly votes that could count, by people acting for those who delegated to them; and every way to be wrong."""
    person, delegator = draw(people), draw(st.sampled_from([None] * 4 + list(range(PEOPLE))))
    if world.delegations and draw(st.booleans()):
        delegator, person, _, _ = draw(st.sampled_from(world.delegations))
    decision = draw(st.sampled_from(["approve"] * 15 + ["reject"]))
    revision, payload_hash = draw(st.sampled_from([(1, "h1")] * 10 + [(2, "h1"), (1, "h2"), (2, "h2")]))
    return Event(person, delegator, decision, revision, payload_hash, draw(st.integers(2, 7) | moments))


@st.composite
def histories(draw: st.DrawFn) -> tuple[World, list[Event]]:
    world = draw(worlds)
    return world, draw(st.lists(events(world), min_size=1, max_size=9))


spellings = st.lists(st.sampled_from(SPELLINGS), min_size=1, max_size=5)


def spelled(history: list[Event], spellings: list[str]) -> list[Vote]:
    votes = []
    for number, event in enumerate(history):
        spelling = spellings[number % len(spellings)]
        delegator = None if event.delegator is None else spelling.format(event.delegator)
        person = spelling.format(event.person)
        votes.append(Vote(person, event.decision, event.revision, event.payload_hash, float(event.at), delegator))
    return votes


@given(histories(), spellings)
@settings(max_examples=400, deadline=None)
def test_a_quorum_is_what_the_model_says(given_history: tuple[World, list[Event]], spellings: list[str]) -> None:
    world, history = given_history
    votes = spelled(history, spellings)
    standing = quorum(world.hold(), votes, world.roles_of, world.granted())
    # By identity: a history can hold the same vote twice, and one of the two counts.
    numbers = {id(vote): number for number, vote in enumerate(votes)}
    kept = [numbers[id(vote)] for vote in standing.counted]
    void = [numbers[id(vote)] for vote, _ in standing.void]
    assert kept == sorted(kept)
    for number in kept:
        assert history[number].decision == "approve"
        assert world.acceptable(history[number])
        assert not any(history[number].people() & history[other].people() for other in kept if other != number)
    for number in void:
        overlaps = any(history[number].people() & history[other].people() for other in kept if other < number)
        assert overlaps or not world.acceptable(history[number])
    approvals = {number for number, event in enumerate(history) if event.decision == "approve"}
    assert approvals <= {*kept, *void}
    blocked = any(event.decision == "reject" and event.revision == 1 for event in history)
    assert standing.met == (len(kept) >= world.required and not blocked)


@given(histories(), spellings)
@settings(max_examples=300, deadline=None)
def test_a_vote_that_may_be_given_is_one_more_and_any_other_is_none(
    given_history: tuple[World, list[Event]], spellings: list[str]
) -> None:
    world, history = given_history
    *votes, vote = spelled(history, spellings)
    new = history[-1]
    before = quorum(world.hold(), votes, world.roles_of, world.granted())
    after = quorum(world.hold(), [*votes, vote], world.roles_of, world.granted())
    refused = may_vote(world.hold(), votes, vote, world.roles_of, world.granted())
    if refused is not None:
        assert refused.code in MESSAGES
        assert str(refused).endswith(".")
    gained = len(after.counted) - len(before.counted)
    if not before.rejected:
        assert gained == (refused is None and new.decision == "approve")
    assert not after.met or not after.rejected


@given(histories(), spellings)
@settings(deadline=None)
def test_the_same_clicks_twice_are_the_same_votes(given_history: tuple[World, list[Event]], spellings: list[str]) -> None:
    world, history = given_history
    votes = spelled(history, spellings)
    once = quorum(world.hold(), votes, world.roles_of, world.granted())
    twice = quorum(world.hold(), [*votes, *votes], world.roles_of, world.granted())
    assert twice.counted == once.counted
    assert twice.met == once.met
    for vote in once.counted:
        assert may_vote(world.hold(), votes, vote, world.roles_of, world.granted()) is not None


# --- a document's life -----------------------------------------------------------------------------------------------


class Life(RuleBasedStateMachine):
    """One document that people vote on, change and let through, while roles and delegations come and go and two processes see its
    votes late. What is released must satisfy every invariant, as told from the log of what really happened."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 2
        self.revision = 1
        self.editors: set[int] = set()
        self.escalated = False
        self.roles = {person: {ROLE} if person < 4 else {BOSS} for person in range(PEOPLE)}
        self.delegations: list[tuple[int, int, int, int]] = []
        self.log: list[Event] = []
        self.seen: list[Event] = []

    def world(self) -> World:
        roles = {person: frozenset(held) for person, held in self.roles.items()}
        return World(0, frozenset(self.editors), self.escalated, 2, roles, tuple(self.delegations), expires=40)

    def hold(self) -> Hold:
        return replace(self.world().hold(), revision=self.revision, payload_hash=f"h{self.revision}")

    @rule(person=people, decision=st.sampled_from(["approve"] * 8 + ["reject"]), stale=st.booleans())
    def vote(self, person: int, decision: Literal["approve", "reject"], stale: bool) -> None:
        self.click(person, None, decision, stale)

    @precondition(lambda self: self.delegations)
    @rule(number=st.integers(0, 9), stale=st.booleans())
    def vote_for_another(self, number: int, stale: bool) -> None:
        delegator, person, _, _ = self.delegations[number % len(self.delegations)]
        self.click(person, delegator, "approve", stale)

    def click(self, person: int, delegator: int | None, decision: Literal["approve", "reject"], stale: bool) -> None:
        """``stale``: another process took the vote without seeing the latest ones."""
        event = Event(person, delegator, decision, self.revision, f"h{self.revision}", self.now)
        known = self.seen if stale else self.log
        *votes, vote = spelled([*known, event], list(SPELLINGS))
        world = self.world()
        if may_vote(self.hold(), votes, vote, world.roles_of, world.granted()) is None:
            self.log.append(event)
        if not stale:
            self.seen = list(self.log)

    @precondition(lambda self: self.revision < 3 and self.now > 6 * self.revision)
    @rule(person=st.sampled_from([0, 0, 5, 1]))
    def edit(self, person: int) -> None:
        """Now and then, by who asked or by a colleague: a document that changes all the time is never voted on."""
        self.revision += 1
        self.editors.add(person)

    @precondition(lambda self: self.revision > 1)
    @rule(person=people, at=st.integers(2, 50))
    def vote_on_what_it_was(self, person: int, at: int) -> None:
        """A vote from a page opened before the change is refused, and forced into the log it counts for nothing."""
        event = Event(person, None, "approve", self.revision - 1, f"h{self.revision - 1}", at)
        (vote,) = spelled([event], list(SPELLINGS))
        world = self.world()
        refused = may_vote(self.hold(), [], vote, world.roles_of, world.granted())
        assert refused is not None
        assert refused.code == "wrong_revision"
        self.log.append(event)

    @rule(person=people, role=st.sampled_from([ROLE, BOSS]), given=st.booleans())
    def change_role(self, person: int, role: str, given: bool) -> None:
        (self.roles[person].add if given else self.roles[person].discard)(role)

    @rule(delegator=people, delegate=people, length=st.integers(1, 20))
    def delegate(self, delegator: int, delegate: int, length: int) -> None:
        self.delegations.append((delegator, delegate, self.now, self.now + length))

    @precondition(lambda self: self.delegations)
    @rule()
    def withdraw(self) -> None:
        self.delegations.pop()

    @rule()
    def escalate(self) -> None:
        self.escalated = True

    @rule(by=st.integers(1, 8))
    def wait(self, by: int) -> None:
        self.now += by

    @invariant()
    def what_could_be_released_is_agreed_by_two_people(self) -> None:
        world, votes = self.world(), spelled(self.log, list(SPELLINGS))
        standing = quorum(self.hold(), votes, world.roles_of, world.granted())
        current = [event for event in self.log if event.revision == self.revision]
        if not standing.met:
            return
        assert not any(event.decision == "reject" for event in current)
        kept_out = {0} | self.editors
        natural: set[int] = set()
        for vote in standing.counted:
            event = self.log[next(number for number, given in enumerate(votes) if given is vote)]
            assert event in current
            assert event.at < 40
            assert not event.people() & kept_out
            assert not event.people() & natural
            natural |= event.people()
            voter = event.person if event.delegator is None else event.delegator
            assert self.roles[voter] & ({ROLE, BOSS} if self.escalated else {ROLE})
            if event.delegator is not None:
                spans = [(a, b) for x, y, a, b in self.delegations if (x, y) == (event.delegator, event.person)]
                assert any(start <= event.at < end for start, end in spans)
        assert len(standing.counted) >= 2
        assert len(natural) >= 2


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
