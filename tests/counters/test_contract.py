"""What every store of rate counters promises."""

import asyncio

import pytest

from gateway.ports import Counters, Limit

HOUR = 3600.0


async def test_a_burst_passes_and_no_more(counters: Counters) -> None:
    limit = Limit("satellite", 10, HOUR, 10)
    quotes = [(await counters.take([(limit, "oa")]))[0] for _ in range(12)]
    assert [quote.allowed for quote in quotes] == [True] * 10 + [False] * 2
    assert [quote.remaining for quote in quotes] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0]


async def test_a_refusal_says_when_to_come_back(counters: Counters) -> None:
    limit = Limit("satellite", 4, HOUR, 2)
    for _ in range(2):
        await counters.take([(limit, "oa")])
    (quote,) = await counters.take([(limit, "oa")])
    assert not quote.allowed
    assert 890 < quote.retry_after <= 900
    assert 1790 < quote.reset <= 1800


async def test_an_allowed_call_needs_no_retry(counters: Counters) -> None:
    (quote,) = await counters.take([(Limit("satellite", 4, HOUR, 4), "oa")])
    assert quote.retry_after == 0
    assert 890 < quote.reset <= 900.001


async def test_partitions_do_not_touch_each_other(counters: Counters) -> None:
    limit = Limit("satellite", 1, HOUR, 1)
    assert (await counters.take([(limit, "oa")]))[0].allowed
    assert (await counters.take([(limit, "crm")]))[0].allowed
    assert not (await counters.take([(limit, "oa")]))[0].allowed


async def test_limits_of_one_name_but_other_partition_text_stay_apart(counters: Counters) -> None:
    assert (await counters.take([(Limit("a:b", 1, HOUR, 1), "c")]))[0].allowed
    assert (await counters.take([(Limit("a", 1, HOUR, 1), "b:c")]))[0].allowed


async def test_all_limits_are_charged_or_none(counters: Counters) -> None:
    wide, narrow = Limit("route", 100, HOUR, 100), Limit("satellite", 1, HOUR, 1)
    await counters.take([(wide, "payments.create"), (narrow, "oa")])
    for _ in range(150):
        first, second = await counters.take([(wide, "payments.create"), (narrow, "oa")])
        assert not second.allowed
        assert first.allowed
    passed = [(await counters.take([(wide, "payments.create")]))[0].allowed for _ in range(100)]
    assert passed.count(True) == 99


async def test_the_same_partition_twice_is_charged_twice(counters: Counters) -> None:
    limit = Limit("satellite", 3, HOUR, 3)
    quotes = await counters.take([(limit, "oa"), (limit, "oa")])
    assert [quote.allowed for quote in quotes] == [True, True]
    quotes = await counters.take([(limit, "oa"), (limit, "oa")])
    assert not all(quote.allowed for quote in quotes)
    assert (await counters.take([(limit, "oa")]))[0].allowed


async def test_no_limits_is_allowed(counters: Counters) -> None:
    assert await counters.take([]) == []


async def test_concurrent_calls_share_one_budget(counters: Counters) -> None:
    narrow, wide = Limit("satellite", 37, HOUR, 37), Limit("route", 1000, HOUR, 1000)
    answers = await asyncio.gather(*(counters.take([(narrow, "oa"), (wide, "stock.get")]) for _ in range(500)))
    assert sum(all(quote.allowed for quote in quotes) for quotes in answers) == 37


async def test_a_raised_limit_forgets_the_old_debt(counters: Counters) -> None:
    await counters.take([(Limit("satellite", 1, 86400.0 * 365, 1), "oa")])
    after = Limit("satellite", 1000, 1.0, 1000)
    for _ in range(2):
        await counters.take([(after, "oa")])

    for _ in range(100_000):
        if (await counters.take([(after, "oa")]))[0].allowed:
            break
    else:
        pytest.fail("still refused")
    assert (await counters.take([(after, "crm")]))[0].allowed
