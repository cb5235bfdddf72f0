"""JAX-WS behind Apache WSS4J through the gateway: each side verifies what the other signed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from tests.interop.peers import classpath
from tests.interop.world import Server, World, needs
from tests.protocols.soap.wsse.keys import certificate, rsa_key
from tests.support import edit

pytestmark = needs("jax-ws")

SECURITY = """
    security:
      username: gateway
      password: geheim
      digest: {digest}
      timestamp: 60s
      sign: {{certificate_file: gateway.pem, key_file: gateway.key}}
      verify: {{certificate_file: erp.pem}}"""


def keys(folder: Path) -> None:
    """A key and certificate for either side: PEM for the gateway, PKCS #12 for Java."""
    for name in ("gateway", "erp"):
        key = rsa_key(name=name)
        issued = certificate(key, f"{name}.test", now=time.time())
        (folder / f"{name}.pem").write_bytes(issued.public_bytes(Encoding.PEM))
        (folder / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        store = pkcs12.serialize_key_and_certificates(name.encode(), key, issued, None, BestAvailableEncryption(b"geheim"))
        (folder / f"{name}.p12").write_bytes(store)


@pytest.fixture(scope="module", params=["false", "true"], ids=["text", "digest"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("wss4j")) as made:
        keys(made.folder)
        files = [str(made.folder / name) for name in ("erp.p12", "gateway.pem")]
        server = made.runs(Server(["java", "-cp", classpath(), "interop.Secured", "{port}", *files]))
        assert made.imports(f"{server.url}/vault?wsdl") == "vault-service"
        edit(made.folder / "gateway.yaml", "port: VaultPort", "port: VaultPort" + SECURITY.format(digest=request.param))
        yield made.serve()


def test_a_signed_call_is_verified_by_both_sides(world: World, request: pytest.FixtureRequest) -> None:
    # Without a line break: the handler's view of a message (SAAJ) refuses character references.
    told = world.service("vault-service")("who", {"text": "ü <&> 中"})
    assert told.status_code == 200, told.text
    digest = "digest" in request.node.name
    signed = "timestamp=true signed=[Body, Timestamp, UsernameToken] by=CN=gateway.test"
    assert told.json() == {"return": f"user=gateway digest={str(digest).lower()} {signed} text=ü <&> 中"}


def test_a_signed_fault_is_typed(world: World) -> None:
    refused = world.service("vault-service")("refuse", {})
    assert (refused.status_code, refused.json()["fault"]["detail"]["OutOfStock"]["sku"]) == (422, "M8")


@pytest.mark.parametrize("operation", ["forged", "unsigned"])
def test_an_answer_that_proves_nothing_is_not_passed_on(world: World, operation: str) -> None:
    refused = world.service("vault-service")(operation, {})
    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (502, "upstream-untrusted-answer")
    assert "pay" not in refused.text


def test_what_the_gateway_does_not_sign_the_peer_refuses(world: World) -> None:
    """The peer is one that looks: the gateway's calls above were taken because of their signatures."""
    body = '<e:Body><t:who xmlns:t="urn:interop:jaxws"/></e:Body>'
    envelope = f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/">{body}</e:Envelope>'
    refused = httpx.post(f"{world.servers[0].url}/vault", content=envelope, headers={"content-type": "text/xml"})
    assert refused.status_code == 500
    assert "whoResponse" not in refused.text
