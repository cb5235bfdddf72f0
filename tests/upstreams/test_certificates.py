"""Certificates and keys from files: what cannot be used is named with its line, never with its content."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from gateway.config.credentials import Certificate
from gateway.config.source import parse_source
from gateway.errors import ConfigError
from gateway.upstreams.certificates import certificates, expiring, key_pair
from tests.protocols.soap.wsse.keys import NOW, certificate, ec_key, pem, rsa_key

PLACE = ("sign",)
SOURCE = parse_source(b"sign:\n  certificate_file: c.pem\n  key_file: k.pem\n", name="gateway.yaml", folder=Path())
OWN = certificate(ec_key())


def encrypted() -> bytes:
    algorithm = serialization.BestAvailableEncryption(b"right")
    return ec_key().private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, algorithm)


def read(folder: Path, cert: bytes, key: bytes | None = None, password: str | None = None) -> object:
    (folder / "c.pem").write_bytes(cert)
    if key is not None:
        (folder / "k.pem").write_bytes(key)
    values = {"certificate_file": "c.pem", "key_file": "k.pem" if key is not None else None, "password": password}
    return key_pair(Certificate.model_validate(values), PLACE, SOURCE, folder)


def test_a_key_in_its_own_file_in_the_certificates_and_under_a_password(tmp_path: Path) -> None:
    for made in (
        read(tmp_path, pem(OWN), pem(ec_key())),
        read(tmp_path, pem(OWN, ec_key())),
        read(tmp_path, pem(OWN), pem(ec_key()), "not needed"),
        read(tmp_path, pem(OWN, certificate(rsa_key())), encrypted(), "right"),
    ):
        key, found = made  # type: ignore[misc]
        assert (key.private_numbers(), found[0]) == (ec_key().private_numbers(), OWN)


@pytest.mark.parametrize(
    ("cert", "key", "password", "line", "what"),
    [
        (b"", b"", None, 2, "'certificate_file' names c.pem, which holds no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"", None, 2, "holds no certificate"),
        (pem(OWN), b"", None, 3, "'key_file' names k.pem, whose private key cannot be read"),
        (pem(OWN), None, None, 2, "'certificate_file' names c.pem, whose private key cannot be read"),
        (pem(OWN), encrypted(), None, 3, "whose private key cannot be read"),
        (pem(OWN), encrypted(), "wrong-77001122", 3, "whose private key cannot be read"),
        (pem(OWN), pem(ec_key("other")), None, 3, "is not that of the first certificate in c.pem"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, cert: bytes, key: bytes | None, password: str | None, line: int, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, cert, key, password)
    (finding,) = caught.value.findings
    assert finding.line == line
    assert what in finding.what
    assert finding.remedy
    assert "77001122" not in str(finding)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        certificates("none.pem", ("sign", "certificate_file"), SOURCE, tmp_path)
    assert str(caught.value) == (
        "gateway.yaml:2: 'certificate_file' names none.pem, which cannot be read (No such file or directory);"
        " put the file there and make it readable"
    )


@pytest.mark.parametrize(("days", "says"), [(90, []), (20, ["expires on 2026-12-12"]), (-1, ["expired on 2026-11-21"])])
def test_a_certificate_that_ends_soon_is_warned_of(days: int, says: list[str]) -> None:
    found = expiring([certificate(ec_key(), days=days)], NOW, ("sign", "certificate_file"), SOURCE)
    assert [finding.what.partition("'certificate_file' ")[2] for finding in found] == says
