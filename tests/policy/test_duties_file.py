"""``duties.yaml``: what may stand in it, what it accepts and until when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.approvals.file import read_approvals
from gateway.config.source import parse_source
from gateway.errors import ConfigError
from gateway.people import PERMISSIONS
from gateway.policy.differences import Asked, Side
from gateway.policy.duties_file import Duties, Judged, changes, findings, judge, read_duties, tenants
from gateway.policy.file import read_policy
from gateway.policy.index import compile_policy

ASKED = (Asked("pay.get", ("v1", "v2")), *(Asked(name, ("",)) for name in PERMISSIONS))
NONE = read_approvals(parse_source(b"approvals: {}", name="policies/approvals.yaml", folder=Path()))
ROWS = (
    "p, an, demo, documents.operate, allow",
    "p, an, *, documents.audit, allow",
    "p, an, two, documents.operate, allow",
    "p, be, demo, looking, allow",
    "g2, pay.get@v2, inner",
    "g2, inner, looking",
    "g, be, payer, demo",
)
ACCEPTED = """
accepted:
  - {conflict: administrators, who: an, tenant: demo, reason: The second one starts in March., until: 2027-03-31}
"""


def read(text: str) -> Duties:
    return read_duties(parse_source(text.encode(), name="policies/duties.yaml", folder=Path()))


def judged(text: str = "enforce: false", at: str = "2027-03-31T23:59:59", *rows: str) -> Judged:
    file = read_policy("policy.csv", ("\n".join([*ROWS, *rows, "# end"]) + "\n").encode())
    now = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
    return judge(read(text), Side(compile_policy(file)), NONE, [], ASKED, now)


def found(one: Judged) -> list[tuple[str, str, str]]:
    return [(conflict.code, conflict.who, tenants(conflict)) for conflict in one.open]


DEMO, TWO = (("administrators", "an", f"tenant {tenant}") for tenant in ("demo", "two"))


def test_a_conflict_is_told_once_for_all_tenants_in_which_the_same_rows_make_it() -> None:
    assert found(judged()) == [DEMO, TWO]
    rows = ("p, ce, *, documents.audit, allow", "p, ce, *, documents.operate, allow")
    assert found(judged("enforce: false", "2027-01-01", *rows)) == [DEMO, TWO, ("administrators", "ce", "every tenant")]


def test_what_is_accepted_counts_again_after_its_day() -> None:
    one = judged(ACCEPTED)
    assert found(one) == [TWO]
    assert [conflict.tenants for conflict in one.accepted] == [("demo",)]
    later = judged(ACCEPTED, "2027-04-01T00:00:00")
    assert found(later) == [DEMO, TWO]
    assert [conflict.tenants for conflict in later.expired] == [("demo",)]
    assert found(judged(ACCEPTED.replace("tenant: demo, ", ""))) == []


def test_what_accepts_nothing_is_told() -> None:
    (finding,) = judged(ACCEPTED.replace("who: an", "who: nobody")).idle
    assert str(finding).startswith("policies/duties.yaml:3: accepts administrators of 'nobody', which is not there")


def test_a_pair_names_operations_groups_and_roles() -> None:
    pairs = "pairs: {look-and-pay: {one: [looking], other: [payer]}}"
    assert found(judged(pairs))[2:] == [("look-and-pay", "be", "tenant demo")]
    assert found(judged(pairs.replace("looking", "pay.get@v1")))[2:] == []
    assert found(judged(pairs.replace("looking", "pay.get")))[2:] == [("look-and-pay", "be", "tenant demo")]
    assert found(judged(pairs.replace("payer", "an, policy.read")))[2:] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "pairs: {a: {one: [loking], other: [payer]}}",
            "policies/duties.yaml:1: nothing is called 'loking'; did you mean 'looking'?",
        ),
        ("pairs: {a: {one: [looking], other: [zzz]}}", "nothing is called 'zzz'; name an operation, a group or a role"),
        ("pairs: {a: {one: [an], other: [an, be]}}", "has 'an' on both sides"),
        (
            "pairs: {administrators: {one: [an], other: [be]}}",
            "the name 'administrators' cannot be used; choose another name: this is a conflict",
        ),
        ("pairs: {A b: {one: [an], other: [be]}}", "the name 'A b' cannot be used; use lower-case letters"),
        ("pairs: {a: {one: [], other: [be]}}", "'one'"),
        ("pair: {}", "unknown key 'pair'; did you mean 'pairs'?"),
        (ACCEPTED.replace("administrators", "administrator"), "did you mean 'administrators'?"),
        (ACCEPTED.replace("administrators", "zzz"), "use one of initiator-approves"),
        (ACCEPTED.replace("2027-03-31", "31.03.2027"), "write a date as YYYY-MM-DD"),
        (ACCEPTED.replace("2027-03-31", "2027-02-31"), "write a date as YYYY-MM-DD"),
        (ACCEPTED.replace("The second one starts in March.", "why"), "'reason'"),
        (ACCEPTED.replace(", until: 2027-03-31", ""), "the key 'until' is missing"),
    ],
)
def test_what_cannot_be_meant_is_an_error_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        judged(text)
    assert said in str(caught.value)
    assert all(finding.line for finding in caught.value.findings)


def test_findings_stand_at_the_row_to_change_and_say_what_was_never_accepted() -> None:
    (finding, new), *_ = findings(judged(), "policies/approvals.yaml")
    assert (finding.file, finding.line, new) == ("policy.csv", 1, True)
    assert finding.what == "administrators: an of tenant demo may settle documents and audit"
    assert "take away 'settle documents' (policy.csv:1)" in finding.remedy
    late = judged(ACCEPTED.replace("tenant: demo, ", ""), "2027-04-01T00:00:00")
    assert [new for _, new in findings(late, "policies/approvals.yaml")] == [False, False]
    idle = judged(ACCEPTED.replace("who: an", "who: nobody"))
    assert [new for _, new in findings(idle, "policies/approvals.yaml")] == [True, True, False]


def test_says_what_a_file_has_otherwise() -> None:
    accepted = read(ACCEPTED)
    pairs = read("enforce: true\npairs: {a: {one: [x], other: [y]}, b: {one: [x], other: [y]}}")
    other = read("pairs: {b: {one: [x], other: [z]}, c: {one: [x], other: [y]}}")
    assert changes(accepted, accepted) == []
    assert changes(Duties(), accepted) == ["administrators of an in tenant demo is accepted until 2027-03-31"]
    assert changes(accepted, Duties()) == ["administrators of an in tenant demo is no longer accepted until 2027-03-31"]
    assert changes(Duties(), pairs)[0] == "conflicts are enforced now"
    assert changes(pairs, other) == [
        "conflicts are no longer enforced, only warned of",
        "the pair a is gone",
        "the pair b names others",
        "the pair c is new",
    ]


def test_of_very_many_conflicts_check_tells_how_many_there_are() -> None:
    both = [f"p, u{n}, demo, {name}, allow" for n in range(60) for name in ("documents.operate", "documents.audit")]
    told = list(findings(judged("enforce: true", "2027-01-01", *both), "policies/approvals.yaml"))
    assert len(told) == 51
    assert (str(told[-1][0]), told[-1][1]) == (
        "policies/approvals.yaml: and 12 more conflicts of duties; erp-gateway policy sod tells them all",
        True,
    )
