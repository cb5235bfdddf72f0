"""The ``soap`` commands: what they write, and that it is only ever added to."""

from __future__ import annotations

from pathlib import Path

from lxml import etree
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.cli.soap import _plain
from tests.support import ROOT, copy_deployment, edit

ORDER = "routes/payments.soap.yaml"


def run(path: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["soap", *words, "--config", str(path)], env={"COLUMNS": "200"})


def test_the_example_is_frozen(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    result = run(path, "freeze")
    assert (result.exit_code, result.output.count("is up to date")) == (0, 4)
    assert (tmp_path / ORDER).read_bytes() == (ROOT / ORDER).read_bytes()


def test_freezing_adds_and_never_moves(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    edit(tmp_path / "transformers/payments.yaml", "rest: purpose,  ", "rest: remark,  ")
    result = run(path, "freeze", "payments")
    assert (result.exit_code, "wrote" in result.output) == (0, True)
    assert "dueDate, purpose, remark]" in (tmp_path / ORDER).read_text("utf-8")
    (tmp_path / ORDER).unlink()
    assert run(path, "freeze").exit_code == 0
    assert "dueDate, remark]" in (tmp_path / ORDER).read_text("utf-8")
    assert (tmp_path / ORDER).read_text("utf-8").startswith("# yaml-language-server: $schema=../docs/schema/soap.json\n")


def test_the_wsdl_to_hand_over(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    root = etree.fromstring(run(path, "wsdl", "payments", "--url", "https://erp.example.com/").stdout_bytes)
    addresses = {node.get("location") for node in root.iterfind(".//{*}address")}
    assert addresses == {"https://erp.example.com/soap/payments"}
    assert b"http://127.0.0.1:8080/soap/payments" in run(path, "wsdl", "payments").stdout_bytes


def test_a_service_that_is_not_there(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    for words in (("wsdl", "stock"), ("freeze", "stock")):
        result = run(path, *words)
        assert result.exit_code == 1
        assert "Known: payments, purchase-orders" in result.stderr


def test_names_that_yaml_would_read_as_something_else() -> None:
    assert [_plain(name) for name in ("null", "No", "number", "订单")] == ['"null"', '"No"', "number", "订单"]
