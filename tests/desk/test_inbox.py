"""Boxes: what each person finds in them, page by page, and what they never find."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.desk.inbox import CHUNK
from gateway.documents.records import Document, receive
from gateway.documents.states import Event, State
from tests.desk.world import AUDITOR, CFO, CLERK, HOUR, OPERATORS, A, B, C, World, payment, person, refused


async def ids(world: World, who: object, box: str, **page: object) -> list[str]:
    return [row.id for row in await world.desk.inbox(who, box, **page)]  # type: ignore[arg-type]


async def test_a_row_tells_what_a_decision_needs(each_world: World) -> None:
    document = await each_world.pay()
    await each_world.approve(A, document)
    (row,) = await each_world.desk.inbox(B, "mine")
    assert (row.amount, row.currency, row.payee, row.account) == ("500000.01", "CNY", "Huaxing Steel", "•••• 2233")
    assert (row.entity, row.initiator, row.votes, row.required, row.payments) == ("1000", "clerk-1", 1, 2, 1)
    assert (row.expires_at, row.escalated, row.may_vote, row.why_not) == (each_world.clock.time + 72 * HOUR, False, True, None)
    assert row.reasons[0]["code"] == "over_threshold"
    assert "62220202" not in str(row)


async def test_a_document_wanders_through_the_boxes(each_world: World) -> None:
    document = await each_world.pay()
    assert await ids(each_world, A, "mine") == [document.id]
    assert await ids(each_world, CLERK, "mine") == []
    assert await ids(each_world, CLERK, "waiting") == [document.id]
    await each_world.approve(A, document)
    assert await ids(each_world, A, "mine") == []
    assert await ids(each_world, A, "waiting") == [document.id]
    assert await ids(each_world, C, "mine") == [document.id]
    await each_world.approve(B, document)
    await each_world.release(document)
    assert await ids(each_world, C, "mine") == []
    assert await ids(each_world, B, "waiting") == [document.id]
    await each_world.step(document, Event.DELIVER, reference="PAY-1")
    for who in (A, B, CLERK, person("Approver-A")):
        assert await ids(each_world, who, "waiting") == []
        assert await ids(each_world, who, "done") == [document.id]
    assert await ids(each_world, C, "done") == []


async def test_escalated_documents_are_in_the_superiors_box(world: World) -> None:
    document = await world.pay()
    assert await ids(world, CFO, "escalated") == await ids(world, CFO, "mine") == []
    assert document.hold is not None
    await world.step(document, Event.ESCALATE, hold=replace(document.hold, escalated=True))
    assert await ids(world, CFO, "escalated") == await ids(world, CFO, "mine") == [document.id]
    assert await ids(world, A, "escalated") == []


async def test_a_delegate_finds_what_the_delegator_may_decide(world: World) -> None:
    document = await world.pay()
    await world.desk.delegate(A, "deputy", start=world.clock.time, end=world.clock.time + HOUR)
    (row,) = await world.desk.inbox(person("deputy"), "mine")
    assert (row.id, row.for_whom) == (document.id, ("approver-a",))
    await world.approve(A, document)
    assert await ids(world, person("deputy"), "mine") == []


async def test_nothing_of_another_tenant_or_without_the_role(world: World) -> None:
    document = await world.pay()
    for who in (person("approver-a", tenant="other"), person("clerk-2"), person("")):
        for box in ("mine", "escalated", "waiting", "done"):
            assert await ids(world, who, box) == []
    stranger = person("clerk-1", tenant="other")
    assert await ids(world, stranger, "waiting") == []
    assert document.id


async def test_pages_lose_nothing_and_keep_one_moment_together(each_world: World) -> None:
    for number in range(9):
        if number % 3 == 0:
            each_world.clock.time += 1
        await each_world.pay(payment(account=f"CN{number}"))
    seen: list[str] = []
    before = None
    for _ in range(3):
        page = await each_world.desk.inbox(A, "mine", limit=2, before=before)
        assert len(page) == 3
        seen += [row.id for row in page]
        before = page[-1].received_at
    assert len(set(seen)) == 9
    assert await ids(each_world, A, "mine", before=before) == []


async def test_what_is_not_mine_in_between_does_not_end_the_list(world: World) -> None:
    wanted = await world.pay(payment(account="CN-first"))
    assert wanted.hold is not None
    template = wanted
    hold = replace(wanted.hold, approvers="others")

    async def record(number: int) -> None:
        new: Document = replace(
            template, id=f"{number:032x}", state=State.RECEIVED, seq=0, received_at=world.clock.time, hold=hold
        )
        await world.ledger.write(lambda tx: receive(tx, new, Event.HOLD, terms=world.book.terms_of("", "")))

    for number in range(CHUNK + 5):
        await record(number)
    assert await ids(world, A, "mine") == [wanted.id]


async def test_operators_find_what_is_stuck(each_world: World) -> None:
    queued = await each_world.pay(payment("1.00"))
    operator = OPERATORS[0]
    assert await each_world.desk.troubled(operator) == []
    each_world.clock.time += 301
    assert [row.id for row in await each_world.desk.troubled(operator)] == [queued.id]
    row = (await each_world.desk.troubled(AUDITOR))[0]
    assert (row.amount, row.currency, row.account, row.payments, row.required) == ("1.00", "CNY", "•••• 2233", 1, 0)
    assert not row.may_vote
    manual = await each_world.manual(body=payment("600000"))
    assert {found.id for found in await each_world.desk.troubled(operator)} == {queued.id, manual.id}
    assert [found.id for found in await each_world.desk.troubled(operator, states=[State.MANUAL])] == [manual.id]
    assert await each_world.desk.troubled(person("operator", tenant="other", roles=("operators",))) == []


@pytest.mark.parametrize("who", [A, CLERK])
async def test_others_are_not_shown_what_is_stuck(world: World, who: object) -> None:
    assert await refused(world.desk.troubled(who)) == "not_operator"  # type: ignore[arg-type]
