# ruff: noqa: E501  (a schema reads best on one line)
"""Faults become problems: declared ones with typed detail, others without anything of the ERP's inside."""

from __future__ import annotations

import json

import pytest

from gateway.errors import FaultClient, FaultServer, Problem, Refused
from gateway.protocols.soap import Codec, compile_operation, fault_schemas
from tests.protocols.soap.wsdls import ENVELOPE, ENVELOPE_12, contract, envelope, read, schema, wsdl

BODY = """<xs:element name="Root" type="xs:string"/><xs:element name="Refused"><xs:complexType><xs:sequence>
  <xs:element name="code" type="xs:string"/><xs:element name="limit" type="xs:decimal" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>"""
DETAIL = "<t:Refused><t:code>LIMIT</t:code><t:limit>500000.00</t:limit></t:Refused>"


def codec(soap: str = "soap") -> Codec:
    found = contract(BODY, fault="Refused", soap=soap)
    return compile_operation(found, found.operation("echo"))


def problem(body: bytes, soap: str = "soap") -> Problem:
    with pytest.raises(Problem) as caught:
        codec(soap).decode(body)
    return caught.value


def fault_11(code: str = "e:Server", text: str = "No.", detail: str = "", more: str = "") -> bytes:
    return envelope(
        f"<e:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring>{more}<detail>{detail}</detail></e:Fault>"
    )


def fault_12(
    code: str = "e:Receiver", reasons: str = '<e:Text xml:lang="en">No.</e:Text>', detail: str = "", more: str = ""
) -> bytes:
    body = f"<e:Fault><e:Code><e:Value>{code}</e:Value>{more}</e:Code><e:Reason>{reasons}</e:Reason><e:Role>urn:erp</e:Role><e:Detail>{detail}</e:Detail></e:Fault>"
    return envelope(body, space=ENVELOPE_12)


def test_a_declared_fault_is_a_refusal_with_typed_detail() -> None:
    found = problem(fault_11(detail=DETAIL, text="Above the limit", more="<faultactor>urn:erp:fi</faultactor>"))
    assert isinstance(found, Refused)
    assert found.detail == "Above the limit"
    assert found.extensions["fault"] == {
        "code": "Server",
        "subcodes": [],
        "actor": "urn:erp:fi",
        "reasons": {"und": "Above the limit"},
        "detail": {"Refused": {"code": "LIMIT", "limit": "500000.00"}},
    }
    described = contract(BODY, fault="Refused")
    assert list(fault_schemas(described, described.operation("echo"))) == ["Refused"]


HEADER = """<t:Session xmlns:t="urn:t"><t:code>EXPIRED</t:code></t:Session><x:Other xmlns:x="urn:x">secret</x:Other>"""


@pytest.mark.parametrize("soap", ["soap", "soap12"])
@pytest.mark.parametrize("detail", ["", DETAIL])
def test_what_is_wrong_with_a_header_is_told_typed(soap: str, detail: str) -> None:
    """WSDL 1.1 section 3.7: such a fault tells its details in the header of the answer."""
    body = (
        BODY
        + """<xs:element name="Session"><xs:complexType><xs:sequence><xs:element name="code" type="xs:string"/>
      </xs:sequence></xs:complexType></xs:element>"""
    )
    text = wsdl(
        schema(body), soap=soap, fault="Refused", extra='<message name="H"><part name="h" element="t:Session"/></message>'
    )
    declared = '<soap:header message="w:H" part="h" use="literal">{}</soap:header>'
    for fault in (
        '<soap:headerfault message="w:H" part="h" use="literal"/>',
        '<soap:headerfault message="w:Gone" part="h" use="literal"/>',
    ):
        found = read(
            text.replace('<input><soap:body use="literal"/>', '<input><soap:body use="literal"/>' + declared.format(fault))
        )
        answer = fault_12(detail=detail) if soap == "soap12" else fault_11(detail=detail)
        with pytest.raises(Problem) as caught:
            compile_operation(found, found.operation("echo")).decode(
                answer.replace(b"<e:Body>", f"<e:Header>{HEADER}</e:Header><e:Body>".encode())
            )
        headers = caught.value.extensions["fault"].get("headers")  # type: ignore[attr-defined]
        assert headers == ({"Session": {"code": "EXPIRED"}} if "Gone" not in fault else None)
        assert isinstance(caught.value, Refused if detail else FaultServer)


