"""The xmlsec1 command: an XML Signature implementation that has nothing in common with the gateway's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.protocols.soap.wsse.signature import WSU
from tests.protocols.soap.wsse.keys import SOAP_11, SOAP_12

needed = pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="needs the xmlsec1 command (Debian: xmlsec1)")

ADDRESSING = "http://www.w3.org/2005/08/addressing"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_NAMED = [
    *(f"{space}:Body" for space in (SOAP_11, SOAP_12)),
    f"{WSU}:Timestamp",
    f"{WSSE}:UsernameToken",
    *(f"{ADDRESSING}:{name}" for name in ("Action", "To", "MessageID")),
]
_IDS = [word for name in _NAMED for word in ("--id-attr:Id", name)]


def verify(folder: Path, message: bytes, certificate: bytes) -> str:
    """What xmlsec1 says of a message; ``OK`` and the counts when its signature is good."""
    (folder / "message.xml").write_bytes(message)
    (folder / "certificate.pem").write_bytes(certificate)
    return _run("--verify", "--pubkey-cert-pem", str(folder / "certificate.pem"), *_IDS, str(folder / "message.xml"))


def sign(folder: Path, template: bytes, key: bytes) -> bytes:
    """The template with its digests and signature filled in."""
    (folder / "template.xml").write_bytes(template)
    (folder / "key.pem").write_bytes(key)
    output = folder / "signed.xml"
    _run("--sign", "--privkey-pem", str(folder / "key.pem"), *_IDS, "--output", str(output), str(folder / "template.xml"))
    return output.read_bytes()


def _run(*words: str) -> str:
    return subprocess.run(["xmlsec1", *words], capture_output=True, text=True, check=words[0] == "--sign").stderr
