"""What is documented is what is served, and other people's validators agree that it is OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from gateway.documents.records import Terms
from gateway.edge.openapi import document
from gateway.exchange import Principal
from gateway.policy import compile_policy, read_policy
from gateway.routing import Route
from gateway.sending import Writing
from gateway.stages.record import Record


def schemas(request: Any, answer: Any = None, refusals: Any = None) -> Any:
    return SimpleNamespace(request_schema=lambda: request, answer_schema=lambda: answer, refusals=lambda: refusals or {})


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


ROWS = """
g2, orders.get, reading
p, reader, x, reading, allow
p, writer, x, orders.create, allow
p, writer, y, orders.create@v1, allow
p, auditor, *, orders.create, allow
p, auditor, x, orders.create, deny
g, oa, writer, x
# end
"""


def made(*routes: Route, version: str = "v1", issuer: Any = True, viewer: Principal | None = None) -> dict[str, Any]:
    policy = compile_policy(read_policy("policy.csv", ROWS.encode()))
    snapshot: Any = SimpleNamespace(routes=routes, issuer=issuer, policy=policy)
    api = document(snapshot, version, "https://api.example.com", viewer=viewer)
    validate(api, cls=OpenAPIV31SpecValidator)
    assert bad_examples(api) == []
    return api


def bad_examples(api: dict[str, Any]) -> list[str]:
    """Examples of a document that do not fit the schema they stand beside; at least one is there in any document."""
    found = list(_examples(api))
    assert found
    components = {"components": api["components"]}
    return [
        error.message for schema, value in found for error in Draft202012Validator({**schema, **components}).iter_errors(value)
    ]


def _examples(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        if "example" in value and "schema" in value:
            yield value["schema"], value["example"]
        for inner in value.values():
            yield from _examples(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _examples(inner)


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
    assert number == {
        "name": "number",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "example": "text",
        "description": "Which one.",
    }
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


ORDERS = (
    route("orders.create", "POST", "/orders", schemas(ORDER, ORDER)),
    route("orders.get", "GET", "/orders/{number}", schemas(QUERY, ORDER)),
    route("stock.get", "GET", "/stock", schemas(None, {"enum": [1]}), public=True),
)


def operations(api: dict[str, Any]) -> dict[str, Any]:
    return {item["operationId"]: item.get("x-required-roles") for path in api["paths"].values() for item in path.values()}


def test_roles_that_may_call_are_named() -> None:
    assert operations(made(*ORDERS)) == {"orders.create": ["writer", "auditor"], "orders.get": ["reader"], "stock.get": None}


def test_whoever_looks_sees_what_they_may_call_with_the_roles_of_their_tenant() -> None:
    assert operations(made(*ORDERS, viewer=Principal("oa", "x"))) == {"orders.create": ["writer"], "stock.get": None}
    assert operations(made(*ORDERS, viewer=Principal("oa", "y"))) == {"stock.get": None}
    by_token = made(*ORDERS, viewer=Principal("somebody", "x", ("reader",)))
    assert operations(by_token) == {"orders.get": ["reader"], "stock.get": None}
    assert "orders.create.request" not in by_token["components"]["schemas"]


def test_documents_are_followed_by_whoever_may_make_some() -> None:
    routes = (recorded("orders.create"), *ORDERS[1:])
    assert "documents.get" in operations(made(*routes, viewer=Principal("oa", "x")))
    assert "documents.get" not in operations(made(*routes, viewer=Principal("reader", "x")))


def test_where_no_example_is_found_none_is_shown() -> None:
    api = made(route("a.b", "POST", "/a", schemas({"type": "string", "pattern": "(?=[A-Z])Q"})))
    assert "example" not in api["paths"]["/api/v1/a"]["post"]["requestBody"]["content"]["application/json"]


def test_the_mapping_of_a_discriminator_is_hoisted_too() -> None:
    variants = {
        "oneOf": [{"$ref": "#/$defs/Car"}],
        "discriminator": {"propertyName": "$type", "mapping": {"{u}Car": "#/$defs/Car"}},
    }
    named = {"type": "object", "required": ["$type"], "properties": {"$type": {"const": "{u}Car"}, "mapping": {"type": "string"}}}
    api = made(route("a.b", "POST", "/a", schemas({**variants, "$defs": {"Car": named}})))
    found = api["components"]["schemas"]
    assert found["a.b.request"]["discriminator"]["mapping"] == {"{u}Car": "#/components/schemas/a.b.request.Car"}
    assert found["a.b.request.Car"] == named


def test_a_declared_fault_is_typed_under_its_status() -> None:
    node = {"$ref": "#/$defs/Node"}
    missing = {"type": "object", "required": ["number"], "properties": {"number": {"type": "string"}, "more": node}}
    faults = {"Missing": (404, {**missing, "$defs": {"Node": {"type": "object"}}}), "Bad é": (422, {"type": "string"})}
    api = made(route("a.b", "POST", "/a", schemas(ORDER, None, faults)))
    responses = api["paths"]["/api/v1/a"]["post"]["responses"]
    told = responses["404"]["content"]["application/problem+json"]
    assert (told["example"]["status"], told["example"]["origin"]) == (404, "upstream")
    assert told["example"]["fault"]["detail"] == {"Missing": {"number": "text", "more": {}}}
    assert responses["422"]["content"]["application/problem+json"]["example"]["fault"]["detail"] == {"Bad é": "text"}
    assert responses["400"] == {"$ref": "#/components/responses/400"}
    assert "number" in api["components"]["schemas"]["a.b.fault.Missing"]["properties"]
