"""``policies/satellites.yaml``: the systems that may call, how each proves who it is, and how often it may call.

Read once into an immutable ``Satellites``. An unknown client costs the same time as a known one. What a satellite proves itself
by is not kept in clear, except that a demo's secret follows from its name; what callbacks to it are signed with has to be.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema, model_validator

from gateway.config.gateway import UpstreamUrl
from gateway.config.identity import Identity
from gateway.config.rate import parse_rate
from gateway.config.source import Source, literal_secrets, validate
from gateway.config.values import Section, wrong
from gateway.errors import ConfigError, Finding
from gateway.identity.hashes import CLIENT, ScryptHash, api_key_client, parse_api_key_hash, parse_scrypt
from gateway.ports import Limit

# --- the file --------------------------------------------------------------------------------------------------------


def _secret_hash(text: Any) -> ScryptHash:
    try:
        return parse_scrypt(str(text))
    except ValueError as error:
        raise wrong(str(error), "make one with 'erp-gateway token secret'") from error


def _key_hash(text: Any) -> bytes:
    try:
        return parse_api_key_hash(str(text))
    except ValueError as error:
        raise wrong(str(error), "make one with 'erp-gateway token api-key CLIENT'") from error


def _rate(text: Any) -> tuple[int, float]:
    return parse_rate(str(text))


def _client_id(text: str) -> str:
    if not CLIENT.fullmatch(text):
        raise wrong("is no client id", "use up to 64 letters, digits, '.', '_' and '-', a letter or digit first and last")
    return text


def _callback_url(url: str) -> str:
    try:
        (urlsplit(url).hostname or "").encode("idna")
    except UnicodeError as error:
        raise wrong(f"is {url!r}, whose host is no name", "write an absolute http:// or https:// URL") from error
    if "#" in url or not url.isprintable():
        raise wrong(f"is {url!r}", "write it without '#' and without control characters")
    return url


def signing_key(secret: str) -> bytes:
    """The key in ``whsec_…``: 24 to 64 bytes in base64, as Standard Webhooks has it. Raises ``ValueError``."""
    if not secret.startswith("whsec_"):
        raise ValueError("does not begin with whsec_")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ValueError("is not base64 after whsec_") from error
    if not 24 <= len(key) <= 64:
        raise ValueError(f"holds {len(key)} bytes, not 24 to 64")
    return key


def _callback_secret(secret: SecretStr) -> SecretStr:
    try:
        signing_key(secret.get_secret_value())
    except ValueError as error:
        remedy = "use whsec_ and 24 to 64 random bytes in base64, as from: echo whsec_$(openssl rand -base64 32)"
        raise wrong(str(error), remedy) from error
    return secret


CallbackUrl = Annotated[UpstreamUrl, AfterValidator(_callback_url)]
CallbackSecret = Annotated[SecretStr, AfterValidator(_callback_secret)]
Rate = Annotated[tuple[int, float], BeforeValidator(_rate), WithJsonSchema({"type": "string", "examples": ["200/s", "100000/d"]})]
SecretHash = Annotated[
    ScryptHash, BeforeValidator(_secret_hash), WithJsonSchema({"type": "string", "pattern": r"^scrypt\$[0-9]+\$8\$[0-9]+\$"})
]
KeyHash = Annotated[bytes, BeforeValidator(_key_hash), WithJsonSchema({"type": "string", "pattern": r"^sha256\$[0-9a-f]{64}$"})]


class CallbackEntry(Section):
    """Where a satellite is told what becomes of its documents."""

    url: CallbackUrl = Field(description="URL that events are posted to. Redirects are not followed.")
    secret: CallbackSecret = Field(
        description="What they are signed with (Standard Webhooks): `whsec_…`, as `${env:NAME}` or `${file:path}`."
    )


class SatelliteEntry(Section):
    """One system that may call."""

    name: str = Field(min_length=1, max_length=200, description="What people call it.")
    tenant: str = Field(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="The legal entity it belongs to, as in policy rows.",
    )
    secret: SecretHash | None = Field(None, description="Hash of its secret for /oauth/token; from `erp-gateway token secret`.")
    api_keys: list[KeyHash] = Field(
        [], max_length=8, description="Hashes of its API keys; from `erp-gateway token api-key CLIENT`. Two while changing keys."
    )
    limit: Rate | None = Field(None, description="Calls it may make, such as `200/s` or `3/min`; left out, no limit of its own.")
    burst: int | None = Field(
        None, ge=1, description="Calls of `limit` it may make at once (default: as many as the limit counts)."
    )
    quota: Rate | None = Field(None, description="A second, long limit, such as `100000/d`.")
    vouches_for_initiator: bool = Field(
        False,
        description="Whether the person it names in a document as the one who asks counts as that; only where it knows for sure.",
    )
    callback: CallbackEntry | None = Field(None, description="Where it is told what becomes of its documents: `{url, secret}`.")
    demo_secret: bool = Field(False, description="Its secret is `demo-CLIENT`. Only with `demo: true` on a loopback listener.")

    @model_validator(mode="after")
    def _consistent(self) -> SatelliteEntry:
        if self.demo_secret and self.secret is not None:
            raise wrong("has both secret and demo_secret", "keep 'secret:'")
        if self.burst is not None and self.limit is None:
            raise wrong("has a burst and no limit", "add 'limit:', such as 200/s")
        return self


class SatellitesFile(Section):
    """The satellites by client id, the name that policy rows use."""

    satellites: dict[Annotated[str, AfterValidator(_client_id)], SatelliteEntry] = Field(description="Satellites by client id.")


# --- what it means ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Callback:
    """Immutable. ``secret`` is the key of the signature."""

    url: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Satellite:
    """Immutable. ``limits`` are to be taken with ``client`` as the partition."""

    client: str
    name: str
    tenant: str
    secret: ScryptHash | None = None
    api_keys: tuple[bytes, ...] = ()
    limits: tuple[Limit, ...] = ()
    demo_secret: bool = False
    vouches_for_initiator: bool = False
    callback: Callback | None = None


class Satellites:
    """Immutable. Every satellite of a deployment, by client id; ``warnings`` are about the file they were read from."""

    def __init__(self, satellites: Iterable[Satellite] = (), warnings: Iterable[Finding] = ()) -> None:
        self.warnings = tuple(warnings)
        self._by_client = {satellite.client: satellite for satellite in satellites}
        # What an unknown client's secret is checked against: as much work as the dearest known one, and never a match.
        hashes = [satellite.secret for satellite in self if satellite.secret is not None]
        dearest = max(hashes, key=lambda known: known.work, default=ScryptHash(15, 8, 3, b"", b""))
        self._nobody = ScryptHash(dearest.ln, dearest.r, dearest.p, bytes(16), secrets.token_bytes(32))
        self._no_key = secrets.token_bytes(32)

    def __iter__(self) -> Iterator[Satellite]:
        return iter(self._by_client.values())

    def __len__(self) -> int:
        return len(self._by_client)

    def get(self, client: str) -> Satellite | None:
        return self._by_client.get(client)

    def by_secret(self, client: str, secret: str) -> Satellite | None:
        """The satellite, if this is its secret. Takes some tenth of a second of computing: call it in a thread."""
        satellite = self._by_client.get(client)
        known = satellite.secret if satellite is not None else None
        good = (known or self._nobody).matches(secret)
        if satellite is not None and satellite.demo_secret:
            good = hmac.compare_digest(secret.encode("utf-8", "replace"), f"demo-{client}".encode())
        return satellite if good else None

    def by_api_key(self, key: str) -> Satellite | None:
        """The satellite whose API key this is."""
        client = api_key_client(key)
        satellite = self._by_client.get(client) if client is not None else None
        digest = hashlib.sha256(key.encode("utf-8", "replace")).digest()
        known = satellite.api_keys if satellite is not None else ()
        matches = [hmac.compare_digest(digest, other) for other in known or (self._no_key,)]
        return satellite if any(matches) else None


def read_satellites(source: Source, identity: Identity, *, demo: bool, loopback: bool) -> Satellites:
    """What the file says. ``demo`` is what ``gateway.yaml`` says, ``loopback`` whether only this machine reaches the edge. Raises
    ``ConfigError``."""
    file = validate(source, SatellitesFile)
    findings = [finding for client in file.satellites for finding in _misfits(source, client, file, identity, demo, loopback)]
    if findings:
        raise ConfigError(findings)
    satellites = (_satellite(client, entry) for client, entry in file.satellites.items())
    return Satellites(satellites, literal_secrets(source, file))


def _misfits(
    source: Source, client: str, file: SatellitesFile, identity: Identity, demo: bool, loopback: bool
) -> Iterator[Finding]:
    """Where the file and ``gateway.yaml`` disagree."""
    entry = file.satellites[client]
    place = ("satellites", client)
    mend = "replace it by 'secret:' and a hash from 'erp-gateway token secret'"
    if entry.demo_secret and not demo:
        what = f"gives '{client}' a secret everybody knows, and gateway.yaml does not say demo: true"
        yield source.finding((*place, "demo_secret"), what, mend)
    elif entry.demo_secret and not loopback:
        what = f"gives '{client}' a secret everybody knows, on a listener that others can reach"
        yield source.finding((*place, "demo_secret"), what, f"listen on 127.0.0.1, or {mend}")
    if entry.secret is not None and identity.builtin is None:
        what = f"gives '{client}' a secret, and gateway.yaml has no token endpoint to use it at"
        yield source.finding((*place, "secret"), what, "add 'builtin:' to 'identity:' in gateway.yaml, or remove the secret")
    if entry.api_keys and not identity.api_keys:
        what = f"gives '{client}' API keys, and gateway.yaml does not accept any"
        yield source.finding((*place, "api_keys"), what, "set 'api_keys: true' under 'identity:' in gateway.yaml, or remove them")


def _satellite(client: str, entry: SatelliteEntry) -> Satellite:
    limits = []
    if entry.limit is not None:
        count, period = entry.limit
        limits.append(Limit("satellite", count, period, entry.burst or count))
    if entry.quota is not None:
        count, period = entry.quota
        limits.append(Limit("satellite-quota", count, period, count))
    callback = None
    if entry.callback is not None:
        callback = Callback(entry.callback.url, signing_key(entry.callback.secret.get_secret_value()))
    return Satellite(
        client,
        entry.name,
        entry.tenant,
        secret=entry.secret,
        api_keys=tuple(entry.api_keys),
        limits=tuple(limits),
        demo_secret=entry.demo_secret,
        vouches_for_initiator=entry.vouches_for_initiator,
        callback=callback,
    )
