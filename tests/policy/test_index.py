"""The compiled policy: decisions, and stock Casbin as the oracle of every one."""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.exchange import Principal
from gateway.people import PERMISSIONS
from gateway.policy.file import read_policy
from gateway.policy.index import PolicyIndex, compile_policy
from gateway.policy.oracle import casbin_allows, new_enforcer
from gateway.ports import Decision, Policy
from gateway.scope import Context

POLICIES = Path(__file__).parents[2] / "policies"
MODEL = (POLICIES / "model.conf").read_text("utf-8")


def index(*rows: str) -> PolicyIndex:
    return compile_policy(read_policy("policy.csv", ("\n".join([*rows, "# end"]) + "\n").encode()))


def may(policy: Policy, subject: str, operation: str, *roles: str, tenant: str = "demo", version: str = "v1") -> bool:
    return policy.decide(Principal(subject, tenant, roles), operation, version).allowed


def test_nothing_is_allowed_that_no_row_allows() -> None:
    policy = index()
    assert policy.decide(Principal("oa", "demo"), "payments.create", "v1") == Decision(False, ())


def test_a_row_allows_its_role_its_operation_in_its_tenant() -> None:
    policy = index("p, oa, demo, payments.create, allow")
    assert policy.decide(Principal("oa", "demo"), "payments.create", "v1") == Decision(True, ("policy.csv:1",))
    assert not may(policy, "crm", "payments.create")
    assert not may(policy, "oa", "payments.get")
    assert not may(policy, "oa", "payments.create", tenant="other")


def test_deny_overrides_allow_and_names_the_denying_rows() -> None:
    policy = index("p, a, demo, x.y, allow", "p, b, *, x.y, deny", "g, li, a, demo", "g, li, b, demo")
    assert policy.decide(Principal("li", "demo"), "x.y", "v1") == Decision(False, ("policy.csv:2",))


def test_allow_and_deny_of_one_tuple_denies() -> None:
    assert not may(index("p, a, demo, x.y, allow", "p, a, demo, x.y, deny"), "a", "x.y")


def test_a_tenant_of_star_is_every_tenant() -> None:
    policy = index("p, a, *, x.y, allow", "g, li, a, *", "g, wu, a, demo")
    assert may(policy, "li", "x.y", tenant="anything")
    assert may(policy, "wu", "x.y")
    assert not may(policy, "wu", "x.y", tenant="anything")


def test_a_chain_may_mix_star_and_tenant_links() -> None:
    policy = index("p, c, demo, x.y, allow", "g, li, a, *", "g, a, b, demo", "g, b, c, *")
    assert may(policy, "li", "x.y")
    assert not may(policy, "li", "x.y", tenant="other")


def test_a_row_without_version_means_every_version() -> None:
    policy = index("p, a, demo, x.y, allow", "p, b, demo, x.y@v2, allow")
    assert may(policy, "a", "x.y", version="v9")
    assert may(policy, "b", "x.y", version="v2")
    assert not may(policy, "b", "x.y", version="v1")


def test_groups_may_hold_operations_versions_and_groups() -> None:
    policy = index("p, a, demo, all, allow", "g2, x.y, some", "g2, x.z@v1, some", "g2, some, all")
    assert may(policy, "a", "x.y", version="v3")
    assert may(policy, "a", "x.z", version="v1")
    assert not may(policy, "a", "x.z", version="v2")


def test_roles_of_the_credential_count_beside_the_subject() -> None:
    policy = index("p, a, demo, x.y, allow", "p, b, demo, x.y, deny", "g, c, a, demo")
    assert may(policy, "li", "x.y", "c")
    assert may(policy, "li", "x.y", "unknown", "a", "c")
    assert not may(policy, "a", "x.y", "b")


def test_one_row_reached_twice_is_named_once() -> None:
    policy = index("p, a, demo, x.y, allow", "g, b, a, demo")
    assert policy.decide(Principal("b", "demo", ("a",)), "x.y", "v1").rows == ("policy.csv:1",)


def test_names_of_a_caller_are_never_patterns() -> None:
    policy = index("p, a, demo, x.y, allow", "g, li, a, *")
    for subject, tenant in [("*", "demo"), ("li", "de*"), ("", "demo"), ("a", "*"), ("a", "")]:
        assert not may(policy, subject, "x.y", tenant=tenant)


def test_mentions_tells_whether_any_row_is_about_an_operation() -> None:
    policy = index("p, a, demo, grp, deny", "p, a, demo, x.z@v2, allow", "g2, x.y, grp", "g2, x.w, unused")
    assert policy.mentions("x.y", "v1")
    assert policy.mentions("x.z", "v2")
    assert not policy.mentions("x.z", "v1")
    assert not policy.mentions("x.w", "v1")
    assert not policy.mentions("nothing", "v1")


def test_operations_are_the_names_without_the_groups() -> None:
    policy = index("p, a, demo, grp, deny", "p, a, demo, x.z@v2, allow", "g2, x.y, grp")
    assert policy.operations() == {"x.y", "x.z@v2"}


