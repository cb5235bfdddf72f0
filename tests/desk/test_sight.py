"""Who sees what, and what each person may be."""

from __future__ import annotations

import pytest

from gateway.desk.sight import Viewer
from gateway.people import Person
from tests.desk.world import AUDITOR, CFO, CLERK, NOON, OPERATORS, A, Book, World, payment, person


@pytest.mark.parametrize(
    ("who", "operates", "audits", "delegates"),
    [
        (A, False, False, True),
        (CFO, False, False, False),
        (CLERK, False, False, True),
        (AUDITOR, False, True, False),
        (OPERATORS[0], True, False, False),
        (person("operator", tenant="other"), False, False, False),
        (person("Operator"), False, False, False),
        (person("", roles=("operators", "auditors")), False, False, False),
    ],
)
def test_permissions_are_rows_of_the_policy(who: Person, operates: bool, audits: bool, delegates: bool) -> None:
    viewer = Viewer(who, Book(), NOON)
    assert (viewer.operates, viewer.audits, viewer.delegates) == (operates, audits, delegates)


def test_roles_are_those_of_the_file_and_of_the_sign_in() -> None:
    assert Viewer(A, Book(), NOON).own == {"approver-a", "finance-approver"}
    assert Viewer(person("x", roles=("finance-approver",)), Book(), NOON).own == {"x", "finance-approver"}


async def test_a_batch_is_a_row_with_its_total_and_no_single_payee(world: World) -> None:
    from tests.desk.world import APPROVALS

    world.book.change(approvals_text=APPROVALS.replace("amount: $.amount", "lines: $.lines\n    amount: $.amount"))
    lines = [
        {"amount": "300000.00", "payee": {"account": account, "name": account}}
        for account in ("6222020200112233", "6222020200112244")
    ]
    document = await world.pay({**payment(), "lines": lines})
    row = (await world.desk.inbox(A, "mine"))[0]
    assert (row.amount, row.payee, row.account, row.payments) == ("600000.00", "", "", 2)
    shown = await world.desk.detail(A, document.id)
    assert [line["payee"]["account"] for line in shown.facts["lines"]] == ["•••• 2233", "•••• 2244"]
    assert (await world.desk.reveal(A, document.id))["accounts"] == ["6222020200112233", "6222020200112244"]
