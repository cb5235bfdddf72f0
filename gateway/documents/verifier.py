"""Reads an audit chain once, in the order of its rows, and says which entries were tampered with.

Entries whose seal is right are trusted with what they say about themselves: their number, and the hash of the one before. Each is
fitted to the last trusted one; a row that is not trusted either stands in an entry's place or was put in between, and only the
next trusted entry tells which. So one changed byte, one lost row or one that was slipped in never casts doubt on its neighbours.
Pure: rows, anchors and head are handed in.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gateway.documents.audit import Anchor, Head, Sealed, digest_of, mac_of

Fault = Literal["altered", "forged", "missing", "inserted", "reordered", "truncated", "anchor", "head", "misfiled"]


@dataclass(frozen=True, slots=True)
class Tampering:
    """One thing wrong with a chain: it is about the entries ``seq`` to ``last``, mostly one.

    altered … the row is not what was sealed · forged … the hash is right and the seal is not · missing … an entry is not there
    inserted … a row that is none of the chain's · reordered … a row holds another row's entry
    truncated … entries that were there are gone from the end · anchor … not what was written outside the database
    head … the ledger's record of its last entry is wrong
    misfiled … the decision log would not find the entry, or find something else
    """

    seq: int
    fault: Fault
    what: str
    last: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row whose seal is right. ``place`` is the number of the row, ``seq`` what the entry says itself."""

    place: int
    seq: int
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class _Before:
    head: Head
    shift: int
    doubtful: tuple[int, ...]
    then: _Entry


