"""Fixtures for every test: the demo ERP and the gateway over it, as real processes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from gateway.demo.erp.process import ErpProcess
from tests.support import GatewayProcess, PostgresServer, RedisServer, copy_deployment, postgres_programs

# By default structlog draws every local variable of a traceback, which takes it half a minute for a deployment.
structlog.configure(
    [structlog.processors.add_log_level, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
)
settings.register_profile("gateway", deadline=None)
settings.load_profile("gateway")


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of public test data that the project does not hold."""
    root = os.environ.get("GATEWAY_CORPORA")
    if not root:
        if os.environ.get("CI"):
            pytest.fail("GATEWAY_CORPORA is not set")
        pytest.skip("GATEWAY_CORPORA is not set")
    return Path(root)


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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    programs = postgres_programs()
    if programs is None:
        assert "CI" not in os.environ, "PostgreSQL is not installed"
        pytest.skip("PostgreSQL is not installed")
    server = PostgresServer(programs).start()
    yield server
    server.stop()


_databases = itertools.count()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database for one test."""
    name = f"test_{next(_databases)}"
    postgres_server.sql(f"CREATE DATABASE {name}")
    yield postgres_server.url(name)
    postgres_server.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database for one test, of each kind a ledger can be kept in."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    url: str = request.getfixturevalue("postgres_url")
    return url
