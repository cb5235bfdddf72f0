"""Keys and certificates for the tests of WS-Security, and what they sign."""

from __future__ import annotations

import datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from gateway.protocols.soap.wsse import Dress, Signer, dress

NOW = 1_795_348_800.0
"""2026-11-22T12:00:00Z, when all messages of these tests are sent."""

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"


def zeros(count: int) -> bytes:
    return bytes(count)


class Counting:
    """Random bytes that are none: 1, 2, 3 …"""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, count: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(count, "big")


@cache
def rsa_key(bits: int = 2048, name: str = "") -> rsa.RSAPrivateKey:
    """Made once for each name."""
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(name: str = "") -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def certificate(
    key: Any, name: str = "erp.test", *, by: Any = None, issuer: str = "", days: float = 1, dns: str = "", now: float = NOW
) -> x509.Certificate:
    """Self-signed, or issued by the key ``by`` of ``issuer``. Valid at ``now`` unless ``days`` are negative."""
    start = datetime.datetime.fromtimestamp(now - 10 * 86400, datetime.UTC)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer or name)]
    builder = x509.CertificateBuilder(names[1], names[0], key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(start + datetime.timedelta(days=10 + days))
    if dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), False)
    return builder.sign(by or key, hashes.SHA256())


def signer(key: Any, own: x509.Certificate | None = None) -> Signer:
    return Signer(key, (own or certificate(key)).public_bytes(serialization.Encoding.DER))


def pem(*what: Any) -> bytes:
    """Certificates and private keys, one after the other."""
    return b"".join(
        item.public_bytes(serialization.Encoding.PEM)
        if isinstance(item, x509.Certificate)
        else item.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        for item in what
    )


def envelope(
    body: str = '<a:Booked xmlns:a="urn:a"><a:number>7</a:number></a:Booked>', space: str = SOAP_11, header: str = ""
) -> bytes:
    return f'<s:Envelope xmlns:s="{space}">{header}<s:Body>{body}</s:Body></s:Envelope>'.encode()


def signed(data: bytes | None = None, key: Any = None, *, ttl: float | None = 60.0, at: float = NOW, own: Any = None) -> bytes:
    """An envelope as the other side would sign it."""
    key = key or rsa_key()
    return dress(data or envelope(), Dress(ttl=ttl, signer=signer(key, own)), at, Counting())
