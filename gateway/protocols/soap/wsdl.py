"""WSDL 1.1 into a ``Contract``: which operations there are, and what their messages consist of.

zeep reads the definitions once and links services, ports, bindings and messages across files. It gets them from memory, through
a transport that knows nothing else, with the schemas left out: types are ours (``schema.py``). Details of the SOAP binding that
zeep does not keep (``parts``, ``use``, overloads) are taken from the files themselves, which are also the count: every operation
of every SOAP binding is offered or listed with the reason.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from lxml import etree
from zeep.exceptions import Error as ZeepError
from zeep.settings import Settings
from zeep.wsdl import Document

from gateway.errors import ConfigError, Finding
from gateway.protocols.soap.components import Components, Unresolved
from gateway.protocols.soap.documents import Documents, Fetch, Node, Unavailable, children, problem
from gateway.protocols.soap.form import has_wildcard, obstacle
from gateway.protocols.soap.model import (
    XSD,
    ComplexType,
    Contract,
    Element,
    ElementUse,
    Group,
    Message,
    NotOffered,
    Operation,
    Type,
    local,
    namespace,
)
from gateway.protocols.soap.schema import Schema

WSDL = "http://schemas.xmlsoap.org/wsdl/"
_SOAP: dict[str, Literal["1.1", "1.2"]] = {
    "http://schemas.xmlsoap.org/wsdl/soap/": "1.1",
    "http://schemas.xmlsoap.org/wsdl/soap12/": "1.2",
}
_HTTP = ("http://schemas.xmlsoap.org/soap/http", "http://www.w3.org/2003/05/soap/bindings/HTTP/")


def read_contract(source: str | Path, *, fetch: Fetch | None = None) -> Contract:
    """Read a WSDL and every schema it needs.

    :param source: a path, or a URL when ``fetch`` is given.
    :param fetch: reads a URL; called only for ``source`` and what it names on the same origin.
    Raises ``ConfigError`` when a file is missing, broken or no WSDL 1.1.
    """
    documents = Documents(str(source), fetch)
    files = list(_definitions(documents))
    schema = Schema(_components(documents, files))
    reader = _Reader(files, _linked(documents, files), schema)
    found = list(reader.operations())
    schema.complete()
    types = {**schema.types, **reader.wrappers}
    elements = _known_elements(schema) if any(has_wildcard(type) for type in types.values()) else {}
    types |= schema.types
    derived = schema.derived()
    offered = [_checked(item, types, derived, schema.broken) for item in found]
    return Contract(
        documents.source,
        tuple(item for item in offered if isinstance(item, Operation)),
        tuple(item for item in offered if isinstance(item, NotOffered)),
        MappingProxyType(types),
        MappingProxyType(derived),
        MappingProxyType(elements),
    )


def _components(documents: Documents, files: list[tuple[str, Node]]) -> Components:
    components = Components(documents)
    for _, root in files:
        for schema in chain(root.iterfind(f"{{{WSDL}}}types/{{{XSD}}}schema"), _imported_schemas(documents, root)):
            components.add(schema)
    return components


def _known_elements(schema: Schema) -> dict[str, Element]:
    """Global elements a wildcard may find, those left out whose type is broken."""
    found = schema.all_elements()
    schema.complete()
    return {name: element for name, element in found.items() if element.type in schema.types}


def _checked(
    item: Operation | NotOffered, types: Mapping[str, Type], derived: Mapping[str, tuple[str, ...]], broken: Mapping[str, str]
) -> Operation | NotOffered:
    """The operation, unless something it reaches is missing or cannot be carried yet."""
    if isinstance(item, NotOffered):
        return item
    reason = obstacle(item, types, derived, broken)
    return NotOffered(item.service, item.port, item.name, reason) if reason else item


def _definitions(documents: Documents) -> Iterator[tuple[str, Node]]:
    """The WSDL and those it imports, each once, with its location."""
    pending, seen = [(documents.source, documents.root())], set()
    while pending:
        location, root = pending.pop(0)
        if location in seen:
            continue
        seen.add(location)
        if root.tag == "{http://www.w3.org/ns/wsdl}description":
            raise problem(root, "this is WSDL 2.0", "export the service as WSDL 1.1")
        if root.tag != f"{{{WSDL}}}definitions":
            raise problem(root, "this is no WSDL: the root element is not wsdl:definitions", "name the WSDL file")
        yield location, root
        pending += [found for found in _imports(documents, root) if found[1].tag != f"{{{XSD}}}schema"]


def _imports(documents: Documents, root: Node) -> Iterator[tuple[str, Node]]:
    for node in children(root, f"{{{WSDL}}}import"):
        if not node.get("location"):
            continue
        try:
            target = documents.resolve(node.get("location", ""), node)
        except Unavailable as why:
            raise problem(node, str(why), "save it beside the WSDL and correct the location") from why
        yield target, documents.load(target, node)


def _imported_schemas(documents: Documents, root: Node) -> Iterator[Node]:
    return (found for _, found in _imports(documents, root) if found.tag == f"{{{XSD}}}schema")


# --- what zeep sees --------------------------------------------------------------------------------------------------


class _Memory:
    """The transport zeep is given: documents from memory, nothing from anywhere else."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = contents

    def load(self, url: str) -> bytes:
        return self._contents[str(url)]


