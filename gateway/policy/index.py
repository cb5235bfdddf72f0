"""The policy compiled: what a decision needs is looked up, never searched.

Three tables, all built at load: operation → the names rows may call it by, member → the rows of every role it holds, and row
tables by name and tenant. Everything an outsider can make up (subject, tenant, operation, version) is only ever a key to look
up, so nothing grows while serving. ``decide`` and ``explain`` share ``_matched``; there is no second way to a decision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.errors import ConfigError, Finding
from gateway.exchange import Principal
from gateway.policy.bulk import uncollected
from gateway.policy.explain import Explanation, Ways, explain
from gateway.policy.file import Grant, PolicyFile, Restriction
from gateway.policy.hierarchy import closure
from gateway.policy.lint import unknown_operations
from gateway.ports import Decision
from gateway.scope import Context
from gateway.scope.scope import Scope, scope_of

MAX_ENTRIES = 5_000_000
"""Members times tenants times roles a policy may unfold into: a gigabyte. More is a mistake in a '*' row."""

MAX_MIXED = 10_000
"""Decisions remembered that rows of several roles or names make together. Their keys are those rows, never a caller's words."""

NOTHING = Decision(False)

Ruling = Grant | Restriction


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """The rows of one role for one name of an operation in one tenant, and what they decide when no others match.

    :param others: where the name has rows of several tenants, the hits of each; those of a named tenant include those of '*'.
    """

    tenant: str
    rows: tuple[Grant, ...]
    limits: tuple[Restriction, ...]
    decision: Decision
    others: Mapping[str, Hits]


NO_OTHERS: Mapping[str, Hits] = {}
RowTable = dict[str, Hits]
"""Operation name → hits."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names under which rows may mean an operation: itself, its versions, its groups. Only names that rows use."""

    any_version: tuple[str, ...]
    versions: Mapping[str, tuple[str, ...]]


