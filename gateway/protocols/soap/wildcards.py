"""Values whose type the contract leaves open: ``xs:any``, ``xs:anyType`` and ``xs:anyAttribute``.

A known global element travels typed under its Clark name; an element nobody declared travels as ``{"$xml": "..."}`` with the
namespaces it needs. ``$xml`` from a caller is parsed and written anew, so that it can only ever be what it says: well-formed
elements, no document type, nothing that closes a tag it did not open. ``anyType`` is a string, ``{"$type", ...}`` for a type the
contract knows, or ``{"$xml"}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, Protocol

from lxml import etree

from gateway.protocols.soap import lexical, simple
from gateway.protocols.soap.documents import Node, has_doctype
from gateway.protocols.soap.model import (
    ANY_TYPE,
    XML,
    XSD,
    XSI,
    ComplexType,
    Contract,
    Element,
    SimpleType,
    Wildcard,
    local,
    namespace,
)

_NAME = re.compile(lexical.NCNAME).fullmatch


class Unfit(ValueError):
    """The value does not fit the contract."""


def escape(text: str) -> str:
    """Character data (XML 1.0 section 2.4); a carriage return survives as a reference."""
    if "&" in text:
        text = text.replace("&", "&amp;")
    return text.replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def escape_attribute(text: str) -> str:
    """Character data that also survives attribute value normalisation (XML 1.0 section 3.3.3)."""
    return escape(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")


def fragment(text: object) -> str:
    """Well-formed content, rewritten. Raises ``Unfit``."""
    if not isinstance(text, str):
        raise Unfit("must be a string of XML")
    lexical.check_characters(text)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(f"<r>{text}</r>", parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Unfit("is not well-formed XML") from error
    if has_doctype(root):
        raise Unfit("has a document type")
    return inner_xml(root)


def one_element(value: object) -> tuple[str, str]:
    """A single element as XML, rewritten, and its Clark name. Raises ``Unfit``."""
    text = fragment(value).strip()
    root = etree.fromstring(f"<r>{text}</r>")
    if len(root) != 1 or root.text or root[0].tail:
        raise Unfit("must be exactly one element")
    return text, str(root[0].tag)


def inner_xml(node: Node) -> str:
    """The content of an element as XML, each child with the namespaces it uses."""
    parts = [escape(node.text or "")]
    for child in node:
        parts.append(outer_xml(child))
        parts.append(escape(child.tail or ""))
    return "".join(parts)


def outer_xml(node: Node) -> str:
    """An element as XML that stands on its own, with those namespaces in scope that its names, or QNames in its text, use."""
    return _written(node, {})


def _written(node: Node, scope: Mapping[str | None, str]) -> str:
    """An element below ancestors that declare ``scope``. Written here, because libxml2 cannot drop what is unused without also
    dropping ``xmlns=""``."""
    name = f"{node.prefix}:{local(str(node.tag))}" if node.prefix else str(local(str(node.tag)))
    declared = _declared(node, scope)
    parts = ["<", name]
    parts += [f' xmlns{":" + prefix if prefix else ""}="{escape_attribute(space)}"' for prefix, space in declared.items()]
    prefixes = {space: prefix for prefix, space in {**scope, **declared}.items() if prefix} | {XML: "xml"}
    for key, text in node.items():
        qualified = f"{prefixes[namespace(str(key))]}:{local(str(key))}" if str(key).startswith("{") else str(key)
        parts.append(f' {qualified}="{escape_attribute(str(text))}"')
    if not len(node) and not node.text:
        return "".join([*parts, "/>"])
    parts += [">", escape(node.text or "")]
    inner = {**scope, **declared}
    for child in node:
        parts += [_written(child, inner), escape(child.tail or "")]
    return "".join([*parts, f"</{name}>"])


def _declared(node: Node, scope: Mapping[str | None, str]) -> dict[str | None, str]:
    """The namespaces an element has to declare: those of its name, its attributes, and of what looks like a QName in its text."""
    found: dict[str | None, str] = {}
    if scope.get(node.prefix, "") != namespace(str(node.tag)):
        found[node.prefix] = namespace(str(node.tag))
    texts = [str(text) for text in (node.text, *node.values(), *(child.tail for child in node)) if text]
    needed = {namespace(str(key)) for key in node.keys()} - {"", XML}  # noqa: SIM118
    return found | {
        prefix: space
        for prefix, space in node.nsmap.items()
        if prefix and scope.get(prefix) != space and (space in needed or any(f"{prefix}:" in text for text in texts))
    }


class Elements(Protocol):
    """What compiles the writers of elements only met at run time."""

    def compile(self, elements: Iterable[Element]) -> list[Callable[[object], str]]: ...


class AnyWriter:
    """Renders open values. Writers of known elements are compiled when first met."""

    def __init__(self, contract: Contract, elements: Elements) -> None:
        self._contract = contract
        self._elements = elements
        self._known: dict[str, Callable[[object], str]] = {}

    def slot(self, wildcard: Wildcard, repeated: bool) -> Callable[[Any], str]:
        """The writer of ``$any``."""
        write = self.item((wildcard,))

        def one(value: Any) -> str:
            ((key, inner),) = value.items()
            return write(key, inner)

        def many(value: Any) -> str:
            high = wildcard.max
            if not isinstance(value, list) or len(value) < wildcard.min or (high is not None and len(value) > high):
                raise Unfit
            return "".join(map(one, value))

        return many if repeated else one

    def item(self, wildcards: tuple[Wildcard, ...]) -> Callable[[str, object], str]:
        """The writer of one wildcard element: its key and value."""

        def write(key: str, value: object) -> str:
            if key == "$xml":
                text, name = one_element(value)
                self._admit(wildcards, name)
                return text
            self._admit(wildcards, key)
            return self._known_element(key)(value)

        return write

    def element(self, name: str, nillable: bool) -> Callable[[object], str]:
        """The writer of an ``anyType`` element of that (prefixed) name."""

        def write(value: Any) -> str:
            if value is None and nillable:
                return f'<{name} xsi:nil="true"/>'
            if isinstance(value, str):
                lexical.check_characters(value)
                return f"<{name}>{escape(value)}</{name}>"
            if not isinstance(value, dict):
                raise Unfit
            if value.keys() == {"$xml"}:
                return f"<{name}>{fragment(value['$xml'])}</{name}>"
            return self._typed(name, value)

        return write

    def _typed(self, name: str, value: dict[str, object]) -> str:
        key = value["$type"]
        if not isinstance(key, str):
            raise Unfit
        type = self._contract.types.get(key)
        if type is None and namespace(key) == XSD and local(key) in lexical.BUILTINS:
            type = lexical.builtin(local(key))
        declared = f'xmlns:t="{escape_attribute(namespace(key))}" xsi:type="t:{local(key)}"'
        if isinstance(type, SimpleType):
            if value.keys() != {"$type", "$value"} or type.builtin in lexical.QUALIFIED:
                raise Unfit
            return f"<{name} {declared}>{escape(simple.writer(type)(value['$value']))}</{name}>"
        if not isinstance(type, ComplexType) or not type.name or type.abstract or key == ANY_TYPE:
            raise Unfit("names a type the contract does not know")
        inner = {k: v for k, v in value.items() if k != "$type"}
        text = self._element(f"type {key}", Element("value", key))(inner)
        return f"<{name} {declared}{text.removeprefix('<value').removesuffix('</value>')}</{name}>"

    def attributes(self, value: dict[str, object], known: Container[str]) -> tuple[str, int]:
        """Undeclared attributes ``@{namespace}name`` of an object, and how many there are."""
        parts: list[str] = []
        for key in value:
            if key.startswith("@") and key not in known:
                parts.append(self._attribute(key[1:], value[key], len(parts)))
        return "".join(parts), len(parts)

    def _attribute(self, name: str, text: object, number: int) -> str:
        space = namespace(name)
        if not isinstance(text, str) or not _NAME(local(name)) or space == XSI or "xmlns" in (local(name), name):
            raise Unfit
        lexical.check_characters(text)
        lexical.check_characters(space)
        if not space:
            return f' {local(name)}="{escape_attribute(text)}"'
        return f' xmlns:x{number}="{escape_attribute(space)}" x{number}:{local(name)}="{escape_attribute(text)}"'

    def _admit(self, wildcards: tuple[Wildcard, ...], name: str) -> None:
        if not any(wildcard.admits(namespace(name)) for wildcard in wildcards):
            raise Unfit("is not in a namespace allowed here")

    def _known_element(self, name: str) -> Callable[[object], str]:
        if name not in self._contract.elements:
            raise Unfit("is an element the contract does not know")
        return self._element(name, self._contract.elements[name])

    def _element(self, key: str, element: Element) -> Callable[[object], str]:
        if key not in self._known:
            self._known[key] = self._elements.compile([element])[0]
        return self._known[key]
