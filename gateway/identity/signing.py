"""The gateway's own signing keys: made, stored, read, published.

One key signs, earlier ones still verify, so that changing the key breaks no live token. Only public parts are ever published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeyParameters, OKPKey

from gateway.config.identity import Builtin
from gateway.config.once import made_once
from gateway.config.source import Place, Source
from gateway.errors import ConfigError, Finding
from gateway.identity.jws import PublicKey, Rejected
from gateway.identity.keys import KeySet

SigningKey = ECKey | OKPKey

_REMEDY = "make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"
_ALGORITHMS = {"P-256": "ES256", "Ed25519": "EdDSA"}


def algorithm(key: SigningKey) -> str:
    """``ES256`` for P-256, ``EdDSA`` for Ed25519."""
    return _ALGORITHMS[key.curve_name]


def generate_key() -> str:
    """A new P-256 private key as PEM (PKCS #8)."""
    return ECKey.generate_key("P-256").as_pem(private=True).decode()


def load_or_create_key(path: Path) -> str:
    """The PEM in a file; the file is made, readable by its owner only, when it is not there. Of several processes that make it at
    once one wins and all read the same key. Raises ``OSError``."""
    return made_once(path, generate_key)


def parse_key(pem: str) -> SigningKey:
    """A P-256 or Ed25519 key, private or public, from PEM; its ``kid`` is its thumbprint (RFC 7638). Raises ``ValueError``."""
    for kind in (ECKey, OKPKey):
        try:
            key = kind.import_key(pem)
            curve = key.curve_name
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if curve in _ALGORITHMS:
            parameters: KeyParameters = {"use": "sig", "alg": _ALGORITHMS[curve]}
            key = kind.import_key(pem, parameters)
            key.ensure_kid()
            return key
    raise ValueError("is no PEM of a P-256 or Ed25519 key without a passphrase")


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Immutable. ``current`` signs; ``previous`` verify what they signed."""

    current: SigningKey
    previous: tuple[SigningKey, ...] = ()

    def all(self) -> tuple[SigningKey, ...]:
        return (self.current, *self.previous)

    def document(self) -> dict[str, object]:
        """The JWK Set to publish: public parts only (RFC 7517 section 5)."""
        return {"keys": [key.as_dict(private=False) for key in self.all()]}

    def algorithms(self) -> frozenset[str]:
        return frozenset(map(algorithm, self.all()))

    async def find(self, kid: str | None, alg: str) -> PublicKey:
        """The key of one of the gateway's own tokens. Raises ``Rejected``."""
        key = KeySet(self.all()).find(kid, alg)
        if key is None:
            raise Rejected("unknown key", kid=kid or "(none)")
        return key


def signing_keys(config: Builtin, source: Source, folder: Path, *, make: bool = True) -> SigningKeys:
    """The keys that ``identity.builtin`` names; ``key_file`` is relative to ``folder``. When it is not there it is made, or with
    ``make=False`` stood in for by a key nobody keeps. ``source`` is ``gateway.yaml``, for its lines. Raises ``ConfigError`` with
    every key that cannot be used."""
    findings: list[Finding] = []

    def read(pem: Callable[[], str], *place: str | int, signs: bool = False) -> SigningKey | None:
        where: Place = ("identity", "builtin", *place)
        try:
            key = parse_key(pem())
            if signs and not key.is_private:
                raise ValueError("is a public key, which cannot sign")
        except OSError as error:
            what = f"'{place[0]}' cannot be read or made ({error.strerror})"
            findings.append(source.finding(where, what, "choose a folder the gateway may write"))
        except ValueError as error:
            findings.append(source.finding(where, f"'{place[0]}' {error}", _REMEDY))
        else:
            return key
        return None

    if config.key is not None:
        current = read(config.key.get_secret_value, "key", signs=True)
    else:
        path = folder / str(config.key_file)
        missing = not make and not path.exists()
        current = read(generate_key if missing else lambda: load_or_create_key(path), "key_file", signs=True)
    previous = [read(pem.get_secret_value, "previous_keys", index) for index, pem in enumerate(config.previous_keys)]
    if current is None or findings:
        raise ConfigError(findings)
    earlier = {key.kid: key for key in previous if key is not None and key.kid != current.kid}
    return SigningKeys(current, tuple(earlier.values()))