def _without_schemas(documents: Documents, files: list[tuple[str, Node]]) -> dict[str, bytes]:
    """Each WSDL without what zeep need not judge: its types are bare declarations of just the names that messages refer to,
    and its bindings do not say how messages are laid out."""
    types = etree.Element(f"{{{WSDL}}}types")
    types.extend(_declarations(chain.from_iterable(root.iter(f"{{{WSDL}}}part") for _, root in files)))
    contents = {}
    for location, root in files:
        clone = copy.deepcopy(root)
        imports = zip(children(root, f"{{{WSDL}}}import"), list(children(clone, f"{{{WSDL}}}import")), strict=True)
        for original, node in imports:
            target = documents.resolve(original.get("location") or "", original) if original.get("location") else None
            if target is None or documents.load(target, original).tag != root.tag:
                clone.remove(node)
            else:
                node.set("location", target)
        _remove(children(clone, f"{{{WSDL}}}types"))
        for binding in children(clone, f"{{{WSDL}}}binding"):
            for operation in children(binding, f"{{{WSDL}}}operation"):
                _remove(children(operation, *(f"{{{WSDL}}}{tag}" for tag in ("input", "output", "fault"))))
        clone.append(copy.deepcopy(types))
        contents[location] = etree.tostring(clone)
    return contents


def _remove(nodes: Iterable[Node]) -> None:
    for node in list(nodes):
        parent = node.getparent()
        if parent is not None:
            parent.remove(node)


def _declarations(parts: Iterable[Node]) -> list[Node]:
    named = {"element": set[str](), "type": set[str]()}
    for part in parts:
        for attribute, names in named.items():
            name = _qname(part, attribute)
            if name and namespace(name) != XSD:
                names.add(name)
    schemas = {}
    for space in {namespace(name) for names in named.values() for name in names}:
        schemas[space] = etree.Element(f"{{{XSD}}}schema", {"targetNamespace": space} if space else {})
    for attribute, names in named.items():
        for name in sorted(names):
            tag = "element" if attribute == "element" else "complexType"
            etree.SubElement(schemas[namespace(name)], f"{{{XSD}}}{tag}", {"name": local(name)})
    return list(schemas.values())


def _qname(node: Node, attribute: str) -> str | None:
    """The Clark name an attribute refers to, as zeep resolves it."""
    value = node.get(attribute)
    if value is None:
        return None
    prefix, _, name = value.strip().rpartition(":")
    uri = node.nsmap.get(prefix or None)
    return f"{{{uri}}}{name}" if uri else name


