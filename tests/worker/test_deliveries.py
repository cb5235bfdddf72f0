"""What is approved or queued is sent once; what nobody knows is asked about; what cannot be known is for operators."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.documents import tables
from gateway.documents.records import Document, Terms, Todo, Work, apply, claim, find, put
from gateway.documents.states import Event, State
from gateway.errors import FaultServer, Refused, RefusedMissing, Unreachable, UpstreamTimeout
from gateway.exchange import Reply
from gateway.holding import Objection, recheck
from gateway.sending import Probe, Writing
from gateway.worker.deliveries import MOST_CLAIMS, Deliveries
from tests import sends
from tests.desk.world import Book
from tests.sends import BOOKED, Erp, World, payment

FOUND = {"externalNumber": "OA-1", "amount": "12.5", "number": "P-9"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sends.world(tmp_path) as made:
        yield made


def queued(world: World, **changes: Any) -> Writing:
    return world.writing(**{"delivery": "queued"} | changes)


def deliveries(world: World, writing: Writing | None) -> Deliveries:
    """With the rules of the desk's tests in force, where the route has one."""
    book = Book()
    if writing is None or writing.rule is None:
        book.approvals = replace(book.approvals, rules={})

    def stands(connection: Any, document: Document, sends_: Any, value: object, now: float) -> Objection | None:
        return recheck(connection, document, book, now, value=value, target=sends_.target)

    return Deliveries(world.ledger, world.clock, lambda operation, version: writing, stands)


async def due(world: World, kind: str, *, after: float = 0.0) -> Work:
    """The one piece of work of a kind that is due by then, claimed."""
    world.clock.time += after
    (work,) = await world.ledger.write(lambda tx: claim(tx, [kind], lease=60.0, limit=10))
    return work


async def step(world: World, one: Document, *events: Event, **changes: Any) -> Document:
    def unit(tx: Any) -> Document:
        current = find(tx.connection, one.id)
        for event in events:
            assert current is not None
            current = apply(tx, current, event, actor="test", terms=Terms(lease=20.0, window=5.0), **changes)
        assert current is not None
        return current

    return await world.ledger.write(unit)


# --- sending ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "state", "then"),
    [
        (BOOKED, State.DELIVERED, []),
        (Refused("no"), State.REFUSED, []),
        (Unreachable(sent=False), State.QUEUED, ["send"]),
        (UpstreamTimeout(), State.UNKNOWN, ["probe"]),
        (FaultServer(), State.UNKNOWN, ["probe"]),
    ],
)
async def test_each_outcome(world: World, answer: Any, state: State, then: list[str]) -> None:
    writing = queued(world)
    await world.post(payment(), writing=writing)
    world.erp.answers = [answer]
    await deliveries(world, writing).send(await due(world, "send"))
    document = await world.only()
    assert (document.state, document.attempts, await world.kinds()) == (state, 1, then)
    assert (b"x-operation-id", document.id.encode()) in world.erp.sent[0].headers


async def test_tries_are_used_up_in_the_end(world: World) -> None:
    writing = queued(world)
    await world.post(payment(), writing=writing)
    world.erp.answers = [Unreachable(sent=False)]
    for wait in (0.0, 2.0, 10.0):
        await deliveries(world, writing).send(await due(world, "send", after=wait))
    document = await world.only()
    assert (document.state, document.attempts, await world.kinds()) == (State.DEAD, 3, ["alarm"])


async def test_the_intent_is_on_disk_before_the_first_byte_leaves(world: World) -> None:
    async def look() -> Reply:
        document = await world.only()
        seen.append((document.state, await world.kinds()))
        return BOOKED

    seen: list[Any] = []
    world.erp.answers = [look]
    writing = queued(world)
    await world.post(payment(), writing=writing)
    await deliveries(world, writing).send(await due(world, "send"))
    assert seen == [(State.SENDING, ["watch"])]


