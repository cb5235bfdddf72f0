"""Whom a candidate would hit, of those who really called; what is already so, and what cannot be known, is no change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.exchange import Principal
from gateway.policy.file import read_policy
from gateway.policy.index import PolicyIndex, compile_policy
from gateway.policy.replay import Change, Replay
from gateway.ports import Decided
from gateway.scope import EVERYTHING, Context

WMS = Principal("wms", "demo")
DAY = datetime(2026, 11, 20, 10, tzinfo=UTC).timestamp()
NIGHT = datetime(2026, 11, 20, 23, tzinfo=UTC).timestamp()


def policy(*rows: str) -> PolicyIndex:
    return compile_policy(read_policy("policy.csv", "\n".join([*rows, "# end", ""]).encode()))


LIVE = policy("p, wms, demo, stock.get, allow", "p, oa, demo, stock.get, allow", "p, sales, demo, orders.list, allow")


def decided(principal: Principal = WMS, operation: str = "stock.get", **facts: Any) -> Decided:
    about: dict[str, Any] = {"allowed": True, "policy": LIVE.sha256, "addresses": ("10.0.0.1",), "first": DAY, "last": DAY}
    return Decided(principal, operation, "v1", **about | facts)


def heard(candidate: PolicyIndex, *recorded: Decided, live: PolicyIndex = LIVE) -> Replay:
    replay = Replay(candidate, live)
    for one in recorded:
        replay.hear(one)
    return replay


def effects(replay: Replay) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.principal.subject, one.effect, one.unmet) for one in replay.changes()]


def test_only_those_who_called_are_hit() -> None:
    lost = policy("p, oa, demo, stock.get, allow")
    replay = heard(lost, decided(count=3), decided(count=4, last=NIGHT), decided(Principal("oa", "demo")))
    assert replay.changes() == [
        Change(WMS, "stock.get", "v1", "loses", (), (), (("policy.csv:1", "p, wms, demo, stock.get, allow"),), 7, NIGHT)
    ]
    assert (replay.entries, replay.calls, len(replay.callers), replay.already) == (3, 8, 2, 0)


def test_a_row_that_denies_is_named_wherever_it_stands() -> None:
    denies = policy("# moved", "p, oa, demo, stock.get, allow", "p, wms, demo, stock.get, allow", "p, wms, *, stock.get, deny")
    (change,) = heard(denies, decided()).changes()
    assert change.now == (("policy.csv:4", "p, wms, *, stock.get, deny"),)
    assert heard(denies, decided(Principal("oa", "demo"))).changes() == []


def test_who_was_refused_may_gain() -> None:
    wider = policy("p, wms, demo, orders.list, allow", "p, wms, demo, stock.get, allow")
    replay = heard(wider, decided(operation="orders.list", allowed=False), decided())
    assert effects(replay) == [("wms", "gains", ())]
    assert replay.changes()[0].now == (("policy.csv:1", "p, wms, demo, orders.list, allow"),)


def test_the_roles_a_credential_carried_count() -> None:
    called = decided(Principal("wms", "demo", ("sales",)), "orders.list")
    assert effects(heard(policy("p, wms, demo, stock.get, allow"), called)) == [("wms", "loses", ())]
    assert effects(heard(LIVE, called)) == []


def test_conditions_are_judged_where_and_when_the_call_came() -> None:
    plant = policy("p, wms, demo, stock.get, allow", "p4, wms, demo, stock.get, network, 10.0.0.0/8")
    assert effects(heard(plant, decided())) == []
    assert effects(heard(plant, decided(addresses=("10.0.0.1", "192.0.2.1")))) == [("wms", "loses", ("network",))]
    hours = policy("p, wms, demo, stock.get, allow", "p4, wms, demo, stock.get, time, Mon-Fri 08:00-18:00 UTC")
    assert effects(heard(hours, decided())) == []
    assert effects(heard(hours, decided(last=NIGHT))) == [("wms", "loses", ("time",))]
    refused = decided(allowed=False, unmet=("time",), first=NIGHT, last=NIGHT)
    assert effects(heard(LIVE, refused, live=hours)) == [("wms", "gains", ())]
    assert effects(heard(plant, decided(addresses=()))) == [("wms", "loses", ("network",))], "unknown is not within"


def test_another_view_is_a_change() -> None:
    hides = policy("p, wms, demo, stock.get, allow", "p2, wms, demo, stock.get, price, hide")
    (change,) = heard(hides, decided()).changes()
    assert (change.effect, change.now) == ("sees otherwise", (("policy.csv:2", "p2, wms, demo, stock.get, price, hide"),))
    (back,) = heard(LIVE, decided(), live=hides).changes()
    assert (back.effect, back.before) == (change.effect, change.now)
    records = policy("p, wms, demo, stock.get, allow", "p3, wms, demo, stock.get, entity, own")
    assert effects(heard(records, decided())) == [("wms", "sees otherwise", ())]
    twice = policy("p, wms, demo, stock.get, allow", *(f"p2, {who}, demo, stock.get, price, hide" for who in ("wms", "oa")))
    assert effects(heard(twice, decided(), live=hides)) == []


def test_what_was_refused_for_what_it_held_is_only_asked_for_its_view() -> None:
    hides = policy("p, wms, demo, stock.get, allow", "p2, wms, demo, stock.get, price, hide")
    refused = decided(allowed=False, unmet=("fields",))
    assert effects(heard(hides, refused, live=hides)) == []
    assert effects(heard(policy("p, oa, demo, stock.get, allow"), refused, live=hides)) == []
    assert effects(heard(LIVE, refused, live=hides)) == [("wms", "sees otherwise", ())]


def test_what_the_policy_in_force_already_changes_is_counted_and_not_reported() -> None:
    replay = heard(LIVE, decided(allowed=False, count=5), decided(operation="orders.list", count=2))
    assert (replay.changes(), replay.already) == ([], 7)
    lost = policy("p, oa, demo, stock.get, allow")
    assert heard(lost, decided(allowed=False), live=LIVE).changes() == [], "refused then, and refused again"


ROWS = [
    *(", ".join(("p", *row)) for row in product("ab", ("demo", "*"), ("x.y", "g"), ("allow", "deny"))),
    *(f"g, s{n}, {role}, demo" for n in range(3) for role in "ab"),
    "g2, x.y, g",
    *(f"p2, {role}, demo, x.y, price, {access}" for role in "ab" for access in ("hide", "lock")),
    *(f"p4, {role}, demo, g, network, {network}" for role in "ab" for network in ("10.0.0.0/8", "192.0.2.0/24")),
]


@settings(max_examples=150)
@given(st.lists(st.sampled_from(ROWS), unique=True, max_size=10), st.lists(st.sampled_from(ROWS), unique=True, max_size=10))
def test_exactly_what_the_policies_answer_otherwise_is_found(one: list[str], other: list[str]) -> None:
    """Every question of a small world recorded under one policy and replayed under another."""
    live, candidate = _used(one), _used(other)
    recorded, expected = [], set()
    for subject in ("s0", "s1", "s2", "a"):
        for address in ("10.0.0.1", "192.0.2.1"):
            principal = Principal(subject, "demo")
            was, would = (_asked(index, principal, address) for index in (live, candidate))
            recorded.append(replace(decided(principal, "x.y", addresses=(address,)), allowed=was is not None))
            if was != would:
                effect = "loses" if would is None else "gains" if was is None else "sees otherwise"
                expected.add((subject, effect))
    assert {(one.principal.subject, one.effect) for one in heard(candidate, *recorded, live=live).changes()} == expected
    assert heard(live, *recorded, live=live).changes() == []


def _used(rows: list[str]) -> PolicyIndex:
    """Without a g2 row for a group nobody names, and the other way round, which the strict reader refuses."""
    return policy("g2, x.y, g", "p, nobody, demo, g, allow", *(row for row in rows if row != "g2, x.y, g"))


def _asked(index: PolicyIndex, principal: Principal, address: str) -> object:
    """What is seen, or ``None`` where it is refused."""
    allowed, _, scope = index.decide(principal, "x.y", "v1")
    if not allowed or (scope is not None and scope.unmet(Context(DAY, address))):
        return None
    return (scope or EVERYTHING).fields
