"""What a changed row can have a part in. That nothing else differs is tested with the differences themselves."""

from __future__ import annotations

import pytest

from gateway.policy.file import PolicyFile, read_policy
from gateway.policy.touched import Links, changed, meet, said

ROWS = (
    "p, buyer, one, orders, allow",
    "p2, clerk, *, orders.get, price, hide",
    "g, clerk, buyer, one",
    "g, li, clerk, *",
    "g, wu, clerk, two",
    "g2, orders.get, orders",
    "g2, orders.create@v2, orders",
)


def policy(*rows: str) -> PolicyFile:
    return read_policy("policy.csv", ("\n".join([*rows, "# end"]) + "\n").encode())


def test_a_row_is_what_it_says_wherever_it_stands() -> None:
    old, new = policy(*ROWS), policy("# moved", *reversed(ROWS))
    assert changed(old, new) == ([], [])
    added, removed = changed(old, policy(*ROWS[1:], "p, buyer, one, orders, deny"))
    assert [", ".join(said(row)) for row in (*added, *removed)] == ["p, buyer, one, orders, deny", ROWS[0]]


@pytest.mark.parametrize(
    ("one", "other", "both"), [("*", "*", "*"), ("*", "a", "a"), ("a", "*", "a"), ("a", "a", "a"), ("a", "b", None)]
)
def test_two_tenants_meet(one: str, other: str, both: str | None) -> None:
    assert meet(one, other) == both


@pytest.mark.parametrize(
    ("row", "touched"),
    [
        (ROWS[0], {("buyer", "one", "orders"), ("clerk", "one", "orders"), ("li", "one", "orders")}),
        (ROWS[1], {("clerk", "*", "orders.get"), ("li", "*", "orders.get"), ("wu", "two", "orders.get")}),
        (ROWS[2], {("clerk", "one", "orders"), ("li", "one", "orders")}),
        (ROWS[3], {("li", "*", "orders.get"), ("li", "one", "orders")}),
        (ROWS[4], {("wu", "two", "orders.get")}),
        (ROWS[5], {("buyer", "one", "orders.get"), ("clerk", "one", "orders.get"), ("li", "one", "orders.get")}),
        (ROWS[6], {(who, "one", "orders.create@v2") for who in ("buyer", "clerk", "li")}),
    ],
)
def test_a_row_touches_whoever_leads_to_it_and_what_it_leads_to(row: str, touched: set[tuple[str, str, str]]) -> None:
    whole, without = policy(*ROWS), policy(*(one for one in ROWS if one != row))
    added, removed = changed(without, whole)
    names = {"orders", "orders.get", "orders.create@v2"}
    assert removed == []
    assert set(Links(without, whole).questions(added, names)) == touched
    assert set(Links(without, whole).questions(added, ())) == set()


def test_an_operation_goes_by_its_version_and_by_all_its_groups() -> None:
    links = Links(policy("g2, a.get, reads", "g2, a.get@v1, first"), policy("g2, reads, all"))
    assert links.names("a.get", "v1") == {"a.get", "a.get@v1", "reads", "first", "all"}
    assert links.names("a.get", "v2") == {"a.get", "a.get@v2", "reads", "all"}
