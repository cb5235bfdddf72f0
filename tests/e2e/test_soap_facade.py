"""An old client speaks SOAP to the gateway, from the gateway's own WSDL: zeep over real sockets, the demo ERP behind."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import httpx
import pytest
from lxml import etree
from requests import Session
from requests.auth import HTTPBasicAuth
from zeep import Client, Settings, Transport
from zeep.exceptions import Fault
from zeep.helpers import serialize_object
from zeep.wsa import WsAddressingPlugin
from zeep.wsse.username import UsernameToken

from gateway.demo.erp.process import ErpProcess
from gateway.demo.people import Browser
from gateway.demo.tour import order, payment
from tests.support import GatewayProcess

SETTINGS = Settings(strict=True, xml_huge_tree=False)


def number(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def client(
    gateway: GatewayProcess, resource: str, caller: str | None = "oa", secret: str | None = None, **options: Any
) -> Client:
    """zeep over a service, with a UsernameToken; ``port`` chooses the SOAP version, ``headers`` go along with each message."""
    session = Session()
    session.headers.update(options.pop("headers", {}))
    port = options.pop("port", None)
    token = UsernameToken(caller, secret or f"demo-{caller}") if caller else None
    return Client(
        f"{gateway.url}/soap/{resource}?wsdl",
        wsse=token,
        transport=Transport(session=session),
        settings=SETTINGS,
        port_name=port,
        **options,
    )


def key(value: str = "") -> dict[str, str]:
    return {"Idempotency-Key": value or uuid.uuid4().hex}


def problem(fault: Fault) -> dict[str, str]:
    """The members of the problem in a fault's detail."""
    detail = fault.detail[0] if isinstance(fault.detail, list) else fault.detail
    node = next(detail.iter("{*}problem"))
    return {etree.QName(child).localname: child.text or "" for child in node}


def last(erp: ErpProcess, operation: str) -> dict[str, Any]:
    return [entry for entry in erp.journal() if entry["operation"] == operation][-1]


@pytest.mark.parametrize("port", ["Soap11", "Soap12"])
def test_an_order_of_twenty_lines_reaches_the_erp_as_from_rest(gateway: GatewayProcess, erp: ErpProcess, port: str) -> None:
    body = order(number("MES"), 20)
    created = client(gateway, "purchase-orders", "mes", headers=key(), port=port).service.create(**body)
    seen = last(erp, "CreatePurchaseOrder")
    assert seen["outcome"] == "booked"
    again = {**body, "externalNumber": number("MES")}
    rest = gateway.call("mes", "POST", "/api/v1/purchase-orders", json=again)
    assert rest.status_code == 201
    by_rest = last(erp, "CreatePurchaseOrder")["request"]["Order"]
    assert {**seen["request"]["Order"], "BSTNK": ""} == {**by_rest, "BSTNK": ""}
    answer = created.answer
    assert answer.total == Decimal(rest.json()["total"])
    assert [line.sku for line in answer.lines] == [line["sku"] for line in body["lines"]]
    assert len(created.document.id) == 32
    assert created.document.state is None

    read = client(gateway, "purchase-orders", "mes", port=port).service.get(number=answer.number)
    by_rest = gateway.call("mes", "GET", f"/api/v1/purchase-orders/{answer.number}").json()
    told = serialize_object(read, dict)
    assert [str(line["quantity"]) for line in told["lines"]] == [line["quantity"] for line in by_rest["lines"]]
    assert told["supplierCode"] == by_rest["supplierCode"]


