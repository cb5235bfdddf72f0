"""The global components of every schema a contract reaches, indexed by kind and Clark name, before any is interpreted.

Follows import, include (chameleon includes take the includer's namespace) and redefine. A component keeps the schema document
it stands in, because form defaults and prefixes are those of its document. Nothing is fetched that ``Documents`` refuses; what
stayed unread is remembered by namespace, so that a dangling reference can say why it dangles.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from gateway.protocols.soap.documents import Documents, Node, Unavailable, children, problem
from gateway.protocols.soap.model import XML, XSD, namespace

KINDS = {
    f"{{{XSD}}}{tag}": kind
    for tag, kind in {
        "element": "element",
        "attribute": "attribute",
        "complexType": "type",
        "simpleType": "type",
        "group": "group",
        "attributeGroup": "attributeGroup",
    }.items()
}

STANDARD = {
    "http://xml.apache.org/xml-soap": f"""<schema xmlns="{XSD}" xmlns:a="http://xml.apache.org/xml-soap"
        targetNamespace="http://xml.apache.org/xml-soap">
      <complexType name="mapItem"><sequence>
        <element name="key" type="anyType" nillable="true"/><element name="value" type="anyType" nillable="true"/>
      </sequence></complexType>
      <complexType name="Map"><sequence>
        <element name="item" type="a:mapItem" minOccurs="0" maxOccurs="unbounded"/>
      </sequence></complexType>
    </schema>""",
}
"""Schemas that contracts use without having them: maps as Apache SOAP, Axis and PHP write them."""


class Unresolved(Exception):
    """A reference to something the contract does not contain, or a construct it may not use. The message says what."""


@dataclass(frozen=True, slots=True)
class Component:
    """A schema node and what its document says about it. ``original`` is what a redefinition redefines."""

    node: Node
    namespace: str
    qualified_elements: bool
    qualified_attributes: bool
    original: Component | None = None

    def at(self, node: Node) -> Component:
        """Another node of the same document."""
        return Component(node, self.namespace, self.qualified_elements, self.qualified_attributes, self.original)

    def name(self, reference: str) -> str:
        """The Clark name a QName stands for here."""
        prefix, _, local = reference.strip().rpartition(":")
        if prefix == "xml":
            return f"{{{XML}}}{local}"
        uri = self.node.nsmap.get(prefix or None)
        if uri is None and prefix:
            raise Unresolved(f"the prefix of {reference} is not declared")
        uri = uri or (self.namespace if self.node.getroottree().getroot().get("targetNamespace") is None else "")
        return f"{{{uri}}}{local}" if uri else local


class Components:
    """Every global component, by ``(kind, Clark name)``."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._found: dict[tuple[str, str], Component] = {}
        self._seen: set[tuple[int, str]] = set()
        self._keep: list[Node] = []
        self._unread: dict[str, str] = {}

    def add(self, schema: Node, namespace: str | None = None) -> None:
        """Index a schema element and everything it imports or includes; ``namespace`` is the includer's."""
        pending = [(schema, namespace)]
        while pending:
            node, inherited = pending.pop()
            target = node.get("targetNamespace") or inherited or ""
            if (id(node), target) in self._seen:
                continue
            self._seen.add((id(node), target))
            self._keep.append(node)
            pending += self._index(node, target)

    def get(self, kind: str, name: str) -> Component:
        """Raises ``Unresolved``."""
        found = self._found.get((kind, name))
        space = namespace(name)
        if found is None and space in STANDARD:
            self.add(etree.fromstring(STANDARD[space]))
            found = self._found.get((kind, name))
        if found is None:
            why = self._unread.get(space)
            raise Unresolved(f"{kind} {name} is not in the contract" + (f": {why}" if why else ""))
        return found

    def all(self, kind: str) -> list[tuple[str, Component]]:
        return [(name, component) for (k, name), component in self._found.items() if k == kind]

    def _index(self, schema: Node, target: str) -> list[tuple[Node, str | None]]:
        frame = Component(
            schema,
            target,
            schema.get("elementFormDefault") == "qualified",
            schema.get("attributeFormDefault") == "qualified",
        )
        reached: list[tuple[Node, str | None]] = []
        for node in children(schema):
            tag = str(node.tag)
            if tag in KINDS:
                self._define(frame.at(node), target)
            elif tag == f"{{{XSD}}}import":
                reached += self._follow(node, None)
            elif tag == f"{{{XSD}}}include":
                reached += self._follow(node, target)
            elif tag == f"{{{XSD}}}redefine":
                self._redefine(node, frame, target)
        return reached

    def _define(self, component: Component, target: str) -> None:
        name = component.node.get("name")
        if not name:
            raise problem(component.node, "a global component has no name", "add the name attribute")
        key = f"{{{target}}}{name}" if target else name
        self._found.setdefault((KINDS[str(component.node.tag)], key), component)

    def _follow(self, node: Node, target: str | None) -> list[tuple[Node, str | None]]:
        location = node.get("schemaLocation")
        if not location:
            return []
        try:
            root = self._documents.load(self._documents.resolve(location, node), node)
        except Unavailable as why:
            self._unread.setdefault(node.get("namespace") or target or "", str(why))
            return []
        if root.tag != f"{{{XSD}}}schema":
            raise problem(node, f"{location} is not an XML schema", "correct schemaLocation")
        if target is None:
            return [(root, None)]
        if root.get("targetNamespace") not in (None, target):
            raise problem(node, f"{location} has another target namespace", "use import instead of include")
        return [(root, target)]

    def _redefine(self, node: Node, frame: Component, target: str) -> None:
        for schema, inherited in self._follow(node, target):
            self.add(schema, inherited)
        for child in children(node, *KINDS):
            name = child.get("name") or ""
            key = (KINDS[str(child.tag)], f"{{{target}}}{name}" if target else name)
            original = self._found.get(key)
            self._found[key] = Component(child, target, frame.qualified_elements, frame.qualified_attributes, original)
