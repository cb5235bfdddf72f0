"""Verify a ledger: its audit chain entry by entry, and its documents against what the chain says became of them.

Rows are read in pages within one consistent state of the database, so memory does not grow with the ledger. Nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from gateway.documents import tables
from gateway.documents.anchors import head_of
from gateway.documents.audit import Anchor, Head, Sealed
from gateway.documents.states import FINAL
from gateway.documents.verifier import Tampering, Verifier

PAGE = 1000

_A, _D = tables.audit, tables.documents
_ENTRIES = select(_A).where(_A.c.seq > bindparam("after")).order_by(_A.c.seq).limit(PAGE)
_DOCUMENTS = (
    select(_D.c.id, _D.c.state, _D.c.seq, _D.c.revision, _D.c.fingerprint)
    .where(_D.c.id > bindparam("after"))
    .order_by(_D.c.id)
    .limit(PAGE)
)
_STEPS = select(_A.c.document, _A.c.entry).where(_A.c.document.in_(bindparam("documents", expanding=True))).order_by(_A.c.seq)
_GONE = (
    select(_A.c.document)
    .distinct()
    .outerjoin(_D, _D.c.id == _A.c.document)
    .where(_D.c.id.is_(None), _A.c.document > bindparam("after"))
    .order_by(_A.c.document)
    .limit(PAGE)
)


@dataclass(frozen=True, slots=True)
class Strayed:
    """A document that is not what the audit chain says it is."""

    document: str
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. ``head`` is the last entry that can be trusted."""

    entries: int
    head: Head
    tampered: tuple[Tampering, ...]
    strayed: tuple[Strayed, ...]

    @property
    def intact(self) -> bool:
        return not self.tampered and not self.strayed


def verify(connection: Connection, key: bytes, anchors: Iterable[Anchor]) -> Verdict:
    """Read the whole ledger. Raises what SQLAlchemy raises."""
    verifier = Verifier(key, anchors)
    for row in _pages(connection, _ENTRIES, "seq", -(2**63)):
        verifier.feed(Sealed(row.seq, row.entry, row.document, row.hash, row.mac))
    tampered = verifier.finish(head_of(connection))
    return Verdict(verifier.rows, verifier.head, tuple(tampered), tuple(strayed(connection)))


def strayed(connection: Connection) -> Iterator[Strayed]:
    """Documents whose row differs from what their entries say."""
    for page in _chunks(_pages(connection, _DOCUMENTS, "id", "")):
        told = _told(connection, [row.id for row in page])
        for row in page:
            what = _difference(row, told.get(row.id, {}))
            if what:
                yield Strayed(row.id, what)
    for page in _chunks(_pages(connection, _GONE, "document", "")):
        told = _told(connection, [row.document for row in page])
        for document, facts in told.items():
            if facts.get("to") not in FINAL:
                yield Strayed(document, f"was {facts.get('to')} and is gone")


def _difference(row: Row[Any], told: dict[str, Any]) -> str:
    if not told:
        return "has no audit entry"
    for name, kept in (("state", told.get("to")), ("seq", told["steps"]), ("revision", told.get("revision"))):
        if getattr(row, name) != kept:
            return f"its {name} is {getattr(row, name)}, by its last audit entry {kept}"
    if told.get("fingerprint", row.fingerprint) != row.fingerprint:
        return "its fingerprint is not the one that was received"
    return ""


def _told(connection: Connection, documents: list[str]) -> dict[str, dict[str, Any]]:
    """By document: what its entries' details say, later ones last, and how many steps they tell of."""
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(_STEPS, {"documents": documents}):
        facts = found.setdefault(row.document, {"steps": 0})
        try:
            details = json.loads(row.entry).get("details", {})
        except (ValueError, AttributeError):
            continue  # the chain's own verification names it
        if "to" in details or "fingerprint" in details:
            facts |= {name: details[name] for name in ("to", "revision", "fingerprint") if name in details}
            facts["steps"] += "to" in details
    return found


def _pages(connection: Connection, query: Select[Any], column: str, after: Any) -> Iterator[Row[Any]]:
    while rows := connection.execute(query, {"after": after}).all():
        yield from rows
        after = getattr(rows[-1], column)


def _chunks(rows: Iterator[Row[Any]]) -> Iterator[list[Row[Any]]]:
    chunk: list[Row[Any]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == PAGE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
