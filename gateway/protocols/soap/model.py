"""The schema model every SOAP codec, JSON Schema and field table is made from: what a WSDL says, as immutable values.

Names are Clark names (``{namespace}local``). Types refer to each other by key into ``Contract.types``, so recursion costs
nothing and every value stays immutable and comparable. The model holds more than today's codecs use (mixed content, wildcards,
derivation): a codec that cannot serve a construct says so, the model never forgets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

XSD = "http://www.w3.org/2001/XMLSchema"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XML = "http://www.w3.org/XML/1998/namespace"
ANY_TYPE = f"{{{XSD}}}anyType"

SOAP_ENC = {"1.1": "http://schemas.xmlsoap.org/soap/encoding/", "1.2": "http://www.w3.org/2003/05/soap-encoding"}
ENVELOPES = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}

SWA_REF = "{http://ws-i.org/profiles/basic/1.1/xsd}swaRef"
"""The type of a reference to an attachment (WS-I Attachments Profile 1.0 section 4.4). In the model it is base64Binary: its value
is the attachment."""

Whitespace = Literal["preserve", "replace", "collapse"]


@dataclass(frozen=True, slots=True)
class Facets:
    """The constraints of a simple type, those of its bases included (XML Schema part 2, section 4.3).

    :param patterns: every tuple must be satisfied by one of its patterns.
    :param enumeration: lexical values, or None when any value will do.
    """

    enumeration: tuple[str, ...] | None = None
    patterns: tuple[tuple[str, ...], ...] = ()
    length: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_inclusive: str | None = None
    max_inclusive: str | None = None
    min_exclusive: str | None = None
    max_exclusive: str | None = None
    total_digits: int | None = None
    fraction_digits: int | None = None
    whitespace: Whitespace | None = None


@dataclass(frozen=True, slots=True)
class SimpleType:
    """A type of text.

    :param builtin: the nearest XSD built-in, local name; ``anySimpleType`` for lists and unions.
    :param name: the Clark name, None for an anonymous type.
    """

    builtin: str
    name: str | None = None
    variety: Literal["atomic", "list", "union"] = "atomic"
    facets: Facets = field(default_factory=Facets)
    item: SimpleType | None = None
    members: tuple[SimpleType, ...] = ()
    documentation: str = ""


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    type: SimpleType
    required: bool = False
    default: str | None = None
    fixed: str | None = None


@dataclass(frozen=True, slots=True)
class Element:
    """An element declaration; ``type`` is a key into ``Contract.types``."""

    name: str
    type: str
    nillable: bool = False
    default: str | None = None
    fixed: str | None = None
    documentation: str = ""


@dataclass(frozen=True, slots=True)
class ElementUse:
    """An element within a content model. ``max`` None is unbounded."""

    element: Element
    min: int = 1
    max: int | None = 1


@dataclass(frozen=True, slots=True)
class Wildcard:
    """``xs:any`` or ``xs:anyAttribute``: ``namespaces`` as written, target namespace resolved, or None for ``##any``."""

    namespaces: tuple[str, ...] | None = None
    excluded: str | None = None
    process: Literal["strict", "lax", "skip"] = "strict"
    min: int = 1
    max: int | None = 1

    def admits(self, namespace: str) -> bool:
        if self.namespaces is not None:
            return namespace in self.namespaces
        return self.excluded is None or (namespace not in (self.excluded, ""))


@dataclass(frozen=True, slots=True)
class Group:
    """A sequence, choice or all-group. Substitution groups are already resolved into choices."""

    kind: Literal["sequence", "choice", "all"]
    items: tuple[Particle, ...]
    min: int = 1
    max: int | None = 1


Particle = ElementUse | Wildcard | Group


