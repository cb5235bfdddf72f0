"""The decision log as it grows: what is put to disk at once, what is only counted, and when counts are written.

Calls that policy answers alike share a *window*, which begins with the first of them. A denial, and an allow of a sensitive
operation, is on disk before it is told, and so is the beginning of its window; further ones are counted, and the count is written
when the window ends. Ordinary allows are never waited for: their windows begin and end on disk a moment later. So a caller adds
at most two entries for each window of each question it asks, however often it asks, and whatever callers do, no more than
``MOST_WINDOWS`` of each kind are remembered. Without a ledger a denial is told, a sensitive allow is not, and what could not be
written waits, within bounds. Neither a reload nor a new policy takes anything from here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gateway.documents.decisions import record
from gateway.documents.ledger import Ledger
from gateway.errors import LedgerUnavailable
from gateway.exchange import Exchange, Principal
from gateway.people import Person
from gateway.ports import Asked, Clock, Decided, Decision, Policy, asked_by

log = structlog.get_logger()

MOST_WINDOWS = 10_000
MOST_WAITING = 2 * MOST_WINDOWS
"""Windows over and not yet on disk. What is beyond is counted as dropped."""
MOST_ADDRESSES = 8
"""Noted of one window."""
MOST_AT_ONCE = 1000
FLUSH_SECONDS = 1.0
WAIT_SECONDS = 5.0
"""How long a denial waits for the ledger before it is told nevertheless."""

Key = tuple[object, ...]


@dataclass(slots=True, eq=False)
class Window:
    """Calls decided alike. ``pending`` of them are not on disk; ``seq`` is the entry of the first, 0 until it is there.

    :param about: what all of them have in common.
    :param ends: when it ends, by the monotonic clock; ``over`` is whether that has been seen to.
    :param addresses: of the calls that are pending.
    """

    about: Decided
    ends: float
    pending: int = 0
    first: float = 0.0
    last: float = 0.0
    addresses: list[str] = field(default_factory=list)
    seq: int = 0
    over: bool = False
    writing: asyncio.Task[None] | None = None

    def add(self, address: str, now: float) -> None:
        if not self.pending:
            self.first = now
        self.pending += 1
        self.last = now
        if address not in self.addresses and len(self.addresses) < MOST_ADDRESSES:
            self.addresses.append(address)

    def decided(self) -> Decided:
        """What is pending, as it is to be written."""
        return replace(
            self.about,
            addresses=tuple(filter(None, self.addresses)),
            request="" if self.seq else self.about.request,
            first=self.first,
            last=self.last,
            count=self.pending,
            of=self.seq,
        )

    def written(self, decided: Decided, seq: int) -> None:
        self.pending -= decided.count
        self.seq = self.seq or seq
        self.first = decided.last
        self.addresses.clear()


def _decided(asked: Asked, decision: Decision, unmet: tuple[str, ...], policy: Policy) -> Decided:
    principal, operation, version, address, request = asked
    limits = decision.scope.rows if decision.scope is not None else ()
    return Decided(
        principal,
        operation,
        version,
        decision.allowed and not unmet,
        policy.sha256,
        tuple((place, policy.text(place)) for place in decision.rows),
        tuple((place, policy.text(place)) for place in limits),
        unmet,
        (address,) if address else (),
        request,
    )


class DecisionLog:
    """One per process; it outlives every snapshot. Belongs to one event loop.

    :ivar recorded: entries written since the start.
    :ivar dropped: calls whose decision could not be kept, since the start.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self.sampled: dict[Key, Window] = {}
        self._strict: dict[Key, Window] = {}
        self._waiting: dict[Window, None] = {}
        self._down = False
        self.recorded = 0
        self.dropped = 0

    @property
    def pending(self) -> int:
        """Calls whose decision is not on disk yet."""
        windows = {**self._waiting, **dict.fromkeys(self.sampled.values()), **dict.fromkeys(self._strict.values())}
        return sum(window.pending for window in windows)

    # --- told ----------------------------------------------------------------------------------------------------------------

    def sample(self, key: Key, about: Decided, lasts: float, address: str) -> None:
        """An ordinary allow that begins a window."""
        window = self._begun(self.sampled, key, about, lasts)
        window.add(address, self._clock.now())
        self._wait(window)

    async def allow(self, key: Key, about: Callable[[], Decided], lasts: float, address: str) -> None:
        """A sensitive allow. Raises ``LedgerUnavailable``."""
        window = self._strict.get(key) or self._begun(self._strict, key, about(), lasts)
        window.add(address, self._clock.now())
        if window.seq and not self._down:
            return
        try:
            await self._on_disk(window)
        except LedgerUnavailable:
            window.pending = max(0, window.pending - 1)
            if not window.pending and not window.seq and self._strict.get(key) is window:
                del self._strict[key]
            raise

    async def deny(self, key: Key, about: Callable[[], Decided], lasts: float, address: str) -> None:
        """A denial."""
        window = self._strict.get(key) or self._begun(self._strict, key, about(), lasts)
        window.add(address, self._clock.now())
        if window.seq:
            return
        self._wait(window)
        if self._down:
            return
        try:
            await asyncio.wait_for(self._on_disk(window), WAIT_SECONDS)
        except (LedgerUnavailable, TimeoutError) as error:
            self._lost(error)

    def _begun(self, windows: dict[Key, Window], key: Key, about: Decided, lasts: float) -> Window:
        if len(windows) >= MOST_WINDOWS:
            self._end(windows.pop(next(iter(windows))))
        windows[key] = window = Window(about, self._clock.monotonic() + lasts)
        return window

    def _wait(self, window: Window) -> None:
        """Leave it to the next flush. When too many wait, the oldest is given up."""
        if len(self._waiting) >= MOST_WAITING and window not in self._waiting:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            self._drop(oldest)
        self._waiting[window] = None

    def _end(self, window: Window) -> None:
        window.over = True
        if window.pending:
            self._wait(window)

    def _drop(self, window: Window) -> None:
        self.dropped += window.pending
        window.pending = 0

    # --- written -------------------------------------------------------------------------------------------------------------

    async def _on_disk(self, window: Window) -> None:
        """Until what is pending of a window is on disk. Raises ``LedgerUnavailable``."""
        if window.writing is None or window.writing.done():
            window.writing = asyncio.create_task(self._write(window), name="decision")
            window.writing.add_done_callback(_heard)
        await asyncio.shield(window.writing)

    async def _write(self, window: Window) -> None:
        decided = window.decided()
        try:
            seq = await self._ledger.write(lambda tx: record(tx, decided))
        except LedgerUnavailable as error:
            self._lost(error)
            raise
        except (SQLAlchemyError, ValueError) as error:
            log.error("decision.unwritable", operation=decided.operation, exc_info=error)
            self._waiting.pop(window, None)
            self._drop(window)
            raise LedgerUnavailable("The decision cannot be recorded.") from error
        self._found()
        self.recorded += 1
        window.written(decided, seq)
        if not (window.over and window.pending):
            self._waiting.pop(window, None)

    def _lost(self, error: Exception) -> None:
        if not self._down:
            log.error("decisions.unrecorded", exc_info=error)
        self._down = True

    def _found(self) -> None:
        if self._down:
            log.info("decisions.recorded_again")
        self._down = False

    async def flush(self, *, everything: bool = False) -> None:
        """Write what waits, and the counts of windows that are over; with ``everything``, of all windows."""
        now = self._clock.monotonic()
        for windows in (self._strict, self.sampled):
            while windows and (everything or next(iter(windows.values())).ends <= now):
                self._end(windows.pop(next(iter(windows))))
        while self._waiting:
            if self._down and not await self._attempt(next(iter(self._waiting))):
                return
            due = list(islice(self._waiting, MOST_AT_ONCE))
            if not all(await asyncio.gather(*map(self._attempt, due))) or not everything:
                return

    async def _attempt(self, window: Window) -> bool:
        try:
            await self._on_disk(window)
        except LedgerUnavailable:
            return False
        return True

    async def run(self, stop: asyncio.Event) -> None:
        """Flush until told to stop."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), FLUSH_SECONDS)
            await self.flush()

    async def aclose(self) -> None:
        """Write everything. What cannot be written is lost, and said so."""
        await self.flush(everything=True)
        lost = sum(window.pending for window in self._waiting)
        if lost:
            log.error("decisions.lost", calls=lost)

    def under(self, policy: Policy, *, sample: float, repeats: float) -> Recorder:
        """The log of a snapshot's policy. See ``Recorder``."""
        return Recorder(self, policy, policy.sha256, sample, repeats, self._clock.now)


