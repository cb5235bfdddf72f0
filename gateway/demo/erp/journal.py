"""The append-only journal: every business request the ERP accepted or refused, exactly as it saw it.

Tests ask it what really arrived. An entry is written when the request has been decided and before the answer leaves, so a lost
answer leaves its trace. ``seq`` counts from 1 and has no gaps, also when a limit makes the journal forget its oldest entries.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import IO, Literal

from gateway.demo.erp.books import Fields

Outcome = Literal["booked", "refused", "read"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and what became of it.

    :param at: UTC, RFC 3339.
    :param reason: why it was refused: the code of a declared refusal, or that of an undeclared fault (``Client`` …).
    :param operation_id: the request's ``X-Operation-Id``, if any.
    :param request: the fields as received, lexical forms kept.
    :param raw: the request body as text; for a read without a body, the request target.
    :param headers: every request header, in order.
    """

    seq: int
    at: str
    service: str
    operation: str
    outcome: Outcome
    reason: str
    operation_id: str | None
    request: Fields
    raw: str
    headers: list[tuple[str, str]]
    answer: str

    def document(self) -> dict[str, object]:
        fields = asdict(self)
        return {"operationId" if name == "operation_id" else name: value for name, value in fields.items()}


class Journal:
    """:param limit: how many entries to keep in memory. :param file: receives each entry as one line of JSON, flushed."""

    def __init__(self, *, limit: int | None = None, file: IO[str] | None = None) -> None:
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._file = file
        self._seq = 0

    def add(
        self,
        *,
        service: str,
        operation: str,
        outcome: Outcome,
        reason: str,
        request: Fields,
        raw: bytes,
        headers: list[tuple[bytes, bytes]],
        answer: bytes,
    ) -> None:
        self._seq += 1
        names = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        entry = Entry(
            seq=self._seq,
            at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            service=service,
            operation=operation,
            outcome=outcome,
            reason=reason,
            operation_id=next((value for name, value in names if name == "x-operation-id"), None),
            request=request,
            raw=raw.decode("utf-8", "replace"),
            headers=names,
            answer=answer.decode("utf-8", "replace"),
        )
        self._entries.append(entry)
        if self._file:
            self._file.write(json.dumps(entry.document(), ensure_ascii=False) + "\n")
            self._file.flush()

    def since(self, seq: int = 0) -> list[dict[str, object]]:
        """The entries with a higher ``seq``, oldest first."""
        return [entry.document() for entry in self._entries if entry.seq > seq]
