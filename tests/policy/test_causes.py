"""Which rows a decision comes from, and which changed rows lead to them."""

from __future__ import annotations

from gateway.policy.causes import Cause, Causes
from gateway.policy.file import read_policy

ROWS = (
    "p, buyer, one, orders, allow",
    "g, clerk, buyer, one",
    "g, li, clerk, *",
    "g, li, buyer, two",
    "g2, orders.get@v1, reads",
    "g2, reads, orders",
)
FILE = read_policy("policy.csv", ("\n".join([*ROWS, "# end"]) + "\n").encode())


def causes(*lines: int) -> Causes:
    rows = (*FILE.grants, *FILE.memberships, *FILE.groupings)
    return Causes("new", FILE, [row for row in rows if row.line in lines])


def places(of: Causes, who: str, tenant: str = "one", operation: str = "orders.get", version: str = "v1") -> list[str]:
    return [cause.place.rpartition(":")[2] for cause in of.of(of.row("policy.csv:1"), who, tenant, operation, version)]


def test_a_row_is_a_cause_when_it_or_what_leads_to_it_changed() -> None:
    assert places(causes(1), "buyer") == ["1"]
    assert places(causes(), "buyer") == []
    assert places(causes(2), "li") == ["1", "2"]
    assert sorted(places(causes(2, 3, 5, 6), "li")) == ["1", "2", "3", "5", "6"]
    assert places(causes(4), "li") == []
    assert places(causes(4), "li", "two") == ["1", "4"]
    assert places(causes(5), "buyer", version="v2") == []


def test_a_cause_says_where_what_and_whether_it_is_new() -> None:
    of = causes(2)
    assert of.cause(FILE.memberships[0]) == Cause("new", "policy.csv:2", "g, clerk, buyer, one", changed=True)
    assert not of.cause(FILE.grants[0]).changed
    assert of.roles("li", "two") == {"li", "clerk", "buyer"}
    assert of.roles("li", "three") == {"li", "clerk"}
    assert of.names("orders.get@v1") == {"orders.get@v1", "reads", "orders"}
    assert [cause.text for cause in of.links("li", "one", {"buyer"})] == ["g, clerk, buyer, one"]
