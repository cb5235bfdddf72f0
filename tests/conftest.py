"""Fixtures for every test: the demo ERP and the gateway over it, as real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.demo.erp.process import ErpProcess
from tests.support import GatewayProcess, RedisServer, copy_deployment


@pytest.fixture(scope="session")
def erp() -> Iterator[ErpProcess]:
    with ErpProcess.start() as process:
        yield process


@pytest.fixture(scope="session")
def gateway(erp: ErpProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """The example deployment, served for the whole run; tests must not change its files."""
    process = GatewayProcess(copy_deployment(tmp_path_factory.mktemp("deployment")), erp.url)
    try:
        yield process.start()
    finally:
        process.stop()


@pytest.fixture
def own_gateway(erp: ErpProcess, tmp_path: Path) -> Iterator[GatewayProcess]:
    """The example deployment, served for one test that changes it."""
    process = GatewayProcess(copy_deployment(tmp_path), erp.url)
    try:
        yield process.start()
    finally:
        process.stop()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.url
