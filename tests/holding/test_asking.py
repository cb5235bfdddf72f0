"""What is held, and what people are asked until when."""

from __future__ import annotations

import pytest

from gateway.approvals.facts import facts_of, manifest_hash
from gateway.approvals.file import Approvals
from gateway.documents import tables
from gateway.documents.records import Hold
from gateway.documents.states import Event, State
from gateway.errors import Unprocessable
from gateway.holding import REASONS, Asking
from tests.desk.world import APPROVALS, HOUR, NOON, TARGET, World, approvals, payment

BUSINESS = 'calendar:\n  timezone: Asia/Shanghai\n  hours: "09:00-18:00"\n' + APPROVALS


def asked(book: Approvals, *, initiator: str | None = "clerk-1", editors: tuple[str, ...] = (), revision: int = 1) -> Hold:
    rule = book.rules["payments.create"]
    facts = facts_of(rule, payment(), TARGET)
    asking = Asking(book, "payments.create")
    return asking(rule, facts, (), payment(), initiator=initiator, editors=editors, revision=revision, now=NOON)


def test_what_is_asked_is_what_the_rule_says() -> None:
    hold = asked(approvals())
    assert (hold.rule, hold.required, hold.approvers, hold.escalate_to) == ("payments.create", 2, "finance-approver", "cfo")
    assert (hold.expires_at, hold.remind_at, hold.escalate_at) == (NOON + 72 * HOUR, NOON + 4 * HOUR, NOON + 24 * HOUR)
    assert (hold.remind_every, hold.execute_within) == (4 * HOUR, 24 * HOUR)
    assert hold.payload_hash == manifest_hash(hold.facts)
    assert (hold.facts["initiator"], hold.facts["target"], hold.facts["amount"]) == ("clerk-1", TARGET, "500000.01")
    assert Hold.read(hold.text()) == hold


def test_without_escalation_there_is_no_timer_for_it() -> None:
    hold = asked(approvals(APPROVALS.replace("    escalate: {to: cfo, after: 24h}\n", "")))
    assert (hold.escalate_at, hold.escalate_to) == (None, None)


def test_deadlines_are_in_business_time() -> None:
    hold = asked(approvals(BUSINESS))
    assert hold.remind_at is not None
    assert hold.expires_at > NOON + 8 * 24 * HOUR
    assert hold.remind_at > NOON + 4 * HOUR


def test_another_revision_is_another_hash() -> None:
    assert asked(approvals()).payload_hash != asked(approvals(), revision=2).payload_hash


@pytest.mark.parametrize("nobody", [None, "", "  ", "\u200b", "\u00ad\u2060"])
def test_an_initiator_nobody_can_see_is_none(nobody: str | None) -> None:
    hold = asked(approvals(), initiator=nobody)
    assert (hold.initiator, hold.facts["initiator"]) == (None, None)
    assert hold.reasons == ({"code": "initiator_unknown"},)
    assert set(hold.reasons[0]) - {"code"} == set()
    assert REASONS["initiator_unknown"] % {} != ""


def test_an_initiator_too_long_for_a_name_is_refused_with_its_place() -> None:
    with pytest.raises(Unprocessable) as caught:
        asked(approvals(), initiator="x" * 201)
    assert [error.pointer for error in caught.value.errors] == ["/initiator"]


def test_editors_are_kept_once_and_never_empty() -> None:
    assert asked(approvals(), editors=("bob", "", "bob", "\u200b")).editors == ("bob",)


async def test_split_payments_to_one_account_are_held_with_their_siblings(each_world: World) -> None:
    first = await each_world.pay(payment("200000", account="6222 0202 0011 2233"))
    each_world.clock.time += 60
    second = await each_world.pay(payment("200000", account="６２２２０２０２００１１２２３３"))
    each_world.clock.time += 60
    third = await each_world.pay(payment("200000"))
    assert (first.state, second.state, third.state) == (State.QUEUED, State.QUEUED, State.HELD)
    assert third.hold is not None
    assert third.hold.reasons[0]["code"] == "window_total"
    assert third.hold.reasons[0]["siblings"] == [first.id, second.id]
    each_world.clock.time += 24 * HOUR
    assert (await each_world.pay(payment("500000"))).state is State.QUEUED


async def test_documents_of_another_tenant_or_that_never_go_are_no_siblings(world: World) -> None:
    await world.pay(payment("300000"), tenant="other")
    gone = await world.pay(payment("300000"))
    await world.step(gone, Event.RECALL)
    assert (await world.pay(payment("300000"))).state is State.QUEUED


async def test_many_at_once_cannot_each_pass_as_the_first(each_world: World) -> None:
    import asyncio

    documents = await asyncio.gather(*(each_world.pay(payment("200000")) for _ in range(10)))
    assert sorted(document.state for document in documents).count(State.QUEUED) == 2


async def test_an_account_longer_than_the_ledger_takes_is_still_one_account(each_world: World) -> None:
    long = "9" * 5000
    document = await each_world.pay(payment("300000", account=long))
    (row,) = await each_world.rows(tables.payees, document)
    assert len(row.payee) <= 300
    assert (await each_world.pay(payment("300000", account=long))).state is State.HELD
    assert (await each_world.pay(payment("300000", account=long + "9"))).state is State.QUEUED


async def test_a_batch_of_thousands_is_compared(each_world: World) -> None:
    text = APPROVALS.replace("amount: $.amount", "lines: $.lines\n    amount: $.amount").replace("required: 2", "required: 2")
    text = text.replace("payee_name: $.payee.name", "payee_name: $.payee.name")
    each_world.book.change(approvals_text=text)
    lines = [{"amount": "1.00", "payee": {"account": f"{number:016d}", "name": "n"}} for number in range(2500)]
    body = {"currency": "CNY", "entity": "1000", "initiator": "clerk-1", "lines": lines}
    assert (await each_world.pay(body)).state is State.QUEUED
    one = {**body, "lines": [{"amount": "500000", "payee": {"account": "0000000000002400", "name": "n"}}]}
    held = await each_world.pay(one)
    assert held.state is State.HELD
    assert held.hold is not None
    assert held.hold.reasons[0]["code"] == "window_total"