@dataclass(frozen=True, slots=True)
class ComplexType:
    """A type of elements: attributes and either text (``simple``), children (``content``) or nothing.

    ``content`` and ``attributes`` include what is inherited. ``key`` is the Clark name for named types; anonymous types get the
    path of their owner.
    """

    key: str
    name: str | None = None
    base: str | None = None
    derivation: Literal["extension", "restriction"] | None = None
    abstract: bool = False
    mixed: bool = False
    attributes: tuple[Attribute, ...] = ()
    any_attribute: Wildcard | None = None
    simple: SimpleType | None = None
    content: Particle | None = None
    documentation: str = ""
    derivations: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What ``form.py`` has worked out about the type: it follows from the rest, and is asked for often."""


@dataclass(frozen=True, slots=True)
class ArrayType:
    """A SOAP-encoded array (SOAP 1.1 section 5.4.2, SOAP 1.2 part 2 section 3).

    :param item: the type of its items, a key into ``Contract.types``.
    :param rank: how many dimensions it has; one JSON array is nested for each.
    :param name: the Clark name, None for an anonymous type.
    """

    key: str
    item: str
    rank: int = 1
    name: str | None = None
    documentation: str = ""


Type = SimpleType | ComplexType | ArrayType


@dataclass(frozen=True, slots=True)
class Message:
    """What stands in the SOAP body in one direction.

    :param body: the body's children. One element for document style, the wrapper for RPC, none for an empty message; the
        envelope's own Body where a document part names a type (WSDL 1.1 section 3.5).
    :param keyed: the JSON value is an object keyed by part name (several parts) instead of the one part's value.
    :param headers: declared header parts.
    :param encoded: written by the rules of SOAP encoding (SOAP 1.1 section 5), where any accessor may be nil.
    :param attachments: parts of a multipart that nothing in the body refers to belong to it (WSDL 1.1 section 5).
    """

    body: tuple[Element, ...] = ()
    keyed: bool = False
    headers: tuple[Element, ...] = ()
    encoded: bool = False
    attachments: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One callable operation of one port.

    :param output: None for a one-way operation.
    :param faults: declared faults by the Clark name of their detail element.
    :param addressing: the WS-Addressing namespace the contract asks for, "" when it does not ask.
    :param request_action: the [action] property of the request, should it be addressed (WS-Addressing 1.0 Metadata section 4.4).
    :param mtom: the contract says that requests are, or may be, sent as MTOM.
    :param header_faults: what a fault's header may hold when a header was wrong (WSDL 1.1 section 3.7).
    """

    name: str
    service: str
    port: str
    version: Literal["1.1", "1.2"]
    action: str
    style: Literal["document", "rpc"]
    input: Message
    output: Message | None
    faults: Mapping[str, Element]
    address: str
    documentation: str = ""
    addressing: str = ""
    request_action: str = ""
    mtom: bool = False
    header_faults: tuple[Element, ...] = ()


@dataclass(frozen=True, slots=True)
class NotOffered:
    """An operation of the WSDL that cannot be called through the gateway, and exactly why."""

    service: str
    port: str
    operation: str
    reason: str


@dataclass(frozen=True, slots=True)
class Contract:
    """A WSDL, read. ``operations`` and ``not_offered`` together are every operation of every SOAP binding in the file.

    :param derived: for each complex type the keys of the named types derived from it, directly or not.
    :param elements: global elements by Clark name, for wildcards.
    """

    source: str
    operations: tuple[Operation, ...]
    not_offered: tuple[NotOffered, ...]
    types: Mapping[str, Type]
    derived: Mapping[str, tuple[str, ...]]
    elements: Mapping[str, Element] = field(default_factory=dict)
    compiled: dict[object, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Codecs and what they share, as they were asked for: they live as long as the contract, over every reload."""

    def operation(self, name: str, *, service: str | None = None, port: str | None = None) -> Operation:
        """The operation of that name; the first port that offers it, SOAP 1.1 or 1.2, when no port is named.

        Raises ``LookupError`` naming the reason when it is not offered.
        """
        for operation in self.operations:
            if operation.name == name and service in (None, operation.service) and port in (None, operation.port):
                return operation
        for refused in self.not_offered:
            if refused.operation == name:
                raise LookupError(f"operation {name} is not offered: {refused.reason}")
        raise LookupError(f"the contract has no operation {name}")


def local(name: str) -> str:
    """The local part of a Clark name."""
    return name.rpartition("}")[2]


def namespace(name: str) -> str:
    """The namespace of a Clark name, "" for none."""
    return name[1:].partition("}")[0] if name.startswith("{") else ""
