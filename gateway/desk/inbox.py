"""Lists of documents: what waits for a person, what they wait for, what is done, and for operators what is stuck.

Newest first. Whether a person may vote is no condition a database can check, so documents are read in chunks and judged one by
one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from gateway.desk.sight import Item, Viewer, items, rows, shown
from gateway.desk.views import Row
from gateway.documents import tables
from gateway.documents.states import FINAL, State
from gateway.holding import Ballot

Box = Literal["mine", "escalated", "waiting", "done"]

CHUNK = 200
STUCK = 300.0
"""Seconds without a step after which a document that only has to be sent is stuck."""

WAITING: Final = (State.HELD, State.APPROVED, State.QUEUED, State.SENDING, State.UNKNOWN, State.MANUAL, State.DEAD)
MOVING: Final = (State.APPROVED, State.QUEUED, State.SENDING)
TROUBLED: Final = (State.DEAD, State.MANUAL, State.UNKNOWN, *MOVING)

_D = tables.documents
_V = tables.votes


def inbox(connection: Connection, viewer: Viewer, box: Box, limit: int, before: float | None) -> list[Row]:
    """One box of one person. A page may be longer than ``limit`` so that documents of one moment stay together: ``before`` is the
    ``received_at`` of the last row of the page before."""
    held = _D.c.state == State.HELD.value
    if box == "mine":
        return _page(connection, viewer, [held], limit, before, keep=lambda row: row.may_vote)
    if box == "escalated":
        return _page(connection, viewer, [held], limit, before, choose=lambda ballot: _escalated(viewer, ballot))
    states = WAITING if box == "waiting" else tuple(FINAL)
    return _page(connection, viewer, [_D.c.state.in_(_values(states)), _theirs(viewer)], limit, before)


def troubled(
    connection: Connection, viewer: Viewer, states: Sequence[State] | None, limit: int, before: float | None
) -> list[Row]:
    """Documents in these states; without any named, those somebody has to look at."""
    conditions: list[ColumnElement[bool]] = [_D.c.state.in_(_values(TROUBLED if states is None else states))]
    if states is None:
        conditions.append(or_(_D.c.state.not_in(_values(MOVING)), _D.c.updated_at <= viewer.now - STUCK))
    return _page(connection, viewer, conditions, limit, before)


def _page(
    connection: Connection,
    viewer: Viewer,
    conditions: Sequence[ColumnElement[bool]],
    limit: int,
    before: float | None,
    *,
    choose: Callable[[Ballot | None], bool] = lambda ballot: True,
    keep: Callable[[Row], bool] = lambda row: True,
) -> list[Row]:
    found: list[Row] = []
    for chunk in _chunks(connection, viewer, conditions, before):
        ballots = viewer.ballots(connection, chunk)
        seen = [item for item in chunk if viewer.sees(item, ballots.get(item.id)) and choose(ballots.get(item.id))]
        for row in rows(connection, viewer, seen, ballots):
            if not keep(row):
                continue
            if len(found) >= limit and row.received_at != found[-1].received_at:
                return found
            found.append(row)
    return found


def _chunks(
    connection: Connection, viewer: Viewer, conditions: Sequence[ColumnElement[bool]], before: float | None
) -> Iterator[list[Item]]:
    query = shown().where(_D.c.tenant == viewer.person.tenant, *conditions).order_by(_D.c.received_at.desc(), _D.c.id.desc())
    after = [] if before is None else [_D.c.received_at < before]
    while chunk := items(connection, query.where(*after).limit(CHUNK)):
        yield chunk
        last = chunk[-1]
        after = [or_(_D.c.received_at < last.received_at, and_(_D.c.received_at == last.received_at, _D.c.id < last.id))]


def _escalated(viewer: Viewer, ballot: Ballot | None) -> bool:
    return ballot is not None and ballot.question.escalated in viewer.own


def _theirs(viewer: Viewer) -> ColumnElement[bool]:
    """Documents the person asked for or voted on, as far as a database can tell two spellings of a name to be one."""
    subject, key = viewer.person.subject, viewer.key
    voted = select(_V.c.document).where(or_(_V.c.person == subject, func.lower(_V.c.person) == key))
    return or_(_D.c.initiator == subject, func.lower(_D.c.initiator) == key, _D.c.id.in_(voted))


def _values(states: Iterable[State]) -> list[str]:
    return [state.value for state in states]
