"""One suite over both stores: units, grouped commits, and a ledger that goes away."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from gateway.documents import tables
from gateway.documents.ledger import Ledger, LedgerUnavailable, Transaction, WrongAuditKey, open_ledger
from gateway.documents.records import Todo, find, put
from gateway.documents.states import Event
from tests.documents.support import KEY, NOON, HandClock, chain, document, note, record, verdict
from tests.support import ROOT, PostgresServer


async def kinds(ledger: Ledger) -> list[str]:
    rows, _ = await chain(ledger)
    return [row.entry.split('"kind":"')[1].partition('"')[0] for row in rows]


async def test_a_result_is_told_after_its_commit(ledger: Ledger) -> None:
    recorded = await record(ledger)
    assert await ledger.read(lambda connection: find(connection, recorded.id)) == recorded


async def test_writers_share_commits(ledger: Ledger) -> None:
    before = ledger.commits

    async def writer() -> None:
        for _ in range(4):
            await record(ledger)

    await asyncio.gather(*(writer() for _ in range(64)))
    assert (ledger.commits - before) / 256 <= 0.1
    assert (await verdict(ledger)).intact


async def test_a_unit_that_fails_before_it_writes_does_not_disturb_others(ledger: Ledger) -> None:
    def refuses(tx: Transaction) -> None:
        raise LookupError("no")

    before = ledger.commits
    results = await asyncio.gather(
        ledger.write(note("one")), ledger.write(refuses), ledger.write(note("two")), return_exceptions=True
    )
    assert [type(result) for result in results] == [int, LookupError, int]
    assert await kinds(ledger) == ["one", "two"]
    assert ledger.commits == before + 1


async def test_a_unit_that_fails_after_it_wrote_leaves_nothing(ledger: Ledger) -> None:
    lost = document()

    def breaks(tx: Transaction) -> None:
        tx.audit("broken", "test", document=lost.id)
        tx.write(insert(tables.sessions), session("half"))
        raise LookupError("too late")

    results = await asyncio.gather(
        ledger.write(note("one")), ledger.write(breaks), ledger.write(note("two")), return_exceptions=True
    )
    assert [type(result) for result in results] == [int, LookupError, int]
    assert results[2] == results[0] + 1
    assert await kinds(ledger) == ["one", "two"]
    assert await sessions(ledger) == []
    assert (await verdict(ledger)).intact


def session(name: str) -> dict[str, object]:
    return {"id": name, "person": "p", "data": "{}", "created_at": 0, "seen_at": 0, "authenticated_at": 0}


async def sessions(ledger: Ledger) -> list[str]:
    return await ledger.read(lambda connection: list(connection.execute(select(tables.sessions.c.id)).scalars()))


async def test_a_unit_the_database_refuses_gets_the_error_alone(ledger: Ledger) -> None:
    def inserts(tx: Transaction) -> None:
        tx.write(insert(tables.sessions), session("same"))

    results = await asyncio.gather(
        ledger.write(inserts), ledger.write(note("one")), ledger.write(inserts), ledger.write(note("two")), return_exceptions=True
    )
    assert [type(result) for result in results] == [type(None), int, IntegrityError, int]
    assert await sessions(ledger) == ["same"]
    assert await kinds(ledger) == ["one", "two"]


async def test_who_gives_up_waiting_does_not_undo_the_unit(ledger: Ledger) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        entered.set()
        if tx.connection.dialect.name == "sqlite":  # on PostgreSQL units run in this thread
            leave.wait(10)
        tx.audit("slow", "test")

    waiters = [asyncio.create_task(ledger.write(slow)), asyncio.create_task(ledger.write(note("queued")))]
    await asyncio.to_thread(entered.wait, 10)
    for waiter in waiters:
        waiter.cancel()
    leave.set()
    await asyncio.wait(waiters)
    await ledger.write(note("last"))
    assert await kinds(ledger) == ["slow", "queued", "last"]


async def test_all_units_of_a_commit_have_one_time(ledger: Ledger, clock: HandClock) -> None:
    times = await asyncio.gather(*(ledger.write(lambda tx: tx.now) for _ in range(8)))
    assert set(times) == {clock.time}


async def test_a_reader_sees_one_state_and_cannot_write(ledger: Ledger) -> None:
    def writes(connection: object) -> None:
        connection.execute(insert(tables.sessions), session("reader"))  # type: ignore[attr-defined]

    with pytest.raises(LedgerUnavailable):
        await ledger.read(writes)
    assert await sessions(ledger) == []


async def test_somebody_waiting_is_told_of_a_change(ledger: Ledger) -> None:
    recorded = await record(ledger, Event.QUEUE)
    waiting = asyncio.create_task(ledger.changed(recorded.id, 30))
    other = asyncio.create_task(ledger.changed("another", 0.01))
    await other
    assert not waiting.done()

    def touches(tx: Transaction) -> None:
        tx.audit("touched", "test")
        tx.touched.add(recorded.id)

    await ledger.write(touches)
    await asyncio.wait_for(waiting, 0.5)
    assert ledger._watched == {}


async def test_work_is_announced_after_the_commit_to_everybody_who_listens(ledger: Ledger) -> None:
    listening = [ledger.listen(), ledger.listen()]
    await record(ledger, Event.QUEUE)
    assert all(event.is_set() for event in listening)


async def test_work_for_later_wakes_nobody(ledger: Ledger) -> None:
    listening = ledger.listen()
    await ledger.write(lambda tx: put(tx, [Todo("probe", NOON + 1, None)]))
    await record(ledger, Event.SEND)
    assert not listening.is_set()
    await ledger.write(lambda tx: put(tx, [Todo("ask", NOON, None), Todo("expire", NOON + 1, None)]))
    assert listening.is_set()


async def test_closing_writes_what_waits(ledger_url: str, clock: HandClock) -> None:
    async with open_ledger(ledger_url, KEY, clock) as ledger:
        waiting = [asyncio.create_task(ledger.write(note(f"n{number}"))) for number in range(20)]
        await asyncio.sleep(0)
    assert [await task for task in waiting] == list(range(1, 21))
    with pytest.raises(LedgerUnavailable):
        await ledger.write(note("late"))
    with pytest.raises(LedgerUnavailable):
        await ledger.read(lambda connection: None)


async def test_another_audit_key_is_refused(ledger_url: str, clock: HandClock) -> None:
    async with open_ledger(ledger_url, KEY, clock) as ledger:
        await ledger.write(note("one"))
    with pytest.raises(WrongAuditKey):
        async with open_ledger(ledger_url, b"another" * 5, clock):
            pass


# --- the ledger goes away ----------------------------------------------------------------------------------------------------


async def test_a_full_disk_is_unavailable_and_passes(tmp_path: Path, clock: HandClock) -> None:
    async with open_ledger(f"sqlite:///{tmp_path}/ledger.db", KEY, clock) as ledger:
        pages = await ledger.read(lambda connection: connection.execute(text("PRAGMA page_count")).scalar_one())

        def fills(tx: Transaction) -> None:
            tx.connection.execute(text(f"PRAGMA max_page_count = {pages}"))
            tx.write(insert(tables.sessions), session("x") | {"data": "x" * 1_000_000})

        results = await asyncio.gather(ledger.write(fills), ledger.write(note("beside")), return_exceptions=True)
        assert [type(result) for result in results] == [LedgerUnavailable, LedgerUnavailable]
        await ledger.write(lambda tx: tx.connection.execute(text("PRAGMA max_page_count = 1000000")).close())
        assert await ledger.write(note("again")) == 1


async def test_a_connection_killed_in_mid_batch(postgres_server: PostgresServer, postgres_url: str, clock: HandClock) -> None:
    async with open_ledger(postgres_url, KEY, clock) as ledger:

        def dies(tx: Transaction) -> None:
            tx.audit("lost", "test")
            backend = tx.connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            postgres_server.sql(f"SELECT pg_terminate_backend({backend})")
            tx.connection.execute(text("SELECT 1"))

        results = await asyncio.gather(
            ledger.write(note("before")), ledger.write(dies), ledger.write(note("after")), return_exceptions=True
        )
        assert [type(result) for result in results] == [LedgerUnavailable] * 3
        assert "same idempotency key" in str(results[0])
        assert await ledger.write(note("again")) == 1
        assert await kinds(ledger) == ["again"]


async def test_a_server_that_dies_and_comes_back(postgres_server: PostgresServer, postgres_url: str, clock: HandClock) -> None:
    async with open_ledger(postgres_url, KEY, clock) as ledger:
        await ledger.write(note("before"))
        postgres_server.kill()
        try:
            with pytest.raises(LedgerUnavailable):
                await ledger.write(note("lost"))
            with pytest.raises(LedgerUnavailable):
                await ledger.read(lambda connection: None)
        finally:
            postgres_server.resume()
        assert await ledger.write(note("after")) == 2
        assert (await verdict(ledger)).intact


async def test_opening_an_unreachable_ledger_says_so(tmp_path: Path, clock: HandClock) -> None:
    with pytest.raises(OSError):
        async with open_ledger("postgresql://nobody@127.0.0.1:1/none", KEY, clock):
            pass


# --- several processes -------------------------------------------------------------------------------------------------------

WRITER = """
import asyncio, sys
from gateway.documents.ledger import open_ledger
from tests.documents.support import KEY, HandClock, record

async def main(url, count):
    async with open_ledger(url, KEY, HandClock()) as ledger:
        sys.stdout.write("ready\\n"); sys.stdout.flush()
        sys.stdin.readline()
        await asyncio.gather(*(record(ledger) for _ in range(count)))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_several_processes_write_one_chain(ledger: Ledger, ledger_url: str) -> None:
    command = (sys.executable, "-c", WRITER, ledger_url, "50")
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    writers = [await asyncio.create_subprocess_exec(*command, cwd=ROOT, **pipes) for _ in range(3)]
    for writer in writers:
        assert writer.stdout
        assert await writer.stdout.readline() == b"ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write(b"go\n")
    await asyncio.gather(*(record(ledger) for _ in range(50)))
    for writer in writers:
        await writer.communicate()
        assert writer.returncode == 0
    found = await verdict(ledger)
    assert found.intact
    assert found.entries == 4 * 50 * 2