@dataclass(slots=True)
class Verifier:
    """Feed it every row by ascending ``seq``, then ``finish``.

    :param key: what entries are sealed with.
    :param anchors: heads written outside the database.
    """

    key: bytes
    anchors: Iterable[Anchor] = ()
    head: Head = field(default_factory=Head)
    """The last entry that can be trusted."""
    rows: int = 0
    _found: dict[int, Tampering] = field(default_factory=dict)
    _anchored: dict[int, str] = field(default_factory=dict)
    _anchor: int = 0  # the last anchor that was right, or that was told to be wrong
    _astray: bool = False  # the last anchor was wrong
    _shift: int = 0  # how much larger the number of a row is than that of its entry
    _doubtful: list[int] = field(default_factory=list)  # rows since the last trusted entry that are none
    _displaced: dict[int, int] = field(default_factory=dict)  # row -> the entry it holds
    _pending: _Entry | None = None  # a trusted entry that does not fit, until the next one says whether the rest fits it
    _fallback: _Before | None = None  # what was so before the last entry, which fits only if the numbers of rows were changed
    _rewritten: tuple[int, str] = (0, "")  # first row of a stretch that follows itself without a seal, hash of its last

    def __post_init__(self) -> None:
        for anchor in self.anchors:
            if anchor.sealed_by(self.key):
                self._anchored[anchor.seq] = anchor.hash
            else:
                self._note(anchor.seq, "anchor", "the anchor itself is forged")

    def feed(self, row: Sealed) -> None:
        """The next row, by ascending ``seq``."""
        self.rows += 1
        entry = self._trusted(row)
        if entry is None:
            self._doubtful.append(row.seq)
        else:
            self._fit(entry)

    def _fit(self, entry: _Entry) -> None:
        before = self._fallback
        if entry.previous == self.head.hash and entry.seq == self.head.seq + 1:
            self._follows(entry)
        elif entry.seq == entry.place - self._shift and entry.seq > self.head.seq:
            self._in_its_place(entry)
        elif self._pending and entry.previous == self._pending.hash and entry.seq == self._pending.seq + 1:
            self._moved_up(self._pending)
            self._accept(entry)
        elif before and entry.seq == entry.place - before.shift and entry.seq > before.head.seq:
            self._fall_back(before)
            self._fit(entry)
        else:
            self._give_up_pending()
            self._pending = entry

    def finish(self, head: Head | None) -> list[Tampering]:
        """What is wrong, by number. ``head`` is what the database says the last entry is."""
        before = self._fallback
        if before and head and head.seq == before.then.place - before.shift:
            self._fall_back(before)
        if self._pending and head == Head(self._pending.seq, self._pending.hash) and self._pending.seq > self.head.seq:
            self._moved_up(self._pending)
        self._give_up_pending()
        last = max([self.head.seq, *(place - self._shift for place in self._doubtful)])
        known = max([*self._anchored, head.seq if head else 0])
        if known > last:
            self._note(last + 1, "truncated", "gone from the end", known)
        elif head is None:
            self._note(last, "head", "the ledger does not say which entry is its last")
        elif head != self.head and not self._doubtful:
            self._note(last, "head", f"the ledger's last entry by its own record is number {head.seq}, or another one")
        self._tell_displaced()
        return sorted(self._found.values(), key=lambda tampering: tampering.seq)

    # --- one row -------------------------------------------------------------------------------------------------------------

    def _trusted(self, row: Sealed) -> _Entry | None:
        """The row's entry when what it says can be relied upon."""
        digest, value = digest_of(row.entry), _parsed(row.entry)
        if not _same(row.mac, mac_of(self.key, digest)):
            self._untrusted(row, digest, value)
            return None
        if digest != row.hash:
            self._note(row.seq, "altered", "its hash is not that of the entry")
        elif value.get("document") != row.document:
            self._note(row.seq, "altered", "is filed under another document")
        return _Entry(row.seq, value["seq"], value["previous"], digest)

    def _untrusted(self, row: Sealed, digest: str, value: dict[str, Any]) -> None:
        first, hash_ = self._rewritten
        if digest != row.hash:
            self._note(row.seq, "altered", "is not what was written")
        elif first and value.get("previous") == hash_:
            self._found[first] = replace(self._found[first], last=row.seq, what="written anew without the audit key")
            self._rewritten = (first, row.hash)
        else:
            self._note(row.seq, "forged", "was not sealed with the audit key")
            self._rewritten = (row.seq, row.hash)

    # --- how an entry fits ---------------------------------------------------------------------------------------------------

    def _follows(self, entry: _Entry) -> None:
        """Right after the last trusted one: what stands between them was put there."""
        for place in self._doubtful:
            self._found[place] = Tampering(place, "inserted", "is no entry of this chain", place)
        between = len(self._doubtful) + (self._pending is not None)
        back = self._fallback is not None and self._fallback.shift == entry.place - entry.seq
        if entry.place - entry.seq != self._shift and not between and not back:
            self._note(entry.place, "reordered", f"holds entry {entry.seq}")
        self._give_up_pending()
        before = _Before(self.head, self._shift, tuple(self._doubtful), entry)
        self._doubtful = []
        self._shift = entry.place - entry.seq
        self._accept(entry)
        self._fallback = before if self._shift != before.shift else None

    def _in_its_place(self, entry: _Entry) -> None:
        """Where its number says, though not linked to the last trusted one: what stands between takes other entries' places."""
        self._give_up_pending()
        if entry.seq == self.head.seq + 1:
            self._note(self.head.seq, "altered", f"is not the entry that number {entry.seq} follows")
        self._missing({place - self._shift for place in self._doubtful}, entry.seq)
        self._accept(entry)

    def _moved_up(self, entry: _Entry) -> None:
        """Later entries follow this one, so it is the numbers that were changed to close a gap."""
        self._missing({place - self._shift for place in self._doubtful}, entry.seq)
        self._shift = entry.place - entry.seq
        self._pending = None
        self._accept(entry)

    def _missing(self, filled: set[int], until: int) -> None:
        start = self.head.seq + 1
        for number in [*sorted(n for n in filled if start <= n < until), until]:
            if number > start:
                self._note(start, "missing", "gone", number - 1)
            start = number + 1
        self._doubtful = []

    def _accept(self, entry: _Entry) -> None:
        self.head = Head(entry.seq, entry.hash)
        self._rewritten = (0, "")
        self._fallback = None
        anchored = self._anchored.get(entry.seq)
        if anchored is None:
            return
        if anchored != entry.hash and not self._astray:
            self._note(self._anchor + 1, "anchor", "not what was anchored outside the database", entry.seq)
        self._astray = anchored != entry.hash
        self._anchor = entry.seq

    def _fall_back(self, before: _Before) -> None:
        """The numbers of rows were not changed after all: it was the last entry that stood in a wrong place."""
        self._displaced[before.then.place] = before.then.seq
        self.head, self._shift = before.head, before.shift
        self._doubtful = [*before.doubtful, before.then.place, *self._doubtful]
        self._fallback = None

    def _give_up_pending(self) -> None:
        if self._pending:
            self._displaced[self._pending.place] = self._pending.seq
            self._doubtful.append(self._pending.place)
            self._pending = None

    def _tell_displaced(self) -> None:
        for place, seq in self._displaced.items():
            moved = seq in self._found or seq in self._displaced
            what = f"holds entry {seq}" if moved else f"holds a copy of entry {seq}"
            self._found[place] = Tampering(place, "reordered" if moved else "inserted", what, place)

    def _note(self, seq: int, fault: Fault, what: str, last: int = 0) -> None:
        self._found.setdefault(seq, Tampering(seq, fault, what, max(seq, last)))


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode())


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
