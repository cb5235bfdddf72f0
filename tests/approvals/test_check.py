"""Rules that could never be satisfied, or are about nothing, are found before they go live."""

from __future__ import annotations

from gateway.approvals.check import check_eligible, check_operations
from gateway.approvals.file import Approvals, read_approvals
from gateway.config.source import parse_source
from tests.support import ROOT

TEXT = """approvals:
  payments.create:
    amount: $.amount
    currency: $.currency
    payee: $.payee
    over: {CNY: 500000}
    required: REQUIRED
    approvers: finance-approver
    escalate:
      to: cfo
"""


def read(required: int = 2) -> Approvals:
    return read_approvals(parse_source(TEXT.replace("REQUIRED", str(required)).encode(), name="approvals.yaml", folder=ROOT))


def test_two_people_are_enough_for_two() -> None:
    members = {"finance-approver": ["approver-a", "approver-b"], "cfo": ["cfo"]}
    assert check_eligible(read(), lambda role: members.get(role, [])) == []


def test_one_person_is_not_enough() -> None:
    members = {"finance-approver": ["approver-a"], "cfo": ["cfo"]}
    (found,) = check_eligible(read(), lambda role: members.get(role, []))
    assert str(found) == (
        "approvals.yaml:8: 'payments.create' needs 2 approvers, and the role 'finance-approver' has 1 (approver-a); "
        "give the role to 1 more in policy.csv, or name another role"
    )


def test_two_spellings_are_one_person() -> None:
    members = {"finance-approver": ["approver-a", "Approver-A ", "ａpprover-a", " "], "cfo": ["cfo"]}
    (found,) = check_eligible(read(), lambda role: members.get(role, []))
    assert "has 1 (approver-a)" in found.what


def test_a_rule_may_need_more_than_there_are() -> None:
    members = {"finance-approver": ["a", "b"], "cfo": ["c"]}
    (found,) = check_eligible(read(3), lambda role: members.get(role, []))
    assert "needs 3 approvers, and the role 'finance-approver' has 2 (a, b)" in found.what


def test_somebody_must_be_there_to_escalate_to() -> None:
    (found,) = check_eligible(read(), lambda role: ["a", "b"] if role == "finance-approver" else [])
    assert (found.line, found.what) == (10, "'payments.create' escalates to the role 'cfo', which nobody holds")


def test_a_rule_about_no_route_is_found() -> None:
    assert check_operations(read(), {"payments.create", "payments.get"}) == []
    (found,) = check_operations(read(), {"payment.create"})
    assert str(found) == "approvals.yaml:2: no recorded write is called 'payments.create'; did you mean 'payment.create'?"
    (found,) = check_operations(read(), {"stock.get"})
    assert found.remedy == "name a write that has a route and is recorded, or remove the rule"