def test_knows_the_digest_and_file_it_was_made_from() -> None:
    data = (POLICIES / "policy.csv").read_bytes()
    file = read_policy("policy.csv", data)
    assert compile_policy(file).sha256 == file.sha256
    assert compile_policy(file).file is file


def test_a_policy_that_unfolds_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.policy.index.MAX_ENTRIES", 10)
    with pytest.raises(ConfigError, match="unfold into more than 10"):
        index("p, a, *, x.y, allow", *(f"g, u{number}, a, *" for number in range(10)))


DEMO = {
    "oa": {"payments.create", "payments.get", "purchase-orders.create", "purchase-orders.get"},
    "crm": {"sales-orders.list"},
    "wms": {"stock.get", "stock-movements.create", "purchase-orders.get"},
    "mes": {"stock.get", "purchase-orders.create", "purchase-orders.get"},
    "shop": {"stock-movements.create", "payments.get"},
    "tour": {"stock.get"},
    "approver-a": {"payments.get"},
    "approver-b": {"payments.get"},
    "cfo": {"reports.finance", "payments.get", "purchase-orders.get"},
    "clerk-1": set(),
    "security-admin": set(),
    "operator": set(),
    "auditor": set(),
}


def test_the_example_says_what_the_demo_needs() -> None:
    policy = compile_policy(read_policy("policy.csv", (POLICIES / "policy.csv").read_bytes()))
    operations = {operation for allowed in DEMO.values() for operation in allowed}
    assert {who: {operation for operation in operations if may(policy, who, operation)} for who in DEMO} == DEMO
    assert policy.unknown_operations({*PERMISSIONS, *(f"{operation}@v1" for operation in operations)}) == []
    assert all(policy.mentions(operation, "v1") for operation in operations)
    assert policy.explain(Principal("wms", "demo"), "sales-orders.list", "v1").reasons[0].row.effect == "deny"


# --- the oracle ------------------------------------------------------------------------------------------------------

