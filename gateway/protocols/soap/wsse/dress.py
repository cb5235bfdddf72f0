"""Puts the Security header into a request: Timestamp, UsernameToken, X.509 signature.

Web Services Security: SOAP Message Security 1.1, X.509 Certificate Token Profile 1.1. The envelope comes with its WS-Addressing
headers, because those are signed too. A Security header that is there already is taken out: who calls the ERP is for the gateway
to say, never for a satellite. What is made here holds for one message and is never kept.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from gateway.errors import Refused
from gateway.protocols.soap.model import namespace
from gateway.protocols.soap.wsse.signature import (
    ADDRESSING,
    BASE64,
    DS,
    ECDSA_SHA256,
    EXCLUSIVE,
    ID,
    RSA_SHA256,
    SECURITY,
    SHA256,
    SIGNATURE,
    TIMESTAMP,
    TOKEN,
    WSSE,
    WSU,
    X509V3,
    PrivateKey,
    canonical,
    sign,
)

Random = Callable[[int], bytes]

etree.register_namespace("wsu", WSU)  # Else the Body's wsu:Id would be written ns0:Id.

_SOAP_11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
_DECLARATION: Final = b'<?xml version="1.0" encoding="utf-8"?>\n'


class Token(Protocol):
    def apply(self, root: Any, now: float, random: Random) -> None:
        """Append itself to the envelope's Security header."""
        ...


@dataclass(frozen=True, slots=True)
class Signer:
    """An X.509 key. ``certificate`` is DER."""

    key: PrivateKey = field(repr=False)
    certificate: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dress:
    """What goes into the Security header.

    :param ttl: seconds the message is good for; None puts no Timestamp.
    :param actor: whom the header is for (``role`` in SOAP 1.2); None is the service itself.
    """

    username: Token | None = None
    ttl: float | None = None
    signer: Signer | None = None
    must_understand: bool = True
    actor: str | None = None


def dress(envelope: bytes, what: Dress, now: float, random: Random) -> bytes:
    """The envelope with its Security header, UTF-8.

    :param envelope: made by the gateway; well-formed.
    :param now: Unix time in seconds.
    :param random: so many random bytes.
    :raises Refused: the body holds XML that has no canonical form.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    root = etree.fromstring(envelope, parser)
    header, security = _headers(root, what)
    if what.ttl is not None:
        _timestamp(security, now, what.ttl)
    if what.username is not None:
        what.username.apply(root, now, random)
    if what.signer is not None:
        try:
            _sign(root, header, security, what.signer, random)
        except etree.LxmlError as error:
            raise Refused("The request holds XML that cannot be signed.", sent=False) from error
    return _DECLARATION + etree.tostring(root, encoding="utf-8", xml_declaration=False)


def _headers(root: Any, what: Dress) -> tuple[Any, Any]:
    """The Header, and a new Security block in it."""
    space = namespace(root.tag)
    header = root.find(f"{{{space}}}Header")
    if header is None:
        header = etree.Element(f"{{{space}}}Header")
        root.insert(0, header)
    for old in header.findall(SECURITY):
        header.remove(old)
    security = etree.SubElement(header, SECURITY, nsmap={"wsse": WSSE, "wsu": WSU})
    if what.must_understand:
        security.set(f"{{{space}}}mustUnderstand", "1")
    if what.actor is not None:
        security.set(f"{{{space}}}{'actor' if space == _SOAP_11 else 'role'}", what.actor)
    return header, security


def _timestamp(security: Any, now: float, ttl: float) -> None:
    timestamp = etree.SubElement(security, TIMESTAMP)
    etree.SubElement(timestamp, f"{{{WSU}}}Created").text = _time(now)
    etree.SubElement(timestamp, f"{{{WSU}}}Expires").text = _time(now + ttl)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sign(root: Any, header: Any, security: Any, signer: Signer, random: Random) -> None:
    """Sign Body, WS-Addressing headers, Timestamp and UsernameToken; the certificate stands before the signature."""
    parts = [block for block in header if namespace(block.tag) in ADDRESSING]
    parts += [*security, root.find(f"{{{namespace(root.tag)}}}Body")]
    for part in parts:
        part.set(ID, _id(random))
    token = etree.Element(TOKEN, {"EncodingType": BASE64, "ValueType": X509V3, ID: _id(random)}, nsmap={"wsse": WSSE, "wsu": WSU})
    token.text = base64.b64encode(signer.certificate).decode("ascii")
    stamped = len(security) > 0 and security[0].tag == TIMESTAMP
    security.insert(1 if stamped else 0, token)
    signature = etree.SubElement(security, SIGNATURE, nsmap={"ds": DS})
    info = _signed_info(signature, parts, signer)
    value = sign(signer.key, canonical(info))
    _ds(signature, "SignatureValue").text = base64.b64encode(value).decode("ascii")
    reference = etree.SubElement(_ds(signature, "KeyInfo"), f"{{{WSSE}}}SecurityTokenReference")
    etree.SubElement(reference, f"{{{WSSE}}}Reference", {"URI": f"#{token.get(ID)}", "ValueType": X509V3})


def _id(random: Random) -> str:
    # Nothing a satellite can put into the body may ever have the same.
    return f"id-{random(16).hex()}"


def _signed_info(signature: Any, parts: Iterable[Any], signer: Signer) -> Any:
    method = RSA_SHA256 if isinstance(signer.key, rsa.RSAPrivateKey) else ECDSA_SHA256
    info = _ds(signature, "SignedInfo")
    _ds(info, "CanonicalizationMethod", Algorithm=EXCLUSIVE)
    _ds(info, "SignatureMethod", Algorithm=method)
    for part in parts:
        reference = _ds(info, "Reference", URI=f"#{part.get(ID)}")
        _ds(_ds(reference, "Transforms"), "Transform", Algorithm=EXCLUSIVE)
        _ds(reference, "DigestMethod", Algorithm=SHA256)
        digest = hashlib.sha256(canonical(part)).digest()
        _ds(reference, "DigestValue").text = base64.b64encode(digest).decode("ascii")
    return info


def _ds(parent: Any, name: str, **attributes: str) -> Any:
    return etree.SubElement(parent, f"{{{DS}}}{name}", attributes)
