"""What is on disk when a caller is told, what is counted, and what happens without a ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.documents import decision_log
from gateway.documents.decision_log import DecisionLog, Recorder
from gateway.documents.decisions import Search, decisions
from gateway.documents.ledger import Ledger
from gateway.errors import LedgerUnavailable
from gateway.exchange import Exchange, Principal, Request, Whole
from gateway.ports import Asked, Decided, Decision
from gateway.scope import Scope
from tests.documents.support import NOON, HandClock, verdict

OA = Principal("oa", "demo")
YES = Decision(True, ("policy.csv:2",))
NO = Decision(False)


@dataclass
class Policy:
    sha256: str = "a" * 64

    def decide(self, principal: Principal, operation: str, version: str) -> Decision:
        raise AssertionError("it was decided before")

    def text(self, place: str) -> str:
        return f"the row at {place}"


@dataclass
class Fragile:
    """A ledger that is gone for as long as a test says."""

    ledger: Ledger
    gone: bool = False
    hangs: asyncio.Event | None = None
    asked: int = 0

    async def write(self, unit: Callable[[Any], Any]) -> Any:
        self.asked += 1
        if self.hangs is not None:
            await self.hangs.wait()
        if self.gone:
            raise LedgerUnavailable("gone")
        return await self.ledger.write(unit)


@pytest.fixture
def fragile(ledger: Ledger) -> Fragile:
    return Fragile(ledger)


@pytest.fixture
def log(fragile: Fragile, clock: HandClock) -> DecisionLog:
    return DecisionLog(fragile, clock)  # type: ignore[arg-type]


@pytest.fixture
def recorder(log: DecisionLog) -> Recorder:
    return log.under(Policy(), sample=3600, repeats=60)


def asked(who: Principal = OA, *, address: str = "10.0.0.1", request: str = "r-1", operation: str = "stock.get") -> Asked:
    return Asked(who, operation, "v1", address, request)


def call(who: Principal = OA, *, address: str = "10.0.0.1", operation: str = "stock.get") -> Exchange:
    exchange = Exchange(Request("GET", "/", "", [], Whole(b""), address), "r-1", operation, "v1", {})
    exchange.principal = who
    return exchange


async def kept(ledger: Ledger) -> list[Decided]:
    """Oldest first."""
    return (await ledger.read(lambda connection: decisions(connection, Search(), limit=1000)))[::-1]


async def counts(ledger: Ledger) -> list[tuple[bool, int, int]]:
    return [(one.allowed, one.count, one.of) for one in await kept(ledger)]


# --- denials ---------------------------------------------------------------------------------------------------------


async def test_a_denial_is_on_disk_before_it_is_told(ledger: Ledger, recorder: Recorder) -> None:
    scope = Scope(rows=("policy.csv:7",))
    await recorder.denied(asked(), Decision(True, ("policy.csv:2",), scope), ("network",))
    (one,) = await kept(ledger)
    assert one == Decided(
        OA,
        "stock.get",
        "v1",
        False,
        "a" * 64,
        (("policy.csv:2", "the row at policy.csv:2"),),
        (("policy.csv:7", "the row at policy.csv:7"),),
        ("network",),
        ("10.0.0.1",),
        "r-1",
        NOON,
        NOON,
        seq=1,
    )


async def test_a_storm_of_denials_is_two_entries_a_window(
    ledger: Ledger, fragile: Fragile, log: DecisionLog, recorder: Recorder, clock: HandClock
) -> None:
    await asyncio.gather(*(recorder.denied(asked(address=f"10.0.0.{n % 20}"), NO) for n in range(1000)))
    assert fragile.asked == 1
    clock.time += 59
    await recorder.denied(asked(), NO)
    await log.flush()
    assert len(await kept(ledger)) == 1
    clock.time += 1
    await log.flush()
    entries = await kept(ledger)
    assert [(one.allowed, one.of) for one in entries] == [(False, 0), (False, 1)]
    assert sum(one.count for one in entries) == 1001
    assert all(len(one.addresses) <= decision_log.MOST_ADDRESSES for one in entries)
    assert entries[1].last == NOON + 59
    await recorder.denied(asked(), NO)
    assert [(one.count, one.of) for one in await kept(ledger)][2:] == [(1, 0)]
    assert (log.recorded, log.dropped, log.pending) == (3, 0, 0)
    assert (await verdict(ledger)).intact


async def test_another_answer_is_another_question(ledger: Ledger, log: DecisionLog, recorder: Recorder) -> None:
    await recorder.denied(asked(), NO)
    await recorder.denied(asked(), YES, ("fields",))
    await recorder.denied(asked(Principal("oa", "demo", ("night",))), NO)
    await recorder.denied(asked(Principal("oa", "cn01")), NO)
    await log.under(Policy("b" * 64), sample=3600, repeats=60).denied(asked(), NO)
    assert await counts(ledger) == [(False, 1, 0)] * 5


async def test_a_denial_without_a_ledger_is_told_and_written_later(
    ledger: Ledger, fragile: Fragile, log: DecisionLog, recorder: Recorder, clock: HandClock
) -> None:
    fragile.gone = True
    for n in range(5):
        await recorder.denied(asked(), NO)
        await recorder.denied(asked(operation=f"other.{n}"), NO)
    assert fragile.asked == 1, "whoever comes while it is known to be gone does not wait for it"
    await log.flush()
    assert fragile.asked == 2
    assert (log.recorded, log.pending) == (0, 10)
    fragile.gone, clock.time = False, clock.time + 3
    await log.flush()
    assert sorted((one.operation, one.count, one.first) for one in await kept(ledger)) == [
        *((f"other.{n}", 1, NOON) for n in range(5)),
        ("stock.get", 5, NOON),
    ]
    await recorder.denied(asked(operation="last.one"), NO)
    assert len(await kept(ledger)) == 7


async def test_a_ledger_that_hangs_delays_a_denial_only_so_long(
    ledger: Ledger, fragile: Fragile, log: DecisionLog, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_log, "WAIT_SECONDS", 0.01)
    fragile.hangs = asyncio.Event()
    await recorder.denied(asked(), NO)
    await recorder.denied(asked(), NO)
    assert await kept(ledger) == []
    fragile.hangs.set()
    await log.flush(everything=True)
    assert sum(one.count for one in await kept(ledger)) == 2
    assert log.pending == 0


# --- sensitive allows ------------------------------------------------------------------------------------------------


async def test_a_sensitive_allow_is_on_disk_before_it_is_made(ledger: Ledger, fragile: Fragile, recorder: Recorder) -> None:
    await recorder.allowed(asked(), YES)
    await recorder.allowed(asked(), YES)
    assert await counts(ledger) == [(True, 1, 0)]
    assert fragile.asked == 1


async def test_no_record_no_success(ledger: Ledger, fragile: Fragile, log: DecisionLog, recorder: Recorder) -> None:
    await recorder.allowed(asked(), YES)
    fragile.gone = True
    with pytest.raises(LedgerUnavailable):
        await recorder.allowed(asked(operation="reports.finance"), YES)
    with pytest.raises(LedgerUnavailable):
        await recorder.allowed(asked(), YES)
    fragile.gone = False
    await log.flush(everything=True)
    assert await counts(ledger) == [(True, 1, 0)], "what was refused for want of a record was not allowed"
    await recorder.allowed(asked(operation="reports.finance"), YES)
    assert len(await kept(ledger)) == 2


async def test_all_who_ask_together_wait_for_the_same_record(ledger: Ledger, fragile: Fragile, recorder: Recorder) -> None:
    fragile.hangs = asyncio.Event()
    waiting = [asyncio.create_task(recorder.allowed(asked(), YES)) for _ in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    fragile.gone = True
    fragile.hangs.set()
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(one) for one in told} == {LedgerUnavailable}
    assert await kept(ledger) == []


# --- ordinary allows -------------------------------------------------------------------------------------------------


async def test_ordinary_allows_are_sampled_and_counted(
    ledger: Ledger, fragile: Fragile, log: DecisionLog, recorder: Recorder, clock: HandClock
) -> None:
    for n in range(100):
        recorder.count(call(address=f"10.0.0.{n % 2}"), YES)
    assert fragile.asked == 0
    await log.flush()
    assert await counts(ledger) == [(True, 100, 0)]
    recorder.count(call(address="10.9.9.9"), YES)
    clock.time += 10
    recorder.count(call(), YES)
    await log.flush()
    assert len(await kept(ledger)) == 1, "the window goes on"
    clock.time += 3600
    await log.flush()
    (first, rest) = await kept(ledger)
    assert (first.addresses, first.request) == (("10.0.0.0", "10.0.0.1"), "r-1")
    assert (rest.count, rest.of, rest.addresses, rest.request) == (2, first.seq, ("10.9.9.9", "10.0.0.1"), "")
    assert (rest.first, rest.last) == (NOON, NOON + 10)
    recorder.count(call(), YES)
    await log.flush()
    assert (await counts(ledger))[2:] == [(True, 1, 0)]


async def test_no_caller_is_missed_whatever_the_number(
    ledger: Ledger, log: DecisionLog, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_log, "MOST_WINDOWS", 10)
    for _ in range(2):
        for n in range(50):
            recorder.count(call(Principal(f"s{n}", "demo")), YES)
    assert len(log.sampled) == 10
    await log.flush(everything=True)
    found = await kept(ledger)
    assert {one.principal.subject for one in found} == {f"s{n}" for n in range(50)}
    assert sum(one.count for one in found) == 100
    assert log.dropped == 0


async def test_memory_is_bounded_without_a_ledger(
    ledger: Ledger, fragile: Fragile, log: DecisionLog, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_log, "MOST_WINDOWS", 10)
    monkeypatch.setattr(decision_log, "MOST_WAITING", 20)
    fragile.gone = True
    for n in range(200):
        await recorder.denied(asked(Principal(f"s{n}", "demo")), NO)
        recorder.count(call(Principal(f"s{n}", "demo")), YES)
    assert log.pending <= 40
    assert log.pending + log.dropped == 400
    fragile.gone = False
    await log.flush(everything=True)
    assert sum(one.count for one in await kept(ledger)) == 400 - log.dropped


async def test_nothing_is_noted_of_ordinary_calls_where_that_is_off(ledger: Ledger, log: DecisionLog) -> None:
    log.under(Policy(), sample=0, repeats=60).count(call(), YES)
    await log.flush(everything=True)
    assert await kept(ledger) == []


# --- the end ---------------------------------------------------------------------------------------------------------


async def test_what_is_counted_is_written_at_the_end(ledger: Ledger, log: DecisionLog, recorder: Recorder) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(log.run(stop))
    recorder.count(call(), YES)
    await recorder.denied(asked(), NO)
    await recorder.denied(asked(), NO)
    stop.set()
    await running
    recorder.count(call(), YES)
    await log.aclose()
    assert sum(one.count for one in await kept(ledger)) == 4
    assert log.pending == 0


async def test_what_cannot_be_written_stops_nothing_else(ledger: Ledger, log: DecisionLog, recorder: Recorder) -> None:
    bad = Principal("oa", "demo", (0.5,))  # type: ignore[arg-type]
    await recorder.denied(asked(bad), NO)
    recorder.count(call(bad), YES)
    recorder.count(call(), YES)
    await log.flush()
    await log.flush()
    assert await counts(ledger) == [(True, 1, 0)]
    assert log.dropped == 2
