"""What the audit chain tells of a document, to be compared with the ledger's rows.

Whoever can write the database can write any row: a state, a body, a vote. Only an entry sealed with the audit key says that the
gateway did what the row shows. Nothing is written here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, select

from gateway.documents import tables
from gateway.documents.audit import digest_of, mac_of, timestamp
from gateway.documents.seals import Value
from gateway.documents.transaction import Transaction

Word = tuple[str, str, str, int, str, str]
"""What somebody decided: who, what, when, about which revision and payload, in whose place."""

_A, _D, _V = tables.audit, tables.documents, tables.votes
_ENTRIES = select(_A.c.seq, _A.c.entry, _A.c.mac).where(_A.c.document == bindparam("document")).order_by(_A.c.seq)
_RECEIVED = ("operation", "version", "tenant", "fingerprint")
_ROWS = select(*(_D.c[name] for name in ("id", "state", "seq", "revision", *_RECEIVED, "request", "body"))).where(
    _D.c.id.in_(bindparam("documents", expanding=True))
)
_VOTES = select(_V).where(_V.c.document.in_(bindparam("documents", expanding=True)))
_DELEGATIONS = select(tables.delegations).where(
    tables.delegations.c.delegator.in_(select(_V.c.delegator).where(_V.c.document == bindparam("document")))
)
_SAID = {"document.vote": "approve", "document.approve": "approve", "document.reject": "reject"}
_FACTS = ("to", "revision", "request", *_RECEIVED)

FEW = 20
"""Rows with their bodies that are read at a time."""


@dataclass(slots=True)
class History:
    """One document by its entries, heard in their order. ``facts`` are their details, later ones last; ``gap`` is a step that
    cannot follow the one before."""

    steps: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    words: set[Word] = field(default_factory=set)
    gap: str = ""

    def hear(self, text: str) -> None:
        """The next entry. One that cannot be read tells nothing."""
        try:
            entry = json.loads(text)
            details = entry.get("details", {})
            told = {name: details[name] for name in _FACTS if name in details}
        except (ValueError, AttributeError, TypeError):
            return
        if "to" in told:
            before = self.facts.get("to", "received")
            if details.get("from", before) != before:
                self.gap = self.gap or f"a step was taken while it was {details['from']}, by the entry before it was {before}"
            self.steps += 1
            self._said(entry, details)
        self.facts |= told

    def _said(self, entry: dict[str, Any], details: dict[str, Any]) -> None:
        kind = entry["kind"]
        decision = details.get("outcome", "") if kind == "document.attest" else _SAID.get(kind, "")
        about = details.get("payload_hash", "") if kind in _SAID else ""
        self.words.add((entry["actor"], decision, entry["at"], details.get("revision", 0), about, details.get("delegator", "")))


def request_digest(request: str, body: bytes | str) -> str:
    """SHA-256 of a request as the ledger keeps it, for the entries of its document."""
    # SQLite gives text where somebody wrote text.
    kept = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    return hashlib.sha256(request.encode("utf-8", "surrogatepass") + b"\0" + kept).hexdigest()


def differences(connection: Connection, histories: dict[str, History]) -> dict[str, str]:
    """What is not as the histories tell it, by document; each must have a row."""
    names = {"documents": sorted(histories)}
    votes: dict[str, list[Any]] = {}
    for vote in connection.execute(_VOTES, names):
        votes.setdefault(vote.document, []).append(vote)
    found = {}
    for row in connection.execute(_ROWS, names, execution_options={"yield_per": FEW}):
        what = _difference(row, histories[row.id], votes.get(row.id, ()))
        if what:
            found[row.id] = what
    return found


def _difference(row: Any, history: History, votes: Iterable[Any]) -> str:
    told = history.facts
    if not told:
        return "has no audit entry"
    for name, kept in (("state", told.get("to")), ("seq", history.steps), ("revision", told.get("revision"))):
        if getattr(row, name) != kept:
            return f"its {name} is {getattr(row, name)}, by its last audit entry {kept}"
    for name in _RECEIVED:
        if told.get(name) != getattr(row, name):
            return f"its {name} is not the one that was received"
    if told.get("request") != request_digest(row.request, row.body):
        return "its request is not the one that was received"
    for vote in votes:
        if _word(vote) not in history.words:
            return f"the decision of {vote.person} on its revision {vote.revision} has no audit entry"
    return history.gap


def _word(vote: Any) -> Word:
    about = vote.payload_hash if vote.decision in _SAID.values() else ""
    return (vote.person, vote.decision, timestamp(vote.at), vote.revision, about, vote.delegator or "")


def off_record(tx: Transaction, document: str) -> str:
    """What of a document's rows is not as the entries say that were sealed with the audit key; empty when all of it is. The
    document must be there."""
    history = History()
    sealed = [(row.entry, row.mac) for row in tx.connection.execute(_ENTRIES, {"document": document})]
    sealed += [(entry.entry, entry.mac) for entry in tx.entries if entry.document == document]
    for text, mac in sealed:
        if not hmac.compare_digest(mac_of(tx.key, digest_of(text)).encode(), mac.encode()) or not _about(text, document):
            return "an audit entry of it was tampered with"
        history.hear(text)
    return differences(tx.connection, {document: history}).get(document, "") or _unsealed(tx, document)


def _unsealed(tx: Transaction, document: str) -> str:
    """A delegation by which somebody decided here and that the gateway did not make."""
    for row in tx.connection.execute(_DELEGATIONS, {"document": document}):
        if not tx.sealed(row.seal, "delegation", *delegation_said(row)):
            return f"the delegation of {row.delegator} to {row.delegate} is none the gateway made"
    return ""


def delegation_said(row: Any) -> tuple[Value, ...]:
    """What the seal of a delegation is about."""
    return (row.id, row.tenant, row.delegator, row.delegate, row.starts_at, row.ends_at, row.revoked_at)


def _about(text: str, document: str) -> bool:
    return bool(json.loads(text).get("document") == document)
