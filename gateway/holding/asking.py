"""When a document is held, and what people are then asked, until when.

The rule decides over the document and over what else goes to the same accounts, read in the unit that records the document, so
that two payments handed in at once cannot each pass as the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from gateway.approvals.compare import person_key
from gateway.approvals.facts import Facts, manifest, manifest_hash
from gateway.approvals.file import Approvals, Rule
from gateway.approvals.messages import msgid
from gateway.approvals.rules import MESSAGES, Reason, Sibling, evaluate, to_json
from gateway.documents.records import Hold, Payee, siblings
from gateway.errors import FieldError, Unprocessable

Json = dict[str, Any]

INITIATOR_UNKNOWN = "initiator_unknown"

REASONS: Mapping[str, str] = {
    **MESSAGES,
    INITIATOR_UNKNOWN: msgid("Nobody vouches for who asked for this payment, so nobody is kept out as the one who did."),
}
"""English sentences by the code of a hold's reason, for gettext; their parameters are the reason's other members."""

MOST_NAME = 200
MOST_KEY = 300
"""What the ledger's columns take."""

_CHUNK = 1000


def admit(
    connection: Connection,
    rule: Rule,
    facts: Facts,
    *,
    operation: str,
    tenant: str,
    now: float,
    but: str = "",
    until: float | None = None,
) -> tuple[tuple[Reason, ...], tuple[Payee, ...]]:
    """Why the document must wait, which is not at all when there is no reason, and what it would pay to whom, for the ledger.

    :param now: the end of the rule's rolling window, Unix seconds.
    :param but: the document itself where it is recorded already.
    :param until: leaves out siblings that were handed in later.
    """
    payees = tuple(Payee(_kept(key), format(amount, "f"), facts.currency) for key, amount in facts.payees.items())
    found: list[Sibling] = []
    if rule.window is not None:
        keys = {_kept(key): key for key in facts.payees}
        found = [*_siblings(connection, operation, tenant, keys, now - rule.window, but)]
    earlier = [sibling for sibling in found if until is None or sibling.at <= until]
    return evaluate(rule, facts, earlier), payees


def _siblings(
    connection: Connection, operation: str, tenant: str, keys: Mapping[str, str], since: float, but: str
) -> Iterator[Sibling]:
    for chunk in _chunks(keys):
        for kept, others in siblings(connection, operation, tenant, chunk, since, but).items():
            for other in others:
                yield Sibling(other.document, keys[kept], Decimal(other.amount), other.currency, other.at)


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    """As many as every database takes in one query."""
    waiting = iter(names)
    while chunk := list(islice(waiting, _CHUNK)):
        yield chunk


def _kept(key: str) -> str:
    """An account's key as the ledger's column takes it. No bank has accounts this long, but a sender may write one."""
    return key if len(key) <= MOST_KEY else "sha256:" + hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Asking:
    """Immutable. Turns a rule and its reasons into what people are asked.

    :param approvals: gives deadlines their business time.
    :param operation: whose rule it is; the rule has no name but this.
    """

    approvals: Approvals
    operation: str

    def __call__(
        self,
        rule: Rule,
        facts: Facts,
        reasons: Sequence[Reason | Json],
        value: object,
        *,
        initiator: str | None,
        editors: Sequence[str],
        revision: int,
        now: float,
    ) -> Hold:
        """The hold of one revision, whose deadlines begin ``now``.

        :param reasons: of ``admit``, or those of an earlier hold.
        :param value: the whole body as a JSON value; votes are bound to it and to ``facts``.
        :param initiator: the natural person who asked, where somebody vouches for who it was. An id that shows nothing is none;
            without one nobody can be kept out as the initiator, which the reasons then say.
        :param editors: others who must not decide.
        Raises ``Unprocessable`` for a body without canonical form and for an initiator that is no name.
        """
        known = initiator if initiator is not None and person_key(initiator) else None
        if known is not None and len(known) > MOST_NAME:
            pointer = "/" + "/".join(rule.initiator or ())
            raise Unprocessable(errors=[FieldError(pointer, f"is longer than the {MOST_NAME} characters of a person's id")])
        why = [reason if isinstance(reason, dict) else to_json([reason])[0] for reason in reasons]
        why = [reason for reason in why if reason["code"] != INITIATOR_UNKNOWN]
        if known is None:
            why.append({"code": INITIATOR_UNKNOWN})
        signed = replace(facts, initiator=known)
        return self.hold(rule, signed, why, value, initiator=known, editors=editors, revision=revision, now=now)

    def hold(
        self,
        rule: Rule,
        facts: Facts,
        reasons: Sequence[Json],
        value: object,
        *,
        initiator: str | None,
        editors: Sequence[str],
        revision: int,
        now: float,
    ) -> Hold:
        """As above, from facts and reasons that are settled."""
        shown = manifest(facts, value, revision)
        after, escalate = self.approvals.after, rule.escalate
        return Hold(
            rule=self.operation,
            required=rule.required,
            approvers=rule.approvers,
            reasons=tuple(reasons),
            facts=shown,
            payload_hash=manifest_hash(shown),
            initiator=initiator,
            editors=tuple(dict.fromkeys(editor for editor in editors if person_key(editor))),
            expires_at=after(now, rule.expires),
            remind_at=after(now, rule.remind),
            remind_every=rule.remind,
            escalate_at=after(now, escalate.after) if escalate else None,
            escalate_to=escalate.to if escalate else None,
            execute_within=rule.execute_within,
        )
