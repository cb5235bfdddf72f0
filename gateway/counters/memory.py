"""Rate counters inside one process.

One number a partition, in a dict of bounded size. When it is full the partition that will be idle first makes room, so a drained
one is never forgotten while an idle one is kept. The order is a heap that is only put right when room is needed.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from gateway.counters import gcra
from gateway.ports import Clock, Limit, Quote

Key = tuple[str, str]


class MemoryCounters:
    """Implements ``gateway.ports.Counters``.

    A partition is known by the limit's name and its own, so a limit keeps its counts when its numbers change. Time is
    ``clock.monotonic()``.

    :param capacity: how many partitions to remember.
    """

    def __init__(self, clock: Clock, *, capacity: int = 100_000) -> None:
        self._monotonic = clock.monotonic
        self._capacity = capacity
        self._tats: dict[Key, float] = {}
        self._order: list[tuple[float, Key]] = []

    def __len__(self) -> int:
        return len(self._tats)

    def partitions(self) -> list[Key]:
        """Limit name and partition of everything remembered."""
        return list(self._tats)

    def take_now(self, limits: Sequence[tuple[Limit, str]]) -> list[Quote]:
        """``take`` without awaiting: nothing here ever waits."""
        now = self._monotonic()
        tats = self._tats
        before: list[tuple[Key, float | None]] = []
        quotes = []
        for position, (limit, partition) in enumerate(limits):
            key = (limit.name, partition)
            old = tats.get(key)
            charged = gcra.charge(limit, now if old is None else old, now)
            if charged is None:
                return self._refuse(limits, position, before, now)
            before.append((key, old))
            tats[key], quote = charged
            quotes.append(quote)
        if len(tats) > len(self._order):
            self._make_room([key for key, old in before if old is None])
        return quotes

    def restore(self, limit: Limit, partition: str, ahead: float) -> None:
        """Take over what another store knew: the partition is full again no sooner than in ``ahead`` seconds."""
        key = (limit.name, partition)
        new = [] if key in self._tats else [key]
        now = self._monotonic()
        self._tats[key] = max(self._tats.get(key, now), now + ahead)
        self._make_room(new)

    async def take(self, limits: Sequence[tuple[Limit, str]]) -> list[Quote]:
        return self.take_now(limits)

    async def aclose(self) -> None:
        self._tats.clear()
        self._order.clear()

    def _refuse(
        self, limits: Sequence[tuple[Limit, str]], refusing: int, before: list[tuple[Key, float | None]], now: float
    ) -> list[Quote]:
        """Take back what was charged and quote without charging. ``refusing`` is the position of the limit that said no."""
        for key, old in reversed(before):
            if old is None:
                del self._tats[key]
            else:
                self._tats[key] = old
        quotes = []
        for position, (limit, partition) in enumerate(limits):
            key = (limit.name, partition)
            if key in self._tats:
                self._tats[key] = gcra.bounded(limit, self._tats[key], now)
            quote = gcra.quote(limit, self._tats.get(key, now), now)
            if position == refusing and quote.allowed:
                quote = Quote(limit, False, 0, quote.reset, limit.period / limit.count)
            quotes.append(quote)
        return quotes

    def _make_room(self, new: list[Key]) -> None:
        """Order the new partitions and forget those idle first. An entry out of date goes back to its present place: each
        such step is paid for by a charge since the last one."""
        for key in new:
            heapq.heappush(self._order, (self._tats[key], key))
        while len(self._tats) > self._capacity:
            tat, key = self._order[0]
            if self._tats[key] == tat:
                heapq.heappop(self._order)
                del self._tats[key]
            else:
                heapq.heapreplace(self._order, (self._tats[key], key))
