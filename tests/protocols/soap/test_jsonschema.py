# ruff: noqa: E501  (a schema reads best on one line)
"""JSON Schemas: what they allow is what the codec takes and gives."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.protocols.soap import answer_schema, compile_operation, request_schema
from tests.protocols.soap.test_codec import DERIVED, OPEN, errors
from tests.protocols.soap.wsdls import contract, root

CASES: list[tuple[str, list[Any], list[Any]]] = [
    (
        root('<xs:choice><xs:element name="a" type="xs:int"/><xs:sequence><xs:element name="b" type="xs:int"/><xs:element name="c" type="xs:int" minOccurs="0"/></xs:sequence></xs:choice>'),
        [{"a": 1}, {"b": 1}, {"b": 1, "c": 2}],
        [{}, {"a": 1, "b": 1}, {"c": 1}, {"a": 1, "c": 1}, {"x": 1}],
    ),
    (
        root('<xs:choice minOccurs="0"><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/></xs:choice>'),
        [{}, {"a": 1}],
        [{"a": 1, "b": 1}],
    ),
    (
        root('<xs:sequence><xs:sequence minOccurs="0"><xs:element name="a" type="xs:int"/><xs:choice><xs:element name="b" type="xs:int"/><xs:element name="c" type="xs:int"/></xs:choice></xs:sequence></xs:sequence>'),
        [{}, {"a": 1, "b": 1}, {"a": 1, "c": 1}],
        [{"a": 1}, {"b": 1}, {"a": 1, "b": 1, "c": 1}],
    ),
    (
        root('<xs:choice><xs:element name="a" type="xs:int"/><xs:sequence><xs:element name="b" type="xs:int"/><xs:choice><xs:element name="c" type="xs:int"/><xs:element name="d" type="xs:int"/></xs:choice></xs:sequence></xs:choice>'),
        [{"a": 1}, {"b": 1, "c": 1}],
        [{"b": 1}, {"b": 1, "c": 1, "d": 1}, {"a": 1, "c": 1}],
    ),
    (DERIVED.format(abstract="false"), [{"a": 1}, {"$type": "{urn:t}More", "a": 1, "b": 2}], [{"$type": "{urn:t}More", "a": 1}, {"$type": "x", "a": 1}, {"a": 1, "b": 2}]),
    (DERIVED.format(abstract="true"), [{"$type": "{urn:t}More", "a": 1, "b": 2}], [{"a": 1}]),
    (root('<xs:choice maxOccurs="unbounded"><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/></xs:choice>'), [{"$items": [{"a": 1}, {"b": 2}]}], [{"$items": [{"c": 1}]}, {}]),
    (OPEN + root('<xs:sequence><xs:any processContents="lax"/></xs:sequence><xs:anyAttribute/>'), [{"$any": {"{urn:t}Known": {"n": 1}}, "@x": "1"}], [{"$any": {}}, {}, {"@x": 1, "$any": {"{urn:t}Known": {"n": 1}}}]),
    (OPEN + root('<xs:choice maxOccurs="unbounded"><xs:element name="a" type="xs:int"/><xs:any processContents="lax" maxOccurs="2"/></xs:choice>'), [{"$items": [{"a": 1}, {"{urn:t}Known": {"n": 1}}]}], [{"$items": [{"a": "x"}]}]),
    ('<xs:element name="Root"><xs:complexType mixed="true"><xs:sequence><xs:element name="b" type="xs:int" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>', [{"$content": ["x", {"b": 1}]}, {"$content": []}], [{"$content": [1]}]),
    ('<xs:element name="Root" type="xs:int" nillable="true"/>', [1, "7", None], ["x", 2**31, 1.5, True]),
    ('<xs:element name="Root" type="t:S"/><xs:simpleType name="S"><xs:restriction base="xs:string"><xs:pattern value="[0-9]+"/><xs:maxLength value="3"/></xs:restriction></xs:simpleType>', ["123"], ["", "1234", "a", 1]),
    ('<xs:element name="Root" type="t:S"/><xs:simpleType name="S"><xs:list itemType="xs:int"/></xs:simpleType>', [[1, 2], []], [1, ["x"]]),
    ('<xs:element name="Root" type="t:S"/><xs:simpleType name="S"><xs:union memberTypes="xs:int xs:boolean"/></xs:simpleType>', [1, True], [[], None]),
    ('<xs:element name="Root" type="t:L"/><xs:complexType name="L"><xs:sequence><xs:element name="x" type="t:L" minOccurs="0"/></xs:sequence></xs:complexType>', [{"x": {"x": {}}}], [{"x": {"y": 1}}]),
    (root('<xs:all><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int" minOccurs="0"/></xs:all>'), [{"a": 1}, {"a": 1, "b": 2}], [{"b": 2}]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "good", "bad"), CASES)
def test_request_schema_and_encoder_agree(body: str, good: list[Any], bad: list[Any]) -> None:
    found = contract(body)
    operation = found.operation("echo")
    codec = compile_operation(found, operation)
    schema = request_schema(found, operation)
    Draft202012Validator.check_schema(schema)
    request = Draft202012Validator(schema)
    answer_ = answer_schema(found, operation)
    assert answer_ is not None
    Draft202012Validator.check_schema(answer_)
    answer = Draft202012Validator(answer_)
    for value in good:
        request.validate(value)
        answer.validate(codec.decode(codec.encode(value)))
    for value in bad:
        assert not request.is_valid(value), value
        assert errors(codec, value)


def test_enumerations_bind_requests_and_only_inform_about_answers() -> None:
    body = '<xs:element name="Root" type="t:E"/><xs:simpleType name="E"><xs:annotation><xs:documentation>Which\n one.</xs:documentation></xs:annotation><xs:restriction base="xs:string"><xs:enumeration value="A"/></xs:restriction></xs:simpleType>'
    found = contract(body)
    operation = found.operation("echo")
    assert request_schema(found, operation)["enum"] == ["A"]
    answer = answer_schema(found, operation)
    assert answer is not None
    assert "enum" not in answer
    assert answer["x-extensible-enum"] == ["A"]
    assert answer["description"] == "Which one."


def test_definitions_can_be_moved() -> None:
    found = contract(OPEN + '<xs:element name="Root" type="t:T"/>')
    schema = request_schema(found, found.operation("echo"), ref="#/components/schemas/")
    assert schema["$ref"] == "#/components/schemas/T"
    assert "T" in schema["$defs"]


def test_formats_and_namespaces() -> None:
    body = "".join(
        f'<xs:element name="{n}" type="xs:{n}"/>'
        for n in ("date", "base64Binary", "hexBinary", "decimal", "long", "double", "boolean", "anyURI")
    )
    found = contract(root(f'<xs:sequence>{body}</xs:sequence><xs:attribute name="a" form="qualified" type="xs:NMTOKENS"/>'))
    answer = answer_schema(found, found.operation("echo"))
    assert answer is not None
    properties = answer["$defs"]["Root"]["properties"]
    assert properties["date"]["x-xsd-type"] == "date"
    assert properties["base64Binary"]["contentEncoding"] == "base64"
    assert properties["hexBinary"]["contentEncoding"] == "base16"
    assert properties["decimal"]["type"] == "string"
    assert properties["long"]["type"] == "string"
    assert properties["double"]["anyOf"][0] == {"type": "number"}
    assert properties["date"]["xml"] == {"name": "date", "namespace": "urn:t"}
    assert properties["@a"]["xml"] == {"attribute": True, "name": "a", "namespace": "urn:t"}
