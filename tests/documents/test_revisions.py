"""A document handed in again: the earlier revision is kept, and what it pays counts from now."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from gateway.documents import tables
from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import Document, Payee, Request, apply, find
from gateway.documents.revisions import repeat, revise
from gateway.documents.states import Event, IllegalStep, State
from tests.documents.support import NOON, TERMS, HandClock, hold, record, work

TO_A, TO_B = Payee("A", "600000.00", "CNY"), Payee("B", "7.00", "CNY")
REQUEST = Request("POST", "/api/v1/payments", "", {}, "application/json", b'{"amount":"7.00"}')


async def revised(ledger: Ledger, one: Document, *payees: Payee) -> Document:
    again = hold(payload_hash="b" * 64)

    def unit(tx: Transaction) -> Document:
        return revise(tx, one, request=REQUEST, hold=again, fingerprint="e" * 64, payees=payees, terms=TERMS)

    return await ledger.write(unit)


async def rows(ledger: Ledger, table: Any, one: Document) -> list[Any]:
    return await ledger.read(lambda c: list(c.execute(select(table).where(table.c.document == one.id))))


async def test_the_earlier_revision_is_kept(ledger: Ledger, clock: HandClock) -> None:
    one = await record(ledger, Event.HOLD)
    clock.time += 60
    two = await revised(ledger, one, TO_B)
    assert (two.revision, two.state, two.request, two.fingerprint) == (2, State.HELD, REQUEST, "e" * 64)
    (kept,) = await rows(ledger, tables.revisions, one)
    assert (kept.revision, kept.body, kept.editor, kept.at) == (1, one.request.body, "oa", clock.time)
    assert "a" * 64 in kept.hold


async def test_what_a_revision_pays_counts_from_then(ledger: Ledger, clock: HandClock) -> None:
    one = await record(ledger, Event.HOLD)
    clock.time += 90_000
    await revised(ledger, one, TO_A, TO_B)
    assert [(row.payee, row.at) for row in await rows(ledger, tables.payees, one)] == [("A", clock.time), ("B", clock.time)]
    await revised(ledger, await revised(ledger, await found(ledger, one), TO_B))
    assert await rows(ledger, tables.payees, one) == []


async def found(ledger: Ledger, one: Document) -> Document:
    again = await ledger.read(lambda c: find(c, one.id))
    assert again is not None
    return again


async def test_people_are_asked_anew(ledger: Ledger) -> None:
    one = await record(ledger, Event.HOLD)
    before = await work(ledger, one.id)
    await revised(ledger, one)
    after = await work(ledger, one.id)
    timers = ("expire", "remind_due", "escalate_due")
    assert sorted(kind for kind, _ in after if kind in timers) == sorted(kind for kind, _ in before if kind in timers)
    assert [kind for kind, _ in after].count("ask") == 2


async def test_only_a_held_one_is_revised_and_only_a_dead_one_repeated(ledger: Ledger) -> None:
    sending = await record(ledger)
    with pytest.raises(IllegalStep):
        await revised(ledger, sending)
    assert await rows(ledger, tables.revisions, sending) == []
    with pytest.raises(IllegalStep):
        await ledger.write(lambda tx: repeat(tx, sending, payees=(), actor="oa", terms=TERMS))


async def test_a_dead_one_is_repeated_from_now(ledger: Ledger, clock: HandClock) -> None:
    sending = await record(ledger)
    dead = await ledger.write(lambda tx: apply(tx, sending, Event.GIVE_UP, actor="gateway", terms=TERMS, note={"code": "x"}))
    clock.time = NOON + 90_000
    queued = await ledger.write(lambda tx: repeat(tx, dead, payees=(TO_A,), actor="oa", terms=TERMS))
    assert (queued.state, queued.note, queued.received_at) == (State.QUEUED, None, NOON)
    assert [row.at for row in await rows(ledger, tables.payees, dead)] == [clock.time]