class PolicyIndex:
    """Immutable, but for what it remembers. Implements ``gateway.ports.Policy``."""

    __slots__ = ("_everywhere", "_file", "_granted", "_lines", "_mixed", "_operations", "_tenants", "_ways")

    def __init__(
        self,
        file: PolicyFile,
        operations: Mapping[str, Names],
        tenants: Mapping[str, Mapping[str, tuple[RowTable, ...]]],
    ) -> None:
        self._file = file
        self._operations = operations
        self._everywhere = tenants["*"]
        self._tenants = tenants
        self._granted = {row.operation for row in file.grants}
        self._mixed: dict[tuple[Hits, ...], Decision] = {}
        self._ways: Ways | None = None
        self._lines: list[bytes] | None = None

    @property
    def sha256(self) -> str:
        """Digest, in hex, of the policy file's bytes."""
        return self._file.sha256

    @property
    def file(self) -> PolicyFile:
        return self._file

    def decide(self, principal: Principal, operation: str, version: str) -> Decision:
        """Whether ``principal`` may call ``operation`` in ``version``, the rows that say so, and what restricts it."""
        hits = self._matched(principal, operation, version)
        return hits[0].decision if len(hits) == 1 else self._verdict(hits)

    def text(self, place: str) -> str:
        """The row at a place, as it is written in the file but for runs of blanks. Raises ``ValueError`` or ``IndexError`` for a
        place that is not of it."""
        if self._lines is None:
            self._lines = self._file.data.splitlines()
        return " ".join(self._lines[int(place.rpartition(":")[2]) - 1].decode().split())

    def explain(self, principal: Principal, operation: str, version: str, context: Context | None = None) -> Explanation:
        """The decision with its reasons: matched rows, the memberships and groups that lead to them, near misses; and, where a
        context is given, which of its conditions do not hold."""
        hits = self._matched(principal, operation, version)
        if self._ways is None:
            self._ways = Ways(self._file)
        return explain(self._file, self._ways, principal, operation, version, self._verdict(hits), _rows(hits), context)

    def matched(self, principal: Principal, operation: str, version: str) -> tuple[Ruling, ...]:
        """The rows a decision is made of, those of the nearest role first."""
        return _rows(self._matched(principal, operation, version))

    def operations(self) -> frozenset[str]:
        """Every operation rows name, directly or through a group, as written: with or without ``@version``."""
        return frozenset(self._file.named_operations() - self._file.groups())

    def mentions(self, operation: str, version: str) -> bool:
        """Whether any row, allow or deny, for anybody, is about this operation."""
        known = self._operations.get(operation)
        return known is not None and not self._granted.isdisjoint(known.versions.get(version, known.any_version))

    def names(self, operation: str, version: str) -> tuple[str, ...]:
        """The names by which rows are about this operation: itself, this version of it, its groups."""
        known = self._operations.get(operation)
        return known.versions.get(version, known.any_version) if known is not None else ()

    def covers(self, name: str, operation: str, version: str) -> bool:
        """Whether a row that names ``name`` is about this operation: itself, one of its versions or groups."""
        return name in self.names(operation, version)

    def unknown_operations(self, known: set[str]) -> list[Finding]:
        """Rows naming operations no route has. ``known`` holds ``payments.create@v1`` for every route and version, or
        ``payments.create`` where a route has no version."""
        return unknown_operations(self._file, known)

    def _matched(self, principal: Principal, operation: str, version: str) -> list[Hits]:
        known = self._operations.get(operation)
        if known is None:
            return []
        names = known.versions.get(version, known.any_version)
        tenant = principal.tenant
        here = self._tenants.get(tenant, self._everywhere)
        members = (principal.subject, *principal.roles) if principal.roles else (principal.subject,)
        found = []
        for member in members:
            for table in here.get(member) or self._everywhere.get(member, ()):
                for name in names:
                    hits = table.get(name)
                    if hits is not None and hits.tenant != tenant and hits.tenant != "*":
                        hits = hits.others.get(tenant) or hits.others.get("*")
                    if hits is not None:
                        found.append(hits)
        return found

    def _verdict(self, hits: list[Hits]) -> Decision:
        if not hits:
            return NOTHING
        key = tuple(hits)
        decision = self._mixed.get(key)
        if decision is None:
            rows = dict.fromkeys(row for hit in hits for row in hit.rows)
            limits = dict.fromkeys(row for hit in hits for row in hit.limits)
            decision = _decision(self._file, tuple(rows), tuple(limits))
            if len(self._mixed) >= MAX_MIXED:
                self._mixed.clear()
            self._mixed[key] = decision
        return decision


def _rows(hits: Iterable[Hits]) -> tuple[Ruling, ...]:
    rows: dict[Ruling, None] = {}
    for hit in hits:
        rows |= dict.fromkeys(hit.rows) | dict.fromkeys(hit.limits)
    return tuple(rows)


def _decision(file: PolicyFile, rows: tuple[Grant, ...], limits: tuple[Restriction, ...]) -> Decision:
    """Deny overrides allow; the rows that decided are the ones of the effect that won."""
    effect = "deny" if any(row.effect == "deny" for row in rows) else "allow"
    decided = tuple(file.place(row) for row in rows if row.effect == effect)
    return Decision(effect == "allow" and bool(rows), decided, _scope(file, limits))


def _scope(file: PolicyFile, limits: tuple[Restriction, ...]) -> Scope | None:
    if not limits:
        return None
    ordered = sorted(limits, key=lambda row: row.line)
    return scope_of(ordered, map(file.place, ordered))


