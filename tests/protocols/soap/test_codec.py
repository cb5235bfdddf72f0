# ruff: noqa: E501  (a schema reads best on one line)
"""Envelopes as golden files, and the forms that soap-json rules give each construct."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lxml import etree

from gateway.errors import BadAnswer, Problem, Unprocessable
from gateway.protocols.soap import Codec, Contract, answer_schema, compile_operation, read_contract, request_schema
from gateway.protocols.soap.reader import ReaderCompiler, readers_of
from gateway.protocols.soap.writer import WriterCompiler
from tests.protocols.soap.wsdls import ENVELOPE_12, contract, envelope, read, root, schema, wsdl

GOLDEN = Path(__file__).parents[2] / "golden" / "soap"
ERP = Path(__file__).parents[3] / "gateway" / "demo" / "erp" / "contracts"


def codec_of(body: str, **options: str) -> Codec:
    found = contract(body, **options)
    assert not found.not_offered, found.not_offered
    return compile_operation(found, found.operations[0])


def round_trip(codec: Codec, value: Any) -> Any:
    return codec.decode(codec.encode(value))


def errors(codec: Codec, value: Any) -> dict[str, str]:
    with pytest.raises(Unprocessable) as caught:
        codec.encode(value)
    return {error.pointer: error.detail for error in caught.value.errors}


# --- golden envelopes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", sorted(GOLDEN.glob("*.json")), ids=lambda case: case.stem)
def test_golden(case: Path) -> None:
    """``NAME.json`` says contract, operation and values; ``NAME.request.xml`` and ``NAME.answer.xml`` are the envelopes."""
    told = json.loads(case.read_text(encoding="utf-8"))
    source = (
        ERP / told["contract"]
        if told["contract"].endswith(".wsdl") and (ERP / told["contract"]).exists()
        else GOLDEN / told["contract"]
    )
    found = read_contract(source)
    operation = found.operation(told["operation"], port=told.get("port"))
    codec = compile_operation(found, operation)
    assert codec.encode(told["request"]) == case.with_suffix(".request.xml").read_bytes().rstrip(b"\n")
    assert codec.decode(case.with_suffix(".answer.xml").read_bytes()) == told["answer"]
    assert codec.content_type == told["content_type"]
    assert [(name.decode(), value.decode()) for name, value in codec.headers] == [tuple(pair) for pair in told["headers"]]


# --- transport -------------------------------------------------------------------------------------------------------


def test_soap_12_says_the_action_in_the_content_type() -> None:
    codec = codec_of('<xs:element name="Root" type="xs:string"/>', soap="soap12")
    assert codec.content_type == 'application/soap+xml; charset=utf-8; action="urn:echo"'
    assert codec.headers == []
    assert round_trip(codec, "x") == "x"
    assert ENVELOPE_12.encode() in codec.encode("x")


def test_an_answer_of_the_other_soap_version_is_refused() -> None:
    codec = codec_of('<xs:element name="Root" type="xs:string"/>')
    with pytest.raises(BadAnswer, match="another SOAP version"):
        codec.decode(envelope("<t:Root>x</t:Root>", space=ENVELOPE_12))


# --- values ----------------------------------------------------------------------------------------------------------


def test_absent_empty_and_nil_are_three_things() -> None:
    codec = codec_of(root('<xs:sequence><xs:element name="a" type="xs:string" minOccurs="0" nillable="true"/></xs:sequence>'))
    for value in ({}, {"a": ""}, {"a": None}):
        assert round_trip(codec, value) == value
    assert b"nil" in codec.encode({"a": None})
    assert b"nil=" not in codec.encode({"a": ""})


def test_null_where_nil_is_not_allowed_is_refused_on_writes_and_tolerated_on_reads() -> None:
    codec = codec_of(root('<xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence>'))
    assert errors(codec, {"a": None}) == {"/a": "must not be null; leave the key out if there is no value"}
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    assert codec.decode(envelope(f'<t:Root {xsi}><t:a xsi:nil="1"/></t:Root>')) == {"a": None}
    with pytest.raises(BadAnswer, match="nil and yet"):
        codec.decode(envelope(f'<t:Root {xsi}><t:a xsi:nil="true">7</t:a></t:Root>'))


def test_nil_with_attributes() -> None:
    inner = '<xs:complexType><xs:sequence/><xs:attribute name="why" use="required"/></xs:complexType>'
    codec = codec_of(root(f'<xs:sequence><xs:element name="a" nillable="true">{inner}</xs:element></xs:sequence>'))
    value = {"a": {"$nil": True, "@why": "unknown"}}
    assert round_trip(codec, value) == value
    assert errors(codec, {"a": None}) == {"/a": 'must be {"$nil": true} with @why instead of null'}
    assert errors(codec, {"a": {"$nil": 1, "x": 2}}) == {
        "/a/$nil": "must be true",
        "/a/@why": "is required",
        "/a/x": "is unknown",
    }


def test_lists_are_arrays_whatever_their_length() -> None:
    codec = codec_of(root('<xs:sequence><xs:element name="a" type="xs:int" minOccurs="0" maxOccurs="3"/></xs:sequence>'))
    for items in ([], [1], [1, 2, 3]):
        assert round_trip(codec, {"a": items}) == {"a": items}
    assert round_trip(codec, {}) == {"a": []}
    assert errors(codec, {"a": [1, 2, 3, 4]}) == {"/a": "has 4 items, more than the 3 allowed"}
    assert errors(codec, {"a": 1}) == {"/a": "must be an array, not a number"}
    with pytest.raises(BadAnswer):
        codec.decode(envelope("<t:Root>" + "<t:a>1</t:a>" * 4 + "</t:Root>"))


def test_choice_takes_falsy_values_and_exactly_one() -> None:
    body = '<xs:choice><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:boolean"/><xs:element name="c" type="xs:string"/></xs:choice>'
    codec = codec_of(root(body))
    for value in ({"a": 0}, {"b": False}, {"c": ""}):
        assert round_trip(codec, value) == value
    assert errors(codec, {}) == {"": "needs one of a or b or c"}
    assert errors(codec, {"a": 1, "c": "x"}) == {"/c": "excludes a: only one of them may be given"}
    with pytest.raises(BadAnswer):
        codec.decode(envelope("<t:Root/>"))


def test_a_repeating_choice_keeps_its_order() -> None:
    body = '<xs:choice maxOccurs="4"><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/></xs:choice>'
    codec = codec_of(root(body))
    value = {"$items": [{"b": 1}, {"a": 2}, {"b": 3}]}
    assert round_trip(codec, value) == value
    assert errors(codec, {"$items": [{"c": 1}]}) == {"/$items/0/c": "is unknown"}
    assert errors(codec, {"$items": [{"a": 1, "b": 1}, 5]}).keys() == {"/$items/0", "/$items/1"}
    assert "/$items" in errors(codec, {"$items": [{"a": 1}] * 5})
    assert "/$items" in errors(codec, {"$items": {}})
    assert "/$items" in errors(codec, {})


def test_repeated_names_become_ordered_content() -> None:
    body = "".join(f'<xs:element name="{n}" type="xs:int"/>' for n in "aba")
    codec = codec_of(root(f"<xs:sequence>{body}</xs:sequence>"))
    value = {"$content": [{"a": 1}, {"b": 2}, {"a": 3}]}
    assert round_trip(codec, value) == value
    assert errors(codec, {"$content": [{"a": 1}, {"a": 2}, {"b": 3}]}).keys() == {"/$content"}
    with pytest.raises(BadAnswer, match="order"):
        codec.decode(envelope("<t:Root><t:a>1</t:a><t:b>2</t:b></t:Root>"))
    with pytest.raises(BadAnswer, match="text"):
        codec.decode(envelope("<t:Root>x<t:a>1</t:a><t:b>2</t:b><t:a>2</t:a></t:Root>"))


def test_mixed_content_keeps_text_between_elements() -> None:
    body = '<xs:element name="Root"><xs:complexType mixed="true"><xs:sequence><xs:element name="b" type="xs:string" minOccurs="0" maxOccurs="unbounded"/></xs:sequence><xs:attribute name="l" type="xs:language"/></xs:complexType></xs:element>'
    codec = codec_of(body)
    value = {"$content": ["read <", {"b": "this"}, " twice\r\n", {"b": "this"}], "@l": "en"}
    assert round_trip(codec, value) == value
    assert errors(codec, {"$content": ["\x00", 7]}).keys() == {"/$content/0", "/$content/1"}


def test_attributes_and_simple_content() -> None:
    body = '<xs:element name="Root"><xs:complexType><xs:simpleContent><xs:extension base="xs:decimal"><xs:attribute name="currency" use="required" type="xs:NMTOKEN"/><xs:attribute ref="xml:lang"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>'
    codec = codec_of(body)
    value = {"$value": "1.00", "@currency": "CNY", "@lang": "zh"}
    assert round_trip(codec, value) == value
    assert b'xml:lang="zh"' in codec.encode(value)
    assert errors(codec, {"@lang": "?"}) == {
        "/@currency": "is required",
        "/@lang": "is not a valid language",
        "/$value": "is required",
    }
    with pytest.raises(BadAnswer, match="attribute currency is missing"):
        codec.decode(envelope("<t:Root>1</t:Root>"))
    with pytest.raises(BadAnswer, match="attribute lang"):
        codec.decode(envelope('<t:Root currency="a" xml:lang="!">1</t:Root>'))
    with pytest.raises(BadAnswer, match="attribute other is unknown"):
        codec.decode(envelope('<t:Root currency="a" other="1">1</t:Root>'))


def test_attribute_text_survives_normalisation() -> None:
    codec = codec_of(root('<xs:attribute name="a" type="xs:string"/>'))
    value = {"@a": "\t two\r\nlines \"&<>'"}
    assert round_trip(codec, value) == value


def test_one_name_for_an_element_and_an_attribute_and_in_two_namespaces() -> None:
    other = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:o"><xs:element name="id" type="xs:int"/></xs:schema>'
    body = root(
        '<xs:sequence><xs:element name="id" type="xs:string"/><xs:element ref="o:id" xmlns:o="urn:o"/></xs:sequence><xs:attribute name="id"/>'
    )
    found = read(wsdl(schema('<xs:import namespace="urn:o"/>' + body) + other))
    codec = compile_operation(found, found.operations[0])
    value = {"{urn:t}id": "x", "{urn:o}id": 2, "@id": "a"}
    assert round_trip(codec, value) == value


def test_unqualified_and_qualified_locals() -> None:
    body = root(
        '<xs:sequence><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int" form="qualified"/></xs:sequence>'
    )
    found = read(wsdl(schema(body, form="unqualified")))
    codec = compile_operation(found, found.operations[0])
    assert b"<n0:Root><a>1</a><n0:b>2</n0:b></n0:Root>" in codec.encode({"b": 2, "a": 1})
    assert round_trip(codec, {"a": 1, "b": 2}) == {"a": 1, "b": 2}


DERIVED = """
<xs:complexType name="Base" abstract="{abstract}"><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:complexType>
<xs:complexType name="More"><xs:complexContent><xs:extension base="t:Base"><xs:sequence><xs:element name="b" type="xs:int"/></xs:sequence>
  <xs:attribute name="c"/></xs:extension></xs:complexContent></xs:complexType>
