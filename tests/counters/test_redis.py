"""Counting through Redis: never too many, hardly ever asking, and no harm when Redis goes."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from gateway.counters.redis import RedisCounters
from gateway.ports import Limit

HOUR = 3600.0
Open = Callable[..., RedisCounters]


class Moving:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


async def count_allowed(counters: RedisCounters, limit: Limit, calls: int) -> int:
    return sum([(await counters.take([(limit, "oa")]))[0].allowed for _ in range(calls)])


async def test_processes_together_admit_exactly_the_burst(redis: Any, opened: Open) -> None:
    limit = Limit("satellite", 100, HOUR, 100)
    stores = [opened(redis.url, processes=4) for _ in range(4)]
    passed = await asyncio.gather(*(count_allowed(store, limit, 200) for store in stores))
    assert 90 <= sum(passed) <= 100
    assert sum([await count_allowed(store, limit, 100) for store in stores]) + sum(passed) == 100


async def test_lonely_processes_never_exceed_the_burst(redis: Any, opened: Open) -> None:
    limit = Limit("satellite", 50, HOUR, 50)
    stores = [opened(redis.url, processes=8) for _ in range(8)]
    passed = 0
    for store in stores:
        passed += await count_allowed(store, limit, 60)
    assert passed == 50


CHILD = """
import asyncio, sys, time
from gateway.counters.redis import RedisCounters
from gateway.ports import Limit

class Clock:
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

async def main(url):
    limits = [(Limit("satellite", 400, 3600.0, 400), "oa"), (Limit("route", 5000, 3600.0, 5000), "stock.get")]
    counters = RedisCounters(url, Clock, processes=4, deadline=5)
    answers = await asyncio.gather(*(counters.take(limits) for _ in range(300)))
    assert not counters.degraded
    print(sum(all(quote.allowed for quote in quotes) for quotes in answers))
    await counters.aclose()

