"""Shapes as one WSDL 1.1 file with its schema inline: document/literal wrapped, a SOAP 1.1 and a SOAP 1.2 port.

Two renderings of the same thing. The one clients read says what is required and within which bounds. The one the facade's own
codecs are compiled from leaves both out, so that the route finds everything wrong with a message at once, with its places, in the
words a REST caller gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lxml import etree

from gateway.protocols.facade.names import ncname
from gateway.protocols.facade.shapes import Choice, Fields, Leaf, Many, Map, Member, Ref, Shape, Shapes
from gateway.protocols.soap.model import XSD

WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
HTTP: Final = "http://schemas.xmlsoap.org/soap/http"
PORTS: Final = {"Soap11": "http://schemas.xmlsoap.org/wsdl/soap/", "Soap12": "http://schemas.xmlsoap.org/wsdl/soap12/"}
ADDRESS: Final = "http://address.invalid/"
"""Stands for the address until somebody asks for the WSDL."""

PROBLEM: Final = "problem"
DOCUMENT_REF: Final = "#Document"
"""What a wrapper refers to the document by; no definition of a schema is called that."""

Node = Any


@dataclass(frozen=True, slots=True)
class Described:
    """One operation as it is published. ``answer`` is None where the ERP answers nothing."""

    name: str
    request: Shapes
    answer: Shapes | None
    recorded: bool
    doc: str = ""


def render(space: str, service: str, operations: Sequence[Described], *, exact: bool = True) -> bytes:
    """The WSDL; ``exact`` with what is required and the facets."""
    names: Any = {None: WSDL, "tns": space, "xs": XSD, "soap": PORTS["Soap11"], "soap12": PORTS["Soap12"]}
    root = etree.Element(f"{{{WSDL}}}definitions", {"name": service, "targetNamespace": space}, nsmap=names)
    schema = _add(_add(root, "types"), f"{{{XSD}}}schema", targetNamespace=space, elementFormDefault="qualified")
    types = _Types(schema, exact)
    types.shared()
    for operation in operations:
        types.operation(operation)
    for name in (*(name for operation in operations for name in (operation.name, f"{operation.name}Response")), PROBLEM):
        _add(_add(root, "message", name=name), "part", name="parameters", element=f"tns:{name}")
    _port_type(root, service, operations)
    for port, soap in PORTS.items():
        _binding(root, service, port, soap, space, operations)
    offered = _add(root, "service", name=service)
    for port, soap in PORTS.items():
        _add(_add(offered, "port", name=port, binding=f"tns:{port}"), f"{{{soap}}}address", location=ADDRESS)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True)


def action(space: str, operation: str) -> str:
    """The SOAPAction of an operation."""
    return f"{space}:{operation}"


def _add(parent: Node, tag: str, **attributes: str) -> Node:
    return etree.SubElement(parent, tag if tag.startswith("{") else f"{{{WSDL}}}{tag}", attributes)


def _port_type(root: Node, service: str, operations: Iterable[Described]) -> None:
    port_type = _add(root, "portType", name=service)
    for operation in operations:
        node = _add(port_type, "operation", name=operation.name)
        if operation.doc:
            _add(node, "documentation").text = operation.doc
        _add(node, "input", message=f"tns:{operation.name}")
        _add(node, "output", message=f"tns:{operation.name}Response")
        _add(node, "fault", name=PROBLEM, message=f"tns:{PROBLEM}")


def _binding(root: Node, service: str, port: str, soap: str, space: str, operations: Iterable[Described]) -> None:
    binding = _add(root, "binding", name=port, type=f"tns:{service}")
    _add(binding, f"{{{soap}}}binding", style="document", transport=HTTP)
    for operation in operations:
        node = _add(binding, "operation", name=operation.name)
        _add(node, f"{{{soap}}}operation", soapAction=action(space, operation.name))
        for direction in ("input", "output"):
            _add(_add(node, direction), f"{{{soap}}}body", use="literal")
        _add(_add(node, "fault", name=PROBLEM), f"{{{soap}}}fault", name=PROBLEM, use="literal")


# --- the schema --------------------------------------------------------------------------------------------------------


def _text(builtin: str = "string") -> Leaf:
    return Leaf(builtin, "string")


def _fields(*members: tuple[str, Shape, bool]) -> Fields:
    return Fields(tuple(Member(name, name, shape, required) for name, shape, required in members))


DOCUMENT: Final = _fields(
    ("id", _text(), True),
    ("state", _text(), False),
    ("execution", _text(), False),
    ("reference", _text(), False),
    ("reason", Many(_text()), False),
    ("location", _text("anyURI"), False),
    ("retryAfter", Leaf("int", "integer"), False),
    ("replayed", Leaf("boolean", "boolean"), False),
)
"""What a call is told about the document it became."""

PROBLEM_SHAPE: Final = _fields(
    ("type", _text("anyURI"), True),
    ("title", _text(), True),
    ("status", Leaf("int", "integer"), True),
    ("detail", _text(), False),
    ("instance", _text("anyURI"), False),
    ("origin", _text(), False),
    ("retryable", Leaf("boolean", "boolean"), False),
    ("outcome", _text(), False),
    ("document", _text(), False),
    ("retryAfter", Leaf("int", "integer"), False),
    ("error", Many(_fields(("pointer", _text(), True), ("element", _text(), False), ("detail", _text(), True))), False),
)
"""RFC 9457 members, and where each error is."""


class _Types:
    """Writes elements and named types into a schema. A type is named after the path to it: names stay when others come."""

    def __init__(self, schema: Node, exact: bool) -> None:
        self._schema = schema
        self._exact = exact
        self._used: set[str] = set()
        self._prefix = ""
        self._bounded = False

    def shared(self) -> None:
        self._named("Document", DOCUMENT)
        self._named("Problem", PROBLEM_SHAPE)
        _add(self._schema, f"{{{XSD}}}element", name=PROBLEM, type="tns:Problem")

    def operation(self, operation: Described) -> None:
        self._message(operation.name, operation.request, operation.request.root, bounded=True)
        parts = []
        if operation.answer is not None:
            doc = "There once the ERP answered." if operation.recorded else ""
            parts.append(Member("answer", "answer", operation.answer.root, required=not operation.recorded, doc=doc))
        if operation.recorded:
            doc = "What the call became. Without an answer it waits, or is being sent: its state says which."
            parts.append(Member("document", "document", Ref(DOCUMENT_REF), doc=doc))
        wrapper = Fields(tuple(parts))
        self._message(f"{operation.name}Response", operation.answer or Shapes(wrapper), wrapper, bounded=False)

    def _message(self, name: str, shapes: Shapes, root: Shape, *, bounded: bool) -> None:
        """``bounded`` says facets: a request has to keep them, an answer may hold a code the ERP has learned since."""
        self._prefix, self._bounded = name, bounded and self._exact
        for key, shape in shapes.definitions.items():
            self._named(self._definition(key), shape)
        node = _add(self._schema, f"{{{XSD}}}element", name=name)
        self._complex(_add(node, f"{{{XSD}}}complexType"), root, name)

    def _definition(self, key: str) -> str:
        return "Document" if key == DOCUMENT_REF else f"{self._prefix}_{ncname(key)}"

    def _named(self, name: str, shape: Shape) -> str:
        """Write a complex type and return its name."""
        unique, count = name, 1
        while unique in self._used:
            count += 1
            unique = f"{name}{count}"
        self._used.add(unique)
        node = etree.Element(f"{{{XSD}}}complexType", {"name": unique})
        self._complex(node, shape, unique)
        self._schema.append(node)
        return unique

    def _complex(self, node: Node, shape: Shape, path: str) -> None:
        """The content of a complex type."""
        sequence = _add(node, f"{{{XSD}}}sequence")
        if isinstance(shape, Fields):
            self._members(sequence, shape.members, path)
        elif isinstance(shape, Choice):
            choice = _add(sequence, f"{{{XSD}}}choice")
            for option in shape.options:
                self._element(choice, option.name, option.shape, path, doc=option.doc)
        elif isinstance(shape, Many):
            self._element(sequence, "item", shape.item, path, low=shape.min, high=shape.max, many=True)
        elif isinstance(shape, Map):
            entry = Fields((Member("key", "key", _text(), True), Member("value", "value", shape.value, True)))
            self._element(sequence, "entry", entry, path, low=0, high=None, many=True)

    def _members(self, sequence: Node, members: Sequence[Member], path: str) -> None:
        choices: dict[int, Node] = {}
        for member in members:
            parent = sequence
            if member.rival:
                if member.rival not in choices:
                    choices[member.rival] = _add(sequence, f"{{{XSD}}}choice", minOccurs="0")
                parent = choices[member.rival]
            shape = member.shape
            if isinstance(shape, Many) and not shape.nullable:
                low = max(shape.min, 1) if member.required and shape.min else 0
                self._element(parent, member.name, shape.item, path, low=low, high=shape.max, many=True, doc=member.doc)
            else:
                low = 1 if member.required or member.rival else 0
                self._element(parent, member.name, shape, path, low=low, doc=member.doc)

    def _element(
        self,
        parent: Node,
        name: str,
        shape: Shape,
        path: str,
        *,
        low: int = 1,
        high: int | None = 1,
        many: bool = False,
        doc: str = "",
    ) -> None:
        attributes = {"name": name}
        if not self._exact:
            low, high = 0, None if many else 1
        if low != 1:
            attributes["minOccurs"] = str(low)
        if high != 1:
            attributes["maxOccurs"] = "unbounded" if high is None else str(high)
        if shape.nullable:
            attributes["nillable"] = "true"
        node = etree.Element(f"{{{XSD}}}element", attributes)
        parent.append(node)
        if doc and self._exact:
            _add(_add(node, f"{{{XSD}}}annotation"), f"{{{XSD}}}documentation").text = _visible(doc)
        if isinstance(shape, Leaf):
            self._leaf(node, shape)
        elif isinstance(shape, Ref):
            node.set("type", f"tns:{self._definition(shape.name)}")
        else:
            node.set("type", f"tns:{self._named(f'{path}_{name}', shape)}")

    def _leaf(self, node: Node, leaf: Leaf) -> None:
        base = f"xs:{leaf.builtin}"
        if not leaf.facets or not self._bounded:
            node.set("type", base)
            return
        restriction = _add(_add(node, f"{{{XSD}}}simpleType"), f"{{{XSD}}}restriction", base=base)
        for name, value in leaf.facets:
            _add(restriction, f"{{{XSD}}}{name}", value=value)


def _visible(text: str) -> str:
    """Text without what XML cannot hold."""
    return "".join(character if character.isprintable() else " " for character in text)
