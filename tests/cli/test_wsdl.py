"""The ``wsdl`` commands: what they print and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from tests.protocols.soap.wsdls import root, schema, wsdl
from tests.support import ROOT, copy_deployment

FINANCE = ROOT / "gateway/demo/erp/contracts/finance.wsdl"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["wsdl", *map(str, words)], env={"COLUMNS": "200"})


def saved(folder: Path, content: str) -> Path:
    path = folder / "service.wsdl"
    path.write_text(wsdl(schema(root(f"<xs:sequence>{content}</xs:sequence>"))), "utf-8")
    return path


def test_inspect_a_contract_all_of_which_is_offered() -> None:
    result = run("inspect", FINANCE)
    assert result.exit_code == 0
    assert "CreatePayment" in result.output
    assert "faults Refused" in result.output


def test_inspect_as_json() -> None:
    found = json.loads(run("inspect", FINANCE, "--json").output)
    assert found["ok"] is True
    assert {line["operation"] for line in found["lines"]} == {"CreatePayment", "GetPayment", "GetFinanceReport"}
    assert found["others"] == found["unread"] == []


def test_inspect_tells_what_is_not_offered(tmp_path: Path) -> None:
    result = run("inspect", saved(tmp_path, '<xs:element name="a" type="t:Gone"/>'))
    assert result.exit_code == 1
    assert "not offered: type {urn:t}Gone" in " ".join(result.output.split())


@pytest.mark.parametrize("text", ["", "<x/>", '<description xmlns="http://www.w3.org/ns/wsdl"/>'])
def test_what_is_no_wsdl(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.wsdl").write_text(text, "utf-8")
    assert run("inspect", tmp_path / "x.wsdl").exit_code == 2
    assert run("inspect", tmp_path / "gone.wsdl").exit_code == 2


def test_a_terminal_gets_no_control_characters(tmp_path: Path) -> None:
    path = saved(tmp_path, "")
    path.write_text(path.read_text("utf-8").replace('name="Port"', 'name="[red]\u202eP\u009b31m"'), "utf-8")
    result = run("inspect", path)
    assert "[red]" in result.output
    assert not {"\u202e", "\u009b"} & set(result.output)


def test_import_and_import_again(tmp_path: Path) -> None:
    copy_deployment(tmp_path)
    result = run("import", FINANCE, "--into", tmp_path)
    assert result.exit_code == 0
    assert "wrote routes/finance-service.yaml" in result.output
    again = run("import", FINANCE, "--into", tmp_path)
    assert "exists already; give --force" in str(again.exception)
    assert run("import", FINANCE, "--into", tmp_path, "--force").exit_code == 0


def test_import_prints_what_has_to_be_added_by_hand(tmp_path: Path) -> None:
    result = run("import", FINANCE, "--into", tmp_path)
    assert "Add to gateway.yaml by hand:" in result.output
    assert '    wsdl: "contracts/finance-service/finance.wsdl"' in result.output


def test_diff_of_one_version_with_itself(tmp_path: Path) -> None:
    result = run("diff", FINANCE, FINANCE, "--config", copy_deployment(tmp_path), "--json")
    assert result.exit_code == 0
    assert json.loads(result.output)["fields"] == []


def test_diff_names_the_rows_that_break(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    old = tmp_path / "gateway/demo/erp/contracts"
    new = tmp_path / "new"
    new.mkdir()
    for path in old.iterdir():
        (new / path.name).write_text(path.read_text("utf-8").replace('name="NAME1"', 'name="NAME2"'), "utf-8")
    result = run("diff", old / "finance.wsdl", new / "finance.wsdl", "--config", config)
    assert result.exit_code == 1
    assert "CreatePayment request: Payment.NAME1 removed" in result.output
    assert "transformers/payments.yaml:14: payments.create breaks: request: Payment.NAME1 removed" in result.output
    shown = json.loads(run("diff", old / "finance.wsdl", new / "finance.wsdl", "--config", config, "--json").output)
    assert (shown["ok"], shown["upstreams"]) == (False, ["finance"])


def test_diff_without_a_deployment(tmp_path: Path) -> None:
    old = saved(tmp_path, '<xs:element name="a" type="xs:string"/>')
    new = tmp_path / "new.wsdl"
    new.write_text(old.read_text("utf-8").replace("xs:string", "xs:int"), "utf-8")
    result = run("diff", old, new, "--config", tmp_path / "gateway.yaml")
    assert result.exit_code == 0
    assert "no upstream of the deployment uses this contract" in result.output
