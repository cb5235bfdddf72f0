"""SOAP finance: payments and the report of a closed period."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime
from decimal import Decimal
from zlib import crc32

from gateway.demo.erp.books import ENTITIES, Books, Fields, Refusal, is_date, knows_payee
from gateway.demo.erp.soap import SOAP11, Answer, Operation, Service, element, schema, text

MESSAGES = "urn:demo-erp:finance:types"
PAYMENT = (
    *("c:BUKRS", "c:XBLNR", "c:USNAM"),
    *("m:LIFNR", "m:NAME1", "m:BANKN", "m:WRBTR", "m:WAERS", "m:ZFBDT", "m:SGTXT", "m:BELNR", "m:STATUS", "m:CPUTM"),
)
GIVEN_BY_ERP = ("BELNR", "STATUS", "CPUTM")
ACCOUNTS = (
    ("0000113100", "Bank CNY", "ASSET"),
    ("0000140000", "Trade receivables", "ASSET"),
    ("0000300000", "Raw materials", "ASSET"),
    ("0000160000", "Trade payables", "LIABILITY"),
    ("0000175000", "Output tax", "LIABILITY"),
    ("0000400000", "Consumption of raw materials", "EXPENSE"),
    ("0000476000", "Freight", "EXPENSE"),
    ("0000800000", "Domestic sales", "REVENUE"),
)
PERIODS = ("202001", "202612")


def service(books: Books) -> Service:
    return Service(
        name="finance",
        namespace="urn:demo-erp:finance",
        messages=MESSAGES,
        schema=schema("finance-types.xsd"),
        versions=(SOAP11,),
        prefixes={"m": MESSAGES, "c": "urn:demo-erp:common"},
        repeated=frozenset({"Konto"}),
        number="m:BELNR",
        operations={
            "CreatePayment": Operation(lambda request: _create(books, request["Payment"]), "Refused"),
            "GetPayment": Operation(lambda request: _get(books, request), "NotFound"),
            "GetFinanceReport": Operation(_report, "NotFound"),
        },
    )


def _create(books: Books, payment: Fields) -> Answer:
    for name in GIVEN_BY_ERP:
        if name in payment:
            raise Refusal("NOT_ALLOWED", name, f"{name} is given by the ERP")
    if payment["BUKRS"] not in ENTITIES:
        raise Refusal("UNKNOWN_ENTITY", "BUKRS", f"entity {payment['BUKRS']} does not exist")
    if not knows_payee(payment["LIFNR"]):
        raise Refusal("UNKNOWN_PAYEE", "LIFNR", f"payee {payment['LIFNR']} does not exist")
    if not is_date(payment["ZFBDT"]):
        raise Refusal("INVALID_DATE", "ZFBDT", f"{payment['ZFBDT']} is not a day of the calendar")
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    given = {"@MANDT": payment.get("@MANDT", "100"), "STATUS": "01", "CPUTM": at}
    return Answer(
        _xml(books.book(payment["XBLNR"].strip(), "XBLNR", lambda number: payment | given | {"BELNR": number})), "booked"
    )


def _get(books: Books, request: Fields) -> Answer:
    field, number = next(iter(request.items()))
    payment = books.find(number) if field == "BELNR" else books.find_external(number.strip())
    if payment is None:
        raise Refusal("NOT_FOUND", field, f"there is no payment {number}")
    return Answer(_xml(payment), "read")


def _xml(payment: Fields) -> str:
    present = ((name, name[2:]) for name in PAYMENT if name[2:] in payment)
    content = "".join([element(name, payment[field]) for name, field in present])
    return f'<m:Payment MANDT="{text(payment["@MANDT"])}">{content}</m:Payment>'


def _report(request: Fields) -> Answer:
    """The same period always gives the same report; debits equal credits."""
    period = request["PERIODE"]
    if not PERIODS[0] <= period <= PERIODS[1]:
        raise Refusal("NOT_FOUND", "PERIODE", f"there is no closed period {period}")
    year, month = int(period[:4]), int(period[4:])
    debit = credit = Decimal(0)
    lines = []
    for number, name, kind in ACCOUNTS:
        amount = Decimal(crc32(f"{period} {number}".encode()) % 900_000_000 + 1_000_000).scaleb(-2)
        if number == ACCOUNTS[-1][0]:
            amount = debit - credit
        is_debit = kind in ("ASSET", "EXPENSE")
        debit, credit = (debit + amount, credit) if is_debit else (debit, credit + amount)
        lines.append(
            f'<m:Konto SAKNR="{number}">{element("m:TXT50", name)}{element("m:KTOART", kind)}'
            f"{element('m:SOLL' if is_debit else 'm:HABEN', str(amount))}"
            f"{element('m:ANZAHL', str(crc32(f'{number} {period}'.encode()) % 400 + 1))}</m:Konto>"
        )
    last_day = calendar.monthrange(year, month)[1]
    return Answer(
        f"<m:Report>{element('m:PERIODE', period)}{element('m:STICHTAG', f'{year:04}-{month:02}-{last_day:02}')}"
        f"{element('m:WAERS', 'CNY')}<m:Konten>{''.join(lines)}</m:Konten>{element('m:SUMMESOLL', str(debit))}"
        f"{element('m:SUMMEHABEN', str(credit))}{element('m:GEPRUEFT', 'true')}</m:Report>",
        "read",
    )
