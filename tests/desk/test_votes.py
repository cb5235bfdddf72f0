"""Two people, and nobody less: every way one person might try to be two."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.desk import Detail
from gateway.documents import tables
from gateway.documents.states import Event, State
from gateway.errors import Conflict, Forbidden, NotFound, Problem, Unprocessable
from gateway.people import Person
from tests.desk.world import APPROVALS, AUDITOR, CFO, CLERK, HOUR, POLICY, A, B, C, World, payment, person, refused


async def test_two_people_release_a_document(each_world: World) -> None:
    document = await each_world.pay()
    first = await each_world.approve(A, document)
    assert (first.row.state, first.row.votes, first.row.required) == (State.HELD, 1, 2)
    assert await each_world.work(document, "send") == 0
    second = await each_world.approve(B, document)
    assert (second.row.state, second.row.votes) == (State.APPROVED, 2)
    assert await each_world.work(document, "send") == 1
    assert await each_world.release(document) is None
    assert await each_world.state(document) is State.SENDING


async def test_each_vote_leaves_an_entry_with_what_it_was_about(world: World) -> None:
    document = await world.pay()
    await world.approve(A, document)
    await world.approve(B, document)
    votes = [entry for entry in await world.told(document) if entry["kind"] in ("document.vote", "document.approve")]
    assert [(entry["actor"], entry["details"]["votes"]) for entry in votes] == [("approver-a", 1), ("approver-b", 2)]
    assert document.hold is not None
    for entry in votes:
        assert entry["details"]["payload_hash"] == document.hold.payload_hash
        assert (entry["details"]["revision"], entry["details"]["method"]) == (1, "demo")
    assert votes[1]["details"]["voters"] == ["approver-a", "approver-b"]


async def test_the_same_click_twice_is_one_vote_and_the_same_answer(each_world: World) -> None:
    document = await each_world.pay()
    first = await each_world.approve(A, document)
    again = await each_world.approve(A, document)
    assert again == first
    assert len(await each_world.rows(tables.votes, document)) == 1
    await each_world.approve(B, document)
    entries = len(await each_world.told(document))
    late = await each_world.approve(A, document)
    assert late.row.state is State.APPROVED
    assert len(await each_world.told(document)) == entries


@pytest.mark.parametrize(
    "spelling", ["Approver-A", "APPROVER-A", "ａｐｐｒｏｖｅｒ－ａ", " approver-a ", "approver-a\u200b", "approver\u00ad-a"]
)
async def test_one_person_in_another_spelling_is_one_person(world: World, spelling: str) -> None:
    document = await world.pay()
    await world.approve(A, document)
    assert await refused(world.approve(person(spelling, roles=("finance-approver",)), document)) == "already_voted"
    assert await world.state(document) is State.HELD


@pytest.mark.parametrize("spelling", ["clerk-1", "Clerk-1", "ｃｌｅｒｋ－１", "clerk-1 ", "\u200bclerk-1"])
async def test_the_initiator_does_not_decide(world: World, spelling: str) -> None:
    document = await world.pay(initiator=spelling)
    clerk = person("clerk-1", roles=("finance-approver",))
    assert await refused(world.approve(clerk, document)) == "initiator"
    assert await refused(world.reject(clerk, document)) == "initiator"
    assert await world.rows(tables.votes, document) == []


async def test_an_editor_does_not_decide_and_votes_on_the_old_revision_are_gone(each_world: World) -> None:
    document = await each_world.pay()
    await each_world.approve(B, document)
    old = document.hold
    assert old is not None
    await each_world.revise(document, payment("600000"), "approver-a")
    assert await refused(each_world.approve(A, document)) == "editor"
    assert await refused(each_world.approve(C, document, revision=1, payload_hash=old.payload_hash)) == "wrong_revision"
    assert await refused(each_world.approve(C, document, payload_hash=old.payload_hash)) == "wrong_hash"
    shown = await each_world.approve(C, document)
    assert (shown.row.state, shown.row.votes) == (State.HELD, 1)
    assert [vote.void.code if vote.void else None for vote in shown.votes] == ["wrong_revision", None]
    assert (await each_world.approve(B, document)).row.state is State.APPROVED


async def test_another_hash_is_another_payment(world: World) -> None:
    document, other = await world.pay(), await world.pay(payment("700000"))
    assert other.hold is not None
    assert await refused(world.approve(A, document, payload_hash=other.hold.payload_hash)) == "wrong_hash"
    assert await refused(world.approve(A, document, payload_hash="")) == "wrong_hash"
    assert await refused(world.approve(A, document, revision=2)) == "wrong_revision"


async def test_a_stranger_is_not_told_that_the_document_exists(world: World) -> None:
    document = await world.pay()
    for stranger in (
        person("clerk-2"),
        person("approver-a", tenant="other"),
        person("x", roles=("finance-aprover",)),
        person(""),
    ):
        with pytest.raises(NotFound):
            await world.approve(stranger, document)
        with pytest.raises(NotFound):
            await world.desk.detail(stranger, document.id)
    with pytest.raises(NotFound):
        await world.desk.detail(A, "no-such-document")


async def test_who_sees_it_without_the_role_cannot_vote(world: World) -> None:
    document = await world.pay()
    assert await refused(world.approve(AUDITOR, document)) == "not_eligible"
    with pytest.raises(Forbidden):
        await world.approve(AUDITOR, document)


async def test_the_superior_decides_only_after_escalation(world: World) -> None:
    document = await world.pay()
    with pytest.raises(NotFound):
        await world.approve(CFO, document)
    await world.step(document, Event.ESCALATE, hold=_escalated(await world.find(document.id)))
    assert (await world.approve(CFO, document)).row.votes == 1
    assert (await world.approve(A, document)).row.state is State.APPROVED
    assert await world.release(document) is None


def _escalated(document: object) -> object:
    from dataclasses import replace

    return replace(document.hold, escalated=True)  # type: ignore[attr-defined]


async def test_no_vote_at_or_after_expiry_even_where_the_timer_is_late(world: World) -> None:
    document = await world.pay()
    await world.approve(A, document)
    world.clock.time += 72 * HOUR
    assert await refused(world.approve(B, document)) == "expired"
    with pytest.raises(Conflict):
        await world.approve(B, document)
    world.clock.time -= 1
    assert (await world.approve(B, document)).row.state is State.APPROVED


@pytest.mark.parametrize("event", [Event.RECALL, Event.EXPIRE, Event.SUPERSEDE])
async def test_nothing_is_decided_after_the_end(world: World, event: Event) -> None:
    document = await world.pay()
    await world.approve(A, document)
    await world.step(document, event)
    assert await refused(world.approve(B, document)) == "not_held"
    assert await refused(world.reject(B, document)) == "not_held"
    assert await world.work(document, "send") == 0


async def test_a_no_ends_it_and_nobody_agrees_afterwards(each_world: World) -> None:
    document = await each_world.pay()
    await each_world.approve(A, document)
    shown = await each_world.reject(B, document, reason="wrong account 6222 0202 0011 2233")
    assert (shown.row.state, shown.iso20022) == (State.REJECTED, "RJCT")
    assert await refused(each_world.approve(C, document)) == "not_held"
    assert await refused(each_world.approve(B, document)) == "not_held"
    again = await each_world.reject(B, document, reason="wrong account")
    assert again.row.state is State.REJECTED
    assert "2233" in str(again.timeline)
    assert "6222" not in str(again)


async def test_who_agreed_may_still_say_no_and_not_agree_again(world: World) -> None:
    document = await world.pay()
    await world.approve(A, document)
    assert (await world.reject(A, document)).row.state is State.REJECTED
    assert await world.work(document, "send") == 0


@pytest.mark.parametrize("reason", ["", "  \n", "\u200b", "\x00", "x" * 1001])
async def test_a_no_needs_a_reason(world: World, reason: str) -> None:
    document = await world.pay()
    with pytest.raises(Unprocessable):
        await world.reject(A, document, reason=reason)
    assert await world.state(document) is State.HELD


async def test_an_unknown_initiator_is_said_and_two_are_still_needed(world: World) -> None:
    for initiator in (None, "", " \u200b"):
        document = await world.pay(payment(account=f"CN{initiator!r}"), initiator=initiator)
        assert document.hold is not None
        assert document.hold.initiator is None
        assert document.hold.reasons[-1] == {"code": "initiator_unknown"}
        assert (await world.approve(A, document)).row.state is State.HELD
        assert (await world.approve(B, document)).row.state is State.APPROVED


async def test_a_changed_body_cannot_be_agreed_to_and_can_be_rejected(world: World) -> None:
    document = await world.pay()
    await world.tamper(document, body=json.dumps(payment(account="6222020299999999")).encode())
    assert await refused(world.approve(A, document)) == "body_changed"
    shown = await world.desk.detail(A, document.id)
    assert not shown.intact
    assert "approve" not in shown.can
    assert (await world.reject(A, document)).row.state is State.REJECTED


async def test_a_changed_fact_cannot_be_agreed_to(world: World) -> None:
    document = await world.pay()
    assert document.hold is not None
    facts = document.hold.facts | {"amount": "5.00"}
    await world.tamper(document, hold=json.dumps(json.loads(document.hold.text()) | {"facts": facts}))
    assert await refused(world.approve(A, document)) == "body_changed"


async def test_roles_that_the_sign_in_carried_count(world: World) -> None:
    document = await world.pay()
    guests = person("guest-1", roles=("finance-approver",)), person("guest-2", roles=("finance-approver",))
    for guest in guests:
        await world.approve(guest, document)
    assert await world.release(document) is None


async def test_a_vote_loses_its_weight_with_the_role_and_regains_it(each_world: World) -> None:
    document = await each_world.pay()
    await each_world.approve(A, document)
    without = POLICY.replace("g, approver-a, finance-approver, demo\n", "")
    each_world.book.change(policy_text=without)
    shown = await each_world.approve(B, document)
    assert (shown.row.state, shown.row.votes) == (State.HELD, 1)
    assert await refused(each_world.approve(A, document)) == "not_eligible"
    each_world.book.change(policy_text=POLICY)
    row = (await each_world.desk.inbox(A, "mine"))[0]
    assert (row.votes, row.may_vote) == (2, True)
    assert (await each_world.approve(A, document)).row.state is State.APPROVED
    assert len(await each_world.rows(tables.votes, document)) == 2


# --- acting for others -------------------------------------------------------------------------------------------------------


async def let(world: World, who: Person, to: str, hours: float = 24) -> None:
    await world.desk.delegate(who, to, start=world.clock.time, end=world.clock.time + hours * HOUR)


async def test_a_delegate_votes_in_the_place_of_one(each_world: World) -> None:
    document = await each_world.pay()
    await let(each_world, A, "deputy")
    deputy = person("deputy")
    shown = await each_world.desk.detail(deputy, document.id)
    assert (shown.row.may_vote, shown.row.for_whom) == (True, ("approver-a",))
    assert await refused(each_world.approve(deputy, document)) == "not_eligible"
    await each_world.approve(deputy, document, on_behalf_of="approver-a")
    assert (await each_world.approve(B, document)).row.state is State.APPROVED
    assert await each_world.release(document) is None


async def test_delegator_and_delegate_count_as_one(world: World) -> None:
    document = await world.pay()
    await let(world, A, "approver-b")
    await world.approve(A, document)
    assert await refused(world.approve(B, document, on_behalf_of="approver-a")) == "same_person"
    other = await world.pay(payment("700000"))
    await world.approve(B, other, on_behalf_of="approver-a")
    assert await refused(world.approve(B, other)) == "already_voted"
    assert await refused(world.approve(A, other)) == "same_person"
    assert await world.state(other) is State.HELD


async def test_two_who_act_for_each_other_are_one(world: World) -> None:
    document = await world.pay()
    await let(world, A, "approver-b")
    await let(world, B, "approver-a")
    await world.approve(A, document, on_behalf_of="approver-b")
    assert await refused(world.approve(B, document, on_behalf_of="approver-a")) == "same_person"
    assert await refused(world.approve(B, document)) == "same_person"
    assert await world.state(document) is State.HELD


async def test_nobody_acts_for_themselves(world: World) -> None:
    for name in ("approver-a", "Approver-A", "ａｐｐｒｏｖｅｒ-a", " approver-a "):
        assert await refused(let(world, A, name)) == "delegate_oneself"
    document = await world.pay()
    assert await refused(world.approve(A, document, on_behalf_of="approver-a")) == "delegation_not_valid"
    assert await refused(world.approve(A, document, on_behalf_of="approver-b")) == "delegation_not_valid"


async def test_no_chains(world: World) -> None:
    document = await world.pay()
    await let(world, A, "approver-b")
    await let(world, B, "approver-c")
    assert await refused(world.approve(C, document, on_behalf_of="approver-a")) == "delegation_chain"


async def test_the_initiator_cannot_decide_through_somebody_nor_for_somebody(world: World) -> None:
    document = await world.pay(initiator="approver-a")
    await let(world, A, "deputy")
    await let(world, B, "approver-a")
    assert await refused(world.approve(person("deputy"), document, on_behalf_of="approver-a")) == "initiator"
    assert await refused(world.approve(A, document, on_behalf_of="approver-b")) == "initiator"
    assert await refused(world.approve(B, document)) == "same_person"


async def test_taking_back_a_delegation_opens_nothing_for_the_initiator(world: World) -> None:
    document = await world.pay(initiator="approver-a")
    await let(world, B, "approver-a")
    world.clock.time += 60
    await world.desk.revoke_delegation(B, (await world.desk.delegations(B))[0].id)
    assert await refused(world.approve(B, document)) == "same_person"


async def test_a_delegation_of_another_tenant_is_none_here(world: World) -> None:
    world.book.change(
        policy_text=POLICY.replace("approvals.delegate, allow", "approvals.delegate, allow").replace(
            "p, finance-approver, demo, approvals.delegate, allow", "p, finance-approver, *, approvals.delegate, allow"
        )
    )
    document = await world.pay()
    await let(world, person("approver-a", tenant="other"), "mallory")
    with pytest.raises(NotFound):
        await world.approve(person("mallory"), document, on_behalf_of="approver-a")


async def test_a_delegation_ends_and_votes_given_in_time_stay(world: World) -> None:
    document, other = await world.pay(), await world.pay(payment("700000"))
    await let(world, A, "deputy", hours=2)
    deputy = person("deputy")
    await world.approve(deputy, document, on_behalf_of="approver-a")
    world.clock.time += 2 * HOUR
    with pytest.raises(NotFound):
        await world.approve(deputy, other, on_behalf_of="approver-a")
    assert (await world.approve(B, document)).row.state is State.APPROVED
    assert await world.release(document) is None


async def test_a_role_carried_for_an_earlier_revision_is_not_lent(world: World) -> None:
    guest = person("guest", roles=("finance-approver",))
    document = await world.pay()
    await world.approve(guest, document)
    await world.desk.delegate(guest, "auditor", start=world.clock.time, end=world.clock.time + HOUR)
    await world.revise(document, payment("600000"), "clerk-2")
    assert await refused(world.approve(AUDITOR, document, on_behalf_of="guest")) == "not_eligible"


# --- many at once ------------------------------------------------------------------------------------------------------------


async def test_fifty_approvals_of_ten_people_at_once_release_it_once(each_world: World) -> None:
    people = [person(f"approver-{number}", roles=("finance-approver",)) for number in range(10)]
    document = await each_world.pay()

    async def click(who: Person) -> Detail | str:
        try:
            return await each_world.approve(who, document)
        except Problem as problem:
            return str(problem.extensions["code"])

    answers = await asyncio.gather(*(click(people[number % 10]) for number in range(50)))
    kinds = [entry["kind"] for entry in await each_world.told(document)]
    assert kinds.count("document.approve") == 1
    assert kinds.count("document.vote") == 1
    assert await each_world.work(document, "send") == 1
    assert len(await each_world.rows(tables.votes, document)) == 2
    assert {answer for answer in answers if isinstance(answer, str)} == {"not_held"}
    assert sum(isinstance(answer, Detail) for answer in answers) == 10


async def test_a_yes_and_a_no_at_once_never_both_count(each_world: World) -> None:
    document = await each_world.pay()
    await each_world.approve(A, document)
    await asyncio.gather(each_world.approve(B, document), each_world.reject(C, document), return_exceptions=True)
    kinds = [entry["kind"] for entry in await each_world.told(document)]
    assert kinds.count("document.approve") + kinds.count("document.reject") == 1
    assert await each_world.work(document, "send") == kinds.count("document.approve")


async def test_three_are_needed_where_the_rule_says_three(world: World) -> None:
    world.book.change(approvals_text=APPROVALS.replace("required: 2", "required: 3"))
    document = await world.pay()
    assert [(await world.approve(who, document)).row.state for who in (A, B, C)] == [State.HELD, State.HELD, State.APPROVED]
    assert CLERK.subject == "clerk-1"
