"""Work: claimed by one, done once, never forgotten."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from gateway.documents.ledger import Ledger, Transaction, open_ledger
from gateway.documents.records import apply, find, receive
from gateway.documents.states import Event
from gateway.documents.transaction import Todo
from gateway.documents.work import Work, claim, finish, next_due, postpone, put
from tests.documents.support import KEY, NOON, TERMS, HandClock, document, record, work


async def claimed(ledger: Ledger, *kinds: str, limit: int = 10) -> list[Work]:
    return await ledger.write(lambda tx: claim(tx, kinds, lease=30, limit=limit))


async def test_due_work_is_claimed_earliest_first(ledger: Ledger) -> None:
    todos = [Todo("ask", NOON, None, {"n": 3}), Todo("ask", NOON - 2, None, {"n": 1}), Todo("ask", NOON - 1, None, {"n": 2})]
    later = [Todo("ask", NOON + 1, None), Todo("probe", NOON, None)]
    await ledger.write(lambda tx: put(tx, [*todos, *later]))
    assert [item.data["n"] for item in await claimed(ledger, "ask", "remind", limit=2)] == [1, 2]
    assert [(item.data["n"], item.attempts) for item in await claimed(ledger, "ask")] == [(3, 1)]
    assert await claimed(ledger, "ask") == []
    assert await ledger.read(lambda c: next_due(c, ["ask"])) == NOON + 1
    assert await ledger.read(lambda c: next_due(c, ["nothing"])) is None


async def test_what_nobody_finished_is_claimed_again_after_the_lease(ledger: Ledger, clock: HandClock) -> None:
    await ledger.write(lambda tx: put(tx, [Todo("ask", NOON, None)]))
    first = (await claimed(ledger, "ask"))[0]
    clock.time += 30
    second = (await claimed(ledger, "ask"))[0]
    assert (second.id, second.attempts) == (first.id, 2)
    assert await ledger.write(lambda tx: finish(tx, second)) is True
    assert await ledger.write(lambda tx: finish(tx, first)) is False


async def test_work_put_off_comes_again(ledger: Ledger, clock: HandClock) -> None:
    await ledger.write(lambda tx: put(tx, [Todo("ask", NOON, None)]))
    item = (await claimed(ledger, "ask"))[0]
    await ledger.write(lambda tx: postpone(tx, item, 60, "no answer \x00" + "x" * 1000))
    assert await claimed(ledger, "ask") == []
    clock.time += 60
    assert [again.id for again in await claimed(ledger, "ask")] == [item.id]


async def test_each_piece_goes_to_one_of_several_claimers(ledger_url: str, clock: HandClock) -> None:
    async with open_ledger(ledger_url, KEY, clock) as one, open_ledger(ledger_url, KEY, clock) as two:
        await one.write(lambda tx: put(tx, [Todo("ask", NOON, None) for _ in range(40)]))
        found = await asyncio.gather(*(claimed(ledger, "ask", limit=3) for ledger in (one, two) * 10))
        ids = [item.id for items in found for item in items]
        assert len(ids) == len(set(ids)) == 40


async def test_what_a_step_cleared_in_this_commit_is_gone_for_who_finishes_it(ledger: Ledger) -> None:
    recorded = await record(ledger, Event.QUEUE)
    item = (await claimed(ledger, "send"))[0]

    def unit(tx: Transaction) -> bool:
        found = find(tx.connection, recorded.id)
        assert found is not None
        apply(tx, found, Event.SEND, actor="gateway", terms=TERMS)
        return finish(tx, item)

    assert await ledger.write(unit) is False
    assert await work(ledger, recorded.id) == [("watch", NOON + TERMS.lease)]


async def test_work_left_in_this_commit_can_be_claimed_in_it(ledger: Ledger) -> None:
    def unit(tx: Transaction) -> list[Work]:
        receive(tx, document(), Event.QUEUE, terms=TERMS)
        return claim(tx, ["send"], lease=30, limit=1)

    assert [item.kind for item in await ledger.write(unit)] == ["send"]


@pytest.mark.parametrize("spoilt", ["no json", "[1, 2]", ""])
async def test_a_row_nobody_can_read_keeps_no_other_waiting(ledger: Ledger, clock: HandClock, spoilt: str) -> None:
    await ledger.write(lambda tx: put(tx, [Todo("ask", NOON - 1, None, {"n": 1}), Todo("ask", NOON, None, {"n": 2})]))
    statement = text("UPDATE work SET data = :data WHERE at < :noon")
    await ledger.write(lambda tx: tx.connection.execute(statement, {"data": spoilt, "noon": NOON}).close())
    assert [item.data["n"] for item in await claimed(ledger, "ask")] == [2]
    assert await claimed(ledger, "ask") == []
    assert await ledger.read(lambda c: next_due(c, ["ask"])) == clock.now() + 30
