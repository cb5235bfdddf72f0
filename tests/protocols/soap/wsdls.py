"""Small WSDLs for tests: a schema in, a contract out. ``echo`` takes and gives the element ``Root`` of the schema."""

from __future__ import annotations

import tempfile
from pathlib import Path

from gateway.protocols.soap import Contract, read_contract

XSD = "http://www.w3.org/2001/XMLSchema"
ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
ENVELOPE_12 = "http://www.w3.org/2003/05/soap-envelope"
HEAD = f'xmlns:xs="{XSD}" xmlns:t="urn:t" targetNamespace="urn:t"'


def schema(body: str, form: str = "qualified") -> str:
    return f'<xs:schema {HEAD} elementFormDefault="{form}">{body}</xs:schema>'


def wsdl(schemas: str, *, soap: str = "soap", style: str = "document", extra: str = "", fault: str = "") -> str:
    """One service, one port, one operation ``echo``; ``fault`` is the name of a declared fault element in ``urn:t``."""
    declared = f'<message name="F"><part name="f" element="t:{fault}"/></message>' if fault else ""
    return f"""<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/{soap}/"
      xmlns:w="urn:w" xmlns:t="urn:t" xmlns:xs="{XSD}" targetNamespace="urn:w">
  <types>{schemas}</types>
  <message name="M"><part name="p" element="t:Root"/></message>{declared}{extra}
  <portType name="P"><operation name="echo"><documentation>Says it again.</documentation>
    <input message="w:M"/><output message="w:M"/>{'<fault name="f" message="w:F"/>' if fault else ""}</operation></portType>
  <binding name="B" type="w:P"><soap:binding style="{style}" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="echo"><soap:operation soapAction="urn:echo"/>
      <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output>
      {'<fault name="f"><soap:fault name="f" use="literal"/></fault>' if fault else ""}</operation></binding>
  <service name="S"><port name="Port" binding="w:B"><soap:address location="http://127.0.0.1/s"/></port></service>
</definitions>"""


def attached(schemas: str, *directions: str) -> str:
    """``echo`` with a message that is bound as a multipart with one attachment, ``scan`` (WSDL 1.1 section 5)."""
    text = wsdl(schemas).replace('element="t:Root"/>', 'element="t:Root"/><part name="scan" type="xs:base64Binary"/>')
    multipart = (
        '<m:multipartRelated xmlns:m="http://schemas.xmlsoap.org/wsdl/mime/">'
        '<m:part><soap:body parts="p" use="literal"/></m:part>'
        '<m:part><m:content part="scan" type="image/tiff"/></m:part></m:multipartRelated>'
    )
    for direction in ("input", "output"):
        body = multipart if direction in directions else '<soap:body parts="p" use="literal"/>'
        text = text.replace(f'<{direction}><soap:body use="literal"/>', f"<{direction}>{body}")
    return text


def read(text: str, **files: str) -> Contract:
    """Read a WSDL from text; ``files`` are further files beside it, ``_xsd`` for ``.xsd``."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name.replace("_xsd", ".xsd").replace("_wsdl", ".wsdl")).write_text(content, encoding="utf-8")
        path = Path(folder, "service.wsdl")
        path.write_text(text, encoding="utf-8")
        return read_contract(path)


def contract(body: str, **options: str) -> Contract:
    """The contract of ``echo`` over a schema body that declares ``Root``."""
    return read(wsdl(schema(body), **options))


def root(content: str) -> str:
    """A ``Root`` whose type has that content."""
    return f'<xs:element name="Root"><xs:complexType>{content}</xs:complexType></xs:element>'


def envelope(body: str, *, space: str = ENVELOPE, head: str = "") -> bytes:
    return f'<e:Envelope xmlns:e="{space}" xmlns:t="urn:t" {head}><e:Body>{body}</e:Body></e:Envelope>'.encode()
