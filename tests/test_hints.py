"""One process that reloads makes the others look at the files; without Redis they look by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from redis.asyncio import Redis

from gateway.hints import GONE_SECONDS, Hints, _there
from gateway.live import Live
from gateway.reload import poll
from gateway.runtime import check_stores
from tests.support import copy_deployment, edit

OLD, NEW = "p, tour,  demo, stock.get,               allow", "p, tour,  demo, stock.get,               deny"


def changed(path: Path) -> None:
    edit(path.parent / "policies" / "policy.csv", OLD, NEW)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.to_thread(int)


async def test_a_swap_in_one_process_reaches_another_and_both_report_their_policy(tmp_path: Path, redis_url: str) -> None:
    path = copy_deployment(tmp_path)
    stores, stop = check_stores(path), asyncio.Event()
    lives = [Live(path, stores), Live(path, stores)]
    hints = [Hints(live, Redis.from_url(redis_url), stores.clock, name=f"p{n}") for n, live in enumerate(lives)]
    watcher = Redis.from_url(redis_url)
    async with asyncio.TaskGroup() as tasks:
        for hint in hints:
            tasks.create_task(hint.run(stop))
        async with asyncio.timeout(20):
            while (await watcher.pubsub_numsub(hints[0].channel))[0][1] < 2:
                pass
        before = lives[1].snapshot
        changed(path)
        assert await lives[0].reload()
        await until(lambda: lives[1].snapshot is not before)
        assert lives[1].snapshot.policy.sha256 == lives[0].snapshot.policy.sha256 != before.policy.sha256

        def agreed() -> bool:
            hints[1]._reported = 0.0
            return [report["policy"] for report in lives[1].processes.values()] == [lives[0].snapshot.policy.sha256] * 2

        await until(agreed)
        assert set(lives[1].processes) == {"p0", "p1"}
        assert lives[1].status(places_only=False)["processes"] == lives[1].processes
        assert "processes" not in lives[1].status(places_only=True)
        stop.set()
    assert await watcher.hgetall(hints[0].processes) == {}
    await watcher.aclose()


async def test_a_redis_that_is_not_there_stops_nothing(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    stores, stop = check_stores(path), asyncio.Event()
    live = Live(path, stores)
    running = asyncio.create_task(Hints(live, Redis.from_url("redis://127.0.0.1:1/0"), stores.clock).run(stop))
    changed(path)
    assert await live.reload()
    stop.set()
    await running


async def test_the_files_are_looked_at_from_time_to_time(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    live, stop = Live(path, check_stores(path)), asyncio.Event()
    looking = asyncio.create_task(poll(live, stop, every=0.01))
    before = live.snapshot
    changed(path)
    await until(lambda: live.snapshot is not before)
    assert not live.stale()
    policy = tmp_path / "policies" / "policy.csv"
    policy.write_text(policy.read_text("utf-8").replace("deny\n", "Deny\n", 1), "utf-8")
    await until(lambda: live.failure is not None)
    first = live.failure
    assert not live.stale()
    stop.set()
    await looking
    assert live.failure is first


def test_processes_that_are_gone_are_not_shown() -> None:
    reports = {b"old": b'{"at": 0, "policy": "x"}', b"new": b'{"at": 100, "policy": "y"}'}
    assert list(_there(reports, GONE_SECONDS + 50)) == ["new"]
