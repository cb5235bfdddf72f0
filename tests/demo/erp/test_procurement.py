"""Procurement through zeep, on both of its ports."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
import zeep
from lxml import etree

from gateway.demo.erp.soap import CONTRACTS


@pytest.fixture(scope="module")
def client(erp) -> Iterator[zeep.Client]:
    client = zeep.Client(f"{erp.url}/soap/procurement?wsdl")
    yield client
    client.transport.session.close()


@pytest.fixture(params=["ProcurementSoap12", "ProcurementSoap11"])
def procurement(client, request):
    return client.bind("ProcurementService", request.param)


def position(line: int, **changes) -> dict[str, object]:
    fields = {"EBELP": line, "MATNR": f"{line:06}", "MENGE": Decimal(f"{line}.125"), "MEINS": "KGM", "NETPR": Decimal("10.10")}
    return fields | {"EINDT": "28/02/2026"} | changes


def order(external: str, *positions, **changes) -> dict[str, object]:
    header = {"BSTNK": external, "LIFNR": "00001999", "BEDAT": "01/02/2026", "WAERS": "EUR", "KTEXT": "dock 4"}
    return header | {"Positions": {"Position": list(positions)}} | changes


def test_twenty_lines_are_booked_valued_and_found_again(procurement, unique):
    external = unique()
    booked = procurement.CreatePurchaseOrder(order(external, *map(position, range(1, 21))))
    lines = booked.Positions.Position
    assert [line.EBELP for line in lines] == list(range(1, 21))
    assert [line.MATNR for line in lines] == [f"{n:06}" for n in range(1, 21)]
    assert [line.NETWR for line in lines[:2]] == [Decimal("11.36"), Decimal("21.46")]  # 11.3625, 21.4625
    assert sum(line.NETWR for line in lines) == booked.SUMME
    assert (booked.STATUS, booked.BSART, len(booked.EBELN)) == ("01", "NB", 10)
    assert procurement.GetPurchaseOrder(EBELN=booked.EBELN) == booked
    assert procurement.GetPurchaseOrder(BSTNK=external) == booked


def test_halves_round_up_and_the_largest_order_is_exact(client, unique):
    half = position(1, MENGE=Decimal("0.5"), NETPR=Decimal("0.01"))
    largest = position(2, MENGE=Decimal("9999999999.999"), NETPR=Decimal("999999999.99"))
    booked = client.service.CreatePurchaseOrder(order(unique(), half, largest))
    assert [line.NETWR for line in booked.Positions.Position] == [Decimal("0.01"), Decimal("9999999999899000000.00")]
    assert Decimal("9999999999899000000.01") == booked.SUMME


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"LIFNR": "00002000"}, "UNKNOWN_SUPPLIER", "LIFNR"),
        ({"BEDAT": "31/06/2026"}, "INVALID_DATE", "BEDAT"),
        ({"EBELN": "4500000001"}, "NOT_ALLOWED", "EBELN"),
        (
            {"Positions": {"Position": [position(1), position(2, MATNR="001000")]}},
            "UNKNOWN_MATERIAL",
            "Positions/Position[2]/MATNR",
        ),
        ({"Positions": {"Position": [position(1, MEINS="LTR")]}}, "UNKNOWN_UNIT", "Positions/Position[1]/MEINS"),
        ({"Positions": {"Position": [position(1, EINDT="30/02/2026")]}}, "INVALID_DATE", "Positions/Position[1]/EINDT"),
        ({"Positions": {"Position": [position(1, NETWR=Decimal(1))]}}, "NOT_ALLOWED", "Positions/Position[1]/NETWR"),
        ({"Positions": {"Position": [position(7), position(7)]}}, "INVALID_LINE", "Positions/Position[2]/EBELP"),
    ],
)
def test_what_the_erp_does_not_know_is_a_declared_fault(procurement, unique, changes, code, field):
    with pytest.raises(zeep.exceptions.Fault) as fault:
        procurement.CreatePurchaseOrder(order(unique(), position(1), **changes))
    assert [child.text for child in fault.value.detail[0]][:2] == [code, field]


def test_a_duplicate_names_the_order_already_there(procurement, unique):
    external = unique()
    booked = procurement.CreatePurchaseOrder(order(external, position(1)))
    with pytest.raises(zeep.exceptions.Fault) as fault:
        procurement.CreatePurchaseOrder(order(external, position(2)))
    found = [child.text for child in fault.value.detail[0]]
    assert [found[0], found[1], found[3]] == ["DUPLICATE", "BSTNK", booked.EBELN]


@pytest.mark.parametrize("changes", [{"MEINS": "PC"}, {"MENGE": Decimal("1.0001")}, {"NETPR": Decimal(-1)}, {"EBELP": 0}])
def test_what_breaks_the_contract_is_an_undeclared_fault(procurement, unique, changes):
    with pytest.raises(zeep.exceptions.Fault, match="does not fit the contract") as fault:
        procurement.CreatePurchaseOrder(order(unique(), position(1, **changes)))
    assert fault.value.detail is None


def test_every_answer_and_fault_fits_the_contract(client, procurement, unique):
    contract = etree.XMLSchema(file=str(CONTRACTS / "procurement.xsd"))
    external = unique()
    with client.settings(raw_response=True):
        calls = [procurement.CreatePurchaseOrder(order(external, position(1), KTEXT=zeep.xsd.Nil)) for _ in range(2)]
        calls += [procurement.GetPurchaseOrder(BSTNK=external), procurement.GetPurchaseOrder(EBELN="0000000000")]
    bodies = [etree.fromstring(call.content)[0][0] for call in calls]
    payloads = [body[-1][0] if body.tag.endswith("Fault") else body for body in bodies]
    for payload in payloads:
        contract.assertValid(payload)
    assert [payload.tag.rpartition("}")[2] for payload in payloads] == [
        *("CreatePurchaseOrderResponse", "Refused", "GetPurchaseOrderResponse", "NotFound")
    ]
