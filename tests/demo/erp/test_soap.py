"""The envelope, seen from outside: bodies by hand over httpx, so that nothing but the ERP itself is tested."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from gateway.demo.erp import finance
from gateway.demo.erp.books import Books
from gateway.demo.erp.soap import SOAP11, SOAP12, respond

F = "urn:demo-erp:finance:types"


def envelope(body: str, version: str = SOAP11, header: str = "") -> str:
    return f'<e:Envelope xmlns:e="{version}" xmlns:f="{F}">{header}<e:Body>{body}</e:Body></e:Envelope>'


GET = "<f:GetPayment><f:BELNR>1999999999</f:BELNR></f:GetPayment>"
REPORT = "<f:GetFinanceReport><f:PERIODE>202609</f:PERIODE></f:GetFinanceReport>"


def post(http, content, **headers):
    return http.post("/soap/finance", content=content, headers={"content-type": "text/xml", "soapaction": '""'} | headers)


def code(answer) -> str:
    return etree.fromstring(answer.content).findtext(".//faultcode").removeprefix("e:")


def test_a_declared_fault_has_its_typed_detail(http):
    answer = post(http, envelope(GET))
    fault = etree.fromstring(answer.content).find(f"{{{SOAP11}}}Body/{{{SOAP11}}}Fault")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert fault.findtext("faultcode") == "e:Client"
    assert [child.text for child in fault.find(f"detail/{{{F}}}NotFound")] == [
        "NOT_FOUND",
        "BELNR",
        "there is no payment 1999999999",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "Client"),
        (b"not xml", "Client"),
        (b"\xff\xfe\x00", "Client"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "Client"),
        ("<a>" * 5000, "Client"),
        (envelope(REPORT)[:-5], "Client"),
        (f"<!DOCTYPE a>{envelope(REPORT)}", "Client"),
        (f'<!DOCTYPE a SYSTEM "file:///etc/passwd">{envelope(REPORT)}', "Client"),
        (f'<!DOCTYPE a [<!ENTITY b "202609">]>{envelope(REPORT.replace("202609", "&b;"))}', "Client"),
        (envelope(f"<?go?>{REPORT}"), "Client"),
        (envelope(""), "Client"),
        (envelope(REPORT + REPORT), "Client"),
        (envelope("<f:DropTables/>"), "Client"),
        (envelope('<GetPayment xmlns="urn:other"/>'), "Client"),
        (envelope(REPORT.replace("202609", "202613")), "Client"),
        (envelope("<f:GetPayment/>"), "Client"),
        (envelope(GET, header='<e:Header><x e:mustUnderstand="1"/></e:Header>'), "MustUnderstand"),
        (envelope(GET, SOAP12), "VersionMismatch"),
        ("<Envelope/>", "VersionMismatch"),
    ],
)
def test_what_does_not_fit_is_an_undeclared_fault(http, erp, content, expected):
    seen = len(erp.journal())
    answer = post(http, content)
    assert answer.status_code == 500
    assert code(answer) == expected
    assert etree.fromstring(answer.content).find(".//detail") is None
    (entry,) = erp.journal(seen)
    assert (entry["outcome"], entry["reason"]) == ("refused", expected)


def test_a_header_that_need_not_be_understood_is_ignored(http):
    header = '<e:Header><x e:mustUnderstand="0"/><!-- note --><y/></e:Header>'
    assert post(http, envelope(REPORT, header=header)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"soapaction": '"urn:demo-erp:finance:GetFinanceReport"'}, 200),
        ({"soapaction": '"urn:demo-erp:finance:CreatePayment"'}, 500),
        ({"content-type": "application/json"}, 500),
        ({"content-type": 'text/xml; charset="utf-8"'}, 200),
    ],
)
def test_action_and_content_type_must_agree_with_the_body(http, headers, status):
    assert post(http, envelope(REPORT), **headers).status_code == status


def test_soap_11_needs_its_action_header(http):
    answer = http.post("/soap/finance", content=envelope(REPORT), headers={"content-type": "text/xml"})
    assert code(answer) == "Client"


def test_soap_12_faults_are_told_apart_by_code_and_status(http):
    body = '<m:GetPurchaseOrder xmlns:m="urn:demo-erp:procurement:messages">{}</m:GetPurchaseOrder>'
    headers = {"content-type": "application/soap+xml"}
    declared = http.post(
        "/soap/procurement", content=envelope(body.format("<m:EBELN>1234567890</m:EBELN>"), SOAP12), headers=headers
    )
    invalid = http.post("/soap/procurement", content=envelope(body.format(""), SOAP12), headers=headers)
    assert declared.status_code == invalid.status_code == 400
    assert declared.headers["content-type"].startswith("application/soap+xml")
    values = [etree.fromstring(answer.content).findtext(f".//{{{SOAP12}}}Value") for answer in (declared, invalid)]
    details = [etree.fromstring(answer.content).find(f".//{{{SOAP12}}}Detail") is not None for answer in (declared, invalid)]
    assert values == ["e:Sender", "e:Sender"]
    assert details == [True, False]


def test_soap_12_checks_the_action_parameter_when_there_is_one(http):
    body = '<m:GetPurchaseOrder xmlns:m="urn:demo-erp:procurement:messages"><m:EBELN>1234567890</m:EBELN></m:GetPurchaseOrder>'
    answer = http.post(
        "/soap/procurement",
        content=envelope(body, SOAP12),
        headers={"content-type": 'application/soap+xml; action="urn:demo-erp:procurement:CreatePurchaseOrder"'},
    )
    assert "the action must be urn:demo-erp:procurement:GetPurchaseOrder" in answer.text


FINANCE = finance.service(Books(1, limit=10))
WHOLE = (
    envelope(
        '<f:CreatePayment><f:Payment xmlns:c="urn:demo-erp:common" MANDT="100"><c:BUKRS>1000</c:BUKRS><c:XBLNR>é</c:XBLNR>'
        "<c:USNAM>u</c:USNAM><f:LIFNR>00004000</f:LIFNR><f:NAME1>n</f:NAME1><f:BANKN>b</f:BANKN><f:WRBTR>1.0</f:WRBTR>"
        "<f:WAERS>CNY</f:WAERS><f:ZFBDT>01/01/2026</f:ZFBDT></f:Payment></f:CreatePayment>"
    )
).encode()


@given(at=st.integers(0, len(WHOLE)), cut=st.integers(0, 40), put=st.binary(max_size=8) | st.text(max_size=8).map(str.encode))
@example(at=0, cut=0, put=b"")
def test_a_damaged_envelope_always_gets_a_well_formed_answer(at, cut, put):
    result = respond(FINANCE, WHOLE[:at] + put + WHOLE[at + cut :], "text/xml", '""')
    body = etree.fromstring(result.body)[0]
    assert result.status == (200 if body[0].tag == f"{{{F}}}CreatePaymentResponse" else 500)
    assert (result.outcome == "booked") == (result.status == 200)


@given(content_type=st.text(max_size=40), action=st.none() | st.text(max_size=40))
def test_no_header_breaks_it(content_type, action):
    result = respond(FINANCE, envelope(REPORT).encode(), content_type, action)
    assert result.status in (200, 500)
    assert etree.fromstring(result.body) is not None
