"""The main job, over real sockets: a satellite's JSON reaches a SOAP ERP and comes back as JSON."""

from __future__ import annotations

import itertools
import socket
from decimal import Decimal
from typing import Any

import httpx
import pytest

from gateway.demo.erp.process import ErpProcess
from gateway.demo.tour import order, payment
from tests.support import GatewayProcess

numbers = itertools.count(1)


def number(prefix: str) -> str:
    return f"{prefix}-{next(numbers):06}"


def last(erp: ErpProcess, operation: str) -> dict[str, Any]:
    return [entry for entry in erp.journal() if entry["operation"] == operation][-1]


def test_an_order_of_twenty_lines_arrives_exactly_and_comes_back_typed(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body = order(number("MES"), 20)
    answer = gateway.call("mes", "POST", "/api/v1/purchase-orders", json=body)
    assert answer.status_code == 201, answer.text
    created = answer.json()
    assert len(created["lines"]) == 20
    assert created["externalNumber"] == body["externalNumber"]
    assert isinstance(created["number"], str)
    total = sum((Decimal(line["quantity"]) * Decimal(line["unitPrice"])).quantize(Decimal("0.01")) for line in body["lines"])
    assert abs(Decimal(created["total"]) - total) <= Decimal("0.20")

    seen = last(erp, "CreatePurchaseOrder")
    assert seen["outcome"] == "booked"
    asked = seen["request"]["Order"]
    assert asked["LIFNR"] == "00001007"
    assert asked["BEDAT"] == "20/11/2026"
    lines = asked["Positions"]["Position"]
    assert [line["MATNR"] for line in lines] == [line["sku"] for line in body["lines"]]
    assert [line["MENGE"] for line in lines] == [line["quantity"] for line in body["lines"]]
    assert [line["NETPR"] for line in lines] == [line["unitPrice"] for line in body["lines"]]
    assert {line["MEINS"] for line in lines} == {"ST", "KGM", "MTR"}

    read = gateway.call("mes", "GET", f"/api/v1/purchase-orders/{created['number']}")
    assert read.status_code == 200
    assert read.json()["lines"] == created["lines"]


def test_one_line_is_still_a_list(gateway: GatewayProcess) -> None:
    answer = gateway.call("mes", "POST", "/api/v1/purchase-orders", json=order(number("MES"), 1))
    assert isinstance(answer.json()["lines"], list)


def test_a_payment_is_booked_once_with_its_exact_amount(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body = payment(number("OA"), "4711", "12500.00")
    answer = gateway.call("oa", "POST", "/api/v1/payments", json=body)
    assert answer.status_code == 201, answer.text
    created = answer.json()
    assert body.items() <= created.items()
    seen = last(erp, "CreatePayment")["request"]["Payment"]
    assert (seen["BUKRS"], seen["LIFNR"], seen["WRBTR"], seen["ZFBDT"]) == ("1000", "00004711", "12500.00", "31/12/2026")
    read = gateway.call("oa", "GET", f"/api/v1/payments/{created['number']}")
    assert read.json() == created


def test_what_each_satellite_may_do(gateway: GatewayProcess) -> None:
    period = "/api/v1/sales-orders?from=2026-11-01&to=2026-11-03"
    assert gateway.call("wms", "GET", "/api/v1/stock/000123").json()["sku"] == "000123"
    assert gateway.call("wms", "GET", period).status_code == 403
    assert gateway.call("crm", "GET", period).status_code == 200
    assert gateway.call("oa", "GET", "/api/v1/reports/finance?period=2026-09").status_code == 403
    assert gateway.call("shop", "GET", "/api/v1/stock/000123").status_code == 403


@pytest.mark.parametrize(
    ("client", "method", "path", "status"),
    [
        (None, "GET", "/api/v1/stock/000123", 401),
        ("wms", "GET", "/api/v1/nothing", 404),
        ("wms", "GET", "/api/v2/stock/000123", 404),
        ("wms", "GET", "/nothing", 404),
        ("wms", "DELETE", "/api/v1/stock/000123", 405),
        ("oa", "GET", "/api/v1/payments/9999999999", 404),
        ("wms", "GET", "/api/v1/stock/999999", 404),
        ("wms", "GET", "/api/v1/stock/..%2f..%2fcontrol", 400),
    ],
)
def test_what_is_not_there_is_told(gateway: GatewayProcess, client: str | None, method: str, path: str, status: int) -> None:
    answer = gateway.call(client, method, path)
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == status
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    if status == 405:
        assert answer.headers["allow"] == "GET"


def test_an_unknown_field_is_named_by_its_pointer(gateway: GatewayProcess, erp: ErpProcess) -> None:
    before = len(erp.journal())
    body = order(number("MES"), 2)
    body["lines"][1]["colour"] = "red"
    body["orderDate"] = "20/11/2026"
    answer = gateway.call("mes", "POST", "/api/v1/purchase-orders", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/lines/1/colour", "/orderDate"}
    assert len(erp.journal()) == before


def test_a_declared_fault_is_a_problem_that_says_what_to_fix(gateway: GatewayProcess) -> None:
    answer = gateway.call("oa", "POST", "/api/v1/payments", json=payment(number("OA"), "9999", "10.00"))
    problem = answer.json()
    assert answer.status_code == 422
    assert problem["type"] == "urn:erp-gateway:problem:refused"
    assert problem["origin"] == "upstream"
    assert problem["fault"]["detail"]["Refused"]["CODE"] == "UNKNOWN_PAYEE"


def test_the_erp_never_sees_who_the_client_says_it_is(gateway: GatewayProcess, erp: ErpProcess) -> None:
    claims = {
        "x-forwarded-for": "10.0.0.1",
        "x-user": "root",
        "x-remote-user": "root",
        "forwarded": "for=10.0.0.1",
        "cookie": "session=1",
        "x-request-id": "trace-me-1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    answer = gateway.call("wms", "GET", "/api/v1/stock/000123", headers=claims)
    assert answer.headers["x-request-id"] == "trace-me-1"
    seen = {name.lower(): value for name, value in last(erp, "GetItem")["headers"]}
    assert not {"authorization", "cookie", "forwarded", "x-forwarded-for", "x-remote-user", "x-user"} & seen.keys()
    assert seen["x-request-id"] == "trace-me-1"
    assert seen["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")
    assert "b7ad6b7169203331" not in seen["traceparent"]


def test_a_used_up_limit_says_when_to_come_back(gateway: GatewayProcess) -> None:
    answers = [gateway.call("tour", "GET", "/api/v1/stock/000007") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"satellite";q=3;w=60'
    assert answers[0].headers["ratelimit"].startswith('"satellite";r=2;t=')
    assert 1 <= int(answers[3].headers["retry-after"]) <= 60


def test_a_body_over_the_limit_gets_its_answer_while_still_sending(gateway: GatewayProcess) -> None:
    answer = gateway.call(
        "oa", "POST", "/api/v1/payments", content=b"x" * 1_500_000, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:erp-gateway:problem:body-too-large"


@pytest.mark.parametrize(
    "body",
    [b"[" * 65 + b"]" * 65, b'{"a":1,"a":2}', b"\xff", b"\xef\xbb\xbf{}", b"", b"{", b"NaN", b"[" * 100_000],
)
def test_hostile_json_is_refused_and_never_reaches_the_erp(gateway: GatewayProcess, erp: ErpProcess, body: bytes) -> None:
    before = len(erp.journal())
    answer = gateway.call("oa", "POST", "/api/v1/payments", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert len(erp.journal()) == before


@pytest.mark.parametrize(
    ("service", "mode", "client", "method", "path", "status", "slug"),
    [
        ("finance", "html502", "oa", "GET", "/api/v1/payments/1900000001", 502, "fault-server"),
        ("finance", "fault", "oa", "GET", "/api/v1/payments/1900000001", 502, "fault-server"),
        ("finance", "garbage", "oa", "GET", "/api/v1/payments/1900000001", 502, "upstream-bad-answer"),
        ("finance", "truncate", "oa", "GET", "/api/v1/payments/1900000001", 502, "upstream-bad-answer"),
        ("finance", "oversize", "oa", "GET", "/api/v1/payments/1900000001", 502, "upstream-bad-answer"),
        ("finance", "dtd", "oa", "GET", "/api/v1/payments/1900000001", 502, "upstream-bad-answer"),
        ("inventory", "http500", "wms", "GET", "/api/v1/stock/000123", 502, "fault-server"),
        ("inventory", "html502", "wms", "GET", "/api/v1/stock/000123", 502, "fault-server"),
    ],
)
def test_a_misbehaving_erp_is_a_clean_problem(
    gateway: GatewayProcess, erp: ErpProcess, service: str, mode: str, client: str, method: str, path: str, status: int, slug: str
) -> None:
    erp.control(service, mode)
    answer = gateway.call(client, method, path)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:erp-gateway:problem:{slug}")
    assert erp.url.rpartition(":")[2] not in answer.text
    assert gateway.call(client, method, path).status_code in (200, 404)


def test_a_write_whose_answer_is_lost_is_unknown_and_not_sent_again(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body = payment(number("OA"), "4711", "77.00")
    erp.control("finance", "drop_after_commit")
    answer = gateway.call("oa", "POST", "/api/v1/payments", json=body)
    assert (answer.status_code, answer.json()["state"], answer.json()["execution"]) == (202, "unknown", "unknown")
    booked = [e for e in erp.journal() if e["operation"] == "CreatePayment" and body["externalNumber"] in e["raw"]]
    assert [entry["outcome"] for entry in booked] == ["booked"]


def test_keep_alive_connections_are_reused(gateway: GatewayProcess) -> None:
    headers = {"authorization": f"Bearer {gateway.token('wms')}"}
    with httpx.Client(base_url=gateway.url, headers=headers) as client:
        statuses = [client.get("/api/v1/stock/000123").status_code for _ in range(20)]
    assert statuses == [200] * 20


def test_a_smuggled_second_request_is_refused(gateway: GatewayProcess) -> None:
    request = b"POST /api/v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as sock:
        sock.sendall(request)
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer


def test_the_access_log_says_who_did_what_and_no_more(gateway: GatewayProcess) -> None:
    body = payment(number("OA"), "4711", "12.34")
    answer = gateway.call("oa", "POST", "/api/v1/payments", json=body)
    entry = gateway.wait_for("call.finished", request_id=answer.headers["x-request-id"])
    assert (entry["subject"], entry["operation"], entry["status"]) == ("oa", "payments.create", 201)
    logged = str(gateway.events) + str(gateway.noise)
    for secret in (gateway.token("oa"), "demo-oa", body["payee"]["account"]):
        assert secret not in logged


def test_documentation_health_and_metrics(gateway: GatewayProcess) -> None:
    document = gateway.call(None, "GET", "/openapi/v1.json").json()
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/payments/{number}" in document["paths"]
    assert "/docs/v1/payments.create" in gateway.call(None, "GET", "/docs").text
    health = gateway.call(None, "GET", "/health/live", headers={"x-request-id": "probe-7"})
    assert (health.json(), health.headers["x-request-id"]) == ({"status": "alive"}, "probe-7")
    assert gateway.wait_for("call.finished", request_id="probe-7")["operation"] == "site"
    assert gateway.call(None, "GET", "/health/ready").json()["status"] == "ready"
    metrics = httpx.get(gateway.console + "/metrics").text
    assert 'gateway_calls_total{operation="payments.create",status="201",version="v1"}' in metrics
