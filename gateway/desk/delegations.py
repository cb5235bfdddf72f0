"""Acting for somebody else: from one moment to another, by one step, never backwards in time.

A delegation gives the delegate the delegator's vote, not their roles; what it is worth is decided by ``approvals.quorum``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from gateway.approvals.compare import person_key
from gateway.desk.refusals import Refusal
from gateway.desk.sight import Viewer
from gateway.documents import tables
from gateway.documents.audit import timestamp
from gateway.documents.history import delegation_said
from gateway.documents.transaction import Transaction, storable

DAY: Final = 86400.0
MOST_DAYS: Final = 90
MOST_NAME: Final = 200

_G = tables.delegations


@dataclass(frozen=True, slots=True)
class Deputy:
    """Immutable. ``delegate`` may act for ``delegator`` from ``start`` until before ``end``, Unix seconds, unless it was taken
    back."""

    id: int
    delegator: str
    delegate: str
    start: float
    end: float
    revoked_at: float | None


def delegate(tx: Transaction, viewer: Viewer, to: str, start: float, end: float) -> Deputy:
    """Let ``to`` act for the viewer. A start that has passed is now: what was decided before stays as it was."""
    person = viewer.person
    if not viewer.delegates:
        raise Refusal("not_delegating", {"person": person.subject}).problem()
    name = storable(to.strip()) or ""
    if not person_key(name) or len(name) > MOST_NAME:
        raise Refusal("delegate_missing").problem()
    if person_key(name) == viewer.key:
        raise Refusal("delegate_oneself").problem()
    begins = max(start, tx.now)
    if not (begins < end <= tx.now + MOST_DAYS * DAY):
        raise Refusal("delegation_period", {"days": MOST_DAYS}).problem()
    row = {"tenant": person.tenant, "delegator": person.subject, "delegate": name, "starts_at": begins, "ends_at": end}
    made: int = tx.write(_G.insert().returning(_G.c.id), {**row, "revoked_at": None}).scalar_one()
    _seal(tx, made)
    period = {"start": timestamp(begins), "end": timestamp(end)}
    tx.audit("delegation.made", person.subject, number=made, to=name, tenant=person.tenant, **period)
    return Deputy(made, person.subject, name, begins, end, None)


def revoke(tx: Transaction, viewer: Viewer, number: int) -> None:
    """Take back a delegation of the viewer's own, from now on. Taking it back twice changes nothing more."""
    row = tx.connection.execute(select(_G).where(_G.c.id == number, _G.c.tenant == viewer.person.tenant)).one_or_none()
    if row is None or person_key(row.delegator) != viewer.key or not tx.sealed(row.seal, "delegation", *delegation_said(row)):
        raise Refusal("delegation_unknown").problem()
    if row.revoked_at is None and tx.now < row.ends_at:
        tx.write(_G.update().where(_G.c.id == number).values(revoked_at=tx.now))
        _seal(tx, number)
        tx.audit("delegation.revoked", viewer.person.subject, number=number, to=row.delegate, tenant=viewer.person.tenant)


def _seal(tx: Transaction, number: int) -> None:
    """Over the row as the database now has it."""
    row = tx.connection.execute(select(_G).where(_G.c.id == number)).one()
    tx.write(_G.update().where(_G.c.id == number).values(seal=tx.seal("delegation", *delegation_said(row))))


def delegations(connection: Connection, viewer: Viewer) -> list[Deputy]:
    """Those the viewer gave or was given that are not over, newest first."""
    current = (_G.c.tenant == viewer.person.tenant, _G.c.ends_at > viewer.now, _G.c.revoked_at.is_(None))
    query = select(_G).where(*current).order_by(_G.c.id.desc())
    found = [
        Deputy(row.id, row.delegator, row.delegate, row.starts_at, row.ends_at, row.revoked_at)
        for row in connection.execute(query)
    ]
    return [deputy for deputy in found if viewer.key in (person_key(deputy.delegator), person_key(deputy.delegate))]
