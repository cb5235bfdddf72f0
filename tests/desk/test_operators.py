"""Two operators, and nobody less, say what became of a document."""

from __future__ import annotations

import pytest

from gateway.desk import Desk
from gateway.documents import tables
from gateway.documents.states import Event, State
from gateway.errors import Forbidden, NotFound, Unprocessable
from gateway.people import Person
from tests.desk.world import APPROVALS, AUDITOR, CLERK, OPERATORS, POLICY, A, B, C, World, payment, person, refused

ONE, TWO, THREE = OPERATORS
WHY = {"reason": "looked in the journal"}


async def test_two_who_found_the_booking_settle_it(each_world: World) -> None:
    document = await each_world.manual()
    first = await each_world.desk.attest(ONE, document.id, "booked", reference="PAY-7", **WHY)
    assert (first.row.state, [said.person for said in first.attestations]) == (State.MANUAL, ["operator"])
    second = await each_world.desk.attest(TWO, document.id, "booked", reference=" pay-7 ", **WHY)
    assert (second.row.state, second.reference) == (State.DELIVERED, "pay-7")
    entry = (await each_world.told(document))[-1]
    assert entry["kind"] == "document.deliver"
    assert entry["details"]["operators"] == ["operator", "operator-2"]


async def test_proven_absent_it_is_sent_again_and_looked_at_again(world: World) -> None:
    document = await world.manual()
    await world.desk.attest(ONE, document.id, "absent", **WHY)
    assert (await world.desk.attest(TWO, document.id, "absent", **WHY)).row.state is State.QUEUED
    assert await world.work(document, "send") == 1
    world.book.change(approvals_text=APPROVALS.replace("payments.create", "refunds.create"))
    assert (await world.release(document)).code == "rule_gone"  # type: ignore[union-attr]


async def test_discarded_by_two(world: World) -> None:
    document = await world.manual()
    await world.desk.attest(ONE, document.id, "discard", **WHY)
    assert (await world.desk.attest(TWO, document.id, "discard", **WHY)).row.state is State.DISCARDED


async def test_different_words_settle_nothing(world: World) -> None:
    document = await world.manual()
    await world.desk.attest(ONE, document.id, "booked", reference="PAY-7", **WHY)
    await world.desk.attest(TWO, document.id, "booked", reference="PAY-8", **WHY)
    assert (await world.desk.attest(THREE, document.id, "absent", **WHY)).row.state is State.MANUAL
    shown = await world.desk.attest(ONE, document.id, "absent", **WHY)
    assert shown.row.state is State.QUEUED


async def test_the_same_operator_twice_is_one(each_world: World) -> None:
    document = await each_world.manual()
    await each_world.desk.attest(ONE, document.id, "absent", **WHY)
    entries = len(await each_world.told(document))
    assert (await each_world.desk.attest(ONE, document.id, "absent", **WHY)).row.state is State.MANUAL
    assert len(await each_world.told(document)) == entries
    for spelling in ("Operator", "ｏｐｅｒａｔｏｒ", "operator ", "operator\u200b"):
        same = person(spelling, roles=("operators",))
        assert await refused(each_world.desk.attest(same, document.id, "absent", **WHY)) == "already_attested"
    await each_world.desk.attest(ONE, document.id, "discard", **WHY)
    assert (await each_world.desk.attest(ONE, document.id, "absent", **WHY)).row.state is State.MANUAL
    assert len(await each_world.rows(tables.votes, document)) == 3


async def test_words_of_another_time_are_forgotten(world: World) -> None:
    document = await world.manual()
    await world.desk.attest(ONE, document.id, "absent", **WHY)
    await world.desk.attest(TWO, document.id, "absent", **WHY)
    for event in (Event.SEND, Event.LOSE, Event.GIVE_UP):
        await world.step(document, event)
    assert (await world.desk.attest(THREE, document.id, "absent", **WHY)).row.state is State.MANUAL
    assert (await world.desk.attest(ONE, document.id, "absent", **WHY)).row.state is State.QUEUED


@pytest.mark.parametrize("spelling", ["operator", "Operator", "ｏｐｅｒａｔｏｒ"])
async def test_who_asked_for_it_does_not_settle_it(world: World, spelling: str) -> None:
    document = await world.manual(initiator=spelling)
    assert await refused(world.desk.attest(ONE, document.id, "absent", **WHY)) == "initiator"
    shown = await world.desk.detail(ONE, document.id)
    assert shown.why_not["attest"].code == "initiator"
    assert "attest" in (await world.desk.detail(TWO, document.id)).can


