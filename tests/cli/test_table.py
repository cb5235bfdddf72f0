"""``table write`` and ``table read``: a deployment's tables as a workbook, edited there, checked, and back in its YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import Result
from openpyxl import load_workbook
from typer.testing import CliRunner

from gateway.cli import app
from gateway.config.source import read_source
from gateway.errors import ConfigError
from tests.support import ROOT, copy_deployment, edit

runner = CliRunner()


def run(*arguments: str | Path) -> Result:
    return runner.invoke(app, ["table", *map(str, arguments)])


def held(path: Path) -> Any:
    return read_source(path, name=path.name).data


def test_a_deployments_tables_through_a_workbook(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    folder = tmp_path / "transformers"
    before = {path.name: held(path) for path in folder.glob("*.yaml")}
    result = run("write", *sorted(folder.glob("*.yaml")), "--to", folder / "all.xlsx")
    assert (result.exit_code, "wrote" in result.stdout) == (0, True)
    book = load_workbook(folder / "all.xlsx")
    sheet = book["payment"]
    at = {cell.value: cell.column for cell in sheet[1]}
    row = next(row[0].row for row in sheet.iter_rows() if row[0].value == "purpose")
    sheet.cell(row, at["rest"], "reference")
    book.save(folder / "all.xlsx")
    assert run("read", folder / "all.xlsx").exit_code == 0
    after = {path.name: held(path) for path in folder.glob("*.yaml")}
    assert "reference" in str(after["payments.yaml"])
    assert after["purchase-orders.yaml"] == before["purchase-orders.yaml"]
    checked = runner.invoke(app, ["check", "--config", str(config)])
    assert checked.exit_code == 0, checked.stderr


def test_a_mistake_is_told_by_its_cell_and_nothing_is_written(tmp_path: Path) -> None:
    copy_deployment(tmp_path)
    path = tmp_path / "transformers/payments.yaml"
    run("write", path)
    book = load_workbook(path.with_suffix(".xlsx"))
    book["payment"]["A2"] = 1007
    book.save(path.with_suffix(".xlsx"))
    before = path.read_bytes()
    result = run("read", path.with_suffix(".xlsx"))
    assert isinstance(result.exception, ConfigError)
    assert "payment!A2" in str(result.exception)
    assert path.read_bytes() == before


def test_no_table_is_lost_and_no_workbook_overwritten_unasked(tmp_path: Path) -> None:
    copy_deployment(tmp_path)
    path = tmp_path / "transformers/payments.yaml"
    run("write", path)
    assert "exists already" in str(run("write", path).exception)
    edit(path, "tables:\n", "tables:\n  extra: {rows: [{rest: a, erp: A}]}\n")
    refused = run("read", path.with_suffix(".xlsx"))
    assert "holds the table 'extra'" in str(refused.exception)
    assert run("read", path.with_suffix(".xlsx"), "--force").exit_code == 0
    assert "extra" not in held(path)["tables"]
    assert "cannot be read" in str(run("read", tmp_path / "none.xlsx").exception)


def test_an_import_writes_a_workbook_that_reads_back_to_its_tables(tmp_path: Path) -> None:
    copy_deployment(tmp_path)
    wsdl = ROOT / "gateway/demo/erp/contracts/procurement.wsdl"
    result = runner.invoke(app, ["wsdl", "import", str(wsdl), "--into", str(tmp_path), "--xlsx"])
    assert result.exit_code == 0, result.stderr
    (workbook,) = (tmp_path / "transformers").glob("*.xlsx")
    written = held(workbook.with_suffix(".yaml"))
    assert run("read", workbook).exit_code == 0
    assert held(workbook.with_suffix(".yaml")) == written
