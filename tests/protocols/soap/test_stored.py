# ruff: noqa: E501  (a schema reads best on one line)
"""Contracts as data. That every contract of the corpora and of the fuzz comes back equal, and works, is tested where those are."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.soap import Contract, compile_operation
from gateway.protocols.soap.model import ArrayType, Element, Facets, Message, Operation, SimpleType
from gateway.protocols.soap.stored import dump, load
from tests.protocols.soap.encodings import CONTRACT
from tests.protocols.soap.wsdls import contract, root

EMPTY = Contract("/a.wsdl", (), (), {}, {})


@cache
def rich() -> Contract:
    """A contract with something of everything: choices, wildcards, lists, unions, attributes, derived types, code lists."""
    return contract(
        """<xs:complexType name="Base" abstract="true"><xs:sequence/><xs:anyAttribute namespace="##other"/></xs:complexType>
        <xs:complexType name="More"><xs:complexContent><xs:extension base="t:Base"><xs:attribute name="a" use="required">
        <xs:simpleType><xs:union memberTypes="xs:int xs:date"/></xs:simpleType></xs:attribute></xs:extension></xs:complexContent></xs:complexType>"""
        + root(
            """<xs:sequence><xs:choice minOccurs="0" maxOccurs="7"><xs:element name="n" nillable="true"><xs:simpleType>
            <xs:restriction base="xs:decimal"><xs:maxInclusive value="9.5"/><xs:fractionDigits value="1"/></xs:restriction></xs:simpleType></xs:element>
            <xs:element name="l"><xs:simpleType><xs:list itemType="xs:token"/></xs:simpleType></xs:element></xs:choice>
            <xs:element name="b" type="t:Base"/><xs:any processContents="lax" namespace="urn:x ##local" minOccurs="0"/></xs:sequence>"""
        )
    )


@pytest.mark.parametrize("found", [EMPTY, rich(), CONTRACT], ids=["empty", "rich", "encoded"])
def test_a_contract_comes_back_equal(found: Contract) -> None:
    again = load(dump(found))
    assert again == found
    assert dump(again) == dump(found)
    for operation in again.operations:
        compile_operation(again, operation).compile()


def test_a_loaded_contract_is_as_immutable_as_a_read_one() -> None:
    for mapping in (load(dump(rich())).types, load(dump(rich())).derived, load(dump(rich())).elements):
        with pytest.raises(TypeError):
            mapping["x"] = ()  # type: ignore[index]


def test_numbers_beyond_json_keep_their_digits() -> None:
    huge = SimpleType("string", "{urn:t}Huge", facets=Facets(max_length=10**40, min_length=2**53, length=2**53 - 1))
    found = replace(EMPTY, types={"{urn:t}Huge": huge, "{urn:t}Array": ArrayType("{urn:t}Array", "{urn:t}Huge", 2)})
    assert load(dump(found)) == found


def test_what_json_cannot_hold_is_said() -> None:
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        dump(replace(EMPTY, source="/home/\udcff/a.wsdl"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"{}",
        b"[]",
        b'["/a.wsdl",[],[],{}]',
        b'["/a.wsdl",[],[],{},{},{},1]',
        b"[1,[],[],{},{}]",
        b'["/a.wsdl",{},[],{},{}]',
        b'["/a.wsdl",[],[],[],{}]',
        b'["/a.wsdl",[],[],{"t":["ComplexType"]},{}]',
        b'["/a.wsdl",[],[],{"t":["Path","x"]},{}]',
        b'["/a.wsdl",[],[],{"t":["SimpleType","string",null,"heap"]},{}]',
        b'["/a.wsdl",[],[],{"t":["ArrayType","t","u",true]},{}]',
        b'["/a.wsdl",[],[],{"t":["ArrayType","t","u","1e9"]},{}]',
        b'["/a.wsdl",[],[],{},{"t":"u"}]',
    ],
)
def test_what_is_no_contract_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        load(data)


def test_nesting_without_end_is_refused() -> None:
    deep: Any = ["ElementUse", ["x", "y"]]
    for _ in range(400):
        deep = ["Group", "sequence", [deep]]
    type = ["ComplexType", "t", None, None, None, False, False, [], None, None, deep]
    data = json.dumps(["/a.wsdl", [], [], {"t": type}, {}]).encode()
    with pytest.raises(ValueError, match="nested too deep"):
        load(data)


@given(st.data())
def test_any_change_gives_another_contract_or_is_refused(data: st.DataObject) -> None:
    """Whatever stands in the file, reading it never does anything but give a contract or refuse."""
    tree = json.loads(dump(rich()))
    parent, key = data.draw(st.sampled_from(_places(tree)))
    parent[key] = data.draw(st.sampled_from([None, 0, -1, 2.5, True, "", "x", [], [[]], {}, {"a": []}, "Group", ["Group"]]))
    try:
        found = load(json.dumps(tree).encode())
    except ValueError:
        return
    assert isinstance(found, Contract)
    assert all(isinstance(operation, Operation) and isinstance(operation.input, Message) for operation in found.operations)
    assert all(isinstance(element, Element) for element in found.elements.values())
    assert load(dump(found)) == found


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    pending = [tree]
    while pending:
        value = pending.pop()
        for key, inner in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
            found.append((value, key))
            if isinstance(inner, list | dict):
                pending.append(inner)
    return found
