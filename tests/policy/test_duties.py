"""Conflicts of duties: one of each kind and its near misses, and against asking every name for every right."""

from __future__ import annotations

from pathlib import Path

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.approvals.file import Approvals, read_approvals
from gateway.config.source import parse_source
from gateway.errors import ConfigError
from gateway.exchange import Principal
from gateway.people import AUDIT, OPERATE, POLICY_ACTIVATE
from gateway.policy.differences import Asked, Side, tenants_of
from gateway.policy.duties import CODES, Client, Conflict, Pair, conflicts, folded
from gateway.policy.file import read_policy
from gateway.policy.holders import Holders, Right
from gateway.policy.index import compile_policy
from gateway.policy.roles import roles_of

RULE = """
approvals:
  pay.create:
    amount: $.amount
    currency: $.currency
    payee: $.payee
    over: {CNY: 1}
    approvers: finance
    escalate: {to: boss, after: 24h}
"""
APPROVALS: Approvals = read_approvals(parse_source(RULE.encode(), name="approvals.yaml", folder=Path()))
BUILT_IN = (OPERATE, POLICY_ACTIVATE, AUDIT)
ASKED = (Asked("pay.create", ("v1", "v2")), Asked("pay.get", ("v1",)), *(Asked(name, ("",)) for name in BUILT_IN))
OA, WMS = Client("oa", "demo", vouches=False), Client("wms", "demo", vouches=False)
BASE = (
    "p, oa, demo, paying, allow",
    "g2, pay.create, paying",
    "g, fa, finance, demo",
    "g, fb, finance, demo",
    "g, ceo, boss, demo",
    "p, operator, demo, documents.operate, allow",
    "p, security, demo, policy.activate, allow",
    "p, auditor, demo, documents.audit, allow",
    "p, security, demo, policy.read, allow",
    "g, op, operator, demo",
    "g, se, security, demo",
    "g, au, auditor, demo",
)


def found(*rows: str, clients: tuple[Client, ...] = (OA, WMS), pairs: tuple[Pair, ...] = ()) -> list[Conflict]:
    file = read_policy("policy.csv", ("\n".join([*BASE, *rows, "# end"]) + "\n").encode())
    side = Side(compile_policy(file), APPROVALS, frozenset(client.tenant for client in clients))
    return folded(conflicts(Holders(side, ASKED), APPROVALS, clients, ASKED, pairs))


def told(conflicts: list[Conflict]) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...], str]]:
    return [(one.code, one.who, one.tenants, one.people, one.what) for one in conflicts]


def test_duties_that_are_apart_are_no_conflict() -> None:
    assert found() == []


def test_one_who_may_ask_and_approve() -> None:
    (conflict,) = found("g, li, finance, demo", "g, li, oa, demo", "g, wu, finance, demo")
    assert told([conflict]) == [("initiator-approves", "li", ("demo",), ("li",), "may hand in pay.create and approve pay.create")]
    asks, approves = conflict.ways
    assert [text for _, text in asks.rows] == ["g, li, oa, demo", "p, oa, demo, paying, allow", "g2, pay.create, paying"]
    assert approves.rows == (("policy.csv:13", "g, li, finance, demo"),)
    assert conflict.remedy == "take away 'hand in pay.create' (policy.csv:14) or 'approve pay.create' (policy.csv:13)"


def test_whom_a_rule_escalates_to_approves_too() -> None:
    (conflict,) = found("p, ceo, demo, pay.create@v2, allow")
    assert (conflict.code, conflict.who) == ("initiator-approves", "ceo")


def test_a_security_admin_who_approves_or_hands_in_money() -> None:
    rows = ("g, an, security, demo", "g, an, boss, demo", "g, be, security, demo", "p, be, demo, pay.create, allow")
    assert [(one.code, one.who, one.what) for one in found(*rows)] == [
        ("security-and-money", "an", "may activate policies and approve pay.create"),
        ("security-and-money", "be", "may activate policies and hand in pay.create"),
    ]


def test_administrators_that_are_not_three() -> None:
    rows = ("g, an, operator, demo", "g, an, security, demo", "p, be, *, documents.audit, allow", "g, be, operator, *")
    assert told(found(*rows)) == [
        ("administrators", "an", ("demo",), ("an",), "may settle documents and activate policies"),
        ("administrators", "be", ("demo",), ("be",), "may settle documents and audit"),
    ]


def test_a_role_that_gives_both_is_told_with_the_people_who_have_it_or_as_latent() -> None:
    rows = ("g, all, operator, demo", "g, all, security, demo")
    what = "may settle documents and activate policies"
    assert told(found(*rows)) == [("administrators", "all", ("demo",), ("all",), what)]
    held = (*rows, "g, an, all, demo", "g, be, an, demo", "p, ce, demo, pay.get, allow", "g, ce, all, demo")
    assert told(found(*held)) == [("administrators", "all", ("demo",), ("be", "ce"), what)]
    kept = (*rows, "g, an, all, demo", "p, an, demo, documents.operate, deny")
    assert told(found(*kept)) == [("administrators", "all", ("demo",), (), what)]


def test_star_rows_count_in_every_tenant() -> None:
    rows = ("p, an, *, documents.audit, allow", "p, an, *, policy.activate, allow", "g, x, y, two")
    (conflict,) = found(*rows)
    assert conflict.tenants == ("*", "demo", "two")


def test_satellites_that_approve_or_administer() -> None:
    rows = ("g, oa, finance, demo", "p, wms, demo, documents.audit, allow", "g, wms, operator, other")
    assert [(one.code, one.who, one.what) for one in found(*rows)] == [
        ("satellite-administers", "wms", "is a satellite, no person, and may audit"),
        ("satellite-approves", "oa", "is a satellite, no person, and may approve pay.create"),
    ]


