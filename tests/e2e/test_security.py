"""A gateway and an ERP that trust each other only by keys: TLS client certificate, password, UsernameToken, signatures both ways.

The ERP here is a stub that checks what it gets by other means than the gateway made it with, and answers as well or as badly as a
test asks.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from lxml import etree
from typer.testing import CliRunner

from gateway.cli import app
from gateway.demo.tour import payment
from gateway.protocols.soap.wsse import Dress, dress
from gateway.protocols.soap.wsse.signature import SECURITY, WSSE, WSU
from tests.protocols.soap.wsse import keys, xmlsec
from tests.support import GatewayProcess, copy_deployment, edit
from tests.upstreams.conftest import Authority

PASSWORD, BASIC, KEY_PASSWORD = "wsse-s3cret-1", "basic-s3cret-2", "key-s3cret-3"
TYPES = "urn:demo-erp:finance:types"
SECRETS = (PASSWORD, BASIC, KEY_PASSWORD, base64.b64encode(f"gateway:{BASIC}".encode()).decode())

FAULT = "<s:Fault><faultcode>s:Client</faultcode><faultstring>no</faultstring></s:Fault>"


@dataclass
class Erp:
    """``mode`` says how the next answers are made; ``seen`` holds the requests' bodies and what was wrong with them."""

    folder: Path
    key: Any
    certificate: bytes
    mode: str = "signed"
    seen: list[bytes] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    nonces: list[bytes] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)

    def answer(self, handler: http.server.BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        self.seen.append(body)
        self._check(handler, body)
        if self.mode == "fault":
            return 500, dress(keys.envelope(FAULT), Dress(ttl=60, signer=keys.signer(self.key)), time.time(), uuid_bytes)
        if self.mode == "unsigned fault":
            return 400, keys.envelope(FAULT)
        text = self._booked(etree.fromstring(body)[-1][0])
        if self.mode == "unsigned":
            return 200, keys.envelope(text)
        signed = dress(keys.envelope(text), Dress(ttl=60, signer=keys.signer(self.key)), time.time(), uuid_bytes)
        return 200, wrapped(signed) if self.mode == "wrapped" else signed

    def _booked(self, request: Any) -> str:
        """The answer to CreatePayment, or to GetPayment afterwards: the payment with its number."""
        paid = request.find(f"{{{TYPES}}}Payment")
        if paid is not None:
            etree.SubElement(paid, f"{{{TYPES}}}BELNR").text = "1900000001"
            etree.SubElement(paid, f"{{{TYPES}}}STATUS").text = "01"
            self.paid = paid
        answer = etree.Element(f"{request.tag}Response")
        answer.append(self.paid)
        return etree.tostring(answer).decode()

    def _check(self, handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        security = etree.fromstring(body).find(f"*/{SECURITY}")
        assert security is not None
        token = {etree.QName(node).localname: node.text or "" for node in security.find(f"{{{WSSE}}}UsernameToken")}
        nonce = base64.b64decode(token["Nonce"])
        digest = hashlib.sha1(nonce + token["Created"].encode() + PASSWORD.encode()).digest()
        self.nonces.append(nonce)
        if (token["Username"], base64.b64decode(token["Password"])) != ("gateway", digest):
            self.wrong.append("password digest")
        if not xmlsec.verify(self.folder, body, self.certificate).startswith("OK\nSignedInfo References (ok/all): 3/3"):
            self.wrong.append("signature")
        if handler.headers["authorization"] != f"Basic {SECRETS[-1]}":
            self.wrong.append("authorization")
        if security.find(f"{{{WSU}}}Timestamp") is None:
            self.wrong.append("timestamp")
        self.peers.append(handler.connection.getpeercert()["subject"][0][0][1])  # type: ignore[attr-defined]


def uuid_bytes(count: int) -> bytes:
    return uuid.uuid4().bytes[:count]


def wrapped(signed: bytes) -> bytes:
    """The signed Body where a verifier finds it, another one where a reader looks."""
    root = etree.fromstring(signed)
    body = root[-1]
    forged = etree.fromstring(etree.tostring(body).replace(b"1900000001", b"1966666666"))
    etree.SubElement(root[0], "{urn:w}Wrapper").append(body)
    root.append(forged)
    return etree.tostring(root)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def erp(folder: Path, authority: Authority) -> Iterator[tuple[Erp, str]]:
    own = keys.certificate(keys.ec_key("gateway"), "gateway", now=time.time())
    stub = Erp(folder, keys.rsa_key(), keys.pem(own))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, data = stub.answer(self, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.send_header("content-type", "text/xml; charset=utf-8")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("127.0.0.1"))
    tls.load_verify_locations(authority.file)
    tls.verify_mode = ssl.CERT_REQUIRED
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield stub, f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(10)


SETTINGS = """\
    ca_file: certs/authority.pem
    credentials:
      basic: {{user: gateway, password: "${{env:ERP_BASIC}}"}}
      client_certificate: {{certificate_file: certs/gateway.test.pem, key_file: certs/gateway.test.key}}
    security:
      username: gateway
      password: ${{file:certs/password}}
      digest: true
      timestamp: 60s
      sign: {{certificate_file: certs/own.pem, key_file: certs/own.key, password: "${{env:KEY_PASSWORD}}"}}
      verify: {{certificate_file: certs/erp.pem}}
    writes: {{visible_within: 100ms, retry: [100ms], probe_again: []}}
"""


@pytest.fixture(scope="module")
def gateway(
    erp: tuple[Erp, str], folder: Path, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    path = copy_deployment(tmp_path_factory.mktemp("security"))
    certs = path.parent / "certs"
    certs.mkdir()
    for file in (authority.file, *authority.issue("gateway.test")):
        (certs / file.name).write_bytes(file.read_bytes())
    stub, url = erp
    (certs / "password").write_text(PASSWORD)
    (certs / "own.pem").write_bytes(stub.certificate)
    sealed = serialization.BestAvailableEncryption(KEY_PASSWORD.encode())
    key = keys.ec_key("gateway")
    (certs / "own.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed))
    (certs / "erp.pem").write_bytes(keys.pem(keys.certificate(keys.rsa_key(), now=time.time())))
    edit(path, "    timeout: 10s\n  procurement:", f"    timeout: 10s\n{SETTINGS.format()}  procurement:")
    edit(path, "    url: ${env:DEMO_ERP_URL:-http://127.0.0.1:9090}/soap/finance", f"    url: {url}/soap/finance")
    process = GatewayProcess(path, "http://127.0.0.1:9", {"ERP_BASIC": BASIC, "KEY_PASSWORD": KEY_PASSWORD})
    try:
        yield process.start()
    finally:
        process.stop()


def pay(gateway: GatewayProcess) -> Any:
    return gateway.call("oa", "POST", "/api/v1/payments", json=payment(f"OA-{uuid.uuid4().hex[:12]}", "4711", "12.50"))


@xmlsec.needed
def test_an_erp_that_checks_everything_books_a_payment(gateway: GatewayProcess, erp: tuple[Erp, str]) -> None:
    stub, _ = erp
    stub.mode = "signed"
    for _ in range(2):
        booked = pay(gateway)
        assert (booked.status_code, booked.json().get("number")) == (201, "1900000001"), booked.text
    assert stub.wrong == []
    assert stub.peers[-1] == "gateway.test"
    assert len(set(stub.nonces)) == len(stub.nonces) >= 2


@xmlsec.needed
@pytest.mark.parametrize("mode", ["unsigned", "wrapped", "unsigned fault"])
def test_what_is_not_signed_as_it_has_to_be_proves_nothing(gateway: GatewayProcess, erp: tuple[Erp, str], mode: str) -> None:
    stub, _ = erp
    stub.mode = mode
    before = len(stub.seen)
    answer = pay(gateway)
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "unknown"
    assert answer.json()["note"]["code"] == "upstream-untrusted-answer"
    assert "1966666666" not in answer.text
    assert sum(b"CreatePayment" in request for request in stub.seen[before:]) == 1


@xmlsec.needed
def test_a_signed_fault_counts(gateway: GatewayProcess, erp: tuple[Erp, str]) -> None:
    stub, _ = erp
    stub.mode = "fault"
    answer = pay(gateway)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:erp-gateway:problem:fault-client")


@xmlsec.needed
def test_no_secret_is_in_a_log_the_ledger_or_what_explain_prints(gateway: GatewayProcess, erp: tuple[Erp, str]) -> None:
    stub, _ = erp
    stub.mode = "signed"
    assert pay(gateway).status_code == 201
    environment = gateway.environment | {"DEMO_ERP_URL": "http://127.0.0.1:9"}
    printed = ""
    for words in (["explain", "payments.create"], ["check", "--json"], ["routes"]):
        done = CliRunner().invoke(app, [*words, "--config", str(gateway.path)], env=environment)
        assert done.exit_code == 0, done.output
        printed += done.output
    kept = {file.name: file.read_bytes() for file in (gateway.path.parent / "var").iterdir() if file.is_file()}
    assert b"payments.create" in kept["ledger.db"] + kept.get("ledger.db-wal", b"")
    said = printed + repr(gateway.events) + "".join(gateway.noise) + b"".join(kept.values()).decode("latin-1")
    values = [node for body in stub.seen for node in nonces_and_signatures(body)]
    assert len(values) >= 2
    for secret in (*SECRETS, *values):
        assert secret not in said
    for secret in SECRETS:
        assert secret.encode() not in b"".join(stub.seen)


def nonces_and_signatures(body: bytes) -> list[str]:
    root = etree.fromstring(body)
    return [node.text for node in root.iter(f"{{{WSSE}}}Nonce", "{http://www.w3.org/2000/09/xmldsig#}SignatureValue")]
