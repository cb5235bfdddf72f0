"""How the gateway proves to an upstream who it is, and an upstream to the gateway: parts of ``upstreams`` in ``gateway.yaml``.

Secrets come from outside the file, by reference; see ``gateway.config.source.literal_secrets``.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from gateway.config.values import Seconds, Section, written, wrong

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_TEXT = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]+")


class Credential(SecretStr):
    """A secret that may not stand in the file itself, except in a demo."""


def _text(value: str) -> str:
    if not _TEXT.fullmatch(value):
        raise wrong("is empty, or holds a control character", "write the name on one line")
    return value


def _user(value: str) -> str:
    if ":" in _text(value):
        raise wrong(f"is {value!r}", "remove the colon: HTTP basic authentication cannot carry it (RFC 7617)")
    return value


def _secret(value: Credential) -> Credential:
    if not _TEXT.fullmatch(value.get_secret_value()):
        raise wrong("is empty, or holds a control character", "check what the reference leads to")
    return value


def _bearer(value: Credential) -> Credential:
    if not _TOKEN.fullmatch(value.get_secret_value()):
        raise wrong("is no bearer token", "give the token alone, without 'Bearer' (RFC 6750 section 2.1)")
    return value


Name = Annotated[str, AfterValidator(_text)]
UserName = Annotated[str, AfterValidator(_user)]
Password = Annotated[Credential, AfterValidator(_secret)]
BearerToken = Annotated[Credential, AfterValidator(_bearer)]


class Basic(Section):
    """HTTP basic authentication (RFC 7617)."""

    user: UserName = Field(description="The user name.")
    password: Password = Field(description="As `${env:NAME}` or `${file:path}`.")


class Certificate(Section):
    """A certificate with its private key."""

    certificate_file: str = Field(min_length=1, description="PEM file with the certificate, followed by its chain.")
    key_file: str | None = Field(None, description="PEM file with the private key, when it is not in `certificate_file`.")
    password: Password | None = Field(None, description="Of the private key, as `${env:NAME}` or `${file:path}`.")


class Credentials(Section):
    """How the gateway proves to the upstream who it is."""

    basic: Basic | None = Field(None, description="`user` and `password` of HTTP basic authentication.")
    bearer: BearerToken | None = Field(
        None, description="Token sent as `Authorization: Bearer`; as `${env:NAME}` or `${file:path}`."
    )
    client_certificate: Certificate | None = Field(None, description="Certificate shown in the TLS handshake.")

    @model_validator(mode="after")
    def _one_authorization(self) -> Credentials:
        if self.basic is not None and self.bearer is not None:
            raise wrong("has basic and bearer, and a request has one Authorization", "remove one of the two")
        return self


class Verify(Section):
    """What an answer's signature must be."""

    certificate_file: str | None = Field(
        None, description="PEM file with the certificate the ERP signs with; several while it changes."
    )
    ca_file: str | None = Field(None, description="Or PEM file with the authorities that issue it directly.")
    subject: Name | None = Field(None, description="With `ca_file`: the common name or DNS name of the ERP's certificate.")
    timestamp: bool = Field(True, description="Answers need a signed Timestamp.")
    max_age: Seconds = Field(written("5m"), gt=0, description="How old the Timestamp may be.")
    skew: Seconds = Field(written("1m"), description="Allowed difference between the clocks.")
    sha1: bool = Field(False, description="Accept SHA-1 and RSA keys below 2048 bits.")
    unsigned_prefixes: bool = Field(
        False, description="Accept namespace prefixes in values (xsi:type) that the signature leaves open."
    )

    @model_validator(mode="after")
    def _one_trust(self) -> Verify:
        if (self.certificate_file is None) == (self.ca_file is None):
            raise wrong("says not exactly once whom to trust", "give 'certificate_file:', or 'ca_file:' with 'subject:'")
        if (self.ca_file is None) != (self.subject is None):
            raise wrong("has one of ca_file and subject", "give both: an authority issues certificates to others too")
        return self


class Security(Section):
    """WS-Security, for SOAP upstreams."""

    username: Name | None = Field(None, description="User of a UsernameToken.")
    password: Password | None = Field(None, description="Its password, as `${env:NAME}` or `${file:path}`.")
    digest: bool = Field(False, description="Send the password as the profile's digest; otherwise as text.")
    timestamp: Seconds | None = Field(None, gt=0, description="Add a Timestamp: the message is good for this long.")
    sign: Certificate | None = Field(None, description="Sign Body, Timestamp, user name and addressing headers with this key.")
    verify: Verify | None = Field(None, description="Accept only answers signed like this.")
    must_understand: bool = Field(True, description="The ERP must refuse a header it does not process.")
    actor: Name | None = Field(None, description="Whom the header is for (`role` in SOAP 1.2); left out, the service itself.")

    @model_validator(mode="after")
    def _complete(self) -> Security:
        if (self.username is None) != (self.password is None):
            raise wrong("has one of username and password", "give both")
        if self.digest and self.username is None:
            raise wrong("has a digest of no password", "add 'username:' and 'password:'")
        if not self.dresses and self.verify is None:
            raise wrong("asks for nothing", "add 'username:', 'timestamp:', 'sign:' or 'verify:', or remove it")
        return self

    @property
    def dresses(self) -> bool:
        """Whether requests get a Security header."""
        return self.username is not None or self.timestamp is not None or self.sign is not None
