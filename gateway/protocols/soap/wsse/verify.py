"""Judges an answer's signature and hands on nothing but what it covers.

Strategy against wrapped signatures: positions first. The Body is the second child of the Envelope, the Security header a child of
the Header, and a Reference must lead to a node in one of the places that are read, by a wsu:Id that nothing else in the message
has. What is read afterwards is a new envelope made of the very octets that were digested, so no second look at the message can
see something else. Keys come from the configuration; KeyInfo is looked at only for a certificate that an authority must have
issued to the configured subject. Anything that is not understood is refused.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from gateway.errors import UntrustedAnswer
from gateway.protocols.soap.answers import tree_with_namespaces
from gateway.protocols.soap.model import ENVELOPES, local, namespace
from gateway.protocols.soap.wsse.signature import (
    DIGESTS,
    DS,
    EXCLUSIVE,
    SECURITY,
    SHA1_DIGESTS,
    SHA1_SIGNATURES,
    SIGNATURE,
    SIGNATURES,
    TIMESTAMP,
    TOKEN,
    WSSE,
    WSU,
    PublicKey,
    canonical,
    signed_by,
)

_MOST_REFERENCES: Final = 32
_SMALLEST_RSA: Final = 2048
_ROLES: Final = frozenset(
    {
        "",
        "http://schemas.xmlsoap.org/soap/actor/next",
        "http://www.w3.org/2003/05/soap-envelope/role/next",
        "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
    }
)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_CODE: Final = re.compile(r"[\w.:-]{1,100}", re.ASCII)
_INCLUSIVE: Final = f"{{{EXCLUSIVE}}}InclusiveNamespaces"
_REFERENCE: Final = f"{{{WSSE}}}SecurityTokenReference/{{{WSSE}}}Reference"


class Unverified(Exception):
    """What is wrong with an answer's signature: for the log, never for a caller. Holds no content of the message."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signature an answer must have, and how much it must cover. Times in seconds.

    :param certificates: those the signer may have; any of them.
    :param authorities: or those that issue it directly, to ``subject`` (common name, or DNS name).
    :param timestamp: the answer must have a signed Timestamp, at most ``max_age`` old, clocks ``skew`` apart.
    :param sha1: take SHA-1 and short RSA keys, from servers that know nothing better.
    :param unsigned_prefixes: take what namespace prefixes in values (xsi:type, QNames) mean from the message although its
        signature does not cover it.
    """

    certificates: tuple[x509.Certificate, ...] = ()
    authorities: tuple[x509.Certificate, ...] = ()
    subject: str | None = None
    timestamp: bool = True
    max_age: float = 300.0
    skew: float = 60.0
    sha1: bool = False
    unsigned_prefixes: bool = False


def verified(envelope: bytes, trust: Trust, now: float) -> bytes:
    """An envelope of what is signed in this one: the Body and whole header blocks, without the Security header.

    Raises ``UntrustedAnswer``, caused by ``Unverified`` with the reason, and ``BadAnswer`` for what is no XML.

    :param now: Unix time in seconds.
    """
    root = tree_with_namespaces(envelope)
    try:
        return _Answer(root, trust, now).signed()
    except (Unverified, etree.LxmlError) as error:
        reason = f"{error}{_fault(root)}" if isinstance(error, Unverified) else "it has no canonical form"
        raise UntrustedAnswer("The ERP's answer is not signed as it has to be.") from Unverified(reason)


class _Answer:
    """One answer under examination. Nodes are compared by identity, so each is looked up once and kept."""

    def __init__(self, root: Any, trust: Trust, now: float) -> None:
        self.trust, self.now = trust, now
        self.space = namespace(root.tag)
        if self.space not in ENVELOPES.values() or [child.tag for child in root] != [self._name("Header"), self._name("Body")]:
            raise Unverified("it is no Envelope of one Header and one Body")
        self.header, self.body = root
        self.blocks = [block for block in self.header if block.tag != SECURITY]
        ours = [block for block in self.header if block.tag == SECURITY and self._for_us(block)]
        if len(ours) != 1:
            raise Unverified(f"it has {len(ours)} Security headers for the gateway")
        self.security = ours[0]
        self.tokens = [child for child in self.security if child.tag != SIGNATURE]
        self.ids = _ids(root)

    def signed(self) -> bytes:
        info, value, key_info = self._signature()
        methods = SHA1_SIGNATURES if self.trust.sha1 else SIGNATURES
        canonicalization, method, *references = info
        octets = canonical(info, _exclusive(canonicalization))
        algorithm = methods.get(_algorithm(method))
        if algorithm is None:
            raise Unverified("its signature algorithm is not allowed")
        if not any(signed_by(key, algorithm, value, octets) for key in self._keys(key_info)):
            raise Unverified("no accepted certificate made its signature")
        covered = [self._covered(reference) for reference in references]
        self._check_timestamp([node for node, _ in covered])
        return self._rebuilt(covered)

    def _name(self, name: str) -> str:
        return f"{{{self.space}}}{name}"

    def _for_us(self, block: Any) -> bool:
        return {block.get(self._name("actor"), ""), block.get(self._name("role"), "")} <= _ROLES

    def _signature(self) -> tuple[Any, bytes, Any]:
        """SignedInfo, the signature's value, and KeyInfo, which may be None."""
        found = [child for child in self.security if child.tag == SIGNATURE]
        if len(found) != 1:
            raise Unverified(f"its Security header has {len(found)} signatures")
        names = [child.tag for child in found[0]]
        expected = [f"{{{DS}}}{name}" for name in ("SignedInfo", "SignatureValue", "KeyInfo")]
        if names not in (expected, expected[:2]):
            raise Unverified("its Signature has other parts than SignedInfo, SignatureValue and KeyInfo")
        info, value, *key_info = found[0]
        parts = [child.tag for child in info]
        count = len(parts) - 2
        wanted = ["CanonicalizationMethod", "SignatureMethod", *["Reference"] * count]
        if not 1 <= count <= _MOST_REFERENCES or parts != [f"{{{DS}}}{name}" for name in wanted]:
            raise Unverified("its SignedInfo is not one method of each kind and some References")
        return info, _base64(value), key_info[0] if key_info else None

    def _covered(self, reference: Any) -> tuple[Any, bytes]:
        """The node a Reference leads to, with the octets that were digested."""
        if [child.tag for child in reference] != [f"{{{DS}}}{name}" for name in ("Transforms", "DigestMethod", "DigestValue")]:
            raise Unverified("a Reference has other parts than Transforms, DigestMethod and DigestValue")
        transforms, method, value = reference
        if len(transforms) != 1 or transforms[0].tag != f"{{{DS}}}Transform":
            raise Unverified("a Reference has not exactly one Transform")
        node = self._node(reference.get("URI", ""))
        digest = (SHA1_DIGESTS if self.trust.sha1 else DIGESTS).get(_algorithm(method))
        if digest is None:
            raise Unverified("its digest algorithm is not allowed")
        octets = canonical(node, _exclusive(transforms[0]))
        if not hmac.compare_digest(digest(octets).digest(), _base64(value)):
            raise Unverified(f"its {local(node.tag)} is not what was signed")
        return node, octets

    def _node(self, uri: str) -> Any:
        """The one node of this id, in a place the signature may cover."""
        if not uri.startswith("#") or len(uri) == 1:
            raise Unverified("a Reference names no element of the message")
        found = self.ids.get(uri[1:], [])
        if len(found) != 1:
            raise Unverified(f"a Reference leads to {len(found)} elements")
        if not any(found[0] is place for place in (self.body, *self.blocks, *self.tokens)):
            raise Unverified("a Reference leads to an element that is neither the Body nor a header")
        return found[0]

    def _check_timestamp(self, covered: list[Any]) -> None:
        if not self.trust.timestamp:
            return
        stamps = [child for child in self.security if child.tag == TIMESTAMP]
        if len(stamps) != 1 or not any(stamps[0] is node for node in covered):
            raise Unverified("it has no signed Timestamp")
        created, expires = f"{{{WSU}}}Created", f"{{{WSU}}}Expires"
        if [child.tag for child in stamps[0]] not in ([created], [created, expires]):
            raise Unverified("its Timestamp has other parts than Created and Expires")
        times = [_time(child.text) for child in stamps[0]]
        if times[0] > self.now + self.trust.skew:
            raise Unverified("its Timestamp is in the future")
        oldest = self.now - self.trust.skew
        if times[0] < oldest - self.trust.max_age or (len(times) == 2 and times[1] < oldest):
            raise Unverified("its Timestamp has expired")

    def _rebuilt(self, covered: list[tuple[Any, bytes]]) -> bytes:
        octets = {}
        for node, data in covered:
            if any(node is place for place in (self.body, *self.blocks)):
                octets[node] = etree.tostring(node, encoding="utf-8", with_tail=False) if self.trust.unsigned_prefixes else data
        if self.body not in octets:
            raise Unverified("its signature does not cover the Body")
        header = b"".join([octets[block] for block in self.blocks if block in octets])
        space = self.space.encode()
        return b'<e:Envelope xmlns:e="%b"><e:Header>%b</e:Header>%b</e:Envelope>' % (space, header, octets[self.body])

    # --- keys --------------------------------------------------------------------------------------------------------

    def _keys(self, key_info: Any) -> Iterator[PublicKey]:
        """Public keys the signature may be made with. Raises ``Unverified`` when there is none."""
        moment = datetime.fromtimestamp(self.now, UTC)
        candidates = self.trust.certificates or (self._issued(key_info, moment),)
        current = [c for c in candidates if c.not_valid_before_utc <= moment <= c.not_valid_after_utc]
        if not current:
            raise Unverified("the certificate for its signature is not valid at this time")
        for certificate in current:
            yield usable_key(certificate, short=self.trust.sha1)

    def _issued(self, key_info: Any, moment: datetime) -> x509.Certificate:
        """The certificate the message brings, once an authority has vouched for it."""
        certificate = self._embedded(key_info)
        if self.trust.subject not in _names(certificate):
            raise Unverified("its certificate is of another subject")
        for authority in self.trust.authorities:
            if authority.not_valid_before_utc <= moment <= authority.not_valid_after_utc and _issued_by(certificate, authority):
                return certificate
        raise Unverified("its certificate is not issued by a configured authority")

    def _embedded(self, key_info: Any) -> x509.Certificate:
        if key_info is None:
            raise Unverified("it brings no certificate")
        direct = key_info.findall(_REFERENCE)
        if len(direct) == 1:
            found = self.ids.get(direct[0].get("URI", "")[1:], [])
            nodes = [node for node in found if node.tag == TOKEN and any(node is token for token in self.tokens)]
        else:
            nodes = list(key_info.iter(f"{{{DS}}}X509Certificate"))
        if len(nodes) != 1:
            raise Unverified("it brings not exactly one certificate")
        try:
            return x509.load_der_x509_certificate(_base64(nodes[0]))
        except ValueError as error:
            raise Unverified("its certificate cannot be read") from error


