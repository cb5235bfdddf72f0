from __future__ import annotations

import pytest

from gateway.protocols.soap.components import Component, Unresolved
from gateway.protocols.soap.declared import (
    checked,
    documentation,
    facets_of,
    is_true,
    merged,
    occurs,
    prohibited,
    wildcard_of,
)
from gateway.protocols.soap.documents import Node, parse
from gateway.protocols.soap.model import XSD, Attribute, Facets, SimpleType, Wildcard


def node(text: str) -> Node:
    return parse(text.replace(" ", f' xmlns:xs="{XSD}" ', 1).encode(), "/a.xsd")


def component(text: str) -> Component:
    return Component(node(text), "urn:t", True, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", (1, 1)), ('minOccurs="0"', (0, 1)), ('maxOccurs="unbounded"', (1, None)), ('minOccurs="2" maxOccurs="9"', (2, 9))],
)
def test_occurrences(text: str, expected: tuple[int, int | None]) -> None:
    assert occurs(node(f"<xs:element {text}/>")) == expected


def test_an_occurrence_that_is_no_number_is_named() -> None:
    with pytest.raises(Unresolved, match="'many' is no number"):
        occurs(node('<xs:element maxOccurs="many"/>'))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Wildcard()),
        ('namespace="##other" processContents="lax"', Wildcard(excluded="urn:t", process="lax")),
        ('namespace="##local urn:x ##targetNamespace" processContents="skip"', Wildcard(("", "urn:x", "urn:t"), process="skip")),
    ],
)
def test_wildcards(text: str, expected: Wildcard) -> None:
    assert wildcard_of(component(f"<xs:any {text}/>")) == expected


def test_a_wildcard_that_says_nonsense_is_named() -> None:
    with pytest.raises(Unresolved, match="processContents 'never' is unknown"):
        wildcard_of(component('<xs:any processContents="never"/>'))


def test_facets_go_over_those_of_the_base() -> None:
    base = Facets(min_length=1, patterns=(("a+",),), enumeration=("aa", "bb"))
    inner = '<xs:maxLength value=" 5 "/><xs:pattern value="b"/><xs:pattern value="c"/><xs:enumeration value="aa"/>'
    found = facets_of(base, node(f"<xs:restriction >{inner}<xs:minInclusive value=' 1 '/></xs:restriction>"))
    assert found == Facets(("aa",), (("a+",), ("b", "c")), min_length=1, max_length=5, min_inclusive="1")
    with pytest.raises(Unresolved, match="the facet length has the value 'x'"):
        facets_of(base, node('<xs:restriction ><xs:length value="x"/></xs:restriction>'))


def test_facets_that_cannot_be_worked_with_are_named() -> None:
    good = SimpleType("int", facets=Facets(min_inclusive="1"))
    assert checked(good) is good
    with pytest.raises(Unresolved, match="a facet is no int"):
        checked(SimpleType("int", facets=Facets(min_inclusive="one")))
    with pytest.raises(Unresolved, match="is no XML Schema regular expression"):
        checked(SimpleType("string", facets=Facets(patterns=(("(",),))))


def test_a_derived_type_has_the_attributes_of_its_base_but_those_taken_away() -> None:
    text, number = SimpleType("string"), SimpleType("int")
    without = prohibited(
        component('<xs:restriction ><xs:attribute name="b" use="prohibited"/><xs:attribute name="c"/></xs:restriction>')
    )
    found = merged((Attribute("a", text), Attribute("b", text)), (Attribute("a", number), Attribute("c", text)), without)
    assert found == (Attribute("a", number), Attribute("c", text))


def test_documentation_is_one_line_and_flags_are_flags() -> None:
    inner = "<xs:annotation><xs:documentation>one\n  <b>two</b></xs:documentation><xs:documentation/></xs:annotation>"
    assert documentation(node(f"<xs:element >{inner}</xs:element>")) == "one two"
    assert [is_true(text) for text in ("true", "1", "false", "0", None, "yes")] == [True, True, False, False, False, False]