async def test_one_piece_of_work_sends_once(world: World) -> None:
    writing = queued(world)
    await world.post(payment(), writing=writing)
    work = await due(world, "send")
    made = deliveries(world, writing)
    await asyncio.gather(*(made.send(work) for _ in range(5)))
    await made.send(work)
    assert len(world.erp.sent) == 1


async def test_what_was_taken_back_is_not_sent(world: World) -> None:
    writing = queued(world)
    await world.post(payment(), writing=writing)
    work = await due(world, "send")
    await step(world, await world.only(), Event.RECALL)
    await deliveries(world, writing).send(work)
    assert (world.erp.sent, (await world.only()).state) == ([], State.RECALLED)


async def test_what_was_taken_back_while_it_was_prepared_is_not_sent(world: World) -> None:
    async def slowly(exchange: Any) -> Reply:
        await step(world, one, Event.RECALL)
        return await prepare(exchange)

    writing = queued(world)
    prepare = writing.prepare
    await world.post(payment(), writing=writing)
    one = await world.only()
    await deliveries(world, queued(world, prepare=slowly)).send(await due(world, "send"))
    assert (world.erp.sent, (await world.only()).state) == ([], State.RECALLED)


async def test_without_its_route_it_is_for_operators(world: World) -> None:
    await world.post(payment(), writing=queued(world))
    await deliveries(world, None).send(await due(world, "send"))
    document = await world.only()
    assert (document.state, document.note, await world.kinds()) == (State.MANUAL, {"code": "no_route"}, ["alarm"])


async def test_what_the_route_does_not_take_any_more_is_for_operators(world: World) -> None:
    await world.post(payment(), writing=queued(world))
    changed = queued(world, operation_id=("externalNumber",))
    await deliveries(world, changed).send(await due(world, "send"))
    document = await world.only()
    assert (document.state, (document.note or {})["code"], world.erp.sent) == (State.MANUAL, "not_accepted", [])


async def test_what_breaks_again_and_again_is_for_operators(world: World) -> None:
    def broken(exchange: Any) -> Any:
        raise RuntimeError("a transformer's mistake")

    await world.post(payment(), writing=queued(world))
    made = deliveries(world, queued(world, prepare=broken))
    for _ in range(MOST_CLAIMS):
        with pytest.raises(RuntimeError):
            await made.send(await due(world, "send", after=60.0))
    await made.send(await due(world, "send", after=60.0))
    document = await world.only()
    assert (document.state, document.note) == (State.MANUAL, {"code": "broken"})


async def test_nothing_is_sent_that_two_people_did_not_agree_to(world: World) -> None:
    writing = queued(world, ruled=True)
    await world.post(payment("500000.01"), writing=writing)
    await step(world, await world.only(), Event.APPROVE)
    await deliveries(world, writing).send(await due(world, "send"))
    document = await world.only()
    assert (document.state, world.erp.sent) == (State.HELD, [])
    assert document.note == {"code": "quorum_lost"}


async def test_a_body_changed_in_the_ledger_is_not_sent(world: World) -> None:
    writing = queued(world, ruled=True)
    await world.post(payment("500000.01"), writing=writing)
    one = await step(world, await world.only(), Event.APPROVE)
    other = json.dumps(payment("500000.01", account="1")).encode()
    d = tables.documents
    await world.ledger.write(lambda tx: tx.write(d.update().where(d.c.id == one.id).values(body=other)))
    await deliveries(world, writing).send(await due(world, "send"))
    document = await world.only()
    assert (document.state, document.note, world.erp.sent) == (State.MANUAL, {"code": "not_on_record"}, [])