asyncio.run(main(sys.argv[1]))
"""


async def test_real_processes_never_exceed_the_burst(redis: Any) -> None:
    run = asyncio.create_subprocess_exec
    children = [await run(sys.executable, "-c", CHILD, redis.url, stdout=asyncio.subprocess.PIPE) for _ in range(4)]
    passed = [int((await child.communicate())[0]) for child in children]
    assert 300 <= sum(passed) <= 400


async def test_over_time_never_more_than_burst_and_rate(redis: Any, opened: Open) -> None:
    """A fast limit on the real clock, three processes, uneven load: every stretch of time keeps to the bound. A call counts
    somewhere between its start and its end."""
    limit = Limit("satellite", 500, 1.0, 50)
    stores = [opened(redis.url, processes=3) for _ in range(3)]
    loop = asyncio.get_running_loop()
    admitted: list[tuple[float, float]] = []

    async def drive(store: RedisCounters, pause: int) -> None:
        end = loop.time() + 0.8
        while (start := loop.time()) < end:
            (quote,) = await store.take([(limit, "oa")])
            if quote.allowed:
                admitted.append((start, loop.time()))
            for _ in range(pause):
                await asyncio.sleep(0)

    await asyncio.gather(*(drive(store, pause) for store, pause in zip(stores, (0, 5, 60), strict=True)))
    admitted.sort()
    assert len(admitted) > 200
    for first in range(0, len(admitted), 7):
        begin = admitted[first][0]
        inside = 0
        for start, end in sorted(admitted[first:], key=lambda call: call[1]):
            inside += start >= begin
            assert inside <= limit.burst + (end - begin) * limit.count / limit.period + 1


async def test_an_unused_lease_shrinks_at_the_rate(redis: Any, opened: Open) -> None:
    """What the waiting process leased is worth nothing by the time Redis has given it to others."""
    clock, limit = Moving(), Limit("satellite", 100, HOUR, 100)
    waiting = opened(redis.url, clock, processes=2)
    assert (await waiting.take([(limit, "oa")]))[0].allowed
    assert waiting.take_now([(limit, "oa")]) is not None
    clock.at += HOUR
    assert waiting.take_now([(limit, "oa")]) is None


async def test_most_calls_do_not_ask(redis: Any, opened: Open) -> None:
    limits = [(Limit("satellite", 10_000, 1.0, 10_000), "oa"), (Limit("route", 100_000, 1.0, 100_000), "stock.get")]
    counters = opened(redis.url, processes=2)
    asked = Counter[bool]()
    for _ in range(5000):
        quotes = counters.take_now(limits)
        asked[quotes is None] += 1
        if quotes is None:
            quotes = await counters.take(limits)
        assert all(quote.allowed for quote in quotes)
    assert asked[True] < 500


async def test_a_refused_call_is_refused_without_asking_again(redis: Any, opened: Open) -> None:
    limit = Limit("satellite", 1, HOUR, 1)
    counters = opened(redis.url)
    await counters.take([(limit, "oa")])
    await counters.take([(limit, "oa")])
    quotes = counters.take_now([(limit, "oa")])
    assert quotes is not None
    assert not quotes[0].allowed
    assert 3590 < quotes[0].retry_after <= 3600


async def test_a_changed_limit_drops_leases_of_the_old_one(redis: Any, opened: Open) -> None:
    counters = opened(redis.url)
    slow, fast = Limit("satellite", 20, HOUR, 20), Limit("satellite", 3, 0.001, 3)
    await counters.take([(slow, "oa")])
    assert counters.take_now([(slow, "oa")]) is not None
    assert counters.take_now([(fast, "oa")]) is None


async def test_flushing_redis_breaks_nothing(redis: Any, opened: Open) -> None:
    limit = Limit("satellite", 40, HOUR, 40)
    counters = opened(redis.url)
    passed = 0
    for number in range(200):
        if number == 100:
            redis.command("FLUSHALL")
            redis.command("SCRIPT", "FLUSH")
        passed += (await counters.take([(limit, "oa")]))[0].allowed
    assert 40 <= passed <= 80
    assert not counters.degraded


@pytest.mark.parametrize("damage", ["no number", "", "nan", "-nan", "-inf", "-1", "0x1p3"])
async def test_a_damaged_key_counts_as_a_new_one(damage: str, redis: Any, opened: Open) -> None:
    redis.command("SET", "erp-gateway:rate:9:satellite:oa", damage)
    counters = opened(redis.url)
    assert [(await counters.take([(Limit("satellite", 1, HOUR, 1), "oa")]))[0].allowed for _ in range(2)] == [True, False]


async def test_a_key_of_another_type_is_as_good_as_no_redis(redis: Any, opened: Open) -> None:
    redis.command("LPUSH", "erp-gateway:rate:9:satellite:oa", "x")
    counters = opened(redis.url)
    assert (await counters.take([(Limit("satellite", 1, HOUR, 1), "oa")]))[0].allowed
    assert counters.degraded


async def test_keys_disappear_when_full(redis: Any, opened: Open) -> None:
    await opened(redis.url).take([(Limit("satellite", 1, HOUR, 1), "oa")])
    milliseconds = int(redis.command("PTTL", "erp-gateway:rate:9:satellite:oa")[1:])
    assert 3_599_000 < milliseconds <= 3_600_100


async def test_capacity_bounds_what_is_remembered(redis: Any, opened: Open) -> None:
    limit = Limit("satellite", 2, HOUR, 2)
    counters = opened(redis.url, capacity=10)
    for _ in range(3):
        answers = [await counters.take([(limit, f"p{number}")]) for number in range(25)]
    assert not any(quotes[0].allowed for quotes in answers)


async def test_killed_and_restarted_in_mid_run(mortal_redis: Any, opened: Open) -> None:
    changes: list[bool] = []
    clock = Moving()
    limit = Limit("satellite", 100, HOUR, 100)
    counters = opened(mortal_redis.url, clock, processes=4, on_change=changes.append)
    with capture_logs() as logs:
        passed = 0
        for number in range(400):
            if number == 3:
                mortal_redis.kill()
                clock.at += HOUR  # leases are worth nothing now
            passed += (await counters.take([(limit, "oa")]))[0].allowed
        assert counters.degraded
        assert passed == 3 + 25
        mortal_redis.start()
        assert not (await counters.take([(limit, "oa")]))[0].allowed
        clock.at += 1.5
        assert (await counters.take([(limit, "oa")]))[0].allowed
        assert not counters.degraded
    assert changes == [True, False]
    assert [entry["event"] for entry in logs] == ["counters.degraded", "counters.recovered"]
    assert "redis://" not in str(logs)


async def test_a_drained_partition_stays_drained_when_redis_goes(mortal_redis: Any, opened: Open) -> None:
    limit = Limit("day", 100, HOUR * 24, 100)
    counters = opened(mortal_redis.url, processes=4)
    assert await count_allowed(counters, limit, 60) == 60
    mortal_redis.kill()
    assert 10 <= await count_allowed(counters, limit, 100) <= 40
    assert counters.degraded
    assert await count_allowed(counters, limit, 100) == 0


async def test_concurrent_calls_survive_the_kill(mortal_redis: Any, opened: Open) -> None:
    limit = Limit("satellite", 1000, HOUR, 1000)
    counters = opened(mortal_redis.url, Moving(), processes=4)
    await counters.take([(limit, "oa")])
    mortal_redis.kill()
    answers = await asyncio.gather(*(counters.take([(limit, f"p{number % 3}")]) for number in range(1200)))
    assert len(answers) == 1200
    assert counters.degraded
    allowed = Counter(number % 3 for number, quotes in enumerate(answers) if quotes[0].allowed)
    assert all(count <= 250 for count in allowed.values())


@pytest.mark.parametrize("processes", [1, 3, 4, 7])
@pytest.mark.parametrize("burst", [1, 2, 10])
async def test_shares_add_up_to_the_limit_at_most(processes: int, burst: int, opened: Open) -> None:
    limit = Limit("satellite", 10, HOUR, burst)

    async def passes(**settings: Any) -> int:
        counters = opened(Broken(RedisConnectionError("gone")), Moving(), processes=processes, **settings)
        return await count_allowed(counters, limit, 20)

    assert sum([await passes(index=index) for index in range(processes)]) == burst
    assert await passes() * processes <= burst


class Broken(Redis):
    """A client whose scripts answer ``answer``, or raise it."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def register_script(self, script: Any) -> Any:
        async def run(keys: Any, args: Any) -> Any:
            if isinstance(self.answer, Exception):
                raise self.answer
            return await self.answer() if callable(self.answer) else self.answer

        return run


