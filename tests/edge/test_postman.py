"""The Postman collection of the example deployment has the format's structure, every operation, its examples and no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from gateway.deployment import read_deployment
from gateway.edge.openapi import document
from gateway.edge.postman import SCHEMA, collection
from gateway.runtime import check_stores
from gateway.snapshot import build
from tests.support import ROOT

TEXT = {"type": "string"}
PAIRS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["key", "value"],
        "properties": {"key": {"type": "string", "minLength": 1}, "value": TEXT, "disabled": {"type": "boolean"}},
    },
}
AUTH = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"enum": ["bearer", "basic", "noauth"]}, "bearer": PAIRS, "basic": PAIRS},
}
URL = {
    "type": "object",
    "required": ["raw", "host", "path"],
    "properties": {
        "raw": TEXT,
        "host": {"type": "array", "items": TEXT},
        "path": {"type": "array", "items": TEXT},
        "query": PAIRS,
        "variable": PAIRS,
    },
    "additionalProperties": False,
}
REQUEST = {
    "type": "object",
    "required": ["method", "url", "header"],
    "properties": {
        "method": {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
        "url": URL,
        "header": PAIRS,
        "auth": AUTH,
        "description": TEXT,
        "body": {"type": "object", "required": ["mode"], "properties": {"mode": {"enum": ["raw", "urlencoded"]}, "raw": TEXT}},
    },
    "additionalProperties": False,
}
COLLECTION = {
    "type": "object",
    "required": ["info", "item"],
    "properties": {
        "info": {"type": "object", "required": ["name", "schema"], "properties": {"schema": {"const": SCHEMA}}},
        "item": {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/folder"}, {"$ref": "#/$defs/item"}]}},
        "auth": AUTH,
        "variable": PAIRS,
    },
    "additionalProperties": False,
    "$defs": {
        "folder": {
            "type": "object",
            "required": ["name", "item"],
            "properties": {"name": TEXT, "item": {"type": "array", "items": {"$ref": "#/$defs/item"}}},
            "additionalProperties": False,
        },
        "item": {
            "type": "object",
            "required": ["request"],
            "properties": {"name": TEXT, "request": REQUEST, "response": {"type": "array"}, "event": {"type": "array"}},
            "additionalProperties": False,
        },
    },
}
"""What schema.getpostman.com/json/collection/v2.1.0 asks of the parts that are used here."""


def made() -> tuple[dict[str, Any], dict[str, Any]]:
    path = ROOT / "gateway.yaml"
    api = document(build(read_deployment(path), check_stores(path)), "v1", "https://api.example.com")
    return api, collection(api)


def requests(item: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in item:
        if "item" in entry:
            yield from requests(entry["item"])
        else:
            yield entry["request"]


def test_the_collection_of_the_example_deployment() -> None:
    api, made_of = made()
    Draft202012Validator(COLLECTION).validate(made_of)
    values = {pair["key"]: pair["value"] for pair in made_of["variable"]}
    assert values == {"baseUrl": "https://api.example.com", "token": "", "clientId": "", "clientSecret": ""}
    operations = [(method, path) for path, item in api["paths"].items() for method in item]
    first, *rest = requests(made_of["item"])
    assert first["url"]["raw"] == "{{baseUrl}}/oauth/token"
    assert [request["method"].lower() for request in rest] == [method for method, _ in operations]
    pay = next(request for request in rest if request["url"]["raw"] == "{{baseUrl}}/api/v1/payments")
    body = api["paths"]["/api/v1/payments"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert json.loads(pay["body"]["raw"]) == body
    assert {"key": "Idempotency-Key", "value": "{{$guid}}"}.items() <= next(
        h for h in pay["header"] if "Idem" in h["key"]
    ).items()
    assert "oa" in pay["description"]


def test_parameters_stand_in_path_and_query() -> None:
    _, made_of = made()
    found = {request["url"]["raw"]: request["url"] for request in requests(made_of["item"])}
    stock = found["{{baseUrl}}/api/v1/stock/:sku"]
    assert stock["variable"][0]["key"] == "sku"
    listed = next(url for raw, url in found.items() if "sales-orders" in raw)
    assert {pair["key"] for pair in listed["query"]} >= {"from", "to"}
    assert "?" in listed["raw"]


def test_a_public_operation_sends_no_token_and_without_an_issuer_none_is_asked_for() -> None:
    operation = {"operationId": "a.b", "tags": ["a"], "summary": "A", "parameters": [], "security": []}
    api = {
        "info": {"title": "T", "version": "v1"},
        "servers": [{"url": "http://x"}],
        "paths": {"/a": {"get": operation}},
        "components": {"securitySchemes": {"token": {"type": "http"}}},
    }
    made_of = collection(api)
    Draft202012Validator(COLLECTION).validate(made_of)
    (request,) = requests(made_of["item"])
    assert request["auth"] == {"type": "noauth"}
    assert [pair["key"] for pair in made_of["variable"]] == ["baseUrl", "token"]
