"""The decision log of a real gateway: what is on disk when a caller has its answer, after a stop and after a kill."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import pytest

from gateway.demo.erp.process import ErpProcess
from gateway.documents.decisions import Search, decisions
from gateway.documents.stores import open_store
from gateway.ports import Decided
from tests.support import GatewayProcess, PostgresServer, copy_deployment, edit, postgres_programs

REPORT = "/api/v1/reports/finance?period=2026-09"
SALES = "/api/v1/sales-orders?from=2026-11-01&to=2026-11-30"
LINE = {"lineNumber": 1, "sku": "000123", "quantity": "1.000", "unit": "PC", "unitPrice": "1.00"}
ORDER = {"supplierCode": "1007", "orderDate": "2026-11-20", "currency": "CNY", "lines": [LINE]}


def order() -> dict[str, object]:
    return {**ORDER, "externalNumber": uuid.uuid4().hex}


@pytest.fixture
def gateway(own_gateway: GatewayProcess) -> GatewayProcess:
    return own_gateway


def log(gateway: GatewayProcess) -> list[Decided]:
    """What is on disk now, oldest first."""

    async def look() -> list[Decided]:
        store = open_store(f"sqlite:///{gateway.path.parent}/var/ledger.db")
        try:
            return await store.read(lambda connection: decisions(connection, Search(), limit=1000))
        finally:
            await store.aclose()

    return asyncio.run(look())[::-1]


def told(decided: list[Decided]) -> list[tuple[str, str, bool, int]]:
    return [(one.principal.subject, one.operation, one.allowed, one.count) for one in decided]


def verified(gateway: GatewayProcess) -> dict[str, object]:
    command = [sys.executable, "-m", "gateway.cli", "audit", "verify", "--json", "--config", str(gateway.path)]
    found: dict[str, object] = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
    return found


def test_denials_and_sensitive_calls_are_on_disk_when_they_are_told(gateway: GatewayProcess) -> None:
    for _ in range(3):
        assert gateway.call("wms", "GET", SALES, headers={"x-request-id": "denied-1"}).status_code == 403
    assert gateway.call("cfo", "GET", REPORT).status_code == 200
    assert gateway.call(None, "GET", SALES, headers={"authorization": "Bearer nobody.at.all"}).status_code == 401
    denial, report = log(gateway)[:2]
    gateway.signal(signal.SIGKILL)
    assert told([denial, report]) == [("wms", "sales-orders.list", False, 1), ("cfo", "reports.finance", True, 1)]
    assert [text for _, text in denial.rows] == ["p, warehouse, *, sales-orders.list, deny"]
    assert (denial.request, denial.addresses) == ("denied-1", ("127.0.0.1",))
    assert len(log(gateway)) == 2, "nobody who was not authenticated"
    assert verified(gateway)["intact"]


def test_what_was_counted_is_written_at_the_stop(gateway: GatewayProcess) -> None:
    for _ in range(5):
        assert gateway.call("wms", "GET", SALES).status_code == 403
        assert gateway.call("wms", "GET", "/api/v1/stock/000123").status_code in (200, 404)
    edit(gateway.path.parent / "policies/policy.csv", "# Who holds which role.", "# Who holds what.")
    gateway.wait_for("snapshot.swapped")
    assert gateway.call("wms", "GET", SALES).status_code == 403
    assert gateway.stop() == 0
    found = log(gateway)
    sums: dict[tuple[str, bool], int] = {}
    for one in found:
        sums[one.operation, one.allowed] = sums.get((one.operation, one.allowed), 0) + one.count
    assert sums == {("sales-orders.list", False): 6, ("stock.get", True): 5}
    assert len({one.policy for one in found}) == 2, "each entry names the policy that decided"
    assert verified(gateway)["intact"]


def test_fields_records_and_documents_are_decisions_too(gateway: GatewayProcess) -> None:
    assert gateway.call("shop", "GET", "/api/v1/payments/P-1?entity=1000").status_code in (403, 404, 422)
    assert gateway.call("mes", "POST", "/api/v1/purchase-orders", json=order()).status_code == 201
    made = log(gateway)[-1]
    assert (made.operation, made.allowed, made.addresses) == ("purchase-orders.create", True, ("127.0.0.1",))
    assert made.document is not None
    assert [text.split(", ")[0] for _, text in (*made.rows, *made.limits)] == ["p", "p4"]


def test_the_console_denies_on_record(gateway: GatewayProcess) -> None:
    with httpx.Client(base_url=gateway.console, headers={"accept": "text/html"}) as browser:
        assert browser.post("/sign-in/demo", data={"person": "clerk-1"}).status_code == 303
        assert browser.get("/operations").status_code == 403
    assert told(log(gateway)) == [("clerk-1", "documents.operate", False, 1)]


def test_a_replay_finds_the_one_caller_a_change_would_hit(gateway: GatewayProcess) -> None:
    number = gateway.call("oa", "POST", "/api/v1/purchase-orders", json=order()).json()["number"]
    for who in ("oa", "wms", "mes", "cfo"):
        assert gateway.call(who, "GET", f"/api/v1/purchase-orders/{number}").status_code == 200
    for who in ("wms", "mes", "tour"):
        assert gateway.call(who, "GET", "/api/v1/stock/000123").status_code in (200, 404)
    assert gateway.call("crm", "GET", SALES).status_code == 200
    assert gateway.call("wms", "GET", SALES).status_code == 403
    assert gateway.stop() == 0
    policies = gateway.path.parent / "policies/policy.csv"
    candidate = gateway.path.parent / "candidate.csv"
    candidate.write_text(policies.read_text())
    assert replayed(gateway, candidate) == (0, [])
    edit(candidate, "p, cfo,              demo, purchase-orders.get, allow\n", "")
    edit(candidate, "p, shop,  demo, stock-movements.create,  allow\n", "p, shop,  demo, stock-movements.create,  deny\n")
    assert replayed(gateway, candidate) == (1, [("cfo", "purchase-orders.get", "loses", 1)])


def test_without_a_ledger_a_denial_stays_and_a_sensitive_call_is_refused(erp: ErpProcess, tmp_path: Path) -> None:
    programs = postgres_programs()
    if programs is None:
        assert "CI" not in os.environ, "PostgreSQL is not installed"
        pytest.skip("PostgreSQL is not installed")
    database, path = PostgresServer(programs).start(), copy_deployment(tmp_path)
    path.write_text(re.sub(r"  url: sqlite:///.*", f"  url: {database.url()}", path.read_text("utf-8"), count=1), "utf-8")
    gateway = GatewayProcess(path, erp.url)
    try:
        gateway.start()
        assert gateway.call("cfo", "GET", REPORT).status_code == 200
        gateway.token("wms")
        database.kill()
        refused = gateway.call("cfo", "GET", "/api/v1/payments/P-1")
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:erp-gateway:problem:ledger-unavailable")
        assert gateway.call("cfo", "GET", REPORT).status_code == 503, "also one that would only have been counted"
        assert [gateway.call("wms", "GET", SALES).status_code for _ in range(3)] == [403, 403, 403]
        assert gateway.call("wms", "GET", "/api/v1/stock/000123").status_code in (200, 404)
        gateway.wait_for("decisions.unrecorded")
        assert "gateway_decisions_pending 4.0" in httpx.get(f"{gateway.console}/metrics").text
        database.resume()
        gateway.wait_for("decisions.recorded_again")
        assert gateway.call("cfo", "GET", "/api/v1/payments/P-1").status_code != 503
        assert gateway.stop() == 0
        rows = database.sql(
            "SELECT subject, operation, allowed, sum(count) FROM decisions GROUP BY 1, 2, 3 ORDER BY 1, 2"
        ).splitlines()
        assert rows == [
            "cfo\tpayments.get\tt\t1",
            "cfo\treports.finance\tt\t1",
            "wms\tsales-orders.list\tf\t3",
            "wms\tstock.get\tt\t1",
        ]
        assert verified(gateway)["intact"]
    finally:
        gateway.stop()
        database.stop()


def replayed(gateway: GatewayProcess, candidate: Path) -> tuple[int, list[tuple[str, str, str, int]]]:
    command = [sys.executable, "-m", "gateway.cli", "policy", "replay", str(candidate), "--json", "--config", str(gateway.path)]
    done = subprocess.run(command, capture_output=True, check=False)
    changes = json.loads(done.stdout)["changes"]
    return done.returncode, [(one["subject"], one["operation"], one["effect"], one["calls"]) for one in changes]
