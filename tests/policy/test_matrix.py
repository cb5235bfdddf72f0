"""The table of who may call what: each cell held against the decision it stands for."""

import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.exchange import Principal
from gateway.policy.file import Grant, read_policy
from gateway.policy.index import PolicyIndex, compile_policy
from gateway.policy.matrix import NOTHING, Cell, Name, cell, names, page, tenants
from tests.policy.test_index import rows


def index(*lines: str) -> PolicyIndex:
    return compile_policy(read_policy("policy.csv", ("\n".join([*lines, "# end"]) + "\n").encode()))


def at(policy: PolicyIndex, who: str, operation: str = "x.y", version: str = "v1") -> Cell:
    return cell(policy, Principal(who, "demo"), operation, version)


def test_own_and_inherited_and_nothing() -> None:
    policy = index("p, boss, demo, x.y, allow", "g, clerk, boss, demo", "g, li, clerk, *", "p, boss, other, x.z, allow")
    assert at(policy, "boss") == Cell("allow")
    assert at(policy, "li") == at(policy, "clerk") == Cell("allow", through="boss")
    assert at(policy, "wu") == at(policy, "boss", "x.z") == NOTHING


def test_a_row_of_its_own_comes_before_those_of_roles() -> None:
    policy = index("p, boss, demo, x.y, allow", "g, li, boss, demo", "p, li, *, x.y, allow")
    assert at(policy, "li") == Cell("allow")


def test_a_denial_names_the_role_it_comes_from() -> None:
    policy = index("p, li, demo, x.y, allow", "p, intern, *, x.y, deny", "g, li, intern, demo")
    assert at(policy, "li") == Cell("deny", through="intern")
    assert at(policy, "intern") == Cell("deny")


def test_the_group_that_led_to_the_operation_is_named() -> None:
    policy = index("p, boss, demo, all, allow", "g2, x.y@v1, some", "g2, some, all", "p, boss, demo, x.z@v1, allow")
    assert at(policy, "boss") == Cell("allow", group="all")
    assert at(policy, "boss", version="v2") == NOTHING
    assert at(policy, "boss", "x.z") == Cell("allow")


def test_what_restricts_an_allowed_call_is_said_and_a_restriction_alone_is_nothing() -> None:
    policy = index(
        "p, boss, demo, x.y, allow",
        "p2, boss, demo, x.y, price, hide",
        "p3, boss, demo, x.y, entity, own",
        "p4, boss, demo, x.y, network, ::1",
        "p2, clerk, demo, x.y, price, hide",
        "p, intern, demo, x.y, deny",
        "p2, intern, demo, x.y, price, hide",
    )
    assert at(policy, "boss") == Cell("allow", limits=("fields", "records", "conditions"))
    assert at(policy, "clerk") == NOTHING
    assert at(policy, "intern") == Cell("deny")


def test_names_are_roles_satellites_and_people_of_one_tenant() -> None:
    policy = index(
        "p, oa, demo, x.y, allow",
        "p, boss, *, x.y, allow",
        "p2, seer, demo, x.y, price, hide",
        "p, elsewhere, other, x.y, allow",
        "g, li, boss, demo",
        "g, boss, chief, demo",
        "g, wu, boss, other",
        "g, oa, boss, demo",
    )
    found = names(policy.file, "demo", {"oa", "wms"}, {"cfo"})
    assert found.part(0, 50) == [
        Name("boss", "role"),
        Name("chief", "role"),
        Name("seer", "role"),
        Name("oa", "satellite"),
        Name("wms", "satellite"),
        Name("cfo", "person"),
        Name("li", "person"),
    ]
    assert len(found) == 7
    assert "wms" in found
    assert "wu" not in found
    assert [name.name for start in range(8) for name in found.part(start, 1)] == [name.name for name in found.part(0, 7)]
    assert found.part(2, 3) == found.part(0, 50)[2:5]
    assert found.matching("S").part(0, 9) == [Name("boss", "role"), Name("seer", "role"), Name("wms", "satellite")]
    assert tenants(policy.file) == ["demo", "other"]


@pytest.mark.parametrize(
    ("number", "shown"),
    [(1, 1), (3, 3), (4, 3), (0, 1), (-7, 1), (10**30, 3)],
)
def test_pages(number: int, shown: int) -> None:
    assert page(5, number, 2) == (shown, 3)
    assert page(0, number, 2) == (1, 1)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(rows, max_size=25, unique=True),
    st.lists(st.tuples(st.sampled_from(["p2", "p3", "p4"]), st.sampled_from(["oa", "li", "x"])), max_size=4, unique=True),
)
def test_a_cell_is_what_decide_says(lines: list[str], limits: list[tuple[str, str]]) -> None:
    said = {"p2": "price, hide", "p3": "entity, own", "p4": "network, ::1"}
    try:
        policy = index(*lines, *(f"{kind}, {role}, *, pay.create, {said[kind]}" for kind, role in limits))
    except ConfigError as refused:
        assume("circle" not in str(refused))
        raise
    for tenant in ("one", "two", "*"):
        for name in names(policy.file, tenant, ("oa",), ("li",)).part(0, 50):
            for operation, version in (("pay.create", "v1"), ("pay.get", "v2"), ("stock", ""), ("x", "v1")):
                _check(policy, Principal(name.name, tenant), operation, version)


def _check(policy: PolicyIndex, who: Principal, operation: str, version: str) -> None:
    decision, shown = policy.decide(who, operation, version), cell(policy, who, operation, version)
    assert shown.verdict == ("allow" if decision.allowed else "deny" if decision.rows else "nothing")
    assert bool(shown.limits) == (decision.allowed and decision.scope is not None)
    deciding = {
        (row.role, row.operation)
        for row in policy.file.grants
        if isinstance(row, Grant) and policy.file.place(row) in decision.rows
    }
    if shown.verdict == "nothing":
        assert shown == NOTHING
        return
    role = shown.through or who.subject
    assert (role, shown.group) in deciding if shown.group else deciding & {(role, operation), (role, f"{operation}@{version}")}
    assert bool(shown.through) == (who.subject not in {role for role, _ in deciding})


def test_a_page_of_a_large_policy_is_quick() -> None:
    lines = [f"p, r{number}, demo, op-{number % 500}, allow" for number in range(60_000)]
    lines += [f"g, m{number}, r{number}, demo" for number in range(40_000)]
    policy = index(*lines)
    began = time.perf_counter()
    shown = names(policy.file, "demo", (), ()).part(40_000, 100)
    found = [cell(policy, Principal(name.name, "demo"), f"op-{number}", "v1") for name in shown for number in range(40)]
    assert len(found) == 4000
    assert time.perf_counter() - began < 3
