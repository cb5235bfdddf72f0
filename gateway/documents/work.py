"""Work to do: sends, probes, timers, messages, callbacks. Whoever claims a piece has it for a while; what it comes to is recorded
in the transaction that deletes it, so nothing is done twice and nothing is forgotten with a process.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import Connection, Row, bindparam, select

from gateway.documents import tables
from gateway.documents.transaction import Json, Todo, Transaction, storable

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to do, claimed. Once done it is deleted in the transaction that records the outcome."""

    id: int
    document: str | None
    kind: str
    at: float
    attempts: int
    data: Json = field(default_factory=dict)


_W = tables.work
_DUE = (
    select(_W)
    .where(_W.c.at <= bindparam("now"), _W.c.kind.in_(bindparam("kinds", expanding=True)))
    .order_by(_W.c.at, _W.c.id)
    .limit(bindparam("limit"))
)
_CLAIM = (
    _W.update().where(_W.c.id.in_(bindparam("ids", expanding=True))).values(at=bindparam("until"), attempts=_W.c.attempts + 1)
)
_FINISH = _W.delete().where(_W.c.id == bindparam("work"))
_POSTPONE = _W.update().where(_W.c.id == bindparam("work")).values(at=bindparam("again"), problem=bindparam("why"))
_NEXT = select(_W.c.at).where(_W.c.kind.in_(bindparam("kinds", expanding=True))).order_by(_W.c.at).limit(1)


def put(tx: Transaction, todos: Sequence[Todo]) -> None:
    """Leave work to be done, written just before the commit."""
    if todos:
        tx.leave(list(todos))


def claim(tx: Transaction, kinds: Sequence[str], *, lease: float, limit: int) -> list[Work]:
    """What is due, earliest first, now invisible to others for ``lease`` seconds. Whoever dies leaves it to be claimed again."""
    tx.settle()
    rows = tx.connection.execute(_DUE, {"now": tx.now, "kinds": list(kinds), "limit": limit}).all()
    if rows:
        tx.write(_CLAIM, {"ids": [row.id for row in rows], "until": tx.now + lease})
    return [work for row in rows if (work := _read(row)) is not None]


def _read(row: Row[Any]) -> Work | None:
    """A row as it was written. One that somebody spoilt is left until its claim runs out, and keeps nobody else waiting."""
    try:
        return Work(row.id, row.document, row.kind, row.at, row.attempts + 1, dict(json.loads(row.data)))
    except (ValueError, TypeError) as error:
        log.error("work.unreadable", work=row.id, kind=row.kind, document=row.document, cause=str(error))
        return None


def finish(tx: Transaction, work: Work) -> bool:
    """Delete a piece of work that is done; false when it was gone already, and then its outcome must not count."""
    if work.document in tx.cleared:
        tx.settle()
    return bool(tx.write(_FINISH, {"work": work.id}).rowcount)


def postpone(tx: Transaction, work: Work, seconds: float, problem: str) -> None:
    """Try again later; ``problem`` is shown to operators and holds no payload."""
    tx.write(_POSTPONE, {"work": work.id, "again": tx.now + seconds, "why": storable(problem[:500])})


def next_due(connection: Connection, kinds: Sequence[str]) -> float | None:
    """When the earliest work of these kinds is due."""
    found: float | None = connection.execute(_NEXT, {"kinds": list(kinds)}).scalar()
    return found
