"""What a WSDL's policy asks for is warned of until it is configured, and what the gateway cannot do always is."""

from __future__ import annotations

from pathlib import Path

from gateway.config.gateway import Upstream
from gateway.config.source import parse_source
from gateway.upstreams.asked import unmet
from tests.protocols.soap.wsse.test_policy import wsdl

SOURCE = parse_source(b"upstreams:\n  erp:\n    wsdl: a.wsdl\n", name="gateway.yaml", folder=Path())
POLICY = wsdl(
    "<sp:SupportingTokens><p:Policy><sp:UsernameToken><p:Policy><sp:HashPassword/></p:Policy></sp:UsernameToken></p:Policy>"
    "</sp:SupportingTokens><sp:AsymmetricBinding><p:Policy><sp:IncludeTimestamp/></p:Policy></sp:AsymmetricBinding>"
    '<sp:EncryptedParts/><sp:HttpsToken RequireClientCertificate="1"/><sp:HttpBasicAuthentication/>'
)


def warnings(**settings: object) -> list[str]:
    upstream = Upstream.model_validate({"wsdl": "a.wsdl", **settings})
    return [str(finding) for finding in unmet(POLICY, upstream, ("upstreams", "erp"), SOURCE)]


def test_everything_that_is_not_configured_is_named() -> None:
    asked = [warning.partition("asks for ")[2] for warning in warnings()]
    assert asked == [
        "a UsernameToken, and none is configured; add 'security: {username:, password:}'",
        "a password as digest, and none is configured; add 'digest: true'",
        "a Timestamp, and none is configured; add 'security: {timestamp:}'",
        "a signature, and none is configured; add 'security: {sign:}'",
        "HTTP basic authentication, and none is configured; add 'credentials: {basic:}'",
        "a client certificate, and none is configured; add 'credentials: {client_certificate:}'",
        "EncryptedParts, which the gateway cannot do; ask the ERP for an endpoint without it, over TLS",
    ]
    assert all(warning.startswith("gateway.yaml:3: ") for warning in warnings())


def test_what_is_configured_is_not_warned_of() -> None:
    own = {"certificate_file": "a.pem"}
    security = {"username": "a", "password": "b", "digest": True, "timestamp": "60s", "sign": own}
    credentials = {"basic": {"user": "a", "password": "b"}, "client_certificate": own}
    assert [warning.partition("asks for ")[2][:14] for warning in warnings(security=security, credentials=credentials)] == [
        "EncryptedParts"
    ]
