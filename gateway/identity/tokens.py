"""Is this bearer token good, and whose is it? RFC 8725, RFC 9068.

Strategy: the ``iss`` in the unproved payload only picks which configured issuer's rules apply; everything else a token must show
is pinned by those rules. Claims are looked at after the signature has proved them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from gateway.config.identity import Issuer
from gateway.exchange import Principal
from gateway.identity.jwks import KeyStore
from gateway.identity.jws import Compact, JsonObject, PublicKey, Rejected, check_signature, parse_compact, parse_object
from gateway.ports import Clock

MAX_NAME = 256
MAX_ROLES = 200

FindKey = Callable[[str | None, str], Awaitable[PublicKey]]
"""From the ``kid`` and the algorithm of a token to its key. Raises ``Rejected`` or ``Overloaded``."""


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """Immutable. The rules for one issuer's tokens, and who its claims mean."""

    issuer: str
    audience: str
    algorithms: frozenset[str]
    typ: frozenset[str]
    leeway: float
    find_key: FindKey
    principal: Callable[[JsonObject], Principal]


@dataclass(frozen=True, slots=True)
class Verified:
    """What a good token proves, and until when (Unix time, without leeway)."""

    principal: Principal
    expires: float


class TokenVerifier:
    """Immutable. Checks tokens of a fixed set of issuers."""

    def __init__(self, issuers: Iterable[TrustedIssuer], clock: Clock) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._clock = clock

    async def verify(self, token: bytes) -> Verified:
        """Check everything about a token. Raises ``Rejected``, or ``Overloaded`` when its issuer's keys cannot be had."""
        compact = parse_compact(token)
        claims = parse_object(compact.payload, "payload")
        issuer = self._issuer(claims)
        _check_header(compact, issuer)
        check_signature(compact, await issuer.find_key(compact.kid, compact.alg))
        expires = _check_claims(claims, issuer, self._clock.now())
        return Verified(issuer.principal(claims), expires)

    def _issuer(self, claims: JsonObject) -> TrustedIssuer:
        name = claims.get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            raise Rejected("unknown issuer", issuer=str(name))
        return issuer


def media_type(typ: str) -> str:
    """A ``typ`` in its short lower-case form: ``application/`` is understood (RFC 7515 section 4.1.9)."""
    return typ.lower().removeprefix("application/")


def _check_header(token: Compact, issuer: TrustedIssuer) -> None:
    if token.alg not in issuer.algorithms:
        raise Rejected("algorithm not allowed", alg=token.alg, issuer=issuer.issuer)
    typ = token.header.get("typ", "")
    if not isinstance(typ, str) or media_type(typ) not in issuer.typ:
        raise Rejected("type not allowed", typ=str(typ), issuer=issuer.issuer)


def _check_claims(claims: JsonObject, issuer: TrustedIssuer, now: float) -> float:
    """RFC 7519 section 4.1. Returns the time of expiry."""
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if issuer.audience not in audiences:
        raise Rejected("meant for another audience", issuer=issuer.issuer)
    expires = _time(claims, "exp")
    if expires is None:
        raise Rejected("no exp", issuer=issuer.issuer)
    if now >= expires + issuer.leeway:
        raise Rejected("expired", issuer=issuer.issuer)
    for name in ("nbf", "iat"):
        moment = _time(claims, name)
        if moment is not None and moment > now + issuer.leeway:
            raise Rejected(f"{name} is in the future", issuer=issuer.issuer)
    return expires


def _time(claims: JsonObject, name: str) -> float | None:
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 2**53:
        raise Rejected(f"{name} is no time")
    return float(value)


# --- issuers from the configuration ----------------------------------------------------------------------------------


def external_issuer(config: Issuer, keys: KeyStore) -> TrustedIssuer:
    """The rules for an authorization server outside."""

    async def find_key(kid: str | None, alg: str) -> PublicKey:
        return await keys.key(config.jwks, kid, alg)

    def principal(claims: JsonObject) -> Principal:
        subject = config.subject_prefix + plain_name(claims.get(config.subject_claim), config.subject_claim)
        tenant_claim = config.tenant_claim or "tenant"
        tenant = config.tenant if config.tenant is not None else plain_name(claims.get(tenant_claim), tenant_claim)
        return Principal(subject, tenant, roles_at(claims, config.roles_claim))

    return TrustedIssuer(
        config.issuer,
        config.audience,
        frozenset(config.algorithms),
        frozenset(media_type(typ) for typ in config.typ),
        config.leeway,
        find_key,
        principal,
    )


def plain_name(value: object, claim: str) -> str:
    """A name fit for policy rows, logs and headers: short text without control characters. Raises ``Rejected``."""
    if not isinstance(value, str) or not value or len(value) > MAX_NAME or not value.isprintable():
        raise Rejected(f"the claim {claim} is missing or no plain name")
    return value


def roles_at(claims: JsonObject, path: str) -> tuple[str, ...]:
    """The roles at a claim, or at ``/a/b`` inside claims; none where it is missing. Raises ``Rejected``."""
    value: object = claims
    for part in path[1:].split("/") if path.startswith("/") else [path]:
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return ()
    roles = value.split() if isinstance(value, str) else value
    if not isinstance(roles, list) or len(roles) > MAX_ROLES:
        raise Rejected(f"the claim {path} is no list of roles")
    return tuple(plain_name(role, path) for role in roles)
