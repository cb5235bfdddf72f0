"""WS-Addressing headers against golden envelopes, and answers that belong to another message."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import BadAnswer
from gateway.protocols.soap import Addressing, Codec, compile_operation
from gateway.protocols.soap.addressing import message_id
from gateway.protocols.soap.features import SUBMISSION, WSA
from tests.protocols.soap.wsdls import ENVELOPE, contract, read, schema, wsdl

GOLDEN = Path(__file__).parents[2] / "golden/addressing"
ID = "urn:uuid:019a0e7c-5b00-7123-89ab-cdef01234567"
TO = "https://erp.example.com/soap?a=1&b=2"


def codec(soap: str = "soap") -> Codec:
    found = contract('<xs:element name="Root" type="xs:string"/>', soap=soap)
    return compile_operation(found, found.operation("echo"))


def with_header() -> Codec:
    text = wsdl(schema('<xs:element name="Root" type="xs:string"/><xs:element name="Session" type="xs:string"/>'))
    text = text.replace("<portType", '<message name="H"><part name="h" element="t:Session"/></message><portType', 1)
    text = text.replace("<input><soap:body", '<input><soap:header message="w:H" part="h" use="literal"/><soap:body', 1)
    found = read(text)
    return compile_operation(found, found.operation("echo"))


@pytest.mark.parametrize(
    ("name", "dressed"),
    [
        ("one-point-zero", Addressing(WSA, "urn:echo", TO).dress(codec().encode("<soapenv:Body>"), ID)),
        ("soap-1.2", Addressing(WSA, "urn:echo", TO).dress(codec("soap12").encode("x"), ID)),
        ("submission", Addressing(SUBMISSION, "urn:a&b", TO).dress(codec().encode("x"), ID)),
        ("one-way", Addressing(WSA, "urn:echo", TO, answered=False).dress(codec().encode("x"), ID)),
        (
            "beside-a-header",
            Addressing(WSA, "urn:echo", TO).dress(with_header().encode({"$headers": {"Session": "s"}, "$value": "x"}), ID),
        ),
    ],
)
def test_a_golden_envelope(name: str, dressed: bytes) -> None:
    assert dressed.decode() == (GOLDEN / f"{name}.xml").read_text("utf-8").rstrip("\n")
    header, body = etree.fromstring(dressed)
    assert [etree.QName(node).localname for node in (header, body)] == ["Header", "Body"]


def test_an_envelope_whose_body_is_the_one_part() -> None:
    """WSDL 1.1 section 3.5: its prefix is another one's."""
    kind = '<xs:complexType name="T"><xs:sequence><xs:element name="a" type="xs:string"/></xs:sequence></xs:complexType>'
    text = wsdl(schema(kind)).replace('element="t:Root"', 'type="t:T"')
    found = read(text)
    rendered = compile_operation(found, found.operation("echo")).encode({"a": "<soapenv:Header>"})
    header, body = etree.fromstring(Addressing(WSA, "urn:echo", TO).dress(rendered, ID))
    assert [node.tag for node in (header, body)] == [f"{{{ENVELOPE}}}Header", f"{{{ENVELOPE}}}Body"]
    assert [node.text for node in header.iterchildren(f"{{{WSA}}}MessageID")] == [ID]
    assert body[0].text == "<soapenv:Header>"


def test_a_documents_id_as_a_message_id() -> None:
    assert message_id("019a0e7c5b00712389abcdef01234567") == ID


def related(*ids: str, space: str = WSA, kind: str = "", envelope: str = ENVELOPE, body: str = "") -> bytes:
    said = "".join(f"<a:RelatesTo{kind}>{id}</a:RelatesTo>" for id in ids)
    head = f'<e:Envelope xmlns:e="{envelope}" xmlns:a="{space}"><e:Header>{said}<a:Action>x</a:Action></e:Header>'
    return f"{head}<e:Body>{body}</e:Body></e:Envelope>".encode()


def owned(answer: bytes) -> bool:
    return Addressing(WSA, "urn:echo", TO).owns(answer, ID)


