"""``policy``: would it go live, who may do what and why, do its tests pass; over deployments broken and changed on purpose."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from tests.support import ROOT, copy_deployment

runner = CliRunner()


def policy(config: Path, *arguments: str) -> Result:
    return runner.invoke(app, ["policy", *arguments, "--config", str(config)])


def plain(line: str) -> str:
    """A row without the spaces that align it."""
    return " ".join(line.split())


def change(config: Path, row: str, new: str) -> int:
    """Put other rows in the place of one; its number."""
    path = config.parent / "policies/policy.csv"
    lines = path.read_text("utf-8").splitlines()
    number = [plain(line) for line in lines].index(row)
    lines[number : number + 1] = new.splitlines()
    path.write_text("\n".join([*lines, ""]), "utf-8")
    return number + 1


def test_a_good_policy_is_ok(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    said = policy(config, "check")
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout.startswith("ok policies/policy.csv: ")
    told = json.loads(policy(config, "check", "--json").stdout)
    assert (told["ok"], told["errors"], told["warnings"], len(told["sha256"])) == (True, [], [], 64)


def test_a_row_that_cannot_be_read_is_a_finding_with_its_line(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    line = change(config, "p, tour, demo, stock.get, allow", "p, tour, demo, stock.get, Allow")
    said = policy(config, "check")
    assert said.exit_code == 1
    assert f"policies/policy.csv:{line}: effect: 'Allow' is no effect; write 'allow' in lower case" in said.stderr


def test_an_operation_no_route_has_and_a_failed_test_are_findings(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    unknown = change(config, "p, shop, demo, stock-movements.create, allow", "p, shop, demo, stock-movments.create, allow")
    change(config, "p, cfo, demo, reports.finance, allow", "p, auditor, demo, reports.finance, allow")
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


# --- can and explain -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example deployment, which no test changes."""
    return copy_deployment(tmp_path_factory.mktemp("example"))


def row(config: Path, text: str) -> str:
    """Where a row of the policy stands, as answers name it."""
    lines = [plain(line) for line in (config.parent / "policies/policy.csv").read_text("utf-8").splitlines()]
    return f"policies/policy.csv:{lines.index(text) + 1}"


def told(config: Path, *arguments: str) -> dict[str, Any]:
    result = policy(config, *arguments, "--json")
    assert result.exit_code in (0, 1), result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_yes_is_one_line_with_the_row(example: Path) -> None:
    said = policy(example, "can", "oa", "payments.create")
    place = row(example, "p, oa, demo, payments.write, allow")
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout == f"yes: oa of tenant demo may call payments.create@v1 ({place})\n"


def test_yes_says_what_is_restricted(example: Path) -> None:
    said = policy(example, "can", "wms", "purchase-orders.get")
    assert said.exit_code == 0
    assert said.stdout.endswith("; hidden: supplierCode, currency, total, lines[].unitPrice\n")
    answer = told(example, "can", "wms", "purchase-orders.get")["answers"][0]
    assert answer["restrictions"] == {"hidden": ["supplierCode", "currency", "total", "lines[].unitPrice"]}
    assert row(example, "p2, warehouse, demo, purchase-orders.get, total, hide") in answer["restricted_by"]


def test_no_names_the_row_that_denies(example: Path) -> None:
    said = policy(example, "can", "wms", "sales-orders.list")
    place = row(example, "p, warehouse, *, sales-orders.list, deny")
    assert (said.exit_code, said.stdout) == (1, f"no: wms of tenant demo may not call sales-orders.list@v1, denied by {place}\n")
    answer = told(example, "can", "wms", "sales-orders.list")
    assert (answer["allowed"], answer["answers"][0]["rows"]) == (False, [place])


def test_no_since_no_row_says_yes(example: Path) -> None:
    said = policy(example, "can", "shop", "reports.finance@v1")
    expected = "no: shop of tenant demo may not call reports.finance@v1, since no row allows it\n"
    assert (said.exit_code, said.stdout) == (1, expected)


def test_conditions_count_where_they_are_asked_about(example: Path) -> None:
    place = row(example, "p4, mes, demo, purchase-orders.create, network, 127.0.0.0/8")
    open_ = policy(example, "can", "mes", "purchase-orders.create")
    assert (open_.exit_code, "; network: 127.0.0.0/8" in open_.stdout) == (0, True)
    inside = policy(example, "can", "mes", "purchase-orders.create", "--address", "127.0.0.1", "--at", "2026-11-22T03:00:00Z")
    assert inside.exit_code == 0
    outside = policy(example, "can", "mes", "purchase-orders.create", "--address", "192.0.2.1")
    assert outside.exit_code == 1
    assert outside.stdout == f"no: mes of tenant demo may not call purchase-orders.create@v1 from there ({place})\n"
    assert told(example, "can", "mes", "purchase-orders.create", "--address", "192.0.2.1")["answers"][0]["unmet"] == ["network"]