def _ids(root: Any) -> Mapping[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for attribute in root.xpath("//@wsu:Id", namespaces={"wsu": WSU}):
        found.setdefault(str(attribute), []).append(attribute.getparent())
    return found


def _algorithm(node: Any) -> str:
    """An algorithm without parameters."""
    if len(node):
        raise Unverified("an algorithm has parameters")
    return str(node.get("Algorithm", ""))


def _exclusive(node: Any) -> list[str]:
    """The PrefixList of a canonicalization, which must be the exclusive one."""
    if node.get("Algorithm") != EXCLUSIVE or [child.tag for child in node] not in ([], [_INCLUSIVE]):
        raise Unverified("it is signed in another form than the exclusive canonical one")
    return node[0].get("PrefixList", "").split() if len(node) else []


def _base64(node: Any) -> bytes:
    if len(node):
        raise Unverified(f"its {local(node.tag)} has parts")
    try:
        return base64.b64decode("".join((node.text or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unverified(f"its {local(node.tag)} is not Base64") from error


def _time(text: str | None) -> float:
    text = (text or "").strip()
    if not _TIME.fullmatch(text):
        raise Unverified("its Timestamp has a time without zone, or none")
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise Unverified("its Timestamp has no such time") from error


def usable_key(certificate: x509.Certificate, *, short: bool) -> PublicKey:
    """The public key of a certificate that may sign. ``short`` lets RSA keys below 2048 bits pass. Raises ``Unverified``."""
    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError) as error:
        raise Unverified("its certificate's key is of no known kind") from error
    if isinstance(key, rsa.RSAPublicKey) and (short or key.key_size >= _SMALLEST_RSA):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key
    raise Unverified("its certificate's key is too short, or of no allowed kind")


def _names(certificate: x509.Certificate) -> set[str]:
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    names = {str(attribute.value) for attribute in common}
    try:
        general = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names | set(general.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        return names
    except ValueError as error:
        raise Unverified("its certificate cannot be read") from error


def _issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _fault(root: Any) -> str:
    """The code of a fault, which is what an operator looks for when an ERP refuses the gateway's own credentials."""
    for code in root.iter("faultcode", *(f"{{{space}}}Value" for space in ENVELOPES.values())):
        text = (code.text or "").strip()
        return f"; it says of itself that it is a fault: {text}" if _CODE.fullmatch(text) else "; it says that it is a fault"
    return ""
