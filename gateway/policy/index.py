"""The policy compiled: what a decision needs is looked up, never searched.

Three tables, all built at load: operation → the names rows may call it by, member → the rows of every role it holds, and row
tables by name and tenant. Everything an outsider can make up (subject, tenant, operation, version) is only ever a key to look
up, so nothing grows while serving. ``decide`` and ``explain`` share ``_matched``; there is no second way to a decision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gateway.errors import ConfigError, Finding
from gateway.exchange import Principal
from gateway.policy.explain import Explanation, explain
from gateway.policy.file import Grant, PolicyFile
from gateway.policy.lint import unknown_operations
from gateway.ports import Decision

MAX_ENTRIES = 5_000_000
"""Members times tenants times roles a policy may unfold into: a gigabyte. More is a mistake in a '*' row."""

NOTHING = Decision(False)


@dataclass(frozen=True, slots=True)
class Hits:
    """The rows of one role for one name of an operation in one tenant, and what they decide when no others match."""

    rows: tuple[Grant, ...]
    decision: Decision


RowTable = dict[str, dict[str, Hits]]
"""Operation name → tenant or '*' → hits. The hits of a named tenant include those of '*'."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names under which rows may mean an operation: itself, its versions, its groups. Only names that rows use."""

    any_version: tuple[str, ...]
    versions: Mapping[str, tuple[str, ...]]


class PolicyIndex:
    """Immutable. Implements ``gateway.ports.Policy``."""

    __slots__ = ("_everywhere", "_file", "_operations", "_tenants")

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

    @property
    def sha256(self) -> str:
        """Digest, in hex, of the policy file's bytes."""
        return self._file.sha256

    @property
    def file(self) -> PolicyFile:
        return self._file

    def decide(self, principal: Principal, operation: str, version: str) -> Decision:
        """Whether ``principal`` may call ``operation`` in ``version``, and the rows that say so."""
        hits = self._matched(principal, operation, version)
        return hits[0].decision if len(hits) == 1 else _verdict(hits)

    def explain(self, principal: Principal, operation: str, version: str) -> Explanation:
        """The decision with its reasons: matched rows, the memberships and groups that lead to them, near misses."""
        hits = self._matched(principal, operation, version)
        rows = dict.fromkeys(row for hit in hits for row in hit.rows)
        return explain(self._file, principal, operation, version, _verdict(hits), tuple(rows))

    def operations(self) -> frozenset[str]:
        """Every operation rows name, directly or through a group, as written: with or without ``@version``."""
        return frozenset(self._file.named_operations() - self._file.groups())

    def mentions(self, operation: str, version: str) -> bool:
        """Whether any row, allow or deny, for anybody, is about this operation."""
        known = self._operations.get(operation)
        return known is not None and bool(known.versions.get(version, known.any_version))

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
                    by_tenant = table.get(name)
                    if by_tenant is not None:
                        hits = by_tenant.get(tenant) or by_tenant.get("*")
                        if hits is not None:
                            found.append(hits)
        return found


def _verdict(hits: list[Hits]) -> Decision:
    """Deny overrides allow; the rows that decided are the ones of the effect that won."""
    if not hits:
        return NOTHING
    decisions = [hit.decision for hit in hits]
    denials = [decision for decision in decisions if not decision.allowed]
    rows = dict.fromkeys([row for decision in denials or decisions for row in decision.rows])
    return Decision(not denials, tuple(rows))


def _decision(file: PolicyFile, rows: tuple[Grant, ...]) -> Decision:
    effect = "deny" if any(row.effect == "deny" for row in rows) else "allow"
    return Decision(effect == "allow", tuple(file.place(row) for row in rows if row.effect == effect))


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
    """Role → operation name → tenant → hits."""
    grouped: dict[str, dict[str, dict[str, list[Grant]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for row in file.grants:
        grouped[row.role][row.operation][row.tenant].append(row)
    return {
        role: {name: dict(_hits(file, by_tenant)) for name, by_tenant in by_name.items()} for role, by_name in grouped.items()
    }


def _hits(file: PolicyFile, by_tenant: Mapping[str, list[Grant]]) -> Iterator[tuple[str, Hits]]:
    shared = by_tenant.get("*", [])
    for tenant, own in by_tenant.items():
        rows = tuple(own if tenant == "*" else own + shared)
        yield tenant, Hits(rows, _decision(file, rows))


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
        roles = tuple(role for role in _closure(member, shared, own) if role in tables)
        if roles:
            reach[member] = interned.setdefault(roles, tuple(tables[role] for role in roles))
        budget[0] -= 1 + len(roles)
        if budget[0] < 0:
            what = f"the rows unfold into more than {MAX_ENTRIES} roles held"
            raise ConfigError([Finding(file.path, 0, what, "give roles to roles, not to each member in each tenant")])
    return reach


def _closure(start: str, *links: Mapping[str, list[str]]) -> list[str]:
    """``start`` and everything it leads to, nearest first."""
    found = {start: None}
    waiting = [start]
    for name in waiting:
        for mapping in links:
            for following in mapping.get(name, ()):
                if following not in found:
                    found[following] = None
                    waiting.append(following)
    return waiting


def _turned(links: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
    back: dict[str, list[str]] = defaultdict(list)
    for member, roles in links.items():
        for role in roles:
            back[role].append(member)
    return back


def _affected(own: Mapping[str, list[str]], back: Mapping[str, list[str]]) -> set[str]:
    """Every name whose roles in this tenant differ from those it has everywhere: the members of its own links, and whatever
    leads to them."""
    return {name for start in own for name in _closure(start, back)}


def _operation_names(file: PolicyFile) -> dict[str, Names]:
    groups: dict[str, list[str]] = defaultdict(list)
    for row in file.groupings:
        groups[row.operation].append(row.group)
    used = {row.operation for row in file.grants}
    spoken = used | groups.keys() | {row.group for row in file.groupings}
    versions: dict[str, list[str]] = defaultdict(list)
    for name in spoken:
        versions[name.partition("@")[0]].append(name.partition("@")[2])
    result = {}
    for name in spoken | versions.keys():
        plain = _closure(name, groups)
        by_version = {
            version: _used(used, plain + _closure(f"{name}@{version}", groups)) for version in versions.get(name, ()) if version
        }
        result[name] = Names(_used(used, plain), by_version)
    return result


def _used(used: set[str], names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name in used))
