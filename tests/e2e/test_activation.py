"""Two people put a policy live in a real gateway, which keeps it whatever the files say and however it ends."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.activation import Policies, open_live
from gateway.demo.erp.process import ErpProcess
from gateway.desk import Desk
from gateway.errors import Forbidden
from gateway.people import Person
from gateway.runtime import open_stores
from tests.support import GatewayProcess, copy_deployment, edit

LAST = "g, crm,              sales,             demo\n"
GIVES = "p, tour, demo, sales-orders.list, allow\n"


@pytest.fixture
def dual(erp: ErpProcess, tmp_path: Path) -> Iterator[GatewayProcess]:
    path = copy_deployment(tmp_path)
    with path.open("a", encoding="utf-8") as file:
        file.write("\npolicy: {activation: dual}\n")
    edit(tmp_path / "policies" / "satellites.yaml", "    limit: 3/min\n    burst: 3\n", "")
    process = GatewayProcess(path, erp.url)
    try:
        yield process.start()
    finally:
        process.stop()


def activation(gateway: GatewayProcess) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{gateway.console}/health/ready").json()["activation"]
    return found


def sees_orders(gateway: GatewayProcess) -> bool:
    gateway.tokens.clear()
    return gateway.call("tour", "GET", "/api/v1/sales-orders").status_code != 403


def restarted(gateway: GatewayProcess) -> None:
    gateway.signal(signal.SIGKILL)
    gateway.process.wait(30)
    gateway.stop()
    gateway.events.clear()
    gateway.start()


async def agreed(path: Path) -> str:
    """Another console over the same ledger: one person proposes the files, another approves. The document."""
    async with open_stores(path, access_log=False) as stores:
        live = await open_live(path, stores)
        policies, desk = Policies(live), Desk(stores.ledger, lambda: live.snapshot, stores.clock)
        first, second = (Person(name, name, "demo", (), "demo") for name in ("security-admin", "security-admin-2"))
        assert live.pending is not None
        document = await policies.propose(first, live.pending.digest)
        shown = await desk.detail(second, document)
        paper: dict[str, Any] = {"revision": shown.revision, "payload_hash": shown.payload_hash}
        with pytest.raises(Forbidden):
            await desk.approve(first, document, **paper)
        await desk.approve(second, document, **paper)
        return document


async def test_from_a_draft_to_a_policy_that_survives(dual: GatewayProcess) -> None:
    csv = dual.path.parent / "policies" / "policy.csv"
    assert activation(dual) == {"number": 1}
    after = len(dual.events)
    edit(csv, LAST, LAST + GIVES)
    await asyncio.to_thread(dual.wait_for, "snapshot.swapped", after=after)
    assert sees_orders(dual) is False
    assert activation(dual)["pending"]["findings"] == []
    after = len(dual.events)
    document = await agreed(dual.path)
    await asyncio.to_thread(dual.wait_for, "policy.delivered", after=after, document=document)
    await asyncio.to_thread(dual.wait_for, "snapshot.swapped", after=after)
    assert (activation(dual), sees_orders(dual)) == ({"number": 2}, True)
    assert dual.call("tour", "GET", f"/api/documents/{document}").status_code == 404
    edit(csv, GIVES, "p, tour, demo, reports.finance, allow\np, auditor, demo, reports.finance, allow\n")
    await asyncio.to_thread(restarted, dual)
    assert activation(dual)["number"] == 2
    assert "tests.yaml" in str(activation(dual)["pending"]["findings"])
    assert sees_orders(dual)


def test_a_row_in_the_database_makes_nothing_live(dual: GatewayProcess) -> None:
    ledger = dual.path.parent / "var" / "ledger.db"
    with sqlite3.connect(ledger) as connection:
        connection.execute(
            "INSERT INTO activations (digest, at, how, mode, approved_by, summary, entry) "
            "SELECT digest, at, 'document', mode, approved_by, summary, entry FROM activations"
        )
    connection.close()
    dual.wait_for("policy.doubted")
    assert activation(dual)["number"] == 1
    assert "doubt" in activation(dual)
    with pytest.raises(AssertionError, match="does not prove"):
        restarted(dual)
