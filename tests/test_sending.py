"""Four outcomes and no fifth, and what each makes of a document."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.documents.records import Answer, Document, Request, Terms, apply, receive
from gateway.documents.states import Event, State
from gateway.errors import (
    BadAnswer,
    FaultClient,
    FaultServer,
    Overloaded,
    Problem,
    Refused,
    RefusedMissing,
    Unprocessable,
    Unreachable,
    UpstreamProblem,
    UpstreamTimeout,
)
from gateway.exchange import ABSENT, Reply
from gateway.sending import (
    MARGIN,
    Outcome,
    Probe,
    addressed,
    agrees,
    ask,
    exchange_of,
    in_flight,
    pick,
    placed,
    reference_in,
    settle,
    settled,
    split,
    told,
    transmit,
)
from tests import sends
from tests.documents.support import NOON, document, record
from tests.sends import Erp, World, payment


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sends.world(tmp_path) as made:
        yield made


def answered(problem: UpstreamProblem, status: int) -> UpstreamProblem:
    problem.answered = status
    return problem


async def sent(world: World, answer: Any, **writing: Any) -> Outcome:
    world.erp.answers = [answer]
    made = world.writing(**writing)
    exchange = await exchange_of(made, document(request=kept()), b"00-1")
    return await transmit(made, addressed(made, exchange, "0" * 32), NOON, world.clock)


def kept(body: bytes = b'{"amount":"1.00"}') -> Request:
    return Request("POST", "/api/v1/payments", "", {}, "application/json", body)


# --- one attempt -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        (Reply(201, value={"number": "P-1"}), Event.DELIVER),
        (Reply(202), Event.DELIVER),
        (Reply(204), Event.DELIVER),
        (Reply(302, body=b"see /login"), Event.LOSE),
        (Reply(303), Event.LOSE),
        (Reply(404, body=b"{}"), Event.REFUSE),
        (Reply(409, body=b"{}"), Event.REFUSE),
        (Reply(408), Event.RETRY),
        (Reply(429, body=b"{}"), Event.RETRY),
        (Refused("no"), Event.REFUSE),
        (FaultClient("no"), Event.REFUSE),
        (Unreachable(sent=False), Event.RETRY),
        (Unreachable(), Event.LOSE),
        (UpstreamTimeout(), Event.LOSE),
        (BadAnswer(), Event.LOSE),
        (answered(FaultServer(), 503), Event.RETRY),
        (answered(FaultServer(), 500), Event.LOSE),
        (answered(FaultServer("credentials"), 401), Event.RETRY),
        (answered(BadAnswer("misuse"), 415), Event.RETRY),
    ],
    ids=str,
)
async def test_what_an_answer_means(world: World, answer: Any, event: Event) -> None:
    outcome = await sent(world, answer, not_booked=frozenset({503}))
    assert outcome.event is event
    assert (outcome.answer is None) is (event in (Event.RETRY, Event.LOSE))


async def test_an_answer_that_breaks_off_is_lost(world: World) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b'{"num'
        raise BadAnswer("cut short")

    assert (await sent(world, Reply(201, body=parts()))).event is Event.LOSE


async def test_an_answer_in_parts_is_kept_whole(world: World) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b'{"number":'
        yield b'"P-7"}'

    outcome = await sent(world, Reply(201, [(b"content-type", b"application/json")], body=parts()))
    assert outcome.answer == Answer(201, (("content-type", "application/json"),), b'{"number":"P-7"}')
    assert outcome.reference == "P-7"


async def test_an_erp_cannot_speak_for_the_gateway(world: World) -> None:
    headers = [(b"document-id", b"f" * 32), (b"idempotent-replayed", b"true"), (b"etag", b'"7"')]
    outcome = await sent(world, Reply(201, headers, body=b"{}"))
    assert outcome.answer is not None
    assert outcome.answer.headers == (("etag", '"7"'),)


async def test_who_comes_too_late_does_not_send(world: World) -> None:
    made = world.writing()
    exchange = await exchange_of(made, document(request=kept()), b"00-1")
    world.clock.time += made.terms.lease - MARGIN
    outcome = await transmit(made, addressed(made, exchange, "0" * 32), NOON, world.clock)
    assert (outcome.event, world.erp.sent) == (Event.RETRY, [])


async def test_an_erp_that_takes_longer_than_the_sender_may_is_lost(world: World) -> None:
    async def never() -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    outcome = await sent(world, never, terms=Terms(lease=MARGIN + 0.01))
    assert (outcome.event, outcome.note and outcome.note["code"]) == (Event.LOSE, "upstream-timeout")


async def test_what_is_no_problem_of_the_erp_is_not_taken_for_an_outcome(world: World) -> None:
    with pytest.raises(Overloaded):
        await sent(world, Overloaded())


async def test_what_is_sent_carries_the_documents_id_and_the_value_stays_what_people_sign(world: World) -> None:
    made = world.writing(operation_id=("ids", "gateway"))
    exchange = await exchange_of(made, document(request=kept()), b"00-1")
    outgoing = addressed(made, exchange, "a" * 32)
    assert outgoing.body == b'{"amount":"1.00","ids":{"gateway":"' + b"a" * 32 + b'"}}'
    assert [value for name, value in outgoing.headers if name == b"x-operation-id"] == [b"a" * 32]
    assert exchange.value == {"amount": "1.00"}
    again = addressed(made, exchange, "b" * 32)
    assert [value for name, value in again.headers if name == b"x-operation-id"] == [b"b" * 32]


async def test_the_field_for_the_id_cannot_be_taken(world: World) -> None:
    made = world.writing(operation_id=("ids", "gateway"))
    exchange = await exchange_of(made, document(request=kept(b'{"ids":{"gateway":"mine"}}')), b"00-1")
    with pytest.raises(Unprocessable) as wrong:
        addressed(made, exchange, "a" * 32)
    assert wrong.value.errors[0].pointer == "/ids/gateway"


async def test_a_document_is_read_again_as_it_was_sent(world: World) -> None:
    exchange = await exchange_of(world.writing(), document(request=kept()), b"00-1")
    assert (exchange.value, exchange.content, exchange.trace) == ({"amount": "1.00"}, b'{"amount":"1.00"}', b"00-1")
    with pytest.raises(Problem):
        await exchange_of(world.writing(), document(request=kept(b"{")), b"00-1")


def test_a_problem_is_told_again_with_its_headers() -> None:
    answer = told(Refused("no", headers={"retry-after": "7"}))
    assert answer.headers == (("content-type", "application/problem+json"), ("retry-after", "7"))
    assert b'"detail":"no"' in answer.body


# --- settling --------------------------------------------------------------------------------------------------------

BOOKED = Outcome(Event.DELIVER, Answer(201, (), b"{}"), "P-1")
REFUSED = Outcome(Event.REFUSE, Answer(422, (), b"{}"))
RETRY = Outcome(Event.RETRY, note={"code": "upstream-unreachable"})
LOST = Outcome(Event.LOSE, note={"code": "upstream-timeout"})


async def steps(world: World, sending: Document, *events: Event) -> Document:
    def unit(tx: Any) -> Document:
        current = sending
        for event in events:
            current = apply(tx, current, event, actor="gateway", terms=Terms())
        return current

    return await world.ledger.write(unit)


@pytest.mark.parametrize(
    ("outcome", "tries", "state"),
    [
        (BOOKED, 1, State.DELIVERED),
        (REFUSED, 1, State.REFUSED),
        (RETRY, 1, State.DEAD),
        (RETRY, 2, State.QUEUED),
        (LOST, 1, State.UNKNOWN),
    ],
)
async def test_an_outcome_in_time(world: World, outcome: Outcome, tries: int, state: State) -> None:
    sending = await record(world.ledger)
    after = await settled(world.ledger, sending, outcome, Terms(), tries=tries)
    assert (after.state, after.answer, after.reference) == (state, outcome.answer, outcome.reference)
    assert await world.find(sending.id) == after


@pytest.mark.parametrize(
    ("since", "outcome", "state"),
    [
        ((Event.LOSE,), BOOKED, State.DELIVERED),
        ((Event.LOSE,), REFUSED, State.REFUSED),
        ((Event.LOSE,), RETRY, State.UNKNOWN),
        ((Event.LOSE,), LOST, State.UNKNOWN),
        ((Event.LOSE, Event.GIVE_UP), BOOKED, State.DELIVERED),
        ((Event.LOSE, Event.GIVE_UP), REFUSED, State.MANUAL),
        ((Event.LOSE, Event.ABSENT), BOOKED, State.DELIVERED),
        ((Event.LOSE, Event.ABSENT), REFUSED, State.QUEUED),
        ((Event.LOSE, Event.ABSENT, Event.SEND), BOOKED, State.DELIVERED),
        ((Event.LOSE, Event.ABSENT, Event.SEND), REFUSED, State.SENDING),
        ((Event.LOSE, Event.ABSENT, Event.SEND), RETRY, State.SENDING),
        ((Event.LOSE, Event.ABSENT, Event.SEND), LOST, State.SENDING),
        ((Event.DELIVER,), LOST, State.DELIVERED),
        ((Event.DELIVER,), REFUSED, State.DELIVERED),
    ],
)
async def test_an_outcome_that_comes_after_the_sender_was_taken_for_gone(
    world: World, since: tuple[Event, ...], outcome: Outcome, state: State
) -> None:
    sending = await record(world.ledger)
    before = await steps(world, sending, *since)
    after = await settled(world.ledger, sending, outcome, Terms(), tries=1)
    assert after.state is state
    late = [entry for entry in await world.audit() if entry["kind"] == "document.late"]
    assert (after == before) is bool(late)


async def test_a_booking_nobody_may_record_any_more_is_for_operators(world: World) -> None:
    sending = await record(world.ledger)
    await steps(world, sending, Event.LOSE, Event.ABSENT, Event.RECALL)
    assert "alarm" not in await world.kinds()
    after = await settled(world.ledger, sending, BOOKED, Terms(), tries=1)
    assert after.state is State.RECALLED
    assert "alarm" in await world.kinds()
    (late,) = [entry for entry in await world.audit() if entry["kind"] == "document.late"]
    assert late["details"]["reference"] == "P-1"


async def test_a_second_booking_under_another_number_is_for_operators(world: World) -> None:
    sending = await record(world.ledger)
    await settled(world.ledger, sending, BOOKED, Terms(), tries=1)
    await settled(world.ledger, sending, BOOKED, Terms(), tries=1)
    assert "alarm" not in await world.kinds()
    await settled(world.ledger, sending, Outcome(Event.DELIVER, Answer(201, (), b"{}"), "P-2"), Terms(), tries=1)
    assert "alarm" in await world.kinds()


async def test_settling_what_the_ledger_does_not_know_is_a_defect(world: World) -> None:
    with pytest.raises(AssertionError):
        await world.ledger.write(lambda tx: settle(tx, document(), BOOKED, Terms()))


# --- probing ---------------------------------------------------------------------------------------------------------


async def probed(world: World, answer: Any, *, by: dict[str, str] | None = None, value: object = None) -> Outcome | None:
    finder = Erp([answer])
    made = world.writing()
    probe = Probe(finder, by or {"externalNumber": "$.externalNumber"})
    lost = document(id="c" * 32, request=kept(b'{"externalNumber":"OA-1","amount":"12.50"}'))
    outcome = await ask(made, probe, lost, payment() if value is None else value, b"00-1")
    world.erp.sent = finder.sent
    return outcome


FOUND = {"externalNumber": "OA-1", "amount": "12.5", "number": "P-9"}


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        (Reply(200, value=FOUND), Event.DELIVER),
        (Reply(200, value=[FOUND]), Event.DELIVER),
        (Reply(200, value=[]), Event.ABSENT),
        (Reply(200, value=None), Event.ABSENT),
        (Reply(404), Event.ABSENT),
        (RefusedMissing(), Event.ABSENT),
        (Reply(200, value=[FOUND, FOUND]), None),
        (Reply(200, value=FOUND | {"amount": "99.00"}), None),
        (Reply(200, value={}), None),
        (Reply(200, value={"message": "nothing found"}), None),
        (Reply(200, body=b"<html>down for maintenance</html>"), None),
        (Reply(200), None),
        (Reply(202), None),
        (Reply(302, value=FOUND), None),
        (Refused("no"), None),
        (Unreachable(), None),
        (UpstreamTimeout(), None),
    ],
    ids=str,
)
async def test_what_a_probe_finds(world: World, answer: Any, event: Event | None) -> None:
    outcome = await probed(world, answer)
    assert (outcome and outcome.event) == event
    if event is Event.DELIVER:
        assert outcome is not None
        assert outcome.answer is not None
        assert (outcome.answer.status, outcome.reference) == (201, "P-9")
        assert outcome.answer.body.startswith(b'{"externalNumber"')


async def test_a_probe_may_ask_by_the_documents_id(world: World) -> None:
    outcome = await probed(world, Reply(200, value=FOUND), by={"id": "$operation_id"})
    assert outcome is not None
    assert world.erp.sent[0].body == b'{"id":"' + b"c" * 32 + b'"}'


async def test_a_probe_reads_the_body_of_a_document_that_was_passed_through(world: World) -> None:
    outcome = await probed(world, Reply(200, value=FOUND), value=ABSENT)
    assert outcome is not None
    assert outcome.event is Event.DELIVER


@pytest.mark.parametrize("value", [{}, {"externalNumber": True}, {"externalNumber": {}}])
async def test_a_probe_without_what_it_asks_by_says_nothing(world: World, value: object) -> None:
    assert await probed(world, Reply(200, value=FOUND), value=value) is None
    assert world.erp.sent == []


# --- values ----------------------------------------------------------------------------------------------------------

leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner, min_size=1) | st.dictionaries(st.text(), inner, min_size=1))
names = st.text(st.characters(categories=["L", "N"]), min_size=1)
paths = st.lists(names, min_size=1, max_size=4).map(tuple)


@given(values)
def test_everything_agrees_with_itself(value: object) -> None:
    assert agrees(value, value)
    assert agrees({"sent": value}, [{"sent": value, "more": 1}])


@given(values, values)
def test_agreeing_never_breaks(one: object, other: object) -> None:
    assert isinstance(agrees(one, other), bool)


@pytest.mark.parametrize(
    ("sent_", "found", "same"),
    [
        ("12.50", 12.5, True),
        (10, "10.00", True),
        ("1e3", "1000", False),
        ("007", "7", False),
        ("0.10", "0.1", True),
        ("sNaN", "1", False),
        ("Infinity", "Infinity", True),
        ("1_0", "10", False),
        ("１２", "12", False),
        (True, 1, False),
        (None, None, True),
        ({}, {}, False),
        ([], [], False),
        ([1, 2], [1], False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, False),
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": [1]}, True),
        ({"a": 1}, {"a": None}, False),
        (ABSENT, {"a": 1}, False),
    ],
)
def test_what_agrees(sent_: object, found: object, same: bool) -> None:
    assert agrees(sent_, found) is same


@given(paths, st.text(min_size=1))
def test_what_is_placed_is_picked(path: tuple[str, ...], text: str) -> None:
    value = placed({}, path, text)
    assert pick(value, path) == text
    assert pick({}, path) is ABSENT
    with pytest.raises(Unprocessable):
        placed(value, path, text)
    with pytest.raises(Unprocessable):
        placed([], path, text)


@given(paths)
def test_a_path_is_split(path: tuple[str, ...]) -> None:
    assert split("$." + ".".join(path)) == path


@pytest.mark.parametrize(
    ("value", "body", "reference"),
    [
        ({"number": "P-1"}, b"", "P-1"),
        ({"number": 7}, b"", "7"),
        ({"number": True}, b"", None),
        ({"number": None}, b"", None),
        (ABSENT, b'{"number":"P-2"}', "P-2"),
        (ABSENT, b"<xml/>", None),
        ({"number": "x" * 500}, b"", "x" * 200),
    ],
)
def test_the_erps_number(value: object, body: bytes, reference: str | None) -> None:
    assert reference_in(value, body, ("number",)) == reference


async def test_a_document_in_flight_is_one_whose_caller_waits(world: World) -> None:
    sending = await record(world.ledger)
    queued = await world.ledger.write(lambda tx: receive(tx, document(delivery="queued"), Event.QUEUE, terms=Terms()))
    assert (in_flight(sending), in_flight(queued)) == (True, False)
