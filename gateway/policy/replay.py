"""Recorded decisions put to a candidate policy: whom a change would hit, of those who really called.

What was recorded is asked again as it was asked, with the roles the credential carried, from the addresses and at the times on
record. A difference that the policy in force makes already is none of the candidate's: it is counted and not reported. A call
that was refused for what it held, a field or a record, is no proof that the same call would pass, so of these only another view
is told. Pure: decisions and policies are handed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal, Protocol

from gateway.exchange import Principal
from gateway.ports import Decided, Decision, Rows
from gateway.scope import EVERYTHING, Context

Effect = Literal["loses", "gains", "sees otherwise"]

OF_THE_CALL = frozenset({"fields", "records"})
"""What a call was refused for because of what it held."""


class Policy(Protocol):
    """A compiled policy."""

    def decide(self, principal: Principal, operation: str, version: str) -> Decision: ...

    def text(self, place: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Change:
    """One question that the candidate answers otherwise. Immutable.

    :param effect: ``loses``: calls that were allowed would be refused; ``gains``: the other way round; ``sees otherwise``: still
        allowed, and other fields or records are seen or set.
    :param unmet: what would not be met of a call that rows allow: ``network``, ``time``.
    :param now: rows of the candidate that bear on it and have no like in the policy in force, by place and text.
    :param before: rows of the policy in force that bear on it and have no like in the candidate.
    :param calls: how many recorded calls it is about; ``last`` is when the last of them came, Unix time.
    """

    principal: Principal
    operation: str
    version: str
    effect: Effect
    unmet: tuple[str, ...]
    now: Rows
    before: Rows
    calls: int
    last: float


@dataclass(slots=True)
class Replay:
    """Hand it every recorded decision, then ask for the changes.

    :param live: the policy in force.
    :ivar entries: decisions heard; ``calls`` they stand for; ``callers`` who made them, with their tenant.
    :ivar already: calls that the policy in force answers otherwise than it was recorded, and the candidate no differently.
    """

    candidate: Policy
    live: Policy
    entries: int = 0
    calls: int = 0
    already: int = 0
    callers: set[tuple[str, str]] = field(default_factory=set)
    _changes: dict[tuple[object, ...], Change] = field(default_factory=dict)

    def hear(self, decided: Decided) -> None:
        """The next recorded decision."""
        self.entries += 1
        self.calls += decided.count
        self.callers.add((decided.principal.subject, decided.principal.tenant))
        question = (decided.principal, decided.operation, decided.version)
        would, does = self.candidate.decide(*question), self.live.decide(*question)
        if OF_THE_CALL.isdisjoint(decided.unmet):
            effect, unmet = self._effect(decided, would, does)
        else:
            effect, unmet = None, ()
        if effect is None and _stands(decided, would) and _view(would) != _view(does):
            effect = "sees otherwise"
        if effect is not None:
            self._note(decided, effect, unmet, would, does)

    def changes(self) -> list[Change]:
        """Who loses first, then by name; each question once."""
        order: tuple[Effect, ...] = ("loses", "gains", "sees otherwise")
        return sorted(
            self._changes.values(),
            key=lambda one: (order.index(one.effect), one.principal.tenant, one.principal.subject, one.operation, one.version),
        )

    def _effect(self, decided: Decided, would: Decision, does: Decision) -> tuple[Effect | None, tuple[str, ...]]:
        """What becomes of the answer in any of the circumstances on record, and what is not met then."""
        otherwise = False
        for context in _contexts(decided):
            unmet = _unmet(would, context)
            allowed = would.allowed and not unmet
            if allowed is decided.allowed:
                continue
            if (does.allowed and not _unmet(does, context)) is not allowed:
                return ("gains" if allowed else "loses"), unmet
            otherwise = True
        self.already += decided.count if otherwise else 0
        return None, ()

    def _note(self, decided: Decided, effect: Effect, unmet: tuple[str, ...], would: Decision, does: Decision) -> None:
        key = (decided.principal, decided.operation, decided.version, effect, unmet)
        known = self._changes.get(key)
        if known is not None:
            known = replace(known, calls=known.calls + decided.count, last=max(known.last, decided.last))
        else:
            new, old = _rows(self.candidate, would), _rows(self.live, does)
            now, before = (tuple(_without(rows, others)) for rows, others in ((new, old), (old, new)))
            about = (decided.principal, decided.operation, decided.version)
            known = Change(*about, effect, unmet, now, before, decided.count, decided.last)
        self._changes[key] = known


def _contexts(decided: Decided) -> Iterator[Context]:
    times = dict.fromkeys((decided.first, decided.last))
    return (Context(*circumstances) for circumstances in product(times, decided.addresses or ("",)))


def _unmet(decision: Decision, context: Context) -> tuple[str, ...]:
    return decision.scope.unmet(context) if decision.allowed and decision.scope is not None else ()


def _stands(decided: Decided, would: Decision) -> bool:
    """Whether the call would be allowed as far as it does not matter what it holds."""
    return would.allowed and all(not _unmet(would, context) for context in _contexts(decided))


def _view(decision: Decision) -> tuple[object, ...]:
    """What of an operation's fields and records a caller has."""
    scope = decision.scope or EVERYTHING
    return scope.fields, scope.predicates


def _rows(policy: Policy, decision: Decision) -> Rows:
    places = (*decision.rows, *(decision.scope.rows if decision.scope is not None else ()))
    return tuple((place, policy.text(place)) for place in places)


def _without(rows: Rows, others: Rows) -> Iterator[tuple[str, str]]:
    """Rows that have no like among the others; where they stand in their files does not count."""
    known = {text for _, text in others}
    return ((place, text) for place, text in rows if text not in known)