def _heard(task: asyncio.Task[None]) -> None:
    """Whoever waited for it may have given up; its failure is told by the log."""
    if not task.cancelled():
        task.exception()


@dataclass(frozen=True, slots=True)
class Recorder:
    """Implements ``gateway.ports.Decisions`` for one snapshot.

    :param sample: how long a window of ordinary allows lasts, seconds; with 0 they are not noted.
    :param repeats: the same of all others.
    """

    log: DecisionLog
    policy: Policy
    sha256: str
    sample: float
    repeats: float
    now: Callable[[], float]

    def count(self, exchange: Exchange, decision: Decision) -> None:
        principal = exchange.principal
        if principal is None or not self.sample:
            return
        asks = (self.sha256, principal.subject, principal.tenant, principal.roles, exchange.operation, exchange.version)
        window = self.log.sampled.get(asks)
        if window is not None:
            window.add(exchange.request.peer, self.now())
            return
        about = _decided(asked_by(exchange, principal), decision, (), self.policy)
        self.log.sample(asks, about, self.sample, exchange.request.peer)

    async def allowed(self, asked: Asked, decision: Decision) -> None:
        about = partial(_decided, asked, decision, (), self.policy)
        await self.log.allow(self._key(asked, "allowed"), about, self.repeats, asked.address)

    async def denied(self, asked: Asked, decision: Decision, unmet: tuple[str, ...] = ()) -> None:
        about = partial(_decided, asked, decision, unmet, self.policy)
        await self.log.deny(self._key(asked, *unmet), about, self.repeats, asked.address)

    async def refused(self, person: Person, permission: str) -> None:
        """Somebody at the console lacks a permission: a denial like any other."""
        asked = Asked(Principal(person.subject, person.tenant, person.roles), permission, "")
        await self.denied(asked, self.policy.decide(asked.principal, permission, ""))

    def basis(self, exchange: Exchange) -> Decided | None:
        """The same policy has decided on the call before, and decides the same again."""
        principal = exchange.principal
        if principal is None:
            return None
        decision = self.policy.decide(principal, exchange.operation, exchange.version)
        return _decided(asked_by(exchange, principal), decision, (), self.policy)

    def _key(self, asked: Asked, *answer: str) -> Key:
        who = asked.principal
        return (self.sha256, who.subject, who.tenant, who.roles, asked.operation, asked.version, answer)
