"""A contract's fields as rows: what each becomes, what stays whole, and that the gateway itself takes every row."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.config.source import parse_source
from gateway.contracts.fields import Direction, NoTable, places
from gateway.contracts.tables import Row, rows
from gateway.contracts.text import flow
from gateway.mapping import compile_answer, compile_request, read_tables
from gateway.protocols.soap import Contract, compile_operation, resolve
from tests.protocols.soap.wsdls import attached, contract, read, root, schema


def sequence(*elements: str) -> str:
    return root(f"<xs:sequence>{''.join(elements)}</xs:sequence>")


def element(name: str, facets: str = "", base: str = "xs:string", more: str = "") -> str:
    if not facets:
        return f'<xs:element name="{name}" type="{base}" {more}/>'
    simple = f'<xs:simpleType><xs:restriction base="{base}">{facets}</xs:restriction></xs:simpleType>'
    return f'<xs:element name="{name}" {more}>{simple}</xs:element>'


def made(known: Contract, direction: Direction = "request", limit: int = 400) -> list[Row]:
    """The rows of ``echo``, which are also compiled against the contract."""
    operation = known.operations[0]
    found = rows(places(known, operation, direction, limit), direction)
    text = "tables:\n  t:\n    rows:\n" + "".join(f"      - {flow(row)}\n" for row in found)
    table = read_tables(parse_source(text.encode(), name="t.yaml", folder=Path()))["t"]
    leaf = partial(resolve, known, operation, direction)
    if direction == "request":
        compile_request(table, leaf=leaf)
    else:
        compile_answer(table, leaf=leaf)
    return found


def request_of(known: Contract) -> Any:
    found = made(known)
    text = "tables:\n  t:\n    rows:\n" + "".join(f"      - {flow(row)}\n" for row in found)
    table = read_tables(parse_source(text.encode(), name="t.yaml", folder=Path()))["t"]
    return compile_request(table, leaf=partial(resolve, known, known.operations[0], "request"))


@pytest.mark.parametrize(
    ("base", "facets", "expected"),
    [
        ("xs:string", "", {}),
        ("xs:string", '<xs:maxLength value="10"/>', {"max": 10}),
        ("xs:string", '<xs:length value="3"/>', {"min": 3, "max": 3}),
        ("xs:string", '<xs:pattern value="[A-Z]{3}-[0-9]?"/>', {"pattern": "[A-Z]{3}-[0-9]?"}),
        ("xs:string", '<xs:pattern value="[A-Z]?[A-Z]?"/>', {}),
        ("xs:string", '<xs:pattern value="(a+)+"/>', {}),
        ("xs:string", '<xs:pattern value="\\p{L}"/>', {}),
        ("xs:string", '<xs:enumeration value="01"/>', {"type": "codes", "values": {"01": "01"}}),
        ("xs:string", '<xs:enumeration value=""/><xs:enumeration value="b"/>', {}),
        ("xs:string", '<xs:enumeration value="${env:HOME}"/>', {}),
        ("xs:int", "", {"type": "integer"}),
        ("xs:unsignedByte", "", {"type": "integer", "min": 0, "max": 255}),
        ("xs:int", '<xs:minInclusive value="1"/><xs:maxInclusive value="9"/>', {"type": "integer", "min": 1, "max": 9}),
        ("xs:long", "", {"type": "decimal", "scale": 0}),
        ("xs:integer", '<xs:totalDigits value="5"/>', {"type": "integer", "min": -99999, "max": 99999}),
        ("xs:decimal", '<xs:fractionDigits value="2"/><xs:totalDigits value="9"/>', {"type": "decimal", "scale": 2}),
        ("xs:decimal", '<xs:minInclusive value="0.01"/>', {"type": "decimal", "min": "0.01"}),
        ("xs:double", "", {"type": "any"}),
        ("xs:boolean", "", {"type": "boolean"}),
        ("xs:date", "", {"type": "date"}),
        ("xs:dateTime", "", {"type": "datetime"}),
        ("xs:time", "", {}),
        ("xs:base64Binary", "", {}),
        ("xs:base64Binary", '<xs:maxLength value="3"/>', {"type": "any"}),
        ("xs:NMTOKENS", "", {"type": "any"}),
        ("xs:anyType", "", {"type": "any"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("direction", ["request", "answer"])
def test_types(base: str, facets: str, expected: Row, direction: Direction) -> None:
    found = made(contract(sequence(element("a", facets, base, 'minOccurs="0"'))), direction)
    assert found == [{"rest": "a", "erp": "a", **expected}]


def test_required_nillable_and_documentation() -> None:
    doc = "<xs:annotation><xs:documentation>One\n  ${env:HOME} # two</xs:documentation></xs:annotation>"
    known = contract(sequence(f'<xs:element name="a" type="xs:string" nillable="true">{doc}</xs:element>'))
    row = {"rest": "a", "erp": "a", "required": True, "nullable": True, "doc": "One $ {env:HOME} # two"}
    assert made(known) == [row]
    del row["required"]
    assert made(known, "answer") == [row]


def test_lists() -> None:
    known = contract(sequence(element("a", more='maxOccurs="3"'), element("b", more='minOccurs="0" maxOccurs="unbounded"')))
    assert made(known) == [
        {"rest": "a[]", "erp": "a[]", "type": "list", "min": 1, "max": 3, "required": True},
        {"rest": "a[]", "erp": "a[]"},
        {"rest": "b[]", "erp": "b[]"},
    ]
    assert made(known, "answer") == [{"rest": "a[]", "erp": "a[]", "type": "any"}, {"rest": "b[]", "erp": "b[]", "type": "any"}]


def test_objects_say_whether_they_are_required() -> None:
    inner = f"<xs:complexType><xs:sequence>{element('c')}</xs:sequence></xs:complexType>"
    optional = inner.replace('name="c"', 'name="c" minOccurs="0"')
    known = contract(
        sequence(
            f'<xs:element name="a" minOccurs="0">{inner}</xs:element>',
            f'<xs:element name="b">{inner}</xs:element>',
            f'<xs:element name="d">{optional}</xs:element>',
        )
    )
    assert made(known) == [
        {"rest": "a", "type": "object"},
        {"rest": "a.c", "erp": "a.c", "required": True},
        {"rest": "b.c", "erp": "b.c", "required": True},
        {"rest": "d", "type": "object", "required": True},
        {"rest": "d.c", "erp": "d.c"},
    ]


def test_a_choice_requires_none_of_its_branches() -> None:
    choice = f"<xs:choice>{element('a')}{element('b')}</xs:choice>"
    known = contract(sequence(choice))
    assert made(known) == [{"rest": "a", "erp": "a"}, {"rest": "b", "erp": "b"}]
    assert request_of(known)({"b": "x"}) == {"b": "x"}


def test_attributes_and_text() -> None:
    unit = '<xs:attribute name="unit" use="required"/>'
    content = f'<xs:simpleContent><xs:extension base="xs:decimal">{unit}</xs:extension></xs:simpleContent>'
    known = contract(sequence(f'<xs:element name="a"><xs:complexType>{content}</xs:complexType></xs:element>'))
    assert made(known) == [
        {"rest": "a.@unit", "erp": "a.@unit", "required": True},
        {"rest": "a.$value", "erp": "a.$value", "type": "decimal", "required": True},
    ]
    known_request = request_of(known)({"a": {"@unit": "kg", "$value": "1.50"}})
    assert b">1.50<" in compile_operation(known, known.operations[0]).encode(known_request)


@pytest.mark.parametrize(
    "content",
    [
        '<xs:element name="a" type="t:Tree" minOccurs="0"/>',
        f'<xs:choice maxOccurs="unbounded">{element("x")}{element("y")}</xs:choice>',
        '<xs:element name="x.y" type="xs:string"/>',
        '<xs:any processContents="lax"/>',
    ],
)
def test_what_has_no_rows_of_its_own_moves_whole(content: str) -> None:
    tree = f'<xs:complexType name="Tree"><xs:sequence>{content}</xs:sequence></xs:complexType>'
    known = contract(sequence('<xs:element name="t" type="t:Tree"/>') + tree)
    found = made(known)
    assert [row["type"] for row in found if "erp" in row] == ["any"]


def test_a_derived_type_moves_whole() -> None:
    types = (
        f'<xs:complexType name="A"><xs:sequence>{element("x")}</xs:sequence></xs:complexType>'
        '<xs:complexType name="B"><xs:complexContent><xs:extension base="t:A"><xs:sequence>'
        f"{element('y')}</xs:sequence></xs:extension></xs:complexContent></xs:complexType>"
    )
    assert made(contract(sequence('<xs:element name="a" type="t:A"/>') + types)) == [
        {"rest": "a", "erp": "a", "type": "any", "required": True}
    ]


def test_a_huge_message_is_unfolded_breadth_first_and_only_so_far() -> None:
    types = "".join(
        f'<xs:complexType name="T{n}"><xs:sequence>'
        + "".join(f'<xs:element name="f{m}" type="t:T{n + 1}" minOccurs="0"/>' for m in range(10))
        + "</xs:sequence></xs:complexType>"
        for n in range(8)
    )
    last = '<xs:complexType name="T8"><xs:sequence><xs:element name="x" type="xs:string"/></xs:sequence></xs:complexType>'
    known = contract(sequence('<xs:element name="a" type="t:T0"/>') + types + last)
    found = [row for row in made(known, limit=100) if "erp" in row]
    assert 80 <= len(found) <= 100
    assert all(row["type"] == "any" for row in found)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('<xs:element name="Root" type="xs:string"/>', "single value"),
        (root("<xs:sequence/>"), "no fields"),
        (root('<xs:sequence><xs:any processContents="lax"/></xs:sequence>'), "open, mixed"),
        (sequence(element("x.y")), "open, mixed"),
    ],
)
def test_messages_without_a_table(body: str, why: str) -> None:
    known = contract(body)
    with pytest.raises(NoTable, match=why):
        places(known, known.operations[0], "request")


def test_bounds_that_cross_are_left_to_the_contract() -> None:
    known = contract(sequence(element("a", '<xs:minInclusive value="9.5"/><xs:maxInclusive value="1"/>', "xs:decimal")))
    assert made(known) == [{"rest": "a", "erp": "a", "type": "decimal", "required": True}]


def test_attachments_move_whole() -> None:
    known = read(attached(schema(sequence(element("a"))), "output"))
    assert made(known, "answer")[-1] == {"rest": "$attachments", "erp": "$attachments", "type": "any"}
