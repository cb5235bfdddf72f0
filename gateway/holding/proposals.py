"""A change of policy as a document: what is proposed, what a second person is asked, and the last look before it goes live.

The body names the files by their digest and holds everything the decision depends on; it is bound to the audit chain, and votes
to its manifest. Nothing of the hold is believed at the end: who proposed is read from the body, and how many must agree here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import orjson
import structlog
from sqlalchemy import Connection, select

from gateway.approvals.facts import manifest_hash, payload_hash
from gateway.approvals.messages import msgid
from gateway.documents import tables
from gateway.documents.records import Document, Hold, Request, Terms, find
from gateway.documents.states import State
from gateway.errors import BadRequest
from gateway.holding.ballot import Ballot, ballots, value_of
from gateway.people import POLICY_ACTIVATE
from gateway.policy.index import PolicyIndex
from gateway.policy.roles import Roles

CONSOLE: Final = "(console)"
"""Where such a document comes from. No satellite can be called so, and none is told of it."""

TERMS: Final = Terms()
REQUIRED: Final = 1
"""How many must agree beside the one who proposed."""
EXPIRES: Final = 72 * 3600.0
REMIND: Final = 24 * 3600.0
EXECUTE_WITHIN: Final = 3600.0
"""Seconds from the last vote to the moment at which it is not put live any more."""

REASON: Final = "policy_change"
REASONS: Final[Mapping[str, str]] = {REASON: msgid("A change of policy needs a second person.")}

OBJECTIONS: Final[Mapping[str, str]] = {
    "base_changed": msgid("Another policy went live since this one was proposed. Propose it anew."),
    "not_fit": msgid("It does not fit the routes that are live now, or fails its tests."),
    "not_kept": msgid("The files that were proposed are not what is kept."),
    "broken": msgid("It could not be put live; the log says why."),
}
"""English sentences by code, for gettext, beside those of payments."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Immutable. What is proposed: the digests of the files and of those they were compared with, by whom, and what a second
    person is told of it.

    :param gained: who may do what that they could not, counted; ``lost`` the same the other way; ``None`` where nobody counted.
    :param tests: how many tests of its own it passed.
    :param after: the number of the activation it was compared with. The same files may be live again later; what was agreed to
        before must not count then.
    """

    digest: str
    base: str
    proposed_by: str
    summary: str
    tests: int
    gained: int | None = None
    lost: int | None = None
    after: int = 0

    def value(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def of(cls, document: Document) -> Proposal:
        """The proposal in a document's body. Raises ``ValueError``."""
        try:
            value = value_of(document)
            proposal = cls(**value) if isinstance(value, dict) else None
        except (BadRequest, TypeError) as error:
            raise ValueError("this is no proposal") from error
        if proposal is None or any(type(said) is not str for said in (proposal.digest, proposal.base, proposal.proposed_by)):
            raise ValueError("this is no proposal")
        return proposal

    def document(self, id_: str, tenant: str, roles: tuple[str, ...], now: float) -> Document:
        """The document that asks for a second person."""
        body = orjson.dumps(self.value())
        request = Request("POST", "/policy", "", {}, "application/json", body)
        return Document(
            id=id_,
            operation=POLICY_ACTIVATE,
            version="",
            satellite=CONSOLE,
            tenant=tenant,
            roles=roles,
            state=State.RECEIVED,
            seq=0,
            revision=1,
            delivery="queued",
            key=None,
            fingerprint=payload_hash(self.value()),
            request=request,
            received_at=now,
            updated_at=now,
            hold=self.hold(now),
        )

    def hold(self, now: float) -> Hold:
        """What the second person is asked."""
        shown = {**self.value(), "revision": 1, "target": "policy", "initiator": self.proposed_by, "attachments": []}
        shown["payload"] = payload_hash(self.value())
        return Hold(
            rule=POLICY_ACTIVATE,
            required=REQUIRED,
            approvers=POLICY_ACTIVATE,
            reasons=({"code": REASON},),
            facts=shown,
            payload_hash=manifest_hash(shown),
            initiator=self.proposed_by,
            editors=(),
            expires_at=now + EXPIRES,
            remind_at=now + REMIND,
            remind_every=REMIND,
            escalate_at=None,
            escalate_to=None,
            execute_within=EXECUTE_WITHIN,
        )


log = structlog.get_logger()

_D = tables.documents
_OPEN = select(_D.c.id).where(_D.c.operation == POLICY_ACTIVATE, _D.c.state.in_([State.HELD.value, State.APPROVED.value]))


def proposals(connection: Connection) -> list[Document]:
    """Those that are not decided or not live yet, oldest first."""
    ids = connection.execute(_OPEN.order_by(_D.c.received_at, _D.c.id)).scalars().all()
    return [document for id_ in ids if (document := _readable(connection, id_)) is not None]


def _readable(connection: Connection, id_: str) -> Document | None:
    """A row somebody else wrote must not keep every other proposal from being decided."""
    try:
        return find(connection, id_)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        log.error("document.tampered", document=id_, operation=POLICY_ACTIVATE, exc_info=error)
        return None


def is_proposal(document: Document) -> bool:
    """Whether a document came from the console as a proposal: nobody else's may be taken for one."""
    return (document.operation, document.version, document.satellite) == (POLICY_ACTIVATE, "", CONSOLE)


def ballot_of(connection: Connection, document: Document, proposal: Proposal, policy: PolicyIndex) -> Ballot:
    """The votes on a proposal, under what it itself says and not what its hold says."""
    key = (document.id, document.revision, document.received_at, proposal.hold(document.received_at))
    return ballots(connection, [key], document.tenant, Roles(policy, document.tenant), policy)[document.id]