<xs:complexType name="Most"><xs:complexContent><xs:extension base="t:More"><xs:sequence><xs:element name="next" type="t:Base" minOccurs="0"/>
  </xs:sequence></xs:extension></xs:complexContent></xs:complexType>
<xs:element name="Root" type="t:Base"/>"""


def test_derived_types_say_which_they_are() -> None:
    codec = codec_of(DERIVED.format(abstract="false"))
    for value in (
        {"a": 1},
        {"$type": "{urn:t}More", "a": 1, "b": 2, "@c": "x"},
        {"$type": "{urn:t}Most", "a": 1, "b": 2, "next": {"$type": "{urn:t}More", "a": 3, "b": 4}},
    ):
        assert round_trip(codec, value) == value
    assert round_trip(codec, {"$type": "{urn:t}Base", "a": 1}) == {"a": 1}
    assert "/$type" in errors(codec, {"$type": "{urn:t}Other", "a": 1})
    assert errors(codec, {"$type": "{urn:t}More", "a": 1}) == {"/b": "is required"}
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    with pytest.raises(BadAnswer, match="not derived"):
        codec.decode(envelope(f'<t:Root {xsi} xsi:type="t:Elsewhere"><t:a>1</t:a></t:Root>'))
    with pytest.raises(BadAnswer, match="prefix"):
        codec.decode(envelope(f'<t:Root {xsi} xsi:type="nowhere:More"><t:a>1</t:a></t:Root>'))


def test_a_derived_type_is_compiled_when_it_is_first_named(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    for compiler in (ReaderCompiler, WriterCompiler):
        define: Any = compiler._define

        def noted(self: Any, name: str, type: Any, define: Any = define) -> None:
            compiled.append(type.key)
            define(self, name, type)

        monkeypatch.setattr(compiler, "_define", noted)
    other = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:o" elementFormDefault="qualified">'
    other += '<xs:element name="far" type="xs:string"/></xs:schema>'
    body = (
        '<xs:import namespace="urn:o"/><xs:complexType name="Base"><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:complexType>'
        '<xs:complexType name="More"><xs:complexContent><xs:extension base="t:Base"><xs:sequence xmlns:o="urn:o"><xs:element ref="o:far"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>'
        '<xs:element name="Root" type="t:Base" nillable="true"/>'
    )
    found = read(wsdl(schema(body) + other))
    codec = compile_operation(found, found.operations[0])
    assert compiled == []
    codec.compile()
    assert compiled == ["{urn:t}Base"] * 2
    assert round_trip(codec, {"a": 1}) == {"a": 1}
    assert compiled == ["{urn:t}Base"] * 2
    more = {"$type": "{urn:t}More", "a": 1, "far": "x"}
    assert round_trip(codec, more) == round_trip(codec, more) == more
    assert compiled == ["{urn:t}Base"] * 2 + ["{urn:t}More"] * 2


def test_an_operation_has_one_codec() -> None:
    found = contract('<xs:element name="Root" type="xs:string"/>')
    (operation,) = found.operations
    codec = compile_operation(found, operation)
    assert compile_operation(found, operation) is codec
    other = replace(operation, output=None)
    assert compile_operation(found, other) is not codec
    assert compile_operation(found, other).operation is other
    assert compile_operation(found, operation) is codec


def test_operations_of_a_contract_share_what_reads_their_answers() -> None:
    found = contract(root('<xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence>'), soap="soap12")
    first, second = (compile_operation(found, replace(found.operations[0], name=name)) for name in "ab")
    commented = envelope("<t:Root><!-- x --><t:a>1</t:a></t:Root>", space=ENVELOPE_12)
    assert first.decode(commented) == second.decode(commented) == {"a": 1}
    assert readers_of(found) is readers_of(found)


def test_many_threads_may_ask_for_the_first_time_at_once() -> None:
    types = "".join(
        f'<xs:complexType name="D{n}"><xs:complexContent><xs:extension base="t:Base"><xs:sequence><xs:element name="d{n}" type="xs:int"/>'
        "</xs:sequence></xs:extension></xs:complexContent></xs:complexType>"
        for n in range(40)
    )
    codec = codec_of(f'<xs:complexType name="Base"><xs:sequence/></xs:complexType>{types}<xs:element name="Root" type="t:Base"/>')
    values = [{"$type": f"{{urn:t}}D{n % 40}", f"d{n % 40}": n} for n in range(400)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(partial(round_trip, codec), values)) == values


def test_an_abstract_type_needs_a_derived_one() -> None:
    codec = codec_of(DERIVED.format(abstract="true"))
    assert "/$type" in errors(codec, {"a": 1})
    assert round_trip(codec, {"$type": "{urn:t}More", "a": 1, "b": 2}) == {"$type": "{urn:t}More", "a": 1, "b": 2}
    with pytest.raises(BadAnswer, match="abstract"):
        codec.decode(envelope("<t:Root><t:a>1</t:a></t:Root>"))


def test_restriction_narrows() -> None:
    body = """<xs:complexType name="Wide"><xs:sequence><xs:element name="a" type="xs:string" minOccurs="0"/></xs:sequence>
      <xs:attribute name="x"/><xs:attribute name="y"/></xs:complexType>
    <xs:complexType name="Narrow"><xs:complexContent><xs:restriction base="t:Wide"><xs:sequence><xs:element name="a" type="xs:string"/></xs:sequence>
      <xs:attribute name="y" use="prohibited"/></xs:restriction></xs:complexContent></xs:complexType>
    <xs:element name="Root" type="t:Narrow"/>"""
    codec = codec_of(body)
    assert round_trip(codec, {"a": "1", "@x": "2"}) == {"a": "1", "@x": "2"}
    assert errors(codec, {"@y": "2"}).keys() == {"/a", "/@y"}


def test_members_of_a_substitution_group_stand_under_their_own_name() -> None:
    body = """<xs:element name="Payment" type="xs:string" abstract="true"/>
    <xs:element name="Cash" type="xs:string" substitutionGroup="t:Payment"/><xs:element name="Card" substitutionGroup="t:Payment"/>""" + root(
        '<xs:sequence><xs:element ref="t:Payment"/></xs:sequence>'
    )
    codec = codec_of(body)
    assert round_trip(codec, {"Card": "x"}) == {"Card": "x"}
    assert errors(codec, {"Payment": "x"}).keys() == {"", "/Payment"}


def test_recursion() -> None:
    body = '<xs:complexType name="Node"><xs:sequence><xs:element name="n" type="xs:int"/><xs:element name="kids" type="t:Node" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType><xs:element name="Root" type="t:Node"/>'
    codec = codec_of(body)
    value: dict[str, Any] = {"n": 0, "kids": []}
    for n in range(1, 60):
        value = {"n": n, "kids": [value]}
    assert round_trip(codec, value) == value
    for _ in range(300):
        value = {"n": 1, "kids": [value]}
    assert any("nested too deep" in detail for detail in errors(codec, {**value, "x": 1}).values())
    deep = "<t:Root><t:n>1</t:n>" + "<t:kids><t:n>1</t:n>" * 5_000 + "</t:kids>" * 5_000 + "</t:Root>"
    with pytest.raises(BadAnswer, match="deep"):
        codec.decode(envelope(deep))


def test_all_groups_come_in_any_order() -> None:
    body = '<xs:all><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int" minOccurs="0"/></xs:all>'
    codec = codec_of(root(body))
    assert codec.decode(envelope("<t:Root><t:b>2</t:b><t:a>1</t:a></t:Root>")) == {"a": 1, "b": 2}
    assert round_trip(codec, {"a": 1}) == {"a": 1}
    for answer in ("<t:Root><t:b>2</t:b></t:Root>", "<t:Root><t:a>2</t:a><t:a>2</t:a></t:Root>"):
        with pytest.raises(BadAnswer):
            codec.decode(envelope(answer))


def test_an_optional_all_group() -> None:
    body = '<xs:all minOccurs="0"><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/></xs:all>'
    codec = codec_of(root(body))
    assert round_trip(codec, {}) == {}
    with pytest.raises(BadAnswer):
        codec.decode(envelope("<t:Root><t:b>2</t:b></t:Root>"))


def test_groups_and_attribute_groups_by_reference() -> None:
    body = """<xs:group name="G"><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:group>
      <xs:attributeGroup name="A"><xs:attribute name="x" use="required"/><xs:attributeGroup ref="t:B"/></xs:attributeGroup>
      <xs:attributeGroup name="B"><xs:attribute name="y"/></xs:attributeGroup>""" + root(
        '<xs:group ref="t:G" minOccurs="0"/><xs:attributeGroup ref="t:A"/>'
    )
    codec = codec_of(body)
    assert round_trip(codec, {"a": 1, "@x": "1", "@y": "2"}) == {"a": 1, "@x": "1", "@y": "2"}
    assert round_trip(codec, {"@x": "1"}) == {"@x": "1"}


def test_fixed_and_default_values() -> None:
    body = '<xs:sequence><xs:element name="v" type="xs:string" fixed="1.0"/><xs:element name="d" type="xs:int" default="5"/></xs:sequence><xs:attribute name="f" fixed="x"/>'
    codec = codec_of(root(body))
    assert errors(codec, {"v": "2.0", "d": 1, "@f": "y"}).keys() == {"/v", "/@f"}
    assert codec.decode(envelope("<t:Root><t:v/><t:d/></t:Root>")) == {"v": "1.0", "d": 5}


def test_unknown_codes_pass_in_answers_and_not_in_requests() -> None:
    body = '<xs:simpleType name="E"><xs:restriction base="xs:string"><xs:enumeration value="A"/></xs:restriction></xs:simpleType><xs:element name="Root" type="t:E"/>'
    codec = codec_of(body)
    assert errors(codec, "B") == {"": "is not one of A"}
    assert codec.decode(envelope("<t:Root>B</t:Root>")) == "B"


def test_numbers_and_strings_of_digits() -> None:
    body = "".join(
        f'<xs:element name="{t}" type="xs:{t}" minOccurs="0"/>' for t in ("int", "long", "decimal", "double", "boolean", "string")
    )
    codec = codec_of(root(f"<xs:sequence>{body}</xs:sequence>"))
    given = {"int": "7", "long": 9007199254740993, "decimal": 12, "double": "1E5", "boolean": True, "string": "007"}
    assert round_trip(codec, given) == {
        "int": 7,
        "long": "9007199254740993",
        "decimal": "12",
        "double": 100000.0,
        "boolean": True,
        "string": "007",
    }
    assert "send" not in errors(codec, {"decimal": 12.5})
    assert "must be a string such as" in errors(codec, {"decimal": 12.5})["/decimal"]
    assert errors(codec, {"int": 2**31, "long": True, "double": float("inf"), "boolean": "true", "string": 7}).keys() == {
        "/int",
        "/long",
        "/double",
        "/boolean",
        "/string",
    }


def test_characters_xml_cannot_carry_are_refused() -> None:
    codec = codec_of('<xs:element name="Root" type="xs:string"/>')
    for text in ("\x00", "a\x0b", "\ud800", "\ufffe"):
        assert "XML cannot carry" in errors(codec, text)[""]


def test_unknown_keys_suggest_the_right_one() -> None:
    codec = codec_of(root('<xs:sequence><xs:element name="amount" type="xs:int"/></xs:sequence>'))
    assert errors(codec, {"amuont": 1}) == {"/amount": "is required", "/amuont": "is unknown; did you mean amount?"}
    assert errors(codec, {"amount": 1, "a/b~": 1}) == {"/a~1b~0": "is unknown"}
    assert errors(codec, []) == {"": "must be an object, not an array"}


def test_at_most_a_hundred_errors() -> None:
    codec = codec_of(root('<xs:sequence><xs:element name="a" type="xs:int" maxOccurs="unbounded"/></xs:sequence>'))
    assert len(errors(codec, {"a": ["x"] * 500})) == 100


# --- open content ----------------------------------------------------------------------------------------------------

OPEN = (
    '<xs:element name="Known"><xs:complexType><xs:sequence><xs:element name="n" type="xs:int"/></xs:sequence></xs:complexType></xs:element>'
    '<xs:complexType name="T"><xs:sequence><xs:element name="n" type="xs:int"/></xs:sequence></xs:complexType>'
)


def test_any_is_typed_where_known_and_xml_where_not() -> None:
    codec = codec_of(OPEN + root('<xs:sequence><xs:any processContents="lax" minOccurs="0" maxOccurs="3"/></xs:sequence>'))
    value = {"$any": [{"{urn:t}Known": {"n": 1}}, {"$xml": '<x:free xmlns:x="urn:x" a="1">text</x:free>'}]}
    assert round_trip(codec, value) == value
    assert round_trip(codec, {}) == {"$any": []}
    for bad in ("<a>", "</t:Root>", "<a/><b/>", "x", "<!DOCTYPE a><a/>", "<a>&x;</a>", 5):
        assert "/$any/0/$xml" in errors(codec, {"$any": [{"$xml": bad}]})
    assert errors(codec, {"$any": [{"{urn:t}Nobody": 1}, 5]}).keys() == {"/$any/0/{urn:t}Nobody", "/$any/1"}
    assert errors(codec, {"$any": [{"{urn:t}Known": {"n": "x"}}]}).keys() == {"/$any/0/{urn:t}Known/n"}
    assert "/$any" in errors(codec, {"$any": [{"{urn:t}Known": {"n": 1}}] * 4})


def test_any_of_another_namespace_once() -> None:
    codec = codec_of(OPEN + root('<xs:sequence><xs:any namespace="##other" processContents="skip"/></xs:sequence>'))
    value = {"$any": {"$xml": '<x:free xmlns:x="urn:x"/>'}}
    assert round_trip(codec, value) == value
    assert "not in a namespace" in next(iter(errors(codec, {"$any": {"{urn:t}Known": {"n": 1}}}).values()))
    assert errors(codec, {}) == {"/$any": "is required"}
    with pytest.raises(BadAnswer):
        codec.decode(envelope("<t:Root><t:Known><t:n>1</t:n></t:Known></t:Root>"))
    with pytest.raises(BadAnswer):
        codec.decode(envelope("<t:Root/>"))


def test_any_inside_a_repeating_choice() -> None:
    body = '<xs:choice maxOccurs="unbounded"><xs:element name="a" type="xs:int"/><xs:any namespace="urn:x ##local" processContents="lax"/></xs:choice>'
    codec = codec_of(OPEN + root(body))
    value = {"$items": [{"a": 1}, {"$xml": '<x:y xmlns:x="urn:x"/>'}, {"a": 2}]}
    assert round_trip(codec, value) == value
    assert "/$items/0/{urn:t}Known" in errors(codec, {"$items": [{"{urn:t}Known": {}}]})


def test_any_type() -> None:
    codec = codec_of(
        OPEN
        + root(
            '<xs:sequence><xs:element name="v" nillable="true"/><xs:element name="w" type="xs:anyType" minOccurs="0"/></xs:sequence>'
        )
    )
    xsd = "{http://www.w3.org/2001/XMLSchema}"
    for inner in (
        "text & more",
        None,
        {"$type": f"{xsd}int", "$value": 5},
        {"$type": "{urn:t}T", "n": 1},
        {"$xml": 'a<b xmlns="urn:b"/>c'},
    ):
        value = {"v": inner}
        assert round_trip(codec, value)["v"] == inner
    for bad in (
        5,
        {"$type": "{urn:t}None"},
        {"$type": f"{xsd}int"},
        {"$type": f"{xsd}int", "$value": "x"},
        {"$xml": "<"},
        {"$type": "{urn:t}T", "n": "x"},
        {"$type": f"{xsd}int", "$value": 1, "x": 1},
        "\x00",
        {"$type": 5},
    ):
        assert errors(codec, {"v": bad})


def test_any_attribute() -> None:
    codec = codec_of(root('<xs:attribute name="a" type="xs:int"/><xs:anyAttribute processContents="lax"/>'))
    value = {"@a": 1, "@{urn:x}b": "<2>", "@c": "3"}
    assert round_trip(codec, value) == value
    assert errors(codec, {"@{urn:x}b": 1, "@not a name": "1", "@xmlns": "1"}).keys() == {"/@{urn:x}b", "/@not a name", "/@xmlns"}


def test_qnames_are_clark_names() -> None:
    codec = codec_of(
        root(
            '<xs:sequence><xs:element name="q" type="xs:QName" nillable="true"/></xs:sequence><xs:attribute name="k" type="xs:QName"/>'
        )
    )
    for value in ({"q": "{urn:x}name", "@k": "{urn:y}other"}, {"q": "bare"}, {"q": None}):
        assert round_trip(codec, value) == value
    assert errors(codec, {"q": "a b", "@k": "{x"}).keys() == {"/q", "/@k"}


def test_naughty_strings_survive_or_are_refused() -> None:
    root_ = os.environ.get("GATEWAY_CORPORA")
    if not root_:
        if os.environ.get("CI"):
            pytest.fail("GATEWAY_CORPORA is not set")
        pytest.skip("GATEWAY_CORPORA is not set")
    strings = json.loads(next(Path(root_, "security/blns").rglob("blns.json")).read_bytes())
    codec = codec_of(root('<xs:sequence><xs:element name="s" type="xs:string"/></xs:sequence><xs:attribute name="a"/>'))
    carried = 0
    for text in strings:
        value = {"s": text, "@a": text}
        try:
            envelope_ = codec.encode(value)
        except Unprocessable as problem:
            assert "XML cannot carry" in problem.errors[0].detail  # noqa: PT017
            continue
        assert codec.decode(envelope_) == value
        carried += 1
    assert carried > 400


# --- operations ------------------------------------------------------------------------------------------------------


def parts_wsdl(
    style: str, parts: str, schemas: str = "", *, output: str = "", headers: str = "", header_message: str = ""
) -> Contract:
    text = f"""<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:w="urn:w" xmlns:t="urn:t"
      xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:w"><types>{schema(schemas)}</types>
      <message name="I">{parts}</message><message name="O">{output}</message>{header_message}
      <portType name="P"><operation name="do"><input message="w:I"/><output message="w:O"/></operation></portType>
      <binding name="B" type="w:P"><soap:binding style="{style}" transport="http://schemas.xmlsoap.org/soap/http"/><operation name="do"><soap:operation/>
      <input><soap:body use="literal" namespace="urn:r"/>{headers}</input><output><soap:body use="literal" namespace="urn:r"/>{headers}</output></operation></binding>
      <service name="S"><port name="P" binding="w:B"><soap:address location="http://127.0.0.1/"/></port></service></definitions>"""
    return read(text)


def test_rpc_literal_wraps_parts_by_name() -> None:
    found = parts_wsdl(
        "rpc", '<part name="a" type="xs:int"/><part name="b" type="t:T"/>', OPEN, output='<part name="r" type="xs:string"/>'
    )
    codec = compile_operation(found, found.operation("do"))
    assert b"<n0:do><a>1</a><b><n1:n>2</n1:n></b></n0:do>" in codec.encode({"a": 1, "b": {"n": 2}})
    assert codec.decode(envelope('<r:doResponse xmlns:r="urn:r"><r>x</r></r:doResponse>')) == {"r": "x"}
    assert codec.decode(envelope('<doResponse xmlns="urn:r"><r>x</r></doResponse>')) == {"r": "x"}
    assert codec.headers == [(b"soapaction", b'""')]


def test_a_body_of_several_parts_is_keyed_by_part() -> None:
    elements = '<xs:element name="A" type="xs:int"/><xs:element name="B" type="xs:string"/>'
    found = parts_wsdl(
        "document",
        '<part name="a" element="t:A"/><part name="b" element="t:B"/>',
        elements,
        output='<part name="a" element="t:A"/><part name="b" element="t:B"/>',
    )
    codec = compile_operation(found, found.operation("do"))
    assert round_trip(codec, {"A": 1, "B": "x"}) == {"A": 1, "B": "x"}
    assert errors(codec, {"A": 1}) == {"/B": "is required"}
    assert errors(codec, None) == {"": "must be an object, not null"}
    operation = found.operation("do")
    assert request_schema(found, operation)["required"] == ["A", "B"]


def test_an_empty_body() -> None:
    found = parts_wsdl("document", "")
    codec = compile_operation(found, found.operation("do"))
    assert round_trip(codec, {}) == {}
    assert codec.encode(None) == codec.encode({})
    assert errors(codec, {"x": 1}) == {"/x": "is unknown"}


def test_declared_headers() -> None:
    elements = '<xs:element name="A" type="xs:int"/><xs:element name="H" type="xs:string"/>' + root(
        '<xs:sequence><xs:element name="x" type="xs:int"/></xs:sequence>'
    )
    message = '<message name="H"><part name="h" element="t:H"/></message>'
    header = '<soap:header message="w:H" part="h" use="literal"/>'
    for element, value in (("Root", {"x": 1}), ("A", 5)):
        part = f'<part name="p" element="t:{element}"/>'
        found = parts_wsdl("document", part, elements, output=part, headers=header, header_message=message)
        codec = compile_operation(found, found.operation("do"))
        assert round_trip(codec, value) == value
        whole = {**value, "$headers": {"H": "s"}} if isinstance(value, dict) else {"$value": value, "$headers": {"H": "s"}}
        assert round_trip(codec, whole) == whole
        assert b"<soapenv:Header><n1:H>s</n1:H></soapenv:Header>" in codec.encode(whole).replace(b"n0:H", b"n1:H")
        assert errors(codec, {**whole, "$headers": {"Z": 1}}).keys() >= {"/$headers/Z"}
        assert errors(codec, {**whole, "$headers": 5}).keys() >= {"/$headers"}
        schema_ = request_schema(found, found.operation("do"))
        assert "$headers" in json.dumps(schema_)
        assert answer_schema(found, found.operation("do")) is not None


def test_one_way_answers_may_be_empty() -> None:
    text = (
        wsdl(schema('<xs:element name="Root" type="xs:string"/>'))
        .replace('<output message="w:M"/>', "")
        .replace('<output><soap:body use="literal"/></output>', "")
    )
    found = read(text)
    operation = found.operation("echo")
    codec = compile_operation(found, operation)
    assert operation.output is None
    assert codec.decode(b"") is None
    assert codec.decode(envelope("")) == {}
    assert answer_schema(found, operation) is None


# --- answers that are none -------------------------------------------------------------------------------------------

PLAIN = root('<xs:sequence><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:date" minOccurs="0"/></xs:sequence>')


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html><body>502</body></html>",
        b"not xml",
        b"<a/>",
        envelope("").replace(b"Body", b"Other"),
        envelope(""),
        envelope("<t:Other/>"),
        envelope("<t:Root><t:a>1</t:a></t:Root><t:Root><t:a>1</t:a></t:Root>"),
        envelope("<t:Root/>"),
        envelope("<t:Root><t:a>x</t:a></t:Root>"),
        envelope("<t:Root><t:a/></t:Root>"),
        envelope("<t:Root><t:a><t:a>1</t:a></t:a></t:Root>"),
        envelope("<t:Root><t:b>2026-01-01</t:b><t:a>1</t:a></t:Root>"),
        envelope("<t:Root><t:a>1</t:a><t:b>2026-02-30</t:b></t:Root>"),
        envelope("<t:Root><t:a>1</t:a><t:c/></t:Root>"),
        envelope("<t:Root>stray<t:a>1</t:a></t:Root>"),
        envelope("<t:Root><t:a>1</t:a>stray</t:Root>"),
        envelope("<t:Root x='1'><t:a>1</t:a></t:Root>"),
        envelope("<t:Root><t:a x='1'>1</t:a></t:Root>"),
        envelope("<t:Root><t:a>99999999999</t:a></t:Root>"),
        envelope("<t:Root><t:a>1</t:a></t:Root>", space="urn:not-soap"),
    ],
)
def test_what_is_no_answer_is_a_bad_answer(answer: bytes) -> None:
    with pytest.raises(BadAnswer) as caught:
        codec_of(PLAIN).decode(answer)
    assert "99999999999" not in caught.value.detail


def test_an_answer_cut_anywhere_is_refused() -> None:
    found = read_contract(ERP / "procurement.wsdl")
    codec = compile_operation(found, found.operation("CreatePurchaseOrder", port=found.operations[-1].port))
    whole = next(iter(sorted(GOLDEN.glob("purchase-order.answer.xml")))).read_bytes().rstrip()
    assert codec.decode(whole)
    for length in range(len(whole)):
        with pytest.raises(Problem) as caught:
            codec.decode(whole[:length])
        assert isinstance(caught.value, BadAnswer)


def test_layout_and_comments_do_not_matter() -> None:
    codec = codec_of(PLAIN)
    answer = envelope("\n <t:Root>\n  <!-- c --><t:a><![CDATA[1]]></t:a>\n  <?pi x?><t:b> 2026-01-31 </t:b>\n </t:Root>\n")
    assert codec.decode(answer) == {"a": 1, "b": "2026-01-31"}
    assert codec.decode(
        b'<?xml version="1.0" encoding="UTF-16"?>'.decode().encode("utf-16") + answer.decode().encode("utf-16")[2:]
    ) == {
        "a": 1,
        "b": "2026-01-31",
    }


def test_names_in_a_contract_never_become_code() -> None:
    body = '<xs:element name="Root"><xs:complexType><xs:sequence><xs:element name="a" type="t:E"/></xs:sequence></xs:complexType></xs:element><xs:simpleType name="E"><xs:restriction base="xs:string"><xs:enumeration value="&quot;);raise SystemExit(#{x}"/></xs:restriction></xs:simpleType>'
    codec = codec_of(body)
    value = {"a": '");raise SystemExit(#{x}'}
    assert round_trip(codec, value) == value


def test_generated_elements_are_well_formed_for_any_order_of_keys() -> None:
    codec = codec_of(PLAIN)
    assert codec.encode({"b": "2026-01-31", "a": 1}) == codec.encode({"a": 1, "b": "2026-01-31"})
    assert etree.fromstring(codec.encode({"a": 1})).tag.endswith("Envelope")


def test_an_element_of_no_namespace_stays_so_in_open_content() -> None:
    codec = codec_of(root("<xs:sequence><xs:any processContents='lax'/></xs:sequence>"))
    value = {"$any": {"$xml": '<a xmlns="urn:x"><b xmlns="" c="1"><d/></b></a>'}}
    assert codec.decode(codec.encode(value)) == value


NILS = (
    '<xs:complexType name="Base"><xs:sequence/><xs:anyAttribute namespace="##other" processContents="lax"/></xs:complexType>'
    '<xs:complexType name="Derived"><xs:complexContent><xs:extension base="t:Base"><xs:attribute name="a" type="xs:int"/>'
    "</xs:extension></xs:complexContent></xs:complexType>"
    '<xs:complexType name="Deep"><xs:complexContent><xs:extension base="t:Derived"/></xs:complexContent></xs:complexType>'
)


@pytest.mark.parametrize(
    "value",
    [
        {"b": None},
        {"b": {"$nil": True, "@{urn:o}x": "1"}},
        {"b": {"$nil": True, "$type": "{urn:t}Derived"}},
        {"b": {"$nil": True, "$type": "{urn:t}Derived", "@a": 1}},
        {"d": {"@a": 1}},
        {"d": {"$type": "{urn:t}Deep", "@a": 1}},
    ],
)
def test_nil_and_derived_types_together(value: Any) -> None:
    body = root(
        '<xs:sequence><xs:element name="b" type="t:Base" nillable="true" minOccurs="0"/>'
        '<xs:element name="d" type="t:Derived" minOccurs="0"/></xs:sequence>'
    )
    found = contract(NILS + body)
    codec = compile_operation(found, found.operation("echo"))
    assert codec.decode(codec.encode(value)) == value
    for described in (request_schema(found, found.operations[0]), answer_schema(found, found.operations[0])):
        jsonschema.Draft202012Validator(described or {}).validate(value)


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"b": {"$nil": True, "$type": "{urn:t}Base"}}, "/b/$type"),
        ({"b": {"$nil": True, "$type": "{urn:t}Nix"}}, "/b/$type"),
        ({"b": {"$nil": True, "@a": 1}}, "/b/@a"),
        ({"b": {"$nil": False}}, "/b/$nil"),
    ],
)
def test_nil_that_is_wrong_has_its_pointer(value: Any, pointer: str) -> None:
    body = root('<xs:sequence><xs:element name="b" type="t:Base" nillable="true"/></xs:sequence>')
    plain = NILS.replace('<xs:anyAttribute namespace="##other" processContents="lax"/>', "")
    assert list(errors(codec_of(plain + body), value)) == [pointer]


def test_known_elements_in_open_content_have_their_namespaces() -> None:
    other = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:u"><xs:element name="a" type="xs:int"/></xs:schema>'
    body = '<xs:import namespace="urn:u" schemaLocation="other.xsd"/>' + root(
        '<xs:sequence><xs:any namespace="##other"/></xs:sequence>'
    )
    found = read(wsdl(schema(body)), other_xsd=other)
    codec = compile_operation(found, found.operation("echo"))
    value = {"$any": {"{urn:u}a": 7}}
    assert codec.decode(codec.encode(value)) == value


def test_space_is_collapsed_whatever_it_is_made_of() -> None:
    codec = codec_of('<xs:element name="Root" type="xs:token"/>')
    assert codec.decode(envelope("<t:Root> a\t b\n</t:Root>")) == "a b"


def test_a_substitution_group_in_an_all_group() -> None:
    heads = '<xs:element name="head" type="xs:string"/><xs:element name="member" substitutionGroup="t:head" type="xs:string"/>'
    codec = codec_of(
        heads + root('<xs:all><xs:element name="a" type="xs:int" minOccurs="0"/><xs:element ref="t:head"/></xs:all>')
    )
    assert codec.decode(envelope("<t:Root><t:member>x</t:member><t:a>1</t:a></t:Root>")) == {"member": "x", "a": 1}
    assert round_trip(codec, {"head": "x"}) == {"head": "x"}
    for wrong in ("<t:head>x</t:head><t:member>y</t:member>", "<t:a>1</t:a>", ""):
        with pytest.raises(BadAnswer):
            codec.decode(envelope(f"<t:Root>{wrong}</t:Root>"))
