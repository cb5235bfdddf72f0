from hypothesis import given
from hypothesis import strategies as st

from gateway.counters.memory import MemoryCounters
from gateway.ports import Limit


class StillClock:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


def fits(history: dict[str, list[float]], limit: Limit, partition: str, now: float) -> bool:
    """The naive reference: play back every call as a bucket that leaks."""
    level, before = 0.0, 0.0
    for at in history.get(f"{limit.name}/{partition}", []):
        level = max(0.0, level - (at - before) * limit.count / limit.period) + 1
        before = at
    return max(0.0, level - (now - before) * limit.count / limit.period) + 1 <= limit.burst + 1e-6


LIMITS = [Limit("a", 4, 1.0, 4), Limit("b", 2, 8.0, 3), Limit("c", 16, 86400.0, 16)]
calls = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.0, 0.25, 0.5, 2.0, 4.0, 5400.0]),
        st.lists(st.tuples(st.sampled_from(LIMITS), st.sampled_from("xy")), max_size=3, unique=True),
    ),
    max_size=60,
)


@given(calls)
def test_decides_like_the_naive_reference(calls: list[tuple[float, list[tuple[Limit, str]]]]) -> None:
    clock, history = StillClock(), {}
    counters = MemoryCounters(clock)
    for step, limits in calls:
        clock.at += step
        expected = [fits(history, limit, partition, clock.at) for limit, partition in limits]
        quotes = counters.take_now(limits)
        assert [quote.limit for quote in quotes] == [limit for limit, _ in limits]
        assert all(quote.allowed for quote in quotes) == all(expected)
        assert [quote.allowed for quote in quotes] == expected
        if all(expected):
            for limit, partition in limits:
                history.setdefault(f"{limit.name}/{partition}", []).append(clock.at)


def test_idle_partitions_make_room_before_drained_ones() -> None:
    clock = StillClock()
    counters = MemoryCounters(clock, capacity=100)
    drained, brief = Limit("day", 1, 86400.0, 1), Limit("second", 1, 1.0, 1)
    for number in range(50):
        counters.take_now([(drained, f"slow-{number}")])
    for number in range(50):
        counters.take_now([(brief, f"fast-{number}")])
    clock.at += 2
    for number in range(50):
        counters.take_now([(brief, f"new-{number}")])
    assert len(counters) == 100
    assert not any(counters.take_now([(drained, f"slow-{number}")])[0].allowed for number in range(50))


def test_with_no_idle_partition_the_one_nearest_to_full_goes() -> None:
    clock = StillClock()
    counters = MemoryCounters(clock, capacity=2)
    hour, day = Limit("hour", 1, 3600.0, 1), Limit("day", 1, 86400.0, 1)
    counters.take_now([(hour, "a")])
    counters.take_now([(day, "b")])
    counters.take_now([(day, "c")])
    assert not counters.take_now([(day, "b")])[0].allowed
    assert not counters.take_now([(day, "c")])[0].allowed
    assert counters.take_now([(hour, "a")])[0].allowed


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from([0.0, 0.1, 1.0, 30.0])), max_size=200))
def test_never_holds_more_than_its_capacity_nor_drops_a_busy_one_for_an_idle_one(steps: list[tuple[int, float]]) -> None:
    clock = StillClock()
    counters = MemoryCounters(clock, capacity=5)
    limit = Limit("x", 2, 10.0, 2)
    due: dict[str, float] = {}
    for number, step in steps:
        clock.at += step
        key = f"p{number}"
        known = set(counters.partitions())
        (quote,) = counters.take_now([(limit, key)])
        now_known = set(counters.partitions())
        gone = {partition for _, partition in known - now_known}
        due[key] = clock.at + quote.reset
        assert len(counters) <= 5
        if any(due[partition] > clock.at for partition in gone):
            assert all(due[partition] > clock.at for _, partition in now_known)


def test_a_refused_call_leaves_no_trace() -> None:
    counters = MemoryCounters(StillClock())
    narrow, fresh = Limit("narrow", 1, 60.0, 1), Limit("fresh", 1, 60.0, 1)
    counters.take_now([(narrow, "oa")])
    counters.take_now([(fresh, "new"), (narrow, "oa")])
    assert len(counters) == 1
    assert counters.take_now([(fresh, "new")])[0].allowed


def test_a_lowered_limit_counts_from_its_own_burst() -> None:
    clock = StillClock()
    counters = MemoryCounters(clock)
    counters.take_now([(Limit("x", 1, 86400.0, 1), "oa")])
    today = Limit("x", 10, 1.0, 10)
    assert not counters.take_now([(today, "oa")])[0].allowed
    clock.at += 0.1
    assert counters.take_now([(today, "oa")])[0].allowed


def test_takes_over_what_another_store_knew() -> None:
    clock, limit = StillClock(), Limit("x", 10, 10.0, 10)
    counters = MemoryCounters(clock, capacity=2)
    counters.restore(limit, "oa", 9.0)
    assert [counters.take_now([(limit, "oa")])[0].allowed for _ in range(2)] == [True, False]
    counters.restore(limit, "oa", 1.0)
    assert not counters.take_now([(limit, "oa")])[0].allowed
    for number in range(5):
        counters.restore(limit, f"p{number}", float(number))
    assert len(counters) == 2


async def test_closing_forgets_everything() -> None:
    counters = MemoryCounters(StillClock())
    await counters.take([(Limit("x", 1, 60.0, 1), "oa")])
    await counters.aclose()
    assert len(counters) == 0
