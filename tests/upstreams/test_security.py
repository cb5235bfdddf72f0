"""WS-Security of an upstream as its settings say, with files read once and a clock that is handed in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config import credentials as config
from gateway.config.source import parse_source
from gateway.errors import ConfigError, UntrustedAnswer
from gateway.protocols.soap.addressing import Addressing
from gateway.protocols.soap.features import WSA
from gateway.upstreams.security import Reader, Security
from tests.protocols.soap.wsse.keys import NOW, SOAP_11, certificate, ec_key, envelope, pem, rsa_key, signed

TEXT = b"""\
upstreams:
  erp:
    security:
      username: gw
      sign:
        certificate_file: own.pem
      verify:
        certificate_file: erp.pem
"""
SOURCE = parse_source(TEXT, name="gateway.yaml", folder=Path())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.pem").write_bytes(pem(certificate(ec_key("gateway"), "gateway", days=90), ec_key("gateway")))
    (tmp_path / "erp.pem").write_bytes(pem(certificate(rsa_key(), days=90)))
    return tmp_path


def reader(folder: Path) -> Reader:
    return Reader("erp", SOURCE, folder, lambda: NOW)


def read(folder: Path, **settings: Any) -> Security:
    made = reader(folder).security(config.Security.model_validate(settings))
    assert made is not None
    return made


FULL = {
    "username": "gw",
    "password": "s3cret-77001122",
    "digest": True,
    "timestamp": "60s",
    "sign": {"certificate_file": "own.pem"},
    "verify": {"certificate_file": "erp.pem"},
}


def test_none_is_asked_for(folder: Path) -> None:
    assert reader(folder).security(None) is None


def test_a_request_gets_all_of_it_and_an_answer_must_be_signed(folder: Path) -> None:
    security = read(folder, **FULL)
    made = security.outward(envelope())
    for part in (
        b"UsernameToken",
        b"PasswordDigest",
        b"<wsu:Created>2026-11-22T12:00:00Z",
        b"ecdsa-sha256",
        b"BinarySecurityToken",
    ):
        assert part in made
    assert b"77001122" not in made
    assert b"<a:number>7</a:number>" in security.inward(signed())
    with pytest.raises(UntrustedAnswer):
        security.inward(envelope())


def test_addressing_headers_are_signed_and_attachments_never_are(folder: Path) -> None:
    security = read(folder, sign={"certificate_file": "own.pem"}, verify={"certificate_file": "erp.pem"})
    rendered = f'<soapenv:Envelope xmlns:soapenv="{SOAP_11}"><soapenv:Body/></soapenv:Envelope>'.encode()
    made = security.outward(Addressing(WSA, "urn:pay", "http://erp.test/").dress(rendered, "urn:uuid:1"))
    assert made.count(b"<ds:Reference ") == 5
    assert security.inward(signed(), beside=False)
    with pytest.raises(UntrustedAnswer, match="attachments"):
        security.inward(signed(), beside=True)
    assert read(folder, timestamp="60s").inward(envelope(), beside=True) == envelope()


def test_each_direction_alone(folder: Path) -> None:
    one = read(folder, timestamp="60s")
    assert one.inward(envelope()) == envelope()
    other = read(folder, verify={"certificate_file": "erp.pem"})
    assert other.outward(envelope()) == envelope()


def test_every_message_is_another(folder: Path) -> None:
    security = read(folder, **FULL)
    assert security.outward(envelope()) != security.outward(envelope())


def test_an_authority_and_its_settings(folder: Path) -> None:
    authority = ec_key("authority")
    (folder / "ca.pem").write_bytes(pem(certificate(authority, "authority", days=90)))
    security = read(
        folder, verify={"ca_file": "ca.pem", "subject": "erp.test", "timestamp": False, "skew": "0s", "unsigned_prefixes": True}
    )
    own = certificate(rsa_key(), by=authority, issuer="authority")
    assert f'xmlns:s="{SOAP_11}"'.encode() in security.inward(signed(own=own, ttl=None))


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"sign": {"certificate_file": "none.pem"}}, 6),
        ({"sign": {"certificate_file": "erp.pem"}}, 6),
        ({"verify": {"certificate_file": "none.pem"}}, 8),
        ({"sign": {"certificate_file": "short.pem"}}, 5),
        ({"verify": {"certificate_file": "short.pem"}}, 8),
    ],
)
def test_files_that_cannot_be_used_are_named(folder: Path, settings: dict[str, Any], line: int) -> None:
    (folder / "short.pem").write_bytes(pem(certificate(rsa_key(1024)), rsa_key(1024)))
    with pytest.raises(ConfigError) as caught:
        read(folder, **settings)
    assert [finding.line for finding in caught.value.findings] == [line]


def test_a_short_key_may_be_asked_for(folder: Path) -> None:
    (folder / "short.pem").write_bytes(pem(certificate(rsa_key(1024))))
    made = read(folder, verify={"certificate_file": "short.pem", "sha1": True})
    assert b"<a:number>7</a:number>" in made.inward(signed(key=rsa_key(1024)))


def test_a_certificate_that_ends_soon_is_warned_of(folder: Path) -> None:
    (folder / "erp.pem").write_bytes(pem(certificate(rsa_key(), days=3)))
    made = reader(folder)
    made.security(config.Security.model_validate({"verify": {"certificate_file": "erp.pem"}}))
    assert [str(finding) for finding in made.warnings] == [
        "gateway.yaml:8: a certificate of 'certificate_file' expires on 2026-11-25; get a new one"
    ]


def test_no_secret_is_shown(folder: Path) -> None:
    assert "77001122" not in repr(read(folder, **FULL))
