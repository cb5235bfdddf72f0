"""SOAP procurement: purchase orders with their positions, valued exactly."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

from gateway.demo.erp.books import UNITS, Books, Fields, Refusal, is_date, knows_sku, knows_supplier
from gateway.demo.erp.soap import SOAP11, SOAP12, Answer, Operation, Service, element, schema, text

HEADER = ("BSTNK", "LIFNR", "BEDAT", "WAERS", "KTEXT")
POSITION = ("EBELP", "MATNR", "MENGE", "MEINS", "NETPR", "EINDT", "NETWR")
GIVEN_BY_ERP = ("EBELN", "STATUS", "SUMME")
MONEY = Context(prec=40, rounding=ROUND_HALF_UP)
CENT = Decimal("0.01")


def service(books: Books) -> Service:
    messages = "urn:demo-erp:procurement:messages"
    return Service(
        name="procurement",
        namespace="urn:demo-erp:procurement",
        messages=messages,
        schema=schema("procurement.xsd"),
        versions=(SOAP12, SOAP11),
        prefixes={"m": messages, "t": "urn:demo-erp:procurement:types", "c": "urn:demo-erp:common"},
        repeated=frozenset({"Position"}),
        number="t:EBELN",
        operations={
            "CreatePurchaseOrder": Operation(lambda request: _create(books, request["Order"]), "Refused"),
            "GetPurchaseOrder": Operation(lambda request: _get(books, request), "NotFound"),
        },
    )


def _create(books: Books, order: Fields) -> Answer:
    for name in GIVEN_BY_ERP:
        if name in order:
            raise Refusal("NOT_ALLOWED", name, f"{name} is given by the ERP")
    if not knows_supplier(order["LIFNR"]):
        raise Refusal("UNKNOWN_SUPPLIER", "LIFNR", f"supplier {order['LIFNR']} does not exist")
    if not is_date(order["BEDAT"]):
        raise Refusal("INVALID_DATE", "BEDAT", f"{order['BEDAT']} is not a day of the calendar")
    positions = order["Positions"]["Position"]
    seen: set[int] = set()
    for index, position in enumerate(positions, 1):
        _check(position, f"Positions/Position[{index}]", seen)
    valued = [position | {"NETWR": str(_net(position))} for position in positions]
    total = Decimal(0)
    for position in valued:
        total = MONEY.add(total, Decimal(position["NETWR"]))
    given = {"@BSART": order.get("@BSART", "NB"), "Positions": {"Position": valued}, "STATUS": "01", "SUMME": str(total)}
    return Answer(_xml(books.book(order["BSTNK"].strip(), "BSTNK", lambda number: order | given | {"EBELN": number})), "booked")


def _check(position: Fields, path: str, seen: set[int]) -> None:
    line = int(position["EBELP"])
    if line in seen:
        raise Refusal("INVALID_LINE", f"{path}/EBELP", f"line {line} is there twice")
    seen.add(line)
    if "NETWR" in position:
        raise Refusal("NOT_ALLOWED", f"{path}/NETWR", "NETWR is given by the ERP")
    if not knows_sku(position["MATNR"]):
        raise Refusal("UNKNOWN_MATERIAL", f"{path}/MATNR", f"material {position['MATNR']} does not exist")
    if position["MEINS"] not in UNITS:
        raise Refusal("UNKNOWN_UNIT", f"{path}/MEINS", f"unit {position['MEINS']} is not maintained for {position['MATNR']}")
    if position.get("EINDT") is not None and not is_date(position["EINDT"]):
        raise Refusal("INVALID_DATE", f"{path}/EINDT", f"{position['EINDT']} is not a day of the calendar")


def _net(position: Fields) -> Decimal:
    return MONEY.quantize(MONEY.multiply(Decimal(position["MENGE"].strip()), Decimal(position["NETPR"].strip())), CENT)


def _get(books: Books, request: Fields) -> Answer:
    field, number = next(iter(request.items()))
    order = books.find(number) if field == "EBELN" else books.find_external(number.strip())
    if order is None:
        raise Refusal("NOT_FOUND", field, f"there is no purchase order {number}")
    return Answer(_xml(order), "read")


def _xml(order: Fields) -> str:
    header = _elements(HEADER, order)
    positions = "".join(
        [f"<t:Position>{_elements(POSITION, position)}</t:Position>" for position in order["Positions"]["Position"]]
    )
    return (
        f'<m:Order BSART="{text(order["@BSART"])}">{header}<t:Positions>{positions}</t:Positions>'
        f"{_elements(GIVEN_BY_ERP, order)}</m:Order>"
    )


def _elements(names: tuple[str, ...], values: Fields) -> str:
    return "".join([element(f"t:{name}", values[name]) for name in names if name in values])
