"""What reads one node, without a compiler around it. Both trees an answer may be read from are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from lxml import etree

from gateway.protocols.soap.form import form_of
from gateway.protocols.soap.lexical import builtin
from gateway.protocols.soap.model import XSI, Attribute, ComplexType, Facets, SimpleType, Wildcard
from gateway.protocols.soap.nodes import (
    Misfit,
    NamespacesNeeded,
    attribute_reader,
    check_attributes,
    is_nil,
    leaf_reader,
    missing,
    nil_reader,
    no_text,
    prefixed,
    selector,
    text_reader,
)

Tree = Callable[[str], Any]


@pytest.fixture(params=[ElementTree.fromstring, etree.fromstring], ids=["fast", "lxml"])
def tree(request: pytest.FixtureRequest) -> Tree:
    found: Tree = request.param
    return found


def element(content: str = "", attributes: str = "") -> str:
    return f'<a xmlns:i="{XSI}" {attributes}>{content}</a>'


def test_a_leaf_in_every_state(tree: Tree) -> None:
    read = leaf_reader(builtin("int"), "7")
    assert read(tree(element("5"))) == 5
    assert read(tree(element(""))) == 7
    assert read(tree(element(attributes='i:nil="true"'))) is None
    for wrong in (element("x"), element("<b/>"), element("5", 'b="1"'), element("5", 'i:nil="1"')):
        with pytest.raises(Misfit, match="element a: "):
            read(tree(wrong))


def test_simple_content_has_text_only(tree: Tree) -> None:
    read = text_reader(SimpleType("int", facets=Facets(max_inclusive="3")))
    assert read(tree(element("5", 'b="1"'))) == 5
    for wrong in (element("x"), element("<b/>")):
        with pytest.raises(Misfit):
            read(tree(wrong))


def test_attributes_by_their_keys(tree: Tree) -> None:
    type = ComplexType("t", attributes=(Attribute("n", builtin("int"), required=True), Attribute("s", builtin("string"))))
    read = attribute_reader(form_of(type))
    assert read(tree(element(attributes='n="1" s="x" i:type="t:T"'))) == {"@n": 1, "@s": "x"}
    for wrong, why in (("", "n is missing"), ('n="x"', "n is not a valid int"), ('n="1" z="1"', "z is unknown")):
        with pytest.raises(Misfit, match=why):
            read(tree(element(attributes=wrong)))
    assert attribute_reader(form_of(type), ignore=True)(tree(element(attributes='n="1" z="1"'))) == {"@n": 1}
    free = attribute_reader(form_of(ComplexType("t", any_attribute=Wildcard())))
    assert free(tree(element(attributes='xmlns:o="urn:o" o:x="1"'))) == {"@{urn:o}x": "1"}


def test_nil_with_and_without_attributes(tree: Tree) -> None:
    read = nil_reader(form_of(ComplexType("t", attributes=(Attribute("n", builtin("int")),))))
    assert read(tree(element(attributes='i:nil="true"'))) is None
    assert read(tree(element(attributes='i:nil="true" n="1"'))) == {"$nil": True, "@n": 1}
    with pytest.raises(Misfit, match="nil and yet with content"):
        read(tree(element("x", 'i:nil="true"')))


def test_a_type_is_chosen_by_its_name_and_compiled_once() -> None:
    compiled: list[str] = []

    def compile(name: str) -> Callable[[Any, int], object]:
        compiled.append(name)
        return lambda node, depth: {"depth": depth}

    read = selector("{urn:t}Base", frozenset({"{urn:t}Base", "{urn:t}More"}), compile)

    def of(name: str) -> Any:
        return etree.fromstring(element(attributes=f'xmlns:t="urn:t" i:type="{name}"'))

    assert read(of("t:More"), 2) == read(of("t:More"), 2) == {"$type": "{urn:t}More", "depth": 2}
    assert read(of("t:Base"), 1) == {"depth": 1}
    assert compiled == ["{urn:t}More", "{urn:t}Base"]
    for wrong in ("t:Other", "u:More"):
        with pytest.raises(Misfit):
            read(of(wrong), 1)
    with pytest.raises(Misfit, match="abstract"):
        read(etree.fromstring(element()), 1)


def test_prefixes_need_a_tree_that_keeps_them() -> None:
    text = element("t:x", 'xmlns:t="urn:t" xmlns="urn:d"')
    assert prefixed(etree.fromstring(text), " t:x ") == "{urn:t}x"
    assert prefixed(etree.fromstring(text), "x") == "{urn:d}x"
    assert prefixed(etree.fromstring(element()), "x") == "x"
    with pytest.raises(Misfit, match="not declared"):
        prefixed(etree.fromstring(text), "u:x")
    with pytest.raises(NamespacesNeeded):
        prefixed(ElementTree.fromstring(text), "t:x")


def test_what_does_not_fit_is_named_and_never_shown(tree: Tree) -> None:
    node = tree(element("secret<b/>tail", 'z="secret"'))
    with pytest.raises(Misfit, match="b is out of place"):
        missing(node, node[0])
    with pytest.raises(Misfit, match="text where only elements belong"):
        no_text(node)
    with pytest.raises(Misfit, match="the attribute z is unknown") as caught:
        check_attributes(node, frozenset())
    assert "secret" not in str(caught.value)
    assert not is_nil(node)
