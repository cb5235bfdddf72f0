"""The internal port: health with every finding, and metrics."""

from __future__ import annotations

import httpx
import pytest

from tests.support import GatewayProcess


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_it_answers(gateway: GatewayProcess, path: str) -> None:
    assert httpx.get(gateway.console + path).status_code == 200


def test_it_serves_no_api(gateway: GatewayProcess) -> None:
    assert httpx.get(gateway.console + "/api/v1/stock/000123").status_code == 404


def test_metrics_are_not_on_the_public_port(gateway: GatewayProcess) -> None:
    assert gateway.call(None, "GET", "/metrics").status_code == 404
