"""The table of states held against what must be true of every life a document can have."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from gateway.documents.states import (
    FINAL,
    ISO_20022,
    TABLE,
    UNRESOLVED,
    Effect,
    Event,
    IllegalStep,
    State,
    allowed,
    step,
)

PEOPLE = {Event.VOTE, Event.APPROVE, Event.REJECT, Event.REVISE, Event.SUPERSEDE, Event.REMIND, Event.ESCALATE}
ERP = {Event.DELIVER, Event.REFUSE, Event.RETRY, Event.GIVE_UP, Event.LOSE, Event.ABSENT, Event.WAIT}


def paths() -> dict[State, tuple[Event, ...]]:
    """A shortest way from the beginning to each state."""
    found: dict[State, tuple[Event, ...]] = {State.RECEIVED: ()}
    todo = [State.RECEIVED]
    for here in todo:
        for (state, event), taken in TABLE.items():
            if state is here and taken.to not in found:
                found[taken.to] = (*found[here], event)
                todo.append(taken.to)
    return found


PATHS = paths()


class Life(RuleBasedStateMachine):
    """One document, to which whatever can happen happens; what cannot is tried as well."""

    taken: ClassVar[set[tuple[State, Event]]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.state = State.RECEIVED
        self.held = False  # people were asked, and have not agreed since
        self.approved = False
        self.at_the_erp = False  # a byte may have reached the ERP and nobody knows yet what became of it
        self.timers: set[Effect] = set()

    @initialize(first=st.sampled_from(list(TABLE)))
    def it_gets_somewhere(self, first: tuple[State, Event]) -> None:
        state, last = first
        for event in (*PATHS[state], last):
            self._happens(event)

    @precondition(lambda self: self.state not in FINAL)
    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        self._happens(data.draw(st.sampled_from([event for event in Event if allowed(self.state, event)])))

    def _happens(self, event: Event) -> None:
        before, taken = self.state, step(self.state, event)
        Life.taken.add((before, event))
        self.state = taken.to
        self._check(before, event)
        if Effect.CLEAR in taken.effects:
            self.timers.clear()
        self.timers.update(taken.effects)
        if taken.to is State.HELD and before is not State.HELD:
            self.held, self.approved = True, False
        if event is Event.REVISE:
            assert not self.approved
        if event is Event.APPROVE:
            self.held, self.approved = False, True
        if event is Event.SEND:
            self.at_the_erp = True
        if before in (State.SENDING, State.UNKNOWN, State.MANUAL) and taken.to not in (State.UNKNOWN, State.MANUAL):
            self.at_the_erp = False

    def _check(self, before: State, event: Event) -> None:
        if self.state is State.SENDING:
            assert event is Event.SEND
            assert not self.held, "what people were asked about is sent only after they agreed"
            assert not self.at_the_erp, "what may be booked is never sent again"
        if before is State.SENDING:
            assert event in ERP
        if event is Event.APPROVE:
            assert before is State.HELD
        if event in PEOPLE:
            assert before is State.HELD
        if event is Event.RECALL:
            assert before in (State.HELD, State.APPROVED, State.QUEUED), "what was sent cannot be recalled"

    @precondition(lambda self: self.state not in FINAL)
    @rule(event=st.sampled_from(Event))
    def the_impossible_is_refused(self, event: Event) -> None:
        if not allowed(self.state, event):
            with pytest.raises(IllegalStep):
                step(self.state, event)

    @precondition(lambda self: self.state in FINAL)
    @rule(event=st.sampled_from(Event))
    def nothing_follows_the_end(self, event: Event) -> None:
        with pytest.raises(IllegalStep):
            step(self.state, event)

    @invariant()
    def somebody_or_something_will_go_on(self) -> None:
        """No state is left to itself: a timer, a worker or an alarm belongs to it."""
        waits: dict[State, set[Effect]] = {
            State.HELD: {Effect.ASK},
            State.APPROVED: {Effect.DISPATCH},
            State.QUEUED: {Effect.DISPATCH, Effect.BACKOFF},
            State.SENDING: {Effect.WATCH},
            State.UNKNOWN: {Effect.PROBE},
            State.MANUAL: {Effect.ALARM},
            State.DEAD: {Effect.ALARM},
        }
        if self.state in waits:
            assert self.timers & waits[self.state]


def test_every_life_keeps_the_rules_and_every_step_is_taken() -> None:
    run_state_machine_as_test(
        Life, settings=settings(max_examples=600, stateful_step_count=20, deadline=None, derandomize=True, database=None)
    )
    assert Life.taken == set(TABLE)


def test_every_state_can_be_reached_and_every_unresolved_one_left_for_good() -> None:
    assert set(PATHS) == set(State)
    ends = set(FINAL)
    while more := {state for (state, _), taken in TABLE.items() if taken.to in ends} - ends:
        ends |= more
    assert ends >= UNRESOLVED
    assert {state.value for state in FINAL} == {
        "delivered", "refused", "discarded", "rejected", "recalled", "expired", "superseded",
    }  # fmt: skip


def test_every_change_is_told_and_every_end_clears_up() -> None:
    for (state, event), taken in TABLE.items():
        if taken.to in FINAL:
            assert {Effect.CLEAR, Effect.TELL} <= set(taken.effects), (state, event)
        if taken.to in (State.MANUAL, State.DEAD) and state is not taken.to:
            assert Effect.ALARM in taken.effects, (state, event)


def test_every_event_and_effect_is_used() -> None:
    assert {event for _, event in TABLE} == set(Event)
    assert {effect for taken in TABLE.values() for effect in taken.effects} == set(Effect)


def test_every_state_has_its_iso_20022_code() -> None:
    assert set(ISO_20022) == set(State)
    for state, code in {"held": "PATC", "rejected": "RJCT", "sending": "ACSP", "unknown": "PDNG", "recalled": "CANC"}.items():
        assert ISO_20022[State(state)] == code


def test_an_illegal_step_says_what_was_tried() -> None:
    with pytest.raises(IllegalStep, match="approve cannot happen to a document that is delivered") as caught:
        step(State.DELIVERED, Event.APPROVE)
    assert (caught.value.state, caught.value.event) == (State.DELIVERED, Event.APPROVE)
