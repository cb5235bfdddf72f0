"""Rate counters shared by several processes through Redis, mostly without asking it.

A process leases a few tokens of a partition at a time; Redis is charged first, so tokens in flight or lost only ever refuse. A
lease shrinks at the limit's own rate, as the charge in Redis drains, which keeps every stretch of ``t`` seconds within
``burst + rate * t`` over all processes: at any moment Redis's level is at least what was really used and not yet drained, plus
every lease. Redis holds nothing that may not be lost; when it is gone or slow each process counts its share by itself, going on
from what it knew, so that one outage can add at most one burst.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.counters import gcra
from gateway.counters.memory import MemoryCounters
from gateway.ports import Clock, Limit, Quote

SCRIPT = resources.files(__package__).joinpath("lease.lua").read_text("utf-8")
MAX_CALLS = 100
"""Calls one run of the script answers; Redis serves nobody else meanwhile."""
RETRY_AFTER = 1.0
SHOWN_SLACK = 0.01
"""Of an interval: what the two clocks' readings of one round trip may differ by in a number that is only shown."""

log = structlog.get_logger()


@dataclass(slots=True)
class Lease:
    """What this process knows of one partition, all as moments of its own clock, like arrival times in ``gcra``.

    ``used`` moves one interval on with every call, ``space`` with every token leased: a call fits while ``used`` stays within
    ``space``. ``level`` is where Redis stood when last asked. Until ``blocked`` Redis has no token. Tokens of another
    ``interval``, from before the limit was changed, are worth nothing.
    """

    interval: float
    used: float = 0.0
    space: float = 0.0
    level: float = 0.0
    blocked: float = 0.0

    def ahead(self, now: float) -> float:
        """Seconds until the partition is full: Redis's level, less what is leased here and not used."""
        ahead = self.level - now if self.level > now else 0.0
        spare = self.space - (self.used if self.used > now else now)
        return max(0.0, ahead - spare) if spare > 0 else ahead


def _is_blocked(lease: Lease | None, now: float) -> bool:
    return lease is not None and now < lease.blocked


class _Call:
    """One call waiting for Redis. ``asked``, ``paid`` and ``refusing`` are positions in ``limits``."""

    __slots__ = ("answer", "asked", "limits", "paid", "refusing")

    def __init__(self, limits: Sequence[tuple[Limit, str]]) -> None:
        self.limits = limits
        self.asked: list[int] = []
        self.paid: set[int] = set()
        self.refusing: set[int] = set()
        self.answer: asyncio.Future[bool]


