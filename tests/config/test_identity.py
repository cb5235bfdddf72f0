"""The ``identity:`` part of ``gateway.yaml``: defaults, and what is refused with which remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.identity import Identity
from gateway.config.source import parse_source, validate
from gateway.config.values import Section
from gateway.errors import ConfigError


class File(Section):
    identity: Identity = Identity()


def read(text: str) -> Identity:
    return validate(parse_source(text.encode(), name="gateway.yaml", folder=Path()), File).identity


def error(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    (finding,) = caught.value.findings
    return str(finding)


ISSUER = """identity:
  issuers:
    - issuer: https://login.example.com
      audience: erp
      jwks: {jwks}
      algorithms: [{algorithms}]
      {more}
"""


def issuer(jwks: str = "keys.json", algorithms: str = "ES256", more: str = "") -> str:
    return ISSUER.format(jwks=jwks, algorithms=algorithms, more=more)


def test_defaults() -> None:
    assert read("{}") == Identity()
    identity = read(issuer(more="leeway: 5m") + "  builtin: {issuer: https://erp.example.com, key_file: k.pem, lifetime: 15m}\n")
    (outside,) = identity.issuers
    assert (outside.typ, outside.subject_claim, outside.roles_claim, outside.leeway) == (["at+jwt", "JWT"], "sub", "roles", 300.0)
    assert identity.builtin is not None
    assert (identity.builtin.audience, identity.builtin.lifetime) == ("erp-gateway", 900.0)
    assert not identity.api_keys


@pytest.mark.parametrize(
    "place", ["https://login.example.com/keys", "http://127.0.0.1:99/k", "http://localhost/k", "http://[::1]/k", "keys/jwks.json"]
)
def test_places_of_keys(place: str) -> None:
    assert read(issuer(f'"{place}"')).issuers[0].jwks == place


@pytest.mark.parametrize(
    ("place", "remedy"),
    [
        ("http://login.example.com/keys", "use https://"),
        ("http://127.0.0.1.example.com/keys", "use https://"),
        ("ftp://127.0.0.1/keys", "use https://"),
        ("https://user:secret@login.example.com/", "without a user name"),
        ("https:///keys", "absolute URL"),
        ("https://a:0/", "absolute URL"),
        ("https://[::1/", "absolute URL"),
        ("https://a b/", "absolute URL"),
        ("", "the path of a file"),
    ],
)
def test_places_that_are_not_safe(place: str, remedy: str) -> None:
    found = error(issuer(f'"{place}"'))
    assert found.startswith("gateway.yaml:5: 'jwks' is")
    assert remedy in found


@pytest.mark.parametrize("name", ["none", "None", "HS256", "hs512"])
def test_algorithms_that_prove_nothing_are_refused(name: str) -> None:
    found = error(issuer(algorithms=name))
    assert found.startswith("gateway.yaml:6: ")
    assert "could also forge; use an algorithm with a public key, such as ES256" in found


def test_unknown_algorithms_are_refused() -> None:
    assert "use 'RS256', 'RS384'" in error(issuer(algorithms="ES257"))
    assert "gateway.yaml:6: 'algorithms'" in error(issuer(algorithms=""))


def test_contradictions() -> None:
    assert "has both tenant and tenant_claim" in error(issuer(more="tenant: a\n      tenant_claim: b"))
    assert "at most 5m" in error(issuer(more="leeway: 6m"))
    assert "names the issuer" in error(issuer() + issuer().partition("issuers:\n")[2])
    same = "  builtin: {issuer: https://login.example.com, key_file: k}\n"
    assert "names the issuer 'https://login.example.com' twice" in error(issuer() + same)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("issuer: http://erp.example.com, key_file: k", "use https://"),
        ("issuer: https://erp.example.com/, key_file: k", "write only the origin: https://erp.example.com"),
        ("issuer: https://erp.example.com?a, key_file: k", "write only the origin"),
        ("issuer: https://erp.example.com", "give 'key_file: path'"),
        ("issuer: https://erp.example.com, key: a, key_file: b", "not both"),
        ("issuer: https://erp.example.com, key_file: k, lifetime: 30s", "between 1m and 24h"),
        ("issuer: https://erp.example.com, key_file: k, lifetime: 25h", "between 1m and 24h"),
    ],
)
def test_a_token_endpoint_that_cannot_be(text: str, remedy: str) -> None:
    assert remedy in error(f"identity:\n  builtin: {{{text}}}\n")


def test_a_realm_fits_a_header() -> None:
    assert error('identity: {realm: "a\\"b"}').startswith("gateway.yaml:1: 'realm' is")
