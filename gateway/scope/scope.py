"""One caller's scope in one operation: every restriction that policy rows put on it, put together once, when the policy is read.

One rule for all of them. What is hidden or locked by any row is so. What rows permit by naming it (fields shown, values of one
predicate, networks, hours) adds up, and once named nothing else is permitted. No role lifts what another restricts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from gateway.scope.conditions import Context, Hours, Network, parse_hours, parse_network, within
from gateway.scope.fields import Fields, parse_field, tree
from gateway.scope.records import Predicates, check_predicate

Kind = Literal["p2", "p3", "p4"]
ACCESS = ("hide", "lock", "show")
CONDITIONS = ("network", "time")


class Row(Protocol):
    """A policy row that restricts."""

    @property
    def kind(self) -> Kind: ...

    @property
    def name(self) -> str: ...

    @property
    def value(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Scope:
    """Immutable. ``rows`` are the places of the policy rows it is made of, in order."""

    fields: Fields = field(default_factory=Fields)
    predicates: Predicates = field(default_factory=dict)
    networks: tuple[Network, ...] = ()
    hours: tuple[Hours, ...] = ()
    rows: tuple[str, ...] = ()

    @property
    def conditional(self) -> bool:
        return bool(self.networks or self.hours)

    def unmet(self, context: Context) -> tuple[str, ...]:
        """The kinds of condition that do not hold: ``network``, ``time``."""
        found = []
        if self.networks and not within(context.address, self.networks):
            found.append("network")
        if self.hours and not any(hours.hold(context.now) for hours in self.hours):
            found.append("time")
        return tuple(found)


EVERYTHING = Scope()


def check_restriction(kind: Kind, name: str, value: str) -> None:
    """Raises ``ValueError`` with what and remedy for a restriction that says nothing definite."""
    if kind == "p2":
        parse_field(name)
        _check_word("access", value, ACCESS)
    elif kind == "p3":
        check_predicate(name, value)
    else:
        _check_word("condition", name, CONDITIONS)
        (parse_network if name == "network" else parse_hours)(value)


def _check_word(what: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        low = word.lower()
        remedy = f"write '{low}' in lower case" if low in known else f"write {' or '.join(known)}"
        raise ValueError(f"'{word}' is no {what}", remedy)


def scope_of(rows: Iterable[Row], places: Iterable[str]) -> Scope:
    """Put rows together."""
    rows = tuple(rows)
    fields: dict[str, list[tuple[str, ...]]] = {word: [] for word in ACCESS}
    predicates: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.kind == "p2":
            fields[row.value].append(parse_field(row.name))
        elif row.kind == "p3":
            predicates[row.name].add(row.value)
    shown = fields["show"] or None
    return Scope(
        Fields(tree(fields["hide"], shown), tree([*fields["hide"], *fields["lock"]], shown)),
        {name: frozenset(values) for name, values in sorted(predicates.items())},
        tuple(parse_network(value) for value in _conditions(rows, "network")),
        tuple(parse_hours(value) for value in _conditions(rows, "time")),
        tuple(places),
    )


def _conditions(rows: Iterable[Row], name: str) -> Iterator[str]:
    return (row.value for row in rows if row.kind == "p4" and row.name == name)
