"""SOAP 1.1 and 1.2 as the ERP speaks them: one envelope in, one envelope out.

Strict on purpose, to be a real check on its callers: no document type declaration, the action must agree with the body, every
header that must be understood is refused, and the body is validated against the contract before anything looks at it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

from lxml import etree

from gateway.demo.erp.books import Fields, Refusal
from gateway.demo.erp.journal import Outcome

CONTRACTS = Path(__file__).with_name("contracts")

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
NIL = f"{{{XSI}}}nil"
MEDIA_TYPES = {SOAP11: "text/xml", SOAP12: "application/soap+xml"}

SPECIAL = re.compile('[&<>"\r]')

Blame = Literal["Client", "Server", "VersionMismatch", "MustUnderstand"]


@dataclass(frozen=True, slots=True)
class Answer:
    """:param xml: the response element's content, in the service's prefixes."""

    xml: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Operation:
    """:param perform: the request's fields to the answer; raises ``Refusal``. :param fault: the fault element declared for it."""

    perform: Callable[[Fields], Answer]
    fault: str


@dataclass(frozen=True, slots=True)
class Service:
    """One SOAP service.

    :param namespace: of the WSDL; with the operation's name it makes the action.
    :param messages: namespace of the request, response and fault elements.
    :param prefixes: of the answers, prefix to namespace; ``m`` is ``messages``, ``c`` the common types.
    :param repeated: names of elements that are lists by contract.
    :param number: the prefixed element of a ``DUPLICATE`` refusal that names the document already there.
    """

    name: str
    namespace: str
    messages: str
    schema: etree.XMLSchema
    versions: tuple[str, ...]
    prefixes: Mapping[str, str]
    repeated: frozenset[str]
    number: str
    operations: Mapping[str, Operation]


@dataclass(frozen=True, slots=True)
class Result:
    """A request decided: what to answer, and what the journal says of it."""

    status: int
    media_type: str
    body: bytes
    operation: str
    outcome: Outcome
    reason: str = ""
    request: Fields = field(default_factory=dict)


class Fault(Exception):
    """An undeclared fault."""

    def __init__(self, blame: Blame, reason: str) -> None:
        super().__init__(reason)
        self.blame: Blame = blame
        self.reason = reason


def schema(file: str) -> etree.XMLSchema:
    """A contract's schema, read from ``contracts/`` only."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return etree.XMLSchema(etree.parse(CONTRACTS / file, parser))


def respond(service: Service, raw: bytes, content_type: str, action: str | None) -> Result:
    """Decide one request.

    :param action: the SOAPAction header, quotes included; ``None`` when absent.
    :return: an answer, a declared fault or an undeclared one; never raises for anything the caller sent.
    """
    version = service.versions[0]
    operation, request = "", Fields()
    try:
        envelope = _parse(raw)
        version = _version(service, envelope)
        body = _body(envelope, version)
        name, request = _request(service, body)
        operation = name
        _check_action(service, name, version, content_type, action)
        _validate(service, body)
        answer = service.operations[name].perform(request)
    except Fault as fault:
        xml = _fault(service, version, fault.blame, fault.reason, "")
        return _result(
            500 if _is_receiver(version, fault.blame) else 400, version, xml, operation, "refused", fault.blame, request
        )
    except Refusal as refusal:
        xml = _fault(service, version, "Client", refusal.text, _detail(service, operation, refusal))
        return _result(500 if version == SOAP11 else 400, version, xml, operation, "refused", refusal.code, request)
    xml = _envelope(service, version, f"<m:{operation}Response>{answer.xml}</m:{operation}Response>")
    return _result(200, version, xml, operation, answer.outcome, "", request)


def server_fault(service: Service, content_type: str) -> Result:
    """An undeclared fault that blames the ERP, in the SOAP version the content type speaks."""
    spoken = [version for version in service.versions if content_type.startswith(MEDIA_TYPES[version])]
    version = spoken[0] if spoken else service.versions[0]
    xml = _fault(service, version, "Server", "posting is closed for maintenance", "")
    return _result(500, version, xml, "", "refused", "Server", {})


def element(name: str, value: str | None) -> str:
    """One element with text; ``None`` is nil."""
    return f'<{name} xsi:nil="true"/>' if value is None else f"<{name}>{text(value)}</{name}>"


def text(value: str) -> str:
    """Character data, with carriage returns kept from line-end normalisation (XML 1.0, section 2.11)."""
    return escape(value, {"\r": "&#13;", '"': "&quot;"}) if SPECIAL.search(value) else value


def _parse(raw: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        root = etree.fromstring(raw, parser)
    except etree.XMLSyntaxError as error:
        raise Fault("Client", f"the message is not well-formed XML: {error.msg}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Fault("Client", "a document type declaration is not allowed")
    if next(root.iter(etree.PI), None) is not None:
        raise Fault("Client", "a processing instruction is not allowed")
    return root


def _version(service: Service, envelope: etree._Element) -> str:
    name = etree.QName(envelope)
    if name.localname != "Envelope" or name.namespace not in service.versions:
        raise Fault("VersionMismatch", "the envelope's namespace is not one this service offers")
    return str(name.namespace)


def _body(envelope: etree._Element, version: str) -> etree._Element:
    """The one element in the Body. Raises ``MustUnderstand`` for any header that insists."""
    children = list(envelope)
    if children and children[0].tag == f"{{{version}}}Header":
        for block in children.pop(0):
            if (block.get(f"{{{version}}}mustUnderstand") or "").strip() in ("1", "true"):
                raise Fault("MustUnderstand", f"the header {etree.QName(block).localname} is not understood")
    if len(children) != 1 or children[0].tag != f"{{{version}}}Body" or len(children[0]) != 1:
        raise Fault("Client", "the envelope must hold one Body with one element")
    return children[0][0]


def _request(service: Service, body: etree._Element) -> tuple[str, Fields]:
    name = etree.QName(body)
    if name.namespace != service.messages or name.localname not in service.operations:
        raise Fault("Client", f"{name.localname} is not an operation of this service")
    return name.localname, fields(body, service.repeated)


def _validate(service: Service, body: etree._Element) -> None:
    try:
        service.schema.assertValid(body)
    except etree.DocumentInvalid as error:
        raise Fault("Client", f"the message does not fit the contract: {error}") from error


def fields(node: etree._Element, repeated: frozenset[str]) -> Fields:
    """An element's content as it was written: attributes under ``@name``, text untouched, nil as ``None``."""
    found: Fields = {f"@{name}": node.get(name) for name in map(str, node.keys()) if name[0] != "{"}
    for child in node:
        name = child.tag.rpartition("}")[2]
        value = fields(child, repeated) if len(child) else child.text or _empty(child)
        if name in repeated:
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def _empty(node: etree._Element) -> str | None:
    return None if (node.get(NIL) or "").strip() in ("true", "1") else ""


