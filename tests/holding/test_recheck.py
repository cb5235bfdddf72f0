"""The last look before a document goes: everything that can change between the deciding vote and the first byte."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from gateway.documents import tables
from gateway.documents.states import Event, State
from tests.desk.world import APPROVALS, CFO, HOUR, POLICY, A, B, C, World, payment, person, refused


async def approved(world: World):  # type: ignore[no-untyped-def]
    document = await world.pay()
    await world.approve(A, document)
    await world.approve(B, document)
    return document


async def test_what_nothing_happened_to_goes(each_world: World) -> None:
    document = await approved(each_world)
    assert await each_world.release(document) is None
    assert await each_world.state(document) is State.SENDING


@pytest.mark.parametrize(
    "columns",
    [
        {"body": json.dumps(payment(account="6222020299999999")).encode()},
        {"body": json.dumps(payment("500000.02")).encode()},
        {"body": json.dumps(payment(memo="added")).encode()},
        {"body": b"{}"},
    ],
)
async def test_a_body_changed_in_the_database_is_for_operators(world: World, columns: dict[str, object]) -> None:
    document = await approved(world)
    await world.tamper(document, **columns)
    objection = await world.release(document)
    assert objection is not None
    assert (objection.event, objection.code) == (Event.DISTRUST, "body_changed")
    found = await world.find(document.id)
    assert (found.state, found.note) == (State.MANUAL, {"code": "body_changed"})


async def test_body_and_facts_changed_together_do_not_pass(world: World) -> None:
    other = await world.pay(payment("600000", account="6222020299999999"))
    document = await approved(world)
    assert other.hold is not None
    assert document.hold is not None
    forged = json.loads(document.hold.text()) | {"facts": other.hold.facts}
    await world.tamper(document, body=other.request.body, hold=json.dumps(forged))
    objection = await world.release(document)
    assert objection is not None
    assert objection.code == "body_changed"


async def test_body_facts_and_hash_changed_together_leave_no_vote(world: World) -> None:
    other = await world.pay(payment("600000", account="6222020299999999"))
    document = await approved(world)
    assert other.hold is not None
    await world.tamper(document, body=other.request.body, hold=other.hold.text())
    objection = await world.release(document)
    assert objection is not None
    assert (objection.event, objection.code) == (Event.REOPEN, "quorum_lost")
    found = await world.find(document.id)
    assert found.hold is not None
    assert (found.state, found.hold.received) == (State.HELD, 0)


async def test_a_role_taken_away_reopens_it(each_world: World) -> None:
    document = await approved(each_world)
    each_world.book.change(policy_text=POLICY.replace("g, approver-a, finance-approver, demo\n", ""))
    objection = await each_world.release(document)
    assert objection is not None
    assert (objection.event, objection.code) == (Event.REOPEN, "quorum_lost")
    found = await each_world.find(document.id)
    assert found.hold is not None
    assert (found.state, found.hold.received, found.note) == (State.HELD, 1, {"code": "quorum_lost"})
    assert await each_world.work(document, "send") == 0
    assert (await each_world.approve(C, document)).row.state is State.APPROVED
    assert await each_world.release(document) is None


async def test_a_role_that_leads_to_the_role_taken_away(world: World) -> None:
    guests = [person(f"guest-{number}", roles=("treasury",)) for number in range(2)]
    world.book.change(policy_text=POLICY.replace("# end", "g, treasury, finance-approver, demo\n# end"))
    document = await world.pay()
    for guest in guests:
        await world.approve(guest, document)
    world.book.change(policy_text=POLICY)
    objection = await world.release(document)
    assert objection is not None
    assert objection.code == "quorum_lost"


async def test_a_rule_that_is_gone_lets_nothing_go(world: World) -> None:
    document = await approved(world)
    world.book.change(approvals_text=APPROVALS.replace("payments.create", "refunds.create"))
    objection = await world.release(document)
    assert objection is not None
    assert (objection.event, objection.code) == (Event.DISTRUST, "rule_gone")
    assert await world.state(document) is State.MANUAL


async def test_a_rule_that_asks_for_more_asks_again(world: World) -> None:
    document = await approved(world)
    world.book.change(approvals_text=APPROVALS.replace("required: 2", "required: 3"))
    objection = await world.release(document)
    assert objection is not None
    assert (objection.event, objection.code) == (Event.REOPEN, "rule_changed")
    found = await world.find(document.id)
    assert found.hold is not None
    assert (found.hold.required, found.hold.received) == (3, 2)
    assert (await world.approve(C, document)).row.state is State.APPROVED
    assert await world.release(document) is None


async def test_a_rule_that_was_loosened_takes_nothing_off(world: World) -> None:
    world.book.change(approvals_text=APPROVALS.replace("required: 2", "required: 3"))
    document = await world.pay()
    await world.approve(A, document)
    world.book.change(approvals_text=APPROVALS.replace("CNY: 500000", "CNY: 900000000"))
    assert (await world.approve(B, document)).row.state is State.HELD
    assert (await world.approve(C, document)).row.state is State.APPROVED
    assert await world.release(document) is None


async def test_a_rule_that_names_other_people_asks_them(world: World) -> None:
    document = await approved(world)
    text = POLICY.replace("# end", "g, head-1, heads, demo\ng, head-2, heads, demo\n# end")
    world.book.change(policy_text=text, approvals_text=APPROVALS.replace("approvers: finance-approver", "approvers: heads"))
    objection = await world.release(document)
    assert objection is not None
    assert objection.code == "rule_changed"
    assert await refused(world.approve(C, document)) == "not-found"
    await world.approve(person("head-1"), document)
    assert (await world.approve(person("head-2"), document)).row.state is State.APPROVED
    assert await world.release(document) is None


async def test_people_who_hold_the_new_role_confirm_and_are_not_stuck(world: World) -> None:
    document = await approved(world)
    text = POLICY.replace("approver-a, finance-approver, demo", "approver-a, heads, demo")
    text = text.replace("approver-b, finance-approver, demo", "approver-b, heads, demo")
    world.book.change(policy_text=text, approvals_text=APPROVALS.replace("approvers: finance-approver", "approvers: heads"))
    objection = await world.release(document)
    assert objection is not None
    assert objection.code == "quorum_lost"
    assert await world.state(document) is State.HELD
    assert (await world.approve(A, document)).row.state is State.APPROVED
    assert await world.release(document) is None


async def test_a_rule_that_reads_the_account_elsewhere_asks_again(world: World) -> None:
    document = await world.pay(payment(other={"account": "99998888777766"}))
    await world.approve(A, document)
    await world.approve(B, document)
    world.book.change(approvals_text=APPROVALS.replace("$.payee.account", "$.other.account"))
    objection = await world.release(document)
    assert objection is not None
    assert (objection.event, objection.code) == (Event.REOPEN, "rule_changed")
    assert (await world.approve(A, document)).row.votes == 1
    assert (await world.approve(B, document)).row.state is State.APPROVED
    assert await world.release(document) is None


async def test_a_rule_that_cannot_read_it_is_for_operators(world: World) -> None:
    document = await approved(world)
    world.book.change(approvals_text=APPROVALS.replace("$.amount", "$.total"))
    objection = await world.release(document)
    assert objection is not None
    assert (objection.event, objection.code) == (Event.DISTRUST, "rule_unreadable")


async def test_another_target_is_another_question(world: World) -> None:
    document = await approved(world)
    objection = await world.release(document, target="elsewhere:CreatePayment")
    assert objection is not None
    assert (objection.event, objection.code) == (Event.REOPEN, "rule_changed")
    found = await world.find(document.id)
    assert found.hold is not None
    assert found.hold.facts["target"] == "elsewhere:CreatePayment"
    assert (await world.approve(A, document)).row.votes == 1


async def test_what_was_not_sent_in_time_expires_even_where_the_timer_is_late(world: World) -> None:
    document = await approved(world)
    world.clock.time += 24 * HOUR
    objection = await world.release(document)
    assert objection is not None
    assert (objection.event, objection.code) == (Event.EXPIRE, "execution_expired")
    assert await world.state(document) is State.EXPIRED


async def test_one_that_never_went_does_not_outlive_its_approval_through_operators(world: World) -> None:
    document = await approved(world)
    body = document.request.body
    await world.tamper(document, body=b"{}")
    await world.release(document)
    await world.tamper(document, body=body)
    world.clock.time += 48 * HOUR
    await world.step(document, Event.ABSENT)
    objection = await world.release(document)
    assert objection is not None
    assert objection.code == "execution_expired"


async def test_a_try_that_failed_is_looked_at_again_and_has_its_own_deadline(world: World) -> None:
    document = await approved(world)
    assert await world.release(document) is None
    await world.step(document, Event.RETRY)
    world.clock.time += 30 * HOUR
    assert await world.release(document) is None
    await world.step(document, Event.RETRY)
    world.book.change(policy_text=POLICY.replace("g, approver-b, finance-approver, demo\n", ""))
    assert (await world.release(document)).code == "quorum_lost"  # type: ignore[union-attr]


async def test_a_vote_taken_out_of_the_database_is_missed(world: World) -> None:
    document = await approved(world)
    v = tables.votes
    await world.ledger.write(lambda tx: tx.write(v.delete().where(v.c.document == document.id, v.c.person == "approver-a")))
    assert (await world.release(document)).code == "quorum_lost"  # type: ignore[union-attr]


async def test_a_vote_given_to_somebody_else_in_the_database_does_not_make_two(world: World) -> None:
    document = await approved(world)
    v = tables.votes
    rename = update(v).where(v.c.document == document.id, v.c.person == "approver-a").values(person="Approver-B")
    await world.ledger.write(lambda tx: tx.write(rename))
    assert (await world.release(document)).code == "quorum_lost"  # type: ignore[union-attr]


async def test_escalation_counts_by_the_rule_in_force(world: World) -> None:
    from dataclasses import replace

    document = await world.pay()
    assert document.hold is not None
    await world.step(document, Event.ESCALATE, hold=replace(document.hold, escalated=True))
    await world.approve(CFO, document)
    await world.approve(A, document)
    world.book.change(approvals_text=APPROVALS.replace("to: cfo", "to: chairman"))
    assert (await world.release(document)).code == "rule_changed"  # type: ignore[union-attr]


# --- documents that nobody was asked about -----------------------------------------------------------------------------------


async def test_a_rule_tightened_meanwhile_holds_what_was_queued(world: World) -> None:
    document = await world.pay(payment("400000"))
    assert document.state is State.QUEUED
    world.book.change(approvals_text=APPROVALS.replace("CNY: 500000", "CNY: 100000"))
    objection = await world.release(document)
    assert objection is not None
    assert (objection.event, objection.code) == (Event.REOPEN, "held_now")
    found = await world.find(document.id)
    assert found.hold is not None
    assert [reason["code"] for reason in found.hold.reasons] == ["over_threshold", "initiator_unknown"]
    assert await refused(world.approve(person("clerk-1", roles=("finance-approver",)), document)) == "editor"
    await world.approve(A, document)
    await world.approve(B, document)
    assert await world.release(document) is None


async def test_what_came_later_does_not_hold_what_was_queued_before(world: World) -> None:
    first = await world.pay(payment("300000"))
    world.clock.time += 60
    second = await world.pay(payment("300000"))
    assert (first.state, second.state) == (State.QUEUED, State.HELD)
    assert await world.release(first) is None


async def test_without_a_rule_nothing_is_asked(world: World) -> None:
    document = await world.pay(payment("400000"))
    world.book.change(approvals_text=APPROVALS.replace("payments.create", "refunds.create"))
    assert await world.release(document) is None
