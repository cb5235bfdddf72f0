"""The audit chain: every entry holds the hash of the one before and is sealed with a key that is not in the database.

An entry is canonical JSON (RFC 8785) and its hash is SHA-256 of those bytes, so anybody can follow the chain; the HMAC-SHA-256
over the hash shows that the gateway wrote it. From time to time the head of the chain is also written to a file outside the
database, which is how a chain cut off at its end, or written anew from some point on, is found. Entries are only ever added.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

GENESIS = "0" * 64
"""What the first entry names as the hash of the one before."""

LARGEST = 2**53 - 1
"""Beyond this a JSON number is not the same number everywhere (RFC 8785 section 3.2.2.3)."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a chain: its number, counted from 1, and its hash in hex. An empty chain has number 0."""

    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class Sealed:
    """One entry as it is kept. ``entry`` is canonical JSON text."""

    seq: int
    entry: str
    document: str | None
    hash: str
    mac: str


def seal(head: Head, key: bytes, *, at: float, kind: str, actor: str, document: str | None, details: Mapping[str, Any]) -> Sealed:
    """The entry that follows ``head``. ``details`` are JSON values without fractions: amounts are text. Raises ``ValueError``."""
    entry: dict[str, Any] = {"seq": head.seq + 1, "at": timestamp(at), "kind": kind, "actor": actor, "previous": head.hash}
    if document is not None:
        entry["document"] = document
    if details:
        entry["details"] = details
    text = canonical(entry)
    digest = digest_of(text)
    return Sealed(head.seq + 1, text, document, digest, mac_of(key, digest))


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def mac_of(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()


@lru_cache(maxsize=4)  # all entries of a commit have one time
def timestamp(at: float) -> str:
    """RFC 3339, UTC, microseconds. Raises ``ValueError`` or ``OverflowError`` for what is no time of this calendar."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except OSError as error:
        raise ValueError("there is no such year") from error


# --- canonical JSON ----------------------------------------------------------------------------------------------------------

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def canonical(value: object) -> str:
    """JSON as RFC 8785 has it, of values without fractions; without them the standard library's encoder writes the same, once the
    keys are in order. A lone surrogate becomes U+FFFD. Raises ``ValueError`` for what is no such value."""
    if _plain(value):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return _encode(_ordered(value))


def _plain(value: object) -> bool:
    """Whether there is but one way to write and order it: no fractions, no large numbers, no text beyond ASCII. Most entries are
    like this, and then a faster encoder writes the same."""
    if type(value) is str:
        return value.isascii()
    if type(value) is int:
        return -LARGEST <= value <= LARGEST
    if type(value) is dict:
        return all(type(name) is str and name.isascii() and _plain(inner) for name, inner in value.items())
    if type(value) is list or type(value) is tuple:
        return all(map(_plain, value))
    return value is None or type(value) is bool


def _ordered(value: object) -> object:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= LARGEST:
        return value
    if isinstance(value, Mapping):
        return {_ordered(name): _ordered(value[name]) for name in sorted(value, key=_utf16)}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    raise ValueError(f"an audit entry cannot hold {value!r}: amounts and times are text there")


def _utf16(name: object) -> bytes:
    if not isinstance(name, str):
        raise ValueError(f"an audit entry cannot hold the key {name!r}")
    return name.encode("utf-16-be", "surrogatepass")


# --- anchors -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Anchor:
    """The head of a chain, written outside the database."""

    seq: int
    hash: str
    at: str
    mac: str

    @classmethod
    def of(cls, head: Head, key: bytes, at: float) -> Anchor:
        when = timestamp(at)
        return cls(head.seq, head.hash, when, mac_of(key, f"{head.seq} {head.hash} {when}"))

    def line(self) -> str:
        return json.dumps({"seq": self.seq, "hash": self.hash, "at": self.at, "mac": self.mac}) + "\n"

    def sealed_by(self, key: bytes) -> bool:
        return hmac.compare_digest(self.mac.encode(), mac_of(key, f"{self.seq} {self.hash} {self.at}").encode())


def read_anchors(text: str) -> Iterator[Anchor]:
    """The anchors of a file, one JSON object a line. A line cut short by a crash is passed over. Raises nothing."""
    for line in text.splitlines():
        try:
            value = json.loads(line)
            yield Anchor(int(value["seq"]), str(value["hash"]), str(value["at"]), str(value["mac"]))
        except (ValueError, KeyError, TypeError):
            continue
