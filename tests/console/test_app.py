"""The internal port: health with every finding, and metrics; nothing of the API, and none of it on the public port."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.console.app import console
from gateway.telemetry import Telemetry
from tests.support import GatewayProcess


async def test_health_and_metrics() -> None:
    live: Any = SimpleNamespace(status=lambda *, places_only: {"status": "ready", "places_only": places_only})
    telemetry = Telemetry()
    telemetry.count("a.b", "v1", 200, 0.1)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(console(live, telemetry)), base_url="http://console")
    assert (await client.get("/health/live")).json() == {"status": "alive"}
    assert (await client.get("/health/ready")).json() == {"status": "ready", "places_only": False}
    metrics = await client.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "gateway_calls" in {family.name for family in text_string_to_metric_families(metrics.text)}


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_it_answers(gateway: GatewayProcess, path: str) -> None:
    assert httpx.get(gateway.console + path).status_code == 200


def test_it_serves_no_api(gateway: GatewayProcess) -> None:
    assert httpx.get(gateway.console + "/api/v1/stock/000123").status_code == 404


def test_metrics_are_not_on_the_public_port(gateway: GatewayProcess) -> None:
    assert gateway.call(None, "GET", "/metrics").status_code == 404
