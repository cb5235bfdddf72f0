"""What policy hides from a person at the API it hides from them at the console."""

from __future__ import annotations

import pytest

from gateway.approvals.file import Rule
from gateway.desk.restricting import FACTS, hidden_facts
from gateway.errors import Forbidden
from gateway.scope import Fields
from gateway.scope.fields import parse_field, tree
from tests.desk.world import ACCOUNT, APPROVALS, AUDITOR, POLICY, A, B, World, approvals, payment

HIDE = "p2, {}, demo, payments.create, {}, hide\n# end\n"


def hiding(world: World, *rows: tuple[str, str]) -> None:
    text = POLICY
    for who, field in rows:
        text = text.replace("# end\n", HIDE.format(who, field))
    world.book.change(policy_text=text)


async def test_a_hidden_field_is_nowhere_in_a_document(world: World) -> None:
    hiding(world, ("auditor", "amount"), ("auditor", "payee"))
    first = await world.pay(payment("500001.00"))
    document = await world.revise(first, payment("777777.77", memo="x"), "clerk-1")
    told = await world.desk.detail(AUDITOR, document.id)
    for secret in ("777777", "500001", "Huaxing", "2233", ACCOUNT):
        assert secret not in str(told), secret
    assert told.payload == {key: value for key, value in payment(memo="x").items() if key not in ("amount", "payee")}
    assert (told.row.amount, told.row.payee, told.row.account, told.row.currency) == ("", "", "", "CNY")
    assert [change.pointer for change in told.revisions[0].changes] == ["/memo"]
    assert told.siblings == told.history == ()
    assert "777777" in str(await world.desk.detail(A, document.id))
    assert "777777" not in str(await world.desk.troubled(AUDITOR, states=[document.state]))
    revealed = await world.desk.reveal(AUDITOR, document.id)
    assert revealed["accounts"] == []
    assert revealed["payload"] == told.payload


async def test_only_what_is_shown_is_there(world: World) -> None:
    world.book.change(policy_text=POLICY.replace("# end\n", "p2, approver-a, demo, payments.create, payee.name, show\n# end\n"))
    document = await world.pay()
    told = await world.desk.detail(A, document.id)
    assert told.payload == {"payee": {"name": "Huaxing Steel"}}
    assert told.facts["payee"] == {"name": "Huaxing Steel"}
    assert not {"amount", "currency", "entity", "initiator", "attachments"} & told.facts.keys()
    assert (told.row.payee, told.row.amount, told.row.entity, told.row.initiator) == ("", "", "", None)
    assert told.attachments == ()
    assert (await world.desk.detail(B, document.id)).payload == payment() | {
        "payee": {"account": "•••• 2233", "name": "Huaxing Steel"}
    }


@pytest.mark.parametrize(
    ("hidden", "gone"),
    [("payee.account", {"payee"}), ("payee", {"payee", "payee_name"}), ("memo", set()), ("amount", {"amount"})],
)
def test_facts_are_hidden_with_the_fields_they_come_from(hidden: str, gone: set[str]) -> None:
    rule: Rule = approvals().rules["payments.create"]
    fields = Fields(tree([parse_field(hidden)]))
    assert hidden_facts(fields, rule) == gone
    assert hidden_facts(fields, None) == set(FACTS)
    assert hidden_facts(Fields(), None) == set()


def test_facts_of_lines_stand_in_the_lines() -> None:
    text = APPROVALS.replace("    over:", "    lines: $.items\n    over:")
    rule = approvals(text).rules["payments.create"]
    assert hidden_facts(Fields(tree([parse_field("items[].amount")])), rule) == {"amount"}
    assert hidden_facts(Fields(tree([parse_field("amount")])), rule) == set()


async def test_nobody_agrees_to_what_is_hidden_from_them(world: World) -> None:
    hiding(world, ("approver-a", "amount"), ("approver-b", "memo"))
    document = await world.pay()
    hash_ = (await world.desk.detail(B, document.id)).payload_hash
    told = await world.desk.detail(A, document.id)
    assert ("approve" in told.can, told.why_not["approve"].code) == (False, "unseen")
    with pytest.raises(Forbidden, match="hidden from approver-a"):
        await world.desk.approve(A, document.id, revision=1, payload_hash=hash_)
    assert "reject" in told.can
    assert "approve" in (await world.desk.detail(B, document.id)).can
    assert len((await world.desk.approve(B, document.id, revision=1, payload_hash=hash_)).votes) == 1
