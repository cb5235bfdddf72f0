"""How satellites' secrets and API keys are stored: as text that proves them and does not give them away.

A secret may be chosen by a person, so it is stretched with scrypt (RFC 7914) and salted. An API key is 256 random bits made
here, so one SHA-256 is enough and cheap on every call. Every comparison takes the same time whatever differs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

CLIENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
"""A client id: safe in a URL, a header, a CSV cell and before the colon of HTTP Basic."""

MIN_WORK = 80_000
"""Least ``N * p`` accepted, with r = 8: the weakest row of OWASP's password storage table (N = 2^14, p = 5)."""

MAX_WORK = 1 << 19
"""Most, about a second, so that a hash in a file cannot stall the gateway. Memory is at most 128 MiB (ln = 17)."""

RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class ScryptHash:
    """Immutable. ``scrypt$15$8$3$SALT$HASH``, that is ln, r, p, salt and hash; the last two are base64url
    without padding, ``N`` is ``2 ** ln``. No character of it needs quotes in YAML."""

    ln: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    def __str__(self) -> str:
        return f"scrypt${self.ln}${self.r}${self.p}${_encode(self.salt)}${_encode(self.digest)}"

    def __repr__(self) -> str:
        return f"<ScryptHash ln={self.ln},r={self.r},p={self.p}>"

    @property
    def work(self) -> int:
        """The time a check takes, in units of one scrypt block."""
        return int((1 << self.ln) * self.r * self.p)

    def matches(self, secret: str) -> bool:
        """Whether this is the hash of ``secret``. Takes some tenth of a second: never call it on the event loop."""
        found = _scrypt(secret.encode("utf-8", "replace"), self.salt, self.ln, self.r, self.p, len(self.digest))
        return hmac.compare_digest(found, self.digest)


def _scrypt(secret: bytes, salt: bytes, ln: int, r: int, p: int, length: int) -> bytes:
    memory = 128 * r * ((1 << ln) + p + 2)
    return hashlib.scrypt(secret, salt=salt, n=1 << ln, r=r, p=p, maxmem=memory + 1024**2, dklen=length)


def hash_secret(secret: str, *, ln: int = 15, r: int = 8, p: int = 3, random: RandomBytes = secrets.token_bytes) -> ScryptHash:
    """The hash to put into ``satellites.yaml``. The defaults are OWASP's for 32 MiB."""
    salt = random(16)
    return ScryptHash(ln, r, p, salt, _scrypt(secret.encode(), salt, ln, r, p, 32))


def new_secret(random: RandomBytes = secrets.token_bytes) -> str:
    """A secret of 256 random bits that needs no escaping in a form, a URL or HTTP Basic."""
    return _encode(random(32))


_SCRYPT = re.compile(r"scrypt\$([0-9]{1,2})\$([0-9]{1,3})\$([0-9]{1,3})\$([A-Za-z0-9_-]+)\$([A-Za-z0-9_-]+)")


def parse_scrypt(text: str) -> ScryptHash:
    """Read what ``str`` of a ``ScryptHash`` writes. Raises ``ValueError`` saying what is wrong, for other forms and weak ones."""
    match = _SCRYPT.fullmatch(text)
    if not match:
        raise ValueError("is no scrypt hash of the form scrypt$15$8$3$SALT$HASH")
    ln, r, p = (int(part) for part in match.groups()[:3])
    salt, digest = _decode(match[4]), _decode(match[5])
    if r != 8 or not 14 <= ln <= 17 or not MIN_WORK <= (1 << ln) * p <= MAX_WORK:
        raise ValueError(f"is hashed with ln={ln},r={r},p={p}, which is too little or too much work")
    if len(salt) < 16 or len(digest) != 32:
        raise ValueError("has a salt or a hash of the wrong length")
    return ScryptHash(ln, r, p, salt, digest)


# --- API keys --------------------------------------------------------------------------------------------------------

_API_KEY = re.compile(r"egk_(.+)_([0-9a-f]{64})")
_KEY_HASH = re.compile(r"sha256\$([0-9a-f]{64})")


def new_api_key(client: str, random: RandomBytes = secrets.token_bytes) -> str:
    """``egk_<client>_<64 hex digits>``: the client for the look-up, the prefix for scanners that search for leaked keys."""
    if not CLIENT.fullmatch(client):
        raise ValueError(f"{client!r} is no client id")
    return f"egk_{client}_{random(32).hex()}"


def api_key_client(key: str) -> str | None:
    """The client an API key says it belongs to, or ``None`` when it has not the form of one."""
    match = _API_KEY.fullmatch(key)
    return match[1] if match and CLIENT.fullmatch(match[1]) else None


def hash_api_key(key: str) -> str:
    """The text to put into ``api_keys`` of ``satellites.yaml``."""
    return "sha256$" + hashlib.sha256(key.encode()).hexdigest()


def parse_api_key_hash(text: str) -> bytes:
    """The digest in what ``hash_api_key`` writes. Raises ``ValueError``."""
    match = _KEY_HASH.fullmatch(text)
    if not match:
        raise ValueError("is no API key hash of the form sha256$ and 64 hex digits")
    return bytes.fromhex(match[1])


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("has a salt or a hash that is not base64url") from error
