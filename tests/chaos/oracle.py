"""What became of everything, asked from outside: of the ERP's journal, of whoever was told something, of the ledger in plain SQL.

Nothing here trusts a function of the gateway but the audit chain's verification. Paths are held against the table of states.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, text

from gateway.documents.audit import read_anchors
from gateway.documents.states import FINAL, TABLE, Event, State
from gateway.documents.stores import open_store
from gateway.documents.verify import verify
from tests.chaos.deployment import Deployment
from tests.chaos.load import Acknowledged

Entry = dict[str, Any]

_EXTERNAL = re.compile(r"CHAOS-\d{7}")
_CREATES = frozenset({"CreatePayment", "CreatePurchaseOrder", "PostMovement"})
_MOVING = ("received", "approved", "queued", "sending", "unknown")
CLOCK = 0.002
"""The journal's times are cut to milliseconds."""


@dataclass
class Findings:
    """What is wrong, one line each, and how many outcomes were unknown and came to be known."""

    lost: list[str] = field(default_factory=list)
    double_booked: list[str] = field(default_factory=list)
    illegal_states: list[str] = field(default_factory=list)
    blind_resends: list[str] = field(default_factory=list)
    unknown: int = 0
    reconciled: int = 0
    states: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Book:
    """The ledger after the end, as rows."""

    documents: dict[str, Any]
    audit: dict[str, list[Entry]]
    votes: list[Any]


async def read_book(deployment: Deployment) -> tuple[Book, list[str]]:
    """The ledger by plain SQL, and what the verification of its audit chain complains about."""
    store = open_store(deployment.ledger)
    try:
        book = await store.read(_rows)
        verdict = await store.read(lambda connection: verify(connection, deployment.audit_key, _anchors(deployment)))
    finally:
        await store.aclose()
    return book, [*map(str, verdict.tampered), *map(str, verdict.strayed)]


def _anchors(deployment: Deployment) -> list[Any]:
    file = deployment.folder / "var/anchors.jsonl"
    return list(read_anchors(file.read_text("utf-8"))) if file.exists() else []


def _rows(connection: Connection) -> Book:
    documents = {row.id: row for row in connection.execute(text("SELECT id, state, delivery, hold, initiator FROM documents"))}
    audit: dict[str, list[Entry]] = defaultdict(list)
    for row in connection.execute(text("SELECT document, entry FROM audit WHERE document IS NOT NULL ORDER BY seq")):
        audit[row.document].append(json.loads(row.entry))
    votes = list(connection.execute(text("SELECT document, person, decision, revision FROM votes")))
    return Book(documents, audit, votes)


async def unsettled(deployment: Deployment) -> int:
    """How many documents have not come to rest: those that still move, and held ones, which end by their deadline."""
    store = open_store(deployment.ledger)
    query = text("SELECT count(*) FROM documents WHERE state IN ('received','held','approved','queued','sending','unknown')")
    try:
        count: int = await store.read(lambda connection: connection.execute(query).scalar_one())
    finally:
        await store.aclose()
    return count


async def judge(deployment: Deployment, told: Acknowledged) -> Findings:
    """Everything that is wrong."""
    book, broken = await read_book(deployment)
    journal = [json.loads(line) for line in deployment.journal.read_text("utf-8").splitlines()]
    findings = Findings(states=Counter(row.state for row in book.documents.values()))
    findings.illegal_states += broken
    findings.lost += _lost(book, journal, told)
    findings.double_booked += _double_booked(journal)
    findings.blind_resends += _blind_resends(book, journal)
    findings.illegal_states += _illegal(book, journal)
    for steps in book.audit.values():
        unknown, reconciled = _reconciled(steps)
        findings.unknown += unknown
        findings.reconciled += reconciled
    return findings


# --- the four questions ------------------------------------------------------------------------------------------------------


def _lost(book: Book, journal: Iterable[Entry], told: Acknowledged) -> Iterator[str]:
    booked = {entry["operationId"] for entry in journal if entry["outcome"] == "booked"}
    for external, (document, status) in told.documents.items():
        row = book.documents.get(document)
        if row is None:
            yield f"{document} ({external}, {status}) is not in the ledger"
        elif status == 201 and (document not in booked or row.state != "delivered"):
            yield f"{document} ({external}) was answered 201, is {row.state} and {'' if document in booked else 'not '}booked"
        elif State(row.state) not in FINAL:
            yield f"{document} ({external}, {status}) is still {row.state}: {_path(book.audit[document])}"
    answered = {document for document, status in told.documents.values() if status == 201}
    for document, row in book.documents.items():
        if row.state == "delivered" and document not in booked | answered:
            yield f"{document} is delivered and not booked"
    kept = {(row.document, row.person, row.decision) for row in book.votes}
    yield from (f"the {vote[2]} of {vote[1]} on {vote[0]} is not in the ledger" for vote in told.votes if vote not in kept)
    if told.unanswered:
        yield f"{told.unanswered} calls were never answered"
    yield from told.strange


