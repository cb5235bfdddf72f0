"""Why a document waits for people: one rule against the facts of one document and of its siblings.

Whatever the rule cannot judge is held. Reasons are data with a stable code, so that the ledger keeps them, a satellite reads them
and a person sees them in their own language. No reason holds an account number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gateway.approvals.facts import Facts, total
from gateway.approvals.file import Rule
from gateway.approvals.messages import msgid

MESSAGES: Mapping[str, str] = {
    "over_threshold": msgid("%(amount)s %(currency)s is over %(threshold)s %(currency)s."),
    "line_over_threshold": msgid("Line %(line)s of %(amount)s %(currency)s is over %(threshold)s %(currency)s."),
    "window_total": msgid(
        "Payments to the same account within %(hours)s hours come to %(total)s %(currency)s, over %(threshold)s %(currency)s."
    ),
    "mixed_window": msgid("The same account was paid in another currency within %(hours)s hours, which cannot be added up."),
    "no_threshold": msgid("There is no threshold for %(currency)s."),
}
"""English sentences by code, for gettext; the parameters are those of the reason."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Immutable. One cause of a hold. ``parameters`` are JSON values; decimals are text, ``siblings`` document ids."""

    code: str
    parameters: Mapping[str, Any]

    @property
    def message(self) -> str:
        """The sentence to translate, before its parameters."""
        return MESSAGES[self.code]

    def __str__(self) -> str:
        return self.message % self.parameters


@dataclass(frozen=True, slots=True)
class Sibling:
    """What another document pays to an account of this one, within the rule's window.

    :param payee: key of the account, as in ``Facts.payees``.
    :param amount: everything that document pays to that account.
    :param at: when it was handed in, Unix seconds.
    """

    document: str
    payee: str
    amount: Decimal
    currency: str
    at: float


def evaluate(rule: Rule, facts: Facts, siblings: Sequence[Sibling] = ()) -> tuple[Reason, ...]:
    """Why the document is held; empty when it passes. ``siblings`` are all documents to any of its accounts within the window
    that were or may still be paid, without itself; a rule without a window ignores them."""
    threshold = rule.threshold(facts.entity, facts.currency)
    if threshold is None:
        return (Reason("no_threshold", {"currency": facts.currency, "entity": facts.entity}),)
    window = () if rule.window is None else _window(rule.window, facts, siblings, threshold)
    return (*_single(facts, threshold), *window)


def _single(facts: Facts, threshold: Decimal) -> Iterator[Reason]:
    """The document by itself: its total, and its largest line."""
    common = {"currency": facts.currency, "entity": facts.entity, "threshold": _plain(threshold)}
    if facts.amount > threshold:
        yield Reason("over_threshold", {"amount": _plain(facts.amount), **common})
    amounts = [line.amount for line in facts.lines]
    if facts.batch and max(amounts) > threshold:
        line = amounts.index(max(amounts)) + 1
        yield Reason("line_over_threshold", {"line": line, "amount": _plain(max(amounts)), **common})


def _window(window: float, facts: Facts, siblings: Sequence[Sibling], threshold: Decimal) -> Iterator[Reason]:
    """Each payee's account by itself: what it gets from this document and from the siblings. Lines and other documents are
    named, the account is not."""
    payees = facts.payees
    paid_by: dict[str, list[Sibling]] = {payee: [] for payee in payees}
    for sibling in sorted(siblings, key=lambda sibling: (sibling.at, sibling.document)):
        if sibling.payee in paid_by:
            paid_by[sibling.payee].append(sibling)
    lines: dict[str, list[int]] = {payee: [] for payee in payees}
    for number, line in enumerate(facts.lines if facts.batch else (), 1):
        lines[line.key].append(number)
    for payee, amount in payees.items():
        same = [sibling for sibling in paid_by[payee] if sibling.currency == facts.currency]
        other = [sibling.document for sibling in paid_by[payee] if sibling.currency != facts.currency]
        common = {"currency": facts.currency, "hours": f"{window / 3600:g}", "lines": lines[payee]}
        paid = total([amount, *(sibling.amount for sibling in same)])
        if same and paid > threshold:
            over = {"total": _plain(paid), "threshold": _plain(threshold)}
            yield Reason("window_total", common | over | {"siblings": [sibling.document for sibling in same]})
        if other:
            yield Reason("mixed_window", common | {"siblings": other})


def _plain(amount: Decimal) -> str:
    return format(amount, "f")


def to_json(reasons: Sequence[Reason]) -> list[dict[str, Any]]:
    """Reasons as a JSON value: objects with ``code`` and the parameters."""
    return [{"code": reason.code, **reason.parameters} for reason in reasons]


def from_json(value: Sequence[Mapping[str, Any]]) -> tuple[Reason, ...]:
    """What ``to_json`` wrote. Raises ``ValueError`` for a code that no reason has."""
    reasons = []
    for item in value:
        if item.get("code") not in MESSAGES:
            raise ValueError(f"{item.get('code')!r} is no reason for a hold")
        reasons.append(Reason(item["code"], {name: inner for name, inner in item.items() if name != "code"}))
    return tuple(reasons)
