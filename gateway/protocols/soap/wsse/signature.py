"""What signing and verifying share: names, algorithms, the canonical form of a node.

XML Signature 1.1 (W3C, 2013), Exclusive XML Canonicalization 1.0 without comments, WS-Security 1.1 (OASIS, 2006). Of the
algorithms only those listed here exist for the gateway; a message that names another is refused, never interpreted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from lxml import etree

from gateway.protocols.soap.features import SUBMISSION, WSA

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
X509V3: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
DEFAULT: Final = "#default"
BASE64: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
ADDRESSING: Final = frozenset({WSA, SUBMISSION})

ID: Final = f"{{{WSU}}}Id"
SECURITY: Final = f"{{{WSSE}}}Security"
TOKEN: Final = f"{{{WSSE}}}BinarySecurityToken"
TIMESTAMP: Final = f"{{{WSU}}}Timestamp"
SIGNATURE: Final = f"{{{DS}}}Signature"

_ENC: Final = "http://www.w3.org/2001/04/xmlenc#"
_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"

SHA256: Final = f"{_ENC}sha256"
RSA_SHA256: Final = f"{_MORE}rsa-sha256"
ECDSA_SHA256: Final = f"{_MORE}ecdsa-sha256"

DIGESTS: Final[Mapping[str, Callable[[bytes], Any]]] = {
    SHA256: hashlib.sha256,
    f"{_MORE}sha384": hashlib.sha384,
    f"{_ENC}sha512": hashlib.sha512,
}
SIGNATURES: Final[Mapping[str, tuple[str, hashes.HashAlgorithm]]] = {
    RSA_SHA256: ("rsa", hashes.SHA256()),
    f"{_MORE}rsa-sha384": ("rsa", hashes.SHA384()),
    f"{_MORE}rsa-sha512": ("rsa", hashes.SHA512()),
    ECDSA_SHA256: ("ecdsa", hashes.SHA256()),
}

# Only where an upstream's settings say so: collisions of SHA-1 have been made since 2017.
SHA1_DIGESTS: Final[Mapping[str, Callable[[bytes], Any]]] = {**DIGESTS, f"{DS}sha1": hashlib.sha1}
SHA1_SIGNATURES: Final[Mapping[str, tuple[str, hashes.HashAlgorithm]]] = {
    **SIGNATURES,
    f"{DS}rsa-sha1": ("rsa", hashes.SHA1()),  # noqa: S303
}


def canonical(node: Any, prefixes: Sequence[str] = ()) -> bytes:
    """The octets that are digested and signed. ``prefixes`` is the PrefixList of InclusiveNamespaces.

    Raises ``lxml.etree.LxmlError`` for a node with a relative namespace URI, which has no canonical form.
    """
    if DEFAULT in prefixes:
        # lxml leaves out prefixes its parser has never met. "#default" is no XML name, but HTML lets an attribute be called so.
        etree.fromstring(f"<p {DEFAULT}=''>", etree.HTMLParser())
    octets: bytes = etree.tostring(
        node, method="c14n", exclusive=True, inclusive_ns_prefixes=list(prefixes) or None, with_tail=False, with_comments=False
    )
    return octets


def sign(key: PrivateKey, octets: bytes) -> bytes:
    """By RSA-SHA256 (PKCS #1 v1.5) or ECDSA-SHA256, whichever the key is for."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
    size = (key.curve.key_size + 7) // 8
    r, s = decode_dss_signature(key.sign(octets, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def signed_by(key: PublicKey, method: tuple[str, hashes.HashAlgorithm], signature: bytes, octets: bytes) -> bool:
    """Whether this key made this signature. An ECDSA value is r and s, each as long as the curve (XML Signature 6.4.3)."""
    kind, algorithm = method
    try:
        if kind == "rsa" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, octets, padding.PKCS1v15(), algorithm)
            return True
        if kind == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
            size = (key.curve.key_size + 7) // 8
            if len(signature) != 2 * size:
                return False
            r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
            key.verify(encode_dss_signature(r, s), octets, ec.ECDSA(algorithm))
            return True
    except InvalidSignature:
        return False
    return False
