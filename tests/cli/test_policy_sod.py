"""``policy sod`` over a deployment with one conflict of each kind and its near misses; and what ``check`` makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from tests.support import copy_deployment

runner = CliRunner()
END = "# end\n"
SEEDED = (
    "g, clerk-1, oa, demo",  # hands in as oa does, and approves
    "g, clerk-1, finance-approver, demo",
    "g, sec-a, security-admin, demo",  # activates policies, and approves
    "g, sec-a, finance-approver, demo",
    "g, sec-b, security-admin, demo",  # activates policies, and hands in
    "p, sec-b, demo, payments.create, allow",
    "g, sys-a, operator, demo",  # two of three administrators
    "g, sys-a, auditor, demo",
    "g, both, operator, demo",  # a role nobody holds that gives two
    "g, both, security-admin, demo",
    "g, left, both, elsewhere",
    "p, tour, demo, documents.audit, allow",  # satellites are no people
    "g, mes, finance-approver, demo",
    "g, sys-b, operator, demo",  # a pair of the company's own
    "g, sys-b, cfo, demo",
    "p, branch-clerk, branch, payments.create, allow",  # nobody can approve there
)
NEAR = (
    "g, near-a, finance-approver, elsewhere",
    "p, near-a, demo, payments.create, allow",
    "g, near-b, operator, demo",
    "g, near-b, auditor, demo",
    "p, near-b, *, documents.audit, deny",
    "g, near-c, finance-approver, demo",
    "p, near-c, demo, policy.read, allow",
    "p, near-d, elsewhere, documents.audit, allow",
    "g, near-d, operator, demo",
    "g, shop, finance-approver, elsewhere",
)


def deployment(folder: Path, *rows: str, duties: str | None = None) -> Path:
    config = copy_deployment(folder)
    path = folder / "policies" / "policy.csv"
    text = path.read_text("utf-8")
    path.write_text(text.replace(END, "".join(f"{row}\n" for row in rows) + END), "utf-8")
    if duties is not None:
        (folder / "policies" / "duties.yaml").write_text(duties, "utf-8")
    return config


def run(config: Path, *command: str) -> Result:
    return runner.invoke(app, [*command, "--config", str(config)])


def test_finds_every_seeded_conflict_and_no_other(tmp_path: Path) -> None:
    config = deployment(tmp_path, *SEEDED, *NEAR)
    result = run(config, "policy", "sod", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [(one["code"], one["who"], one["tenants"], one["people"]) for one in told["conflicts"]] == [
        ("administrators", "both", ["demo"], []),
        ("administrators", "sys-a", ["demo"], ["sys-a"]),
        ("initiator-approves", "clerk-1", ["demo"], ["clerk-1"]),
        ("satellite-administers", "tour", ["demo"], []),
        ("satellite-approves", "mes", ["demo"], []),
        ("security-and-money", "sec-a", ["demo"], ["sec-a"]),
        ("security-and-money", "sec-b", ["demo"], ["sec-b"]),
        ("settle-and-approve", "sys-b", ["demo"], ["sys-b"]),
        ("too-few-approvers", "finance-approver", ["branch"], []),
    ]
    assert (told["accepted"], told["expired"], told["warnings"]) == ([], [], [])
    ways = {one["who"]: one["ways"] for one in told["conflicts"]}
    assert [text for way in ways["clerk-1"] for _, text in way["rows"]] == [
        "g, clerk-1, oa, demo",
        "p, oa, demo, payments.write, allow",
        "g2, payments.create, payments.write",
        "g, clerk-1, finance-approver, demo",
    ]


def test_near_misses_alone_are_no_conflict(tmp_path: Path) -> None:
    said = run(deployment(tmp_path, *NEAR), "policy", "sod")
    assert (said.exit_code, said.stdout) == (0, "No conflict of duties.\n")


def test_the_example_has_no_conflict(tmp_path: Path) -> None:
    config = deployment(tmp_path)
    assert run(config, "policy", "sod").exit_code == 0
    assert run(config, "check", "--strict").exit_code == 0


def test_tells_people_the_two_ways_and_what_would_resolve_it(tmp_path: Path) -> None:
    config = deployment(tmp_path, *SEEDED[6:11])
    lines = (tmp_path / "policies" / "policy.csv").read_text("utf-8").split("\n")
    at = {row: f"{row} (policies/policy.csv:{lines.index(row) + 1})" for row in SEEDED[6:11]}
    said = run(config, "policy", "sod").stdout.splitlines()
    assert said[0] == "conflict administrators: both of tenant demo may settle documents and activate policies"
    assert said[1].startswith(
        f"  settle documents: {at['g, both, operator, demo']} → p, operator, demo, documents.operate, allow ("
    )
    assert said[3] == "  people: none today; whoever gets it has both"
    assert said[4].startswith("  take away 'settle documents' (policies/policy.csv:")
    assert said[5] == "conflict administrators: sys-a of tenant demo may settle documents and audit"


def test_check_warns_of_conflicts_and_refuses_them_where_the_company_says_so(tmp_path: Path) -> None:
    config = deployment(tmp_path, *SEEDED[6:8])
    said = run(config, "check")
    assert said.exit_code == 0
    assert "administrators: sys-a of tenant demo may settle documents and audit; take away" in said.stderr
    duties = tmp_path / "policies" / "duties.yaml"
    duties.write_text("enforce: true\n", "utf-8")
    assert run(config, "check").exit_code == 1
    accepted = "enforce: true\naccepted:\n  - {conflict: administrators, who: sys-a, reason: Nobody else is here., until: DAY}\n"
    duties.write_text(accepted.replace("DAY", "2999-12-31"), "utf-8")
    assert run(config, "check", "--strict").exit_code == 0
    assert run(config, "policy", "sod").exit_code == 0
    duties.write_text(accepted.replace("DAY", "2020-12-31"), "utf-8")
    late = run(config, "check")
    assert late.exit_code == 0
    assert "warning" in late.stderr
    assert run(config, "policy", "sod").exit_code == 1


@pytest.mark.parametrize("duties", ["enforce: maybe\n", "pairs: {a: {one: [nobody-at-all], other: [cfo]}}\n"])
def test_a_duties_file_that_is_wrong_is_a_finding(tmp_path: Path, duties: str) -> None:
    config = deployment(tmp_path, duties=duties)
    assert run(config, "policy", "sod").exit_code == 2
    said = run(config, "check", "--json")
    assert said.exit_code == 1
    (finding,) = json.loads(said.stdout)["errors"]
    assert (finding["file"], finding["line"]) == ("policies/duties.yaml", 1)


def test_another_policy_is_asked_as_well(tmp_path: Path) -> None:
    config = deployment(tmp_path)
    own = (tmp_path / "policies" / "policy.csv").read_text("utf-8")
    proposed = tmp_path / "proposed.csv"
    proposed.write_text(own.replace(END, "g, operator, auditor, demo\n" + END), "utf-8")
    said = run(config, "policy", "sod", "--policy", str(proposed))
    assert said.exit_code == 1
    assert "operator of tenant demo may settle documents and audit" in said.stdout
    assert "  people: operator-2" in said.stdout.splitlines()
