"""Clients and contracts outlive snapshots: kept while nothing changed, replaced when something did."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from pathlib import Path
from typing import Any

import pytest

from gateway.config.gateway import Upstream
from gateway.config.source import parse_source
from gateway.errors import ConfigError
from gateway.exchange import Outgoing
from gateway.upstreams.http1 import Http1Client
from gateway.upstreams.httpx_client import HttpxClient
from gateway.upstreams.stores import Clients, Contracts
from tests.support import ROOT
from tests.upstreams.conftest import Authority, Serve

CONTRACTS = ROOT / "gateway/demo/erp/contracts"
SOURCE = parse_source(
    b"upstreams:\n  erp:\n    url: http://127.0.0.1:1\n    ca_file: ca.pem\n", name="gateway.yaml", folder=Path(".")
)
URL = "http://erp.example/finance.wsdl"


def client(clients: Clients, upstream: Upstream, url: str = "http://127.0.0.1:1") -> object:
    return clients.client("erp", url, upstream, SOURCE, Path("."))


def test_an_unchanged_upstream_keeps_its_client() -> None:
    clients = Clients()
    first = client(clients, Upstream(url="http://127.0.0.1:1"))
    assert client(clients, Upstream(url="http://127.0.0.1:1", forward=["x-trace"])) is first
    assert isinstance(first, Http1Client)
    assert client(clients, Upstream(url="http://127.0.0.1:1", connections=3)) is not first


def test_the_adapter_is_a_choice() -> None:
    assert isinstance(client(Clients(), Upstream(url="http://127.0.0.1:1", adapter="httpx")), HttpxClient)


def test_an_address_that_cannot_be_one_is_named() -> None:
    with pytest.raises(ConfigError) as wrong:
        client(Clients(), Upstream(url="http://127.0.0.1:1"), url="http://user@127.0.0.1:1")
    assert str(wrong.value).startswith("gateway.yaml:3: ")


def test_an_authority_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as wrong:
        client(Clients(), Upstream(url="https://127.0.0.1:1", ca_file=str(tmp_path / "none.pem")))
    assert str(wrong.value).startswith("gateway.yaml:4: 'ca_file' cannot be used")


def with_certificate(folder: Path, certificate: Path, key: Path, **settings: Any) -> Upstream:
    shutil.copy(certificate, folder / "own.pem")
    shutil.copy(key, folder / "own.key")
    shown = {"client_certificate": {"certificate_file": "own.pem", "key_file": "own.key"}, **settings}
    return Upstream.model_validate({"url": "https://127.0.0.1:1", "ca_file": "authority.pem", "credentials": shown})


def test_a_changed_certificate_makes_a_new_client(tmp_path: Path, authority: Authority) -> None:
    clients = Clients()

    def now(**settings: Any) -> object:
        upstream = with_certificate(tmp_path, *authority.issue("gateway.test"), **settings)
        return clients.client("erp", "https://127.0.0.1:1", upstream, SOURCE, tmp_path)

    first = now()
    upstream = with_certificate(tmp_path, tmp_path / "gateway.test.pem", tmp_path / "gateway.test.key")
    assert clients.client("erp", "https://127.0.0.1:1", upstream, SOURCE, tmp_path) is first
    second = now()
    assert second is not first
    upstream = with_certificate(tmp_path, tmp_path / "gateway.test.pem", tmp_path / "gateway.test.key", bearer="abc")
    assert clients.client("erp", "https://127.0.0.1:1", upstream, SOURCE, tmp_path) is second


def test_a_client_certificate_that_cannot_be_used_is_named(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("gateway.test")
    other = authority.issue("other.test")[1]
    for keys, url, what in (
        (key, "http://127.0.0.1:1", "'client_certificate' is for TLS"),
        (other, "https://127.0.0.1:1", "whose private key is not that of the first certificate"),
    ):
        with pytest.raises(ConfigError) as wrong:
            Clients().client("erp", url, with_certificate(tmp_path, certificate, keys), SOURCE, tmp_path)
        assert what in str(wrong.value)
        assert str(wrong.value).startswith("gateway.yaml:")


@pytest.mark.parametrize("adapter_", ["http1", "httpx"])
async def test_a_client_shows_its_certificate_and_the_next_one_after_a_reload(
    adapter_: str, tmp_path: Path, authority: Authority, serve: Serve
) -> None:
    shown = []

    async def erp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        shown.append(writer.get_extra_info("peercert")["subject"][0][0][1])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await reader.read()

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("127.0.0.1"))
    tls.load_verify_locations(authority.file)
    tls.verify_mode = ssl.CERT_REQUIRED
    url, clients = await serve(erp, tls), Clients()
    for name in ("gateway-1.test", "gateway-2.test"):
        upstream = with_certificate(tmp_path, *authority.issue(name)).model_copy(update={"adapter": adapter_})
        incoming = await clients.client("erp", url, upstream, SOURCE, tmp_path).send(
            Outgoing("GET", "/", [], safe=True), timeout=5
        )
        assert incoming.status == 200
        await incoming.read()
    assert shown == ["gateway-1.test", "gateway-2.test"]
    await clients.aclose()


async def test_a_retired_client_closes_after_its_calls() -> None:
    class Slow:
        closed = asyncio.Event()

        async def aclose(self) -> None:
            self.closed.set()

    clients, slow = Clients(), Slow()
    clients.retire(slow)  # type: ignore[arg-type]
    await asyncio.wait_for(slow.closed.wait(), 5)
    await clients.aclose()


def test_a_contract_is_read_again_only_when_a_file_changed(tmp_path: Path) -> None:
    shutil.copytree(CONTRACTS, tmp_path / "contracts")
    contracts = Contracts()
    first = contracts.contract("contracts/finance.wsdl", tmp_path)
    assert contracts.contract("contracts/finance.wsdl", tmp_path) is first
    schema = tmp_path / "contracts/finance-types.xsd"
    schema.write_text(schema.read_text() + "<!-- changed -->")
    assert contracts.contract("contracts/finance.wsdl", tmp_path) is not first


class Server:
    """Contracts at a URL, as a function."""

    def __init__(self) -> None:
        self.up = True
        self.changed = b""
        self.fetched = 0

    def __call__(self, url: str) -> bytes:
        self.fetched += 1
        if not self.up:
            raise OSError("it cannot be fetched")
        return (CONTRACTS / url.rpartition("/")[2]).read_bytes() + self.changed


def test_a_contract_at_a_url_is_kept_while_its_server_is_down() -> None:
    server = Server()
    contracts = Contracts(server)
    first = contracts.contract(URL, Path("."))
    assert {operation.name for operation in first.operations} >= {"CreatePayment", "GetPayment"}
    server.up = False
    assert contracts.contract(URL, Path(".")) is first
    server.up = True
    assert contracts.contract(URL, Path(".")) is first
    server.changed = b"<!-- new -->"
    assert contracts.contract(URL, Path(".")) is not first


def test_a_contract_that_could_never_be_fetched_is_an_error() -> None:
    server = Server()
    server.up = False
    with pytest.raises(OSError, match="cannot be fetched"):
        Contracts(server).contract(URL, Path("."))
