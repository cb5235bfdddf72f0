"""What a unit of the ledger works with: a transaction it does not own, the head of the audit chain, and the work it leaves.

Audit entries and work are gathered and written together just before the commit, as many rows a statement as there are.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Executable, bindparam, select
from sqlalchemy.engine import CursorResult

from gateway.documents import tables
from gateway.documents.audit import Head, Sealed, seal
from gateway.documents.seals import Value, seal_of, sealed

Json = dict[str, Any]

MESSAGES: Final = ("ask", "remind", "escalate", "alarm", "message", "callback")
"""Kinds of work that tell somebody something. They stay when a document moves on."""

_W = tables.work
_HEAD = select(tables.chain.c.seq, tables.chain.c.hash).with_for_update()
_MOVE = tables.chain.update().values(seq=bindparam("seq"), hash=bindparam("hash"))
_ENTRIES = tables.audit.insert().inline()
_FILE = tables.decisions.insert().inline()
_PUT = _W.insert().inline()
_CLEAR = _W.delete().where(_W.c.document.in_(bindparam("documents", expanding=True)), _W.c.kind.not_in(MESSAGES))


class Todo(NamedTuple):
    """Work to be written down: what, when (Unix time), about which document. ``data`` holds JSON values."""

    kind: str
    at: float
    document: str | None
    data: Json | None = None


@dataclass(slots=True)
class Transaction:
    """What a unit works with. ``now`` is Unix time, one for the whole commit. ``connection`` is for reading; work left in this
    very commit shows there only after ``settle``. ``work`` is whether some of what is left can be done at once."""

    connection: Connection
    now: float
    head: Head
    key: bytes
    entries: list[Sealed] = field(default_factory=list)
    filed: list[Json] = field(default_factory=list)
    todos: list[Todo] = field(default_factory=list)
    cleared: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    work: bool = False
    dirty: bool = False

    @classmethod
    def begun(cls, connection: Connection, now: float, key: bytes) -> Transaction:
        """Take the head of the chain, which on PostgreSQL is what keeps all other writers out."""
        row = connection.execute(_HEAD).one()
        return cls(connection, now, Head(row.seq, row.hash), key)

    def write(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Execute what changes something."""
        self.dirty = True
        return self.connection.execute(statement, parameters)

    def audit(self, kind: str, actor: str, *, document: str | None = None, **details: object) -> None:
        """Add an entry to the chain; it commits with everything else the unit does, or not at all. ``details`` are JSON values
        without fractions. Raises ``ValueError`` for others."""
        self.dirty = True
        entry = seal(self.head, self.key, at=self.now, kind=kind, actor=actor, document=document, details=details)
        self.head = Head(entry.seq, entry.hash)
        self.entries.append(entry)

    def seal(self, kind: str, *values: Value) -> str:
        """The seal of a row that says so."""
        return seal_of(self.key, kind, *values)

    def sealed(self, given: str, kind: str, *values: Value) -> bool:
        return sealed(self.key, given, kind, *values)

    def file(self, row: Json) -> None:
        """Add a row of ``decisions`` for the entry that was added last."""
        self.filed.append({**row, "seq": self.head.seq})

    def leave(self, todos: list[Todo]) -> None:
        """Leave work to be done."""
        self.dirty = True
        self.work = self.work or any(todo.at <= self.now for todo in todos)
        self.todos += todos

    def clear(self, document: str) -> None:
        """Take back a document's timers and sends, those of this transaction too. Messages stay."""
        self.dirty = True
        self.todos = [todo for todo in self.todos if todo.document != document or todo.kind in MESSAGES]
        self.cleared.add(document)

    def settle(self) -> None:
        """Write what was left and cleared so far, for somebody who is about to read ``work``."""
        if self.cleared:
            self.connection.execute(_CLEAR, {"documents": sorted(self.cleared)})
            self.cleared = set()
        if self.todos:
            self.connection.execute(_PUT, [_row(todo) for todo in self.todos])
            self.todos = []

    def flush(self) -> None:
        """Write work, entries and the new head. The last thing before the commit."""
        self.settle()
        if self.entries:
            rows = [{"seq": e.seq, "entry": e.entry, "document": e.document, "hash": e.hash, "mac": e.mac} for e in self.entries]
            self.connection.execute(_ENTRIES, rows)
            self.connection.execute(_MOVE, {"seq": self.head.seq, "hash": self.head.hash})
        if self.filed:
            self.connection.execute(_FILE, self.filed)

    def attempt(self) -> Transaction:
        """A copy to try a unit on that may fail; the original stays what it was."""
        return replace(
            self,
            entries=[*self.entries],
            filed=[*self.filed],
            todos=[*self.todos],
            cleared={*self.cleared},
            touched={*self.touched},
            dirty=False,
        )


def _row(todo: Todo) -> Json:
    return {
        "document": todo.document,
        "kind": todo.kind,
        "at": todo.at,
        "attempts": 0,
        "data": json.dumps(todo.data or {}),
        "problem": None,
    }


# --- text of others ---------------------------------------------------------------------------------------------------------

_UNSTORABLE = re.compile(r"[\\\x00\ud800-\udfff]")
_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")


def storable(text: str | None) -> str | None:
    """Text of others without what a database refuses, NUL and lone surrogates; no two texts become the same."""
    return text and _UNSTORABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def restored(text: str | None) -> str | None:
    return text and _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