def _check_action(service: Service, name: str, version: str, content_type: str, action: str | None) -> None:
    """SOAP 1.1 section 6.1.1: the header is required, its value may be empty. SOAP 1.2 part 2 section 6.5: it is optional."""
    expected = f"{service.namespace}:{name}"
    header = Message()
    header["Content-Type"] = content_type
    if header.get_content_type() != MEDIA_TYPES[version]:
        raise Fault("Client", f"the content type must be {MEDIA_TYPES[version]}")
    if version == SOAP12:
        given = str(header.get_param("action", "") or "")
    elif action is None:
        raise Fault("Client", "the SOAPAction header is missing")
    else:
        given = action.strip('"')
    if given not in ("", expected):
        raise Fault("Client", f"the action must be {expected}")


def _detail(service: Service, operation: str, refusal: Refusal) -> str:
    fault = service.operations[operation].fault
    return (
        f"<m:{fault}>{element('c:CODE', refusal.code)}"
        f"{element('c:FIELD', refusal.field) if refusal.field else ''}{element('c:TEXT', refusal.text)}"
        f"{element(service.number, refusal.number) if refusal.number else ''}</m:{fault}>"
    )


def _is_receiver(version: str, blame: Blame) -> bool:
    """Which undeclared faults travel under 500: all of SOAP 1.1; of SOAP 1.2 all but Sender (part 2, table 20)."""
    return version == SOAP11 or blame != "Client"


def _fault(service: Service, version: str, blame: Blame, reason: str, detail: str) -> str:
    if version == SOAP11:
        body = f"<faultcode>e:{blame}</faultcode><faultstring>{text(reason)}</faultstring>"
        body += f"<detail>{detail}</detail>" if detail else ""
    else:
        code = {"Client": "Sender", "Server": "Receiver"}.get(blame, blame)
        body = f'<e:Code><e:Value>e:{code}</e:Value></e:Code><e:Reason><e:Text xml:lang="en">{text(reason)}</e:Text></e:Reason>'
        body += f"<e:Detail>{detail}</e:Detail>" if detail else ""
    return _envelope(service, version, f"<e:Fault>{body}</e:Fault>")


def _envelope(service: Service, version: str, content: str) -> str:
    names = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in service.prefixes.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<e:Envelope xmlns:e="{version}" xmlns:xsi="{XSI}"{names}>'
        f"<e:Body>{content}</e:Body></e:Envelope>"
    )


def _result(status: int, version: str, xml: str, operation: str, outcome: Outcome, reason: str, request: Fields) -> Result:
    return Result(status, f"{MEDIA_TYPES[version]}; charset=utf-8", xml.encode(), operation, outcome, reason, request)