async def test_who_changed_or_decided_it_does_not_settle_it(world: World) -> None:
    everybody = POLICY.replace("# end", "g, approver-a, operators, demo\n# end")
    world.book.change(policy_text=everybody)
    edited = await world.manual(editors=("operator-2",))
    assert await refused(world.desk.attest(TWO, edited.id, "absent", **WHY)) == "editor"
    assert await refused(world.desk.attest(A, edited.id, "absent", **WHY)) == "voter"


async def test_who_somebody_decided_for_does_not_settle_it(world: World) -> None:
    world.book.change(policy_text=POLICY.replace("# end", "g, approver-c, operators, demo\n# end"))
    await world.desk.delegate(C, "deputy", start=world.clock.time, end=world.clock.time + 60)
    document = await world.pay()
    await world.approve(person("deputy"), document, on_behalf_of="approver-c")
    await world.approve(B, document)
    for event in (Event.SEND, Event.LOSE, Event.GIVE_UP):
        await world.step(document, event)
    assert await refused(world.desk.attest(C, document.id, "absent", **WHY)) == "voter"


async def test_only_operators_of_the_tenant(world: World) -> None:
    document = await world.manual()
    for who in (C, AUDITOR, CLERK):
        assert await refused(world.desk.attest(who, document.id, "absent", **WHY)) == "not_operator"
    with pytest.raises(NotFound):
        await world.desk.attest(person("operator", tenant="other", roles=("operators",)), document.id, "absent", **WHY)


async def test_who_lacks_a_permission_is_told_to_the_decision_log(world: World) -> None:
    denials: list[tuple[str, str]] = []

    async def denied(who: Person, permission: str) -> None:
        denials.append((who.subject, permission))

    desk = Desk(world.ledger, lambda: world.book, world.clock, denied)
    document = await world.manual()
    calls = (desk.attest(C, document.id, "absent", **WHY), desk.troubled(CLERK), desk.delegate(AUDITOR, "x", start=0, end=9))
    for call in calls:
        with pytest.raises(Forbidden):
            await call  # type: ignore[misc]
    with pytest.raises(Unprocessable):
        await desk.delegate(A, "", start=0, end=9)
    assert denials == [("approver-c", "documents.operate"), ("clerk-1", "documents.operate"), ("auditor", "approvals.delegate")]


async def test_only_a_manual_document(world: World) -> None:
    document = await world.pay()
    assert await refused(world.desk.attest(ONE, document.id, "absent", **WHY)) == "not_manual"
    assert await refused(world.desk.replay(ONE, document.id)) == "not_dead"


async def test_a_booking_has_a_number_and_a_word_a_reason(world: World) -> None:
    document = await world.manual()
    for wrong in ({"reference": ""}, {"reference": "\u200b"}, {"reference": "x" * 201}):
        assert await refused(world.desk.attest(ONE, document.id, "booked", **WHY, **wrong)) == "reference_missing"
    assert await refused(world.desk.attest(ONE, document.id, "absent", reference="PAY-7", **WHY)) == "reference_unwanted"
    with pytest.raises(Unprocessable):
        await world.desk.attest(ONE, document.id, "absent", reason=" ")


async def dead(world: World):  # type: ignore[no-untyped-def]
    document = await world.pay(payment("400000"))
    await world.step(document, Event.SEND)
    return await world.step(document, Event.GIVE_UP)


async def test_a_dead_document_is_replayed_once(world: World) -> None:
    document = await dead(world)
    shown = await world.desk.replay(ONE, document.id)
    assert shown.row.state is State.QUEUED
    assert await refused(world.desk.replay(TWO, document.id)) == "not_dead"
    assert await world.work(document, "send") == 1


async def test_a_dead_document_is_discarded_with_a_reason(world: World) -> None:
    document = await dead(world)
    assert await refused(world.desk.discard(AUDITOR, document.id, "enough")) == "not_operator"
    shown = await world.desk.discard(ONE, document.id, "paid by hand to 6222020200112233")
    assert shown.row.state is State.DISCARDED
    assert shown.row.note == {"code": "discarded", "reason": "paid by hand to •••• 2233"}
    assert "6222" not in str(shown)
