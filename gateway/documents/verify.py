"""Verify a ledger: its audit chain entry by entry, its documents against what the chain says became of them, and the rows of the
decision log against their entries.

Rows are read in pages within one consistent state of the database, so memory does not grow with the ledger. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from gateway.documents import tables
from gateway.documents.anchors import head_of
from gateway.documents.audit import Anchor, Head, Sealed
from gateway.documents.decisions import FILED, ORPHANS, misfiled
from gateway.documents.history import History, differences
from gateway.documents.policies import MARK, doubtful
from gateway.documents.states import FINAL
from gateway.documents.verifier import Tampering, Verifier

PAGE = 1000

_A, _D = tables.audit, tables.documents
_FILED = tables.decisions
_ENTRIES = (
    select(_A, *FILED)
    .outerjoin(_FILED, _FILED.c.seq == _A.c.seq)
    .where(_A.c.seq > bindparam("after"))
    .order_by(_A.c.seq)
    .limit(PAGE)
)
_DOCUMENTS = select(_D.c.id).where(_D.c.id > bindparam("after")).order_by(_D.c.id).limit(PAGE)
_STEPS = select(_A.c.document, _A.c.entry).where(_A.c.document.in_(bindparam("documents", expanding=True))).order_by(_A.c.seq)
_GONE = (
    select(_A.c.document)
    .distinct()
    .outerjoin(_D, _D.c.id == _A.c.document)
    .where(_D.c.id.is_(None), _A.c.document > bindparam("after"), _A.c.document != MARK)
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
    verifier, filed = Verifier(key, anchors), {}
    for row in _pages(connection, _ENTRIES, "seq", -(2**63)):
        verifier.feed(Sealed(row.seq, _text(row.entry), row.document, _text(row.hash), _text(row.mac)))
        what = misfiled(row.seq, _text(row.entry), row)
        if what:
            filed[row.seq] = Tampering(row.seq, "misfiled", what, row.seq)
    tampered = {one.seq: one for one in verifier.finish(head_of(connection))}
    for seq in connection.execute(ORPHANS).scalars():
        filed[seq] = Tampering(seq, "misfiled", "a row in the decision log without an entry", seq)
    found = sorted((filed | tampered).items())
    return Verdict(verifier.rows, verifier.head, tuple(one for _, one in found), tuple(strayed(connection)))


def _text(value: Any) -> str:
    """A column as the gateway writes it. SQLite keeps bytes and numbers too, and then it is nothing the gateway wrote."""
    return value if isinstance(value, str) else repr(value)


def strayed(connection: Connection) -> Iterator[Strayed]:
    """Documents, and policies that were live, whose row differs from what their entries say."""
    for page in _chunks(_pages(connection, _DOCUMENTS, "id", "")):
        told = _told(connection, [row.id for row in page])
        found = differences(connection, told)
        yield from (Strayed(document, found[document]) for document in sorted(found))
    for page in _chunks(_pages(connection, _GONE, "document", "")):
        for document, history in _told(connection, [row.document for row in page]).items():
            if history.facts.get("to") not in FINAL:
                yield Strayed(document, f"was {history.facts.get('to')} and is gone")
    yield from (Strayed(MARK, what) for what in doubtful(connection))


def _told(connection: Connection, documents: list[str]) -> dict[str, History]:
    """By document: what its entries say."""
    found = {document: History() for document in documents}
    for row in connection.execute(_STEPS, {"documents": documents}):
        found[row.document].hear(row.entry)
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