members = st.sampled_from(["oa", "crm", "li", "财务", "a.b", "x"])
tenants = st.sampled_from(["*", "one", "two"])
operations = st.sampled_from(["pay.create", "pay.get", "pay.create@v1", "pay.get@v2", "stock", "grp", "all", "x"])
groups = st.sampled_from(["grp", "all", "x", "pay.get"])
rows = st.one_of(
    st.builds("p, {}, {}, {}, {}".format, members, tenants, operations, st.sampled_from(["allow", "allow", "deny"])),
    st.builds("g, {}, {}, {}".format, members, members, tenants),
    st.builds("g2, {}, {}".format, operations, groups),
)
questions = st.tuples(
    st.builds(
        Principal,
        st.one_of(members, st.sampled_from(["nobody", "", "*"])),
        st.sampled_from(["one", "two", "three", "*"]),
        st.lists(members, max_size=2).map(tuple),
    ),
    st.sampled_from(["pay.create", "pay.get", "stock", "grp", "all", "x", "pay.create@v1", "nothing"]),
    st.sampled_from(["v1", "v2", "v3"]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(rows, max_size=25, unique=True), st.lists(questions, min_size=20, max_size=20))
def test_decides_as_stock_casbin_does(lines: list[str], asked: list[tuple[Principal, str, str]]) -> None:
    text = "\n".join([*lines, "# end"]) + "\n"
    try:
        policy = compile_policy(read_policy("policy.csv", text.encode()))
    except ConfigError as refused:
        assume("circle" not in str(refused))
        raise
    enforcer = new_enforcer(MODEL, text)
    for principal, operation, version in asked:
        decision = policy.decide(principal, operation, version)
        assert decision.allowed == casbin_allows(enforcer, principal, operation, version)
        explanation = policy.explain(principal, operation, version)
        assert explanation.decision == decision
        assert {reason.place for reason in explanation.reasons} >= set(decision.rows)
        assert explanation.lines()


# --- restrictions ----------------------------------------------------------------------------------------------------


def test_restrictions_come_with_the_decision_and_are_matched_like_grants() -> None:
    policy = index(
        "p, staff, *, x.y, allow",
        "p2, warehouse, demo, reads, price, hide",
        "p2, warehouse, other, x.y, name, hide",
        "p2, clerk, demo, x.y@v2, name, lock",
        "g, li, staff, *",
        "g, li, warehouse, *",
        "g2, x.y, reads",
    )
    decision = policy.decide(Principal("li", "demo"), "x.y", "v1")
    assert decision.allowed
    assert decision.rows == ("policy.csv:1",)
    assert decision.scope is not None
    assert decision.scope.rows == ("policy.csv:2",)
    assert decision.scope.fields.shown({"price": 1, "name": "a"}) == {"name": "a"}
    assert policy.decide(Principal("wu", "demo", ("staff",)), "x.y", "v1").scope is None
    clerk = policy.decide(Principal("li", "other", ("clerk",)), "x.y", "v2")
    assert clerk.scope is not None
    assert clerk.scope.rows == ("policy.csv:3",)


def test_a_restriction_alone_allows_nothing_and_is_nothing_that_mentions_an_operation() -> None:
    policy = index("p2, li, demo, x.y, price, hide")
    decision = policy.decide(Principal("li", "demo"), "x.y", "v1")
    assert not decision.allowed
    assert decision.rows == ()
    assert decision.scope is not None
    assert not policy.mentions("x.y", "v1")


def test_no_role_lifts_what_another_restricts() -> None:
    policy = index(
        "p, a, demo, x.y, allow", "p, b, demo, x.y, allow", "p2, b, demo, x.y, price, hide", "p4, b, *, x.y, network, ::1"
    )
    both = policy.decide(Principal("li", "demo", ("a", "b")), "x.y", "v1")
    assert both.rows == ("policy.csv:1", "policy.csv:2")
    assert both.scope is not None
    assert both.scope.rows == ("policy.csv:3", "policy.csv:4")
    assert policy.decide(Principal("li", "demo", ("a", "b")), "x.y", "v7") is both


def test_explains_restrictions_and_conditions_that_do_not_hold() -> None:
    policy = index(
        "p, a, demo, x.y, allow",
        "p2, a, demo, x.y, lines[].price, hide",
        "p3, a, demo, x.y, entity, own",
        "p4, a, demo, x.y, network, 10.0.0.0/8",
        "g, li, a, demo",
    )
    told = policy.explain(Principal("li", "demo"), "x.y", "v1", Context(0.0, "192.0.2.1"))
    assert told.decision.allowed
    assert not told.allowed
    assert told.unmet == ("network",)
    assert [reason.place for reason in told.limits] == ["policy.csv:2", "policy.csv:3", "policy.csv:4"]
    assert told.lines() == [
        "li of tenant demo may not call x.y@v1.",
        "policy.csv:1 allows a in tenant demo x.y: li → a (line 5).",
        "policy.csv:2 hides lines[].price to a in tenant demo in x.y: li → a (line 5).",
        "policy.csv:3 leaves a in tenant demo records with entity own in x.y: li → a (line 5).",
        "policy.csv:4 leaves a in tenant demo the network 10.0.0.0/8, which does not hold in x.y: li → a (line 5).",
    ]
    assert policy.explain(Principal("li", "demo"), "x.y", "v1", Context(0.0, "10.0.0.1")).allowed


def test_a_row_is_told_as_it_is_written() -> None:
    policy = compile_policy(read_policy("p.csv", b"# rows\r\np,  a,  demo, x.y, allow\r\n# end\r\n"))
    assert policy.text("p.csv:2") == "p, a, demo, x.y, allow"
    assert [policy.text(place) for place in policy.decide(Principal("a", "demo"), "x.y", "v1").rows] == [policy.text("p.csv:2")]


def test_memory_does_not_grow_with_the_names_callers_invent() -> None:
    policy = index("p, a, demo, x.y, allow", "p, b, demo, x.y, allow", "p2, a, demo, x.y, price, hide")
    policy.decide(Principal("li", "demo", ("a", "b")), "x.y", "v1")
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(20_000):
        policy.decide(Principal(f"li-{number}", f"t-{number}", ("a", "b", f"r-{number}")), f"x.{number}", f"v{number}")
        policy.decide(Principal(f"li-{number}", "demo", ("b", f"r-{number}", "a")), "x.y", f"v{number}")
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 20_000


@settings(max_examples=100, deadline=None)
@given(
    st.lists(rows, max_size=15, unique=True),
    st.lists(st.tuples(st.sampled_from(["p2", "p3", "p4"]), members, tenants, operations), min_size=1, max_size=6, unique=True),
    st.lists(questions, min_size=10, max_size=10),
)
def test_stock_casbin_matches_the_same_restrictions(
    lines: list[str], limits: list[tuple[str, str, str, str]], asked: list[tuple[Principal, str, str]]
) -> None:
    """A restriction is matched as a p row would be: each is put to Casbin as the only p row there is."""
    said = {"p2": "price, hide", "p3": "entity, 1000", "p4": "network, ::1"}
    restricting = [f"{kind}, {role}, {tenant}, {operation}, {said[kind]}" for kind, role, tenant, operation in limits]
    try:
        policy = index(*restricting, *lines)
    except ConfigError as refused:
        assume("circle" not in str(refused))
        raise
    links = [line for line in lines if not line.startswith("p,")]
    enforcers = [new_enforcer(MODEL, "\n".join([f"p, {role}, {tenant}, {op}, allow", *links])) for _, role, tenant, op in limits]
    for principal, operation, version in asked:
        scope = policy.decide(principal, operation, version).scope
        expected = [f"policy.csv:{n}" for n, one in enumerate(enforcers, 1) if casbin_allows(one, principal, operation, version)]
        assert (list(scope.rows) if scope else []) == expected
