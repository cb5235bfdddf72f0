"""Routes as a service: whatever JSON a REST caller could post arrives as that JSON, and every answer comes back as it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.protocols.facade import Offer, OfferedOperation, Service, open_envelope, service
from gateway.protocols.facade.shapes import Fields, shapes_of
from gateway.protocols.facade.values import given as given_value
from gateway.protocols.soap import Codec, compile_operation, read_contract
from gateway.protocols.soap.model import XSD

Json = dict[str, Any]
Case = tuple[Json, st.SearchStrategy[Any]]
"""A schema and the values it allows."""

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\ufffe\uffff", min_codepoint=32), max_size=12) | st.sampled_from(
    ["", " ", "a\rb", "a\nb\tc", "]]>", "<&>\"'", "0", "007"]
)
KEYS = st.sampled_from(["number", "a b", "@id", "$value", "_x0041_", "订单号", "a.b", "a/b~c", "", "1st", "item", "entry", "é"])
EXAMPLES = 40
OFFER = {"path": (), "answer": None, "body": True, "recorded": False}


def leaf(schema: Json, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Case]:
    return st.just((schema, values))


DECIMALS = (
    st.decimals(allow_nan=False, allow_infinity=False, places=3)
    .map(lambda d: f"{d:f}")
    .map(lambda t: t.replace("-0.000", "0.000"))
)
LEAVES = st.one_of(
    leaf({"type": "string"}, TEXT),
    leaf({"type": "string", "maxLength": 4}, st.text("ab ", max_size=4)),
    leaf({"type": "string", "enum": ["A", "B b"]}, st.sampled_from(["A", "B b"])),
    leaf({"const": "fixed"}, st.just("fixed")),
    leaf({"type": "string", "format": "decimal", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}, DECIMALS),
    leaf({"type": "integer", "minimum": -5, "maximum": 99999}, st.integers(-5, 99999)),
    leaf({"type": "integer"}, st.integers(-(2**63), 2**63)),
    leaf({"type": "boolean"}, st.booleans()),
    leaf({"type": "string", "format": "date"}, st.dates().map(str)),
    leaf({"type": "string", "contentEncoding": "base64"}, st.sampled_from(["", "AAEC", "/+8="])),
    leaf(
        {"anyOf": [{"type": "number"}, {"type": "string"}], "format": "double"}, st.floats(allow_nan=False, allow_infinity=False)
    ),
    leaf({"type": ["integer", "string"], "format": "long"}, st.integers(0, 10**18).map(str)),
)


def nullable(case: Case) -> Case:
    schema, values = case
    return {"anyOf": [schema, {"type": "null"}]}, values | st.none()


def listed(case: Case) -> Case:
    schema, values = case
    return {"type": "array", "items": schema}, st.lists(values, min_size=1, max_size=3)


def mapped(case: Case) -> Case:
    schema, values = case
    return {"type": "object", "additionalProperties": schema}, st.dictionaries(TEXT, values, max_size=3)


def object_of(members: dict[str, tuple[Case, bool]]) -> Case:
    schema = {
        "type": "object",
        "properties": {key: case[0] for key, (case, _) in members.items()},
        "required": [key for key, (_, required) in members.items() if required],
        "additionalProperties": False,
    }
    required = {key: case[1] for key, (case, needed) in members.items() if needed}
    optional = {key: case[1] for key, (case, needed) in members.items() if not needed}
    return schema, st.fixed_dictionaries(required, optional=optional)


def chosen(cases: list[Case]) -> Case:
    options = [object_of({f"k{number}": (case, True)}) for number, case in enumerate(cases)]
    return {"oneOf": [schema for schema, _ in options]}, st.one_of(*(values for _, values in options))


def told_apart(cases: list[Case]) -> Case:
    tags = [({"const": f"t{number}"}, st.just(f"t{number}")) for number in range(len(cases))]
    options = [object_of({"$type": (tag, True), "inner": (case, False)}) for tag, case in zip(tags, cases, strict=True)]
    return {"oneOf": [schema for schema, _ in options]}, st.one_of(*(values for _, values in options))


def objects(inner: st.SearchStrategy[Case]) -> st.SearchStrategy[Case]:
    return st.dictionaries(KEYS, st.tuples(inner, st.booleans()), min_size=1, max_size=4).map(object_of)


CASES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        objects(inner),
        inner.map(nullable),
        inner.map(listed),
        inner.map(mapped),
        st.lists(inner, min_size=2, max_size=3).map(chosen),
        st.lists(inner, min_size=2, max_size=3).map(told_apart),
    ),
    max_leaves=6,
)


def client_of(service: Service, operation: str, version: str = "1.1") -> Codec:
    """What a client makes of the published WSDL."""
    source = service.wsdl("http://gateway.example/soap/things")
    contract = read_contract("http://gateway.example/wsdl", fetch=lambda _: source)
    assert contract.not_offered == ()
    port = {"1.1": "Soap11", "1.2": "Soap12"}[version]
    return compile_operation(contract, contract.operation(operation, port=port))


def schema_of(service: Service) -> etree.XMLSchema:
    root = etree.fromstring(service.wsdl("http://gateway.example/"))
    return etree.XMLSchema(etree.fromstring(etree.tostring(root.find(f".//{{{XSD}}}schema"))))


def opened(envelope: bytes) -> Any:
    return open_envelope(envelope, "text/xml; charset=utf-8", 0.0).content


def service_of(name: str = "create", **offer: Any) -> tuple[Service, OfferedOperation]:
    service = Service("things", "v1", [Offer(name, **{**OFFER, "request": None, **offer})], {})
    operation = service.operation(f"{{urn:erp-gateway:soap:things:v1}}{name}")
    assert operation is not None
    return service, operation


def is_plain(value: Any) -> bool:
    """Whether XML can hold all of it."""
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return not isinstance(value, str) or all(c >= " " or c in "\t\n\r" for c in value)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data(), case=objects(CASES))
def test_a_request_arrives_as_the_json_a_rest_caller_would_have_posted(data: st.DataObject, case: Case) -> None:
    schema, values = case
    service, operation = service_of(request=schema)
    value = data.draw(values)
    assume(is_plain(value))
    shapes = shapes_of(schema)
    envelope = client_of(service, "create").encode(given_value(value, shapes.root, shapes.definitions))
    content = opened(envelope)
    schema_of(service).assertValid(content)
    call = operation.call(content)
    assert (call.value, call.params, call.query) == (value, {}, ())


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data(), case=CASES)
def test_an_answer_arrives_as_it_is(data: st.DataObject, case: Case) -> None:
    schema, values = case
    service, operation = service_of(request=None, answer=schema, recorded=True)
    value = data.draw(values)
    assume(is_plain(value))
    envelope = operation.answer("1.2", value, {"id": "7", "reason": []})
    root = etree.fromstring(envelope)
    schema_of(service).assertValid(root[0][0])
    found = client_of(service, "create", "1.2").decode(envelope)
    whole = value
    if not isinstance(shapes_of(schema).root, Fields):
        whole, schema = {"value": value}, {"type": "object", "properties": {"value": schema}}
    shapes = shapes_of(schema)
    expected = given_value(whole, shapes.root, shapes.definitions)
    assert cleared(found) == cleared({"answer": expected, "document": {"id": "7"}})


def cleared(value: Any) -> Any:
    """Without empty lists, and with numbers as text: the client's codec has some of them so."""
    if isinstance(value, dict):
        return {key: cleared(inner) for key, inner in value.items() if inner != []}
    if isinstance(value, list):
        return [cleared(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def test_an_operation_is_compiled_when_it_is_called_and_without_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """235 operations kept the first caller of one waiting for 20 seconds, and everybody else with it."""
    read: list[bytes] = []

    def reading(source: str, fetch: Any) -> Any:
        read.append(fetch(source))
        return read_contract(source, fetch=fetch)

    monkeypatch.setattr(service, "read_contract", reading)
    offers = [Offer(name, **{**OFFER, "request": None}) for name in ("create", "cancel")]
    things = Service("things", "v1", offers, {})
    create, unknown = f"{{{things.space}}}create", f"{{{things.space}}}drop"
    assert (things.operation(unknown), things.operation("create"), read) == (None, None, [])
    assert (things.is_ready(unknown), things.is_ready(create)) == (True, False)
    with ThreadPoolExecutor(4) as threads:
        found = set(threads.map(things.operation, [create] * 4))
    assert (len(found), len(read), things.is_ready(create)) == (1, 1, True)
    assert b'name="create"' in read[0]
    assert b"cancel" not in read[0]
