"""Who holds a right, name by name and tenant by tenant, and by which rows.

The names that rows lead to are found by walking the rows back; whether they may call is what ``decide`` says of each of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from gateway.exchange import Principal
from gateway.policy.causes import reached
from gateway.policy.differences import EVERY, Asked, Side, tenants_of
from gateway.policy.file import Grant, Grouping, Membership
from gateway.policy.touched import Links, said


@dataclass(frozen=True, slots=True)
class Right:
    """Immutable. To call any of some operations (in any version, or in one: ``payments.create@v1``), or to hold any of some
    roles. ``text`` says it in words, after "may"."""

    text: str
    operations: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """Immutable. How a name comes by a right, in words: the g rows from it, the p row, the g2 rows; each with its place and what
    it says. Empty where the name is the role itself."""

    right: str
    rows: tuple[tuple[str, str], ...] = ()

    @property
    def nearest(self) -> str:
        """The row to change first: the one that is about the name itself."""
        return self.rows[0][0] if self.rows else "it is the role itself"


class Holders:
    """Immutable, but for walks it remembers. The rights of one policy in the operations that are asked about."""

    def __init__(self, side: Side, asked: Iterable[Asked]) -> None:
        self._policy, self._file = side.policy, side.policy.file
        self._links = Links(self._file)
        self.tenants = tenants_of(side)
        self._versions = {one.operation: one.versions for one in asked}
        self._up: dict[str, list[Membership]] = defaultdict(list)
        self._groups: dict[str, list[Grouping]] = defaultdict(list)
        for row in self._file.memberships:
            self._up[row.member].append(row)
        for grouping in self._file.groupings:
            self._groups[grouping.operation].append(grouping)
        self._held = {row.role for row in self._file.memberships}
        self._lines = {row.line: row for row in self._file.grants}
        self._known: dict[tuple[tuple[str, ...], tuple[str, ...]], Mapping[str, frozenset[str]]] = {}

    def of(self, right: Right) -> Mapping[str, frozenset[str]]:
        """Names by tenant."""
        key = (right.operations, right.roles)
        if key not in self._known:
            found: dict[str, set[str]] = defaultdict(set)
            for who, tenant in (*self._callers(right.operations), *self._members(right.roles)):
                found[tenant].add(who)
            self._known[key] = {tenant: frozenset(names) for tenant, names in found.items()}
        return self._known[key]

    def _members(self, roles: Iterable[str]) -> Iterator[tuple[str, str]]:
        for role in roles:
            for who, where in self._links.holders(role, EVERY):
                yield from ((who, tenant) for tenant in self._expanded(where))

    def _callers(self, operations: Iterable[str]) -> Iterator[tuple[str, str]]:
        for operation, version in self._calls(operations):
            names = set(self._policy.names(operation, version))
            rows = [row for row in self._file.grants if row.effect == "allow" and row.operation in names]
            states = {state for row in rows for state in self._links.holders(row.role, row.tenant)}
            for who, tenant in {(who, tenant) for who, where in states for tenant in self._expanded(where)}:
                if self._policy.decide(Principal(who, tenant), operation, version).allowed:
                    yield who, tenant

    def _calls(self, operations: Iterable[str]) -> Iterator[tuple[str, str]]:
        for name in operations:
            operation, _, only = name.partition("@")
            yield from ((operation, version) for version in self._versions.get(operation, ()) if only in ("", version))

    def _expanded(self, tenant: str) -> Collection[str]:
        return self.tenants if tenant == EVERY else (tenant,)

    def is_person(self, name: str) -> bool:
        """A name that others are members of is a role."""
        return name not in self._held

    def roles(self, who: str, tenant: str) -> frozenset[str]:
        """Every role a name holds in a tenant, itself among them."""
        return reached(who, lambda name: [row.role for row in self._rows(name, tenant)])

    def topmost(self, names: Collection[str], tenant: str) -> dict[str, list[str]]:
        """Those of the names that hold none of the others, in order; each with the people among them who hold it."""
        among = frozenset(names)
        held = {name: self.roles(name, tenant) & among for name in sorted(names)}
        found: dict[str, list[str]] = {name: [] for name, roles in held.items() if len(roles) == 1}
        for name in filter(self.is_person, held):
            for role in held[name] & found.keys():
                found[role].append(name)
        return found

    def way(self, who: str, tenant: str, right: Right) -> Way:
        """A shortest way from a name to a right it has in a tenant."""
        paths = _paths(who, lambda one: [(row.role, row) for row in self._rows(one, tenant)])
        for role in right.roles:
            if role in paths:
                return self._way(right, paths[role])
        for operation, version in self._calls(right.operations):
            decision = self._policy.decide(Principal(who, tenant), operation, version)
            if decision.allowed:
                grants = [self._lines[int(place.rpartition(":")[2])] for place in decision.rows]
                grant = min(grants, key=lambda row: (len(paths[row.role]), row.line))
                return self._way(right, (*paths[grant.role], grant, *self._grouping(operation, version, grant.operation)))
        return Way(right.text)

    def _way(self, right: Right, rows: Iterable[Membership | Grant | Grouping]) -> Way:
        return Way(right.text, tuple((self._file.place(row), ", ".join(said(row))) for row in rows))

    def _rows(self, name: str, tenant: str) -> list[Membership]:
        return [row for row in self._up.get(name, ()) if row.tenant in (tenant, EVERY)]

    def _grouping(self, operation: str, version: str, name: str) -> tuple[Grouping, ...]:
        for start in (operation, f"{operation}@{version}"):
            ways = _paths(start, lambda one: [(row.group, row) for row in self._groups.get(one, ())])
            if name in ways:
                return ways[name]
        return ()


_Link = TypeVar("_Link", bound=Membership | Grouping)


def _paths(start: str, following: Callable[[str], Iterable[tuple[str, _Link]]]) -> dict[str, tuple[_Link, ...]]:
    """Every name a name leads to, with the shortest way."""
    paths: dict[str, tuple[_Link, ...]] = {start: ()}
    waiting = list(paths)
    for name in waiting:
        way = paths[name]
        for one, link in following(name):
            if one not in paths:
                paths[one] = (*way, link)
                waiting.append(one)
    return paths
