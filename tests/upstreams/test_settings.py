from __future__ import annotations

import ssl

import pytest
from cryptography.hazmat.primitives import serialization

from gateway.upstreams.settings import BaseUrl, parse_base_url, tls_context


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://erp", BaseUrl("http", "erp", 80, "", "erp")),
        ("HTTPS://ERP:443/", BaseUrl("https", "erp", 443, "", "erp")),
        ("https://erp.test:8443/sap/bc/", BaseUrl("https", "erp.test", 8443, "/sap/bc", "erp.test:8443")),
        ("http://[::1]:8000/x", BaseUrl("http", "::1", 8000, "/x", "[::1]:8000")),
    ],
)
def test_an_address_is_taken_apart(url, expected):
    assert parse_base_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "erp:8000",
        "ftp://erp",
        "http://",
        "http://user:secret@erp",
        "http://erp/?q=1",
        "http://erp/#x",
        "http://erp:99999",
        "http://erp:x",
        "http://erp:0",
        "http://\u00e9rp",
        "http://erp/a b",
        "http://a..b",
        "http://" + "a" * 64,
        "http://[::1",
    ],
)
def test_a_wrong_address_says_so(url):
    with pytest.raises(ValueError) as caught:
        parse_base_url(url)
    assert "secret" not in str(caught.value)


def test_tls_always_verifies():
    context = tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_tls_files_must_be_readable(tmp_path, authority):
    with pytest.raises(OSError):
        tls_context(tmp_path / "missing.pem")
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(OSError):
        tls_context(empty)
    with pytest.raises(OSError):
        tls_context(authority.file, empty)
    certificate, key = authority.issue("gateway.test")
    assert len(tls_context(authority.file, certificate, key).get_ca_certs()) == 1


def test_a_keys_password_is_never_asked_for_at_the_terminal(tmp_path, authority):
    certificate, plain = authority.issue("gateway.test")
    key = serialization.load_pem_private_key(plain.read_bytes(), None)
    sealed = tmp_path / "sealed.key"
    algorithm = serialization.BestAvailableEncryption(b"right")
    sealed.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, algorithm))
    assert tls_context(authority.file, certificate, sealed, "right")
    for password in (None, "wrong"):
        with pytest.raises(ssl.SSLError):
            tls_context(authority.file, certificate, sealed, password)