@uncollected
def compile_policy(file: PolicyFile) -> PolicyIndex:
    """Build the index. Pure. Raises ``ConfigError`` when the rows unfold into more than ``MAX_ENTRIES``."""
    tables = _row_tables(file)
    edges: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in file.memberships:
        edges[row.tenant][row.member].append(row.role)
    shared = edges.pop("*", {})
    names = {*tables, *(row.member for row in file.memberships)}
    budget = [MAX_ENTRIES]
    back = _turned(shared)
    tenants = {"*": _reach(file, names, shared, {}, tables, budget)}
    for tenant, own in edges.items():
        tenants[tenant] = _reach(file, _affected(own, back), shared, own, tables, budget)
    return PolicyIndex(file, _operation_names(file), tenants)


def _row_tables(file: PolicyFile) -> dict[str, RowTable]:
    """Role → operation name → hits."""
    grouped: dict[str, dict[str, dict[str, list[Ruling]]]] = {}
    for row in _ruling(file):
        grouped.setdefault(row.role, {}).setdefault(row.operation, {}).setdefault(row.tenant, []).append(row)
    return {role: {name: _hits(file, rows) for name, rows in by_name.items()} for role, by_name in grouped.items()}


def _ruling(file: PolicyFile) -> tuple[Ruling, ...]:
    return (*file.grants, *file.restrictions)


def _hits(file: PolicyFile, by_tenant: Mapping[str, list[Ruling]]) -> Hits:
    shared = by_tenant.get("*", [])
    each = {tenant: _hit(file, tenant, own if tenant == "*" else own + shared) for tenant, own in by_tenant.items()}
    if len(each) == 1:
        return next(iter(each.values()))
    return Hits("", (), (), NOTHING, each)


def _hit(file: PolicyFile, tenant: str, found: list[Ruling]) -> Hits:
    rows = tuple([row for row in found if isinstance(row, Grant)])
    limits = tuple([row for row in found if isinstance(row, Restriction)])
    return Hits(tenant, rows, limits, _decision(file, rows, limits), NO_OTHERS)


def _reach(
    file: PolicyFile,
    members: Iterable[str],
    shared: Mapping[str, list[str]],
    own: Mapping[str, list[str]],
    tables: Mapping[str, RowTable],
    budget: list[int],
) -> dict[str, tuple[RowTable, ...]]:
    """For each member the row tables of itself and of every role it holds, nearest first."""
    reach: dict[str, tuple[RowTable, ...]] = {}
    interned: dict[tuple[str, ...], tuple[RowTable, ...]] = {}
    for member in members:
        roles = tuple(role for role in closure((member,), shared, own) if role in tables)
        if roles:
            reach[member] = interned.setdefault(roles, tuple(tables[role] for role in roles))
        budget[0] -= 1 + len(roles)
        if budget[0] < 0:
            what = f"the rows unfold into more than {MAX_ENTRIES} roles held"
            raise ConfigError([Finding(file.path, 0, what, "give roles to roles, not to each member in each tenant")])
    return reach


def _turned(links: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
    back: dict[str, list[str]] = defaultdict(list)
    for member, roles in links.items():
        for role in roles:
            back[role].append(member)
    return back


def _affected(own: Mapping[str, list[str]], back: Mapping[str, list[str]]) -> set[str]:
    """Every name whose roles in this tenant differ from those it has everywhere: the members of its own links, and whatever
    leads to them."""
    return {name for start in own for name in closure((start,), back)}


def _operation_names(file: PolicyFile) -> dict[str, Names]:
    groups: dict[str, list[str]] = defaultdict(list)
    for row in file.groupings:
        groups[row.operation].append(row.group)
    used = {row.operation for row in _ruling(file)}
    spoken = used | groups.keys() | {row.group for row in file.groupings}
    versions: dict[str, list[str]] = defaultdict(list)
    for name in spoken:
        versions[name.partition("@")[0]].append(name.partition("@")[2])
    result = {}
    for name in spoken | versions.keys():
        plain = closure((name,), groups)
        by_version = {
            version: _used(used, plain + closure((f"{name}@{version}",), groups)) for version in versions.get(name, ()) if version
        }
        result[name] = Names(_used(used, plain), by_version)
    return result


def _used(used: set[str], names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name in used))
