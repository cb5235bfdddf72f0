# ruff: noqa: E501  (a schema reads best on one line)
from __future__ import annotations

from typing import Literal

import pytest

from gateway.protocols.soap import Field, resolve, resolver
from tests.protocols.soap.test_codec import parts_wsdl
from tests.protocols.soap.wsdls import contract, read, root, schema, wsdl

BODY = """<xs:complexType name="Line"><xs:sequence><xs:element name="WRBTR"><xs:simpleType><xs:restriction base="xs:decimal">
    <xs:totalDigits value="13"/><xs:fractionDigits value="2"/></xs:restriction></xs:simpleType></xs:element>
    <xs:element name="Text" minOccurs="0" nillable="true"><xs:simpleType><xs:restriction base="xs:string"><xs:maxLength value="40"/></xs:restriction></xs:simpleType></xs:element>
    <xs:element name="tags" minOccurs="0"><xs:simpleType><xs:list itemType="xs:int"/></xs:simpleType></xs:element></xs:sequence>
    <xs:attribute name="id" type="xs:int" use="required"/></xs:complexType>
  <xs:complexType name="Long"><xs:complexContent><xs:extension base="t:Line"><xs:sequence><xs:element name="more" type="xs:string"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
  <xs:simpleType name="E"><xs:restriction base="xs:string"><xs:enumeration value="A"/><xs:enumeration value="B"/></xs:restriction></xs:simpleType>
""" + root("""<xs:sequence><xs:element name="Items"><xs:complexType><xs:sequence><xs:element name="Item" type="t:Line" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
    <xs:choice><xs:element name="code" type="t:E"/><xs:element name="other" type="xs:string"/></xs:choice>
    <xs:element name="amount"><xs:complexType><xs:simpleContent><xs:extension base="xs:decimal"><xs:attribute name="currency"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>
    <xs:choice minOccurs="0" maxOccurs="unbounded"><xs:element name="x" type="xs:int"/><xs:element name="y" type="xs:int"/></xs:choice></xs:sequence>""")  # fmt: skip


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("Items", Field("", required=True)),
        ("Items.Item", Field("", repeated=True, required=True)),
        ("Items.Item[]", Field("", required=True)),
        ("Items.Item[].WRBTR", Field("decimal", required=True, total_digits=13, fraction_digits=2)),
        ("Items.Item[].Text", Field("string", nillable=True, max_length=40)),
        ("Items.Item[].tags", Field("int", repeated=True, number=True)),
        ("Items.Item[].@id", Field("int", required=True, number=True)),
        ("Items.Item[].more", Field("string", required=True)),
        ("code", Field("string", enumeration=("A", "B"))),
        ("other", Field("string")),
        ("amount.$value", Field("decimal", required=True)),
        ("amount.@currency", Field("anySimpleType")),
        ("$items[].x", Field("int", number=True)),
        ("Items.Item.WRBTR", None),
        ("Items[].Item", None),
        ("Items.Nix", None),
        ("code.x", None),
        ("", None),
        ("Items.", None),
        ("Items..Item", None),
        ("]", None),
    ],
)
@pytest.mark.parametrize("direction", ["request", "answer"])
def test_paths(path: str, field: Field | None, direction: Literal["request", "answer"]) -> None:
    found = contract(BODY)
    assert resolve(found, found.operation("echo"), direction, path) == field


def test_one_resolver_answers_every_path_in_any_order() -> None:
    found = contract(BODY)
    field_of = resolver(found, found.operation("echo"), "answer")
    paths = [
        "Items.Item[].WRBTR",
        "Items",
        "Items.Item.WRBTR",
        "Items.Item[].Text",
        "Items[].Item",
        "Items.Nix.a",
        "Items.Nix",
        "Items",
    ]
    assert [field_of(path) for path in paths] == [resolve(found, found.operation("echo"), "answer", path) for path in paths]


def test_clark_names_are_read_whole() -> None:
    other = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://o.example/x"><xs:element name="id" type="xs:int"/></xs:schema>'
    body = root(
        '<xs:sequence><xs:element name="id" type="xs:string"/><xs:element ref="o:id" xmlns:o="http://o.example/x"/></xs:sequence>'
    )
    found = read(wsdl(schema(body) + other))
    assert resolve(found, found.operation("echo"), "request", "{http://o.example/x}id") == Field(
        "int", required=True, number=True
    )


def test_parts_headers_and_no_answer() -> None:
    elements = '<xs:element name="A" type="xs:int"/><xs:element name="B" type="xs:string"/>'
    found = parts_wsdl(
        "document",
        '<part name="a" element="t:A"/><part name="b" element="t:B"/>',
        elements,
        headers='<soap:header message="w:H" part="h" use="literal"/>',
        header_message='<message name="H"><part name="h" element="t:B"/></message>',
    )
    operation = found.operation("do")
    assert resolve(found, operation, "request", "A") == Field("int", required=True, number=True)
    assert resolve(found, operation, "request", "$headers.B") == Field("string", required=True)
    assert resolve(found, operation, "answer", "A") is None
    one_way = read(wsdl(schema(elements.replace('"A"', '"Root"'))).replace('<output message="w:M"/>', ""))
    assert resolve(one_way, one_way.operation("echo"), "answer", "A") is None
