"""So many at once, and a way back that costs nothing."""

from __future__ import annotations

import asyncio

import pytest

from gateway.worker.turns import Turns, put_back
from tests.worker.support import World


async def test_so_many_at_once_for_each_receiver() -> None:
    turns = Turns(2, patience=0.0)
    async with turns.turn("a") as first, turns.turn("a") as second, turns.turn("a") as third, turns.turn("b") as other:
        assert (first, second, third, other) == (True, True, False, True)
        async with turns.turn("a") as fourth:
            assert not fourth
    async with turns.turn("a") as again:
        assert again


async def test_who_comes_late_waits_a_moment() -> None:
    turns = Turns(1, patience=10.0)
    taken, done = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with turns.turn("a"):
            taken.set()
            await done.wait()

    async def second() -> bool:
        async with turns.turn("a") as mine:
            return mine

    holding = asyncio.create_task(first())
    await taken.wait()
    waiting = asyncio.create_task(second())
    await asyncio.sleep(0)
    assert not waiting.done()
    done.set()
    assert await waiting
    await holding


async def test_a_turn_ends_with_what_breaks() -> None:
    turns = Turns(1, patience=0.0)

    async def broken() -> None:
        async with turns.turn("a"):
            raise ValueError

    with pytest.raises(ValueError):
        await broken()
    async with turns.turn("a") as mine:
        assert mine


async def test_what_is_put_back_has_cost_no_try(world: World) -> None:
    await world.hold()
    (work,) = await world.claim("ask")
    await world.ledger.write(lambda tx: put_back(tx, work, 5.0, "later"))
    (row,) = await world.work("ask")
    assert (row["at"], row["attempts"], row["problem"]) == (world.clock.at + 5, 0, "later")
    world.clock.at += 5
    (again,) = await world.claim("ask")
    assert again.attempts == 1


async def test_what_somebody_else_has_meanwhile_is_left_to_them(world: World) -> None:
    await world.hold()
    (slow,) = await world.claim("ask")
    world.clock.at += 61
    (quick,) = await world.claim("ask")
    await world.ledger.write(lambda tx: put_back(tx, slow, 5.0, "later"))
    (row,) = await world.work("ask")
    assert (row["at"], row["attempts"], row["problem"]) == (world.clock.at + 60, quick.attempts, None)
