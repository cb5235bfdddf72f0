"""All limits of a call are taken together; every outcome says how much is left."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.counters.memory import MemoryCounters
from gateway.errors import TooManyRequests
from gateway.exchange import Principal, Reply
from gateway.ports import Limit as Bound
from gateway.ports import Quote
from gateway.stages.limit import Limit

limits: TypeAdapter[Limit] = TypeAdapter(Limit)
OWN = Bound("satellite", 100, 1.0, 100)


class StandingClock:
    def now(self) -> float:
        return 1000.0

    def monotonic(self) -> float:
        return 1000.0


@pytest.mark.parametrize(
    ("text", "values", "shown"),
    [
        ("200/s", (200, 1.0, 200), "200/s"),
        ("10/min burst 3", (10, 60.0, 3), "10/min burst 3"),
        ("5000/d", (5000, 86400.0, 5000), "5000/d"),
        ("9/h burst 9", (9, 3600.0, 9), "9/h"),
    ],
)
def test_rates(text: str, values: tuple[int, float, int], shown: str) -> None:
    each = limits.validate_python({"each": text}).each
    assert each is not None
    assert tuple(each) == values
    assert str(each) == shown


@pytest.mark.parametrize(
    "text",
    ["", "5", 5, "5/w", "0/s", "-1/s", "5/s burst", "5/s burst 0", "5/s burst x", "5/s burst ٣", "5/sburst 3"]
)  # fmt: skip
def test_what_is_no_rate(text: object) -> None:
    with pytest.raises(ValidationError):
        limits.validate_python({"each": text})


def test_an_unknown_key() -> None:
    with pytest.raises(ValidationError, match="every"):
        limits.validate_python({"every": "5/s"})


async def test_without_limits_nothing_is_asked(runtime: Any, exchange: Any, answering: Any) -> None:
    assert (await Limit().build(runtime)(exchange(), answering(Reply(200)))).status == 200
    assert runtime.asked == []


@pytest.mark.parametrize("waits", [False, True])
async def test_whose_limits_are_taken(runtime: Any, exchange: Any, answering: Any, waits: bool) -> None:
    runtime.waits = waits
    runtime.own = [OWN]
    runtime.quotes = [Quote(OWN, True, 99, 0.01, 0.0)]
    call = exchange()
    call.principal = Principal("oa", "1000")
    stage = limits.validate_python({"all": "5/s", "each": "3/s"}).build(runtime)
    await stage(call, answering(Reply(200)))
    assert runtime.asked == [[("satellite", "oa"), ("route", "r.create"), ("satellite-route", "r.create oa")]]
    assert call.headers == [(b"ratelimit-policy", b'"satellite";q=100;w=1'), (b"ratelimit", b'"satellite";r=99;t=1')]


@pytest.mark.parametrize("waits", [False, True])
async def test_a_refusal_waits_for_the_limit_that_opens_last(runtime: Any, exchange: Any, answering: Any, waits: bool) -> None:
    runtime.waits = waits
    short, long, free = Bound("short", 5, 1.0, 5), Bound("long", 100, 86400.0, 100), Bound("free", 7, 90.5, 7)
    runtime.own = [short, long, free]
    runtime.quotes = [Quote(short, False, 0, 1.0, 0.2), Quote(long, False, 0, 3600.5, 61.2), Quote(free, True, 6, 1.0, 0.0)]
    call, handler = exchange(), answering(Reply(200))
    with pytest.raises(TooManyRequests) as caught:
        await Limit().build(runtime)(call, handler)
    assert caught.value.detail == "The limit 'long' allows 100 calls per day."
    assert caught.value.headers == {"retry-after": "62"}
    assert dict(call.headers)[b"ratelimit"] == b'"short";r=0;t=1, "long";r=0;t=3601, "free";r=6;t=1'
    assert handler.calls == 0


@pytest.mark.parametrize(
    ("period", "said"), [(1.0, "second"), (60.0, "minute"), (3600.0, "hour"), (86400.0, "day"), (1.5, "1.5 seconds")]
)
async def test_periods_in_words(period: float, said: str, runtime: Any, exchange: Any, answering: Any) -> None:
    bound = Bound("x", 5, period, 5)
    runtime.own, runtime.quotes = [bound], [Quote(bound, False, 0, 1.0, 0.0)]
    with pytest.raises(TooManyRequests, match=f"5 calls per {said}\\.") as caught:
        await Limit().build(runtime)(exchange(), answering(Reply(200)))
    assert caught.value.headers["retry-after"] == "1"


async def test_none_is_charged_when_one_refuses(runtime: Any, exchange: Any, answering: Any) -> None:
    counters = MemoryCounters(StandingClock())
    runtime.own = [Bound("satellite", 3, 1.0, 3)]
    stage = limits.validate_python({"each": "1/s"}).build(_With(runtime, counters))
    handler = answering(Reply(200))
    call = exchange()
    await stage(call, handler)
    for _ in range(5):
        with pytest.raises(TooManyRequests):
            await stage(exchange(), handler)
    (quote,) = await counters.take([(runtime.own[0], "")])
    assert quote.remaining == 1


class _With:
    """A runtime with counters of its own."""

    def __init__(self, runtime: Any, counters: Any) -> None:
        self.counters = counters
        self.limits_of = runtime.limits_of
