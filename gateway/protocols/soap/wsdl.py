"""WSDL 1.1 into a ``Contract``: which operations there are, and what their messages consist of.

Services, ports, bindings, port types and messages are indexed over all files, then each operation of each SOAP binding is built
on its own: one that refers to nothing takes no other with it, so every operation is offered or listed with the reason. What
messages consist of is ``schema.py``'s business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from gateway.protocols.soap.components import Components, Unresolved
from gateway.protocols.soap.documents import Documents, Fetch, Node, Unavailable, children, problem
from gateway.protocols.soap.features import Features, Policies, answers_elsewhere, request_action
from gateway.protocols.soap.form import has_wildcard, incomplete, obstacle
from gateway.protocols.soap.model import (
    ENVELOPES,
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
_MIME = "http://schemas.xmlsoap.org/wsdl/mime/"
_HTTP = ("http://schemas.xmlsoap.org/soap/http", "http://www.w3.org/2003/05/soap/bindings/HTTP/")


def read_contract(source: str | Path, *, fetch: Fetch | None = None) -> Contract:
    """Read a WSDL and every schema it needs.

    :param source: a path, or a URL when ``fetch`` is given.
    :param fetch: reads a URL; called only for ``source`` and what it names on the same origin.
    Raises ``ConfigError`` when a file is missing, broken or no WSDL 1.1.
    """
    return link(Documents(str(source), fetch))


def link(documents: Documents) -> Contract:
    """The contract of a WSDL that is the first of these documents. They know afterwards what was read. Raises ``ConfigError``."""
    files = list(_definitions(documents))
    schema = Schema(_components(documents, files))
    reader = _Reader([root for _, root in files], schema)
    found = list(reader.operations())
    schema.complete()
    types = {**schema.types, **reader.wrappers}
    elements = _known_elements(schema) if any(has_wildcard(type) for type in types.values()) else {}
    types |= schema.types
    derived = schema.derived()
    offered = [_checked(item, types, derived, schema.broken) for item in found]
    useless = incomplete(types, derived)
    types = {key: type for key, type in types.items() if key not in useless}
    derived = {key: tuple(child for child in keys if child in types) for key, keys in derived.items() if key in types}
    elements = {name: element for name, element in elements.items() if element.type in types}
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
    """Global elements a wildcard may find, their types built."""
    found = schema.all_elements()
    schema.complete()
    return found


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


# --- operations ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Port:
    """A port of a service and its SOAP binding, and what the two ask of messages."""

    service: str
    name: str
    address: str
    binding: Node
    version: Literal["1.1", "1.2"]
    style: str
    features: Features


@dataclass(frozen=True, slots=True)
class _Part:
    """A message part: its ``element`` or ``type`` is a Clark name, the other one is None."""

    name: str
    element: str | None
    type: str | None


class _Reader:
    """Builds the operations of linked WSDLs, one at a time."""

    def __init__(self, roots: list[Node], schema: Schema) -> None:
        self.roots, self.schema = roots, schema
        self.policies = Policies(roots)
        self.wrappers: dict[str, ComplexType] = {}
        self.nodes: dict[tuple[str, str], Node] = {}
        self.again: list[tuple[str, Node]] = []
        for root in roots:
            space = root.get("targetNamespace") or ""
            for tag in ("binding", "portType", "message"):
                for node in children(root, f"{{{WSDL}}}{tag}"):
                    name = f"{{{space}}}{node.get('name')}" if space else str(node.get("name"))
                    if self.nodes.setdefault((tag, name), node) is not node and _soap_version(node):
                        self.again.append((name, node))

    def operations(self) -> Iterator[Operation | NotOffered]:
        """Every operation of every SOAP binding, in the order of the files."""
        unused = {name: node for (tag, name), node in self.nodes.items() if tag == "binding" and _soap_version(node)}
        services = [service for root in self.roots for service in children(root, f"{{{WSDL}}}service")]
        for service in services:
            for port in children(service, f"{{{WSDL}}}port"):
                name = self._binding_name(port)
                unused.pop(name, None)
                yield from self._port(service.get("name") or "", port, name)
        for name, binding in unused.items():
            if not services:
                yield from self._port("", binding, name)
                continue
            yield from _not_offered(binding, f"no port of a service uses the binding {local(name)}")
        for name, binding in self.again:
            yield from _not_offered(binding, f"another binding has the name {local(name)} too")

    def _binding_name(self, port: Node) -> str:
        """The binding of a port; by its local name alone where the namespace is wrong and only one binding can be meant."""
        try:
            name = _qname(port, "binding") or ""
        except Unresolved:
            name = (port.get("binding") or "").rpartition(":")[2]
        if ("binding", name) in self.nodes:
            return name
        same = [full for tag, full in self.nodes if tag == "binding" and local(full) == local(name)]
        return same[0] if len(same) == 1 else name

    def _port(self, service: str, node: Node, name: str) -> Iterator[Operation | NotOffered]:
        """The operations of a port, or of a binding alone in a WSDL without services: there its address is configured."""
        binding = self.nodes.get(("binding", name))
        soap = _soap_binding(binding) if binding is not None else None
        if binding is None or soap is None:
            return
        version = _SOAP[namespace(str(soap.tag))]
        style = soap.get("style", "document")
        features = self.policies.features(binding, node)
        port = _Port(service, node.get("name") or "", _address(node), binding, version, style, features)
        bound = list(children(binding, f"{{{WSDL}}}operation"))
        names = [operation.get("name") or "" for operation in bound]
        for name, operation in zip(names, bound, strict=True):
            try:
                if soap.get("transport") not in _HTTP:
                    raise Unresolved(f"the transport {soap.get('transport')} is not HTTP")
                abstract = self._abstract(binding, operation)
                yield self._operation(port, operation, abstract, overloaded=names.count(name) > 1)
            except Unresolved as why:
                yield NotOffered(port.service, port.name, name, str(why))

    def _named(self, kind: str, node: Node, attribute: str) -> Node:
        name = _qname(node, attribute)
        found = self.nodes.get((kind, name or ""))
        if found is None:
            raise Unresolved(f"the {'port type' if kind == 'portType' else kind} {local(name or '')} it names does not exist")
        return found

    def _abstract(self, binding: Node, operation: Node) -> Node:
        """The port type's operation that a bound one implements. Overloads are told apart by the names of their inputs (WSDL 1.1
        section 2.5), those left over by their order."""
        port_type = self._named("portType", binding, "type")
        name = operation.get("name")
        bound = [node for node in children(binding, f"{{{WSDL}}}operation") if node.get("name") == name]
        left = [node for node in children(port_type, f"{{{WSDL}}}operation") if node.get("name") == name]
        if not left:
            raise Unresolved(f"the port type {port_type.get('name')} does not declare it")
        for sibling in sorted(bound, key=lambda node: not _frame_name(node)):
            found = next((node for node in left if _frame_name(node) == _frame_name(sibling)), left[0])
            if sibling is operation:
                return found
            if len(left) > 1:
                left.remove(found)
        raise AssertionError("an operation is among those of its binding")

    def _operation(self, port: _Port, node: Node, abstract: Node, overloaded: bool) -> Operation:
        given, answered = (abstract.find(f"{{{WSDL}}}{direction}") for direction in ("input", "output"))
        if given is None:
            raise Unresolved("it has no input: the server calls, the client listens")
        if answered is not None and (port.features.elsewhere or answers_elsewhere(node)):
            raise Unresolved("it answers to another address than it is called from (WS-Addressing)")
        soap = node.find(f"{{{_space(port)}}}operation")
        style: Literal["document", "rpc"] = "rpc" if (_attribute(soap, "style") or port.style) == "rpc" else "document"
        name, action = node.get("name") or "", _attribute(soap, "soapAction")
        return Operation(
            f"{name}_{local(_qname(given, 'message') or '')}" if overloaded else name,
            port.service,
            port.name,
            port.version,
            action,
            style,
            self._message(port, node, "input", style, given),
            self._message(port, node, "output", style, answered) if answered is not None else None,
            MappingProxyType(self._faults(port, node, abstract)),
            port.address,
            " ".join((abstract.findtext(f"{{{WSDL}}}documentation") or "").split()),
            port.features.addressing,
            request_action(abstract, action),
            port.features.mtom,
            tuple({element.name: element for element in self._header_faults(port, node)}.values()),
        )

    def _message(self, port: _Port, node: Node, direction: str, style: str, abstract: Node) -> Message:
        """What one direction consists of. A binding that does not mention it leaves everything at its default."""
        space = _space(port)
        message = self._named("message", abstract, "message")
        frame = node.find(f"{{{WSDL}}}{direction}")
        body = _body(frame, space) if frame is not None else None
        if frame is not None and body is None:
            raise Unresolved(f"its {direction} has no soap:body")
        encoded = _attribute(body, "use", "literal") == "encoded"
        if encoded and style != "rpc":
            raise Unresolved(f"its {direction} is encoded in document style")
        headers = [self._header(header, encoded) for header in children(frame, f"{{{space}}}header")] if frame is not None else []
        parts = {part.name: part for part in _parts(message)}
        if body is not None and body.get("parts") is not None:
            parts = {name: parts[name] for name in body.get("parts", "").split() if name in parts}
        else:
            own = {name for other, name, _ in headers if other is message}
            parts = {name: part for name, part in parts.items() if name not in own}
        attached = _attached(frame)
        for name in attached:
            parts.pop(name, None)
        elements = tuple(element for _, _, element in headers)
        typed = [part.type for part in parts.values() if part.type is not None]
        if style == "document" and len(parts) == len(typed) == 1:
            whole = self.schema.part(f"{{{ENVELOPES[port.version]}}}Body", typed[0])
            return Message((whole,), headers=elements, attachments=bool(attached))
        if style == "rpc":
            wrapper = self._wrapper(node, direction, _attribute(body, "namespace"), parts, encoded)
            return Message((wrapper,), headers=elements, encoded=encoded, attachments=bool(attached))
        found = tuple(self._document_part(part) for part in parts.values())
        return Message(found, len(found) > 1, elements, attachments=bool(attached))

    def _document_part(self, part: _Part) -> Element:
        if part.element is None:
            raise Unresolved(f"part {part.name} names a type where document style with several parts needs an element")
        return self.schema.element(part.element)

    def _header(self, node: Node, encoded: bool) -> tuple[Node, str, Element]:
        message, name = self._named("message", node, "message"), node.get("part") or ""
        part = next((part for part in _parts(message) if part.name == name), None)
        if part is None:
            raise Unresolved(f"the message {message.get('name')} has no part {name} for its header")
        if part.element is not None:
            return message, name, self.schema.element(part.element)
        if part.type is None or (node.get("use", "literal") == "encoded") != encoded:
            raise Unresolved(f"its header part {name} has no type, or another encoding than the body")
        space = node.get("namespace")
        return message, name, self.schema.part(f"{{{space}}}{name}" if space else name, part.type)

    def _header_faults(self, port: _Port, node: Node) -> Iterator[Element]:
        """Those of the headers of both directions. One that cannot be read is one a problem will not tell, and no more."""
        space = _space(port)
        for header in node.iter(f"{{{space}}}header"):
            for fault in children(header, f"{{{space}}}headerfault"):
                with suppress(Unresolved):
                    yield self._header(fault, _attribute(fault, "use", "literal") == "encoded")[2]

    def _wrapper(self, node: Node, direction: str, space: str, parts: Mapping[str, _Part], encoded: bool) -> Element:
        uses = []
        for part in parts.values():
            if part.type is not None:
                uses.append(ElementUse(self.schema.part(part.name, part.type)))
            elif encoded and part.element is not None:
                uses.append(ElementUse(self.schema.part(part.name, self.schema.element(part.element).type)))
            else:
                raise Unresolved(f"part {part.name} names an element where RPC style needs a type")
        operation = (node.get("name") or "") + ("Response" if direction == "output" else "")
        name = f"{{{space}}}{operation}" if space else operation
        signature = ",".join(f"{use.element.name}={use.element.type}" for use in uses)
        key = f"{name}({signature})"
        self.wrappers[key] = ComplexType(key, content=Group("sequence", tuple(uses)) if uses else None)
        return Element(name, key)

    def _faults(self, port: _Port, node: Node, abstract: Node) -> dict[str, Element]:
        """Declared faults by the name of their detail element; an encoded one is named by its part."""
        found: dict[str, Element] = {}
        for fault in children(abstract, f"{{{WSDL}}}fault"):
            for part in _parts(self._named("message", fault, "message")):
                if part.element is not None:
                    found[part.element] = self.schema.element(part.element)
                elif part.type is not None and _encoded_fault(port, node, fault):
                    found[part.name] = self.schema.part(part.name, part.type)
        return found


def _parts(message: Node) -> list[_Part]:
    return [_Part(p.get("name") or "", _qname(p, "element"), _qname(p, "type")) for p in children(message, f"{{{WSDL}}}part")]


def _qname(node: Node, attribute: str) -> str | None:
    """The Clark name an attribute refers to. Raises ``Unresolved``."""
    value = node.get(attribute)
    if value is None:
        return None
    prefix, _, name = value.strip().rpartition(":")
    uri = node.nsmap.get(prefix or None)
    if uri is None and prefix:
        raise Unresolved(f"the prefix of {value.strip()} is not declared")
    return f"{{{uri}}}{name}" if uri else name


def _attribute(node: Node | None, name: str, default: str = "") -> str:
    return node.get(name, default) if node is not None else default


def _frame_name(operation: Node) -> str:
    return _attribute(operation.find(f"{{{WSDL}}}input"), "name")


def _body(frame: Node, space: str) -> Node | None:
    """The ``soap:body`` of an input or output, also where attachments stand beside it (WSDL 1.1 section 5)."""
    body = frame.find(f"{{{space}}}body")
    return body if body is not None else frame.find(f"{{{_MIME}}}multipartRelated/{{{_MIME}}}part/{{{space}}}body")


def _attached(frame: Node | None) -> list[str]:
    """The message parts that travel as attachments."""
    if frame is None:
        return []
    return [node.get("part") or "" for node in frame.iterfind(f"{{{_MIME}}}multipartRelated/{{{_MIME}}}part/{{{_MIME}}}content")]


def _encoded_fault(port: _Port, node: Node, fault: Node) -> bool:
    for bound in children(node, f"{{{WSDL}}}fault"):
        if bound.get("name") == fault.get("name"):
            return _attribute(bound.find(f"{{{_space(port)}}}fault"), "use") == "encoded"
    return False


def _not_offered(binding: Node, reason: str) -> Iterator[NotOffered]:
    return (NotOffered("", "", node.get("name") or "", reason) for node in children(binding, f"{{{WSDL}}}operation"))


def _space(port: _Port) -> str:
    return next(space for space, version in _SOAP.items() if version == port.version)


def _soap_binding(binding: Node) -> Node | None:
    for child in children(binding, *(f"{{{space}}}binding" for space in _SOAP)):
        return child
    return None


def _soap_version(binding: Node) -> Literal["1.1", "1.2"] | None:
    soap = _soap_binding(binding)
    return _SOAP[namespace(str(soap.tag))] if soap is not None else None


def _address(port: Node) -> str:
    for child in children(port):
        if local(str(child.tag)) == "address":
            return child.get("location") or ""
    return ""
