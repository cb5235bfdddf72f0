"""REST inventory and sales: stock, stock movements and the sales orders of the second half of 2026.

Everything seeded follows from its key alone, so that any two runs agree. Stock may become negative, conversion factors are 1.
Each function takes what was sent and returns a JSON value, or raises ``RestError``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn
from zlib import crc32

from gateway.demo.erp.books import UNITS, Books, Fields, Refusal, is_date, knows_sku

WAREHOUSES = ("W01", "W02", "W03")
MOVEMENT = {
    "ref": r"\S(.{0,62}\S)?",
    "material": r"[0-9]{6}",
    "plant": r"[A-Za-z0-9_-]{1,16}",
    "qty": r"[0-9]{1,10}(\.[0-9]{1,3})?",
    "uom": r"[A-Z]{1,3}",
    "sign": r"[+-]",
}
FIRST_DAY, LAST_DAY = date(2026, 7, 1), date(2026, 12, 31)
SEEDED_AT = "2026-07-01T00:00:00Z"
NOUNS = ("Hex bolt", "Ball bearing", "Copper wire", "Steel sheet", "Gasket", "Gear wheel", "Cable", "Pump housing")
CUSTOMERS = ("Beihai Trading", "Falkenberg GmbH", "Norrland AB", "Qingdao Marine", "Atlas Retail", "Rhein-Main Bau")
STATUSES = ("OPEN", "SHIPPED", "INVOICED")


class RestError(Exception):
    """:param status: HTTP status. :param field: the offending field or parameter, if one."""

    def __init__(self, status: int, code: str, field: str, message: str, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.document = {"status": status, "code": code, "field": field, "message": message, **more}


class Inventory:
    """Stock and its movements."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._moved: dict[tuple[str, str], Decimal] = {}
        self._touched: dict[str, str] = {}

    def item(self, sku: str) -> dict[str, object]:
        if not knows_sku(sku):
            raise RestError(404, "UNKNOWN_MATERIAL", "sku", f"material {sku} does not exist")
        plants = dict.fromkeys(WAREHOUSES) | {plant: None for material, plant in self._moved if material == sku}
        stock = {plant: _seeded(sku, plant) + self._moved.get((sku, plant), Decimal(0)) for plant in plants}
        return {
            "sku": sku,
            "description": f"{NOUNS[int(sku) % len(NOUNS)]} {sku}",
            "unit": _unit(sku),
            "onHand": _quantity(sum(stock.values(), Decimal(0))),
            "reserved": _quantity(Decimal(_pick("reserved", sku) % 50)),
            "warehouses": [{"warehouse": plant, "onHand": _quantity(amount)} for plant, amount in stock.items()],
            "updatedAt": self._touched.get(sku, SEEDED_AT),
        }

    def move(self, raw: bytes) -> tuple[Fields, dict[str, object]]:
        """Book one movement: the fields as read, and the answer."""
        movement = _movement(raw)
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        try:
            booked = self._books.book(
                movement["ref"], "ref", lambda number: {"movementId": number, "status": "POSTED", **movement, "postedAt": at}
            )
        except Refusal as refusal:
            raise RestError(409, refusal.code, refusal.field, refusal.text, movementId=refusal.number) from refusal
        key = (movement["material"], movement["plant"])
        amount = Decimal(movement["qty"]) * (1 if movement["sign"] == "+" else -1)
        self._moved[key] = self._moved.get(key, Decimal(0)) + amount
        self._touched[movement["material"]] = at
        return movement, booked

    def movement(self, number: str) -> dict[str, object]:
        if booked := self._books.find(number):
            return booked
        raise RestError(404, "NOT_FOUND", "movementId", f"there is no movement {number}")

    def movement_by_ref(self, ref: str) -> dict[str, object]:
        if booked := self._books.find_external(ref):
            return booked
        raise RestError(404, "NOT_FOUND", "ref", f"there is no movement with ref {ref}")


