"""Which questions two policies can answer differently: those that a changed row leads to, and no others.

A row decides a question when g rows lead from the caller to its role and g2 rows from the operation to its name. If both files
answer differently, one of these chains holds a row that only one of them has. So it is enough to walk from every changed row
through the links of both files together: up to callers, down to roles, out to operations. Each step keeps the tenant it is about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from gateway.policy.file import Grant, Grouping, Membership, PolicyFile, Restriction, Row

State = tuple[str, str]
"""A name, and the tenant in which it counts; ``*`` is every tenant."""


def said(row: Row) -> tuple[str, ...]:
    """What a row says, as the file has it, wherever it stands."""
    if isinstance(row, Grant):
        return ("p", row.role, row.tenant, row.operation, row.effect)
    if isinstance(row, Restriction):
        return (row.kind, row.role, row.tenant, row.operation, row.name, row.value)
    if isinstance(row, Membership):
        return ("g", row.member, row.role, row.tenant)
    return ("g2", row.operation, row.group)


def changed(old: PolicyFile, new: PolicyFile) -> tuple[list[Row], list[Row]]:
    """Rows that only the new file has, and rows that only the old one has."""
    before, after = ({said(row): row for row in _rows(file)} for file in (old, new))
    added = [row for key, row in after.items() if key not in before]
    return added, [row for key, row in before.items() if key not in after]


def _rows(file: PolicyFile) -> Iterator[Row]:
    yield from file.grants
    yield from file.restrictions
    yield from file.memberships
    yield from file.groupings


def meet(one: str, other: str) -> str | None:
    """The tenant that both mean; ``None`` where there is none."""
    if one == other or other == "*":
        return one
    return other if one == "*" else None


class Links:
    """Immutable, but for walks it remembers. The links of two files together."""

    def __init__(self, *files: PolicyFile) -> None:
        self._up: dict[str, set[State]] = defaultdict(set)
        self._down: dict[str, set[State]] = defaultdict(set)
        self._groups: dict[str, set[str]] = defaultdict(set)
        self._named: dict[str, set[State]] = defaultdict(set)
        self._rules: dict[str, set[State]] = defaultdict(set)
        for file in files:
            for link in file.memberships:
                self._up[link.role].add((link.member, link.tenant))
                self._down[link.member].add((link.role, link.tenant))
            for grouping in file.groupings:
                self._groups[grouping.operation].add(grouping.group)
            rows: tuple[Grant | Restriction, ...] = (*file.grants, *file.restrictions)
            for row in rows:
                self._named[row.operation].add((row.role, row.tenant))
                self._rules[row.role].add((row.operation, row.tenant))
        self._holders: dict[State, frozenset[State]] = {}

    def holders(self, role: str, tenant: str) -> frozenset[State]:
        """Everybody who may hold a role by these links, each with the tenant in which that is so."""
        found = self._holders.get((role, tenant))
        if found is None:
            found = self._holders[role, tenant] = _walk(self._up, role, tenant)
        return found

    def roles(self, member: str, tenant: str) -> frozenset[State]:
        return _walk(self._down, member, tenant)

    def names(self, operation: str, version: str) -> set[str]:
        """Every name under which rows may mean an operation."""
        found = {operation, f"{operation}@{version}"}
        waiting = list(found)
        while waiting:
            more = self._groups.get(waiting.pop(), set()) - found
            found |= more
            waiting += more
        return found

    def questions(self, rows: Iterable[Row], names: Collection[str]) -> Iterator[tuple[str, str, str]]:
        """Who, in which tenant, under which of the ``names`` of operations: all that the rows may have a part in."""
        ruled: dict[str, set[State]] = defaultdict(set)
        links = []
        for row in rows:
            if isinstance(row, Membership):
                links.append(row)
            elif isinstance(row, Grouping):
                for name in self.names(row.group, ""):
                    ruled[row.operation] |= self._named.get(name, set())
            else:
                ruled[row.operation].add((row.role, row.tenant))
        for name in sorted(ruled.keys() & set(names)):
            yield from ((who, where, name) for state in sorted(ruled[name]) for who, where in self.holders(*state))
        for link in links:
            yield from self._given(link, names)

    def _given(self, link: Membership, names: Collection[str]) -> Iterator[tuple[str, str, str]]:
        reached = {
            (operation, both)
            for role, tenant in self.roles(link.role, link.tenant)
            for operation, where in self._rules.get(role, ())
            if operation in names and (both := meet(tenant, where)) is not None
        }
        for who, tenant in self.holders(link.member, link.tenant):
            for operation, where in reached:
                both = meet(tenant, where)
                if both is not None:
                    yield who, both, operation


def _walk(links: dict[str, set[State]], start: str, tenant: str) -> frozenset[State]:
    """Everything a name leads to. What it leads to in every tenant is not told again for one."""
    found = {(start, tenant)}
    waiting = [(start, tenant)]
    while waiting:
        name, where = waiting.pop()
        for following, link in links.get(name, ()):
            both = meet(where, link)
            if both is not None and (following, both) not in found and (following, "*") not in found:
                found.add((following, both))
                waiting.append((following, both))
    return frozenset(found)
