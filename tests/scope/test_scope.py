"""Rows put together."""

from dataclasses import dataclass

from gateway.scope import EVERYTHING, Context
from gateway.scope.scope import Kind, Scope, scope_of


@dataclass
class Row:
    kind: Kind
    name: str
    value: str


def scope(*rows: tuple[Kind, str, str]) -> Scope:
    return scope_of([Row(*row) for row in rows], [f"policy.csv:{number}" for number in range(1, len(rows) + 1)])


def test_hides_and_locks_all_count_and_shown_fields_add_up() -> None:
    fields = scope(("p2", "a", "show"), ("p2", "b", "show"), ("p2", "c", "show"), ("p2", "b", "hide"), ("p2", "c", "lock")).fields
    assert fields.shown({"a": 1, "b": 1, "c": 1, "d": 1}) == {"a": 1, "c": 1}
    assert fields.touched({"a": 1, "b": 1, "c": 1, "d": 1}, writes=True) == ["/b", "/c", "/d"]


def test_a_lock_alone_hides_nothing() -> None:
    fields = scope(("p2", "a", "lock")).fields
    assert not fields.masks
    assert fields.touched({"a": 1}, writes=True) == ["/a"]
    assert fields.touched({"a": 1}, writes=False) == []


def test_values_of_one_predicate_add_up() -> None:
    found = scope(("p3", "entity", "2000"), ("p3", "cost-centre", "x"), ("p3", "entity", "own")).predicates
    assert found == {"entity": {"2000", "own"}, "cost-centre": {"x"}}


def test_one_network_and_one_time_must_hold() -> None:
    made = scope(("p4", "network", "10.0.0.0/8"), ("p4", "network", "::1"), ("p4", "time", "00:00-12:00 UTC"))
    assert made.conditional
    assert made.unmet(Context(3600, "10.1.1.1")) == ()
    assert made.unmet(Context(3600, "::1")) == ()
    assert made.unmet(Context(3600, "192.0.2.1")) == ("network",)
    assert made.unmet(Context(13 * 3600, "nowhere")) == ("network", "time")


def test_no_rows_restrict_nothing() -> None:
    assert EVERYTHING.unmet(Context(0, "")) == ()
    assert not EVERYTHING.conditional
    assert scope(("p2", "a", "hide")).rows == ("policy.csv:1",)
