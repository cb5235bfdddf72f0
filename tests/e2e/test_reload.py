"""Reload without dropping a call, and bad files that change nothing."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import httpx
import pytest

from gateway.deployment import read_deployment
from gateway.errors import ConfigError
from gateway.exchange import Principal
from gateway.live import Live
from gateway.policy.file import read_policy
from gateway.runtime import check_stores
from tests.protocols.soap.wsse.keys import certificate, ec_key, pem
from tests.support import GatewayProcess, copy_deployment, edit


class Load:
    """Keep-alive clients that call a hundred times a second each, and remember every answer that was not 200."""

    def __init__(self, gateway: GatewayProcess, clients: int) -> None:
        self._gateway = gateway
        self._clients = clients
        self._stop = asyncio.Event()
        self.calls = 0
        self.failures: list[str] = []

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._clients):
                tasks.create_task(self._call())

    async def _call(self) -> None:
        headers = {"authorization": f"Bearer {self._gateway.token('wms')}"}
        async with httpx.AsyncClient(base_url=self._gateway.url, headers=headers, timeout=30) as client:
            while not self._stop.is_set():
                try:
                    answer = await client.get("/api/v1/stock/000123")
                    if answer.status_code != 200:
                        self.failures.append(f"{answer.status_code} {answer.text}")
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                self.calls += 1
                await asyncio.sleep(0.01)

    def stop(self) -> None:
        self._stop.set()


async def test_a_hundred_reloads_under_load_fail_no_call(own_gateway: GatewayProcess) -> None:
    route = own_gateway.path.parent / "routes" / "stock.yaml"
    original = route.read_text()
    edit(
        own_gateway.path.parent / "policies" / "satellites.yaml",
        "limit: 500/s\n    burst: 1000",
        "limit: 100000/s\n    burst: 100000",
    )
    own_gateway.wait_for("snapshot.swapped")
    load = Load(own_gateway, clients=4)
    running = asyncio.create_task(load.run())
    for number in range(100):
        after = len(own_gateway.events)
        route.write_text(original + f"    summary: Stock, revision {number}\n")
        if number >= 10:  # the first are left to whoever watches the files, which gathers the changes of a moment
            own_gateway.signal(signal.SIGHUP)
        await asyncio.to_thread(own_gateway.wait_for, "snapshot.swapped", after=after)
    after = len(own_gateway.events)
    while await asyncio.to_thread(summary, own_gateway) != "Stock, revision 99":
        await asyncio.to_thread(own_gateway.wait_for, "snapshot.swapped", after=after)
        after = len(own_gateway.events)
    load.stop()
    await running
    assert load.failures == []
    assert load.calls > 200
    own_gateway.wait_for_count("snapshot.swapped", 100)


def summary(gateway: GatewayProcess) -> str:
    document = gateway.call(None, "GET", "/openapi/v1.json").json()
    return str(document["paths"]["/api/v1/stock/{sku}"]["get"]["summary"])


def test_sighup_reloads(own_gateway: GatewayProcess) -> None:
    after = len(own_gateway.events)
    own_gateway.signal(signal.SIGHUP)
    assert own_gateway.wait_for("snapshot.swapped", after=after)["routes"] == 8


def test_a_bad_file_keeps_the_last_good_snapshot_and_says_so(own_gateway: GatewayProcess) -> None:
    before = own_gateway.call(None, "GET", "/health/ready").json()["snapshot"]
    policy = own_gateway.path.parent / "policies" / "policy.csv"
    good = policy.read_text()
    after = len(own_gateway.events)
    policy.write_text(good.replace("p, wms,   demo, stock.get,               allow", "p, wms, demo, stock.get, Allow"))
    refused = own_gateway.wait_for("snapshot.refused", after=after)
    assert any(finding.startswith("policies/policy.csv:") for finding in refused["findings"])
    ready = own_gateway.call(None, "GET", "/health/ready").json()
    assert (ready["snapshot"], ready["reload"]["status"]) == (before, "refused")
    assert "Allow" in httpx.get(own_gateway.console + "/health/ready").text
    assert own_gateway.call("wms", "GET", "/api/v1/stock/000123").status_code == 200

    after = len(own_gateway.events)
    policy.write_text(good)
    own_gateway.wait_for("snapshot.swapped", after=after)
    assert "reload" not in own_gateway.call(None, "GET", "/health/ready").json()


def test_a_satellite_taken_out_is_out_at_once(own_gateway: GatewayProcess) -> None:
    assert own_gateway.call("wms", "GET", "/api/v1/stock/000123").status_code == 200
    satellites = own_gateway.path.parent / "policies" / "satellites.yaml"
    after = len(own_gateway.events)
    satellites.write_text(satellites.read_text().replace("  wms:\n", "  wms-old:\n"))
    own_gateway.wait_for("snapshot.swapped", after=after)
    assert own_gateway.call("wms", "GET", "/api/v1/stock/000123").status_code == 401


def test_a_changed_certificate_reloads_and_one_that_cannot_be_used_changes_nothing(own_gateway: GatewayProcess) -> None:
    path = own_gateway.path
    good = pem(certificate(ec_key(), now=time.time()))
    (path.parent / "erp.pem").write_bytes(good)
    edit(
        path,
        "    timeout: 10s\n  procurement:",
        "    timeout: 10s\n    security: {verify: {certificate_file: erp.pem}}\n  procurement:",
    )
    own_gateway.wait_for("snapshot.swapped")
    after = len(own_gateway.events)
    (path.parent / "erp.pem").write_bytes(b"half of it")
    refused = own_gateway.wait_for("snapshot.refused", after=after)
    assert "'certificate_file' names erp.pem, which holds no certificate" in refused["findings"][0]
    (path.parent / "erp.pem").write_bytes(good)
    own_gateway.wait_for("snapshot.swapped", after=after)


def test_the_folders_of_certificates_and_keys_are_watched(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    for folder, names in {"a": ("own.pem", "own.key"), "b": ("erp.pem",), "c": ("ca.pem",)}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_bytes(b"")
    added = (
        "    timeout: 10s\n    ca_file: c/ca.pem\n    security: {verify: {certificate_file: b/erp.pem},"
        " sign: {certificate_file: a/own.pem, key_file: a/own.key}}\n  procurement:"
    )
    edit(path, "    timeout: 10s\n  procurement:", added)
    watched = read_deployment(path).watched()
    assert {tmp_path / "a", tmp_path / "b", tmp_path / "c"} <= set(watched)


async def test_a_policy_cut_off_at_any_byte_is_refused_and_decides_nothing(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    live = Live(path, check_stores(path))
    policy = tmp_path / "policies" / "policy.csv"
    whole = policy.read_bytes()
    questions = [
        (Principal(subject, "demo"), route.operation, route.version)
        for subject in ("oa", "crm", "wms", "mes", "shop", "tour", "cfo", "approver-a", "nobody")
        for route in live.snapshot.routes
    ]
    answers = [live.snapshot.runtime.policy.decide(*question) for question in questions]
    for length in range(len(whole.rstrip())):
        with pytest.raises(ConfigError) as refused:
            read_policy("policies/policy.csv", whole[:length])
        assert all(finding.what and finding.remedy for finding in refused.value.findings)
    for length in range(0, len(whole.rstrip()), 83):
        policy.write_bytes(whole[:length])
        assert await live.reload() is False
        assert [live.snapshot.runtime.policy.decide(*question) for question in questions] == answers


async def test_a_file_that_crashes_the_build_keeps_the_last_good_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copy_deployment(tmp_path)
    live = Live(path, check_stores(path))
    snapshot = live.snapshot
    monkeypatch.setattr("gateway.live.build", lambda *_: 1 / 0)
    assert await live.reload() is False
    assert live.snapshot is snapshot
    assert live.status(places_only=False)["reload"]
