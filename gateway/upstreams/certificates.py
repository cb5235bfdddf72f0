"""Certificates and private keys from PEM files that ``gateway.yaml`` names, each mistake told with its line.

Read when a snapshot is built, never during a call. No message holds a key or a password.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from gateway.config.credentials import Certificate
from gateway.config.files import read_file
from gateway.config.source import Place, Source
from gateway.errors import ConfigError, Finding

SOON: Final = timedelta(days=30)


def certificates(name: str, place: Place, source: Source, folder: Path) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file, one at least. Raises ``ConfigError``; ``place`` is that of the key naming it."""
    data = _read(name, place, source, folder)
    try:
        return tuple(x509.load_pem_x509_certificates(data))
    except ValueError as error:
        what = f"'{place[-1]}' names {name}, which holds no certificate"
        raise ConfigError([source.finding(place, what, "name a PEM file with '-----BEGIN CERTIFICATE-----'")]) from error


def key_pair(section: Certificate, place: Place, source: Source, folder: Path) -> tuple[Any, tuple[x509.Certificate, ...]]:
    """The private key and the certificates of a section; the first certificate is the key's. Raises ``ConfigError``."""
    found = certificates(section.certificate_file, (*place, "certificate_file"), source, folder)
    named, at = section.key_file or section.certificate_file, "key_file" if section.key_file else "certificate_file"
    where: Place = (*place, at)
    data = _read(named, where, source, folder)
    password = section.password.get_secret_value().encode() if section.password else None
    try:
        key = serialization.load_pem_private_key(data, password if b"ENCRYPTED" in data else None)
        fits = key.public_key() == found[0].public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        what = f"'{at}' names {named}, whose private key cannot be read"
        remedy = "name a PEM file with the private key, and its 'password:' if it has one"
        raise ConfigError([source.finding(where, what, remedy)]) from error
    if not fits:
        what = f"'{at}' names {named}, whose private key is not that of the first certificate in {section.certificate_file}"
        raise ConfigError([source.finding(where, what, "name the key the certificate was issued for")])
    return key, found


def expiring(found: Iterable[x509.Certificate], now: float, place: Place, source: Source) -> Iterator[Finding]:
    """A warning for each certificate that has expired or soon will."""
    moment = datetime.fromtimestamp(now, UTC)
    for certificate in found:
        end = certificate.not_valid_after_utc
        if end < moment + SOON:
            what = f"a certificate of '{place[-1]}' {'expired' if end < moment else 'expires'} on {end:%Y-%m-%d}"
            yield source.finding(place, what, "get a new one")


def _read(name: str, place: Place, source: Source, folder: Path) -> bytes:
    try:
        return read_file(folder / name)
    except OSError as error:
        what = f"'{place[-1]}' names {name}, which cannot be read ({error.strerror})"
        raise ConfigError([source.finding(place, what, "put the file there and make it readable")]) from error