def test_roles_of_a_token_count(example: Path) -> None:
    assert policy(example, "can", "clerk-1", "payments.get").exit_code == 1
    assert policy(example, "can", "clerk-1", "payments.get", "--role", "finance-approver").exit_code == 0
    assert policy(example, "can", "somebody-new", "payments.get", "--role", "finance-approver").exit_code == 0
    assert policy(example, "can", "crm", "sales-orders.list", "--role", "warehouse").exit_code == 1


def test_versions_that_differ_are_told_apart(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    route = tmp_path / "routes/stock.yaml"
    route.write_text(route.read_text("utf-8").replace("resource: stock\n", "resource: stock\nversions: [v1, v2]\n"), "utf-8")
    change(config, "p, tour, demo, stock.get, allow", "p, tour, demo, stock.get@v2, allow")
    both = policy(config, "can", "mes", "stock.get")
    assert (both.exit_code, both.stdout.startswith("yes: mes of tenant demo may call stock.get (v1, v2) (")) == (0, True)
    differing = policy(config, "can", "tour", "stock.get")
    assert differing.exit_code == 1
    assert [line.partition(" (")[0] for line in differing.stdout.splitlines()] == [
        "no: tour of tenant demo may not call stock.get@v1, since no row allows it",
        "yes: tour of tenant demo may call stock.get@v2",
    ]
    assert policy(config, "can", "tour", "stock.get@v2").exit_code == 0
    assert [answer["allowed"] for answer in told(config, "can", "tour", "stock.get")["answers"]] == [False, True]
    held = policy(config, "who-can", "stock.get").stdout
    assert ("stock.get@v1 may be called" in held, "stock.get@v2 may be called" in held) == (True, True)
    assert "documents.operate may be called" in policy(config, "who-can", "documents.operate").stdout


def test_what_is_public_is_anybody_s(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    route = tmp_path / "routes/stock.yaml"
    route.write_text(route.read_text("utf-8").replace("    call: GET", "    public: true\n    call: GET"), "utf-8")
    assert policy(config, "can", "clerk-1", "stock.get").stdout == "yes: anybody may call stock.get@v1, it is public\n"
    assert policy(config, "explain", "clerk-1", "stock.get").stdout == "yes: anybody may call stock.get@v1, it is public\n"
    assert policy(config, "who-can", "stock.get").stdout == "anybody may call stock.get@v1, it is public\n"
    assert [each["operation"] for each in told(config, "what-can", "clerk-1")["answers"]] == ["stock.get"]
    assert "public" in policy(config, "what-can", "clerk-1").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("oaa", "stock.get"), "names 'oaa': did you mean oa?"),
        (("oa", "stock.gte"), "No route has the operation 'stock.gte': did you mean stock.get"),
        (("oa", "stock.get@v9"), "No route has the operation 'stock.get@v9': did you mean stock.get@v1"),
        (("oa", "payments.write"), "is a group of operations: payments.create, payments.get."),
        (("oa", "stock.get", "--role", "warehose"), "No row names the role 'warehose': did you mean warehouse?"),
        (("oa", "stock.get", "--tenant", "dmo"), "names the tenant 'dmo': did you mean demo?"),
        (("oa", "stock.get", "--at", "noon"), "'noon' is no time"),
        (("oa", "stock.get", "--at", "2026-11-20T10:00:00"), "is no time: write date, time and offset"),
        (("oa", "stock.get", "--address", "10.0.0.0/8"), "'10.0.0.0/8' is no address"),
        (("\udcff", "stock.get", "--role", "warehouse"), "'\\udcff' has characters that cannot be shown"),
        (("oa", "\x1b[2J"), "'\\x1b[2J' has characters that cannot be shown"),
    ],
)
def test_a_question_about_what_is_not_there_exits_2(example: Path, arguments: tuple[str, ...], said: str) -> None:
    for command in ("can", "explain"):
        result = policy(example, command, *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr
    assert said in json.loads(policy(example, "can", *arguments, "--json").stdout)["error"]


def test_a_tenant_is_asked_for_where_there_are_several(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    change(config, "p, tour, demo, stock.get, allow", "p, tour, cn01, stock.get, allow")
    result = policy(config, "can", "cfo", "stock.get")
    assert (result.exit_code, result.stderr) == (2, "Which tenant does 'cfo' belong to? Say --tenant cn01|demo.\n")
    assert policy(config, "can", "tour", "stock.get").exit_code == 1
    assert policy(config, "can", "tour", "stock.get", "--tenant", "cn01").exit_code == 0
    assert policy(config, "can", "tour", "stock.get", "--tenant", "*").exit_code == 1


def test_a_file_that_cannot_be_read_exits_2(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    line = change(config, "p, tour, demo, stock.get, allow", "p; tour; demo; stock.get; allow")
    for arguments in (
        ("can", "oa", "stock.get"),
        ("explain", "oa", "stock.get"),
        ("who-can", "stock.get"),
        ("what-can", "oa"),
        ("test",),
    ):
        result = policy(config, *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"policies/policy.csv:{line}: a semicolon" in result.stderr
    answer = json.loads(policy(config, "can", "oa", "stock.get", "--json").stdout)
    assert [finding["line"] for finding in answer["findings"]] == [line]


def test_a_policy_that_would_not_go_live_answers_and_says_so(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    change(config, "p, cfo, demo, reports.finance, allow", "p, auditor, demo, reports.finance, allow")
    result = policy(config, "can", "auditor", "reports.finance")
    assert result.exit_code == 0
    assert "policies/policy.csv would not go live as it is: 2 findings" in result.stderr


def test_explain_tells_every_row_and_the_way_to_it(example: Path) -> None:
    said = policy(example, "explain", "wms", "purchase-orders.get").stdout.splitlines()
    assert said[0] == "wms of tenant demo may call purchase-orders.get@v1."
    allowed, hidden = "p, warehouse, demo, purchase-orders.get, allow", "p2, warehouse, demo, purchase-orders.get, total, hide"
    assert said[1].startswith(f"  {row(example, allowed)} allows warehouse in tenant demo")
    assert "wms → warehouse (line " in said[1]
    assert any(line.startswith(f"  {row(example, hidden)} hides total to warehouse") for line in said)
    answer = told(example, "explain", "wms", "purchase-orders.get")["answers"][0]
    assert answer["reasons"][0]["roles"] == [{"role": "warehouse", "place": row(example, "g, wms, warehouse, demo")}]
    assert len(answer["limits"]) == 4


def test_explain_tells_which_row_would_have_allowed_it(example: Path) -> None:
    said = policy(example, "explain", "shop", "reports.finance")
    place = row(example, "p, cfo, demo, reports.finance, allow")
    assert said.exit_code == 1
    assert f"  {place} would allow it, but shop does not hold the role cfo in tenant demo.\n" in said.stdout
    (near,) = told(example, "explain", "shop", "reports.finance")["answers"][0]["nearest"]
    assert (near["place"], near["missing"]) == (place, ["shop does not hold the role cfo in tenant demo"])


def test_the_dialogue_of_the_guide_is_what_is_said(example: Path) -> None:
    guide = (ROOT / "docs/guide/policy.md").read_text("utf-8")
    dialogues = re.findall(r"^\$ erp-gateway policy ((?:can|explain) .*)\n((?:(?!\$ |```).*\n)+)", guide, re.MULTILINE)
    assert len(dialogues) >= 2
    for command, said in dialogues:
        assert policy(example, *command.split()).stdout == said


# --- who-can and what-can --------------------------------------------------------------------------------------------


def test_who_can_tells_satellites_people_and_roles_apart(example: Path) -> None:
    said = policy(example, "who-can", "purchase-orders.get")
    assert said.exit_code == 0
    assert max(map(len, said.stdout.splitlines())) <= 100
    (answer,) = told(example, "who-can", "purchase-orders.get")["answers"]
    assert [(holder["subject"], holder["kind"], holder["tenant"]) for holder in answer["holders"]] == [
        ("mes", "satellite", "demo"),
        ("oa", "satellite", "demo"),
        ("wms", "satellite", "demo"),
        ("cfo", "person", "demo"),
        ("warehouse", "role", "demo"),
    ]
    wms = answer["holders"][2]
    assert wms["rows"] == [{"place": row(example, "p, warehouse, demo, purchase-orders.get, allow"), "through": ["warehouse"]}]
    assert wms["restrictions"]["hidden"] == ["supplierCode", "currency", "total", "lines[].unitPrice"]
    assert all(holder["subject"] in said.stdout for holder in answer["holders"])


def test_nobody_can_is_exit_1(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    change(config, "p, cfo, demo, reports.finance, allow", "p, cfo, demo, reports.finance, deny")
    said = policy(config, "who-can", "reports.finance")
    assert (said.exit_code, said.stdout) == (1, "nobody may call reports.finance@v1\n")


def test_a_right_in_every_tenant_but_one_says_so(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    change(
        config,
        "p, tour, demo, stock.get, allow",
        "p, tour, *, stock.get, allow\np, tour, cn01, stock.get, deny\np, mes, cn02, stock.get, deny",
    )
    tour = next(holder for holder in told(config, "who-can", "stock.get")["answers"][0]["holders"] if holder["subject"] == "tour")
    assert (tour["tenant"], tour["otherwise"]) == ("*", ["cn01"])
    assert "any but cn01" in policy(config, "who-can", "stock.get").stdout
    there = told(config, "who-can", "stock.get", "--tenant", "cn01")
    assert [holder["subject"] for holder in there["answers"][0]["holders"]] == []
    there = told(config, "who-can", "stock.get", "--tenant", "*")
    assert [(holder["subject"], holder["otherwise"]) for holder in there["answers"][0]["holders"]] == [("tour", [])]
    assert policy(config, "who-can", "stock.get", "--tenant", "cn1").exit_code == 2


def test_what_can_has_every_operation_with_its_place(example: Path) -> None:
    answer = told(example, "what-can", "wms")
    assert (answer["subject"], answer["tenant"]) == ("wms", "demo")
    assert [(each["operation"], each["method"], each["path"]) for each in answer["answers"]] == [
        ("purchase-orders.get", "GET", "/api/v1/purchase-orders/{number}"),
        ("stock-movements.create", "POST", "/api/v1/stock-movements"),
        ("stock.get", "GET", "/api/v1/stock/{sku}"),
    ]
    said = policy(example, "what-can", "wms")
    assert (said.exit_code, max(map(len, said.stdout.splitlines())) <= 100) == (0, True)
    assert "/api/v1/purchase-orders/{number}" in said.stdout
    nothing = policy(example, "what-can", "clerk-1")
    assert (nothing.exit_code, nothing.stdout) == (1, "clerk-1 of tenant demo may call nothing\n")


def test_what_is_done_at_the_console_is_told_too(example: Path) -> None:
    assert [(each["operation"], each["version"], each["path"]) for each in told(example, "what-can", "auditor")["answers"]] == [
        ("documents.audit", "", "")
    ]
    assert "at the console" in policy(example, "what-can", "auditor").stdout


# --- test ------------------------------------------------------------------------------------------------------------


def test_every_question_of_the_tests_is_told(example: Path) -> None:
    said = policy(example, "test")
    lines = said.stdout.splitlines()
    assert (said.exit_code, lines[-1]) == (0, f"{len(lines) - 1} asked, {len(lines) - 1} ok, 0 failed")
    assert any(
        line.startswith("ok     policies/tests.yaml:") and line.endswith(": cfo of demo, reports.finance: allow")
        for line in lines
    )


def test_a_question_answered_otherwise_fails_with_its_line(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    change(config, "g, wms, warehouse, demo", "")
    tests = (tmp_path / "policies/tests.yaml").read_text("utf-8").splitlines()
    line = next(number for number, text in enumerate(tests, 1) if "{who: wms, operation: purchase-orders.get" in text)
    said = policy(config, "test")
    assert said.exit_code == 1
    expected = f"FAILED policies/tests.yaml:{line}: wms of demo, purchase-orders.get: allow: denied, since no row allows it"
    assert any(text.startswith(expected) for text in said.stdout.splitlines())
    answer = told(config, "test")
    assert (answer["ok"], answer["failed"]) == (False, 2)
    assert [each["operation"] for each in answer["answers"] if not each["ok"]] == ["sales-orders.list", "purchase-orders.get"]
    assert [each["place"] for each in answer["answers"] if not each["ok"]][1] == f"policies/tests.yaml:{line}"


def test_a_question_about_an_operation_no_route_has_fails(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    tests = tmp_path / "policies/tests.yaml"
    tests.write_text(tests.read_text("utf-8") + "  - {who: wms, operation: sales-orders.lst, expect: deny}\n", "utf-8")
    said = policy(config, "test")
    assert said.exit_code == 1
    assert "no route has the operation 'sales-orders.lst'" in said.stdout


def test_a_candidate_is_asked_the_tests_of_the_deployment(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    proposed = tmp_path / "proposed.csv"
    lines = (tmp_path / "policies/policy.csv").read_text("utf-8").splitlines(keepends=True)
    proposed.write_text("".join(line for line in lines if plain(line) != "p, warehouse, *, sales-orders.list, deny"), "utf-8")
    said = policy(config, "test", "--policy", str(proposed))
    assert (said.exit_code, policy(config, "test").exit_code) == (1, 0)
    assert "wms of demo, sales-orders.list: deny: allowed (" in said.stdout


def test_no_tests_are_no_failure_and_are_said(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    (tmp_path / "policies/tests.yaml").unlink()
    said = policy(config, "test")
    assert (said.exit_code, said.stdout) == (0, "0 asked, 0 ok, 0 failed\n")
    assert "There is no tests.yaml" in said.stderr
