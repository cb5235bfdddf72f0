"""Why one of two policies says something: the rows that decide, and those of the changed rows that lead to them.

The rows themselves come from the decision. Of the g and g2 rows on the ways to them only those are told that the other file does
not have, on whichever way they lie.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from gateway.policy.file import Grant, Grouping, Membership, PolicyFile, Restriction, Row
from gateway.policy.touched import said

SideName = Literal["old", "new"]
Ruling = Grant | Restriction


@dataclass(frozen=True, slots=True)
class Cause:
    """Immutable. One row: in which of the two files, where, what it says, and whether the other file lacks it."""

    side: SideName
    place: str
    text: str
    changed: bool


class Causes:
    """Immutable, but for walks it remembers. The reasons of one side; ``changed`` are the rows that it has alone."""

    def __init__(self, side: SideName, file: PolicyFile, changed: Collection[Row]) -> None:
        self.side = side
        self.changed = changed
        self._file = file
        self._lines: dict[int, Ruling] = {row.line: row for row in file.grants} | {row.line: row for row in file.restrictions}
        self._changed_lines = {row.line for row in changed}
        self._links: dict[str, list[Membership]] = defaultdict(list)
        self._groupings: dict[str, list[Grouping]] = defaultdict(list)
        self._new_links: dict[str, list[Membership]] = defaultdict(list)
        self._new_groupings: dict[str, list[Grouping]] = defaultdict(list)
        for link in file.memberships:
            self._links[link.member].append(link)
        for grouping in file.groupings:
            self._groupings[grouping.operation].append(grouping)
        for row in changed:
            if isinstance(row, Membership):
                self._new_links[row.member].append(row)
            elif isinstance(row, Grouping):
                self._new_groupings[row.operation].append(row)
        self._roles: dict[tuple[str, str], frozenset[str]] = {}
        self._names: dict[str, frozenset[str]] = {}

    def row(self, place: str) -> Ruling:
        """The row that a decision tells by its place."""
        return self._lines[int(place.rpartition(":")[2])]

    def cause(self, row: Row) -> Cause:
        return Cause(self.side, self._file.place(row), ", ".join(said(row)), row.line in self._changed_lines)

    def roles(self, who: str, tenant: str) -> frozenset[str]:
        """Every role a name holds in a tenant, itself among them."""
        key = (who, tenant)
        found = self._roles.get(key)
        if found is None:
            found = self._roles[key] = reached(
                who, lambda name: [link.role for link in self._links.get(name, ()) if link.tenant in (tenant, "*")]
            )
        return found

    def names(self, name: str) -> frozenset[str]:
        """Every group a name belongs to, itself among them."""
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = reached(name, lambda one: [row.group for row in self._groupings.get(one, ())])
        return found

    def links(self, who: str, tenant: str, roles: Collection[str]) -> Iterator[Cause]:
        """Changed g rows on any way from a name to one of the roles."""
        for name in self.roles(who, tenant) if self._new_links else ():
            for link in self._new_links.get(name, ()):
                if link.tenant in (tenant, "*") and not self.roles(link.role, tenant).isdisjoint(roles):
                    yield self.cause(link)

    def of(self, row: Ruling, who: str, tenant: str, operation: str, version: str) -> list[Cause]:
        """A row that decides and the changed rows that lead to it; nothing where none of them is changed."""
        ways = [*self.links(who, tenant, (row.role,)), *self._grouped(operation, version, row.operation)]
        return [self.cause(row), *ways] if ways or row.line in self._changed_lines else []

    def _grouped(self, operation: str, version: str, name: str) -> Iterator[Cause]:
        """Changed g2 rows on any way from an operation to a name that a row has for it."""
        for one in self.names(operation) | self.names(f"{operation}@{version}") if self._new_groupings else ():
            for grouping in self._new_groupings.get(one, ()):
                if name in self.names(grouping.group):
                    yield self.cause(grouping)


def reached(start: str, following: Callable[[str], Iterable[str]]) -> frozenset[str]:
    """Everything a name leads to, and itself."""
    found = {start}
    waiting = [start]
    while waiting:
        for name in following(waiting.pop()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return frozenset(found)
