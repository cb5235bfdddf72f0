"""What people read of documents. Values; accounts in them are masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.desk.refusals import Refusal
from gateway.documents.states import State

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """Immutable. One document in a list. Times are Unix seconds, amounts decimal text.

    :param payee: the payee's name, empty where nothing gives one and where there are several payments.
    :param account: of the one payee, masked; ``payments`` is how many there are, 0 when the document pays nobody.
    :param initiator: the natural person who asked, where one is known.
    :param reasons: why it is held, each with ``code``: see ``gateway.holding.REASONS``.
    :param votes: how many approvals count now.
    :param required: how many are needed; 0 for a document that was never held.
    :param expires_at: when nobody may vote any more, while it is held.
    :param may_vote: whether this person may agree now, for themselves or, see ``for_whom``, in the place of others.
    :param why_not: why this person may not.
    :param note: why it is where it is, a ``code`` with parameters.
    """

    id: str
    operation: str
    version: str
    satellite: str
    state: State
    revision: int
    amount: str
    currency: str
    payee: str
    account: str
    payments: int
    entity: str
    initiator: str | None
    reasons: tuple[Json, ...]
    votes: int
    required: int
    received_at: float
    updated_at: float
    expires_at: float | None
    escalated: bool
    reference: str | None
    note: Json | None
    may_vote: bool
    for_whom: tuple[str, ...]
    why_not: Refusal | None


@dataclass(frozen=True, slots=True)
class Voted:
    """Immutable. One vote; ``void`` says why it does not count now."""

    person: str
    decision: str
    revision: int
    at: float
    delegator: str | None
    method: str
    reason: str | None
    void: Refusal | None


@dataclass(frozen=True, slots=True)
class Attested:
    """Immutable. What an operator said became of the document."""

    person: str
    outcome: str
    reference: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Payment:
    """Immutable. Another document that pays, or paid, to an account of this one: ``line`` of it, by order."""

    document: str
    amount: str
    currency: str
    at: float
    state: State
    reference: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """Immutable. One field that differs. ``pointer`` is RFC 6901; a field that is not there is ``None``."""

    pointer: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Revision:
    """Immutable. A revision that was replaced, by whom and when, and what the next one changed."""

    revision: int
    editor: str
    at: float
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """Immutable. One audit entry of the document; ``at`` is RFC 3339 text."""

    at: str
    kind: str
    actor: str
    details: Json


@dataclass(frozen=True, slots=True)
class Detail:
    """Immutable. One document as one person sees it.

    :param facts: the manifest, what is signed.
    :param payload: the body as the satellite sent it, a JSON value; ``None`` when it is none.
    :param intact: whether body and facts still belong together; nobody can agree to a document that is not.
    :param siblings: what else goes to its accounts within the rule's window.
    :param history: the last documents to its accounts, newest first.
    :param can: what this person may do now: approve, reject, reveal, attest, replay, discard.
    :param why_not: for what of these concerns the document's state, why the person may not.
    """

    row: Row
    facts: Json
    revision: int
    payload_hash: str
    payload: object
    intact: bool
    siblings: tuple[Payment, ...]
    history: tuple[Payment, ...]
    revisions: tuple[Revision, ...]
    timeline: tuple[Entry, ...]
    votes: tuple[Voted, ...]
    attestations: tuple[Attested, ...]
    attachments: tuple[str, ...]
    reference: str | None
    iso20022: str
    can: frozenset[str]
    why_not: Mapping[str, Refusal]