def _linked(documents: Documents, files: list[tuple[str, Node]]) -> Document:
    settings = Settings(forbid_dtd=True, forbid_entities=True, forbid_external=True, force_https=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            memory: Any = _Memory(_without_schemas(documents, files))
            return Document(documents.source, memory, settings=settings)
    except (ZeepError, LookupError, AttributeError, TypeError, ValueError, AssertionError) as error:
        what = f"the WSDL does not hold together: {type(error).__name__}: {error}"
        raise ConfigError([Finding(documents.source, 0, what, "check its bindings, port types and messages")]) from error


# --- operations ------------------------------------------------------------------------------------------------------


class _Reader:
    """Builds the operations of a linked WSDL, one at a time, so that one that fails takes no other with it."""

    def __init__(self, files: list[tuple[str, Node]], linked: Document, schema: Schema) -> None:
        self.files, self.linked, self.schema = files, linked, schema
        self.wrappers: dict[str, ComplexType] = {}
        self.nodes: dict[tuple[str, str], Node] = {}
        self.again: list[tuple[str, Node]] = []
        for _, root in self.files:
            space = root.get("targetNamespace") or ""
            for tag in ("binding", "portType", "message"):
                for node in children(root, f"{{{WSDL}}}{tag}"):
                    name = f"{{{space}}}{node.get('name')}"
                    if self.nodes.setdefault((tag, name), node) is not node and _soap_version(node):
                        self.again.append((name, node))

    def operations(self) -> Iterator[Operation | NotOffered]:
        """Every operation of every SOAP binding, in the order of the files."""
        unused = {name: node for (tag, name), node in self.nodes.items() if tag == "binding" and _soap_version(node)}
        for _, root in self.files:
            for service in children(root, f"{{{WSDL}}}service"):
                for port in children(service, f"{{{WSDL}}}port"):
                    name = self._binding_name(port)
                    unused.pop(name, None)
                    yield from self._port(service, port, name)
        for name, binding in unused.items():
            yield from _not_offered(binding, f"no port of a service uses the binding {local(name)}")
        for name, binding in self.again:
            yield from _not_offered(binding, f"another binding has the name {local(name)} too")

    def _binding_name(self, port: Node) -> str:
        name = _qname(port, "binding") or ""
        if ("binding", name) in self.nodes:
            return name
        same = [full for tag, full in self.nodes if tag == "binding" and local(full) == local(name)]
        return same[0] if len(same) == 1 else name

    def _port(self, service: Node, port: Node, name: str) -> Iterator[Operation | NotOffered]:
        place = (service.get("name") or "", port.get("name") or "")
        binding = self.nodes.get(("binding", name))
        version = _soap_version(binding) if binding is not None else None
        if binding is None or version is None:
            return
        linked = self._linked_binding(*place, name)
        names = [node.get("name") or "" for node in children(binding, f"{{{WSDL}}}operation")]
        for node in children(binding, f"{{{WSDL}}}operation"):
            operation = node.get("name") or ""
            try:
                if names.count(operation) > 1:
                    raise Unresolved("the port type overloads this name")
                found = linked.get(operation) if linked is not None else None
                if found is None or found.abstract is None:
                    raise Unresolved(self._why_unlinked(binding))
                yield self._operation(place, _address(port), version, node, found)
            except Unresolved as why:
                yield NotOffered(*place, operation, str(why))

    def _linked_binding(self, service: str, port: str, name: str) -> dict[str, Any] | None:
        for definition in self.linked._definitions.values():
            found = definition.services.get(service)
            linked = found.ports.get(port) if found is not None else None
            if linked is not None and linked.binding is not None and linked.binding.name.text == name:
                return dict(linked.binding.all())
        return None

    def _why_unlinked(self, binding: Node) -> str:
        for soap in children(binding, *(f"{{{space}}}binding" for space in _SOAP)):
            if soap.get("transport") not in _HTTP:
                return f"the transport {soap.get('transport')} is not HTTP"
        return "its port type does not declare it, or a message it names does not exist"

    def _operation(
        self, place: tuple[str, str], address: str, version: Literal["1.1", "1.2"], node: Node, linked: Any
    ) -> Operation:
        abstract = linked.abstract
        if abstract.input_message is None:
            raise Unresolved("it has no input: the server calls, the client listens")
        style: Literal["document", "rpc"] = "rpc" if linked.style == "rpc" else "document"
        output = None
        if abstract.output_message is not None:
            output = self._message(node, "output", style, abstract.output_message)
        return Operation(
            node.get("name") or "",
            *place,
            version,
            linked.soapaction or "",
            style,
            self._message(node, "input", style, abstract.input_message),
            output,
            MappingProxyType(self._faults(abstract.fault_messages.values())),
            address,
            self._documentation(node),
        )

    def _message(self, node: Node, direction: str, style: str, abstract: Any) -> Message:
        frame = node.find(f"{{{WSDL}}}{direction}")
        space = _soap_space(node)
        body = frame.find(f"{{{space}}}body") if frame is not None else None
        if frame is None or body is None:
            mime = frame is not None and frame.find("{http://schemas.xmlsoap.org/wsdl/mime/}multipartRelated") is not None
            raise Unresolved(f"its {direction} is a MIME multipart" if mime else f"its {direction} has no soap:body")
        if body.get("use", "literal") != "literal":
            raise Unresolved(f"its {direction} is encoded (use={body.get('use')}), not literal")
        headers = [self._header(header) for header in children(frame, f"{{{space}}}header")]
        parts = dict(abstract.parts)
        if body.get("parts") is not None:
            parts = {name: parts[name] for name in body.get("parts", "").split() if name in parts}
        else:
            own = {name for message, name, _ in headers if message == abstract.name.text}
            parts = {name: part for name, part in parts.items() if name not in own}
        elements = tuple(element for _, _, element in headers)
        if style == "rpc":
            return Message((self._wrapper(node, direction, body.get("namespace") or "", parts),), headers=elements)
        return Message(tuple(self._document_part(*part) for part in parts.items()), len(parts) > 1, elements)

    def _document_part(self, name: str, part: Any) -> Element:
        if part.element is None:
            raise Unresolved(f"part {name} names a type where document style needs an element")
        return self.schema.element(str(part.element.qname))

    def _header(self, node: Node) -> tuple[str, str, Element]:
        message, name = _qname(node, "message") or "", node.get("part") or ""
        raw = self.nodes.get(("message", message))
        part = next((p for p in raw if p.get("name") == name), None) if raw is not None else None
        element = _qname(part, "element") if part is not None else None
        if element is None:
            raise Unresolved(f"its header part {name} is not an element")
        if node.get("use", "literal") != "literal":
            raise Unresolved(f"its header {name} is encoded, not literal")
        return message, name, self.schema.element(element)

    def _wrapper(self, node: Node, direction: str, space: str, parts: Mapping[str, Any]) -> Element:
        for name, part in parts.items():
            if part.type is None:
                raise Unresolved(f"part {name} names an element where RPC style needs a type")
        uses = tuple(ElementUse(self.schema.part(name, str(part.type.qname))) for name, part in parts.items())
        operation = (node.get("name") or "") + ("Response" if direction == "output" else "")
        name = f"{{{space}}}{operation}" if space else operation
        signature = ",".join(f"{use.element.name}={use.element.type}" for use in uses)
        key = f"{name}({signature})"
        self.wrappers[key] = ComplexType(key, content=Group("sequence", uses) if uses else None)
        return Element(name, key)

    def _faults(self, messages: Iterable[Any]) -> dict[str, Element]:
        names = [str(part.element.qname) for message in messages for part in message.parts.values() if part.element is not None]
        return {name: self.schema.element(name) for name in names}

    def _documentation(self, node: Node) -> str:
        binding = node.getparent()
        port_type = self.nodes.get(("portType", _qname(binding, "type") or "")) if binding is not None else None
        for operation in port_type if port_type is not None else ():
            if operation.get("name") == node.get("name"):
                return " ".join((operation.findtext(f"{{{WSDL}}}documentation") or "").split())
        return ""


def _not_offered(binding: Node, reason: str) -> Iterator[NotOffered]:
    return (NotOffered("", "", node.get("name") or "", reason) for node in children(binding, f"{{{WSDL}}}operation"))


def _soap_space(node: Node) -> str:
    binding = node.getparent()
    for child in binding if binding is not None else ():
        space = namespace(str(child.tag))
        if space in _SOAP:
            return space
    return ""


def _soap_version(binding: Node) -> Literal["1.1", "1.2"] | None:
    for child in children(binding):
        name = str(child.tag)
        if namespace(name) in _SOAP and local(name) == "binding":
            return _SOAP[namespace(name)]
    return None


def _address(port: Node) -> str:
    for child in children(port):
        if local(str(child.tag)) == "address":
            return child.get("location") or ""
    return ""
