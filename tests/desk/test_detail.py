"""One document: everything a decision needs, nothing of accounts but their last characters."""

from __future__ import annotations

from gateway.documents.states import State
from tests.desk.world import ACCOUNT, APPROVALS, AUDITOR, CLERK, HOUR, OPERATORS, A, B, C, World, payment, person


async def test_what_is_signed_is_shown_and_the_account_is_not(world: World) -> None:
    document = await world.pay(payment(memo=f"to {ACCOUNT}, or 6222 0202 0011 2233", extra={ACCOUNT: 6222020200112233}))
    shown = await world.desk.detail(A, document.id)
    assert document.hold is not None
    assert set(shown.facts) == set(document.hold.facts)
    assert shown.facts["payee"] == {"account": "•••• 2233", "name": "Huaxing Steel"}
    assert (shown.revision, shown.payload_hash, shown.intact) == (1, document.hold.payload_hash, True)
    assert shown.payload["payee"]["account"] == "•••• 2233"  # type: ignore[index]
    assert shown.payload["memo"] == "to •••• 2233, or •••• 2233"  # type: ignore[index]
    assert shown.attachments == ("invoice.pdf",)
    assert (shown.iso20022, shown.can) == ("PATC", {"approve", "reject", "reveal"})
    assert "62220202" not in str(shown).replace(" ", "")


async def test_siblings_and_history_of_the_account(each_world: World) -> None:
    old = await each_world.pay(payment("100.00"))
    each_world.clock.time += 30 * HOUR
    other = await each_world.pay(payment("200000", account="6222 0202-00112233".replace("-", "")))
    elsewhere = await each_world.pay(payment("100.00", account="1234567890"))
    each_world.clock.time += HOUR
    document = await each_world.pay(payment("400000"))
    shown = await each_world.desk.detail(A, document.id)
    assert [(sibling.document, sibling.amount, sibling.state) for sibling in shown.siblings] == [
        (other.id, "200000", State.QUEUED)
    ]
    assert [paid.document for paid in shown.history] == [other.id, old.id]
    assert elsewhere.id not in str(shown.history)
    for number in range(12):
        await each_world.pay(payment(f"{number + 1}.00"))
    assert len((await each_world.desk.detail(A, document.id)).history) == 10


async def test_revisions_show_field_by_field_what_changed(each_world: World) -> None:
    document = await each_world.pay()
    await each_world.revise(
        document, payment("600000", account="6222020299992233", memo="x", attachments=["a.pdf", "b.pdf"]), "clerk-2"
    )
    shown = await each_world.desk.detail(A, document.id)
    (revision,) = shown.revisions
    changes = {change.pointer: (change.before, change.after) for change in revision.changes}
    assert changes["/amount"] == ("500000.01", "600000")
    assert changes["/payee/account"] == ("•••• 2233", "•••• 2233")
    assert changes["/memo"] == (None, "x")
    assert changes["/attachments/0"] == ("invoice.pdf", "a.pdf")
    assert changes["/attachments/1"] == (None, "b.pdf")
    assert revision.revision == 1
    assert shown.revision == 2
    assert "62220202" not in str(shown)


async def test_the_timeline_tells_the_story_without_accounts(each_world: World) -> None:
    document = await each_world.pay()
    await each_world.approve(A, document)
    await each_world.reject(B, document, reason=f"not to {ACCOUNT}")
    shown = await each_world.desk.detail(A, document.id)
    kinds = [entry.kind for entry in shown.timeline]
    assert kinds == ["document.received", "document.hold", "document.vote", "document.reject"]
    assert [entry.actor for entry in shown.timeline] == ["oa", "gateway", "approver-a", "approver-b"]
    assert shown.timeline[-1].details["reason"] == "not to •••• 2233"
    assert shown.timeline[-1].at.endswith("Z")
    assert shown.row.note == {"code": "rejected", "reason": "not to •••• 2233"}
    assert [(vote.person, vote.decision, vote.reason) for vote in shown.votes] == [
        ("approver-a", "approve", None),
        ("approver-b", "reject", "not to •••• 2233"),
    ]
    assert ACCOUNT not in str(shown)


async def test_each_person_is_told_what_they_can_do_and_why_not(world: World) -> None:
    document = await world.pay()
    clerk = await world.desk.detail(CLERK, document.id)
    assert clerk.can == frozenset()
    assert {name: refusal.code for name, refusal in clerk.why_not.items()} == {
        "approve": "initiator",
        "reject": "initiator",
        "reveal": "not_revealed",
    }
    assert clerk.row.why_not is not None
    assert str(clerk.row.why_not) == "clerk-1 asked for this payment and cannot decide on it."
    await world.approve(A, document)
    again = await world.desk.detail(A, document.id)
    assert again.can == {"reject", "reveal"}
    assert again.why_not["approve"].code == "already_voted"
    assert (await world.desk.detail(AUDITOR, document.id)).can == {"reveal"}
    assert (await world.desk.detail(OPERATORS[0], document.id)).can == frozenset()
    assert "approve" in (await world.desk.detail(C, document.id)).can


async def test_a_document_nobody_was_asked_about_is_shown_to_operators(world: World) -> None:
    document = await world.pay(payment("100.00"))
    shown = await world.desk.detail(OPERATORS[0], document.id)
    assert (shown.facts, shown.votes, shown.row.reasons, shown.intact) == ({}, (), (), True)
    assert shown.payload["payee"]["account"] == "•••• 2233"  # type: ignore[index]


async def test_a_body_that_is_no_json_is_shown_as_none(world: World) -> None:
    document = await world.pay()
    await world.tamper(document, body=b"\xff\x00")
    shown = await world.desk.detail(A, document.id)
    assert (shown.payload, shown.intact) == (None, False)


async def test_a_rule_that_is_gone_hides_nothing(world: World) -> None:
    document = await world.pay()
    world.book.change(approvals_text=APPROVALS.replace("payments.create", "refunds.create"))
    shown = await world.desk.detail(A, document.id)
    assert (shown.siblings, shown.row.amount) == ((), "500000.01")
    assert ACCOUNT not in str(shown)


async def test_a_delegate_sees_it_as_long_as_the_delegation_lasts(world: World) -> None:
    document = await world.pay()
    await world.desk.delegate(A, "deputy", start=world.clock.time, end=world.clock.time + HOUR)
    assert (await world.desk.detail(person("deputy"), document.id)).can == {"approve", "reject", "reveal"}
