"""From request headers to a principal: a bearer token (RFC 6750) or an API key, exactly one of them.

A verified token is remembered under its raw header bytes, so that the usual call costs one look-up. It is forgotten when it
expires, when any issuer's keys change, after five minutes, and with the authenticator, which every reload builds anew. What the
caller hears says what to do, not which check failed; the reason goes to the log.
"""

from __future__ import annotations

import re
from typing import NoReturn

import structlog

from gateway.errors import BadRequest, Unauthenticated
from gateway.exchange import Headers, Principal
from gateway.identity.jwks import KeyStore
from gateway.identity.jws import Rejected
from gateway.identity.satellites import Satellites
from gateway.identity.tokens import TokenVerifier
from gateway.ports import Clock

CACHE_SIZE = 10_000
CACHE_SECONDS = 300.0
"""Longest a token is trusted without looking at its key again, so that a withdrawn key ends it."""

_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")

log = structlog.get_logger(__name__)


class TokenCache:
    """At most ``size`` verified tokens, in two generations: when the young half is full the old half is dropped. A hit in the old
    half moves it to the young one, so what is used stays; this costs the usual hit nothing."""

    __slots__ = ("_half", "_old", "young")

    def __init__(self, size: int = CACHE_SIZE) -> None:
        self._half = max(1, size // 2)
        self.young: dict[bytes, tuple[Principal, float]] = {}
        self._old: dict[bytes, tuple[Principal, float]] = {}

    def __len__(self) -> int:
        return len(self.young) + len(self._old)

    def put(self, key: bytes, entry: tuple[Principal, float]) -> None:
        if len(self.young) >= self._half:
            self._old, self.young = self.young, {}
        self._old.pop(key, None)
        self.young[key] = entry

    def from_old(self, key: bytes) -> tuple[Principal, float] | None:
        """The entry, if the old half has it; it is young from now on."""
        entry = self._old.get(key)
        if entry is not None:
            self.put(key, entry)
        return entry

    def clear(self) -> None:
        self.young.clear()
        self._old.clear()


class HeaderAuthenticator:
    """Implements ``gateway.ports.Authenticator``. Built per snapshot; ``keys`` outlives it.

    :param satellites: whose API keys are good; ``None`` when API keys are not accepted.
    """

    def __init__(
        self,
        verifier: TokenVerifier,
        keys: KeyStore,
        clock: Clock,
        *,
        satellites: Satellites | None = None,
        realm: str = "erp-gateway",
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self._verifier = verifier
        self._keys = keys
        self._now = clock.now
        self._satellites = satellites
        self._realm = realm
        self._cache = TokenCache(cache_size)
        self._version = keys.version

    async def principal(self, headers: Headers) -> Principal:
        """Who sent these headers. Raises ``Unauthenticated``; ``BadRequest`` for more than one credential, which leaves open who
        is meant (RFC 6750 section 2); ``Overloaded`` when the keys of the token's issuer cannot be had."""
        known = self.principal_now(headers)
        if known is not None:
            return known
        return await self._by_token(next(value for name, value in headers if name == b"authorization"))

    def principal_now(self, headers: Headers) -> Principal | None:
        """``principal`` for an API key or a token remembered; ``None`` for any other token. Raises like it."""
        authorization = api_key = None
        for name, value in headers:
            if name == b"authorization":
                if authorization is not None:
                    self._conflict()
                authorization = value
            elif name == b"x-api-key":
                if api_key is not None:
                    self._conflict()
                api_key = value
        if api_key is not None and self._satellites is not None:
            if authorization is not None:
                self._conflict()
            return self._by_api_key(api_key, self._satellites)
        if authorization is None:
            self._challenge()
        entry = self._cache.young.get(authorization)
        if entry is not None and self._version == self._keys.version and entry[1] > self._now():
            return entry[0]
        return None

    async def _by_token(self, authorization: bytes) -> Principal:
        version = self._keys.version
        if self._version != version:
            self._cache.clear()
            self._version = version
        entry = self._cache.from_old(authorization)
        if entry is not None and entry[1] > self._now():
            return entry[0]
        match = _BEARER.fullmatch(authorization)
        if not match:
            self._challenge()
        try:
            verified = await self._verifier.verify(match[1])
        except Rejected as rejected:
            self._refuse(rejected)
        now = self._now()
        # When the keys changed while the token was being checked, the one that signed it may be gone.
        if verified.expires > now and version == self._keys.version:
            self._cache.put(authorization, (verified.principal, min(verified.expires, now + CACHE_SECONDS)))
        return verified.principal

    def _by_api_key(self, value: bytes, satellites: Satellites) -> Principal:
        satellite = satellites.by_api_key(value.decode("latin-1"))
        if satellite is None:
            self._refuse(Rejected("unknown API key"))
        return Principal(satellite.client, satellite.tenant)

    def _challenge(self) -> NoReturn:
        """No usable credential: say which kind is wanted, without an error code (RFC 6750 section 3.1)."""
        kinds = "a bearer token" + (" or an API key" if self._satellites is not None else "")
        raise Unauthenticated(f"Send {kinds}.", headers={"www-authenticate": f'Bearer realm="{self._realm}"'})

    def _conflict(self) -> NoReturn:
        log.info("token.rejected", reason="more than one credential")
        raise BadRequest(
            "Send one credential: one Authorization header or one X-API-Key header.",
            headers={"www-authenticate": f'Bearer realm="{self._realm}", error="invalid_request"'},
        )

    def _refuse(self, rejected: Rejected) -> NoReturn:
        log.info("token.rejected", reason=rejected.reason, **rejected.facts)
        text = "The credential is invalid or has expired"
        challenge = f'Bearer realm="{self._realm}", error="invalid_token", error_description="{text}"'
        raise Unauthenticated(f"{text}.", headers={"www-authenticate": challenge}) from rejected
