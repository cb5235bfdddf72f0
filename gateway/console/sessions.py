"""People signed in to the console: rows of the ledger's table ``sessions``, found by a cookie.

The cookie's value is 256 random bits and only its SHA-256 is kept, so the ledger opens no session; a row without the gateway's
seal is none, so whoever writes to the ledger opens none either. Signing in, and proving again
to be there, always make a new value; a session ends when it was idle, when it is old, and at once when the person signs out.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, or_, select

from gateway.documents.ledger import Ledger
from gateway.documents.tables import sessions
from gateway.documents.transaction import Transaction
from gateway.people import Person
from gateway.ports import Clock

TOUCH_EVERY = 30.0
"""Seconds between two notes that a session is in use; each one is a commit."""


@dataclass(frozen=True, slots=True)
class Session:
    """Immutable. Somebody signed in.

    :param token: the cookie's value.
    :param authenticated_at: when the person last proved to be there, Unix seconds; 0 when nobody knows.
    :param data: what the console remembers between two requests: JSON values.
    """

    token: str = field(repr=False)
    person: Person
    created_at: float
    seen_at: float
    authenticated_at: float
    data: Mapping[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        return _hashed(self.token)

    @property
    def csrf(self) -> str:
        """What every form of this session carries: derived from the cookie's value, which other sites cannot read."""
        digest = hmac.digest(self.token.encode(), b"csrf", "sha256")
        return urlsafe_b64encode(digest).rstrip(b"=").decode()

    def owns(self, csrf: str) -> bool:
        return hmac.compare_digest(self.csrf.encode(), csrf.encode("utf-8", "replace"))


class Sessions:
    """``idle`` and ``lifetime`` are seconds."""

    def __init__(self, ledger: Ledger, clock: Clock, *, idle: float, lifetime: float) -> None:
        self._ledger = ledger
        self._clock = clock
        self._idle = idle
        self._lifetime = lifetime

    async def open(
        self, person: Person, authenticated_at: float, *, instead_of: Session | None = None, data: Mapping[str, Any] | None = None
    ) -> Session:
        """Sign somebody in, or, ``instead_of`` a session, somebody who proved again to be there: that keeps its age and nothing
        else."""
        token = secrets.token_urlsafe(32)

        def unit(tx: Transaction) -> Session:
            self._forget(tx, instead_of)
            created_at = instead_of.created_at if instead_of else tx.now
            opened = Session(token, person, created_at, tx.now, min(authenticated_at, tx.now), dict(data or {}))
            row = _row(opened)
            tx.write(sessions.insert(), {**row, "seal": tx.seal("session", *_said(row))})
            kind = "person.confirmed" if instead_of else "person.signed_in"
            tx.audit(kind, person.subject, method=person.method, tenant=person.tenant)
            return opened

        return await self._ledger.write(unit)

    async def find(self, token: str, *, touch: bool) -> Session | None:
        """The session a cookie opens, if it is still one. ``touch`` says that a person, not a page by itself, is at work."""
        if not 40 <= len(token) <= 64:
            return None
        now = self._clock.now()

        def look(connection: Connection) -> Session | None:
            row = connection.execute(select(sessions).where(sessions.c.id == _hashed(token))).mappings().one_or_none()
            if row is None or not self._ledger.sealed(row["seal"], "session", *_said(row)):
                return None
            return _session(token, row)

        found = await self._ledger.read(look)
        if found is None or now - found.seen_at >= self._idle or now - found.created_at >= self._lifetime:
            return None
        if touch and now - found.seen_at >= min(TOUCH_EVERY, self._idle / 2):
            await self._ledger.write(lambda tx: self._update(tx, found, {"seen_at": tx.now}))
        return found

    async def close(self, session: Session) -> None:
        """Sign out."""

        def unit(tx: Transaction) -> None:
            self._forget(tx, session)
            tx.audit("person.signed_out", session.person.subject)

        await self._ledger.write(unit)

    async def remember(self, session: Session, name: str, value: object) -> None:
        """Keep a JSON value for a later request of this session."""

        def unit(tx: Transaction) -> None:
            self._change(tx, session, {name: value})

        await self._ledger.write(unit)

    async def take(self, session: Session, name: str) -> Any:
        """What was remembered, once: however many ask at the same time, one of them gets it. ``None`` for the others."""
        return await self._ledger.write(lambda tx: self._change(tx, session, {name: None}).get(name))

    def _change(self, tx: Transaction, session: Session, changes: Mapping[str, object]) -> dict[str, Any]:
        """Returns the data before the change."""
        row = tx.connection.execute(select(sessions).where(sessions.c.id == session.id)).mappings().one_or_none()
        if row is None or not tx.sealed(row["seal"], "session", *_said(row)):
            return {}
        before: dict[str, Any] = json.loads(row["data"])["data"]
        after = {name: value for name, value in {**before, **changes}.items() if value is not None}
        changed = {**row, "data": _data(session.person, after)}
        self._update(tx, session, {"data": changed["data"], "seal": tx.seal("session", *_said(changed))})
        return before

    def _update(self, tx: Transaction, session: Session, values: Mapping[str, object]) -> None:
        tx.write(sessions.update().where(sessions.c.id == session.id), dict(values))

    def _forget(self, tx: Transaction, session: Session | None) -> None:
        """One session, and with it all that are over."""
        over = or_(sessions.c.seen_at < tx.now - self._idle, sessions.c.created_at < tx.now - self._lifetime)
        which = over if session is None else or_(over, sessions.c.id == session.id)
        tx.write(sessions.delete().where(which))


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _data(person: Person, data: Mapping[str, Any]) -> str:
    who = {"name": person.name, "tenant": person.tenant, "roles": person.roles, "method": person.method}
    return json.dumps({"person": who, "data": dict(data)}, ensure_ascii=False)


def _row(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "person": session.person.subject,
        "data": _data(session.person, session.data),
        "created_at": session.created_at,
        "seen_at": session.seen_at,
        "authenticated_at": session.authenticated_at,
    }


def _said(row: Mapping[str, Any] | RowMapping) -> tuple[Any, ...]:
    """What a row's seal is about: all but when it was last used."""
    return (row["id"], row["person"], row["data"], float(row["created_at"]), float(row["authenticated_at"]))


def _session(token: str, row: RowMapping) -> Session:
    kept = json.loads(row["data"])
    who = kept["person"]
    person = Person(row["person"], who["name"], who["tenant"], tuple(who["roles"]), who["method"])
    return Session(token, person, row["created_at"], row["seen_at"], row["authenticated_at"], kept["data"])