async def test_votes_written_to_the_database_send_nothing(world: World) -> None:
    writing = queued(world, ruled=True)
    await world.post(payment("500000.01"), writing=writing)
    one = await world.only()
    assert one.hold is not None
    row = {"document": one.id, "revision": 1, "decision": "approve", "payload_hash": one.hold.payload_hash, "method": "oidc"}
    votes = [{**row, "person": person, "at": world.clock.time, "roles": "[]"} for person in ("approver-a", "approver-b")]
    await world.ledger.write(lambda tx: tx.write(tables.votes.insert(), votes))
    await step(world, one, Event.APPROVE)
    await deliveries(world, writing).send(await due(world, "send"))
    document = await world.only()
    assert (document.state, document.note, world.erp.sent) == (State.MANUAL, {"code": "not_on_record"}, [])


async def test_a_state_written_to_the_database_sends_nothing(world: World) -> None:
    writing = queued(world, ruled=True)
    await world.post(payment("500000.01"), writing=writing)
    one, d = await world.only(), tables.documents
    forged = d.update().where(d.c.id == one.id).values(state="queued", hold=None)
    await world.ledger.write(lambda tx: tx.write(forged))
    await world.ledger.write(lambda tx: put(tx, [Todo("send", tx.now, one.id)]))
    await deliveries(world, writing).send(await due(world, "send"))
    document = await world.only()
    assert (document.state, document.note, world.erp.sent) == (State.MANUAL, {"code": "not_on_record"}, [])


async def test_the_gateways_own_field_is_no_change_of_what_people_signed(world: World) -> None:
    writing = queued(world, ruled=True, operation_id=("gatewayId",))
    await world.post(payment("500000.01"), writing=writing)
    await step(world, await world.only(), Event.APPROVE)
    await deliveries(world, writing).send(await due(world, "send"))
    assert (await world.only()).note == {"code": "quorum_lost"}


# --- watching --------------------------------------------------------------------------------------------------------


async def test_a_sender_that_is_gone_leaves_an_unknown_outcome(world: World) -> None:
    world.erp.answers = [RuntimeError("killed here")]
    with pytest.raises(RuntimeError):
        await world.post(payment())
    work = await due(world, "watch", after=20.0)
    made = deliveries(world, world.writing())
    await asyncio.gather(made.watch(work), made.watch(work))
    document = await world.only()
    assert (document.state, document.note, await world.kinds()) == (State.UNKNOWN, {"code": "sender_gone"}, ["probe"])


async def test_a_sender_that_settled_is_not_gone(world: World) -> None:
    async def slow() -> Reply:
        arrived.set()
        await go.wait()
        return BOOKED

    arrived, go = asyncio.Event(), asyncio.Event()
    world.erp.answers = [slow]
    call = asyncio.create_task(world.post(payment()))
    await arrived.wait()
    work = await due(world, "watch", after=20.0)
    go.set()
    await call
    await deliveries(world, world.writing()).watch(work)
    assert (await world.only()).state is State.DELIVERED


# --- probing ---------------------------------------------------------------------------------------------------------


def probing(world: World, *answers: Any, **changes: Any) -> Writing:
    return world.writing(probe=Probe(Erp(list(answers)), {"externalNumber": "$.externalNumber"}), **changes)


async def lost(world: World) -> Document:
    world.erp.answers = [UpstreamTimeout(), BOOKED]
    await world.post(payment(), key="k-1")
    document = await world.only()
    assert document.state is State.UNKNOWN
    return document


async def test_what_is_found_is_delivered(world: World) -> None:
    await lost(world)
    await deliveries(world, probing(world, Reply(200, value=FOUND))).probe(await due(world, "probe", after=5.0))
    document = await world.only()
    assert (document.state, document.reference, len(world.erp.sent)) == (State.DELIVERED, "P-9", 1)
    again = await world.post(payment(), key="k-1")
    assert (again.status, json.loads(again.body)) == (201, FOUND)


async def test_nothing_is_asked_before_a_booking_would_show(world: World) -> None:
    await lost(world)
    world.clock.time += 4.9
    assert await world.ledger.write(lambda tx: claim(tx, ["probe"], lease=60.0, limit=10)) == []


