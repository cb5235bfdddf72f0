"""Documents in the ledger: received, moved on, read again, whatever text they hold."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import (
    Answer,
    Document,
    Hold,
    Payee,
    Request,
    Terms,
    apply,
    backoff,
    find,
    find_by_key,
    receive,
    siblings,
)
from gateway.documents.states import Event, IllegalStep, State
from tests.documents.support import NOON, TERMS, HandClock, chain, document, hold, record, verdict, work


async def step(ledger: Ledger, id_: str, event: Event, *, actor: str = "test", terms: Terms = TERMS, **more: Any) -> Document:
    def unit(tx: Transaction) -> Document:
        found = find(tx.connection, id_)
        assert found is not None
        return apply(tx, found, event, actor=actor, terms=terms, **more)

    return await ledger.write(unit)


async def stored(ledger: Ledger, id_: str) -> Document | None:
    return await ledger.read(lambda connection: find(connection, id_))


# --- receive and apply -------------------------------------------------------------------------------------------------------


async def test_receiving_writes_row_entries_and_work_together(ledger: Ledger) -> None:
    recorded = await record(ledger, Event.HOLD)
    assert (recorded.state, recorded.seq, recorded.attempts) == (State.HELD, 1, 0)
    assert await stored(ledger, recorded.id) == recorded
    assert await work(ledger, recorded.id) == [
        ("ask", NOON),
        ("callback", NOON),
        ("remind_due", NOON + 4 * 3600),
        ("escalate_due", NOON + 24 * 3600),
        ("expire", NOON + 72 * 3600),
    ]
    rows, head = await chain(ledger)
    assert [(row.seq, row.document) for row in rows] == [(1, recorded.id), (2, recorded.id)]
    assert head is not None
    assert head.hash == rows[-1].hash
    assert '"kind":"document.received"' in rows[0].entry
    assert '"from":"received"' in rows[1].entry


async def test_sending_counts_attempts_and_watches(ledger: Ledger, clock: HandClock) -> None:
    recorded = await record(ledger, Event.SEND)
    assert (recorded.state, recorded.attempts, recorded.sent_at) == (State.SENDING, 1, NOON)
    assert await work(ledger, recorded.id) == [("watch", NOON + TERMS.lease)]
    clock.time += 1
    again = await step(ledger, recorded.id, Event.RETRY)
    assert (again.state, again.seq, again.updated_at) == (State.QUEUED, 2, NOON + 1)
    assert await work(ledger, recorded.id) == [("send", NOON + 1 + backoff(TERMS, 1))]
    sent = await step(ledger, recorded.id, Event.SEND)
    assert (sent.attempts, sent.sent_at) == (2, NOON + 1)
    assert await stored(ledger, recorded.id) == sent


async def test_a_step_writes_what_it_changes(ledger: Ledger) -> None:
    recorded = await record(ledger, Event.SEND)
    answer = Answer(201, (("location", "/x"), ("x-note", "付款")), b'{"number":"4711"}')
    done = await step(ledger, recorded.id, Event.DELIVER, answer=answer, reference="4711", note={"code": "booked"})
    assert (done.state, done.reference, done.answer) == (State.DELIVERED, "4711", answer)
    assert await stored(ledger, recorded.id) == done
    assert await work(ledger, recorded.id) == [("callback", NOON)]


async def test_a_new_hold_and_a_new_body_are_written(ledger: Ledger) -> None:
    recorded = await record(ledger, Event.HOLD)
    request = Request("PUT", "/p", "a=1", {"id": "7"}, "application/json", b"other")
    changed = await step(ledger, recorded.id, Event.REVISE, request=request, revision=2, hold=hold(initiator="clerk-2"))
    assert await stored(ledger, recorded.id) == changed
    assert [kind for kind, _ in await work(ledger, recorded.id)].count("expire") == 1


async def test_messages_stay_when_a_document_moves_on(ledger: Ledger) -> None:
    recorded = await record(ledger, Event.HOLD)
    await step(ledger, recorded.id, Event.REJECT, actor="approver-a")
    assert await work(ledger, recorded.id) == [("ask", NOON), ("callback", NOON), ("callback", NOON)]


async def test_steps_in_one_commit_leave_only_the_last_ones_timers(ledger: Ledger) -> None:
    new = document()

    def unit(tx: Transaction) -> Document:
        sending = receive(tx, new, Event.SEND, terms=TERMS)
        return apply(tx, sending, Event.RETRY, actor="gateway", terms=TERMS, after=7)

    await ledger.write(unit)
    assert await work(ledger, new.id) == [("send", NOON + 7)]


async def test_what_cannot_happen_changes_nothing(ledger: Ledger) -> None:
    recorded = await record(ledger, Event.HOLD)
    with pytest.raises(IllegalStep):
        await step(ledger, recorded.id, Event.SEND)
    with pytest.raises(IllegalStep):
        await record(ledger, Event.APPROVE)
    assert await stored(ledger, recorded.id) == recorded
    assert len((await chain(ledger))[0]) == 2


async def test_an_entry_cannot_hold_a_fraction(ledger: Ledger) -> None:
    recorded = await record(ledger, Event.HOLD)
    with pytest.raises(ValueError, match=r"500000\.01"):
        await step(ledger, recorded.id, Event.VOTE, details={"amount": 500000.01})
    assert await stored(ledger, recorded.id) == recorded


# --- keys --------------------------------------------------------------------------------------------------------------------


async def test_a_key_is_kept_once(ledger: Ledger) -> None:
    first = await record(ledger, key="k:1")
    assert await ledger.read(lambda c: find_by_key(c, "oa", "payments.create", "k:1")) == first
    assert await ledger.read(lambda c: find_by_key(c, "crm", "payments.create", "k:1")) is None
    with pytest.raises(IntegrityError):
        await record(ledger, key="k:1")
    await record(ledger, key="k:1", satellite="crm")
    await record(ledger, key="k:1", operation="payments.cancel")
    assert (await verdict(ledger)).intact


async def test_a_hundred_posts_with_one_key_are_one_document(ledger: Ledger) -> None:
    def unit(tx: Transaction) -> bool:
        if find_by_key(tx.connection, "oa", "payments.create", "k:\x00\ud800\\") is not None:
            return False
        receive(tx, document(key="k:\x00\ud800\\"), Event.SEND, terms=TERMS)
        return True

    recorded = await asyncio.gather(*(ledger.write(unit) for _ in range(100)))
    assert recorded.count(True) == 1


# --- siblings ----------------------------------------------------------------------------------------------------------------


async def test_siblings_are_those_that_pay_the_same_payee(ledger: Ledger, clock: HandClock) -> None:
    async def pays(payee: str, amount: str, event: Event = Event.SEND, **changes: Any) -> Document:
        new = document(received_at=clock.time, **({"hold": hold()} if event is Event.HOLD else {}), **changes)
        return await ledger.write(lambda tx: receive(tx, new, event, terms=TERMS, payees=[Payee(payee, amount, "CNY")]))

    await pays("A", "1.00")
    clock.time += 100
    sent = await pays("A", "200000.00")
    held = await pays("A", "300000.01", Event.HOLD)
    rejected = await pays("A", "9.00", Event.HOLD)
    await step(ledger, rejected.id, Event.REJECT)
    await pays("B", "5.00")
    await pays("A", "5.00", tenant="de01")
    own = await pays("A", "7.00")
    found = await ledger.read(lambda c: siblings(c, "payments.create", "cn01", ["A", "C"], NOON, but=own.id))
    assert set(found) == {"A"}
    assert {(s.document, s.amount, s.state) for s in found["A"]} == {
        (sent.id, "200000.00", State.SENDING),
        (held.id, "300000.01", State.HELD),
    }


# --- rows --------------------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec=None), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
NOTES = st.none() | st.dictionaries(TEXT, JSON, max_size=3)
TIMES = st.floats(0, 4e9)
HOLDS: st.SearchStrategy[Hold] = st.builds(
    hold,
    reasons=st.lists(st.dictionaries(TEXT, JSON, max_size=2), max_size=2).map(tuple),
    facts=st.dictionaries(TEXT, JSON, max_size=3),
    initiator=st.none() | TEXT,
    editors=st.lists(TEXT, max_size=2).map(tuple),
    remind_at=st.none() | TIMES,
    escalated=st.booleans(),
)
DOCUMENTS: st.SearchStrategy[Document] = st.builds(
    document,
    state=st.just(State.RECEIVED),
    roles=st.lists(TEXT, max_size=3).map(tuple),
    key=st.none() | TEXT,
    request=st.builds(Request, TEXT, TEXT, TEXT, st.dictionaries(TEXT, TEXT, max_size=3), TEXT, st.binary(max_size=200)),
    received_at=TIMES,
    reference=st.none() | TEXT,
    answer=st.none() | st.builds(Answer, st.integers(100, 599), st.lists(st.tuples(TEXT, TEXT)).map(tuple), st.binary()),
    note=NOTES,
    hold=st.none() | HOLDS,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(new=DOCUMENTS)
async def test_a_document_comes_back_as_it_was(ledger: Ledger, new: Document) -> None:
    id_ = uuid.uuid4().hex
    key = None if new.key is None else id_ + new.key
    new = replace(new, id=id_, key=key)
    recorded = await ledger.write(lambda tx: receive(tx, new, Event.QUEUE, terms=Terms()))
    assert await stored(ledger, id_) == recorded
    if key is not None:
        assert await ledger.read(lambda c: find_by_key(c, "oa", "payments.create", key)) == recorded


async def test_a_long_reference_does_not_keep_the_outcome_from_being_recorded(ledger: Ledger) -> None:
    recorded = await record(ledger, Event.SEND)
    await step(ledger, recorded.id, Event.DELIVER, reference="9" * 10_000)
    found = await stored(ledger, recorded.id)
    assert found is not None
    assert (found.state, found.reference) == (State.DELIVERED, "9" * 200)