LIES: list[Any] = [
    None,
    b"OK",
    [],
    [[1]],
    [[1, 2], [1, 2]],
    [["1", 2]],
    [[10**9, 0]],
    [[-2, 0]],
    [[1, -5]],
    [7],
    ResponseError("OOM command not allowed"),
    OSError("no route"),
]


@pytest.mark.parametrize("answer", LIES)
async def test_a_lying_or_failing_redis_means_the_share(answer: Any, opened: Open) -> None:
    counters = opened(Broken(answer), Moving(), processes=2)
    assert await count_allowed(counters, Limit("satellite", 10, HOUR, 10), 20) == 5
    assert counters.degraded


async def test_an_absurd_wait_is_cut_to_what_the_limit_can_mean(opened: Open) -> None:
    counters = opened(Broken([[-1, 2**62]]), Moving())
    (quote,) = await counters.take([(Limit("satellite", 10, 1.0, 10), "oa")])
    assert not quote.allowed
    assert quote.retry_after <= 0.11


async def test_a_slow_redis_is_given_up_at_the_deadline(opened: Open) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    counters = opened(Broken(never), Moving(), processes=2, deadline=0.01)
    quotes = await asyncio.wait_for(counters.take([(Limit("satellite", 10, HOUR, 10), "oa")]), 5)
    assert quotes[0].allowed
    assert counters.degraded


async def test_while_degraded_redis_is_tried_once_a_second(opened: Open) -> None:
    asked = 0

    async def refuse() -> None:
        nonlocal asked
        asked += 1
        raise RedisConnectionError("gone")

    clock = Moving()
    counters = opened(Broken(refuse), clock, processes=2)
    for _ in range(50):
        await counters.take([(Limit("satellite", 1000, 1.0, 1000), "oa")])
        clock.at += 0.1
    assert 5 <= asked <= 6


async def test_closing_answers_the_calls_that_wait(opened: Open) -> None:
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    counters = opened(Broken(never), processes=2)
    waiting = asyncio.create_task(counters.take([(Limit("satellite", 10, HOUR, 10), "oa")]))
    await asked.wait()
    await counters.aclose()
    assert (await waiting)[0].allowed


async def test_a_cancelled_call_holds_up_nobody(redis: Any, opened: Open) -> None:
    limit = Limit("satellite", 10, HOUR, 10)
    counters = opened(redis.url)
    given_up = asyncio.create_task(counters.take([(limit, "oa")]))
    other = asyncio.create_task(counters.take([(limit, "oa")]))
    await asyncio.sleep(0)
    given_up.cancel()
    assert (await other)[0].allowed
    with pytest.raises(asyncio.CancelledError):
        await given_up