def test_a_payment_over_the_threshold_is_held_and_released_like_any_other(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body = payment(number("OA"), "4711", "500000.01", account=uuid.uuid4().hex[:20])
    again = key()
    told = client(gateway, "payments", headers=again).service.create(**body)
    assert told.answer is None
    assert (told.document.state, told.document.execution) == ("held", "none")
    assert told.document.reason
    assert told.document.location == f"{gateway.url}/api/documents/{told.document.id}"
    before = gateway.call("oa", "GET", f"/api/documents/{told.document.id}").json()
    assert before["state"] == "held"
    for person in ("approver-a", "approver-b"):
        browser = Browser(gateway.console, person)
        browser.sign_in()
        page = browser.open(f"/documents/{told.document.id}")
        shown = {"revision": str(before["revision"]), "payload_hash": before["payload_hash"]}
        assert browser.press(page, "/approve", **shown).status == 200
    wait = {"prefer": "wait=10", "if-none-match": '"1"'}
    delivered = before
    for _ in range(6):
        delivered = gateway.call("oa", "GET", f"/api/documents/{told.document.id}", headers=wait).json()
        if delivered["state"] == "delivered":
            break
        wait["if-none-match"] = f'"{delivered["sequence"]}"'
    assert delivered["state"] == "delivered"
    booked = client(gateway, "payments", headers=again).service.create(**body)
    assert booked.document.replayed is True
    assert booked.document.id == told.document.id
    assert booked.answer.number == delivered["reference"]
    assert last(erp, "CreatePayment")["request"]["Payment"]["WRBTR"] == "500000.01"


def test_a_message_id_is_a_key(gateway: GatewayProcess) -> None:
    body = payment(number("OA"), "4711", "12.50")
    with pytest.raises(Fault) as refused:
        client(gateway, "payments").service.create(**body)
    assert "Idempotency-Key header or a wsa:MessageID" in refused.value.message
    told = client(gateway, "payments", plugins=[WsAddressingPlugin()]).service.create(**body)
    assert told.answer.number


@pytest.mark.parametrize("port", ["Soap11", "Soap12"])
def test_wrong_secrets_and_unknown_clients_hear_the_same(gateway: GatewayProcess, port: str) -> None:
    told = []
    for caller in ("oa", "nobody"):
        with pytest.raises(Fault) as refused:
            client(gateway, "payments", caller, "wrong", port=port).service.get(number="1900000001")
        told.append(refused.value.message)
        codes = [refused.value.code, *(str(code) for code in refused.value.subcodes or ())]
        assert any("FailedAuthentication" in str(code) for code in codes)
        assert problem(refused.value)["status"] == "401"
    assert told[0] == told[1]


def test_the_policy_decides_as_for_rest(gateway: GatewayProcess) -> None:
    with pytest.raises(Fault) as refused:
        client(gateway, "payments", "wms").service.get(number="1900000001")
    assert (refused.value.code, problem(refused.value)["status"]) == ("soapenv:Client", "403")


def test_a_used_up_limit(own_gateway: GatewayProcess) -> None:
    path = own_gateway.path.parent / "policies/satellites.yaml"
    path.write_text(path.read_text("utf-8").replace("limit: 500/s\n    burst: 1000", "limit: 1/min\n    burst: 1"), "utf-8")
    own_gateway.wait_for("snapshot.swapped")
    service = client(own_gateway, "payments").service
    with pytest.raises(Fault):
        service.get(number="9999999999")
    with pytest.raises(Fault) as refused:
        service.get(number="1900000001")
    told = problem(refused.value)
    assert (told["status"], told["retryable"]) == ("429", "true")
    assert int(told["retryAfter"]) > 0


def test_what_is_wrong_is_told_by_element(gateway: GatewayProcess) -> None:
    body = order(number("MES"), 2)
    body["lines"][1]["sku"] = "12"
    service = client(gateway, "purchase-orders", "mes", headers=key())
    with pytest.raises(Fault) as refused:
        service.service.create(**body)
    assert "lines[2]/sku" in refused.value.message
    assert problem(refused.value)["status"] == "422"


def test_http_credentials_will_do(gateway: GatewayProcess) -> None:
    session = Session()
    session.auth = HTTPBasicAuth("crm", "demo-crm")
    url = f"{gateway.url}/soap/sales-orders?wsdl"
    orders = Client(url, transport=Transport(session=session), settings=SETTINGS).service.list(
        **{"from": "2026-11-01", "to": "2026-11-03"}
    )
    bearer = {"Authorization": f"Bearer {gateway.token('crm')}"}
    same = client(gateway, "sales-orders", None, headers=bearer).service.list(**{"from": "2026-11-01", "to": "2026-11-03"})
    assert serialize_object(orders) == serialize_object(same)
    none = httpx.post(f"{gateway.url}/soap/sales-orders", content=b"", headers={"content-type": "text/xml"})
    assert none.status_code == 500


def test_a_retry_in_soap_of_a_call_in_rest_is_a_retry(gateway: GatewayProcess) -> None:
    body, again = payment(number("OA"), "4711", "12.50"), key()
    created = gateway.call(
        "oa", "POST", "/api/v1/payments", json=body, headers={name.lower(): value for name, value in again.items()}
    )
    assert created.status_code == 201
    told = client(gateway, "payments", headers=again).service.create(**body)
    assert (told.document.id, told.document.replayed) == (created.headers["document-id"], True)
    assert told.answer.number == created.json()["number"]
    with pytest.raises(Fault) as reused:
        client(gateway, "payments", headers=again).service.create(**{**body, "amount": "12.51"})
    assert problem(reused.value)["type"] == "urn:erp-gateway:problem:idempotency-key-reused"


def test_the_warehouse_sees_no_more_in_soap_than_in_rest(gateway: GatewayProcess) -> None:
    booked = client(gateway, "purchase-orders", "mes", headers=key()).service.create(**order(number("MES"), 2))
    order_number = booked.answer.number
    seen = client(gateway, "purchase-orders", "wms").service.get(number=order_number)  # the one part of getResponse
    by_rest = gateway.call("wms", "GET", f"/api/v1/purchase-orders/{order_number}").json()
    assert "total" not in by_rest
    assert seen.number == by_rest["number"] == order_number
    assert [seen.supplierCode, seen.currency, seen.total] == [None, None, None]
    assert [(line.sku, line.unitPrice) for line in seen.lines] == [(line["sku"], None) for line in by_rest["lines"]]
