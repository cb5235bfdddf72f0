"""WS-Security of one upstream: what ``security:`` in ``gateway.yaml`` says, made ready once, with a clock and randomness.

It stands between codec and client, at the moment of sending: a nonce, a timestamp or a signature belongs to one message on its
way and is never stored, hashed or logged.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.config import credentials as config
from gateway.config.source import Place, Source
from gateway.errors import ConfigError, Finding, UntrustedAnswer
from gateway.protocols.soap.wsse import Dress, Signer, Trust, Unverified, dress, usable_key, verified
from gateway.protocols.soap.wsse.dress import Random, Token
from gateway.upstreams.certificates import certificates, expiring, key_pair


@dataclass(frozen=True, slots=True)
class Security:
    """Immutable. ``now`` is Unix time in seconds, ``random`` gives so many random bytes."""

    dress: Dress | None
    trust: Trust | None
    now: Callable[[], float]
    random: Random = secrets.token_bytes

    @property
    def signs(self) -> bool:
        return self.dress is not None and self.dress.signer is not None

    @property
    def verifies(self) -> bool:
        return self.trust is not None

    def outward(self, envelope: bytes) -> bytes:
        """The request as it leaves. Raises ``Refused`` for a body that cannot be signed, and nothing was sent."""
        return dress(envelope, self.dress, self.now(), self.random) if self.dress is not None else envelope

    def inward(self, envelope: bytes, *, beside: bool = False) -> bytes:
        """What of an answer may be believed, as an envelope. Raises ``UntrustedAnswer``, or ``BadAnswer`` for what is no XML.

        :param beside: the answer has attachments outside the envelope, which no signature here covers.
        """
        if self.trust is None:
            return envelope
        if beside:
            raise UntrustedAnswer("The ERP's answer has attachments that are not signed.")
        return verified(envelope, self.trust, self.now())


class Reader:
    """Reads one upstream's section. ``warnings`` are filled on the way."""

    def __init__(self, name: str, source: Source, folder: Path, now: Callable[[], float]) -> None:
        self._place: Place = ("upstreams", name)
        self._source, self._folder, self._now = source, folder, now
        self.warnings: list[Finding] = []

    def security(self, section: config.Security | None) -> Security | None:
        """None when the upstream asks for none. Raises ``ConfigError`` for files that cannot be used."""
        if section is None:
            return None
        made = None
        if section.dresses:
            signer = self._signer(section.sign) if section.sign is not None else None
            made = Dress(_token(section), section.timestamp, signer, section.must_understand, section.actor)
        trust = self._trust(section.verify) if section.verify is not None else None
        return Security(made, trust, self._now)

    def _signer(self, section: config.Certificate) -> Signer:
        place: Place = (*self._place, "security", "sign")
        key, found = key_pair(section, place, self._source, self._folder)
        if not (isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048) and not isinstance(key, ec.EllipticCurvePrivateKey):
            what = "'sign' names a key that is neither RSA of 2048 bits or more nor of an elliptic curve"
            raise ConfigError([self._source.finding(place, what, "use an RSA or ECDSA key")])
        self._expiring(found[:1], (*place, "certificate_file"))
        return Signer(key, found[0].public_bytes(serialization.Encoding.DER))

    def _trust(self, section: config.Verify) -> Trust:
        key = "certificate_file" if section.certificate_file is not None else "ca_file"
        place: Place = (*self._place, "security", "verify", key)
        found = certificates(section.certificate_file or section.ca_file or "", place, self._source, self._folder)
        self._expiring(found, place)
        try:
            for certificate in found:
                usable_key(certificate, short=section.sha1 or key == "ca_file")
        except Unverified as error:
            what = f"'{key}' names a certificate whose key is too short, or of no allowed kind"
            remedy = "let the ERP sign with RSA of 2048 bits or more, or ECDSA; or say 'sha1: true'"
            raise ConfigError([self._source.finding(place, what, remedy)]) from error
        return Trust(
            certificates=found if section.certificate_file is not None else (),
            authorities=found if section.ca_file is not None else (),
            subject=section.subject,
            timestamp=section.timestamp,
            max_age=section.max_age,
            skew=section.skew,
            sha1=section.sha1,
            unsigned_prefixes=section.unsigned_prefixes,
        )

    def _expiring(self, found: tuple[x509.Certificate, ...], place: Place) -> None:
        self.warnings.extend(expiring(found, self._now(), place, self._source))


def _token(section: config.Security) -> Token | None:
    if section.username is None or section.password is None:
        return None
    from gateway.protocols.soap.wsse.username import Username

    return Username(section.username, section.password.get_secret_value(), section.digest)
