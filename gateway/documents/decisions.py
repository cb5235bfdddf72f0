"""The decision log as the ledger keeps it: entries of the audit chain, and a table to find them by.

The entry is sealed and says everything; its row in ``decisions`` repeats what is searched for, and ``misfiled`` finds one that
says something else. No entry holds a payload, a secret, or the name of somebody who was not authenticated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, bindparam, select

from gateway.documents import tables
from gateway.documents.audit import timestamp
from gateway.documents.transaction import Json, Transaction, storable
from gateway.exchange import Principal
from gateway.ports import Decided, Rows

DENIED: Final = "policy.denied"
ALLOWED: Final = "policy.allowed"
RECEIVED: Final = "document.received"
"""The entry of a document says what allowed the call it came by."""

MOST_LISTED = 50
"""Rows, and of each so many characters, in one entry. More than anybody reads."""
MOST_TEXT = 400
PAGE = 1000

_A, _D = tables.audit, tables.decisions
_COLUMNS = tuple(_D.c.keys())


# --- writing -----------------------------------------------------------------------------------------------------------------


def record(tx: Transaction, decided: Decided) -> int:
    """Write an entry with its row. Returns its number."""
    times = {"first": timestamp(decided.first), "last": timestamp(decided.last), "count": decided.count}
    about = {"operation": decided.operation, "version": decided.version, "tenant": decided.principal.tenant}
    more = {"unmet": list(decided.unmet), "of": decided.of}
    details = {**about, **times, **basis(decided), **{name: value for name, value in more.items() if value}}
    tx.audit(DENIED if not decided.allowed else ALLOWED, decided.principal.subject, **details)
    file(tx, decided)
    return tx.head.seq


def basis(decided: Decided) -> Json:
    """What an entry says of why it was decided so, and of who asked from where."""
    facts = {
        "roles": list(decided.principal.roles),
        "rows": _listed(decided.rows),
        "limits": _listed(decided.limits),
        "addresses": list(decided.addresses),
        "request_id": decided.request,
    }
    return {"policy": decided.policy, **{name: value for name, value in facts.items() if value}}


def _listed(rows: Rows) -> list[list[str]]:
    return [[place, text[:MOST_TEXT]] for place, text in rows[:MOST_LISTED]]


def file(tx: Transaction, decided: Decided) -> None:
    """The row of the entry that was written last."""
    tx.file(_row(decided))


def _row(decided: Decided) -> dict[str, Any]:
    """Times as the entry has them, to the microsecond."""
    return {
        "seq": decided.seq,
        "first": _moment(timestamp(decided.first)),
        "last": _moment(timestamp(decided.last)),
        "count": decided.count,
        "subject": (storable(decided.principal.subject) or "")[:256],
        "tenant": (storable(decided.principal.tenant) or "")[:256],
        "operation": decided.operation,
        "version": decided.version,
        "allowed": decided.allowed,
    }


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


# --- reading -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; ``None`` is anything. ``tenant`` must be given for somebody who may see only one's decisions.

    :param operation: an operation id, with or without version.
    :param since: Unix time; the last call counts. ``until`` likewise, for the first.
    """

    tenant: str | None = None
    who: str | None = None
    operation: str | None = None
    allowed: bool | None = None
    since: float | None = None
    until: float | None = None


def decisions(connection: Connection, search: Search, *, before: int | None = None, limit: int = 50) -> list[Decided]:
    """The newest first; ``before`` is the ``seq`` of the last one of the page before."""
    query = _found(search).order_by(_D.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(_D.c.seq < before)
    return [_decided(row) for row in connection.execute(query)]


def decided_since(connection: Connection, search: Search) -> Iterator[Decided]:
    """All of them in order, page by page, so that memory does not grow with the ledger."""
    query = _found(search).where(_D.c.seq > bindparam("after")).order_by(_D.c.seq).limit(PAGE)
    after = 0
    while rows := connection.execute(query, {"after": after}).all():
        yield from map(_decided, rows)
        after = rows[-1].seq


def _found(search: Search) -> Select[Any]:
    query = select(_D.c.seq, _A.c.entry).join(_A, _A.c.seq == _D.c.seq)
    operation, _, version = (search.operation or "").partition("@")
    who, tenant = storable(search.who), storable(search.tenant)
    for name, value in (("operation", operation), ("version", version), ("subject", who), ("tenant", tenant)):
        if value:
            query = query.where(_D.c[name] == value)
    if search.allowed is not None:
        query = query.where(_D.c.allowed.is_(search.allowed))
    if search.since is not None:
        query = query.where(_D.c.last >= search.since)
    return query if search.until is None else query.where(_D.c.first <= search.until)


def _decided(row: Row[Any]) -> Decided:
    return read(row.seq, json.loads(row.entry))


def read(seq: int, entry: Mapping[str, Any]) -> Decided:
    """What an entry says. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for one that is about something else."""
    details, at = entry["details"], entry["at"]
    return Decided(
        Principal(entry["actor"], details["tenant"], tuple(details.get("roles", ()))),
        details["operation"],
        details["version"],
        entry["kind"] != DENIED,
        details["policy"],
        _rows(details.get("rows", ())),
        _rows(details.get("limits", ())),
        tuple(details.get("unmet", ())),
        tuple(details.get("addresses", ())),
        details.get("request_id", ""),
        _moment(details.get("first", at)),
        _moment(details.get("last", at)),
        details.get("count", 1),
        seq,
        details.get("of", 0),
        entry.get("document"),
    )


def _rows(listed: Any) -> Rows:
    return tuple((place, text) for place, text in listed)


# --- verifying ---------------------------------------------------------------------------------------------------------------

FILED = tuple(_D.c[name].label(f"filed_{name}") for name in _COLUMNS)
"""The columns to read beside an entry, for ``misfiled``."""
ORPHANS = select(_D.c.seq).outerjoin(_A, _A.c.seq == _D.c.seq).where(_A.c.seq.is_(None)).order_by(_D.c.seq)
"""Rows without an entry."""


def misfiled(seq: int, text: str, row: Row[Any]) -> str:
    """What is wrong with the row of an entry, or with there being none; empty when nothing is. ``row`` has the columns
    ``FILED``."""
    kept = None if row.filed_seq is None else {name: getattr(row, f"filed_{name}") for name in _COLUMNS}
    entry = _entry(text) if kept is not None or '"policy":' in text else {}
    kind, details = entry.get("kind"), entry.get("details", {})
    if kind not in (DENIED, ALLOWED) and not (kind == RECEIVED and "policy" in details):
        return "" if kept is None else "has a row in the decision log and is no decision"
    if kept is None:
        return "has no row in the decision log"
    return "" if _same(seq, entry, kept) else "its row in the decision log says something else"


def _entry(text: str) -> Json:
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) and isinstance(entry.get("details"), dict) else {}


def _same(seq: int, entry: Json, kept: Json) -> bool:
    try:
        return _row(read(seq, entry)) == kept
    except (KeyError, TypeError, ValueError):
        return False
