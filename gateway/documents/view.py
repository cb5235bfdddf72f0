"""A document as its satellite sees it: where it stands and why, never who decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from gateway.documents.audit import timestamp
from gateway.documents.records import Document, Hold
from gateway.documents.states import ISO_20022, State

Execution = Literal["none", "pending", "done", "refused", "unknown"]

EXECUTION: Final[Mapping[State, Execution]] = {
    State.RECEIVED: "none",
    State.HELD: "none",
    State.APPROVED: "pending",
    State.QUEUED: "pending",
    State.SENDING: "pending",
    State.DELIVERED: "done",
    State.REFUSED: "refused",
    State.UNKNOWN: "unknown",
    State.MANUAL: "unknown",
    State.DEAD: "none",
    State.DISCARDED: "none",
    State.REJECTED: "none",
    State.RECALLED: "none",
    State.EXPIRED: "none",
    State.SUPERSEDED: "none",
}
"""Whether the ERP has it: ``none`` is certain, ``unknown`` says so."""

RETRY_AFTER: Final[Mapping[State, int]] = {State.HELD: 60, State.APPROVED: 2, State.QUEUED: 2, State.SENDING: 1, State.UNKNOWN: 5}
"""Seconds after which asking again may show something new; other states a minute."""


TOLD: Final = frozenset({"code", "detail", "status", "reason", "by"})
"""What a satellite is told of a document's note."""


def path(document: str) -> str:
    return f"/api/documents/{document}"


def etag(document: Document) -> str:
    """RFC 9110 section 8.8.3: a strong tag, new with every step."""
    return f'"{document.seq}"'


def represent(document: Document) -> dict[str, Any]:
    """The JSON of ``GET /api/documents/{id}`` and of callbacks. ``sequence`` grows with every step; times are RFC 3339."""
    hold = document.hold
    told: dict[str, Any] = {
        "id": document.id,
        "operation": document.operation,
        "version": document.version,
        "state": document.state.value,
        "execution": EXECUTION[document.state],
        "iso20022": ISO_20022[document.state],
        "sequence": document.seq,
        "revision": document.revision,
        "reference": document.reference,
        "received_at": timestamp(document.received_at),
        "updated_at": timestamp(document.updated_at),
        "reasons": [_reason(reason) for reason in hold.reasons] if hold else [],
        "payload_hash": hold.payload_hash if hold else document.fingerprint,
    }
    if hold is not None:
        told["approvals"] = _approvals(document, hold)
    if document.note is not None:
        told["note"] = {name: value for name, value in document.note.items() if name in TOLD}
    return told


def reticent(told: Mapping[str, Any], *, reference: bool) -> dict[str, Any]:
    """The same for somebody from whom policy hides fields: without the words and figures that might be theirs, and without the
    ERP's number unless that is seen."""
    kept = dict(told)
    kept["reasons"] = [{"code": reason["code"]} for reason in told.get("reasons", ())]
    if "note" in told:
        kept["note"] = {name: value for name, value in told["note"].items() if name in ("code", "status", "by")}
    if not reference:
        kept["reference"] = None
    return kept


def _approvals(document: Document, hold: Hold) -> dict[str, Any]:
    expires = timestamp(hold.expires_at) if document.state is State.HELD else None
    return {"required": hold.required, "received": hold.received, "expires_at": expires}


def _reason(reason: Mapping[str, Any]) -> dict[str, Any]:
    """Without other documents' ids: they may be another satellite's."""
    return {name: value for name, value in reason.items() if name not in ("siblings", "documents")}
