"""Why somebody cannot do something with a document: a stable code, its parameters, and a sentence to translate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.approvals import quorum
from gateway.approvals.messages import msgid
from gateway.errors import Conflict, Forbidden, Problem, Unprocessable
from gateway.people import AUDIT, DELEGATE, OPERATE, POLICY_READ

MESSAGES: Final[Mapping[str, str]] = {
    **quorum.MESSAGES,
    "not_held": msgid("The document is %(state)s; only a held one can be decided."),
    "not_manual": msgid("The document is %(state)s; only one that needs operators can be settled by them."),
    "not_dead": msgid("The document is %(state)s; only a dead one can be replayed or discarded."),
    "body_changed": msgid("What is kept is not what people are shown. Nobody can agree to it; an operator must look at it."),
    "unseen": msgid("What would be paid is hidden from %(person)s, who cannot agree to it."),
    "not_operator": msgid("%(person)s is no operator."),
    "not_policy_reader": msgid("%(person)s may not see the policy."),
    "not_auditor": msgid("%(person)s is no auditor."),
    "not_revealed": msgid("%(person)s may not see the accounts."),
    "not_delegating": msgid("%(person)s may not let others act."),
    "voter": msgid("%(person)s decided on this document and cannot settle it."),
    "already_attested": msgid("%(other)s has said so, and is the same person as %(person)s."),
    "not_activating": msgid("%(person)s may not propose a policy."),
    "one_person": msgid("Files go live by themselves here (activation: files); there is nothing to propose."),
    "nothing_pending": msgid("The files are what is live. There is nothing to propose."),
    "files_changed": msgid("The files changed since you looked. Look again."),
    "files_wrong": msgid("The files cannot go live as they are."),
    "base_changed": msgid("Another policy went live since you looked. Look again."),
    "already_proposed": msgid("%(person)s has proposed these files; a second person decides."),
    "not_proposer": msgid("Only %(person)s, who proposed it, can withdraw it."),
    "too_late": msgid("The document is %(state)s; it can be withdrawn only before it is live."),
    "reason_missing": msgid("Give a reason."),
    "reason_too_long": msgid("The reason is longer than %(most)s characters."),
    "reference_missing": msgid("Give the ERP's number of the booking, at most %(most)s characters."),
    "reference_unwanted": msgid("Only a booking has the ERP's number."),
    "delegate_missing": msgid("Name the person who is to act."),
    "delegate_oneself": msgid("Nobody can act for themselves."),
    "delegation_period": msgid("A delegation ends after it begins, in the future, and within %(days)s days."),
    "delegation_unknown": msgid("There is no such delegation to take back."),
}
"""English sentences by code, for gettext; the parameters are those of the refusal."""

CONFLICTS: Final = frozenset(
    (
        "not_held",
        "not_manual",
        "not_dead",
        "body_changed",
        "wrong_revision",
        "wrong_hash",
        "expired",
        "already_voted",
        "already_attested",
        "one_person",
        "nothing_pending",
        "files_changed",
        "files_wrong",
        "base_changed",
        "already_proposed",
        "too_late",
    )
)
WRONG_INPUT: Final = frozenset(
    (
        "reason_missing",
        "reason_too_long",
        "reference_missing",
        "reference_unwanted",
        "delegate_missing",
        "delegate_oneself",
        "delegation_period",
        "delegation_unknown",
    )
)

PERMISSION: Final[Mapping[str, str]] = {"not_operator": OPERATE, "not_revealed": AUDIT, "not_delegating": DELEGATE}
"""The permission that policy does not give, by the code of the desk's refusal."""

PAGES: Final[Mapping[str, str]] = {"not_policy_reader": POLICY_READ}
"""The same for pages of the console that look at no document."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Immutable. ``parameters`` are those of the sentence."""

    code: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, refusal: quorum.Refusal) -> Refusal:
        return cls(refusal.code, refusal.parameters)

    @property
    def message(self) -> str:
        """The sentence to translate, before its parameters."""
        return MESSAGES[self.code]

    def __str__(self) -> str:
        return self.message % self.parameters

    def problem(self) -> Problem:
        """409 for what does not go with the state of things, 422 for wrong input, else 403. The extension ``code`` is stable."""
        kind = Conflict if self.code in CONFLICTS else Unprocessable if self.code in WRONG_INPUT else Forbidden
        return kind(str(self), extensions={"code": self.code, "parameters": dict(self.parameters)})
