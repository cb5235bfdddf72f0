"""Sessions: what opens one, what ends one, and what is remembered once."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from sqlalchemy import select, text

from gateway.console.sessions import Sessions
from gateway.documents.tables import sessions as table
from gateway.people import Person
from tests.console.world import World

PERSON = Person("approver-a", "Approver A", "demo", ("finance-approver",), "oidc")


@pytest.fixture
def sessions(console: World) -> Sessions:
    return Sessions(console.ledger, console.clock, idle=900, lifetime=8 * 3600)


async def test_a_cookie_finds_its_session(console: World, sessions: Sessions) -> None:
    opened = await sessions.open(PERSON, console.clock.now(), data={"id_token": "x"})
    assert await sessions.find(opened.token, touch=True) == opened
    assert opened.person == PERSON


async def test_the_ledger_opens_no_session(console: World, sessions: Sessions) -> None:
    opened = await sessions.open(PERSON, console.clock.now())
    rows = await console.ledger.read(lambda connection: connection.execute(select(table)).mappings().all())
    assert len(rows) == 1
    assert opened.token not in str(rows)
    assert await sessions.find(rows[0]["id"], touch=True) is None


async def test_a_row_the_gateway_did_not_write_opens_nothing(console: World, sessions: Sessions) -> None:
    token, mine = "t" * 43, await sessions.open(PERSON, console.clock.now())
    row = dict(await console.ledger.read(lambda connection: connection.execute(select(table)).mappings().one()))
    forged = {**row, "id": hashlib.sha256(token.encode()).hexdigest()}
    await console.ledger.write(lambda tx: tx.write(table.insert(), forged).close())
    assert await sessions.find(token, touch=True) is None
    assert await sessions.find(mine.token, touch=True) == mine


@pytest.mark.parametrize(
    "change",
    ["person = 'approver-b'", "data = replace(data, 'finance-approver', 'cfo')", "authenticated_at = authenticated_at + 900"],
)
async def test_a_row_somebody_changed_opens_nothing(console: World, sessions: Sessions, change: str) -> None:
    opened = await sessions.open(PERSON, console.clock.now())
    await sessions.remember(opened, "decision", {"number": "n"})
    await console.ledger.write(lambda tx: tx.connection.execute(text(f"UPDATE sessions SET {change}")).close())
    assert await sessions.find(opened.token, touch=True) is None
    assert await sessions.take(opened, "decision") is None


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "a" * 10_000, "ü" * 43])
async def test_an_invented_cookie_finds_nothing(sessions: Sessions, token: str) -> None:
    assert await sessions.find(token, touch=True) is None


async def test_a_session_ends_when_it_is_idle(console: World, sessions: Sessions) -> None:
    opened = await sessions.open(PERSON, console.clock.now())
    for _ in range(3):
        console.clock.time += 890
        assert await sessions.find(opened.token, touch=True) is not None
    console.clock.time += 900
    assert await sessions.find(opened.token, touch=True) is None


async def test_a_page_that_refreshes_itself_keeps_nothing_alive(console: World, sessions: Sessions) -> None:
    opened = await sessions.open(PERSON, console.clock.now())
    for _ in range(2):
        console.clock.time += 400
        assert await sessions.find(opened.token, touch=False) is not None
    console.clock.time += 100
    assert await sessions.find(opened.token, touch=False) is None


async def test_a_session_ends_when_it_is_old_however_often_it_was_renewed(console: World, sessions: Sessions) -> None:
    session = await sessions.open(PERSON, console.clock.now())
    for _ in range(8 * 6 - 1):
        console.clock.time += 600
        session = await sessions.open(PERSON, console.clock.now(), instead_of=session)
        assert await sessions.find(session.token, touch=True) is not None
    console.clock.time += 600
    assert await sessions.find(session.token, touch=True) is None


async def test_sessions_that_are_over_are_forgotten(console: World, sessions: Sessions) -> None:
    await sessions.open(PERSON, console.clock.now())
    console.clock.time += 901
    await sessions.open(PERSON, console.clock.now())
    rows = await console.ledger.read(lambda connection: connection.execute(select(table.c.id)).all())
    assert len(rows) == 1


async def test_use_is_noted_seldom(console: World, sessions: Sessions) -> None:
    opened = await sessions.open(PERSON, console.clock.now())
    commits = console.ledger.commits
    for _ in range(20):
        await sessions.find(opened.token, touch=True)
    assert console.ledger.commits == commits


async def test_nobody_proved_to_be_there_in_the_future(console: World, sessions: Sessions) -> None:
    opened = await sessions.open(PERSON, console.clock.now() + 9999)
    assert opened.authenticated_at == console.clock.now()


async def test_what_is_remembered_is_taken_once(sessions: Sessions) -> None:
    opened = await sessions.open(PERSON, 0)
    await sessions.remember(opened, "decision", {"number": "n"})
    taken = await asyncio.gather(*(sessions.take(opened, "decision") for _ in range(20)))
    assert [value for value in taken if value is not None] == [{"number": "n"}]


async def test_after_the_end_nothing_is_remembered(sessions: Sessions) -> None:
    opened = await sessions.open(PERSON, 0)
    await sessions.remember(opened, "decision", {"number": "n"})
    await sessions.close(opened)
    await sessions.remember(opened, "decision", {"number": "m"})
    assert await sessions.take(opened, "decision") is None


async def test_the_form_token_is_the_sessions_own(sessions: Sessions) -> None:
    one, two = [await sessions.open(PERSON, 0) for _ in range(2)]
    assert one.owns(one.csrf)
    assert not one.owns(two.csrf)
    assert not one.owns("")
    assert not one.owns("ü\ud800")
    assert one.token not in one.csrf
    assert one.token not in repr(one)
