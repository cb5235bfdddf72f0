"""One purchase order as different callers see it, and the places a hidden field must not be found in."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx
import pytest

from tests.support import GatewayProcess, edit

SECRET = "7777.77"
HIDDEN = ("supplierCode", "currency", "total", "unitPrice")


def order(**changes: Any) -> dict[str, Any]:
    line = {"lineNumber": 1, "sku": "000123", "quantity": "1.000", "unit": "PC", "unitPrice": SECRET}
    sent = {"externalNumber": uuid.uuid4().hex, "supplierCode": "1007", "orderDate": "2026-11-20", "currency": "CNY"}
    return {**sent, "note": "urgent", "lines": [line], **changes}


@pytest.fixture(scope="module")
def number(gateway: GatewayProcess) -> str:
    answer = gateway.call("oa", "POST", "/api/v1/purchase-orders", json=order())
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["number"]
    return found


def read(gateway: GatewayProcess, who: str, number: str) -> dict[str, Any]:
    answer = gateway.call(who, "GET", f"/api/v1/purchase-orders/{number}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_each_sees_of_one_purchase_order_what_policy_says(gateway: GatewayProcess, number: str) -> None:
    whole = read(gateway, "oa", number)
    assert whole["total"] == whole["lines"][0]["unitPrice"] == SECRET
    warehouse = {name: value for name, value in whole.items() if name not in HIDDEN}
    warehouse["lines"] = [{name: value for name, value in line.items() if name not in HIDDEN} for line in whole["lines"]]
    assert read(gateway, "wms", number) == warehouse
    head = ("number", "status", "supplierCode", "orderDate", "currency", "total")
    assert read(gateway, "cfo", number) == {name: whole[name] for name in head}


def test_the_warehouse_gets_no_sales_orders(gateway: GatewayProcess) -> None:
    answer = gateway.call("wms", "GET", "/api/v1/sales-orders?from=2026-11-01&to=2026-11-30")
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:erp-gateway:problem:forbidden")


def test_finance_reports_are_for_the_cfo(gateway: GatewayProcess) -> None:
    assert gateway.call("cfo", "GET", "/api/v1/reports/finance?period=2026-09").status_code == 200
    for who in ("oa", "wms", "approver-a"):
        assert gateway.call(who, "GET", "/api/v1/reports/finance?period=2026-09").status_code == 403


def test_a_missing_order_tells_nothing_in_the_erps_words(gateway: GatewayProcess) -> None:
    problem = gateway.call("wms", "GET", "/api/v1/purchase-orders/4599999999").json()
    assert problem["status"] == 404
    assert not {"detail", "fault", "errors"} & problem.keys()
    assert "fault" in gateway.call("oa", "GET", "/api/v1/purchase-orders/4599999999").json()


def test_the_openapi_of_a_client_has_what_the_client_may_see(gateway: GatewayProcess) -> None:
    def described(who: str | None) -> dict[str, Any]:
        document: dict[str, Any] = gateway.call(who, "GET", "/openapi/v1.json").json()
        return document

    warehouse = described("wms")
    assert set(warehouse["paths"]) == {
        "/api/v1/purchase-orders/{number}",
        "/api/v1/stock/{sku}",
        "/api/v1/stock-movements",
        "/api/documents/{id}",
    }
    schemas = warehouse["components"]["schemas"]
    order = {name: schema for name, schema in schemas.items() if name.startswith("purchase-orders")}
    text = json.dumps([order, warehouse["paths"]["/api/v1/purchase-orders/{number}"]])
    assert not [name for name in HIDDEN if name in text]
    assert "lines" in text
    assert "/api/v1/sales-orders" not in text
    assert "unitPrice" in json.dumps(described("oa"))
    assert "/api/v1/sales-orders" in described(None)["paths"]


def test_a_branch_sees_the_payments_of_its_own_entity(gateway: GatewayProcess) -> None:
    numbers = {}
    for entity in ("1000", "2000"):
        payment = {
            "externalNumber": uuid.uuid4().hex,
            "initiator": "clerk-1",
            "entity": entity,
            "amount": "10.00",
            "currency": "CNY",
            "dueDate": "2026-12-31",
            "payee": {"code": "4711", "name": "Falkenberg GmbH", "account": "6222020200112233"},
        }
        numbers[entity] = gateway.call("oa", "POST", "/api/v1/payments", json=payment).json()["number"]
    assert gateway.call("shop", "GET", f"/api/v1/payments/{numbers['2000']}").json()["entity"] == "2000"
    other = gateway.call("shop", "GET", f"/api/v1/payments/{numbers['1000']}")
    none = gateway.call("shop", "GET", "/api/v1/payments/1999999999")
    assert other.status_code == none.status_code == 404
    assert {**other.json(), "instance": ""} == {**none.json(), "instance": ""}


def test_a_hidden_field_is_nowhere_when_its_caller_writes(own_gateway: GatewayProcess) -> None:
    gateway = own_gateway
    policy = gateway.path.parent / "policies" / "policy.csv"
    grants = "p, wms, demo, purchase-orders.create, allow\np2, wms, demo, purchase-orders.create, total, hide\n"
    grants += (
        "p2, wms, demo, purchase-orders.create, lines[].unitPrice, hide\np2, wms, demo, purchase-orders.create, note, lock\n"
    )
    edit(policy, "# end\n", grants + "# end\n")
    gateway.wait_for("snapshot.swapped")
    refused = gateway.call("wms", "POST", "/api/v1/purchase-orders", json=order())
    assert refused.status_code == 403
    assert {error["pointer"] for error in refused.json()["errors"]} == {"/lines/0/unitPrice", "/note"}
    assert "lines.0.unitPrice" in refused.json()["detail"]
    sent = order()
    del sent["note"], sent["lines"][0]["unitPrice"]
    lacking = gateway.call("wms", "POST", "/api/v1/purchase-orders", json=sent)
    assert lacking.status_code == 422
    assert "unitPrice" not in lacking.text
    assert SECRET not in json.dumps(gateway.events)


def test_a_stored_answer_is_masked_as_policy_is_when_it_is_told_again(own_gateway: GatewayProcess) -> None:
    gateway, sent = own_gateway, order()
    headers = {"idempotency-key": uuid.uuid4().hex}
    first = gateway.call("mes", "POST", "/api/v1/purchase-orders", json=sent, headers=headers)
    assert first.json()["total"] == SECRET
    policy = gateway.path.parent / "policies" / "policy.csv"
    after = len(gateway.events)
    edit(policy, "# end\n", "p2, mes, demo, purchase-orders.create, total, hide\n# end\n")
    gateway.wait_for("snapshot.swapped", after=after)
    again = gateway.call("mes", "POST", "/api/v1/purchase-orders", json=sent, headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.status_code == first.status_code
    assert again.json() == {name: value for name, value in first.json().items() if name != "total"}
    held = gateway.call("mes", "GET", f"/api/documents/{first.headers['document-id']}")
    assert held.status_code == 200
    assert SECRET not in held.text


def test_a_call_from_elsewhere_or_at_another_time_is_refused_with_the_reason(own_gateway: GatewayProcess) -> None:
    gateway = own_gateway
    policy = gateway.path.parent / "policies" / "policy.csv"
    edit(
        policy.parent / "tests.yaml",
        "{who: mes, operation: purchase-orders.create, address: 127.0.0.1",
        "{who: mes, operation: purchase-orders.create, address: 10.0.0.1",
    )
    gateway.wait_for("snapshot.refused")
    edit(
        policy,
        "mes,  demo, purchase-orders.create, network, 127.0.0.0/8",
        "mes,  demo, purchase-orders.create, network, 10.0.0.0/8",
    )
    gateway.wait_for("snapshot.swapped")
    answer = gateway.call("mes", "POST", "/api/v1/purchase-orders", json=order())
    assert answer.status_code == 403
    assert "from this network" in answer.json()["detail"]


def test_a_person_calls_with_an_access_token_and_a_wrong_secret_gets_none(gateway: GatewayProcess) -> None:
    answer = httpx.post(f"{gateway.url}/oauth/token", auth=("cfo", "demo-oa"), data={"grant_type": "client_credentials"})
    assert answer.status_code == 401
    assert gateway.call("approver-a", "GET", "/api/v1/purchase-orders/4500000001").status_code == 403
