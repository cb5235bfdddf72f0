"""Why a policy decision is as it is, for people: the rows, how the caller came by them, and what came nearest.

Called off the hot path with the rows the index has matched; it finds reasons, never another decision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gateway.exchange import Principal
from gateway.policy.file import Grant, Grouping, Membership, PolicyFile, Restriction
from gateway.ports import Decision
from gateway.scope import Context

MAX_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Reason:
    """One matched row. ``roles`` are the g rows from ``member`` to its role, ``groups`` the g2 rows from the operation to its
    name, both in order and empty when the row names them directly."""

    row: Grant | Restriction
    place: str
    member: str
    roles: tuple[Membership, ...]
    groups: tuple[Grouping, ...]


@dataclass(frozen=True, slots=True)
class NearMiss:
    """An allow row that did not match, and everything that would have to be different."""

    row: Grant
    place: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """``decision`` is the very one ``decide`` returns. Allowed: ``reasons`` has the allow rows. Denied by a row: all matched
    rows, deny first. Nothing matched: no reasons, and up to three near misses, nearest first. ``limits`` are the rows that
    restrict; ``unmet`` the kinds of condition among them that do not hold in the context that was asked about."""

    decision: Decision
    principal: Principal
    operation: str
    version: str
    reasons: tuple[Reason, ...]
    nearest: tuple[NearMiss, ...]
    limits: tuple[Reason, ...] = ()
    unmet: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """The decision in the context."""
        return self.decision.allowed and not self.unmet

    def lines(self) -> list[str]:
        """The explanation as plain text, one sentence a line."""
        verb = "may" if self.allowed else "may not"
        who = f"{self.principal.subject} of tenant {self.principal.tenant}"
        text = [f"{who} {verb} call {self.operation}@{self.version}."]
        text += [_sentence(reason) for reason in self.reasons]
        if not self.reasons:
            text.append("No row matches.")
        text += [_limit(reason, reason.row, self.unmet) for reason in self.limits if isinstance(reason.row, Restriction)]
        text += [f"{near.place} would allow it, but {' and '.join(near.missing)}." for near in self.nearest]
        return text


def _sentence(reason: Reason) -> str:
    row = reason.row
    verb = "denies" if isinstance(row, Grant) and row.effect == "deny" else "allows"
    return f"{reason.place} {verb} {row.role} in tenant {row.tenant} {row.operation}{_way(reason)}."


def _way(reason: Reason) -> str:
    path = " → ".join([reason.member, *(f"{link.role} (line {link.line})" for link in reason.roles)])
    group = "".join(f", of which {link.operation} is part (line {link.line})" for link in reversed(reason.groups))
    return f"{group}: {path}"


_ACCESS = {"hide": "hides", "lock": "locks", "show": "shows, with others so named and nothing else,"}


def _limit(reason: Reason, row: Restriction, unmet: Sequence[str]) -> str:
    whom = f"{row.role} in tenant {row.tenant}"
    what = f"in {row.operation}{_way(reason)}"
    if row.kind == "p2":
        return f"{reason.place} {_ACCESS[row.value]} {row.name} to {whom} {what}."
    if row.kind == "p3":
        return f"{reason.place} leaves {whom} records with {row.name} {row.value} {what}."
    held = ", which does not hold" if row.name in unmet else ""
    return f"{reason.place} leaves {whom} the {row.name} {row.value}{held} {what}."


_Link = TypeVar("_Link", bound=Membership | Grouping)
_Way = Mapping[str, tuple[str, tuple[_Link, ...]]]
"""Every name that some names lead to, with the one it was reached from and the shortest way."""


class Ways:
    """Immutable. The g and g2 rows of a file, to be followed from any name to all it leads to."""

    def __init__(self, file: PolicyFile) -> None:
        self._groups: dict[str, list[tuple[str, Grouping]]] = defaultdict(list)
        self._roles: dict[str, dict[str, list[tuple[str, Membership]]]] = {"*": {}}
        for grouping in file.groupings:
            self._groups[grouping.operation].append((grouping.group, grouping))
        for row in file.memberships:
            self._roles.setdefault(row.tenant, {}).setdefault(row.member, []).append((row.role, row))

    def roles(self, tenant: str, starts: Iterable[str]) -> _Way[Membership]:
        """The roles held in a tenant."""
        return _paths((self._roles.get(tenant, {}), self._roles["*"]) if tenant != "*" else (self._roles["*"],), starts)

    def groups(self, operation: str, version: str) -> _Way[Grouping]:
        """The groups an operation belongs to."""
        return _paths((self._groups,), (operation, f"{operation}@{version}"))


def _paths(links: Sequence[Mapping[str, list[tuple[str, _Link]]]], starts: Iterable[str]) -> _Way[_Link]:
    paths: dict[str, tuple[str, tuple[_Link, ...]]] = {start: (start, ()) for start in starts}
    waiting = list(paths)
    for name in waiting:
        start, way = paths[name]
        for mapping in links:
            for following, link in mapping.get(name, ()):
                if following not in paths:
                    paths[following] = (start, (*way, link))
                    waiting.append(following)
    return paths


def explain(
    file: PolicyFile,
    ways: Ways,
    principal: Principal,
    operation: str,
    version: str,
    decision: Decision,
    rows: Sequence[Grant | Restriction],
    context: Context | None = None,
) -> Explanation:
    """Explain ``decision``, which the matched ``rows`` led to. ``ways`` are those of the file."""
    roles = ways.roles(principal.tenant, (principal.subject, *principal.roles))
    groups = ways.groups(operation, version)

    def reason(row: Grant | Restriction) -> Reason:
        member, path = roles[row.role]
        return Reason(row, file.place(row), member, path, groups[row.operation][1])

    grants = sorted((row for row in rows if isinstance(row, Grant)), key=lambda row: (row.effect == "allow", row.line))
    limits = sorted((row for row in rows if isinstance(row, Restriction)), key=lambda row: row.line)
    nearest = () if grants else tuple(_nearest(file, principal, operation, roles, groups))
    unmet = decision.scope.unmet(context) if decision.scope is not None and context is not None else ()
    reasons = tuple(map(reason, grants))
    return Explanation(decision, principal, operation, version, reasons, nearest, tuple(map(reason, limits)), unmet)


def _nearest(
    file: PolicyFile, principal: Principal, operation: str, roles: Mapping[str, object], groups: Mapping[str, object]
) -> Iterator[NearMiss]:
    """Allow rows about this operation, in any version, that lack the least."""
    candidates = []
    for row in file.grants:
        if row.effect == "deny":
            continue
        missing = []
        if row.operation not in groups:
            if row.operation.partition("@")[0] != operation:
                continue
            missing.append(f"it is for {row.operation} only")
        if row.role not in roles:
            missing.append(f"{principal.subject} does not hold the role {row.role} in tenant {principal.tenant}")
        if row.tenant not in (principal.tenant, "*"):
            missing.append(f"it is for tenant {row.tenant}")
        candidates.append((len(missing), row.line, row, tuple(missing)))
    for _, _, row, missing_here in sorted(candidates, key=lambda candidate: candidate[:2])[:MAX_NEAREST]:
        yield NearMiss(row, file.place(row), missing_here)
