from decimal import Decimal

import pytest


def movement(ref: str, **changes) -> dict[str, object]:
    return {"ref": ref, "material": "000123", "plant": "W01", "qty": "5.500", "uom": "PC", "sign": "+"} | changes


def test_an_item_adds_up(http):
    item = http.get("/inventory/items/000999").json()
    assert {"sku", "description", "unit", "onHand", "reserved", "warehouses", "updatedAt"} == set(item)
    assert (item["sku"], item["unit"]) == ("000999", "M")
    assert Decimal(item["onHand"]) == sum(Decimal(stock["onHand"]) for stock in item["warehouses"])
    assert [stock["warehouse"] for stock in item["warehouses"]] == ["W01", "W02", "W03"]


@pytest.mark.parametrize("sku", ["001000", "12", "abc"])
def test_an_unknown_item_is_not_found(http, sku):
    answer = http.get(f"/inventory/items/{sku}")
    assert (answer.status_code, answer.json()["code"]) == (404, "UNKNOWN_MATERIAL")


def test_a_movement_is_booked_changes_the_stock_and_is_found_again(http, unique):
    ref = unique()
    path = "/inventory/items/000500"
    before = Decimal(http.get(path).json()["onHand"])
    answer = http.post("/inventory/movements", json=movement(ref, material="000500", sign="-", plant="X9"))
    booked = answer.json()
    item = http.get(path).json()
    assert answer.status_code == 201
    assert booked.items() >= movement(ref, material="000500", sign="-", plant="X9").items()
    assert booked["status"] == "POSTED"
    assert Decimal(item["onHand"]) == before - Decimal("5.5")
    assert {"warehouse": "X9", "onHand": "-5.500"} in item["warehouses"]
    assert item["updatedAt"] == booked["postedAt"]
    assert http.get(f"/inventory/movements/{booked['movementId']}").json() == booked
    assert http.get("/inventory/movements", params={"ref": ref}).json() == booked


def test_a_duplicate_conflicts_names_the_movement_and_moves_nothing(http, unique):
    ref = unique()
    booked = http.post("/inventory/movements", json=movement(ref, material="000501")).json()
    stock = http.get("/inventory/items/000501").json()
    again = http.post("/inventory/movements", json=movement(ref, material="000501", qty="1"))
    assert again.status_code == 409
    assert (
        again.json().items() >= {"status": 409, "code": "DUPLICATE", "field": "ref", "movementId": booked["movementId"]}.items()
    )
    assert http.get("/inventory/items/000501").json() == stock


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"material": "001000"}, "UNKNOWN_MATERIAL", "material"),
        ({"uom": "ST"}, "UNKNOWN_UNIT", "uom"),
        ({"qty": "0.000"}, "INVALID_FIELD", "qty"),
        ({"qty": "1.0001"}, "INVALID_FIELD", "qty"),
        ({"qty": True}, "INVALID_FIELD", "qty"),
        ({"sign": "in"}, "INVALID_FIELD", "sign"),
        ({"ref": None}, "INVALID_FIELD", "ref"),
        ({"sku": "000123"}, "UNKNOWN_FIELD", "sku"),
    ],
)
def test_a_movement_that_does_not_fit_is_refused(http, unique, changes, code, field):
    answer = http.post("/inventory/movements", json=movement(unique()) | changes)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, code, field)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"a":1,"a":2}', b'{"qty":NaN}', b'{"ref":"\\ud800"}', b"[" * 100_000, b"\xff"]
)
def test_a_body_that_cannot_be_read_is_malformed(http, body):
    answer = http.post("/inventory/movements", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED")


def test_numbers_are_taken_as_they_were_written(http, unique):
    content = f'{{"ref":"{unique()}","material":"000123","plant":"W01","qty":1234567890.120,"uom":"KG","sign":"+"}}'
    assert http.post("/inventory/movements", content=content).json()["qty"] == "1234567890.120"


def test_sales_orders_of_a_range_are_deterministic_and_add_up(http):
    params = {"date_from": "30/09/2026", "date_to": "02/10/2026"}
    orders = http.get("/sales/orders", params=params).json()["orders"]
    assert orders == http.get("/sales/orders", params=params).json()["orders"]
    assert {order["orderDate"] for order in orders} == {"30/09/2026", "01/10/2026", "02/10/2026"}
    assert orders[-1]["orderNumber"] == f"{int(orders[0]['orderNumber']) + len(orders) - 1:010}"
    for order in orders:
        assert Decimal(order["net"]) == sum(Decimal(line["net"]) for line in order["lines"])
        assert [line["line"] for line in order["lines"]] == list(range(1, len(order["lines"]) + 1))


def test_no_orders_outside_the_seeded_months(http):
    answer = http.get("/sales/orders", params={"date_from": "01/01/2020", "date_to": "30/06/2026"})
    assert answer.json() == {"orders": []}


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "date_from"),
        ({"date_from": "2026-10-01", "date_to": "02/10/2026"}, "date_from"),
        ({"date_from": "01/10/2026", "date_to": "31/09/2026"}, "date_to"),
        ({"date_from": "02/10/2026", "date_to": "01/10/2026"}, "date_to"),
    ],
)
def test_a_range_that_is_none_is_refused(http, params, field):
    answer = http.get("/sales/orders", params=params)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "INVALID_DATE", field)


def test_an_unknown_movement_is_not_found(http):
    answer = http.get("/inventory/movements/1")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
