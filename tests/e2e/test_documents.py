"""Writes are documents: kept once, sent once, and never guessed about. Real processes, a real ERP, a real ledger."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.demo.erp.process import ErpProcess
from gateway.demo.tour import payment
from tests.support import GatewayProcess, copy_deployment, edit

_numbers = itertools.count(1)
_accounts = itertools.count(1)


@pytest.fixture(scope="module")
def erp() -> Iterator[ErpProcess]:
    with ErpProcess.start() as process:
        yield process


LATER = """\
resource: later
upstream: finance
operations:
  create:
    post: /later
    call: CreatePayment
    mapping: payment
    faults: {Refused: 422}
    delivery: queued
"""
SOON = """\
  later.create:
    amount: $.amount
    currency: $.currency
    payee: $.payee.account
    over: {CNY: 500000}
    approvers: finance-approver
    remind: 500ms
    expires: 1s
"""


@pytest.fixture(scope="module")
def gateway(erp: ErpProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """The example deployment with short waits, and a route that queues, has no probe, and gives people a second."""
    path = copy_deployment(tmp_path_factory.mktemp("documents"))
    edit(
        path,
        "    timeout: 10s\n",
        "    timeout: 3s\n    writes: {visible_within: 200ms, retry: [200ms, 500ms], probe_again: [200ms, 500ms]}\n",
    )
    edit(
        path,
        "    timeout: 5s\n",
        "    timeout: 3s\n    writes: {visible_within: 200ms, retry: [200ms, 500ms], probe_again: [200ms, 500ms]}\n",
    )
    (path.parent / "routes/later.yaml").write_text(LATER)
    edit(path.parent / "policies/policy.csv", "# end", "p, oa, demo, later.create, allow\n# end")
    edit(path.parent / "policies/approvals.yaml", "approvals:\n  payments.create:", f"approvals:\n{SOON}  payments.create:")
    process = GatewayProcess(path, erp.url)
    try:
        yield process.start()
    finally:
        process.stop()


def fresh(amount: str) -> dict[str, Any]:
    """A payment nobody has seen, to an account of its own."""
    body = payment(f"OA-{uuid.uuid4().hex[:12]}", "4711", amount)
    body["payee"]["account"] = f"62220000{next(_accounts):010}"
    return body


def bookings(erp: ErpProcess, body: dict[str, Any]) -> list[dict[str, Any]]:
    sent = [entry for entry in erp.journal() if body["externalNumber"] in entry["raw"]]
    return [entry for entry in sent if entry["outcome"] == "booked"]


def follow(gateway: GatewayProcess, answer: httpx.Response, state: str, client: str = "oa") -> dict[str, Any]:
    """Wait until the document of an answer is in that state."""
    where, known = answer.headers["location"], ""
    for _ in range(60):
        headers = {"prefer": "wait=10", "if-none-match": known} if known else {}
        seen = gateway.call(client, "GET", where, headers=headers)
        if seen.status_code == 304:
            continue
        assert seen.status_code == 200, seen.text
        known = seen.headers["etag"]
        if seen.json()["state"] == state:
            document: dict[str, Any] = seen.json()
            return document
    raise AssertionError(f"never {state}: {seen.text}")


# --- idempotency -----------------------------------------------------------------------------------------------------


def test_the_same_key_and_body_get_the_stored_answer(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body, headers = fresh("12.50"), {"idempotency-key": uuid.uuid4().hex}
    first = gateway.call("oa", "POST", "/api/v1/payments", json=body, headers=headers)
    again = gateway.call("oa", "POST", "/api/v1/payments", json=dict(reversed(body.items())), headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    assert again.headers["document-id"] == first.headers["document-id"]
    assert again.headers["content-type"] == first.headers["content-type"]
    (booked,) = bookings(erp, body)
    assert booked["operationId"] == first.headers["document-id"]


def test_the_same_key_with_another_body_is_refused(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body, headers = fresh("12.50"), {"idempotency-key": uuid.uuid4().hex}
    assert gateway.call("oa", "POST", "/api/v1/payments", json=body, headers=headers).status_code == 201
    other = gateway.call("oa", "POST", "/api/v1/payments", json=body | {"amount": "12.51"}, headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "urn:erp-gateway:problem:idempotency-key-reused")
    assert len(bookings(erp, body)) == 1


def test_a_key_belongs_to_one_satellite_and_one_operation(gateway: GatewayProcess) -> None:
    headers = {"idempotency-key": uuid.uuid4().hex}
    order = {"externalNumber": uuid.uuid4().hex[:12], "supplierCode": "1007", "orderDate": "2026-11-20", "currency": "CNY"}
    line = {
        "lineNumber": 1,
        "sku": "000123",
        "quantity": "1.000",
        "unit": "PC",
        "unitPrice": "1.00",
        "deliveryDate": "2026-12-01",
    }
    assert gateway.call("oa", "POST", "/api/v1/payments", json=fresh("1.00"), headers=headers).status_code == 201
    for client in ("oa", "mes"):
        body = order | {"externalNumber": f"{client}-{order['externalNumber']}", "lines": [line]}
        answer = gateway.call(client, "POST", "/api/v1/purchase-orders", json=body, headers=headers)
        assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(("key", "slug"), [(None, "idempotency-key-missing"), ("", "bad-request"), ("ü".encode(), "bad-request")])
def test_a_payment_needs_a_key(gateway: GatewayProcess, key: str | bytes | None, slug: str) -> None:
    headers = {"authorization": f"Bearer {gateway.token('oa')}"} | ({} if key is None else {"idempotency-key": key})
    answer = httpx.post(f"{gateway.url}/api/v1/payments", json=fresh("1.00"), headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, f"urn:erp-gateway:problem:{slug}")


def test_a_failed_validation_stores_nothing(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body, headers = fresh("12.50"), {"idempotency-key": uuid.uuid4().hex}
    wrong = gateway.call("oa", "POST", "/api/v1/payments", json=body | {"amount": "1,000"}, headers=headers)
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/amount")
    assert gateway.call("oa", "POST", "/api/v1/payments", json=body, headers=headers).status_code == 201
    assert len(bookings(erp, body)) == 1


def test_a_refusal_is_an_answer_too(gateway: GatewayProcess) -> None:
    body, headers = fresh("12.50"), {"idempotency-key": uuid.uuid4().hex}
    body["payee"]["code"] = "9999"
    first = gateway.call("oa", "POST", "/api/v1/payments", json=body, headers=headers)
    again = gateway.call("oa", "POST", "/api/v1/payments", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (422, 422)
    assert (first.json()["type"], again.json()["type"]) == ("urn:erp-gateway:problem:refused",) * 2
    assert again.headers["idempotent-replayed"] == "true"


def test_a_natural_key_is_used_where_the_route_says_so(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body = {"externalNumber": uuid.uuid4().hex[:12], "sku": "000123", "warehouse": "W01", "quantity": "1.000"}
    body |= {"unit": "PC", "direction": "in"}
    first, again = (gateway.call("wms", "POST", "/api/v1/stock-movements", json=body) for _ in range(2))
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    other = gateway.call("wms", "POST", "/api/v1/stock-movements", json=body | {"quantity": "2.000"})
    assert other.status_code == 422
    assert len(bookings(erp, body)) == 1


def test_a_hundred_posts_at_once_with_one_key_book_once(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body, headers = fresh("12.50"), {"idempotency-key": uuid.uuid4().hex}
    gateway.token("oa")
    with ThreadPoolExecutor(100) as pool:
        calls = [pool.submit(gateway.call, "oa", "POST", "/api/v1/payments", json=body, headers=headers) for _ in range(100)]
        answers = [call.result() for call in calls]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert {answer.json()["type"].rpartition(":")[2] for answer in answers if answer.status_code == 409} <= {
        "idempotency-key-in-use"
    }
    assert len(bookings(erp, body)) == 1


# --- outcomes nobody knows -------------------------------------------------------------------------------------------


def test_an_answer_lost_after_booking_is_found_by_the_probe(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body, headers = fresh("77.00"), {"idempotency-key": uuid.uuid4().hex}
    erp.control("finance", "drop_after_commit")
    answer = gateway.call("oa", "POST", "/api/v1/payments", json=body, headers=headers)
    assert (answer.status_code, answer.json()["state"], answer.json()["execution"]) == (202, "unknown", "unknown")
    assert answer.json()["iso20022"] == "PDNG"
    document = follow(gateway, answer, "delivered")
    (booked,) = bookings(erp, body)
    assert document["reference"] in booked["answer"]
    again = gateway.call("oa", "POST", "/api/v1/payments", json=body, headers=headers)
    assert (again.status_code, again.json()["number"]) == (201, document["reference"])


@pytest.mark.parametrize("mode", ["drop_before", "http500", "fault"])
def test_what_was_proven_absent_is_sent_again(gateway: GatewayProcess, erp: ErpProcess, mode: str) -> None:
    body = fresh("78.00")
    erp.control("finance", mode)
    answer = gateway.call("oa", "POST", "/api/v1/payments", json=body)
    assert (answer.status_code, answer.json()["state"]) == (202, "unknown")
    follow(gateway, answer, "delivered")
    (booked,) = bookings(erp, body)
    assert booked["operationId"] == answer.json()["id"]


@pytest.mark.parametrize("mode", ["garbage", "truncate", "oversize", "dtd"])
def test_an_answer_that_cannot_be_read_is_no_answer(gateway: GatewayProcess, erp: ErpProcess, mode: str) -> None:
    body = fresh("79.00")
    erp.control("finance", mode)
    answer = gateway.call("oa", "POST", "/api/v1/payments", json=body)
    assert (answer.status_code, answer.json()["state"]) == (202, "unknown")
    follow(gateway, answer, "delivered")
    assert len(bookings(erp, body)) == 1


def test_what_was_certainly_not_booked_may_be_repeated_with_the_same_key(tmp_path: Path) -> None:
    with ErpProcess.start() as erp:
        gateway = GatewayProcess(copy_deployment(tmp_path), erp.url).start()
        try:
            port = int(erp.url.rpartition(":")[2])
            body, headers = fresh("80.00"), {"idempotency-key": uuid.uuid4().hex}
            erp.stop()
            refused = gateway.call("oa", "POST", "/api/v1/payments", json=body, headers=headers)
            assert (refused.status_code, refused.json()["retryable"]) == (503, True)
            with ErpProcess.start(port=port) as revived:
                answer = gateway.call("oa", "POST", "/api/v1/payments", json=body, headers=headers)
                assert answer.status_code == 201
                assert len(bookings(revived, body)) == 1
        finally:
            gateway.stop()


def test_without_a_probe_an_outcome_nobody_knows_is_for_operators(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body = fresh("81.00")
    erp.control("finance", "drop_after_commit")
    answer = gateway.call("oa", "POST", "/api/v1/later", json=body)
    document = follow(gateway, answer, "manual")
    assert (document["execution"], document["iso20022"], document["note"]) == ("unknown", "PDNG", {"code": "no_probe"})
    assert len(bookings(erp, body)) == 1
    assert gateway.call("oa", "DELETE", answer.headers["location"]).status_code == 409


def test_a_rest_booking_is_found_by_its_probe(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body = {"externalNumber": uuid.uuid4().hex[:12], "sku": "000123", "warehouse": "W01", "quantity": "1.000"}
    body |= {"unit": "PC", "direction": "in"}
    erp.control("inventory", "drop_after_commit")
    answer = gateway.call("wms", "POST", "/api/v1/stock-movements", json=body)
    assert (answer.status_code, answer.json()["state"]) == (202, "unknown")
    document = follow(gateway, answer, "delivered", "wms")
    (booked,) = bookings(erp, body)
    assert document["reference"] in booked["answer"]
    again = gateway.call("wms", "POST", "/api/v1/stock-movements", json=body)
    assert (again.status_code, again.json()["number"]) == (201, document["reference"])


# --- queued ----------------------------------------------------------------------------------------------------------


def test_a_queued_write_is_kept_and_sent_later(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body, headers = fresh("82.00"), {"idempotency-key": uuid.uuid4().hex}
    answer = gateway.call("oa", "POST", "/api/v1/later", json=body, headers=headers)
    assert (answer.status_code, answer.json()["state"], answer.json()["execution"]) == (202, "queued", "pending")
    document = follow(gateway, answer, "delivered")
    (booked,) = bookings(erp, body)
    assert document["reference"] in booked["answer"]
    again = gateway.call("oa", "POST", "/api/v1/later", json=body, headers=headers)
    assert (again.status_code, again.json()["number"]) == (201, document["reference"])


def test_a_queued_write_waits_for_an_erp_that_is_gone(tmp_path: Path) -> None:
    with ErpProcess.start() as erp:
        path = copy_deployment(tmp_path)
        (path.parent / "routes/later.yaml").write_text(LATER)
        edit(path.parent / "policies/policy.csv", "# end", "p, oa, demo, later.create, allow\n# end")
        edit(path, "    timeout: 10s\n", "    timeout: 3s\n    writes: {retry: [100ms, 200ms, 500ms, 1s, 2s, 4s]}\n")
        gateway = GatewayProcess(path, erp.url).start()
        try:
            port, body = int(erp.url.rpartition(":")[2]), fresh("83.00")
            erp.stop()
            answer = gateway.call("oa", "POST", "/api/v1/later", json=body)
            assert (answer.status_code, answer.json()["state"]) == (202, "queued")
            gateway.wait_for("document.sending", document=answer.json()["id"], attempt=2)
            with ErpProcess.start(port=port) as revived:
                follow(gateway, answer, "delivered")
                assert len(bookings(revived, body)) == 1
        finally:
            gateway.stop()


# --- held ------------------------------------------------------------------------------------------------------------


def test_a_payment_at_the_limit_passes_and_one_above_it_waits(gateway: GatewayProcess, erp: ErpProcess) -> None:
    at, above = fresh("500000.00"), fresh("500000.01")
    assert gateway.call("oa", "POST", "/api/v1/payments", json=at).status_code == 201
    answer = gateway.call("oa", "POST", "/api/v1/payments", json=above)
    assert answer.status_code == 202
    told = answer.json()
    assert (told["state"], told["execution"], told["iso20022"]) == ("held", "none", "PATC")
    assert answer.headers["location"] == f"/api/documents/{told['id']}"
    assert int(answer.headers["retry-after"]) > 0
    assert (told["approvals"]["required"], told["approvals"]["received"]) == (2, 0)
    assert told["reasons"][0]["code"] == "over_threshold"
    assert len(told["payload_hash"]) == 64
    assert bookings(erp, above) == []


def test_a_held_payment_can_be_followed_and_recalled(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body, headers = fresh("600000.00"), {"idempotency-key": uuid.uuid4().hex}
    answer = gateway.call("oa", "POST", "/api/v1/payments", json=body, headers=headers)
    where = answer.headers["location"]
    seen = gateway.call("oa", "GET", where)
    same = gateway.call("oa", "GET", where, headers={"if-none-match": seen.headers["etag"]})
    assert (seen.status_code, seen.json(), same.status_code) == (200, answer.json(), 304)
    assert gateway.call("oa", "POST", "/api/v1/payments", json=body, headers=headers).json()["id"] == answer.json()["id"]
    assert gateway.call("mes", "GET", where).status_code == 404
    assert gateway.call(None, "GET", where).status_code == 401
    stale = gateway.call("oa", "DELETE", where, headers={"if-match": '"999"'})
    assert stale.status_code == 412
    gone = gateway.call("oa", "DELETE", where)
    assert (gone.status_code, gone.json()["state"], gone.json()["iso20022"]) == (200, "recalled", "CANC")
    again = gateway.call("oa", "DELETE", where)
    assert (again.status_code, again.json()["type"]) == (409, "urn:erp-gateway:problem:conflict")
    assert bookings(erp, body) == []


def test_a_revision_is_held_anew(gateway: GatewayProcess) -> None:
    body = fresh("600000.00")
    answer = gateway.call("oa", "POST", "/api/v1/payments", json=body)
    where = answer.headers["location"]
    wrong = gateway.call("oa", "PUT", where, json=body | {"amount": "six"})
    assert wrong.status_code == 422
    revised = gateway.call("oa", "PUT", where, json=body | {"amount": "600001.00"})
    assert (revised.status_code, revised.json()["revision"], revised.json()["state"]) == (200, 2, "held")
    assert revised.json()["payload_hash"] != answer.json()["payload_hash"]


def test_a_document_can_take_the_place_of_a_held_one(gateway: GatewayProcess) -> None:
    old = gateway.call("oa", "POST", "/api/v1/payments", json=fresh("600000.00"))
    headers = {"supersedes": old.json()["id"]}
    new = gateway.call("oa", "POST", "/api/v1/payments", json=fresh("600000.00"), headers=headers)
    assert new.status_code == 202
    assert gateway.call("oa", "GET", old.headers["location"]).json()["state"] == "superseded"
    again = gateway.call("oa", "POST", "/api/v1/payments", json=fresh("600000.00"), headers=headers)
    assert again.status_code == 409


def test_what_nobody_decides_expires(gateway: GatewayProcess, erp: ErpProcess) -> None:
    body = fresh("600000.00")
    answer = gateway.call("oa", "POST", "/api/v1/later", json=body)
    assert (answer.status_code, answer.json()["state"]) == (202, "held")
    document = follow(gateway, answer, "expired")
    assert (document["execution"], document["iso20022"], document["note"]) == ("none", "CANC", {"code": "expired"})
    assert document["approvals"]["expires_at"] is None
    assert bookings(erp, body) == []


def test_three_payments_to_one_account_are_held_at_the_third(gateway: GatewayProcess, erp: ErpProcess) -> None:
    first = fresh("200000.00")
    answers = []
    for spelling in ("{}", " {}", "{}"):
        body = fresh("200000.00")
        body["payee"]["account"] = spelling.format(first["payee"]["account"])
        answers.append(gateway.call("oa", "POST", "/api/v1/payments", json=body))
    assert [answer.status_code for answer in answers] == [201, 201, 202]
    assert answers[2].json()["reasons"][0]["code"] == "window_total"


def test_a_long_poll_answers_as_soon_as_something_happens(gateway: GatewayProcess) -> None:
    where = gateway.call("oa", "POST", "/api/v1/payments", json=fresh("600000.00")).headers["location"]
    tag = gateway.call("oa", "GET", where).headers["etag"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(gateway.call, "oa", "GET", where, headers={"prefer": "wait=20", "if-none-match": tag})
        gateway.call("oa", "DELETE", where)
        answer = waiting.result()
    assert (answer.status_code, answer.json()["state"]) == (200, "recalled")
    assert answer.headers["preference-applied"] == "wait=20"
    assert answer.elapsed.total_seconds() < 15
