"""Who holds a right, and by which rows. That it is what ``decide`` says is tested with the conflicts of duties."""

from __future__ import annotations

from gateway.policy.differences import Asked, Side
from gateway.policy.file import read_policy
from gateway.policy.holders import Holders, Right, Way
from gateway.policy.index import compile_policy

ROWS = (
    "p, buyer, one, orders, allow",
    "p, blocked, *, orders, deny",
    "g2, orders.get@v1, orders",
    "g, li, buyer, *",
    "g, wu, li, one",
    "g, an, buyer, one",
    "g, an, blocked, one",
)
HOLDERS = Holders(
    Side(compile_policy(read_policy("policy.csv", ("\n".join([*ROWS, "# end"]) + "\n").encode()))),
    [Asked("orders.get", ("v1", "v2"))],
)
CALL = Right("get orders", ("orders.get",))


def test_names_that_rows_lead_to_and_none_denies_hold_a_right() -> None:
    assert HOLDERS.of(CALL) == {"one": {"buyer", "li", "wu"}}
    assert HOLDERS.of(Right("", ("orders.get@v2",))) == {}
    assert HOLDERS.of(Right("", ("orders.create",))) == {}


def test_a_role_is_held_by_name_too() -> None:
    assert HOLDERS.of(Right("", roles=("buyer",))) == {"*": {"buyer", "li"}, "one": {"an", "buyer", "li", "wu"}}


def test_a_way_is_the_rows_from_the_name_to_the_right() -> None:
    way = HOLDERS.way("wu", "one", CALL)
    assert [place for place, _ in way.rows] == [f"policy.csv:{line}" for line in (5, 4, 1, 3)]
    assert way.nearest == "policy.csv:5"
    assert HOLDERS.way("buyer", "one", Right("be buyer", roles=("buyer",))).nearest == "it is the role itself"
    assert HOLDERS.way("an", "one", CALL) == Way("get orders")


def test_people_are_names_without_members_and_the_topmost_hold_none_of_the_others() -> None:
    assert [name for name in ("buyer", "li", "wu") if HOLDERS.is_person(name)] == ["wu"]
    assert HOLDERS.topmost({"li", "wu", "an"}, "one") == {"an": ["an"], "li": ["wu"]}
    assert HOLDERS.topmost({"li", "wu"}, "two") == {"li": [], "wu": ["wu"]}
    assert HOLDERS.roles("wu", "one") == {"wu", "li", "buyer"}
