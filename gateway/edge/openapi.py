"""OpenAPI 3.1 of one API version, from the routes as they are compiled: what is documented is what is served."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.approvals.messages import msgid
from gateway.edge.examples import NoExample, example
from gateway.edge.following import DOCUMENT_EXAMPLE, DOCUMENT_PROBLEMS, DOCUMENT_SCHEMA, HEADERS, following, key_parameters
from gateway.edge.problems import PROBLEM_SCHEMA, PROBLEMS, refusal, response
from gateway.exchange import Principal
from gateway.offering import PATH
from gateway.policy.roles import opening
from gateway.routing import Route
from gateway.scope import EVERYTHING, Fields
from gateway.scope.fields import shown_schema
from gateway.snapshot import Snapshot
from gateway.stages.record import Record

Json = dict[str, Any]

DONE = msgid("Done.")
QUEUED = msgid("Kept as a document. It is sent later.")
WAITS = msgid("Kept as a document. It waits for people, or nobody knows yet whether it was booked.")


@dataclass(frozen=True, slots=True)
class Described:
    """One route as the document has it. Immutable. ``schemas`` are the components it refers to, by their names."""

    route: Route
    item: Json
    schemas: Mapping[str, Json]


def describe(snapshot: Snapshot, version: str) -> tuple[Described, ...]:
    """The operations of a version. Large contracts take a while, so this is done once for all callers."""
    return tuple(_described(route) for route in snapshot.routes if route.version == version)


def document(
    snapshot: Snapshot, version: str, base_url: str, described: Sequence[Described] | None = None, viewer: Principal | None = None
) -> Json:
    """The OpenAPI document of ``version``.

    :param base_url: the public address without a final slash.
    :param viewer: whoever reads it sees only what the policy lets them call, with the roles of their tenant; ``None`` sees all.
    """
    shown = [entry for entry in (described or describe(snapshot, version)) if visible(snapshot, entry.route, viewer)]
    schemas: Json = {"Problem": PROBLEM_SCHEMA}
    paths: dict[str, Json] = {}
    for whole in shown:
        entry = seen(snapshot, whole, viewer)
        schemas |= entry.schemas
        item = entry.item | required_roles(snapshot, entry.route, viewer)
        paths.setdefault(entry.route.template, {})[entry.route.method.lower()] = item
    problems = PROBLEMS
    if any(recorded(route) for route in snapshot.routes if visible(snapshot, route, viewer)):
        schemas["Document"] = DOCUMENT_SCHEMA
        paths["/api/documents/{id}"] = following()
        problems = {**PROBLEMS, **DOCUMENT_PROBLEMS}
    return {
        "openapi": "3.1.0",
        "info": {"title": "ERP gateway", "version": version, "description": "Errors are RFC 9457 problems."},
        "servers": [{"url": base_url}],
        "security": [{"token": []}, {"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {status: response(status, text) for status, text in problems.items()},
            "securitySchemes": {
                "token": _token(snapshot),
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def visible(snapshot: Snapshot, route: Route, viewer: Principal | None) -> bool:
    """Whether a route is in the document of ``viewer``."""
    return viewer is None or route.public or snapshot.policy.decide(viewer, route.operation, route.version).allowed


def seen(snapshot: Snapshot, entry: Described, viewer: Principal | None) -> Described:
    """A route without the fields that policy hides from ``viewer``."""
    if viewer is None or entry.route.public:
        return entry
    scope = snapshot.policy.decide(viewer, entry.route.operation, entry.route.version).scope
    return entry if scope is None else _described(entry.route, scope.fields)


def required_roles(snapshot: Snapshot, route: Route, viewer: Principal | None) -> Json:
    """``x-required-roles``: whoever holds one of them may call."""
    if route.public:
        return {}
    tenant = None if viewer is None else viewer.tenant
    return {"x-required-roles": list(opening(snapshot.policy, route.operation, route.version, tenant))}


def _token(snapshot: Snapshot) -> Json:
    if snapshot.issuer is None:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    return {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {}}}}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _described(route: Route, fields: Fields | None = None) -> Described:
    schemas: Json = {}
    return Described(route, _operation(route, schemas, fields or EVERYTHING.fields), schemas)


def _operation(route: Route, schemas: Json, fields: Fields) -> Json:
    name = route.operation
    request = shown_schema(route.call.request_schema(), fields.seen if route.method == "GET" else fields.settable)
    answer = shown_schema(route.call.answer_schema(), fields.seen)
    path_names = re.findall(r"\{(\w+)\}", route.template)
    operation: Json = {
        "operationId": route.operation,
        "tags": [route.operation.partition(".")[0]],
        "summary": route.summary or route.operation.replace(".", ": "),
        "parameters": _parameters(route, request, path_names, schemas),
        "responses": {
            str(route.status): _success(route, answer, schemas, f"{name}.answer"),
            **{status: {"$ref": f"#/components/responses/{status}"} for status in PROBLEMS},
        },
    }
    if not fields.masks:
        operation["responses"] |= _refusals(route, schemas)
    record = recorded(route)
    if record is not None:
        _describe_recorded(operation, record)
    if route.public:
        operation["security"] = []
    if route.soap:
        said = f"Also offered as the SOAP operation {route.operation.partition('.')[2]}."
        operation["externalDocs"] = {"url": f"{PATH}/{route.soap}?wsdl", "description": said}
    if route.method not in ("GET", "DELETE"):
        body = _hoist(_without(request, path_names), f"{name}.request", schemas) if request else {}
        operation["requestBody"] = {"required": True, "content": {"application/json": _content(body, schemas)}}
    return operation


def _content(schema: Json, schemas: Json) -> Json:
    """A media type's entry, with an example where there is one."""
    return {"schema": schema, **_example(schema, schemas)}


