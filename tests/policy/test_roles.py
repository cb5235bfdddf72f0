"""Roles and their members, against what the compiled index lets them do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import Principal
from gateway.policy.file import PolicyFile, read_policy
from gateway.policy.index import compile_policy
from gateway.policy.roles import Roles, members_of, opening, permitted, roles_of

TEXT = """\
p, finance-approver, demo, payments.get, allow
p, cfo, demo, payments.get, allow
p, guest, other, payments.get, allow
g, approver-a, finance-approver, demo
g, cfo, finance-approver, demo
g, head, finance-head, *
g, finance-head, finance-approver, demo
g, stranger, finance-approver, other
# end
"""


def policy(text: str = TEXT) -> PolicyFile:
    return read_policy("policy.csv", text.encode())


def test_roles_are_followed_and_end_at_the_tenant() -> None:
    assert roles_of(policy(), "head", "demo") == {"head", "finance-head", "finance-approver"}
    assert roles_of(policy(), "head", "other") == {"head", "finance-head"}
    assert roles_of(policy(), "stranger", "demo") == {"stranger"}
    assert roles_of(compile_policy(policy()), "nobody", "demo") == {"nobody"}


def test_carried_roles_lead_on_like_those_of_the_file() -> None:
    assert Roles(policy(), "demo").of("somebody", ("finance-head",)) == {"somebody", "finance-head", "finance-approver"}


def test_members_are_people_and_not_the_roles_between() -> None:
    assert members_of(policy(), "finance-approver", "demo") == {"approver-a", "cfo", "head"}
    assert members_of(policy(), "finance-approver", "other") == {"stranger"}
    assert members_of(compile_policy(policy()), "finance-head", "other") == {"head"}


def test_a_role_held_by_name_has_that_member_and_an_unknown_role_has_none() -> None:
    assert members_of(policy(), "cfo", "demo") == {"cfo"}
    assert members_of(policy(), "finance-aprover", "demo") == set()
    assert members_of(policy(), "guest", "demo") == set()


def test_a_name_is_compared_as_it_is() -> None:
    assert roles_of(policy(), "Approver-A", "demo") == {"Approver-A"}
    assert roles_of(policy(), "approver-a ", "demo") == {"approver-a "}


NAMES = [f"n{number}" for number in range(6)]
LINKS = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from(["demo", "other", "*"])), max_size=10)


@given(LINKS)
def test_holding_a_role_is_what_the_index_means_by_it(links: set[tuple[int, int, str]]) -> None:
    rows = [f"g, {NAMES[low]}, {NAMES[high]}, {tenant}" for low, high, tenant in sorted(links) if low < high]
    rows += [f"p, {name}, demo, does.{name}, allow" for name in NAMES]
    index = compile_policy(policy("\n".join([*rows, "# end", ""])))
    for name in NAMES:
        allowed = {role for role in NAMES if index.decide(Principal(name, "demo"), f"does.{role}", "").allowed}
        assert roles_of(index, name, "demo") == allowed
        for role in NAMES:
            assert (name in members_of(index, role, "demo")) <= (role in allowed)


def test_the_roles_that_open_an_operation() -> None:
    text = """
p, reader, a, reading, allow
p, writer, *, orders.get, allow
p, clerk, b, orders.get@v2, allow
p, blocked, a, orders.get, allow
p, blocked, *, reading, deny
p, stopped, *, orders.get, allow
p, stopped, a, orders.get, deny
g2, orders.get, looking
g2, looking, reading
# end
"""
    found = policy(text)
    assert opening(found, "orders.get", "v1") == ("reader", "writer", "stopped")
    assert opening(found, "orders.get", "v2") == ("reader", "writer", "clerk", "stopped")
    assert opening(found, "orders.get", "v2", "a") == ("reader", "writer")
    assert opening(compile_policy(found), "orders.get", "v1", "b") == ("writer", "stopped")
    assert opening(found, "orders.list", "v1") == ()


def test_the_names_that_may_do_something_at_the_console() -> None:
    rows = """\
p, admins, cn01, policy.activate, allow
p, boss,   *,    policy.activate, allow
p, left,   *,    policy.activate, deny
g, a,      admins, cn01
g, b,      admins, cn01
g, b,      left,   cn01
g, others, admins, cn01
g, c,      others, cn01
g, d,      admins, cn02
# end
"""
    index = compile_policy(read_policy("policy.csv", rows.encode()))
    assert permitted(index, "policy.activate", "cn01") == {"admins", "boss", "a", "others", "c"}
    assert permitted(index, "policy.activate", "cn02") == {"boss"}
    assert permitted(index, "policy.read", "cn01") == frozenset()
