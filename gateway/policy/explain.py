"""Why a policy decision is as it is, for people: the rows, how the caller came by them, and what came nearest.

Called off the hot path with the rows the index has matched; it finds reasons, never another decision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gateway.approvals.messages import msgid
from gateway.exchange import Principal
from gateway.policy.file import Grant, Grouping, Membership, PolicyFile, Restriction
from gateway.policy.sentences import Sentence, sentence
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
    lacking: tuple[Sentence, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The same in English."""
        return tuple(map(str, self.lacking))


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

    def sentences(self) -> list[Sentence]:
        """The explanation, one sentence a line, for any language."""
        may = MAY if self.allowed else MAY_NOT
        name = f"{self.operation}@{self.version}" if self.version else self.operation
        told = [sentence(may, who=self.principal.subject, tenant=self.principal.tenant, operation=name)]
        told += [_reason(reason) for reason in self.reasons]
        if not self.reasons:
            told.append(sentence(NO_ROW))
        told += [_limit(reason, reason.row, self.unmet) for reason in self.limits if isinstance(reason.row, Restriction)]
        return told + [sentence(NEAR, place=near.place, missing=_together(near.lacking)) for near in self.nearest]

    def lines(self) -> list[str]:
        """The explanation as plain English text, one sentence a line."""
        return [found.told() for found in self.sentences()]


MAY = msgid("%(who)s of tenant %(tenant)s may call %(operation)s.")
MAY_NOT = msgid("%(who)s of tenant %(tenant)s may not call %(operation)s.")
NO_ROW = msgid("No row matches.")
NEAR = msgid("%(place)s would allow it, but %(missing)s.")
ALLOWS = msgid("%(place)s allows %(role)s in tenant %(tenant)s %(operation)s%(way)s.")
DENIES = msgid("%(place)s denies %(role)s in tenant %(tenant)s %(operation)s%(way)s.")
PART = msgid(", of which %(operation)s is part (line %(line)s)")
WAY = msgid(": %(member)s%(steps)s")
STEP = msgid(" → %(role)s (line %(line)s)")
AND = msgid("%(one)s and %(other)s")
ONLY_FOR = msgid("it is for %(operation)s only")
LACKS_ROLE = msgid("%(who)s does not hold the role %(role)s in tenant %(tenant)s")
OTHER_TENANT = msgid("it is for tenant %(tenant)s")
ACCESS = {
    "hide": msgid("%(place)s hides %(field)s to %(role)s in tenant %(tenant)s in %(operation)s%(way)s."),
    "lock": msgid("%(place)s locks %(field)s to %(role)s in tenant %(tenant)s in %(operation)s%(way)s."),
    "show": msgid(
        "%(place)s shows, with others so named and nothing else, %(field)s to %(role)s in tenant %(tenant)s"
        " in %(operation)s%(way)s."
    ),
}
RECORDS = msgid("%(place)s leaves %(role)s in tenant %(tenant)s records with %(field)s %(value)s in %(operation)s%(way)s.")
CONDITION = msgid("%(place)s leaves %(role)s in tenant %(tenant)s the %(field)s %(value)s in %(operation)s%(way)s.")
UNMET = msgid(
    "%(place)s leaves %(role)s in tenant %(tenant)s the %(field)s %(value)s, which does not hold in %(operation)s%(way)s."
)


def _reason(reason: Reason) -> Sentence:
    row = reason.row
    denies = isinstance(row, Grant) and row.effect == "deny"
    return _about(DENIES if denies else ALLOWS, reason, row)


def _limit(reason: Reason, row: Restriction, unmet: Sequence[str]) -> Sentence:
    if row.kind == "p2":
        message = ACCESS[row.value]
    elif row.kind == "p3":
        message = RECORDS
    else:
        message = UNMET if row.name in unmet else CONDITION
    return _about(message, reason, row, field=row.name, value=row.value)


def _about(message: str, reason: Reason, row: Grant | Restriction, **also: str) -> Sentence:
    place, way = reason.place, _way(reason)
    return sentence(message, place=place, role=row.role, tenant=row.tenant, operation=row.operation, way=way, **also)


def _way(reason: Reason) -> tuple[Sentence, ...]:
    steps = tuple(sentence(STEP, role=link.role, line=link.line) for link in reason.roles)
    groups = tuple(sentence(PART, operation=link.operation, line=link.line) for link in reversed(reason.groups))
    return (*groups, sentence(WAY, member=reason.member, steps=steps))


def _together(sentences: Sequence[Sentence]) -> Sentence:
    first, *others = sentences
    for other in others:
        first = sentence(AND, one=first, other=other)
    return first


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
            missing.append(sentence(ONLY_FOR, operation=row.operation))
        if row.role not in roles:
            missing.append(sentence(LACKS_ROLE, who=principal.subject, role=row.role, tenant=principal.tenant))
        if row.tenant not in (principal.tenant, "*"):
            missing.append(sentence(OTHER_TENANT, tenant=row.tenant))
        candidates.append((len(missing), row.line, row, tuple(missing)))
    for _, _, row, missing_here in sorted(candidates, key=lambda candidate: candidate[:2])[:MAX_NEAREST]:
        yield NearMiss(row, file.place(row), missing_here)
