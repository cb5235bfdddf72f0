"""How often: the satellite's own limits, the route's, and the satellite's on this route, taken together or not at all."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import ConfigDict, PlainValidator, WithJsonSchema

from gateway.config.rate import PERIODS, parse_rate
from gateway.config.values import wrong
from gateway.errors import TooManyRequests
from gateway.exchange import Exchange, Headers, Reply
from gateway.pipeline import Handler, Phase, Stage
from gateway.ports import Limit as Bound
from gateway.ports import Quote, Runtime


class Allowance(NamedTuple):
    """``calls`` per ``period`` seconds, ``burst`` at once."""

    calls: int
    period: float
    burst: int

    def __str__(self) -> str:
        rate = f"{self.calls}/{_UNITS[self.period]}"
        return rate if self.burst == self.calls else f"{rate} burst {self.burst}"


_UNITS = {period: unit for unit, period in PERIODS.items()}


def _rate(text: Any) -> Allowance:
    """``200/s`` or ``200/s burst 400`` to count, period and burst."""
    if not isinstance(text, str):
        raise wrong(f"is {text!r}", "write a rate such as 100/s, or 100/s burst 200")
    rate, found, burst = text.partition(" burst ")
    count, period = parse_rate(rate)
    if not found:
        return Allowance(count, period, count)
    if not re.fullmatch(r"[1-9][0-9]{0,8}", burst):
        raise wrong(f"has the burst {burst!r}", "write a whole number of calls, such as 100/s burst 200")
    return Allowance(count, period, int(burst))


Rate = Annotated[Allowance, PlainValidator(_rate), WithJsonSchema({"type": "string", "examples": ["100/s", "100/s burst 200"]})]


@dataclass(frozen=True, slots=True)
class Limit:
    """How often this route may be called, beside the limits a satellite has of its own.

    :param all: all callers together, such as ``200/s`` or ``200/s burst 400``.
    :param each: each caller on this route.
    """

    all: Rate | None = None
    each: Rate | None = None
    phase: ClassVar[Phase] = Phase.LIMIT
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def build(self, runtime: Runtime) -> Stage:
        whole = Bound("route", *self.all) if self.all else None
        each = Bound("satellite-route", *self.each) if self.each else None
        limits_of, take_now, take = runtime.limits_of, runtime.counters.take_now, runtime.counters.take

        def limit(exchange: Exchange, call_next: Handler) -> Awaitable[Reply]:
            subject = exchange.principal.subject if exchange.principal else ""
            charges = [(own, subject) for own in limits_of(subject)]
            if whole is not None:
                charges.append((whole, exchange.operation))
            if each is not None:
                charges.append((each, f"{exchange.operation} {subject}"))
            if charges:
                quotes = take_now(charges)
                if quotes is None:
                    return wait(exchange, charges, call_next)
                admit(exchange, quotes)
            return call_next(exchange)

        async def wait(exchange: Exchange, charges: list[tuple[Bound, str]], call_next: Handler) -> Reply:
            admit(exchange, await take(charges))
            return await call_next(exchange)

        return limit


def admit(exchange: Exchange, quotes: Sequence[Quote]) -> None:
    """Tell the caller where it stands. Raises ``TooManyRequests``."""
    exchange.headers += rate_headers(quotes)
    for quote in quotes:
        if not quote.allowed:
            raise too_many(quotes)


def too_many(quotes: Sequence[Quote]) -> TooManyRequests:
    """The refusal, with the wait of the limit that opens last."""
    refusal = max((quote for quote in quotes if not quote.allowed), key=lambda quote: quote.retry_after)
    limit = refusal.limit
    detail = f"The limit '{limit.name}' allows {limit.count} calls per {_period(limit.period)}."
    return TooManyRequests(detail, headers={"retry-after": str(max(1, ceil(refusal.retry_after)))})


def _period(seconds: float) -> str:
    return {1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day"}.get(seconds, f"{seconds:g} seconds")


def rate_headers(quotes: Sequence[Quote]) -> Headers:
    """``RateLimit-Policy`` and ``RateLimit`` (draft-ietf-httpapi-ratelimit-headers): q calls per w seconds; r left, t seconds
    until the limit is whole again."""
    if len(quotes) == 1:
        limit, _, remaining, reset, _ = quotes[0]
        state = f'"{limit.name}";r={remaining};t={ceil(reset)}'
        return [(b"ratelimit-policy", limit.policy.encode("ascii")), (b"ratelimit", state.encode("ascii"))]
    policy = ", ".join([quote.limit.policy for quote in quotes])
    state = ", ".join([f'"{q.limit.name}";r={q.remaining};t={ceil(q.reset)}' for q in quotes])
    return [(b"ratelimit-policy", policy.encode("ascii")), (b"ratelimit", state.encode("ascii"))]
