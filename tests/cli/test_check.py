"""``check`` on deployments broken on purpose: every mistake with file, line and remedy, all of them together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from tests.support import copy_deployment

Change = tuple[str, str, str]

BROKEN: dict[str, tuple[list[Change], list[tuple[str, str, str]]]] = {
    "misspelt keys in two files": (
        [
            ("gateway.yaml", "    timeout: 5s", "    timeuot: 5s"),
            ("routes/stock.yaml", "    call: GET", "    cal: GET"),
        ],
        [
            ("gateway.yaml", "unknown key 'timeuot'", "did you mean 'timeout'?"),
            ("routes/stock.yaml", "unknown key 'cal'", "did you mean 'call'?"),
            ("routes/stock.yaml", "the key 'call' is missing", "add 'call:'"),
        ],
    ),
    "an upstream nobody defined": (
        [("routes/stock.yaml", "upstream: inventory", "upstream: inventroy")],
        [("routes/stock.yaml", "no upstream 'inventroy'", "did you mean 'inventory'?")],
    ),
    "an operation the WSDL does not have": (
        [("routes/payments.yaml", "call: CreatePayment", "call: CreatePaymnet")],
        [("routes/payments.yaml", "CreatePaymnet", "did you mean 'CreatePayment'?")],
    ),
    "a field table that is not there": (
        [("routes/stock-movements.yaml", "mapping: stock-movement", "mapping: stock-movment")],
        [("routes/stock-movements.yaml", "no field table 'stock-movment'", "did you mean 'stock-movement'?")],
    ),
    "a route without a policy row": (
        [("policies/policy.csv", "p, cfo,              demo, reports.finance,     allow\n", "")],
        [
            (
                "routes/reports.yaml",
                "no policy row mentions reports.finance@v1",
                "add a row such as 'p, ROLE, TENANT, reports.finance",
            )
        ],
    ),
    "a policy saved by a spreadsheet": (
        [
            (
                "policies/policy.csv",
                "p, shop,  demo, stock-movements.create,  allow",
                "p; shop; demo; stock-movements.create; allow",
            )
        ],
        [("policies/policy.csv", "semicolon", "comma")],
    ),
    "an effect in the wrong case and an unknown operation": (
        [
            ("policies/policy.csv", "p, tour,  demo, stock.get,               allow", "p, tour, demo, stock.get, Allow"),
            (
                "policies/policy.csv",
                "p, shop,  demo, stock-movements.create,  allow",
                "p, shop, demo, stock-movments.create, allow",
            ),
        ],
        [("policies/policy.csv", "Allow", "allow")],
    ),
    "demo secrets where others can reach them": (
        [("gateway.yaml", "listen: 127.0.0.1:${env:ERP_GATEWAY_PORT:-8080}", "listen: 0.0.0.0:8080")],
        [("gateway.yaml", "demo: true", "127.0.0.1")],
    ),
    "several processes that cannot count together": (
        [("gateway.yaml", "processes: 1", "processes: 4")],
        [("gateway.yaml", "4 edge processes", "redis://")],
    ),
    "a WSDL that is not there and two routes on one path": (
        [
            ("gateway.yaml", "contracts/finance.wsdl", "contracts/finances.wsdl"),
            ("routes/sales-orders.yaml", "get: /sales-orders", "get: /stock/{number}"),
        ],
        [("gateway.yaml", "finances.wsdl", "")],
    ),
    "a field the contract does not have": (
        [("transformers/payments.yaml", "WAERS", "WAEHRUNG")],
        [("transformers/payments.yaml", "WAEHRUNG", "")],
    ),
    "a reference to an environment variable nobody set": (
        [("gateway.yaml", "    timeout: 5s", "    timeout: ${env:NOT_SET_ANYWHERE}")],
        [("gateway.yaml", "${env:NOT_SET_ANYWHERE}", "set the environment variable NOT_SET_ANYWHERE")],
    ),
}


def run(path: Path, *arguments: str) -> tuple[int, dict[str, list[dict[str, object]]]]:
    result = CliRunner().invoke(app, ["check", "--config", str(path), "--json", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize("case", BROKEN)
def test_every_mistake_is_named_by_file_line_and_remedy(tmp_path: Path, case: str) -> None:
    changes, expected = BROKEN[case]
    path = copy_deployment(tmp_path)
    for file, old, new in changes:
        text = (tmp_path / file).read_text()
        assert old in text, (file, old)
        (tmp_path / file).write_text(text.replace(old, new))
    code, told = run(path)
    assert code == 1
    for file, what, remedy in expected:
        matching = [
            f for f in told["errors"] if f["file"] == file and what in f"{f['what']} {f['remedy']}" and remedy in str(f["remedy"])
        ]
        assert matching, (file, what, remedy, told["errors"])
        assert all(finding["line"] for finding in matching)
    assert all(finding["remedy"] for finding in told["errors"])


def test_the_line_is_the_line_of_the_mistake(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    lines = path.read_text().splitlines()
    number = lines.index("    timeout: 5s") + 1
    path.write_text(path.read_text().replace("    timeout: 5s", "    timeout: soon"))
    _, told = run(path)
    assert [(f["file"], f["line"]) for f in told["errors"]] == [("gateway.yaml", number)]


def test_the_example_is_good_and_strict(tmp_path: Path) -> None:
    code, told = run(copy_deployment(tmp_path), "--strict")
    assert (code, told["errors"], told["warnings"]) == (0, [], [])


def test_a_literal_secret_is_a_warning(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    path.write_text(path.read_text() + "    headers: {Authorization: Bearer abc}\n")
    code, told = run(path)
    assert code == 0
    assert [(f["what"], bool(f["line"])) for f in told["warnings"]] == [
        ("'Authorization' is a secret written into the file", True)
    ]
    assert run(path, "--strict")[0] == 1