def test_a_rule_that_too_few_can_satisfy() -> None:
    vouching = (Client("oa", "demo", vouches=True), WMS)
    (conflict,) = found(clients=vouching)
    assert told([conflict]) == [
        (
            "too-few-approvers",
            "finance",
            ("demo",),
            (),
            "pay.create needs 2 to approve, and 2 can, and one less where one of them asks",
        )
    ]
    assert conflict.remedy == "give the role to 1 more"
    assert found("g, fc, finance, demo", clients=vouching) == []
    assert told(found("p, shop, two, pay.create, allow"))[0][4] == "pay.create needs 2 to approve, and 0 can"


def test_two_spellings_of_one_person_are_one() -> None:
    (conflict,) = found("p, FA, demo, pay.create, allow", "g, fc, finance, demo")
    assert (conflict.code, conflict.who, conflict.ways[1].rows) == (
        "initiator-approves",
        "FA",
        (("policy.csv:3", "g, fa, finance, demo"),),
    )


def test_near_misses_are_none() -> None:
    assert (
        found(
            "g, an, operator, demo",
            "g, an, security, two",  # the other role in another tenant
            "g, be, operator, demo",
            "g, be, security, demo",
            "p, be, demo, policy.activate, deny",  # a deny takes it away
            "g, ce, security-reader, demo",
            "p, security-reader, demo, policy.read, allow",
            "g, ce, boss, demo",  # seeing the policy is not activating it
            "p, de, demo, pay.get, allow",
            "g, de, finance, demo",  # may look at what it approves
            "p, oa, demo, pay.get, allow",
            "g, wms, finance, two",  # a satellite's tenant is the one it has
            "p, el, demo, pay.create, allow",
            "g, el, finance, two",
        )
        == []
    )


def test_pairs_of_the_company() -> None:
    pair = Pair("buy-and-look", Right("have buying", roles=("buying",)), Right("have pay.get", ("pay.get",)))
    rows = ("p, reader, demo, pay.get, allow", "g, an, reader, demo", "g, an, buying, demo", "g, be, buying, demo")
    (conflict,) = found(*rows, pairs=(pair,))
    assert told([conflict]) == [("buy-and-look", "an", ("demo",), ("an",), "may have buying and have pay.get")]


# --- asking every name for every right -------------------------------------------------------------------------------

names = st.sampled_from(["oa", "li", "wu", "finance", "boss", "role"])
tenants = st.sampled_from(["*", "demo", "two"])
operations = st.sampled_from(["pay.create", "pay.create@v1", "grp", *BUILT_IN])
rows = st.one_of(
    st.builds("p, {}, {}, {}, {}".format, names, tenants, operations, st.sampled_from(["allow", "allow", "allow", "deny"])),
    st.builds("g, {}, {}, {}".format, names, names, tenants),
    st.builds("g2, {}, grp".format, st.sampled_from(["pay.create", "pay.create@v2", POLICY_ACTIVATE])),
)
RIGHTS = ("hand in pay.create", "approve pay.create", "settle documents", "activate policies", "audit")
PAIRS = {
    "initiator-approves": {(0, 1)},
    "security-and-money": {(3, 0), (3, 1)},
    "administrators": {(2, 3), (2, 4), (3, 4)},
}


def rights(side: Side, who: str, tenant: str) -> set[int]:
    def may(operation: str, *versions: str) -> bool:
        return any(side.policy.decide(Principal(who, tenant), operation, version).allowed for version in versions)

    held = (may("pay.create", "v1", "v2"), bool({"finance", "boss"} & roles_of(side.policy, who, tenant)))
    return {number for number, holds in enumerate((*held, *(may(name, "") for name in BUILT_IN))) if holds}


@settings(max_examples=200, deadline=None)
@given(st.lists(rows, max_size=14, unique=True))
def test_finds_what_asking_every_name_for_every_right_finds(lines: list[str]) -> None:
    try:
        file = read_policy("policy.csv", ("\n".join([*lines, "# end"]) + "\n").encode())
    except ConfigError:
        assume(False)
        raise
    side = Side(compile_policy(file), APPROVALS, frozenset({"demo"}))
    told = conflicts(Holders(side, ASKED), APPROVALS, [OA], ASKED)
    assert {one.code for one in told} <= set(CODES)
    expected, machines = set(), set()
    held = {link.role for link in file.memberships}
    for tenant in tenants_of(side):
        has = {who: rights(side, who, tenant) for who in ("oa", "li", "wu", "finance", "boss", "role")}
        for code, pairs in PAIRS.items():
            for one, other in pairs:
                both = {who for who in has if who != "oa" and {one, other} <= has[who]}
                top = {who for who in both if not (roles_of(side.policy, who, tenant) & both) - {who}}
                for who in top:
                    people = {p for p in both if p not in held and who in roles_of(side.policy, p, tenant)}
                    expected.add((code, who, tenant, f"may {RIGHTS[one]} and {RIGHTS[other]}", tuple(sorted(people))))
        if tenant == "demo":
            machines = {number for number in has["oa"] if number > 0}
    assert {(c.code, c.who, c.tenants[0], c.what, c.people) for c in told if c.code in PAIRS} == expected
    assert {c.what.rpartition("may ")[2] for c in told if c.who == "oa" and c.code.startswith("satellite")} == {
        RIGHTS[number] for number in machines
    }
    for conflict in told:
        for way in conflict.ways:
            assert way.rows or conflict.who in ("finance", "boss") or conflict.code == "initiator-approves"
            assert {place for place, _ in way.rows} <= {f"policy.csv:{n}" for n in range(1, len(lines) + 1)}
