"""Deadlines fire once, at their time, and only while they still mean something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.documents.records import Document, Terms, Work, apply, claim, find
from gateway.documents.states import Event, State
from gateway.worker.timers import EVENTS, Timers
from tests import sends
from tests.documents.support import NOON, hold, record
from tests.sends import World

HOUR = 3600.0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sends.world(tmp_path) as made:
        yield made


def timers(world: World) -> Timers:
    return Timers(world.ledger, lambda operation, version: Terms(callback=True))


async def due(world: World, kind: str, at: float) -> Work:
    world.clock.time = at
    (work,) = await world.ledger.write(lambda tx: claim(tx, [kind], lease=60.0, limit=10))
    return work


async def step(world: World, one: Document, event: Event, **changes: Any) -> Document:
    def unit(tx: Any) -> Document:
        current = find(tx.connection, one.id)
        assert current is not None
        return apply(tx, current, event, actor="test", terms=Terms(), **changes)

    return await world.ledger.write(unit)


async def test_nobody_decided(world: World) -> None:
    one = await record(world.ledger, Event.HOLD)
    await timers(world).fire(await due(world, "expire", NOON + 72 * HOUR))
    document = await world.find(one.id)
    assert (document.state, document.note) == (State.EXPIRED, {"code": "expired"})
    assert await world.kinds() == []


async def test_decided_and_not_sent_in_time(world: World) -> None:
    one = await record(world.ledger, Event.HOLD)
    await step(world, one, Event.APPROVE)
    await timers(world).fire(await due(world, "expire", NOON + 48 * HOUR))
    document = await world.find(one.id)
    assert (document.state, document.note) == (State.EXPIRED, {"code": "execution_expired"})
    assert await world.kinds() == ["alarm"]


async def test_people_are_reminded_again_and_again(world: World) -> None:
    one = await record(world.ledger, Event.HOLD)
    for time in (4, 8):
        await timers(world).fire(await due(world, "remind_due", NOON + time * HOUR))
        assert (await world.find(one.id)).state is State.HELD
        assert (await world.kinds()).count("remind_due") == 1
    told = [entry["kind"] for entry in await world.audit()]
    assert told.count("document.remind") == 2


async def test_it_is_handed_over_once(world: World) -> None:
    one = await record(world.ledger, Event.HOLD)
    await timers(world).fire(await due(world, "escalate_due", NOON + 24 * HOUR))
    document = await world.find(one.id)
    assert document.hold is not None
    assert (document.state, document.hold.escalated) == (State.HELD, True)
    assert "escalate_due" not in await world.kinds()
    (entry,) = [entry for entry in await world.audit() if entry["kind"] == "document.escalate"]
    assert entry["details"]["role"] == "cfo"


@pytest.mark.parametrize("kind", EVENTS)
async def test_each_fires_once_whoever_comes(world: World, kind: str) -> None:
    one = await record(world.ledger, Event.HOLD, hold=hold(remind_every=None))
    work = await due(world, kind, NOON + 72 * HOUR)
    await asyncio.gather(*(timers(world).fire(work) for _ in range(5)))
    entries = [entry for entry in await world.audit() if entry["kind"] == f"document.{EVENTS[kind].value}"]
    assert len(entries) == 1
    assert (await world.find(one.id)).seq == one.seq + 1


@pytest.mark.parametrize("kind", EVENTS)
@pytest.mark.parametrize("event", [Event.APPROVE, Event.REJECT, Event.RECALL])
async def test_a_claim_of_before_the_decision_does_nothing(world: World, kind: str, event: Event) -> None:
    one = await record(world.ledger, Event.HOLD)
    work = await due(world, kind, NOON + 72 * HOUR)
    after = await step(world, one, event)
    await timers(world).fire(work)
    assert await world.find(one.id) == after


async def test_a_deadline_survives_a_worker_that_died_with_it(world: World) -> None:
    one = await record(world.ledger, Event.HOLD)
    await due(world, "expire", NOON + 72 * HOUR)
    await timers(world).fire(await due(world, "expire", NOON + 72 * HOUR + 60))
    assert (await world.find(one.id)).state is State.EXPIRED
