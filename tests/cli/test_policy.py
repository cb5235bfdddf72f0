"""``policy check``: would this policy go live?"""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from gateway.cli import app
from tests.support import copy_deployment

runner = CliRunner()


def policy(config: Path, *arguments: str) -> Result:
    return runner.invoke(app, ["policy", *arguments, "--config", str(config)])


def change(config: Path, old: str, new: str) -> int:
    """Change a line of the policy; its number."""
    path = config.parent / "policies/policy.csv"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return text[: text.index(old)].count("\n") + 1


def test_a_good_policy_is_ok(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    said = policy(config, "check")
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout.startswith("ok policies/policy.csv: ")
    told = json.loads(policy(config, "check", "--json").stdout)
    assert (told["ok"], told["errors"], told["warnings"], len(told["sha256"])) == (True, [], [], 64)


def test_a_row_that_cannot_be_read_is_a_finding_with_its_line(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    line = change(config, "p, tour,  demo, stock.get,               allow", "p, tour, demo, stock.get, Allow")
    said = policy(config, "check")
    assert said.exit_code == 1
    assert f"policies/policy.csv:{line}: effect: 'Allow' is no effect; write 'allow' in lower case" in said.stderr


def test_an_operation_no_route_has_and_a_failed_test_are_findings(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    unknown = change(config, "p, shop,  demo, stock-movements.create,  allow", "p, shop, demo, stock-movments.create, allow")
    change(config, "p, cfo,              demo, reports.finance,     allow", "p, auditor, demo, reports.finance, allow")
    result = policy(config, "check", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"]) == (1, False)
    found = {(f["file"], f["what"].partition(" (")[0]) for f in told["errors"]}
    assert ("policies/policy.csv", "no route has the operation 'stock-movments.create'") in found
    assert ("policies/tests.yaml", "cfo, reports.finance: denied, since no row allows it, expected allow") in found
    assert [f["line"] for f in told["errors"] if f["file"] == "policies/policy.csv"] == [unknown]


def test_a_candidate_is_checked_in_place_of_the_policy(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    proposed = tmp_path / "proposed.csv"
    proposed.write_text("p, oa, demo, payments.get, allow\n", "utf-8")
    said = policy(config, "check", str(proposed))
    assert said.exit_code == 1
    assert f"{proposed}:2: the file does not end with the line '# end'" in said.stderr
    assert policy(config, "check").exit_code == 0
