"""Upstreams for the tests: real sockets on loopback whose behaviour is a function in the test; clients are closed after it."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.ports import Client
from gateway.upstreams.http1 import Http1Client
from gateway.upstreams.httpx_client import HttpxClient
from gateway.upstreams.settings import ClientSettings

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ON_BOTH_LOOPS = {"test_client_contract.py", "test_http1.py", "test_pool.py", "test_connection.py"}


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.name in ON_BOTH_LOOPS:
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


class Serve:
    """``await serve(behaviour)`` starts a server and returns its base URL.

    ``behaviour`` is a coroutine function of reader and writer, or bytes to answer each request with. ``heads`` are the
    request heads that bytes were the answer to; ``connections`` counts those ever opened, ``most`` those open at once.
    """

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.connections = self.most = self._now = 0
        self.failures: list[BaseException] = []
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, behaviour: Handler | bytes, tls: ssl.SSLContext | None = None) -> str:
        handler = self._canned(behaviour) if isinstance(behaviour, bytes) else behaviour

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            self._now += 1
            self.most = max(self.most, self._now)
            try:
                await handler(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
                pass
            except BaseException as error:  # noqa: BLE001  # shown when the test ends
                self.failures.append(error)
            finally:
                self._now -= 1
                writer.close()

        def start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(connected(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        server = await asyncio.start_server(start, "127.0.0.1", 0, ssl=tls)
        self._servers.append(server)
        return f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def _canned(self, answer: bytes) -> Handler:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer)

        return handler

    async def aclose(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self.failures == []


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    serve = Serve()
    yield serve
    await serve.aclose()


@pytest.fixture(params=[Http1Client, HttpxClient], ids=["http1", "httpx"])
def adapter(request: pytest.FixtureRequest) -> type[Http1Client] | type[HttpxClient]:
    return request.param


async def _close(clients: list[Client]) -> None:
    for client in clients:
        task = asyncio.create_task(client.aclose())
        done, _ = await asyncio.wait([task], timeout=5)
        task.cancel()
        assert done, "the client did not close: a call or a place was leaked"


@pytest.fixture
async def connect(adapter: type[Http1Client] | type[HttpxClient]) -> AsyncIterator[Callable[..., Client]]:
    """``connect(url, **settings)``: a client of either kind."""
    clients: list[Client] = []

    def make(url: str, **settings: object) -> Client:
        client = adapter(url, ClientSettings(**{"timeout": 5.0, **settings}))  # type: ignore[arg-type]
        clients.append(client)
        return client

    yield make
    await _close(clients)


@pytest.fixture
async def http1() -> AsyncIterator[Callable[..., Http1Client]]:
    """``http1(url, **settings)``: a client of the hot path's kind."""
    clients: list[Http1Client] = []

    def make(url: str, **settings: object) -> Http1Client:
        client = Http1Client(url, ClientSettings(**{"timeout": 5.0, **settings}))  # type: ignore[arg-type]
        clients.append(client)
        return client

    yield make
    await _close(list(clients))


class Authority:
    """A certificate authority of the test's own, writing PEM files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        certificate = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), True)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        certificate = certificate.add_extension(usage, True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(certificate.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, host: str) -> tuple[Path, Path]:
        """A certificate and its key for a host name or address."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        try:
            general: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            general = x509.DNSName(host)
        builder = self._builder(name, key).add_extension(x509.SubjectAlternativeName([general]), False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = builder.add_extension(issuer, False).sign(self._key, hashes.SHA256())
        files = self._folder / f"{host}.pem", self._folder / f"{host}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return files

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)
