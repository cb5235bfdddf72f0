"""What one scope gives that another does not: in words, and held against the scopes themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policy.file import Restriction
from gateway.scope import EVERYTHING, Context, Scope, Who, parse_field
from gateway.scope.fields import names_in, open_at
from gateway.scope.parts import Part, Shape, compare
from gateway.scope.scope import scope_of

ME = Who("oa", "demo")
READ = Shape(writes=False)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def scope(*rows: str) -> Scope:
    made = [Restriction(0, kind, "r", "*", "x.y", name, value) for kind, name, value in (row.split(", ") for row in rows)]  # type: ignore[arg-type]
    return scope_of(made, ["policy.csv:1"] * len(made))


def named(*rows: str) -> list[tuple[str, ...]]:
    return [parse_field(row.split(", ")[1]) for row in rows if row.startswith("p2")]


def told(old: list[str], new: list[str], shape: Shape = READ) -> tuple[list[str], list[str]]:
    gained, lost = compare(scope(*old), scope(*new), named(*old, *new), shape, ME)
    assert compare(scope(*new), scope(*old), named(*old, *new), shape, ME) == (lost, gained)
    return [part.text for part in gained], [part.text for part in lost]


@pytest.mark.parametrize(
    ("old", "new", "gained", "lost"),
    [
        (["p2, a, hide"], ["p2, a, hide"], [], []),
        (["p2, a, hide"], [], ["see a"], []),
        (["p2, a.b, hide"], ["p2, a, hide"], [], ["see any other field of a"]),
        (["p2, a.b, hide", "p2, a.c, hide"], ["p2, a.b, show"], ["see a.b"], ["see any other field of a", "see any other field"]),
        ([], ["p2, a.b, show"], [], ["see any other field of a", "see any other field"]),
        (["p2, a, show", "p2, b, show"], ["p2, a, show", "p2, b, show", "p2, b.c, hide"], [], ["see b.c"]),
        (["p2, a, hide"], ["p2, a.b, hide", "p2, a.c, hide"], ["see any other field of a"], []),
        (["p2, a, show", "p2, a, hide"], [], ["see every field"], []),
        (["p3, entity, own"], ["p3, entity, demo"], [], []),
        (["p3, entity, 1"], ["p3, entity, 2", "p3, entity, own"], ["entity 2", "entity own"], ["entity 1"]),
        (["p3, satellite, own"], [], ["another satellite than own"], []),
        (["p3, amount-up-to, 5.00 CNY"], ["p3, amount-up-to, 5 CNY"], [], []),
        (["p3, amount-up-to, 5 CNY"], ["p3, amount-up-to, 7.50 CNY"], ["amounts in CNY over 5 up to 7.5"], []),
        (["p3, amount-up-to, 5 CNY"], ["p3, amount-up-to, 9 EUR"], ["amounts in EUR up to 9"], ["amounts in CNY up to 5"]),
        (["p3, amount-up-to, 100 CNY"], [], ["amounts in CNY over 100", "amounts in another currency than CNY"], []),
        (["p4, network, 10.0.0.0/8"], ["p4, network, 10.1.0.0/16"], [], ["call from 10.0.0.0/8 without 10.1.0.0/16"]),
        (["p4, network, 10.0.0.0/9", "p4, network, 10.128.0.0/9"], ["p4, network, 10.0.0.0/8"], [], []),
        (["p4, network, ::1"], [], ["call from elsewhere than ::1/128"], []),
        (["p4, network, ::1"], ["p4, network, 10.1.1.1"], ["call from 10.1.1.1/32"], ["call from ::1/128"]),
        (["p4, time, 08:00-18:00 UTC"], ["p4, time, 08:00-20:00 UTC"], ["call at 18:00-20:00 UTC"], []),
        (["p4, time, Mon-Fri 22:00-02:00 UTC"], ["p4, time, Tue-Sat 00:00-02:00 UTC"], [], ["call at Mon-Fri 22:00-24:00 UTC"]),
        ([], ["p4, time, 00:00-12:00 UTC", "p4, time, 12:00-24:00 UTC"], [], []),
        (["p4, network, 0.0.0.0/0"], ["p4, network, 0.0.0.0/0", "p4, network, ::/0"], ["call from elsewhere than 0.0.0.0/0"], []),
        ([], ["p4, time, Sun-Mon 08:00-09:00 UTC"], [], ["call at another time than Mon,Sun 08:00-09:00 UTC"]),
        (
            ["p4, time, 08:00-09:00 UTC"],
            ["p4, time, 08:00-09:00 Asia/Shanghai"],
            ["call at 08:00-09:00 Asia/Shanghai"],
            ["call at 08:00-09:00 UTC"],
        ),
    ],
)
def test_says_what_is_gained_and_lost(old: list[str], new: list[str], gained: list[str], lost: list[str]) -> None:
    def short(texts: list[str]) -> list[str]:
        return [text.removeprefix("records with ") for text in texts]

    assert tuple(map(short, told(old, new))) == (gained, lost)


def test_a_write_has_fields_to_set_and_a_schema_has_names() -> None:
    account = {"type": "object", "properties": {"iban": {}, "bic": {}}}
    request = {"properties": {"payee": {"$ref": "#/$defs/account"}, "amount": {}}, "$defs": {"account": account}}
    shape = Shape(request=lambda: request)
    assert told(["p2, payee.iban, lock"], [], shape) == (["set payee.iban"], [])
    assert told([], ["p2, payee.iban, show"], shape)[1] == ["see payee.bic", "see amount", "set payee.bic", "set amount"]
    assert told([], ["p2, payee.iban, hide", "p2, payee.bic, hide"], shape)[1] == ["see payee", "set payee"]
    assert told([], ["p2, amount, lock"], shape) == ([], ["set amount"])


def test_names_are_found_through_lists_references_and_branches() -> None:
    schema: dict[str, Any] = {
        "$defs": {
            "line": {
                "allOf": [{"$ref": "#/$defs/line"}, {"properties": {"sku": {}, "$xml": {}}}],
                "then": {"properties": {"t": {}}},
            }
        },
        "properties": {"lines": {"items": {"$ref": "#/$defs/line"}}, "$items": {"items": {"properties": {"b": {}}}}},
        "additionalProperties": {"properties": {"more": {}}},
    }
    assert names_in(schema, ()) == {"lines", "b"}
    assert names_in(schema, ("lines",)) == {"sku", "t"}
    assert names_in(schema, ("anything",)) == {"more"}
    assert names_in({"$ref": "#"}, ("a",)) == frozenset()
    assert names_in({"properties": {"a": True}}, ("a", "b")) == frozenset()


# --- held against the scopes -----------------------------------------------------------------------------------------

letters = st.sampled_from("abc")
paths = st.lists(letters, min_size=1, max_size=3).map(".".join)
fields = st.builds("p2, {}, {}".format, paths, st.sampled_from(["hide", "lock", "show"]))
networks = st.builds(
    "p4, network, {}".format,
    st.sampled_from(["10.0.0.0/30", "10.0.0.0/31", "10.0.0.2", "10.0.0.4/30", "::/126", "::/0", "0.0.0.0/0"]),
)
spans = st.builds(
    "p4, time, {}{:02}:{:02}-{:02}:{:02} UTC".format,
    st.sampled_from(["", "Mon ", "Sun ", "Fri-Mon "]),
    st.integers(0, 23),
    st.sampled_from([0, 30]),
    st.integers(0, 23),
    st.sampled_from([1, 31]),
)


def covered(parts: list[Part], path: tuple[str, ...], patterns: set[tuple[str, ...]], verb: str) -> bool:
    """Whether a part says something of a path, by what its words mean."""
    for part in parts:
        if part.kind != "p2" or not part.text.startswith(verb):
            continue
        if not part.rest and path[: len(part.path)] == part.path:
            return True
        if part.rest and path[: len(part.path)] == part.path:
            below = path[: len(part.path) + 1]
            if below == part.path or not any(pattern[: len(below)] == below for pattern in patterns):
                return True
    return False


@settings(max_examples=300, deadline=None)
@given(st.lists(fields, max_size=5), st.lists(fields, max_size=5), st.lists(letters, min_size=1, max_size=4).map(tuple))
def test_a_field_is_gained_exactly_when_it_was_not_open_and_is(old: list[str], new: list[str], path: tuple[str, ...]) -> None:
    patterns = {parse_field(row.split(", ")[1]) for row in (*old, *new)}
    before, after = scope(*old).fields, scope(*new).fields
    gained, lost = compare(scope(*old), scope(*new), patterns, Shape(), ME)
    for verb, was, now in (("see", before.seen, after.seen), ("set", before.settable, after.settable)):
        assert covered(gained, path, patterns, verb) == (open_at(now, path) and not open_at(was, path))
        assert covered(lost, path, patterns, verb) == (open_at(was, path) and not open_at(now, path))


@settings(max_examples=200, deadline=None)
@given(st.lists(networks, max_size=3), st.lists(networks, max_size=3))
def test_networks_are_told_exactly_when_an_address_is_let_through_by_one_alone(old: list[str], new: list[str]) -> None:
    before, after = scope(*old), scope(*new)
    addresses = [*(f"10.0.0.{number}" for number in range(9)), *(f"::{number}" for number in range(5)), "192.0.2.1"]
    gained, lost = compare(before, after, (), Shape(), ME)
    passes = [(not before.unmet(Context(0.0, one)), not after.unmet(Context(0.0, one))) for one in addresses]
    assert bool(gained) == any(now and not was for was, now in passes)
    assert bool(lost) == any(was and not now for was, now in passes)


@settings(max_examples=40, deadline=None)
@given(st.lists(spans, max_size=2), st.lists(spans, max_size=2))
def test_times_are_told_exactly_when_a_minute_is_let_through_by_one_alone(old: list[str], new: list[str]) -> None:
    before, after = scope(*old), scope(*new)
    minutes = [(MONDAY + timedelta(minutes=number)).timestamp() for number in range(0, 7 * 24 * 60, 15)]
    minutes += [minute + 60 for minute in minutes]
    gained, lost = compare(before, after, (), Shape(), ME)
    passes = [(not before.unmet(Context(one, "::1")), not after.unmet(Context(one, "::1"))) for one in minutes]
    assert bool(gained) == any(now and not was for was, now in passes)
    assert bool(lost) == any(was and not now for was, now in passes)


def test_nothing_differs_from_itself() -> None:
    assert compare(EVERYTHING, EVERYTHING, (), Shape(), ME) == ([], [])