def _example(schema: Json, schemas: Json) -> Json:
    if not schema:
        return {}
    try:
        return {"example": example(schema, schemas)}
    except NoExample:
        return {}


def _refusals(route: Route, schemas: Json) -> Json:
    """The responses in which a declared fault of the contract is told: a problem whose ``fault.detail`` is typed."""
    found: dict[int, Json] = {}
    for number, (name, (status, schema)) in enumerate(route.call.refusals().items()):
        component = f"{route.operation}.fault.{_component(name)}{f'.{number}' if _component(name) != name else ''}"
        found.setdefault(status, {})[name] = _hoist(schema, component, schemas)
    return {str(status): refusal(status, details, _details(details, schemas)) for status, details in found.items()}


def _details(faults: Json, schemas: Json) -> Json:
    """An example of the first fault that has one."""
    for name, schema in faults.items():
        if made := _example(schema, schemas):
            return {name: made["example"]}
    return {}


def recorded(route: Route) -> Record | None:
    """How the route's writes become documents, if they do."""
    return next((stage for stage in route.stages if isinstance(stage, Record)), None)


def _describe_recorded(operation: Json, record: Record) -> None:
    """A recorded write may be answered with its document, and its answer may be one of before."""
    operation["parameters"] += key_parameters(record)
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            answer["headers"] |= {name: HEADERS[name] for name in ("Document-Id", "Idempotent-Replayed")}
    operation["responses"]["202"] = {
        "description": QUEUED if record.writing.delivery == "queued" else WAITS,
        "headers": {name: HEADERS[name] for name in ("Location", "Retry-After", "Document-Id", "Idempotent-Replayed")},
        "content": {"application/json": {"schema": _ref("Document"), "example": DOCUMENT_EXAMPLE}},
    }


def _parameters(route: Route, request: Json | None, path_names: list[str], schemas: Json) -> list[Json]:
    """Those in the path, and for a method without a body those in the query."""
    described = _hoisted_parameters(request, route.operation, schemas)
    found = [_parameter(name, "path", True, _property(described, name), schemas) for name in path_names]
    if route.method in ("GET", "DELETE"):
        required = (described or {}).get("required", ())
        others = {name: inner for name, inner in _properties(described).items() if name not in path_names}
        found += [_parameter(name, "query", name in required, inner, schemas) for name, inner in others.items()]
    return found


def _without(schema: Json, names: list[str]) -> Json:
    """An object's schema without the fields that the path gives."""
    if not names:
        return schema
    kept = {name: inner for name, inner in _properties(schema).items() if name not in names}
    return {**schema, "properties": kept, "required": [name for name in schema.get("required", ()) if name not in names]}


def _success(route: Route, answer: Json | None, schemas: Json, name: str) -> Json:
    schema = _hoist(answer, name, schemas) if answer else {}
    header = {"schema": {"type": "string"}}
    return {
        "description": DONE,
        "headers": {"X-Request-Id": header, "RateLimit": header, "RateLimit-Policy": header},
        "content": {"application/json": _content(schema, schemas)},
    }


def _parameter(name: str, place: str, required: bool, schema: Json, schemas: Json) -> Json:
    plain = {key: value for key, value in schema.items() if key != "description"} or {"type": "string"}
    parameter: Json = {"name": name, "in": place, "required": required, "schema": plain, **_example(plain, schemas)}
    if "description" in schema:
        parameter["description"] = schema["description"]
    return parameter


def _properties(schema: Json | None) -> dict[str, Json]:
    return dict((schema or {}).get("properties", {}))


def _property(schema: Json | None, name: str) -> Json:
    return _properties(schema).get(name, {})


def _hoist(schema: Mapping[str, Any], name: str, schemas: Json) -> Json:
    """Put a schema under ``components``, its ``$defs`` beside it, and references where they now point."""
    schemas[name] = _without_definitions(schema, name, schemas)
    return _ref(name)


def _hoisted_parameters(schema: Json | None, name: str, schemas: Json) -> Json | None:
    """The schema of parameters, which is taken apart and so stays where it is, with its ``$defs`` under ``components``."""
    return _without_definitions(schema, f"{name}.parameters", schemas) if schema else schema


def _without_definitions(schema: Mapping[str, Any], name: str, schemas: Json) -> Json:
    rest = {key: value for key, value in schema.items() if key not in ("$schema", "$defs")}
    definitions = schema.get("$defs", {})
    names = {"#": name}
    for number, key in enumerate(definitions):
        plain = _component(key)
        unique = plain if plain == key else f"{plain}.{number}"
        names[f"#/$defs/{key}"] = f"{name}.{unique}"
    for key, definition in definitions.items():
        schemas[names[f"#/$defs/{key}"]] = _moved(definition, names)
    moved: Json = _moved(rest, names)
    return moved


def _component(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", key)


def _moved(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: _pointer(inner, names) if key in ("$ref", "mapping") else _moved(inner, names) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_moved(item, names) for item in value]
    return value


def _pointer(value: Any, names: Mapping[str, str]) -> Any:
    """A reference, or those of a discriminator, where it now points; a property of such a name is a schema like others."""
    if isinstance(value, dict):
        return {key: _pointer(inner, names) if isinstance(inner, str) else _moved(inner, names) for key, inner in value.items()}
    if not isinstance(value, str):
        return _moved(value, names)
    return f"#/components/schemas/{names[value]}" if value in names else value