@pytest.mark.parametrize(
    "answer",
    [
        related(ID),
        related(f"\n  {ID}\n"),
        related(ID, space=SUBMISSION),
        related("urn:other", ID),
        related(f"{WSA}/unspecified"),
        related(f"{SUBMISSION}/id/unspecified"),
        related(),
        related("urn:other", space="urn:own"),
        related("urn:other", kind=' RelationshipType="urn:vendor/cancels"'),
        related(body="<a:RelatesTo>urn:other</a:RelatesTo>"),
        related(body="RelatesTo" + 100_000 * "<x/>"),
        related(ID).decode().encode("utf-16"),
        b"<no xml RelatesTo",
        b"RelatesTo",
    ],
)
def test_an_answer_that_may_be_ours(answer: bytes) -> None:
    assert owned(answer)


@pytest.mark.parametrize(
    "answer",
    [
        related("urn:other"),
        related("urn:other", "urn:another"),
        related(""),
        related(ID.upper()),
        related("urn:other", kind=f' RelationshipType="{WSA}/reply"'),
        related("urn:other", space=SUBMISSION, kind=' RelationshipType="a:Reply"'),
        related("urn:other", envelope="http://www.w3.org/2003/05/soap-envelope"),
        related("urn:other", body="<e:Fault><faultcode>e:Client</faultcode></e:Fault>"),
        b"<!-- x -->" + related("urn:other"),
        related("urn:other").decode().encode("utf-16"),
        b'<?xml version="1.0" encoding="iso-8859-1"?>' + related("urn:other \xe9").decode().encode("latin-1"),
    ],
)
def test_an_answer_to_another_message(answer: bytes) -> None:
    assert not owned(answer)


def understood(block: str, *, soap: str = "soap", space: str = ENVELOPE) -> object:
    head = f'<e:Envelope xmlns:e="{space}" xmlns:t="urn:t" xmlns:a="{WSA}"><e:Header>{block}</e:Header>'
    return codec(soap).decode(f"{head}<e:Body><t:Root>x</t:Root></e:Body></e:Envelope>".encode())


SOAP_12 = {"soap": "soap12", "space": "http://www.w3.org/2003/05/soap-envelope"}


@pytest.mark.parametrize(
    ("block", "version"),
    [
        ('<t:Other e:mustUnderstand="0"/>', {}),
        ("<t:Other/>", {}),
        ('<a:Action e:mustUnderstand="1">x</a:Action>', {}),
        ('<t:Other e:mustUnderstand="1" e:actor="urn:somebody-else"/>', {}),
        ('<t:Other e:mustUnderstand="false"/>', SOAP_12),
        ('<t:Other e:mustUnderstand="true" e:role="http://www.w3.org/2003/05/soap-envelope/role/none"/>', SOAP_12),
    ],
)
def test_headers_that_need_not_be_understood(block: str, version: dict[str, str]) -> None:
    assert understood(block, **version) == "x"


@pytest.mark.parametrize(
    ("block", "version"),
    [
        ('<t:Other e:mustUnderstand="1"/>', {}),
        ('<t:Other e:mustUnderstand="1" e:actor="http://schemas.xmlsoap.org/soap/actor/next"/>', {}),
        ('<t:Other e:mustUnderstand="true"/>', SOAP_12),
        ('<t:Other e:mustUnderstand="1" e:role="http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver"/>', SOAP_12),
        ('<a:Action/><Other e:mustUnderstand=" 1 "/>', {}),
    ],
)
def test_a_header_that_must_be_understood_and_is_not(block: str, version: dict[str, str]) -> None:
    """SOAP 1.1 section 4.2.3, SOAP 1.2 part 1 section 2.6."""
    with pytest.raises(BadAnswer, match="must be understood and is not: Other"):
        understood(block, **version)


def test_a_declared_header_is_understood() -> None:
    text = wsdl(schema('<xs:element name="Root" type="xs:string"/><xs:element name="Session" type="xs:string"/>'))
    text = text.replace("<portType", '<message name="H"><part name="h" element="t:Session"/></message><portType', 1)
    text = text.replace("<output><soap:body", '<output><soap:header message="w:H" part="h" use="literal"/><soap:body', 1)
    found = read(text)
    head = '<t:Session e:mustUnderstand="1">s</t:Session>'
    answer = f'<e:Envelope xmlns:e="{ENVELOPE}" xmlns:t="urn:t"><e:Header>{head}</e:Header><e:Body><t:Root>x</t:Root></e:Body>'
    value = compile_operation(found, found.operation("echo")).decode(f"{answer}</e:Envelope>".encode())
    assert value == {"$value": "x", "$headers": {"Session": "s"}}