class RedisCounters:
    """Implements ``gateway.ports.Counters``.

    :param redis: URL (``redis://``, ``rediss://``, ``unix://``), or a client, which stays the caller's to close.
    :param processes: how many processes count together: each takes 1/``processes`` of a limit when Redis is gone.
    :param index: this process's number, from 0, if it has one: then the shares of a burst that does not divide add up to all
        of it. Without, each rounds down, and a burst below ``processes`` lets nothing through while Redis is gone.
    :param deadline: seconds one answer of Redis may take.
    :param batch: most tokens leased ahead, if that is more than 100 ms worth.
    :param capacity: partitions remembered here; more only cost further questions.
    :param on_change: called with ``degraded`` whenever it changes.
    """

    def __init__(
        self,
        redis: str | Redis,
        clock: Clock,
        *,
        processes: int,
        index: int | None = None,
        deadline: float = 0.05,
        batch: int = 256,
        capacity: int = 100_000,
        prefix: str = "erp-gateway:rate:",
        on_change: Callable[[bool], None] | None = None,
    ) -> None:
        self._owned = isinstance(redis, str)
        self._redis = Redis.from_url(redis, retry=Retry(NoBackoff(), 0)) if isinstance(redis, str) else redis
        self._run = self._redis.register_script(SCRIPT)
        self._monotonic = clock.monotonic
        self._shares = MemoryCounters(clock, capacity=capacity)
        self._leases: dict[tuple[str, str], Lease] = {}
        self._known: dict[tuple[str, str], Lease] = {}
        self._waiting: list[_Call] = []
        self._asking: asyncio.Task[None] | None = None
        self._processes, self._index = processes, index
        self._deadline, self._batch, self._capacity, self._prefix = deadline, batch, capacity, prefix
        self._on_change = on_change
        self._try_at = 0.0
        self.degraded = False

    def take_now(self, limits: Sequence[tuple[Limit, str]]) -> list[Quote] | None:
        """``take`` without awaiting, or ``None`` when Redis has to be asked."""
        now = self._monotonic()
        if self.degraded and now < self._try_at:
            return self._take_share(limits)
        return self._take_leased(limits, now)

    async def take(self, limits: Sequence[tuple[Limit, str]]) -> list[Quote]:
        quotes = self.take_now(limits)
        return await self._take_asking(limits) if quotes is None else quotes

    async def aclose(self) -> None:
        """Stop asking; calls still waiting get their answer from this process's share."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        if self._owned:
            await self._redis.aclose()

    async def _take_asking(self, limits: Sequence[tuple[Limit, str]]) -> list[Quote]:
        """Ask until every limit is paid, Redis refuses or is gone. More than one round is needed only when other calls used up,
        meanwhile, what was leased here."""
        if self.degraded:
            self._try_at = self._monotonic() + RETRY_AFTER
        call = _Call(limits)
        while True:
            now = self._monotonic()
            leases, call.asked = self._charge(limits, now, call.paid)
            if not call.asked:
                return self._quotes(limits, leases, now, ())
            if call.refusing:
                return self._quotes(limits, leases, now, call.refusing)
            if not await self._ask(call):
                return self._take_share(limits)

    # --- leases ------------------------------------------------------------------------------------------------------

    def _take_leased(self, limits: Sequence[tuple[Limit, str]], now: float) -> list[Quote] | None:
        leases, lacking = self._charge(limits, now, ())
        refusing = [position for position in lacking if _is_blocked(leases[position], now)] if lacking else ()
        return None if lacking and not refusing else self._quotes(limits, leases, now, refusing)

    def _charge(
        self, limits: Sequence[tuple[Limit, str]], now: float, paid: Collection[int]
    ) -> tuple[list[Lease | None], list[int]]:
        """Charge the leases, except at the positions that are ``paid``. Returns the lease of each limit, and the positions that
        have no token left: when there are any, nothing is charged."""
        leases: list[Lease | None] = []
        before: list[tuple[Lease, float]] = []
        lacking = []
        for position, (limit, partition) in enumerate(limits):
            lease = self._find(limit, partition)
            leases.append(lease)
            if position in paid:
                continue
            if lease is None:
                lacking.append(position)
                continue
            used = lease.used if lease.used > now else now
            if used + (1 - gcra.SLACK) * lease.interval > lease.space:
                lacking.append(position)
            else:
                before.append((lease, lease.used))
                lease.used = used + lease.interval
        if lacking:
            for lease, used in reversed(before):
                lease.used = used
        return leases, lacking

    def _quotes(
        self, limits: Sequence[tuple[Limit, str]], leases: list[Lease | None], now: float, refusing: Collection[int]
    ) -> list[Quote]:
        quotes = []
        for position, (limit, _) in enumerate(limits):
            lease = leases[position]
            ahead = 0.0 if lease is None else lease.ahead(now)
            if position in refusing:
                quotes.append(Quote(limit, False, 0, ahead, max(0.0, lease.blocked - now) if lease else 0.0))
            else:
                remaining = int(limit.burst - ahead * limit.count / limit.period + SHOWN_SLACK)
                quotes.append(Quote(limit, True, max(0, remaining), ahead, 0.0))
        return quotes

    # --- asking Redis ------------------------------------------------------------------------------------------------

    def _ask(self, call: _Call) -> asyncio.Future[bool]:
        """Have the next run of the script answer ``call``. False: there was no answer."""
        call.answer = asyncio.get_running_loop().create_future()
        self._waiting.append(call)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all())
        return call.answer

    async def _ask_all(self) -> None:
        """One question at a time: calls that come meanwhile wait for the next and share it. Answers thus come in order."""
        calls: list[_Call] = []
        try:
            while self._waiting:
                calls, self._waiting = self._waiting[:MAX_CALLS], self._waiting[MAX_CALLS:]
                sent = self._monotonic()
                async with asyncio.timeout(self._deadline):
                    answer = await self._question(calls)
                self._learn(calls, answer, sent)
                self._set_degraded(None)
        except (RedisError, OSError, TimeoutError, ValueError) as error:
            self._set_degraded(error)
        finally:
            for call in (*calls, *self._waiting):
                if not call.answer.done():
                    call.answer.set_result(False)
            self._waiting = []

    async def _question(self, calls: list[_Call]) -> Any:
        keys = []
        arguments: list[float | int] = [self._processes, self._batch, len(calls)]
        for call in calls:
            arguments.append(len(call.asked))
            for position in call.asked:
                limit, partition = call.limits[position]
                keys.append(f"{self._prefix}{len(limit.name)}:{limit.name}:{partition}")
                arguments += (limit.period / limit.count * 1e6, limit.burst)
        return await self._run(keys=keys, args=arguments)

    def _learn(self, calls: list[_Call], answer: Any, sent: float) -> None:
        """Enter the leases, each reckoned from before the question, and let the calls go on. A call that was granted has
        used one token of each lease, even if the rest has drained by now."""
        entries = _checked(answer, [call.limits[position][0].burst for call in calls for position in call.asked])
        for call in calls:
            for position in call.asked:
                limit, partition = call.limits[position]
                tokens, ahead = next(entries)
                interval = limit.period / limit.count
                lease = self._lease(limit, partition)
                ahead = min(ahead, limit.burst * interval)
                lease.level = sent + ahead
                if tokens > 0:
                    lease.space = max(lease.space, sent) + tokens * interval
                    lease.used = max(lease.used, sent) + interval
                    call.paid.add(position)
                elif tokens < 0:
                    call.refusing.add(position)
                    lease.blocked = sent + max(ahead - (limit.burst - 1) * interval, 0.0)
            if not call.answer.done():
                call.answer.set_result(True)

    def _lease(self, limit: Limit, partition: str) -> Lease:
        lease = self._find(limit, partition)
        if lease is None:
            if len(self._leases) >= self._capacity:
                self._leases.clear()
            lease = self._leases[limit.name, partition] = Lease(limit.period / limit.count)
        return lease

    def _find(self, limit: Limit, partition: str) -> Lease | None:
        lease = self._leases.get((limit.name, partition))
        return lease if lease is not None and lease.interval == limit.period / limit.count else None

    # --- without Redis -----------------------------------------------------------------------------------------------

    def _set_degraded(self, error: Exception | None) -> None:
        degraded = error is not None
        if degraded:
            self._try_at = self._monotonic() + RETRY_AFTER
        if degraded == self.degraded:
            return
        self.degraded = degraded
        if degraded:
            self._known, self._leases = self._leases, {}
            log.warning("counters.degraded", cause=type(error).__name__, processes=self._processes)
        else:
            self._known = {}
            log.info("counters.recovered")
        if self._on_change is not None:
            self._on_change(degraded)

    def _take_share(self, limits: Sequence[tuple[Limit, str]]) -> list[Quote]:
        shares = [(self._share(limit), partition) for limit, partition in limits]
        for (limit, partition), (share, _) in zip(limits, shares, strict=True):
            lease = self._known.pop((limit.name, partition), None)
            if lease is not None:
                drained = min(1.0, lease.ahead(self._monotonic()) / (limit.burst * lease.interval))
                self._shares.restore(share, partition, drained * share.burst * share.period / share.count)
        quotes = self._shares.take_now(shares)
        return [quote._replace(limit=limit) for quote, (limit, _) in zip(quotes, limits, strict=True)]

    def _share(self, limit: Limit) -> Limit:
        burst, rest = divmod(limit.burst, self._processes)
        if self._index is not None and self._index < rest:
            burst += 1
        return Limit(limit.name, limit.count, limit.period * self._processes, burst)


def _checked(answer: Any, bursts: list[int]) -> Any:
    """The script's answer as tokens and seconds. Raises ``ValueError`` for what is no answer of it."""
    entries = list(answer) if isinstance(answer, list | tuple) else []
    if len(entries) != len(bursts) or not all(map(_is_entry, entries, bursts)):
        raise ValueError("no answer of the lease script")
    return iter([(tokens, ahead / 1e6) for tokens, ahead in entries])


def _is_entry(entry: Any, burst: int) -> bool:
    return (
        isinstance(entry, list | tuple)
        and len(entry) == 2
        and all(isinstance(number, int) for number in entry)
        and -1 <= entry[0] <= burst
        and entry[1] >= 0
    )
