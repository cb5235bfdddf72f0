"""What a call's page is made of: every operation of the example deployment, and a command line that can be pasted."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from gateway.deployment import read_deployment
from gateway.edge.docs import call, calls, curl
from gateway.edge.openapi import document
from gateway.errors import NotFound
from gateway.runtime import check_stores
from gateway.snapshot import build
from tests.support import ROOT


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    path = ROOT / "gateway.yaml"
    return document(build(read_deployment(path), check_stores(path)), "v1", "https://api.example.com")


def test_every_operation_has_a_page(api: dict[str, Any]) -> None:
    names = [item["operationId"] for entries in calls(api).values() for _, _, item in entries]
    assert len(names) > 10
    for name in names:
        shown = call(api, name)
        assert shown.answers
        assert all(example for _, _, example, _ in shown.problems)
    with pytest.raises(NotFound):
        call(api, "payments.destroy")


def test_the_page_of_a_recorded_write(api: dict[str, Any]) -> None:
    shown = call(api, "payments.create")
    assert shown.roles == ["oa"]
    assert [(place, field.name, field.required) for place, field in shown.parameters][:1] == [("header", "Idempotency-Key", True)]
    assert shown.request is not None
    assert {"amount", "payee", "code"} < {field.name for field in shown.request.fields}
    assert [status for status, _, _ in shown.answers] == ["201", "202"]


def test_the_command_line(api: dict[str, Any]) -> None:
    words = shlex.split(curl(api, call(api, "payments.create")))
    assert words[:4] == ["curl", "-X", "POST", "https://api.example.com/api/v1/payments"]
    assert "Authorization: Bearer $TOKEN" in words
    assert '"amount"' in words[-1]
    assert curl(api, call(api, "stock.get")).startswith("curl -X GET 'https://api.example.com/api/v1/stock/text'")
    assert "?from=2026" in curl(api, call(api, "sales-orders.list"))


def test_a_host_with_quotes_can_be_pasted(api: dict[str, Any]) -> None:
    words = shlex.split(curl({**api, "servers": [{"url": "http://a'$(id)'b"}]}, call(api, "stock.get")))
    assert words[3] == "http://a'$(id)'b/api/v1/stock/text"


def test_a_body_with_quotes_can_be_pasted(api: dict[str, Any]) -> None:
    hostile = "it's $(rm -rf /) `x`"
    item = {
        "operationId": "a.b",
        "tags": ["a"],
        "summary": "A",
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}, "example": hostile}],
        "requestBody": {"content": {"application/json": {"schema": {"type": "string"}, "example": hostile}}},
        "responses": {},
    }
    words = shlex.split(curl(api, call({**api, "paths": {"/a/{id}": {"post": item}}}, "a.b")))
    assert words[-1] == f'"{hostile}"'
    assert "'" not in words[3].removeprefix("https://api.example.com")


def test_declared_faults_are_shown_under_the_status_the_route_gives_them(api: dict[str, Any]) -> None:
    faults = {status: [field.name for field in rows] for status, _, _, rows in call(api, "payments.get").problems}
    assert faults["404"][:3] == ["fault", "detail", "NotFound"]
    assert faults["400"] == []
