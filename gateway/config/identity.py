"""The ``identity:`` part of ``gateway.yaml``: whose tokens are good, and whether the gateway issues its own.

Everything a token is checked against is pinned here (RFC 8725): issuer, audience, algorithms, type, keys. Nothing a token says
about itself widens it. Each field's description is its line in the reference.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from gateway.config.values import Seconds, Section, written, wrong

AlgorithmName = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
"""Signatures with a public key, RFC 7518 section 3.1, RFC 8037 and RFC 9864. Nothing a gateway could sign with itself."""

MAX_LEEWAY = 300.0
MIN_LIFETIME, MAX_LIFETIME = 60.0, 86400.0


def _asymmetric(value: Any) -> Any:
    if isinstance(value, str) and (value.upper() == "NONE" or value.upper().startswith("HS")):
        raise wrong(
            f"is {value!r}, which anybody who can check a token could also forge",
            "use an algorithm with a public key, such as ES256 or RS256",
        )
    return value


Algorithm = Annotated[AlgorithmName, BeforeValidator(_asymmetric)]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_url(text: str) -> bool:
    """Whether ``text`` is a URL rather than the path of a file."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def safe_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or port == 0 or parts.username is not None or re.search(r"[\s\x00-\x1f]", text):
        raise wrong(f"is {text!r}", "write an absolute URL such as https://login.example.com/keys, without a user name")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise wrong(f"is {text!r}, which others on the network could change", "use https:// (http:// is for 127.0.0.1 only)")
    return text


def _key_place(text: str) -> str:
    if not text:
        raise wrong("is empty", "write the https:// URL of the key set, or the path of a file")
    return safe_url(text) if is_url(text) else text


def _origin(text: str) -> str:
    parts = urlsplit(safe_url(text))
    if parts.path or parts.query or parts.fragment:
        raise wrong(f"is {text!r}", f"write only the origin: {parts.scheme}://{parts.netloc}")
    return text


def _leeway(seconds: float) -> float:
    if seconds > MAX_LEEWAY:
        raise wrong(f"is {seconds:g} s", "allow at most 5m of clock difference, better to set the clocks")
    return seconds


SafeUrl = Annotated[str, AfterValidator(safe_url)]
"""An absolute URL nobody on the way can change: https, or http on this machine."""

Origin = Annotated[str, AfterValidator(_origin)]
"""The same without path, query and fragment."""

Leeway = Annotated[Seconds, AfterValidator(_leeway)]


def _lifetime(seconds: float) -> float:
    if not MIN_LIFETIME <= seconds <= MAX_LIFETIME:
        raise wrong(f"is {seconds:g} s", "choose between 1m and 24h; a token cannot be called back before it ends")
    return seconds


class Issuer(Section):
    """An authorization server whose access tokens are accepted, such as Keycloak or Entra ID."""

    issuer: str = Field(min_length=1, description="The exact `iss` of its tokens.")
    audience: str = Field(min_length=1, description="The `aud` that means this gateway.")
    jwks: Annotated[str, AfterValidator(_key_place)] = Field(
        description="Where its public keys are: an https:// URL, or the path of a JWK Set file."
    )
    algorithms: list[Algorithm] = Field(min_length=1, description="The signature algorithms it uses. No others are tried.")
    typ: list[str] = Field(
        ["at+jwt", "JWT"], min_length=1, description='Accepted `typ` header values; "" accepts a token without one.'
    )
    subject_claim: str = Field(
        "sub", min_length=1, description="The claim that names the caller in policy rows; often `client_id` or `azp` for systems."
    )
    subject_prefix: str = Field("", description="Put before the subject, so that its names cannot equal a satellite's.")
    tenant: str | None = Field(None, min_length=1, description="The tenant of all its callers; instead of a claim.")
    tenant_claim: str | None = Field(None, min_length=1, description="The claim that names the tenant (default `tenant`).")
    roles_claim: str = Field(
        "roles", min_length=1, description="The claim with the roles: a list, or names divided by spaces. `/a/b` looks inside."
    )
    leeway: Leeway = Field(written("30s"), description="Allowed difference between the clocks.")

    @model_validator(mode="after")
    def _one_tenant(self) -> Issuer:
        if self.tenant is not None and self.tenant_claim is not None:
            raise wrong("has both tenant and tenant_claim", "keep 'tenant:' for one tenant, or 'tenant_claim:' for several")
        return self


class Builtin(Section):
    """The gateway's own token endpoint, for satellites without an authorization server (RFC 6749 section 4.4)."""

    issuer: Origin = Field(description="The `iss` of its tokens: the public origin, no path.")
    audience: str = Field("erp-gateway", min_length=1, description="The `aud` of its tokens.")
    key: SecretStr | None = Field(
        None, description="PEM of the signing key, P-256 or Ed25519, as `${file:path}` or `${env:NAME}`."
    )
    key_file: str | None = Field(None, min_length=1, description="Or the path of a PEM file, made when it is not there.")
    previous_keys: list[SecretStr] = Field(
        [], max_length=8, description="PEM keys (public ones suffice) used before; tokens they signed stay good."
    )
    lifetime: Annotated[Seconds, AfterValidator(_lifetime)] = Field(written("15m"), description="How long a token is good.")

    @model_validator(mode="after")
    def _one_key(self) -> Builtin:
        if (self.key is None) == (self.key_file is None):
            raise wrong("needs one signing key", "give 'key_file: path', or 'key: ${file:path}', not both")
        return self


class Identity(Section):
    """Who may prove to be whom."""

    realm: str = Field("erp-gateway", pattern=r"^[A-Za-z0-9_ .:/-]{1,64}$", description="The realm named in WWW-Authenticate.")
    issuers: list[Issuer] = Field([], description="Authorization servers whose tokens are accepted.")
    builtin: Builtin | None = Field(None, description="The gateway's own token endpoint; left out, there is none.")
    api_keys: bool = Field(False, description="Whether `X-API-Key` is accepted; the keys are in policies/satellites.yaml.")

    @model_validator(mode="after")
    def _issuers_differ(self) -> Identity:
        names = [issuer.issuer for issuer in self.issuers] + ([self.builtin.issuer] if self.builtin else [])
        for name in names:
            if names.count(name) > 1:
                raise wrong(f"names the issuer {name!r} twice", "keep one; a second audience needs a second gateway")
        return self
