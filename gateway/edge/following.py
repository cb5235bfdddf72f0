"""OpenAPI of following a document: its schema, the headers around it, and ``/api/documents/{id}``."""

from __future__ import annotations

from typing import Any, Final, get_args

from gateway.approvals.messages import msgid
from gateway.documents.states import ISO_20022, State
from gateway.documents.view import Execution
from gateway.stages.record import Record

Json = dict[str, Any]

DOCUMENT_PROBLEMS: Final = {"412": msgid("The document has changed since it was read.")}

_TIME: Final = {"type": "string", "format": "date-time"}
_TEXT: Final = {"type": "string"}
_ID: Final = {"type": "string", "pattern": "^[0-9a-f]{32}$"}

DOCUMENT_SCHEMA: Final[Json] = {
    "type": "object",
    "description": "One write as the gateway keeps it. `state` says where it stands, `execution` whether the ERP has it.",
    "required": [
        "id",
        "operation",
        "version",
        "state",
        "execution",
        "iso20022",
        "sequence",
        "revision",
        "reasons",
        "payload_hash",
    ],
    "properties": {
        "id": {**_ID, "description": "The same as in Document-Id and in the ERP's X-Operation-Id."},
        "operation": _TEXT,
        "version": _TEXT,
        "state": {"enum": [state.value for state in State]},
        "execution": {"enum": list(get_args(Execution)), "description": "`none` is certain; `unknown` is being found out."},
        "iso20022": {"enum": sorted(set(ISO_20022.values())), "description": "ExternalPaymentTransactionStatus1Code."},
        "sequence": {"type": "integer", "description": "Grows with every step."},
        "revision": {"type": "integer"},
        "reference": {"type": ["string", "null"], "description": "The ERP's number of what it booked."},
        "received_at": _TIME,
        "updated_at": _TIME,
        "reasons": {
            "type": "array",
            "description": "Why it waits, or waited, for people.",
            "items": {"type": "object", "required": ["code"], "properties": {"code": _TEXT}},
        },
        "payload_hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "approvals": {
            "type": "object",
            "required": ["required", "received", "expires_at"],
            "properties": {
                "required": {"type": "integer"},
                "received": {"type": "integer"},
                "expires_at": {**_TIME, "type": ["string", "null"]},
            },
        },
        "note": {
            "type": "object",
            "description": "Why it is where it is: a stable code, with what belongs to it.",
            "required": ["code"],
            "properties": {"code": _TEXT, "detail": _TEXT, "reason": _TEXT, "status": {"type": "integer"}, "by": _ID},
        },
    },
}

DOCUMENT_EXAMPLE: Final[Json] = {
    "id": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "operation": "payments.create",
    "version": "v1",
    "state": "held",
    "execution": "none",
    "iso20022": "PATC",
    "sequence": 1,
    "revision": 1,
    "reference": None,
    "received_at": "2026-01-31T09:30:00Z",
    "updated_at": "2026-01-31T09:30:00Z",
    "reasons": [{"code": "over_threshold", "amount": "500000.01", "currency": "CNY", "threshold": "500000.00"}],
    "payload_hash": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "approvals": {"required": 2, "received": 0, "expires_at": "2026-02-07T09:30:00Z"},
}


def _header(description: str, schema: Json) -> Json:
    return {"description": description, "schema": schema}


HEADERS: Final[dict[str, Json]] = {
    "Location": _header("Where to follow the document.", {"type": "string", "format": "uri-reference"}),
    "Retry-After": _header("Seconds after which asking again may show something new.", {"type": "integer"}),
    "Document-Id": _header("The document of this call.", _ID),
    "Idempotent-Replayed": _header("`true` on the answer to a call that came before.", {"const": "true"}),
    "ETag": _header("Changes with every step of the document.", _TEXT),
    "Preference-Applied": _header("The wait that was granted (RFC 7240).", _TEXT),
}


def _parameter(name: str, description: str, *, required: bool = False, schema: Json | None = None, place: str = "header") -> Json:
    return {"name": name, "in": place, "required": required, "description": description, "schema": schema or _TEXT}


_KEY: Final = {"type": "string", "minLength": 1, "maxLength": 255}
_WHICH: Final = _parameter("id", msgid("The document's id."), required=True, schema=_ID, place="path")
_IF_MATCH: Final = _parameter("If-Match", msgid("The ETag that was read; another state of the document is then 412."))
_PREFER: Final = _parameter(
    "Prefer", msgid("`wait=30`: answer when the document changes, at the latest after so many seconds, 60 at most.")
)
_KNOWN: Final = _parameter("If-None-Match", msgid("The ETag that is known: 304 while nothing changed."))


def key_parameters(record: Record) -> list[Json]:
    """The headers by which a call says which earlier one it repeats, or which document it takes the place of."""
    found = []
    if record.writing.key is None:
        what = msgid("A new value for each new request, the same one for a retry.")
        found.append(_parameter("Idempotency-Key", what, required=record.idempotency == "required", schema=_KEY))
    if record.writing.rule is not None:
        what = msgid("The id of a held document that this one takes the place of.")
        found.append(_parameter("Supersedes", what, schema=_ID))
    return found


def following() -> Json:
    """The path item of a document: look, revise, recall."""
    body = {"required": True, "content": {"application/json": {"schema": {}}}}
    return {
        "get": _operation("get", msgid("A document, where it stands"), [_WHICH, _PREFER, _KNOWN])
        | {
            "responses": {
                "200": _seen("Retry-After", "Preference-Applied"),
                "304": {"description": msgid("Nothing changed.")},
                **_problems(),
            }
        },
        "put": _operation("revise", msgid("Another revision of a held document"), [_WHICH, _IF_MATCH])
        | {"requestBody": body, "responses": {"200": _seen(), **_problems("409", "412", "413", "415", "422")}},
        "delete": _operation("recall", msgid("Take a document back before it is sent"), [_WHICH, _IF_MATCH])
        | {"responses": {"200": _seen(), **_problems("409", "412")}},
    }


def _operation(name: str, summary: str, parameters: list[Json]) -> Json:
    return {"operationId": f"documents.{name}", "tags": ["documents"], "summary": summary, "parameters": parameters}


def _seen(*headers: str) -> Json:
    schema = {"$ref": "#/components/schemas/Document"}
    shown = {name: HEADERS[name] for name in ("ETag", *headers)}
    return {
        "description": msgid("The document."),
        "headers": shown,
        "content": {"application/json": {"schema": schema, "example": DOCUMENT_EXAMPLE}},
    }


def _problems(*statuses: str) -> Json:
    return {status: {"$ref": f"#/components/responses/{status}"} for status in ("400", "401", "404", *statuses, "429", "503")}
