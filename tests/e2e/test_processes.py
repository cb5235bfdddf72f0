"""Several edge processes on one port, counting together in a real Redis; none of them drops a call when it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.demo.erp.process import ErpProcess
from tests.support import GatewayProcess, copy_deployment


@pytest.fixture
def processes(erp: ErpProcess, redis_url: str, tmp_path: Path) -> Iterator[GatewayProcess]:
    path = copy_deployment(tmp_path)
    text = path.read_text().replace("processes: 1", "processes: 2").replace('url: "memory:"', f"url: {redis_url}")
    path.write_text(text)
    gateway = GatewayProcess(path, erp.url)
    try:
        yield gateway.start()
    finally:
        gateway.stop()


def listening(gateway: GatewayProcess) -> list[dict[str, object]]:
    return [event for event in gateway.events if event.get("event") == "gateway.listening"]


def test_a_limit_holds_over_all_processes(processes: GatewayProcess) -> None:
    processes.wait_for_count("gateway.listening", 3)
    answers = [processes.call("tour", "GET", "/api/v1/stock/000007").status_code for _ in range(30)]
    assert answers.count(200) <= 3
    assert set(answers) <= {200, 429}


def test_a_killed_process_is_replaced(processes: GatewayProcess) -> None:
    processes.wait_for_count("gateway.listening", 3)
    victim = next(event["pid"] for event in listening(processes) if "edge" in event)
    os.kill(victim, signal.SIGKILL)
    processes.wait_for("process.died")
    processes.wait_for_count("gateway.listening", 4)
    assert processes.call("wms", "GET", "/api/v1/stock/000123").status_code == 200


async def test_calls_in_flight_end_when_the_gateway_stops(processes: GatewayProcess, erp: ErpProcess) -> None:
    await asyncio.to_thread(processes.wait_for_count, "gateway.listening", 3)
    erp.control("inventory", "hold", times=6)
    headers = {"authorization": f"Bearer {processes.token('wms')}"}
    before = len(erp.journal())
    async with httpx.AsyncClient(base_url=processes.url, headers=headers, timeout=30) as client:
        calls = [asyncio.create_task(client.get("/api/v1/stock/000123")) for _ in range(6)]
        while len(await asyncio.to_thread(erp.journal, before)) < 6:
            assert not any(call.done() for call in calls)
        stopping = threading.Thread(target=processes.stop)
        stopping.start()
        await asyncio.to_thread(processes.wait_for, "gateway.draining")
        erp.control("inventory", "release")
        answers = await asyncio.gather(*calls)
    stopping.join(60)
    assert [answer.status_code for answer in answers] == [200] * 6
