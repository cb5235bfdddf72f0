"""The report on a contract: every operation once, with its reason when it is not offered."""

from __future__ import annotations

from gateway.contracts.inspect import Line, Report, contract_of, inspect
from gateway.contracts.pin import Bundle
from tests.contracts.bundles import bundle, echo
from tests.protocols.soap.wsdls import attached, root, schema, wsdl

FIELD = root('<xs:sequence><xs:element name="a" type="xs:string"/></xs:sequence>')


def report(of: Bundle) -> Report:
    return inspect(of, contract_of(of))


def test_an_offered_operation() -> None:
    fault = '<xs:element name="Refused" type="xs:string"/>'
    found = report(echo(FIELD + fault, fault="Refused"))
    assert found.lines == (Line("S", "Port", "B", "1.1", "document", "echo", faults=("Refused",)),)
    assert found.all_offered
    assert found.others == found.unread == ()


def test_one_that_is_not_offered_says_why() -> None:
    found = report(echo(root('<xs:sequence><xs:element name="a" type="t:Gone"/></xs:sequence>')))
    assert [(line.operation, line.binding, line.soap) for line in found.lines] == [("echo", "B", "1.1")]
    assert "{urn:t}Gone is not in the contract" in found.lines[0].reason
    assert not found.all_offered


def test_other_bindings_are_listed_and_change_nothing() -> None:
    http = (
        '<binding name="ByGet" type="w:P" xmlns:http="http://schemas.xmlsoap.org/wsdl/http/"><http:binding verb="GET"/></binding>'
    )
    text = wsdl(schema(FIELD)).replace("<service", http + "<service")
    found = report(bundle(text))
    assert found.others == ("ByGet",)
    assert found.all_offered


def test_a_binding_no_port_uses() -> None:
    text = wsdl(schema(FIELD)).replace('binding="w:B"', 'binding="w:Other"')
    found = report(bundle(text))
    assert [(line.service, line.reason) for line in found.lines] == [("", "no port of a service uses the binding B")]


def test_open_content_is_named() -> None:
    found = report(
        echo(root('<xs:sequence><xs:element name="a" type="xs:anyType"/><xs:any processContents="lax"/></xs:sequence>'))
    )
    assert found.all_offered
    assert "xs:anyType" in found.lines[0].lossy
    assert any(note.startswith("xs:any in ") for note in found.lines[0].lossy)


def test_one_way_and_headers() -> None:
    header = '<message name="H"><part name="h" element="t:Auth"/></message>'
    text = wsdl(schema(FIELD + '<xs:element name="Auth" type="xs:string"/>'), extra=header)
    text = text.replace('<output message="w:M"/>', "").replace('<output><soap:body use="literal"/></output>', "")
    text = text.replace(
        '<input><soap:body use="literal"/>',
        '<input><soap:body use="literal"/><soap:header message="w:H" part="h" use="literal"/>',
    )
    line = report(bundle(text)).lines[0]
    assert (line.one_way, line.headers) == (True, ("Auth",))


def test_how_messages_travel_is_noted() -> None:
    addressed = '<wsaw:UsingAddressing xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl"/><soap:binding'
    text = attached(schema(FIELD), "input", "output").replace("<soap:binding", addressed)
    line = report(bundle(text)).lines[0]
    assert line.notes == ("WS-Addressing", "attachments in the answer", "attachments of the request are not sent")
    policy = "http://schemas.xmlsoap.org/ws/2004/09/policy"
    mtom = (
        f'<p:Policy xmlns:p="{policy}"><m:OptimizedMimeSerialization xmlns:m="{policy}/optimizedmimeserialization"/></p:Policy>'
    )
    old = '<w:UsingAddressing xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing/policy"/>'
    text = wsdl(schema(FIELD)).replace("<soap:binding", f"{mtom}{old}<soap:binding")
    assert report(bundle(text)).lines[0].notes == ("WS-Addressing 2004/08", "MTOM")