def _double_booked(journal: Iterable[Entry]) -> Iterator[str]:
    by: dict[tuple[str, str], list[int]] = defaultdict(list)
    for entry in journal:
        if entry["outcome"] == "booked":
            by["operation id", entry["operationId"]].append(entry["seq"])
            by["external number", _external(entry)].append(entry["seq"])
    for (what, value), entries in by.items():
        if len(entries) > 1:
            yield f"{what} {value} was booked by journal entries {entries}"


def _blind_resends(book: Book, journal: Iterable[Entry]) -> Iterator[str]:
    """Sends after a booking, or, by the journal or the audit, after a lost answer without the ERP having been asked."""
    asked: dict[str, list[Entry]] = defaultdict(list)
    creates: dict[str, list[Entry]] = defaultdict(list)
    for entry in journal:
        if entry["operation"] in _CREATES:
            creates[entry["operationId"]].append(entry)
        else:
            asked[_external(entry)].append(entry)
    for document, sent in creates.items():
        external = _external(sent[0])
        for before, after in pairwise(sent):
            if before["outcome"] == "booked":
                yield f"{document} ({external}) was sent again after journal entry {before['seq']} had booked it"
            elif not any(before["seq"] < question["seq"] < after["seq"] for question in asked[external]):
                yield f"{document} ({external}) was sent again by journal entry {after['seq']} and nobody had asked the ERP"
        yield from _unasked(document, book.audit.get(document, []), [_at(question) for question in asked[external]])
    strangers = creates.keys() - book.documents.keys()
    yield from (f"{document} was sent and is not in the ledger" for document in strangers)


def _unasked(document: str, steps: list[Entry], asked: list[float]) -> Iterator[str]:
    """Each ``absent`` must rest on a question the ERP was asked since the answer was lost; each second send on ``absent`` or
    ``retry``."""
    lost, resting = 0.0, True
    for entry in steps:
        event = entry["kind"].partition(".")[2]
        if event == "lose":
            lost = _at(entry)
        elif event == "absent" and not any(lost - CLOCK <= at <= _at(entry) + CLOCK for at in asked):
            yield f"{document} was proven absent and nobody had asked the ERP"
        if event == "send":
            if not resting:
                yield f"{document} was sent again: {_path(steps)}"
            resting = False
        elif event in ("absent", "retry", "give_up"):
            resting = True


def _illegal(book: Book, journal: Iterable[Entry]) -> Iterator[str]:
    booked = {entry["operationId"] for entry in journal if entry["outcome"] == "booked"}
    for document, row in book.documents.items():
        steps = [entry for entry in book.audit.get(document, []) if "to" in entry.get("details", {})]
        state = "received"
        for entry in steps:
            event, details = entry["kind"].partition(".")[2], entry["details"]
            step = TABLE.get((State(details["from"]), Event(event)))
            if details["from"] != state or step is None or step.to != details["to"]:
                yield f"{document}: {event} from {details['from']} to {details['to']}, being {state}"
            state = details["to"]
        if state != row.state:
            yield f"{document} is {row.state}, by its audit {state}"
        if document in booked and row.state != "delivered":
            yield f"{document} was booked and is {row.state}: {_path(steps)}"
        yield from _unapproved(document, row, steps)


def _unapproved(document: str, row: Any, steps: list[Entry]) -> Iterator[str]:
    """Whatever was held is sent only after two people agreed to this revision, none of them the one who asked."""
    held, agreed = False, set[str]()
    for entry in steps:
        event, details = entry["kind"].partition(".")[2], entry["details"]
        if details["to"] == "held" and event in ("hold", "revise", "reopen"):
            held, agreed = True, set()
        elif event in ("vote", "approve"):
            agreed.add(entry["actor"])
        elif event == "send" and held and (len(agreed) < 2 or row.initiator in agreed):
            yield f"{document} was sent with the votes of {sorted(agreed)}"


def _reconciled(steps: list[Entry]) -> tuple[int, int]:
    """How often the outcome was lost, and how often the ERP's word settled it."""
    moves = [entry for entry in steps if "to" in entry.get("details", {}) and entry["kind"] != "document.wait"]
    events = [entry["kind"].partition(".")[2] for entry in moves]
    lost = [place for place, event in enumerate(events) if event == "lose"]
    found = [place for place in lost if events[place + 1 : place + 2] and events[place + 1] in ("deliver", "absent", "refuse")]
    return len(lost), len(found)


# --- reading entries ---------------------------------------------------------------------------------------------------------


def _external(entry: Entry) -> str:
    found = _EXTERNAL.search(entry["raw"])
    return found[0] if found else f"entry {entry['seq']}"


def _at(entry: Entry) -> float:
    return datetime.fromisoformat(entry["at"]).timestamp()


def _path(steps: list[Entry]) -> str:
    return " ".join(entry["kind"].partition(".")[2] for entry in steps)
