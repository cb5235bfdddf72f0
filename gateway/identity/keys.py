"""Public keys of an issuer, read strictly from a JWK Set (RFC 7517). Pure.

Keeps the keys fit to check signatures with and leaves out the rest, as section 5 asks; a set without any is refused whole. What a
weak key signed proves nothing, so strength is checked here, once, and not per token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import base64_to_int

from gateway.identity.jws import JsonObject, PublicKey, Rejected, parse_object

MAX_KEYS = 100

_TYPES: Mapping[object, type[RSAKey] | type[ECKey] | type[OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True)
class KeySet:
    """Immutable. The usable keys of an issuer, each with a ``kid`` of its own or none."""

    keys: tuple[PublicKey, ...] = ()

    def find(self, kid: str | None, alg: str) -> PublicKey | None:
        """The key a token means: the one with its ``kid``, or without a ``kid`` the only one that fits the algorithm."""
        fitting = [key for key in self.keys if (key.kid == kid if kid is not None else _fits(key, alg))]
        return fitting[0] if len(fitting) == 1 else None


def _fits(key: PublicKey, alg: str) -> bool:
    try:
        JWSRegistry.algorithms[alg].check_key(key)
    except JoseError:
        return False
    return True


def parse_key_set(data: bytes) -> KeySet:
    """A JWK Set (RFC 7517 section 5). Keys of unknown type, for other uses, too weak, private or broken are left out, and so are
    keys that share a ``kid``, since a token cannot say which it means. Raises ``Rejected`` when none is left."""
    members = parse_object(data, "key set").get("keys")
    if not isinstance(members, list) or len(members) > MAX_KEYS:
        raise Rejected("the key set has no list of at most 100 keys")
    usable = [key for member in members if (key := _key(member)) is not None]
    kids = [key.kid for key in usable]
    keys = tuple(key for key in usable if key.kid is None or kids.count(key.kid) == 1)
    if not keys:
        raise Rejected("the key set has no usable key")
    return KeySet(keys)


def _key(member: object) -> PublicKey | None:
    if not isinstance(member, dict) or not _is_signature_key(member) or not _is_strong(member):
        return None
    try:
        key = _TYPES[member["kty"]].import_key(member)
        key.check_use("sig")
        key.check_key_op("verify")
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key


def _is_signature_key(member: JsonObject) -> bool:
    text = all(isinstance(member.get(name, ""), str) for name in ("kty", "use", "alg", "kid", "crv"))
    operations = member.get("key_ops", ["verify"])
    return (
        text
        and isinstance(operations, list)
        and member.get("kty") in _TYPES
        and not _PRIVATE & member.keys()
        and _names_its_algorithm_rightly(member)
    )


def _names_its_algorithm_rightly(member: JsonObject) -> bool:
    alg = member.get("alg")
    return alg is None or (alg in JWSRegistry.algorithms and JWSRegistry.algorithms[str(alg)].key_type == member["kty"])


def _is_strong(member: JsonObject) -> bool:
    """Curves are all strong enough; RSA needs 2048 bits, at most 8192 (cost), an exponent of 65537 or more (FIPS 186-5), and a
    modulus without the ROCA fingerprint."""
    if member["kty"] != "RSA":
        return True
    modulus, exponent = _number(member.get("n")), _number(member.get("e"))
    return 2048 <= modulus.bit_length() <= 8192 and 65537 <= exponent < 2**64 and exponent % 2 == 1 and not is_roca(modulus)


def _number(value: object) -> int:
    try:
        return base64_to_int(value) if isinstance(value, str) else 0
    except ValueError:
        return 0


# Primes below 168: enough for a false alarm in 2^27 moduli, and what published detectors use.
_PRIMES = [n for n in range(3, 168, 2) if all(n % d for d in range(3, n, 2))]
_SUBGROUPS = {prime: frozenset(pow(65537, k, prime) for k in range(prime)) for prime in _PRIMES}


def is_roca(modulus: int) -> bool:
    """Whether an RSA modulus has the form that one maker's chips gave it and that can be factored (CVE-2017-15361): it is a power
    of 65537 modulo every small prime."""
    return all(modulus % prime in group for prime, group in _SUBGROUPS.items())
