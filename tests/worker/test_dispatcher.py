"""Work is claimed when it is due, handed to whoever handles its kind, and nothing that breaks stops the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.documents.ledger import Ledger, LedgerUnavailable
from gateway.documents.records import Todo, Work, finish, put
from gateway.worker import dispatcher
from gateway.worker.dispatcher import AT_ONCE, LEASE, Dispatcher
from tests import sends
from tests.documents.support import NOON
from tests.sends import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sends.world(tmp_path) as made:
        yield made


@asynccontextmanager
async def running(made: Dispatcher) -> AsyncIterator[asyncio.Event]:
    """It runs until the block ends, or is told to stop."""
    stop = asyncio.Event()
    task = asyncio.create_task(made.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await task


async def leave(ledger: Ledger, *todos: Todo) -> None:
    await ledger.write(lambda tx: put(tx, todos))


def finishing(ledger: Ledger, done: asyncio.Queue[str]) -> Callable[[Work], Any]:
    async def handle(work: Work) -> None:
        await ledger.write(lambda tx: finish(tx, work))
        done.put_nowait(work.kind)

    return handle


async def test_each_kind_goes_to_its_handler_and_others_stay(world: World) -> None:
    done: asyncio.Queue[str] = asyncio.Queue()
    handle = finishing(world.ledger, done)
    await leave(world.ledger, Todo("a", NOON, None), Todo("b", NOON + 1, None), Todo("c", NOON, None))
    world.clock.time = NOON + 1
    async with running(Dispatcher(world.ledger, world.clock, {"a": handle, "b": handle})):
        assert [await done.get(), await done.get()] == ["a", "b"]
    assert await world.kinds() == ["c"]


async def test_work_that_arrives_is_done_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "POLL", 3600)
    done: asyncio.Queue[str] = asyncio.Queue()
    async with running(Dispatcher(world.ledger, world.clock, {"a": finishing(world.ledger, done)})):
        for _ in range(3):
            await leave(world.ledger, Todo("a", NOON, None))
            assert await done.get() == "a"


async def test_what_is_not_due_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "POLL", 0.01)
    done: asyncio.Queue[str] = asyncio.Queue()
    await leave(world.ledger, Todo("a", NOON + 60, None))
    async with running(Dispatcher(world.ledger, world.clock, {"a": finishing(world.ledger, done)})):
        await leave(world.ledger, Todo("a", NOON, None))
        assert await done.get() == "a"
        assert done.empty()
        world.clock.time = NOON + 60
        assert await done.get() == "a"


async def test_what_breaks_comes_back_when_its_claim_runs_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "POLL", 0.01)
    attempts: asyncio.Queue[int] = asyncio.Queue()
    good: asyncio.Queue[str] = asyncio.Queue()

    async def breaks(work: Work) -> None:
        attempts.put_nowait(work.attempts)
        raise RuntimeError("a defect")

    await leave(world.ledger, Todo("bad", NOON, None), Todo("good", NOON, None))
    handlers = {"bad": breaks, "good": finishing(world.ledger, good)}
    async with running(Dispatcher(world.ledger, world.clock, handlers)):
        assert (await attempts.get(), await good.get()) == (1, "good")
        world.clock.time += LEASE
        assert await attempts.get() == 2
    assert await world.kinds() == ["bad"]


async def test_so_many_at_once_and_no_spinning_while_all_hands_are_full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "POLL", 3600)
    started: asyncio.Queue[str] = asyncio.Queue()
    go = asyncio.Event()

    async def hangs(work: Work) -> None:
        started.put_nowait(work.kind)
        await go.wait()
        await world.ledger.write(lambda tx: finish(tx, work))

    made = Dispatcher(world.ledger, world.clock, {"a": hangs})
    looks = 0
    original = made._took

    async def counted() -> bool:
        nonlocal looks
        looks += 1
        return await original()

    monkeypatch.setattr(made, "_took", counted)
    async with running(made):
        await leave(world.ledger, *(Todo("a", NOON, None) for _ in range(AT_ONCE + 1)))
        for _ in range(AT_ONCE):
            await started.get()
        await leave(world.ledger, Todo("a", NOON, None))
        before = looks
        for _ in range(1000):
            await asyncio.sleep(0)
        assert looks - before < 5
        assert started.empty()
        go.set()
        for _ in range(2):
            await started.get()
    assert await world.kinds() == []


async def test_work_that_is_done_is_no_reason_to_look_for_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "POLL", 3600)
    done: asyncio.Queue[str] = asyncio.Queue()
    idle, go = asyncio.Event(), asyncio.Event()

    async def slow(work: Work) -> None:
        await go.wait()
        await world.ledger.write(lambda tx: finish(tx, work))
        done.put_nowait(work.kind)

    made = Dispatcher(world.ledger, world.clock, {"a": slow})
    sleep = made._sleep

    async def sleeping(stopping: asyncio.Task[bool]) -> None:
        idle.set()
        await sleep(stopping)

    monkeypatch.setattr(made, "_sleep", sleeping)
    await leave(world.ledger, Todo("a", NOON, None), Todo("a", NOON, None))
    async with running(made):
        await idle.wait()
        idle.clear()
        go.set()
        assert [await done.get(), await done.get()] == ["a", "a"]
        await asyncio.gather(*made._running)
        assert not made._arrived.is_set()
        assert not idle.is_set()
        await leave(world.ledger, Todo("a", NOON, None))
        assert await done.get() == "a"


@pytest.mark.parametrize("error", [LedgerUnavailable("gone"), RuntimeError("a defect")])
async def test_a_ledger_that_is_gone_for_a_while_ends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(dispatcher, "POLL", 0.01)
    failed = asyncio.Event()
    read = world.ledger.read

    async def broken(look: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise error
        return await read(look)

    monkeypatch.setattr(world.ledger, "read", broken)
    done: asyncio.Queue[str] = asyncio.Queue()
    await leave(world.ledger, Todo("a", NOON, None))
    async with running(Dispatcher(world.ledger, world.clock, {"a": finishing(world.ledger, done)})):
        assert await done.get() == "a"
    assert failed.is_set()


async def test_a_stop_waits_for_what_is_in_hand(world: World) -> None:
    started, go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(work: Work) -> None:
        started.set()
        await go.wait()
        await world.ledger.write(lambda tx: finish(tx, work))
        ended.set()

    await leave(world.ledger, Todo("a", NOON, None))
    made, stop = Dispatcher(world.ledger, world.clock, {"a": slow}), asyncio.Event()
    task = asyncio.create_task(made.run(stop))
    await started.wait()
    stop.set()
    go.set()
    await task
    assert ended.is_set()


async def test_it_can_be_cancelled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "POLL", 3600)
    made = Dispatcher(world.ledger, world.clock, {})
    sleeping = asyncio.Event()
    original = made._sleep

    async def sleep(stopping: asyncio.Task[bool]) -> None:
        sleeping.set()
        await original(stopping)

    monkeypatch.setattr(made, "_sleep", sleep)
    task = asyncio.create_task(made.run(asyncio.Event()))
    await sleeping.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_two_workers_never_have_the_same_piece(world: World) -> None:
    done: asyncio.Queue[str] = asyncio.Queue()
    handle = finishing(world.ledger, done)
    await leave(world.ledger, *(Todo("a", NOON, None) for _ in range(30)))
    makers = [Dispatcher(world.ledger, world.clock, {"a": handle}) for _ in range(2)]
    async with running(makers[0]), running(makers[1]):
        for _ in range(30):
            await done.get()
    assert (done.qsize(), await world.kinds()) == (0, [])
