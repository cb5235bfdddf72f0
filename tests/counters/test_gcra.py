from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from gateway.counters import gcra
from gateway.ports import Limit

limits = st.builds(
    Limit, st.just("x"), st.integers(1, 10_000), st.sampled_from([1.0, 60.0, 3600.0, 86400.0]), st.integers(1, 1000)
)
gaps = st.one_of(st.just(0.0), st.floats(0, 5), st.floats(0, 100_000))


def admitted(limit: Limit, arrivals: list[float]) -> list[float]:
    tat, passed = 0.0, []
    for at in arrivals:
        charged = gcra.charge(limit, tat, at)
        if charged is not None:
            tat = charged[0]
            passed.append(at)
    return passed


def times(gaps: list[float]) -> list[float]:
    at, result = 1000.0, []
    for gap in gaps:
        at += gap
        result.append(at)
    return result


@given(limits, st.lists(gaps, max_size=80))
def test_no_stretch_of_time_sees_more_than_burst_and_rate(limit: Limit, steps: list[float]) -> None:
    passed = admitted(limit, times(steps))
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            most = limit.burst + (passed[last] - passed[first]) * limit.count / limit.period
            assert last - first + 1 <= most + 0.001


@given(limits, st.lists(gaps, max_size=80))
def test_nothing_is_refused_that_a_full_bucket_would_serve(limit: Limit, steps: list[float]) -> None:
    level, before, tat = Fraction(0), Fraction(1000), 0.0
    interval = Fraction(limit.period) / limit.count
    for at in times(steps):
        level = max(Fraction(0), level - (Fraction(at) - before) / interval)
        before = Fraction(at)
        charged = gcra.charge(limit, tat, at)
        if level + 1 <= limit.burst - Fraction(1, 1000):
            assert charged is not None
        if charged is not None:
            tat, quote = charged
            level += 1
            assert quote.allowed
            assert abs(quote.remaining - (limit.burst - level)) < 1.001
            assert quote.reset >= 0


def test_a_refused_call_may_come_back_after_retry_after() -> None:
    limit = Limit("x", 3, 1.0, 2)
    tat = 0.0
    for _ in range(2):
        charged = gcra.charge(limit, tat, 10.0)
        assert charged is not None
        tat = charged[0]
    assert gcra.charge(limit, tat, 10.0) is None
    quote = gcra.quote(limit, tat, 10.0)
    assert (quote.allowed, quote.remaining) == (False, 0)
    assert gcra.charge(limit, tat, 10.0 + quote.retry_after) is not None


def test_a_daily_quota_passes_at_once_and_comes_back_evenly() -> None:
    limit = Limit("day", 86400, 86400.0, 86400)
    tat = 0.0
    for _ in range(86400):
        charged = gcra.charge(limit, tat, 5.0)
        assert charged is not None
        tat = charged[0]
    assert gcra.charge(limit, tat, 5.0) is None
    assert gcra.quote(limit, tat, 5.0 + 43200).remaining == 43200


def test_an_idle_partition_is_full() -> None:
    quote = gcra.quote(Limit("x", 3, 1.0, 2), 0.0, 10.0)
    assert (quote.allowed, quote.remaining, quote.reset, quote.retry_after) == (True, 2, 0.0, 0.0)


def test_old_debt_is_bounded_by_the_limit_of_today() -> None:
    assert gcra.bounded(Limit("x", 10, 1.0, 20), 1e9, 5.0) == 7.0
    assert gcra.bounded(Limit("x", 10, 1.0, 20), 6.0, 5.0) == 6.0
