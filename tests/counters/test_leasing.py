"""Leases over virtual time: the real script in the real Redis, its clock replaced, against the arithmetic of the limit.

Periods are hours, so that keys, which expire in real time, live as long as a test.
"""

import asyncio
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway.counters.redis import SCRIPT, RedisCounters
from gateway.ports import Limit

VIRTUAL = SCRIPT.replace("redis.call('TIME')", "cjson.decode(redis.call('GET', 'virtual-time'))")
EPOCH = 1_800_000_000


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


async def play(url: str, processes: int, steps: list[tuple[int, float, list[tuple[Limit, str]]]]) -> list[bool]:
    """Which of the calls pass. A step is the process that is called, the seconds before it, and its limits."""
    assert VIRTUAL != SCRIPT
    clock, client = Clock(), Redis.from_url(url)
    await client.flushall()
    stores = [RedisCounters(client, clock, processes=processes, deadline=5) for _ in range(processes)]
    for store in stores:
        store._run = client.register_script(VIRTUAL)
    passed = []
    for process, pause, limits in steps:
        clock.at += pause
        micros = round(clock.at * 1e6)
        await client.set("virtual-time", f"[{EPOCH + micros // 1_000_000}, {micros % 1_000_000}]")
        quotes = await stores[process % processes].take(limits)
        passed.append(all(quote.allowed for quote in quotes))
        assert not any(store.degraded for store in stores)
    for store in stores:
        await store.aclose()
    await client.aclose()
    return passed


pauses = st.sampled_from([0.0, 0.0, 0.0, 0.0, 1.7, 97.3, 601.9, 1803.3])
bursts = st.sampled_from([1, 2, 5, 12, 40])


@settings(max_examples=60, deadline=None)
@example(processes=2, count=40, burst=40, runs=[(0, 0.0, 1), (1, 1803.3, 50), (0, 0.0, 50)])
@example(processes=3, count=40, burst=40, runs=[(0, 0.0, 1), (1, 601.9, 3), (2, 1803.3, 50), (0, 0.0, 50), (1, 97.3, 50)])
@given(
    st.integers(1, 4),
    st.integers(1, 40),
    bursts,
    st.lists(st.tuples(st.integers(0, 3), pauses, st.sampled_from([1, 3, 50])), min_size=1, max_size=8),
)
def test_no_stretch_of_time_sees_more_than_burst_and_rate(
    redis_server: Any, processes: int, count: int, burst: int, runs: list[tuple[int, float, int]]
) -> None:
    calls = [(process, pause if number == 0 else 0.0) for process, pause, length in runs for number in range(length)]
    limit = Limit("satellite", count, 3600.0, burst)
    passed = asyncio.run(play(redis_server.url, processes, [(process, pause, [(limit, "oa")]) for process, pause in calls]))
    at, admitted = 1000.0, []
    for (_, pause), allowed in zip(calls, passed, strict=True):
        at += pause
        if allowed:
            admitted.append(at)
    for first in range(len(admitted)):
        for last in range(first, len(admitted)):
            assert last - first + 1 <= burst + (admitted[last] - admitted[first]) * count / 3600 + 0.001


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), bursts, st.lists(st.tuples(pauses, st.sampled_from(["oa", "crm", "both"])), min_size=1, max_size=120))
def test_one_process_loses_nothing_by_leasing(redis_server: Any, count: int, burst: int, calls: list[tuple[float, str]]) -> None:
    """Alone, it decides like a bucket that leaks; calls on two partitions are charged to both or none."""
    limit = Limit("satellite", count, 3600.0, burst)
    names = [["oa", "crm"] if who == "both" else [who] for _, who in calls]
    steps = [(0, pause, [(limit, name) for name in some]) for (pause, _), some in zip(calls, names, strict=True)]
    passed = asyncio.run(play(redis_server.url, 1, steps))
    level = {"oa": 0.0, "crm": 0.0}
    for (_, pause, limits), allowed in zip(steps, passed, strict=True):
        level = {name: max(0.0, amount - pause * count / 3600) for name, amount in level.items()}
        room = min(burst - level[name] for _, name in limits) - 1
        if abs(room) > 0.001:
            assert allowed == (room > 0)
        if allowed:
            for _, name in limits:
                level[name] += 1
