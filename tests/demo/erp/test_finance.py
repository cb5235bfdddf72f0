"""Finance through zeep, a client nobody here wrote."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
import zeep
from lxml import etree

from gateway.demo.erp.soap import CONTRACTS

C = "{urn:demo-erp:common}"


@pytest.fixture(scope="module")
def finance(erp) -> Iterator[zeep.Client]:
    client = zeep.Client(f"{erp.url}/soap/finance?wsdl")
    yield client
    client.transport.session.close()


def payment(external: str, **changes) -> dict[str, object]:
    fields = {"BUKRS": "1000", "XBLNR": external, "USNAM": "li.na", "LIFNR": "00004711", "NAME1": "Falkenberg & Söhne <GmbH>"}
    fields |= {
        "BANKN": "6222 0202",
        "WRBTR": Decimal("500000.01"),
        "WAERS": "CNY",
        "ZFBDT": "31/12/2026",
        "SGTXT": "Invoice\r\n7",
    }
    return {name: value for name, value in (fields | changes).items() if value is not ...}


def refusal(client, **fields) -> list[str]:
    with pytest.raises(zeep.exceptions.Fault) as fault:
        client.service.CreatePayment(fields)
    return [child.text for child in fault.value.detail[0]]


def test_a_payment_is_booked_and_found_by_either_number(finance, unique):
    external = unique()
    booked = finance.service.CreatePayment(payment(external))
    assert (booked.STATUS, booked.MANDT, len(booked.BELNR)) == ("01", "100", 10)
    assert {name: booked[name] for name in payment(external)} == payment(external)
    assert finance.service.GetPayment(BELNR=booked.BELNR) == booked
    assert finance.service.GetPayment(XBLNR=external) == booked


def test_absent_and_nil_stay_apart(http, finance, unique):
    texts = {}
    for name, value in (("absent", ...), ("nil", zeep.xsd.Nil), ("empty", "")):
        number = finance.service.CreatePayment(payment(unique(), SGTXT=value)).BELNR
        with finance.settings(raw_response=True):
            answer = etree.fromstring(finance.service.GetPayment(BELNR=number).content)
        found = answer.find(".//{urn:demo-erp:finance:types}SGTXT")
        texts[name] = None if found is None else (dict(found.attrib), found.text)
    assert texts["absent"] is None
    assert texts["nil"] == ({"{http://www.w3.org/2001/XMLSchema-instance}nil": "true"}, None)
    assert texts["empty"] == ({}, None)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"BUKRS": "3000"}, "UNKNOWN_ENTITY", "BUKRS"),
        ({"LIFNR": "00005000"}, "UNKNOWN_PAYEE", "LIFNR"),
        ({"ZFBDT": "30/02/2026"}, "INVALID_DATE", "ZFBDT"),
        ({"BELNR": "1900000001"}, "NOT_ALLOWED", "BELNR"),
        ({"STATUS": "02"}, "NOT_ALLOWED", "STATUS"),
    ],
)
def test_what_the_erp_does_not_know_is_a_declared_fault(finance, unique, changes, code, field):
    assert refusal(finance, **payment(unique(), **changes))[:2] == [code, field]


def test_a_duplicate_names_the_payment_already_there(finance, unique):
    external = unique()
    booked = finance.service.CreatePayment(payment(external))
    found = refusal(finance, **payment(external, WRBTR=Decimal(1)))
    assert [found[0], found[1], found[3]] == ["DUPLICATE", "XBLNR", booked.BELNR]


@pytest.mark.parametrize("changes", [{"WRBTR": Decimal("0")}, {"WRBTR": Decimal("1.001")}, {"LIFNR": "4711"}, {"WAERS": "Yuan"}])
def test_what_breaks_the_contract_is_an_undeclared_fault(finance, unique, changes):
    with pytest.raises(zeep.exceptions.Fault, match="does not fit the contract") as fault:
        finance.service.CreatePayment(payment(unique(), **changes))
    assert fault.value.detail is None


def test_the_report_is_the_same_each_time_and_balances(finance):
    report = finance.service.GetFinanceReport("202602")
    assert report == finance.service.GetFinanceReport("202602")
    accounts = report.Konten.Konto
    assert date(2026, 2, 28) == report.STICHTAG
    assert report.SUMMESOLL == report.SUMMEHABEN == sum(account.SOLL or 0 for account in accounts)
    assert all((account.SOLL is None) != (account.HABEN is None) for account in accounts)


def test_a_period_never_closed_is_a_declared_fault(finance):
    with pytest.raises(zeep.exceptions.Fault) as fault:
        finance.service.GetFinanceReport("202701")
    assert fault.value.detail[0].findtext(f"{C}CODE") == "NOT_FOUND"


def test_every_answer_and_fault_fits_the_contract(finance, unique):
    contract = etree.XMLSchema(file=str(CONTRACTS / "finance-types.xsd"))
    external = unique()
    with finance.settings(raw_response=True):
        calls = [finance.service.CreatePayment(payment(external)) for _ in range(2)]
        calls += [finance.service.GetPayment(XBLNR=external), finance.service.GetPayment(XBLNR="none")]
        calls += [finance.service.GetFinanceReport(period) for period in ("202001", "202612", "201912")]
    bodies = [etree.fromstring(call.content)[0][0] for call in calls]
    payloads = [body.find("detail")[0] if body.tag.endswith("Fault") else body for body in bodies]
    for payload in payloads:
        contract.assertValid(payload)
    assert [payload.tag.rpartition("}")[2] for payload in payloads] == [
        *("CreatePaymentResponse", "Refused", "GetPaymentResponse", "NotFound"),
        *("GetFinanceReportResponse", "GetFinanceReportResponse", "NotFound"),
    ]