@pytest.mark.parametrize("absent", [RefusedMissing(), Reply(200, value=[])])
async def test_what_is_proven_absent_is_sent_again(world: World, absent: Any) -> None:
    before = await lost(world)
    writing = probing(world, absent)
    await deliveries(world, writing).probe(await due(world, "probe", after=5.0))
    assert ((await world.only()).state, (await world.only()).note) == (State.QUEUED, {"code": "proven_absent"})
    await deliveries(world, writing).send(await due(world, "send"))
    document = await world.only()
    assert (document.state, document.attempts, len(world.erp.sent)) == (State.DELIVERED, 2, 2)
    ids = {value for sent in world.erp.sent for name, value in sent.headers if name == b"x-operation-id"}
    assert ids == {before.id.encode()}


async def test_a_probe_that_says_nothing_asks_again_until_operators_decide(world: World) -> None:
    await lost(world)
    made = deliveries(world, probing(world, Unreachable()))
    for wait in (5.0, 5.0):
        await made.probe(await due(world, "probe", after=wait))
        assert (await world.only()).state is State.UNKNOWN
    await made.probe(await due(world, "probe", after=30.0))
    document = await world.only()
    assert (document.state, document.note) == (State.MANUAL, {"code": "probe_silent", "asked": 3})
    assert (await world.kinds(), len(world.erp.sent)) == (["alarm"], 1)


async def test_what_is_found_and_differs_is_for_operators(world: World) -> None:
    await lost(world)
    made = deliveries(world, probing(world, Reply(200, value=FOUND | {"amount": "99.00"})))
    for wait in (5.0, 5.0, 30.0):
        await made.probe(await due(world, "probe", after=wait))
    assert ((await world.only()).state, len(world.erp.sent)) == (State.MANUAL, 1)


@pytest.mark.parametrize("writing", ["no probe", "no route"])
async def test_without_a_probe_operators_decide(world: World, writing: str) -> None:
    await lost(world)
    made = deliveries(world, world.writing() if writing == "no probe" else None)
    await made.probe(await due(world, "probe", after=5.0))
    assert ((await world.only()).state, (await world.only()).note) == (State.MANUAL, {"code": "no_probe", "asked": 1})


async def test_a_probe_that_breaks_again_and_again_is_for_operators(world: World) -> None:
    await lost(world)
    made = deliveries(world, probing(world, RuntimeError("a transformer's mistake")))
    for _ in range(MOST_CLAIMS):
        with pytest.raises(RuntimeError):
            await made.probe(await due(world, "probe", after=60.0))
    await made.probe(await due(world, "probe", after=60.0))
    assert ((await world.only()).note or {})["code"] == "broken"


async def test_what_the_sender_says_while_it_is_probed_counts(world: World) -> None:
    """The probe found nothing, and the answer came before that was recorded."""
    one = await lost(world)

    async def answered() -> Reply:
        await step(world, one, Event.DELIVER, reference="P-1")
        return Reply(200, value=[])

    await deliveries(world, probing(world, answered)).probe(await due(world, "probe", after=5.0))
    document = await world.only()
    assert (document.state, document.reference, await world.kinds()) == (State.DELIVERED, "P-1", [])


async def test_one_probe_is_recorded_once(world: World) -> None:
    await lost(world)
    made, work = deliveries(world, probing(world, Reply(200, value=[]))), await due(world, "probe", after=5.0)
    await asyncio.gather(*(made.probe(work) for _ in range(3)))
    await made.probe(work)
    assert await world.kinds() == ["send"]


async def test_an_earlier_body_that_cannot_be_read_any_more_is_for_operators(world: World) -> None:
    await lost(world)
    changed = probing(world, Reply(200, value=FOUND), prepare=_refuses)
    await deliveries(world, changed).probe(await due(world, "probe", after=5.0))
    assert ((await world.only()).note or {})["code"] == "not_accepted"


async def _refuses(exchange: Any) -> Reply:
    raise Refused("not any more")
