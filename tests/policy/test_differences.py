"""Who gains and who loses what: by example, and against asking everybody everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.approvals.file import Approvals, read_approvals
from gateway.config.source import parse_source
from gateway.errors import ConfigError
from gateway.exchange import Principal
from gateway.people import AUDIT, OPERATE
from gateway.policy.causes import Cause
from gateway.policy.differences import Asked, Change, Differences, Side, differences, tenants_of
from gateway.policy.file import read_policy
from gateway.policy.index import compile_policy
from gateway.policy.roles import roles_of
from gateway.policy.touched import changed
from gateway.scope import EVERYTHING, Who, parse_field
from gateway.scope.parts import Shape, compare, seen

RULE = """
approvals:
  pay.create:
    amount: $.amount
    currency: $.currency
    payee: $.payee
    over: {{CNY: 1}}
    approvers: {}
    escalate: {{to: {}, after: 24h}}
"""
PAY = (Asked("pay.create", ("v1", "v2")), Asked("pay.get", ("v1",), Shape(writes=False)), Asked("stock", ("",)))


def rules(approvers: str, superior: str) -> Approvals:
    return read_approvals(parse_source(RULE.format(approvers, superior).encode(), name="approvals.yaml", folder=Path()))


def side(*rows: str, approvals: Approvals | None = None, tenants: Sequence[str] = ()) -> Side:
    file = read_policy("policy.csv", ("\n".join([*rows, "# end"]) + "\n").encode())
    return Side(compile_policy(file), approvals, frozenset(tenants))


def told(found: Differences) -> tuple[list[str], list[str]]:
    gained, lost = (
        [" ".join([c.who, c.tenant, c.named, c.what, *(f"-{limit}" for limit in c.limits)]) for c in changes]
        for changes in (found.gained, found.lost)
    )
    return gained, lost


BASE = ("p, finance, demo, pay.get, allow", "p, boss, *, pay.create@v1, allow", "g, li, finance, demo")


def test_nothing_differs_where_rows_only_move() -> None:
    assert differences(side(*BASE), side("# a comment", *reversed(BASE)), PAY) == Differences()
    assert not Differences()


def test_a_role_given_to_somebody_is_theirs_in_that_tenant() -> None:
    found = differences(side(*BASE), side(*BASE, "g, wu, finance, demo"), PAY)
    assert told(found) == (["wu demo pay.get@v1 call"], [])
    assert found.gained[0].causes == (
        Cause("new", "policy.csv:1", "p, finance, demo, pay.get, allow", changed=False),
        Cause("new", "policy.csv:4", "g, wu, finance, demo", changed=True),
    )
    assert found.idle == ()


def test_a_group_that_grows_gives_what_is_in_it_to_all_who_hold_it() -> None:
    rows = ("p, finance, demo, paying, allow", "g2, pay.get, paying", "g, li, finance, demo", "g, wu, li, *")
    found = differences(side(*rows), side(*rows, "g2, pay.create, paying"), PAY)
    assert told(found) == ([f"{who} demo pay.create call" for who in ("finance", "li", "wu")], [])
    assert [change.version for change in found.gained] == ["*"] * 3
    assert [cause.place for cause in found.gained[0].causes] == ["policy.csv:1", "policy.csv:5"]


def test_a_denial_added_is_lost_by_those_who_had_it_and_by_nobody_else() -> None:
    rows = (*BASE, "g, wu, li, demo", "g, an, blocked, demo")
    found = differences(side(*rows), side(*rows, "p, blocked, *, pay.get, deny", "g, li, blocked, demo"), PAY)
    assert told(found) == ([], ["li demo pay.get@v1 call", "wu demo pay.get@v1 call"])
    assert [(cause.side, cause.place) for cause in found.lost[1].causes] == [("new", "policy.csv:6"), ("new", "policy.csv:7")]
    assert told(differences(side(*rows, "p, li, *, pay.get, deny"), side(*rows), PAY))[0] == [
        "li demo pay.get@v1 call",
        "wu demo pay.get@v1 call",
    ]


def test_star_rows_count_in_every_tenant_that_is_named_and_in_any_other() -> None:
    found = differences(side(*BASE, tenants=["shop"]), side(*BASE, "p, wu, *, pay.get, allow"), PAY)
    assert told(found)[0] == [f"wu {tenant} pay.get@v1 call" for tenant in ("*", "demo", "shop")]


def test_rows_that_change_nothing_are_named() -> None:
    extra = ("p, li, demo, pay.get, allow", "p, wu, demo, reports, allow", "g2, stock, shelves")
    found = differences(side(*BASE), side(*BASE, *extra), PAY)
    assert not found
    assert [(cause.place, cause.text) for cause in found.idle] == [(f"policy.csv:{n}", row) for n, row in enumerate(extra, 4)]
    lost = differences(side(*BASE, "p, finance, demo, pay.get, deny"), side(*BASE, "p2, finance, demo, pay.get, a, hide"), PAY)
    assert told(lost) == ([f"{who} demo pay.get@v1 call -see a" for who in ("finance", "li")], [])
    assert lost.idle == ()


def test_restrictions_are_told_field_by_field_value_by_value() -> None:
    old = side(*BASE, "p2, li, demo, pay.get, payee.account, hide", "p3, li, demo, pay.get, entity, 2000")
    rows = ("p2, li, demo, pay.get, payee, hide", "p3, li, demo, pay.get, entity, own", "p4, li, demo, pay.get, network, ::1")
    found = differences(old, side(*BASE, *rows), PAY)
    assert told(found) == (
        ["li demo pay.get@v1 records with entity own"],
        [
            "li demo pay.get@v1 call from elsewhere than ::1/128",
            "li demo pay.get@v1 records with entity 2000",
            "li demo pay.get@v1 see any other field of payee",
        ],
    )
    assert [cause.place for cause in found.lost[2].causes] == ["policy.csv:4", "policy.csv:4"]
    assert [cause.side for cause in found.lost[2].causes] == ["new", "old"]


def test_schemas_name_the_fields_that_rows_do_not() -> None:
    schema = {"type": "object", "properties": {name: {} for name in ("number", "total", "lines")}}
    asked = [Asked("pay.get", ("v1",), Shape(writes=False, answer=lambda: schema))]
    found = differences(side(*BASE), side(*BASE, "p2, li, demo, pay.get, number, show"), asked)
    assert told(found) == ([], ["li demo pay.get@v1 see lines", "li demo pay.get@v1 see total"])


def test_approvers_gain_and_lose_with_the_role_and_with_the_rule() -> None:
    old, new = side(*BASE, approvals=rules("finance", "boss")), side(*BASE, "g, wu, li, demo", approvals=rules("finance", "boss"))
    assert told(differences(old, new, PAY))[0] == ["wu demo pay.create approve", "wu demo pay.get@v1 call"]
    found = differences(old, side(*BASE, approvals=rules("boss", "finance")), PAY)
    assert {"boss demo pay.create approve", "li demo pay.create approve once escalated"} <= set(told(found)[0])
    assert "li demo pay.create approve" in told(found)[1]
    assert found.lost[-1].causes == (
        Cause("new", "approvals.yaml:8", "approvers: boss", changed=True),
        Cause("old", "approvals.yaml:8", "approvers: finance", changed=True),
    )


def test_who_only_looks_at_documents_gains_and_loses_fields() -> None:
    rows = (
        "p, auditor, demo, documents.audit, allow",
        "p2, auditor, *, pay.create, payee, hide",
        "p2, guest, *, pay.get, a, hide",
    )
    found = differences(side(*rows), side(rows[0]), PAY)
    assert told(found) == (["auditor demo pay.create see payee"], [])
    assert [cause.place for cause in found.idle] == ["policy.csv:3"]


def test_a_row_that_changes_nothing_is_named_beside_one_that_does() -> None:
    rows = ("p3, li, demo, pay.get, entity, own", "p2, li, demo, pay.get, a, hide", "p3, finance, demo, pay.get, entity, demo")
    found = differences(side(*BASE, rows[0]), side(*BASE, *rows), PAY)
    assert told(found)[1] == ["finance demo pay.get@v1 records with another entity than own", "li demo pay.get@v1 see a"]
    found = differences(side(*BASE, rows[2]), side(*BASE, *rows), PAY)
    assert told(found)[1] == ["li demo pay.get@v1 see a"]
    assert [cause.text for cause in found.idle] == [rows[0]]


@pytest.mark.parametrize("bound", ["MOST", "MOST_ASKED"])
def test_too_much_to_tell_is_said(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    old, new = side(*BASE), side(*BASE, *(f"g, p{number}, finance, demo" for number in range(50)))
    assert differences(old, new, PAY).complete
    monkeypatch.setattr(f"gateway.policy.differences.{bound}", 20)
    assert not differences(old, new, PAY).complete


# --- asking everybody everything -------------------------------------------------------------------------------------

names = st.sampled_from(["oa", "li", "wu", "a.b", "x"])
tenants = st.sampled_from(["*", "one", "two"])
operations = st.sampled_from(["pay.create", "pay.get", "pay.create@v1", "stock", "grp", "all", "documents.audit"])
fields = st.sampled_from(["a", "a.b", "a.c", "lines[].a", "b"])
networks = st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "10.1.1.1", "::1"])
hours = st.sampled_from(["08:00-18:00 UTC", "Mon-Fri 12:00-04:00 UTC", "Sun 08:00-20:00 Asia/Shanghai"])
amounts = st.sampled_from(["1.00 CNY", "2 CNY", "5 EUR"])
rows = st.one_of(
    st.builds("p, {}, {}, {}, {}".format, names, tenants, operations, st.sampled_from(["allow", "allow", "deny"])),
    st.builds("p2, {}, {}, {}, {}, {}".format, names, tenants, operations, fields, st.sampled_from(["hide", "lock", "show"])),
    st.builds("p3, {}, {}, {}, entity, {}".format, names, tenants, operations, st.sampled_from(["own", "one", "1"])),
    st.builds("p3, {}, {}, {}, amount-up-to, {}".format, names, tenants, operations, amounts),
    st.builds("p4, {}, {}, {}, network, {}".format, names, tenants, operations, networks),
    st.builds("p4, {}, {}, {}, time, {}".format, names, tenants, operations, hours),
    st.builds("g, {}, {}, {}".format, names, names, tenants),
    st.builds("g2, {}, {}".format, operations, st.sampled_from(["grp", "all"])),
)
policies = st.lists(rows, max_size=14, unique=True)
approvals = st.one_of(st.none(), st.builds(rules, names, names))
everybody = ("oa", "li", "wu", "a.b", "x", "nobody")


def made(lines: list[str], approvals: Approvals | None) -> Side:
    try:
        return side(*lines, approvals=approvals, tenants=["three"])
    except ConfigError:
        assume(False)
        raise


def brute(old: Side, new: Side) -> Iterator[tuple[Change, bool]]:
    for one in PAY:
        for tenant in tenants_of(old, new):
            for who in everybody:
                for version in one.versions:
                    yield from answers(old, new, Change(who, tenant, one.operation, version, ""), one.shape)
                before, after = (approves(part, who, tenant, one.operation) for part in (old, new))
                if before != after:
                    yield from ((Change(who, tenant, one.operation, "", what), what == after) for what in (before, after) if what)


def approves(one: Side, who: str, tenant: str, operation: str) -> str:
    rule = one.rule(operation)
    roles = roles_of(one.policy, who, tenant)
    if rule is None or rule.escalate is None:
        return ""
    return "approve" if rule.approvers in roles else "approve once escalated" if rule.escalate.to in roles else ""


def named(one: Side, base: Change) -> list[tuple[str, ...]]:
    covers, rows = one.policy.covers, one.policy.file.restrictions
    about = [row for row in rows if row.kind == "p2" and covers(row.operation, base.operation, base.version)]
    return [parse_field(row.name) for row in about]


def answers(old: Side, new: Side, base: Change, shape: Shape) -> Iterator[tuple[Change, bool]]:
    paths = sorted({*named(old, base), *named(new, base)})
    principal, who = Principal(base.who, base.tenant), Who(base.who, base.tenant)
    before, after = (one.policy.decide(principal, base.operation, base.version) for one in (old, new))
    if before.allowed != after.allowed:
        scope = after.scope if after.allowed else before.scope
        _, without = compare(EVERYTHING, scope or EVERYTHING, paths, shape, who)
        yield with_what(base, "call", tuple(part.text for part in without)), after.allowed
        gained, lost = [], []
    else:
        gained, lost = compare(before.scope or EVERYTHING, after.scope or EVERYTHING, paths, shape, who)
    if not (before.allowed and after.allowed):
        looks = [looking(one, base, shape.writes) or asked.allowed for one, asked in ((old, before), (new, after))]
        gained, lost = seen(before.scope or EVERYTHING, after.scope or EVERYTHING, paths, shape) if all(looks) else ([], [])
    yield from ((with_what(base, part.text), True) for part in gained)
    yield from ((with_what(base, part.text), False) for part in lost)


def looking(one: Side, base: Change, writes: bool) -> bool:
    principal = Principal(base.who, base.tenant)
    settles = any(one.policy.decide(principal, built_in, "").allowed for built_in in (OPERATE, AUDIT))
    return bool(approves(one, base.who, base.tenant, base.operation)) or (writes and settles)


def with_what(base: Change, what: str, under: tuple[str, ...] = ()) -> Change:
    return Change(base.who, base.tenant, base.operation, base.version, what, under)


def unfolded(changes: Sequence[Change]) -> set[Change]:
    versions = {one.operation: one.versions for one in PAY}
    return {
        Change(c.who, c.tenant, c.operation, version, c.what, c.limits)
        for c in changes
        for version in (versions[c.operation] if c.version == "*" else (c.version,))
    }


@settings(max_examples=150, deadline=None)
@given(policies, policies, policies, approvals, approvals)
def test_tells_what_asking_everybody_everything_tells(
    common: list[str], before: list[str], after: list[str], was: Approvals | None, now: Approvals | None
) -> None:
    old = made(list(dict.fromkeys([*common, *before])), was)
    new = made(list(dict.fromkeys([*after, *common])), now)
    found = differences(old, new, PAY)
    answered = list(brute(old, new))
    assert unfolded(found.gained) == {change for change, gained in answered if gained}
    assert unfolded(found.lost) == {change for change, gained in answered if not gained}
    assert all(change.causes and any(cause.changed for cause in change.causes) for change in (*found.gained, *found.lost))
    added, removed = changed(old.policy.file, new.policy.file)
    at_work = {(c.side, c.place) for change in (*found.gained, *found.lost) for c in change.causes if c.changed}
    places = {("new", new.policy.file.place(row)) for row in added} | {("old", old.policy.file.place(row)) for row in removed}
    assert {(cause.side, cause.place) for cause in found.idle} == places - at_work


@settings(max_examples=100, deadline=None)
@given(policies, policies, approvals, approvals)
def test_what_one_way_gains_the_other_way_loses(
    before: list[str], after: list[str], was: Approvals | None, now: Approvals | None
) -> None:
    old, new = made(before, was), made(after, now)
    there, back = differences(old, new, PAY), differences(new, old, PAY)
    assert (there.gained, there.lost) == (back.lost, back.gained)
    assert differences(old, old, PAY) == Differences()
