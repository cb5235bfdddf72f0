"""Questions to a whole policy, and their answers held against ``decide`` for every question there is."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.exchange import Principal
from gateway.policy.file import read_policy
from gateway.policy.index import PolicyIndex, compile_policy
from gateway.policy.questions import ANY, Call, Holder, Universe, universe, unmet, what_can, who_can, within
from gateway.ports import Decision

CALL = Call("x.y", "v1")


def index(*rows: str) -> PolicyIndex:
    return compile_policy(read_policy("policy.csv", ("\n".join([*rows, "# end"]) + "\n").encode()))


def held(policy: PolicyIndex, call: Call = CALL) -> dict[tuple[str, str], tuple[str, ...]]:
    return {(holder.subject, holder.tenant): holder.otherwise for holder in who_can(policy, call)}


def test_the_universe_is_what_rows_and_satellites_name() -> None:
    policy = index(
        "p, staff, *, x.y, allow",
        "p2, clerk, cn02, x.y, price, hide",
        "g, li, staff, cn01",
        "g, lead, staff, *",
        "g, wu, lead, cn01",
    )
    found = universe(policy.file, [CALL], {"oa": "demo"}, ["clerk-1"])
    kinds = {
        "staff": "role",
        "clerk": "role",
        "li": "person",
        "lead": "role",
        "wu": "person",
        "oa": "satellite",
        "clerk-1": "person",
    }
    assert found == Universe(kinds, (CALL,), ("cn01", "cn02", "demo"))  # type: ignore[arg-type]


def test_a_call_without_a_version_is_one_of_the_console() -> None:
    assert (str(CALL), str(Call("documents.audit", ""))) == ("x.y@v1", "documents.audit")


def test_holders_are_found_through_groups_versions_and_roles() -> None:
    policy = index("p, staff, demo, reads, allow", "g2, x.y@v1, reads", "g, li, lead, demo", "g, lead, staff, *")
    assert held(policy) == {("staff", "demo"): (), ("lead", "demo"): (), ("li", "demo"): ()}
    assert held(policy, Call("x.y", "v2")) == {}
    assert held(policy, Call("nothing", "v1")) == {}


def test_what_holds_in_every_tenant_is_said_once() -> None:
    policy = index(
        "p, staff, *, x.y, allow", "g, li, staff, *", "g, wu, staff, cn01", *(f"g, other, thing, cn{n:02}" for n in range(2, 9))
    )
    assert held(policy) == {("staff", ANY): (), ("li", ANY): (), ("wu", "cn01"): ()}


def test_a_tenant_that_is_otherwise_is_named() -> None:
    policy = index(
        "p, staff, *, x.y, allow", "p, staff, cn01, x.y, deny", "p2, staff, cn02, x.y, price, hide", "p, staff, cn03, x.z, deny"
    )
    assert held(policy) == {("staff", "cn02"): (), ("staff", ANY): ("cn01", "cn02")}


def test_holders_of_one_tenant_are_those_who_may_there() -> None:
    policy = index("p, staff, *, x.y, allow", "p, staff, cn01, x.y, deny", "p, clerk, cn01, x.y, allow")
    holders = list(who_can(policy, CALL))
    assert [holder.subject for holder in within(holders, "cn01")] == ["clerk"]
    assert [(holder.subject, holder.tenant, holder.otherwise) for holder in within(holders, "cn02")] == [("staff", "cn02", ())]


def test_a_denied_role_leaves_its_members_out() -> None:
    policy = index(
        "p, staff, demo, x.y, allow", "p, intern, *, x.y, deny", "g, li, staff, demo", "g, wu, staff, demo", "g, wu, intern, demo"
    )
    assert held(policy) == {("staff", "demo"): (), ("li", "demo"): ()}


def test_what_somebody_can_is_every_call_they_are_allowed() -> None:
    policy = index(
        "p, staff, demo, x.y, allow", "p, boss, demo, x.z, allow", "p, staff, demo, x.z, deny", "p, boss, demo, x.w@v2, allow"
    )
    calls = [Call("x.y", "v1"), Call("x.z", "v1"), Call("x.w", "v1"), Call("x.w", "v2")]
    found = [call for call, _ in what_can(policy, Principal("li", "demo", ("staff", "boss")), calls)]
    assert found == [Call("x.y", "v1"), Call("x.w", "v2")]


def test_conditions_count_only_where_they_are_asked_about() -> None:
    policy = index("p, a, demo, x.y, allow", "p4, a, demo, x.y, network, 10.0.0.0/8", "p4, a, demo, x.y, time, 08:00-18:00 UTC")
    scope = policy.decide(Principal("a", "demo"), *CALL).scope
    assert unmet(scope, None, None) == ()
    assert unmet(scope, 0.0, None) == ("time",)
    assert unmet(scope, None, "192.0.2.1") == ("network",)
    assert unmet(scope, 0.0, "10.0.0.1") == ("time",)
    assert unmet(scope, 12 * 3600.0, "10.0.0.1") == ()
    assert unmet(None, 0.0, "192.0.2.1") == ()


# --- against decide --------------------------------------------------------------------------------------------------

names = st.sampled_from(["oa", "li", "wu", "staff", "财务"])
tenants = st.sampled_from(["*", "one", "two"])
operations = st.sampled_from(["pay.create", "pay.get", "pay.create@v1", "pay.get@v2", "grp", "all"])
ruled = st.tuples(names, tenants, operations).map(", ".join)
rows = st.one_of(
    st.builds("p, {}, {}".format, ruled, st.sampled_from(["allow", "allow", "deny"])),
    st.builds("{}".format, ruled).map(lambda row: f"p2, {row}, price, hide"),
    st.builds("{}".format, ruled).map(lambda row: f"p4, {row}, network, 10.0.0.0/8"),
    st.builds("g, {}, {}, {}".format, names, names, tenants),
    st.builds("g2, {}, {}".format, operations, st.sampled_from(["grp", "all"])),
)
CALLS = (*(Call(name, version) for name in ("pay.create", "pay.get", "nothing") for version in ("v1", "v2")), Call("pay.get", ""))


def answer(holders: list[Holder], subject: str, tenant: str) -> Decision | None:
    """What the holders say of somebody in a tenant: an entry of the tenant, or one of every tenant that does not except it."""
    for holder in holders:
        if (holder.subject, holder.tenant) == (subject, tenant):
            return holder.decision
    for holder in holders:
        if (holder.subject, holder.tenant) == (subject, ANY) and tenant not in holder.otherwise:
            return holder.decision
    return None


@settings(max_examples=150, deadline=None)
@given(st.lists(rows, max_size=16, unique=True))
def test_both_ways_round_the_answers_are_those_of_decide(lines: list[str]) -> None:
    try:
        policy = index(*lines)
    except ConfigError as refused:
        assume("circle" not in str(refused))
        raise
    asked = universe(policy.file, CALLS, {"shop": "three"}, ["nobody"])
    for call in asked.calls:
        holders = list(who_can(policy, call))
        assert len({(holder.subject, holder.tenant) for holder in holders}) == len(holders)
        assert {holder.subject for holder in holders} <= asked.subjects.keys()
        for subject in asked.subjects:
            for tenant in (*asked.tenants, ANY, "a tenant nobody named"):
                principal = Principal(subject, tenant)
                decision = policy.decide(principal, *call)
                assert answer(holders, subject, tenant) == (decision if decision.allowed else None)
                assert (subject in {holder.subject for holder in within(holders, tenant)}) == decision.allowed
                assert (call in dict(what_can(policy, principal, [call]))) == decision.allowed


@settings(max_examples=150, deadline=None)
@given(st.lists(rows, max_size=16, unique=True), st.lists(names, max_size=2))
def test_an_explanation_has_the_rows_of_the_decision(lines: list[str], roles: list[str]) -> None:
    try:
        policy = index(*lines)
    except ConfigError as refused:
        assume("circle" not in str(refused))
        raise
    asked = universe(policy.file, CALLS, {})
    for call in asked.calls:
        for subject in asked.subjects:
            for tenant in (*asked.tenants, ANY):
                principal = Principal(subject, tenant, tuple(roles))
                decision, told = policy.decide(principal, *call), policy.explain(principal, *call)
                assert told.decision == decision
                effect = "allow" if decision.allowed else "deny"
                assert {reason.place for reason in told.reasons if reason.row.effect == effect} >= set(decision.rows)  # type: ignore[union-attr]
                assert [limit.place for limit in told.limits] == list(decision.scope.rows if decision.scope else ())
                for reason in (*told.reasons, *told.limits):
                    assert reason.member in (subject, *roles)
                    held_by = [reason.member, *(link.role for link in reason.roles)]
                    assert held_by[-1] == reason.row.role
                    assert all(link.member == name for link, name in zip(reason.roles, held_by, strict=False))
