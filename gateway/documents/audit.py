"""The audit chain: every entry holds the hash of the one before and is sealed with a key that is not in the database.

An entry is canonical JSON (RFC 8785) and its hash is SHA-256 of those bytes, so anybody can follow the chain; the HMAC-SHA-256 over
the hash shows that the gateway wrote it. From time to time the head of the chain is also written to a file outside the database, which
is how a chain that was cut off at its end, or written anew from some point on, is found. Entries are only ever added.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import rfc8785

GENESIS = "0" * 64
"""What the first entry names as the hash of the one before."""


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
    """The entry that follows ``head``. ``details`` are JSON values without fractions: amounts are text."""
    entry: dict[str, Any] = {"seq": head.seq + 1, "at": timestamp(at), "kind": kind, "actor": actor, "previous": head.hash}
    if document is not None:
        entry["document"] = document
    if details:
        entry["details"] = dict(details)
    canonical = rfc8785.dumps(entry)
    digest = hashlib.sha256(canonical).hexdigest()
    return Sealed(head.seq + 1, canonical.decode(), document, digest, _mac(key, digest))


def _mac(key: bytes, digest: str) -> str:
    return hmac.new(key, digest.encode("ascii"), hashlib.sha256).hexdigest()


def timestamp(at: float) -> str:
    """RFC 3339, UTC, microseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


# --- verification ------------------------------------------------------------------------------------------------------------

Fault = Literal["altered", "forged", "missing", "inserted", "reordered", "truncated", "anchor"]


@dataclass(frozen=True, slots=True)
class Tampering:
    """One thing wrong with a chain. ``seq`` is the number of the entry it is about.

    altered … the entry is not what its hash says · forged … the hash is right and the seal is not · missing … an entry is not there
    · inserted … an entry that is none of the chain's · reordered … an entry stands at another's place
    · truncated … entries that were there are gone from the end · anchor … the entry is not the one written outside the database
    """

    seq: int
    fault: Fault
    what: str


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
        return cls(head.seq, head.hash, when, _mac(key, f"{head.seq} {head.hash} {when}"))

    def line(self) -> str:
        return json.dumps({"seq": self.seq, "hash": self.hash, "at": self.at, "mac": self.mac}) + "\n"

    def sealed_by(self, key: bytes) -> bool:
        return hmac.compare_digest(self.mac, _mac(key, f"{self.seq} {self.hash} {self.at}"))


def read_anchors(text: str) -> Iterator[Anchor]:
    """The anchors of a file, one JSON object a line. A line cut short by a crash is passed over. Raises nothing."""
    for line in text.splitlines():
        try:
            value = json.loads(line)
            yield Anchor(int(value["seq"]), str(value["hash"]), str(value["at"]), str(value["mac"]))
        except (ValueError, KeyError, TypeError):
            continue


@dataclass(slots=True)
class Verifier:
    """Reads a chain once, in the order of its numbers, and gathers what is wrong.

    :param key: what entries are sealed with.
    :param anchors: heads written outside the database.
    """

    key: bytes
    anchors: Iterable[Anchor] = ()
    found: list[Tampering] = field(default_factory=list)
    _head: Head = field(default_factory=Head)
    _anchored: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for anchor in self.anchors:
            if anchor.sealed_by(self.key):
                self._anchored[anchor.seq] = anchor.hash
            else:
                self._note(anchor.seq, "anchor", "the anchor itself is forged")

    def feed(self, kept: Sealed) -> None:
        """The next entry, as read by ascending ``seq``."""
        entry = _parsed(kept.entry)
        genuine = self._genuine(kept, entry)
        expected = self._head.seq + 1
        if kept.seq < expected:
            self._note(kept.seq, "inserted", "an entry with this number was there already")
            return
        if kept.seq > expected:
            self._note(
                expected, "missing", f"entries {expected} to {kept.seq - 1} are gone" if kept.seq > expected + 1 else "is gone"
            )
        if genuine and entry.get("seq") != kept.seq:
            self._note(kept.seq, "reordered", f"holds the entry that was number {entry.get('seq')}")
        elif genuine and kept.seq == expected and entry.get("previous") != self._head.hash:
            self._note(kept.seq, "inserted", "does not follow the entry before it")
        anchored = self._anchored.get(kept.seq)
        if genuine and anchored is not None and anchored != kept.hash:
            self._note(kept.seq, "anchor", "is not the entry that was anchored outside the database")
        self._head = Head(kept.seq, kept.hash)

    def _genuine(self, kept: Sealed, entry: Mapping[str, Any]) -> bool:
        digest = hashlib.sha256(kept.entry.encode("utf-8", "surrogatepass")).hexdigest()
        if digest != kept.hash or entry.get("document") != kept.document:
            self._note(kept.seq, "altered", "is not what it was when it was written")
            return False
        if not hmac.compare_digest(kept.mac, _mac(self.key, digest)):
            self._note(kept.seq, "forged", "was not sealed with the audit key")
            return False
        return True

    def finish(self, head: Head | None) -> list[Tampering]:
        """What is wrong, by number. ``head`` is what the database says the last entry is."""
        last = max([*self._anchored, head.seq if head else 0])
        if last > self._head.seq:
            gone = f"entries {self._head.seq + 1} to {last} are gone from the end"
            self._note(self._head.seq + 1, "truncated", gone if last > self._head.seq + 1 else "is gone from the end")
        elif head is None or head != self._head:
            self._note(self._head.seq, "truncated", "is not the last entry the ledger wrote")
        return sorted(self.found, key=lambda tampering: tampering.seq)

    def _note(self, seq: int, fault: Fault, what: str) -> None:
        self.found.append(Tampering(seq, fault, what))


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
