"""What a WSDL asks for: WS-Addressing and MTOM, by extension elements and by policies, and the action of a request."""

from __future__ import annotations

import pytest

from gateway.protocols.soap import Operation
from gateway.protocols.soap.features import SUBMISSION, WSA
from tests.protocols.soap.wsdls import read, schema, wsdl

WSAW = 'xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl"'
WSAM = 'xmlns:wsam="http://www.w3.org/2007/05/addressing/metadata"'
SUBMITTED = 'xmlns:wsap="http://schemas.xmlsoap.org/ws/2004/08/addressing/policy"'
MTOM = "http://schemas.xmlsoap.org/ws/2004/09/policy/optimizedmimeserialization"
OPTIMIZED = "OptimizedMimeSerialization"
WSP = "http://schemas.xmlsoap.org/ws/2004/09/policy"
WSP_15 = "http://www.w3.org/ns/ws-policy"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
PLAIN = wsdl(schema('<xs:element name="Root" type="xs:string"/>'))
STYLE = '<soap:binding style="document"'


def policy(content: str, id: str, space: str = WSP) -> str:
    name = f'wsu:Id="{id}" xmlns:wsu="{WSU}"' if id else ""
    return f'<p:Policy xmlns:p="{space}" {name}><p:ExactlyOne><p:All>{content}</p:All></p:ExactlyOne></p:Policy>'


def bound(extension: str, extra: str = "") -> str:
    """A WSDL with an element in its binding, and others before its port type."""
    return PLAIN.replace(STYLE, extension + STYLE).replace("<portType", extra + "<portType", 1)


def echo(text: str) -> Operation:
    return read(text).operation("echo")


def reference(uri: str) -> str:
    return f'<p:PolicyReference xmlns:p="{WSP}" URI="{uri}"/>'


@pytest.mark.parametrize(
    ("text", "addressing", "mtom"),
    [
        (PLAIN, "", False),
        (bound(f"<wsaw:UsingAddressing {WSAW}/>"), WSA, False),
        (PLAIN.replace("<soap:address", f"<wsaw:UsingAddressing {WSAW}/><soap:address"), WSA, False),
        (bound(f"<wsap:UsingAddressing {SUBMITTED}/>"), SUBMISSION, False),
        (bound(f"<wsap:UsingAddressing {SUBMITTED}/><wsaw:UsingAddressing {WSAW}/>"), WSA, False),
        (bound(policy(f"<wsam:Addressing {WSAM}><p:Policy/></wsam:Addressing>", "")), WSA, False),
        (bound(policy(f"<wsam:Addressing {WSAM} p:Optional='true'/>", "", WSP_15)), WSA, False),
        (bound(reference("#a"), policy(f"<wsaw:UsingAddressing {WSAW}/>", "a")), WSA, False),
        (bound(reference("#a"), policy(reference("#b"), "a") + policy(f"<m:{OPTIMIZED} xmlns:m='{MTOM}'/>", "b")), "", True),
        (bound(reference("#a"), policy(reference("#a"), "a")), "", False),
        (bound(reference("#none") + reference("http://127.0.0.1/policy")), "", False),
        (bound("", policy(f"<wsaw:UsingAddressing {WSAW}/>", "unused")), "", False),
        (bound(policy(f"<m:{OPTIMIZED} xmlns:m='{MTOM}' p:Optional='true'/>", "")), "", True),
        (bound(policy("<m:MTOM xmlns:m='http://www.w3.org/2007/08/soap12-mtom-policy'/>", "", WSP_15)), "", True),
    ],
)  # fmt: skip
def test_what_a_contract_asks_for(text: str, addressing: str, mtom: bool) -> None:
    operation = echo(text)
    assert (operation.addressing, operation.mtom) == (addressing, mtom)


def acted(attributes: str = "", *, action: str = "", space: str = "urn:w", output: bool = True) -> str:
    text = PLAIN.replace('soapAction="urn:echo"', f'soapAction="{action}"')
    text = text.replace('<input message="w:M"/>', f'<input message="w:M" {attributes}/>')
    if not output:
        text = text.replace('<output message="w:M"/>', "").replace('<output><soap:body use="literal"/></output>', "")
    text = text.replace('xmlns:w="urn:w"', f'xmlns:w="{space}"').replace('targetNamespace="urn:w"', f'targetNamespace="{space}"')
    return echo(text).request_action


@pytest.mark.parametrize(
    ("found", "action"),
    [
        (acted(f'{WSAM} wsam:Action="urn:said"', action="urn:soap"), "urn:said"),
        (acted(f'{WSAW} wsaw:Action="urn:said"'), "urn:said"),
        (acted('xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" a:Action="urn:said"'), "urn:said"),
        (acted(f'{WSAW} wsaw:Action=""', action="urn:soap"), "urn:soap"),
        (acted(action="urn:soap"), "urn:soap"),
        (acted(), "urn:w:P:echoRequest"),
        (acted('name="Ask"'), "urn:w:P:Ask"),
        (acted(output=False), "urn:w:P:echo"),
        (acted(space="http://example.com/w"), "http://example.com/w/P/echoRequest"),
        (acted(space="http://example.com/w/"), "http://example.com/w/P/echoRequest"),
    ],
)
def test_the_action_of_a_request(found: str, action: str) -> None:
    """WS-Addressing 1.0 Metadata section 4.4."""
    assert found == action


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("<soap:operation", f"<wsaw:Anonymous {WSAW}>prohibited</wsaw:Anonymous><soap:operation"),
        bound(policy(f"<wsam:Addressing {WSAM}><p:Policy><wsam:NonAnonymousResponses/></p:Policy></wsam:Addressing>", "")),
    ],
)
def test_an_operation_that_answers_elsewhere_is_not_offered(text: str) -> None:
    (refused,) = read(text).not_offered
    assert refused.reason == "it answers to another address than it is called from (WS-Addressing)"
    optional = text.replace("prohibited", "optional").replace("NonAnonymous", "Anonymous")
    assert not read(optional).not_offered
