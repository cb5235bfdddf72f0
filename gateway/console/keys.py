"""Security keys: WebAuthn credentials people register, and approvals signed with them (W3C Web Authentication Level 3).

What a key signs is the decision itself: the challenge is a hash over a number used once and over document, revision, payload
hash and decision, so an answer fits one decision and no other. The number is kept in the session and taken once. py_webauthn
verifies.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, select
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from gateway.approvals.messages import msgid
from gateway.console.sessions import Session, Sessions
from gateway.documents.ledger import Ledger
from gateway.documents.tables import credentials
from gateway.documents.transaction import Transaction
from gateway.errors import Forbidden, Unprocessable
from gateway.people import Person

ANSWER_WITHIN = 300.0
"""Seconds between a challenge and its answer."""

MOST_KEYS = 10
REFUSED = msgid("The security key's answer does not fit this decision. Nothing was recorded.")


@dataclass(frozen=True, slots=True)
class Key:
    """Immutable. One registered key. ``id`` is base64url without padding."""

    id: str
    name: str
    public_key: bytes
    sign_count: int
    created_at: float

    @property
    def descriptor(self) -> PublicKeyCredentialDescriptor:
        return PublicKeyCredentialDescriptor(id=_decode(self.id))


@dataclass(frozen=True, slots=True)
class Decision:
    """Immutable. What a key is asked to sign."""

    document: str
    revision: int
    payload_hash: str
    decision: str

    def challenge(self, number: str) -> bytes:
        """32 bytes that fit this decision and this number only."""
        text = json.dumps(["erp-gateway", number, self.document, self.revision, self.payload_hash, self.decision])
        return hashlib.sha256(text.encode()).digest()


class Keys:
    """The keys of all people."""

    def __init__(self, ledger: Ledger, sessions: Sessions) -> None:
        self._ledger = ledger
        self._sessions = sessions

    async def of(self, person: Person) -> list[Key]:
        """The keys somebody has, oldest first. Whether one is what was registered is asked when it decides: a row that somebody
        spoilt must not make its owner one who has none."""

        def look(connection: Connection) -> list[Key]:
            c = credentials.c
            query = select(credentials).where(c.person == person.subject, c.revoked.is_(False)).order_by(c.created_at)
            return [
                Key(row.id, row.name, bytes(row.public_key), row.sign_count, row.created_at) for row in connection.execute(query)
            ]

        return await self._ledger.read(look)

    # --- registering -----------------------------------------------------------------------------------------------------

    async def registration(self, session: Session, origin: str, now: float) -> dict[str, Any]:
        """Options for ``navigator.credentials.create``, as JSON."""
        number = await self._ask(session, "registration", now)
        person = session.person
        options = generate_registration_options(
            rp_id=rp_id(origin),
            rp_name="ERP Gateway",
            user_id=hashlib.sha256(f"{person.tenant}\0{person.subject}".encode()).digest(),
            user_name=person.subject,
            user_display_name=person.name,
            challenge=_decode(number),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.DISCOURAGED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[key.descriptor for key in await self.of(person)],
        )
        return _json(options)

    async def register(self, session: Session, answer: str, name: str, origin: str, now: float) -> None:
        """Keep a new key. Raises ``Forbidden`` when its answer is not good."""
        number = await self._asked(session, "registration", now)
        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=_decode(number),
                expected_rp_id=rp_id(origin),
                expected_origin=origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError) as error:
            raise Forbidden(REFUSED) from error
        id_, person = _encode(made.credential_id), session.person.subject
        row: dict[str, Any] = {
            "id": id_,
            "person": person,
            "name": name[:100] or id_[:8],
            "public_key": made.credential_public_key,
        }
        row |= {"sign_count": made.sign_count, "revoked": False}

        def unit(tx: Transaction) -> None:
            c = credentials.c
            held = tx.connection.execute(select(c.id).where(c.person == person, c.revoked.is_(False))).all()
            if len(held) >= MOST_KEYS or tx.connection.execute(select(c.id).where(c.id == id_)).first():
                raise Unprocessable(msgid("This key cannot be registered once more."))
            seal = tx.seal("key", id_, person, row["public_key"], row["sign_count"])
            tx.write(credentials.insert(), {**row, "created_at": tx.now, "seal": seal})
            tx.audit("key.registered", person, key=id_)

        await self._ledger.write(unit)

    async def remove(self, person: Person, id_: str) -> None:
        """Never let a key be used again. Nothing happens when it is somebody else's."""

        def unit(tx: Transaction) -> None:
            c = credentials.c
            mine = credentials.update().where(c.id == id_, c.person == person.subject, c.revoked.is_(False))
            if tx.write(mine, {"revoked": True, "seal": ""}).rowcount:
                tx.audit("key.removed", person.subject, key=id_)

        await self._ledger.write(unit)

    # --- deciding --------------------------------------------------------------------------------------------------------

    async def question(
        self, session: Session, decision: Decision, held: Sequence[Key], origin: str, now: float
    ) -> dict[str, Any]:
        """Options for ``navigator.credentials.get``, as JSON."""
        number = await self._ask(session, "decision", now)
        options = generate_authentication_options(
            rp_id=rp_id(origin),
            challenge=decision.challenge(number),
            allow_credentials=[key.descriptor for key in held],
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return _json(options)

    async def check(self, session: Session, decision: Decision, answer: str, origin: str, now: float) -> None:
        """That a key of this person signed this decision just now, in the person's presence. Raises ``Forbidden``."""
        number = await self._asked(session, "decision", now)
        key = await self._named(session.person, answer)
        try:
            verified = verify_authentication_response(
                credential=answer,
                expected_challenge=decision.challenge(number),
                expected_rp_id=rp_id(origin),
                expected_origin=origin,
                credential_public_key=key.public_key,
                credential_current_sign_count=key.sign_count,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError) as error:
            raise Forbidden(REFUSED) from error
        await self._count(key, verified.new_sign_count)

    async def _named(self, person: Person, answer: str) -> Key:
        try:
            id_ = str(json.loads(answer)["id"]).rstrip("=")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Forbidden(REFUSED) from error
        for key in await self.of(person):
            if key.id == id_:
                return key
        raise Forbidden(REFUSED)

    async def _count(self, key: Key, count: int) -> None:
        """The counter never goes back, whatever answers arrive at the same time: a copied key would be behind (section 6.1.1)."""

        def unit(tx: Transaction) -> None:
            c = credentials.c
            row = tx.connection.execute(select(credentials).where(c.id == key.id, c.revoked.is_(False))).one_or_none()
            if row is None or not tx.sealed(row.seal, "key", *_said(row)):
                raise Forbidden(REFUSED)
            if (count or row.sign_count) and count <= row.sign_count:
                raise Forbidden(REFUSED)
            seal = tx.seal("key", row.id, row.person, bytes(row.public_key), count)
            tx.write(credentials.update().where(c.id == key.id), {"sign_count": count, "seal": seal})

        await self._ledger.write(unit)

    # --- challenges ------------------------------------------------------------------------------------------------------

    async def _ask(self, session: Session, purpose: str, now: float) -> str:
        number = secrets.token_urlsafe(32)
        await self._sessions.remember(session, purpose, {"number": number, "at": now})
        return number

    async def _asked(self, session: Session, purpose: str, now: float) -> str:
        asked = await self._sessions.take(session, purpose)
        if asked is None or not 0 <= now - asked["at"] <= ANSWER_WITHIN:
            raise Forbidden(REFUSED)
        return str(asked["number"])


def _said(row: Row[Any]) -> tuple[str, str, bytes, int]:
    """What the seal of a key is about. One that was removed has none, so nobody brings it back."""
    return (row.id, row.person, bytes(row.public_key), row.sign_count)


def rp_id(origin: str) -> str:
    """The name keys are bound to: the host people see."""
    return urlsplit(origin).hostname or ""


def usable(origin: str) -> bool:
    """Whether browsers let keys be used here: by a name, not by an address (section 5.1.3)."""
    host = rp_id(origin)
    return not host.replace(".", "").isdigit() and ":" not in host


def _json(options: Any) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(options_to_json(options))
    return value


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
