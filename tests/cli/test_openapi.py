"""``openapi`` prints valid OpenAPI 3.1 with examples that fit: of everything, or of what one satellite may call."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import Result
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from typer.testing import CliRunner

from gateway.cli import app
from tests.edge.test_openapi import bad_examples
from tests.support import ROOT

runner = CliRunner()


def run(*arguments: str) -> Result:
    return runner.invoke(app, ["openapi", "-c", str(ROOT / "gateway.yaml"), *arguments])


def printed(*arguments: str) -> dict[str, Any]:
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def operations(api: dict[str, Any]) -> set[str]:
    return {operation["operationId"] for item in api["paths"].values() for operation in item.values()}


def test_everything_is_valid_and_every_example_fits() -> None:
    api = printed()
    validate(api, cls=OpenAPIV31SpecValidator)
    assert bad_examples(api) == []
    assert {"payments.create", "stock.get", "reports.finance", "documents.get"} < operations(api)
    assert api["servers"] == [{"url": "http://127.0.0.1:8080"}]
    assert api["paths"]["/api/v1/reports/finance"]["get"]["x-required-roles"] == ["cfo"]


def test_a_satellite_sees_what_it_may_call() -> None:
    api = printed("--as", "wms", "--version", "v1")
    validate(api, cls=OpenAPIV31SpecValidator)
    follow = {"documents.get", "documents.revise", "documents.recall"}
    assert operations(api) == {"purchase-orders.get", "stock.get", "stock-movements.create"} | follow
    assert not any(name.startswith("payments") for name in api["components"]["schemas"])
    assert operations(printed("--as", "crm")) == {"sales-orders.list"}


def test_a_postman_collection() -> None:
    names = [entry["name"] for entry in printed("--as", "crm", "--postman")["item"]]
    assert names == ["Get a token", "sales-orders"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--as", "zzz"), ("zzz", "Known: crm, mes, oa")),
        (("--as", "crn"), ("Did you mean 'crm'?",)),
        (("--version", "w9"), ("w9", "Known: v1")),
    ],
)
def test_what_is_not_there_is_named(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert all(word in result.stderr for word in words)