def sales_orders(query: Mapping[str, str]) -> dict[str, object]:
    """The orders of ``date_from`` to ``date_to``, both DD/MM/YYYY, both included."""
    first, last = _day(query, "date_from"), _day(query, "date_to")
    if first > last:
        raise RestError(400, "INVALID_DATE", "date_to", "date_to is before date_from")
    return {"orders": [order for day, order in _all_orders() if first <= day <= last]}


def read_fields(raw: bytes) -> Any:
    """A JSON body with every number as it was written. Raises ``RestError`` when it cannot be read, or not be written again
    because of a lone surrogate."""
    try:
        value = json.loads(raw, parse_int=str, parse_float=str, parse_constant=_refuse_constant, object_pairs_hook=_unique)
        json.dumps(value, ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError) as error:
        raise RestError(400, "MALFORMED", "", "the body is not JSON") from error


def _movement(raw: bytes) -> Fields:
    movement = read_fields(raw)
    if not isinstance(movement, dict):
        raise RestError(400, "MALFORMED", "", "the body must be an object")
    for name in movement.keys() - MOVEMENT.keys():
        raise RestError(422, "UNKNOWN_FIELD", name, f"{name} is not a field of a movement")
    for name, pattern in MOVEMENT.items():
        value = movement.get(name)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise RestError(422, "INVALID_FIELD", name, f"{name} is missing or malformed")
    if not knows_sku(movement["material"]):
        raise RestError(422, "UNKNOWN_MATERIAL", "material", f"material {movement['material']} does not exist")
    if movement["uom"] not in UNITS.values():
        raise RestError(422, "UNKNOWN_UNIT", "uom", f"unit {movement['uom']} is not maintained")
    if Decimal(movement["qty"]) == 0:
        raise RestError(422, "INVALID_FIELD", "qty", "qty must be more than 0")
    return movement


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _day(query: Mapping[str, str], name: str) -> date:
    text = query.get(name, "")
    if not re.fullmatch(r"[0-9]{2}/[0-9]{2}/[0-9]{4}", text) or not is_date(text):
        raise RestError(400, "INVALID_DATE", name, f"{name} must be a date as DD/MM/YYYY")
    day, month, year = text.split("/")
    return date(int(year), int(month), int(day))


def _pick(*key: object) -> int:
    return crc32(" ".join(map(str, key)).encode())


def _seeded(sku: str, plant: str) -> Decimal:
    return Decimal(_pick("stock", sku, plant) % 1000 if plant in WAREHOUSES else 0)


def _quantity(amount: Decimal) -> str:
    return f"{amount:.3f}"


def _unit(sku: str) -> str:
    return "PC" if sku < "000800" else "KG" if sku < "000900" else "M"


@cache
def _all_orders() -> tuple[tuple[date, dict[str, object]], ...]:
    days = [FIRST_DAY + timedelta(n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]
    keys = [(day, n) for day in days for n in range(1 + _pick("orders", day) % 4)]
    return tuple((day, _order(9_000_001 + index, day, n)) for index, (day, n) in enumerate(keys))


def _order(number: int, day: date, n: int) -> dict[str, object]:
    lines = [_line(day, n, line) for line in range(1, 2 + _pick("lines", day, n) % 5)]
    customer = _pick("customer", day, n) % 1000
    return {
        "orderNumber": f"{number:010}",
        "customer": {"number": f"{2000 + customer:08}", "name": CUSTOMERS[customer % len(CUSTOMERS)]},
        "orderDate": f"{day:%d/%m/%Y}",
        "currency": "CNY",
        "status": STATUSES[_pick("status", day, n) % len(STATUSES)],
        "net": str(sum((Decimal(str(line["net"])) for line in lines), Decimal(0))),
        "lines": lines,
    }


def _line(day: date, n: int, line: int) -> dict[str, object]:
    sku = f"{_pick('sku', day, n, line) % 1000:06}"
    quantity = Decimal(_pick("qty", day, n, line) % 200 + 1)
    price = Decimal(_pick("price", sku) % 100_000 + 100).scaleb(-2)
    return {
        "line": line,
        "material": sku,
        "qty": _quantity(quantity),
        "uom": _unit(sku),
        "price": str(price),
        "net": str(quantity * price),
    }
