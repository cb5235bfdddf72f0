"""What is documented is what is served, and other people's validators agree that it is OpenAPI 3.1."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from gateway.documents.records import Terms
from gateway.edge.openapi import document
from gateway.routing import Route
from gateway.sending import Writing
from gateway.stages.record import Record


def schemas(request: Any, answer: Any = None) -> Any:
    return SimpleNamespace(request_schema=lambda: request, answer_schema=lambda: answer)


def route(operation: str, method: str, path: str, call: Any, **more: Any) -> Route:
    handler: Any = None
    version = more.pop("version", "v1")
    return Route(operation, version, method, f"/api/{version}{path}", handler, call, more.pop("status", 200), **more)


LINE = {"type": "object", "properties": {"sku": {"type": "string"}, "next": {"$ref": "#/$defs/{urn:x}Line"}}}
ORDER = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["lines"],
    "properties": {
        "lines": {"type": "array", "items": {"$ref": "#/$defs/{urn:x}Line"}},
        "self": {"$ref": "#"},
        "$ref": {"type": "string"},
    },
    "$defs": {"{urn:x}Line": LINE, "_urn_x_Line": {"type": "integer"}},
}
QUERY = {
    "type": "object",
    "required": ["from", "number"],
    "properties": {
        "number": {"type": "string", "description": "Which one."},
        "from": {"type": "string", "format": "date"},
        "kind": {"$ref": "#/$defs/Kind"},
    },
    "$defs": {"Kind": {"enum": ["a", "b"]}},
}


def made(*routes: Route, version: str = "v1", issuer: Any = True) -> dict[str, Any]:
    snapshot: Any = SimpleNamespace(routes=routes, issuer=issuer)
    api = document(snapshot, version, "https://api.example.com")
    validate(api, cls=OpenAPIV31SpecValidator)
    return api


def test_a_document_of_everything() -> None:
    api = made(
        route("orders.create", "POST", "/orders", schemas(ORDER, ORDER), status=201, summary="Order goods"),
        route("orders.get", "GET", "/orders/{number}", schemas(QUERY, ORDER)),
        route("stock.put", "PUT", "/stock/{sku}", schemas(None), public=True),
        route("orders.create", "POST", "/orders", schemas(ORDER), version="v2"),
    )
    assert set(api["paths"]) == {"/api/v1/orders", "/api/v1/orders/{number}", "/api/v1/stock/{sku}"}
    create = api["paths"]["/api/v1/orders"]["post"]
    assert (create["operationId"], create["summary"], create["tags"]) == ("orders.create", "Order goods", ["orders"])
    assert create["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/orders.create.request"
    }
    assert create["responses"]["201"]["content"]["application/json"]["schema"]["$ref"].endswith("orders.create.answer")
    assert api["paths"]["/api/v1/stock/{sku}"]["put"]["security"] == []
    assert api["servers"] == [{"url": "https://api.example.com"}]


def test_definitions_are_hoisted_and_references_follow() -> None:
    api = made(route("orders.create", "POST", "/orders", schemas(ORDER)))
    found = api["components"]["schemas"]
    assert "$defs" not in str(found)
    assert "$schema" not in str(found)
    order = found["orders.create.request"]
    line = order["properties"]["lines"]["items"]["$ref"].removeprefix("#/components/schemas/")
    assert found[line]["properties"]["sku"] == {"type": "string"}
    assert found[line]["properties"]["next"]["$ref"] == f"#/components/schemas/{line}"
    assert order["properties"]["self"]["$ref"] == "#/components/schemas/orders.create.request"
    assert order["properties"]["$ref"] == {"type": "string"}
    assert {"type": "integer"} in found.values()


def test_parameters() -> None:
    api = made(route("orders.get", "GET", "/orders/{number}", schemas(QUERY)))
    number, start, kind = api["paths"]["/api/v1/orders/{number}"]["get"]["parameters"]
    assert number == {"name": "number", "in": "path", "required": True, "schema": {"type": "string"}, "description": "Which one."}
    assert (start["in"], start["required"], start["schema"]) == ("query", True, {"type": "string", "format": "date"})
    assert kind["required"] is False
    name = kind["schema"]["$ref"].removeprefix("#/components/schemas/")
    assert api["components"]["schemas"][name] == {"enum": ["a", "b"]}


def test_operations_with_similar_names_keep_their_own_schemas() -> None:
    api = made(
        route("a-b.c", "POST", "/1", schemas({"type": "object", "title": "one"})),
        route("a.b-c", "POST", "/2", schemas({"type": "object", "title": "two"})),
    )
    titles = {schema.get("title") for schema in api["components"]["schemas"].values()}
    assert {"one", "two"} <= titles


def test_without_a_token_endpoint_none_is_promised() -> None:
    api = made(route("a.b", "GET", "/a", schemas(None)), issuer=None)
    assert api["components"]["securitySchemes"]["token"]["type"] == "http"
    assert made(issuer=None)["paths"] == {}


def recorded(operation: str, status: int = 201, *, idempotency: Any = "optional", **writing: Any) -> Route:
    nothing: Any = None
    facts: Any = {
        "operation": operation,
        "version": "v1",
        "delivery": "inline",
        "target": "",
        "prepare": nothing,
        "call": nothing,
    }
    stage = Record(Writing(**facts | {"terms": Terms()} | writing), nothing, nothing, nothing, idempotency=idempotency)
    return route(operation, "POST", f"/{operation}", schemas(ORDER, ORDER), status=status, stages=(stage,))


def headers(api: dict[str, Any], operation: str) -> dict[str, bool]:
    found = api["paths"][f"/api/v1/{operation}"]["post"]["parameters"]
    return {parameter["name"]: parameter["required"] for parameter in found if parameter["in"] == "header"}


def test_a_recorded_write_has_a_key_and_may_be_a_document() -> None:
    rule: Any = object()
    api = made(
        recorded("a.optional"),
        recorded("b.required", idempotency="required", rule=rule),
        recorded("c.natural", key=("number",)),
        recorded("d.queued", 202, delivery="queued"),
        route("e.direct", "POST", "/e.direct", schemas(ORDER)),
    )
    assert headers(api, "a.optional") == {"Idempotency-Key": False}
    assert headers(api, "b.required") == {"Idempotency-Key": True, "Supersedes": False}
    assert headers(api, "c.natural") == headers(api, "e.direct") == {}
    for operation in ("a.optional", "b.required", "c.natural", "d.queued"):
        responses = api["paths"][f"/api/v1/{operation}"]["post"]["responses"]
        assert responses["202"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Document"}
        assert set(responses["202"]["headers"]) == {"Location", "Retry-After", "Document-Id", "Idempotent-Replayed"}
        assert "409" in responses
    assert "Document-Id" in api["paths"]["/api/v1/a.optional"]["post"]["responses"]["201"]["headers"]
    assert "202" not in api["paths"]["/api/v1/e.direct"]["post"]["responses"]


def test_documents_are_followed_where_any_are_recorded() -> None:
    api = made(recorded("a.create"), route("b.get", "GET", "/b", schemas(None), version="v2"), version="v2")
    follow = api["paths"]["/api/documents/{id}"]
    assert {method: entry["operationId"] for method, entry in follow.items()} == {
        "get": "documents.get",
        "put": "documents.revise",
        "delete": "documents.recall",
    }
    names = {method: [parameter["name"] for parameter in entry["parameters"]] for method, entry in follow.items()}
    assert names == {"get": ["id", "Prefer", "If-None-Match"], "put": ["id", "If-Match"], "delete": ["id", "If-Match"]}
    assert {"412", "409"} < set(follow["delete"]["responses"])
    assert "412" in api["components"]["responses"]
    assert "Document" not in made(route("b.get", "GET", "/b", schemas(None)))["components"]["schemas"]
