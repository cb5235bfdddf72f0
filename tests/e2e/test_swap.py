"""A policy is swapped under load: every decision is one that the old policy or the new one makes, and no third."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

import httpx

from gateway.deployment import read_deployment
from gateway.exchange import Principal
from gateway.live import Live
from gateway.ports import Decision
from gateway.runtime import check_stores
from gateway.snapshot import build
from tests.support import GatewayProcess, copy_deployment, edit

ALLOWED = "p, wms,   demo, stock.get,               allow\n"
RESTRICTED = ALLOWED + "p2, wms, demo, stock.get, description, hide\n"
DENIED = "p, wms,   demo, stock.get,               deny\n"

Question = tuple[Principal, str, str]


async def test_a_thousand_swaps_between_snapshots_that_are_ready(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    live = Live(path, check_stores(path))
    policy = tmp_path / "policies" / "policy.csv"
    edit(policy, ALLOWED, RESTRICTED)
    restricted = build(read_deployment(path), live.stores)
    edit(policy, RESTRICTED, DENIED)
    denied = build(read_deployment(path), live.stores)
    subjects = ("oa", "crm", "wms", "mes", "shop", "cfo", "approver-a", "nobody")
    asked = [(Principal(subject, "demo"), route.operation, route.version) for subject in subjects for route in denied.routes]
    right = {question: [snapshot.policy.decide(*question) for snapshot in (restricted, denied)] for question in asked}
    assert sum(one.allowed != other.allowed for one, other in right.values()) == 1
    live._swap(restricted)
    stop, wrong, counts = threading.Event(), list[tuple[Question, Decision]](), list[int]()

    def load() -> None:
        count = 0
        while not stop.is_set():
            for question in asked:
                decision = live.snapshot.policy.decide(*question)
                count += 1
                if decision not in right[question]:
                    wrong.append((question, decision))
        counts.append(count)

    threads = [threading.Thread(target=load) for _ in range(2)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for number in range(1_000):
            live._swap((denied, restricted)[number % 2])
            await asyncio.sleep(0)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(before)
    assert wrong == []
    assert sum(counts) > 1_000


async def test_twenty_swaps_by_edited_files_while_calls_go_on(own_gateway: GatewayProcess) -> None:
    gateway = own_gateway
    folder = gateway.path.parent / "policies"
    edit(folder / "satellites.yaml", "limit: 500/s\n    burst: 1000", "limit: 100000/s\n    burst: 100000")
    gateway.wait_for("snapshot.swapped")
    policy = folder / "policy.csv"
    after = len(gateway.events)
    edit(policy, ALLOWED, RESTRICTED)
    gateway.wait_for("snapshot.swapped", after=after)
    whole = policy.read_text("utf-8")
    texts = (whole.replace(RESTRICTED, DENIED), whole)
    stop, seen = asyncio.Event(), dict[tuple[int, bool], int]()

    async def load() -> None:
        headers = {"authorization": f"Bearer {gateway.token('wms')}"}
        async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=30) as client:
            while not stop.is_set():
                answer = await client.get("/api/v1/stock/000123")
                outcome = (answer.status_code, "description" in answer.json())
                seen[outcome] = seen.get(outcome, 0) + 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(load())
        hashes = []
        for number in range(20):
            after = len(gateway.events)
            policy.write_text(texts[number % 2], "utf-8")
            swapped = await asyncio.to_thread(gateway.wait_for, "snapshot.swapped", after=after)
            hashes.append(swapped["policy"])
        stop.set()
    assert len(set(hashes)) == 2
    assert set(seen) == {(200, False), (403, False)}
    assert gateway.call(None, "GET", "/health/ready").json()["policy"] == hashes[-1]
