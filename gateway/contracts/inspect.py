"""What a WSDL offers through the gateway: each SOAP operation with its port and binding, or exactly why it is not offered.

Bindings that are not SOAP are listed. Where a contract leaves a type open, the operation has a note that the value travels as
``$xml`` or, for an element the contract knows, under its Clark name.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.contracts.pin import WSDL, Bundle
from gateway.errors import ConfigError, Finding
from gateway.protocols.soap import Contract, Operation, read_contract
from gateway.protocols.soap.documents import Node, children, parse
from gateway.protocols.soap.features import SUBMISSION
from gateway.protocols.soap.form import has_wildcard, operation_types, reachable
from gateway.protocols.soap.model import ANY_TYPE, ComplexType, local, namespace

SOAP = ("http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/")
VERSIONS = dict(zip(SOAP, ("1.1", "1.2"), strict=True))


@dataclass(frozen=True, slots=True)
class Line:
    """One operation of one port. ``reason`` is empty for one that is offered; ``headers`` and ``faults`` are local names;
    ``notes`` say how its messages travel."""

    service: str
    port: str
    binding: str
    soap: str
    style: str
    operation: str
    reason: str = ""
    one_way: bool = False
    headers: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    lossy: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What ``wsdl inspect`` shows. ``others`` are bindings that are not SOAP; ``unread`` is what stayed unread and why."""

    lines: tuple[Line, ...]
    others: tuple[str, ...]
    unread: tuple[tuple[str, str], ...]

    @property
    def all_offered(self) -> bool:
        return not any(line.reason for line in self.lines)


@dataclass(frozen=True, slots=True)
class _Binding:
    name: str
    soap: str = ""
    style: str = ""


def contract_of(bundle: Bundle) -> Contract:
    """Read a collected contract the way the gateway will: from its own files. Raises ``ConfigError`` that names the originals."""
    with tempfile.TemporaryDirectory() as folder:
        bundle.write(Path(folder))
        try:
            return read_contract(Path(folder) / bundle.wsdl)
        except ConfigError as error:
            origins = {str(Path(folder, page.name)): page.origin for page in bundle.pages}
            raise ConfigError([_original(finding, origins) for finding in error.findings]) from error


def _original(finding: Finding, origins: Mapping[str, str]) -> Finding:
    what = finding.what
    for path, origin in origins.items():
        what = what.replace(path, origin)
    return Finding(origins.get(finding.file, finding.file), finding.line, what, finding.remedy)


def inspect(bundle: Bundle, contract: Contract) -> Report:
    """The report on a contract and the files it was read from."""
    roots = [parse(page.data, page.origin) for page in bundle.pages if page.name.endswith(".wsdl")]
    bindings = {name: binding for root in roots for name, binding in _bindings(root)}
    ports = {place: bindings.get(name, _Binding(name)) for root in roots for place, name in _ports(root)}
    lines = [_offered(contract, operation, ports) for operation in contract.operations]
    for refused in contract.not_offered:
        bound = ports.get((refused.service, refused.port), _Binding(""))
        lines.append(Line(refused.service, refused.port, bound.name, bound.soap, bound.style, refused.operation, refused.reason))
    others = tuple(binding.name for binding in bindings.values() if not binding.soap)
    return Report(tuple(lines), others, bundle.unread)


def _offered(contract: Contract, operation: Operation, ports: Mapping[tuple[str, str], _Binding]) -> Line:
    bound = ports.get((operation.service, operation.port), _Binding(""))
    headers = [*operation.input.headers, *(operation.output.headers if operation.output else ())]
    return Line(
        operation.service,
        operation.port,
        bound.name,
        operation.version,
        operation.style,
        operation.name,
        one_way=operation.output is None,
        headers=tuple(dict.fromkeys(local(element.name) for element in headers)),
        faults=tuple(local(name) for name in operation.faults),
        lossy=tuple(_lossy(contract, operation)),
        notes=tuple(_notes(operation)),
    )


def _notes(operation: Operation) -> Iterator[str]:
    """What a message has beside its envelope's body, and what of it is not sent."""
    if operation.addressing:
        yield "WS-Addressing 2004/08" if operation.addressing == SUBMISSION else "WS-Addressing"
    if operation.mtom:
        yield "MTOM"
    if operation.output is not None and operation.output.attachments:
        yield "attachments in the answer"
    if operation.input.attachments:
        yield "attachments of the request are not sent"


def _lossy(contract: Contract, operation: Operation) -> Iterator[str]:
    """Where an operation's values may hold what the contract does not describe."""
    for key in reachable(operation_types(operation), contract.types, contract.derived):
        type = contract.types.get(key)
        if key == ANY_TYPE:
            yield "xs:anyType"
        elif isinstance(type, ComplexType) and has_wildcard(type):
            yield f"xs:any in {key}"


def _bindings(root: Node) -> Iterator[tuple[str, _Binding]]:
    for node in children(root, f"{{{WSDL}}}binding"):
        name = node.get("name") or ""
        soap = next((child for child in children(node) if str(child.tag) in {f"{{{space}}}binding" for space in SOAP}), None)
        known = _Binding(name)
        if soap is not None:
            known = _Binding(name, VERSIONS[namespace(str(soap.tag))], soap.get("style") or "document")
        yield name, known


def _ports(root: Node) -> Iterator[tuple[tuple[str, str], str]]:
    for service in children(root, f"{{{WSDL}}}service"):
        for port in children(service, f"{{{WSDL}}}port"):
            place = (service.get("name") or "", port.get("name") or "")
            yield place, (port.get("binding") or "").rpartition(":")[2]
