"""Credentials and WS-Security in ``gateway.yaml``: what goes together, what does not, and no secret in any message."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.credentials import Credential
from gateway.config.gateway import Gateway, Upstream
from gateway.config.source import literal_secrets, parse_source, validate
from gateway.errors import ConfigError

REST, SOAP = "{url: https://erp, %s}", "{wsdl: a.wsdl, %s}"


def read(entry: str) -> Gateway:
    return validate(parse_source(f"upstreams:\n  erp: {entry}\n".encode(), name="gateway.yaml", folder=Path()), Gateway)


def upstream(entry: str) -> Upstream:
    return read(entry).upstreams["erp"]


def test_every_way_to_prove_oneself() -> None:
    basic = upstream(REST % "credentials: {basic: {user: gw, password: 'p:w'}}").credentials
    assert basic is not None
    assert basic.basic is not None
    assert (basic.basic.user, basic.basic.password.get_secret_value()) == ("gw", "p:w")
    shown = "credentials: {bearer: abc.def-_~+/==, client_certificate: {certificate_file: a.pem, key_file: a.key, password: x}}"
    both = upstream(SOAP % shown).credentials
    assert both is not None
    assert both.bearer is not None
    assert both.client_certificate is not None


def test_security_in_full() -> None:
    security = upstream(
        SOAP % "security: {username: gw, password: x, digest: true, timestamp: 60s, sign: {certificate_file: a.pem},"
        " verify: {ca_file: ca.pem, subject: erp.example.com, max_age: 2m, skew: 10s}, actor: urn:hub, must_understand: false}"
    ).security
    assert security is not None
    assert security.verify is not None
    assert (security.timestamp, security.verify.max_age, security.dresses) == (60, 120, True)
    alone = upstream(SOAP % "security: {verify: {certificate_file: a.pem}}").security
    assert alone is not None
    assert not alone.dresses


@pytest.mark.parametrize(
    ("entry", "what", "remedy"),
    [
        (REST % "credentials: {basic: {user: 'a:b', password: x}}", "'user' is 'a:b'", "remove the colon"),
        (REST % "credentials: {basic: {user: '', password: x}}", "'user' is empty", "on one line"),
        (REST % "credentials: {basic: {user: a}}", "the key 'password' is missing", "add 'password:'"),
        (REST % "credentials: {bearer: Bearer abc}", "'bearer' has a value that cannot be used", "give the token alone"),
        (REST % 'credentials: {bearer: ""}', "'bearer' has a value that cannot be used", "give the token alone"),
        (REST % "credentials: {basic: {user: a, password: b}, bearer: c}", "basic and bearer", "remove one"),
        (
            REST % "headers: {authorization: x}, credentials: {bearer: c}",
            "credentials and an Authorization header",
            "remove Authorization",
        ),
        (REST % "security: {timestamp: 60s}", "has WS-Security and is no SOAP upstream", "use 'credentials:'"),
        (SOAP % "security: {}", "asks for nothing", "remove it"),
        (SOAP % "security: {username: a}", "has one of username and password", "give both"),
        (SOAP % "security: {digest: true, timestamp: 60s}", "has a digest of no password", "add 'username:'"),
        (SOAP % "security: {verify: {}}", "says not exactly once whom to trust", "give 'certificate_file:'"),
        (SOAP % "security: {verify: {certificate_file: a, ca_file: b, subject: c}}", "not exactly once", "give"),
        (SOAP % "security: {verify: {ca_file: b}}", "has one of ca_file and subject", "give both"),
        (SOAP % "security: {sing: {}}", "unknown key 'sing'", "did you mean 'sign'?"),
        (SOAP % 'security: {username: a, password: "x\\ty"}', "'password' has a value that cannot be used", "check what"),
    ],
)
def test_what_does_not_go_together(entry: str, what: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(entry)
    findings = [finding for finding in caught.value.findings if what in f"{finding.what}" and remedy in finding.remedy]
    assert findings, caught.value
    assert findings[0].line == 2


def test_a_credential_of_an_upstream_is_told_apart_from_other_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "x")
    text = (
        "upstreams:\n  erp:\n    wsdl: a.wsdl\n    headers: {X-Api-Key: literal}\n    credentials:\n      bearer: literal\n"
        "    security:\n      username: a\n      password: ${env:PASSWORD:-literal}\n"
        "  hr:\n    url: http://hr\n    credentials:\n      basic: {user: a, password: '${env:PASSWORD}'}\n"
    )
    source = parse_source(text.encode(), name="gateway.yaml", folder=Path())
    gateway = validate(source, Gateway)
    assert [str(finding).partition(" is")[0] for finding in literal_secrets(source, gateway)] == ["gateway.yaml:4: 'X-Api-Key'"]
    assert [str(finding).partition(" is")[0] for finding in literal_secrets(source, gateway, Credential)] == [
        "gateway.yaml:6: 'bearer'",
        "gateway.yaml:9: 'password'",
    ]
    assert "literal" not in repr(gateway)