def test_a_soap_12_fault_keeps_subcodes_and_languages() -> None:
    sub = "<e:Subcode><e:Value>t:Limit</e:Value><e:Subcode><e:Value>t:Daily</e:Value></e:Subcode></e:Subcode>"
    reasons = '<e:Text xml:lang="en">Above the limit</e:Text><e:Text xml:lang="zh">超过限额</e:Text>'
    found = problem(fault_12("e:Sender", reasons, DETAIL, sub), "soap12")
    assert isinstance(found, Refused)
    fault = found.extensions["fault"]
    assert fault["code"] == "Sender"  # type: ignore[index]
    assert fault["subcodes"] == ["Limit", "Daily"]  # type: ignore[index]
    assert fault["reasons"] == {"en": "Above the limit", "zh": "超过限额"}  # type: ignore[index]
    assert fault["actor"] == "urn:erp"  # type: ignore[index]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("e:Client", FaultClient),
        ("e:Client.Auth", FaultClient),
        ("a:MessageAddressingHeaderRequired", FaultClient),
        ("a:ActionNotSupported", FaultClient),
        ("a:DestinationUnreachable", FaultServer),
        ("e:Server", FaultServer),
        ("x:Own", FaultServer),
        ("", FaultServer),
        ("<![CDATA[ <b> ]]>", FaultServer),
    ],
)
def test_an_undeclared_fault_blames_by_its_code(code: str, kind: type[Problem]) -> None:
    found = problem(fault_11(code, "Order is locked"))
    assert type(found) is kind
    assert found.detail == "Order is locked"


def test_soap_12_codes() -> None:
    assert isinstance(problem(fault_12("e:Sender"), "soap12"), FaultClient)
    assert isinstance(problem(fault_12("e:Receiver"), "soap12"), FaultServer)
    assert isinstance(problem(fault_12("e:Receiver"), "soap"), FaultServer)


def test_either_shape_is_read_in_either_envelope() -> None:
    shape_12 = fault_12("SOAP-ENV:Sender", "<e:Text>No such order</e:Text>", DETAIL).replace(
        ENVELOPE_12.encode(), ENVELOPE.encode()
    )
    shape_11 = fault_11("Client", "No such order", DETAIL).replace(ENVELOPE.encode(), ENVELOPE_12.encode())
    for body, code, soap in ((shape_12, "Sender", "soap"), (shape_11, "Client", "soap12")):
        found = problem(body, soap)
        assert isinstance(found, Refused)
        assert found.extensions["fault"]["code"] == code  # type: ignore[index]
        assert found.detail == "No such order"


@pytest.mark.parametrize(
    "text",
    [
        "java.lang.NullPointerException: x",
        "at com.erp.Ledger.post(Ledger.java:17)",
        "ORA-00942: table or view does not exist",
        "SELECT * FROM users; SQL state 42",
        "see http://10.0.0.7/admin",
        "/opt/erp/conf missing",
        "line one\nline two",
        "x" * 500,
        "C:\\erp\\app.config",
        "SELECT price FROM stock failed",
        "UPDATE t SET a = 1 was refused",
        "no bean com.example.Stock",
    ],
)
def test_internals_never_reach_the_caller(text: str) -> None:
    found = problem(fault_11("e:Server", text, "<t:Secret>s3cret</t:Secret><stack>trace</stack>"))
    shown = json.dumps(found.document())
    assert isinstance(found, FaultServer)
    assert found.detail == ""
    assert "s3cret" not in shown
    assert "trace" not in shown
    assert text[:12] not in shown


def test_a_declared_fault_that_is_broken_counts_as_undeclared() -> None:
    found = problem(fault_11("e:Client", detail="<t:Refused><t:limit>x</t:limit></t:Refused>"))
    assert type(found) is FaultClient
    assert "detail" not in found.extensions["fault"]  # type: ignore[operator]


def test_a_fault_with_nothing_in_it() -> None:
    assert isinstance(problem(envelope("<e:Fault/>")), FaultServer)
    assert isinstance(problem(envelope("<e:Fault/>", space=ENVELOPE_12), "soap12"), FaultServer)
    assert ENVELOPE in problem.__globals__["ENVELOPE"]


def test_detail_that_needs_namespaces_is_read_again() -> None:
    body = BODY.replace('type="xs:decimal"', 'type="xs:QName"')
    found = contract(body, fault="Refused")
    with pytest.raises(Refused) as caught:
        compile_operation(found, found.operation("echo")).decode(
            fault_11(detail="<t:Refused><t:code>a</t:code><t:limit>t:b</t:limit></t:Refused>")
        )
    assert caught.value.extensions["fault"]["detail"] == {"Refused": {"code": "a", "limit": "{urn:t}b"}}  # type: ignore[index]
