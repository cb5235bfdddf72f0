"""Signed tokens in compact form: read strictly, then check one signature with one known key. Pure.

Strategy: take the token apart by hand, refuse every liberty a token could take with its own reading (duplicate members,
``crit``, ``b64``, ``zip``, nesting, padding), and only then let joserfc do the cryptography with a key and an algorithm that
were chosen here. Keys in a token's header (``jwk``, ``jku``, ``x5c``, ``x5u``) are never looked at. RFC 7515, RFC 8725.
"""

from __future__ import annotations

import binascii
import json
import re
from dataclasses import dataclass

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

MAX_TOKEN = 8 * 1024
"""Longest token looked at, in bytes. Common servers stop at 8 KiB for a whole header line."""

PublicKey = RSAKey | ECKey | OKPKey
JsonObject = dict[str, object]

_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]+)")
_CHANGES_THE_READING = ("crit", "b64", "zip", "enc", "cty")


class Rejected(Exception):
    """A credential that is not good. The reason is for the log, never for the caller."""

    def __init__(self, reason: str, **facts: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.facts = {name: value[:80] for name, value in facts.items()}


@dataclass(frozen=True, slots=True)
class Compact:
    """A token taken apart; nothing of it is proved yet. Immutable."""

    header: JsonObject
    payload: bytes
    signed: bytes
    signature: bytes

    @property
    def alg(self) -> str:
        return str(self.header["alg"])

    @property
    def kid(self) -> str | None:
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else None


def parse_compact(token: bytes) -> Compact:
    """Take a JWS compact serialization apart (RFC 7515 section 7.1). Raises ``Rejected``."""
    if len(token) > MAX_TOKEN:
        raise Rejected("longer than 8 KiB")
    match = _COMPACT.fullmatch(token)
    if not match:
        raise Rejected("not in JWS compact form")
    try:
        head, payload, signature = (urlsafe_b64decode(part) for part in match.groups())
    except (binascii.Error, ValueError) as error:
        raise Rejected("not base64url") from error
    header = parse_object(head, "header")
    if not isinstance(header.get("alg"), str):
        raise Rejected("no alg in the header")
    if "kid" in header and not isinstance(header["kid"], str):
        raise Rejected("kid is not text")
    for name in _CHANGES_THE_READING:
        if name in header:
            raise Rejected(f"{name} in the header")
    return Compact(header, payload, token[: match.end(2)], signature)


def check_signature(token: Compact, key: PublicKey) -> None:
    """Check the signature with ``key``, which must fit the token's algorithm in type, curve, ``alg``, ``use`` and ``key_ops``
    (RFC 8725 section 3.1). The caller has made sure that the algorithm is one it accepts. Raises ``Rejected``."""
    algorithm = JWSRegistry.algorithms[token.alg]
    try:
        algorithm.check_key(key)
        good = algorithm.verify(token.signed, token.signature, key)
    except (JoseError, ValueError) as error:
        raise Rejected("the key does not fit the algorithm") from error
    if not good:
        raise Rejected("the signature is wrong")


def parse_object(data: bytes, what: str) -> JsonObject:
    """One JSON object in UTF-8, each member once, no NaN. Raises ``Rejected``."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_members, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"the {what} is no proper JSON") from error
    if not isinstance(value, dict):
        raise Rejected(f"the {what} is no JSON object")
    return value


def _members(pairs: list[tuple[str, object]]) -> JsonObject:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a member twice")
    return result


def _no_constant(name: str) -> object:
    raise ValueError(name)
