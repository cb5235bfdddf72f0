"""Questions to a whole policy: who can do this, what can they do, and about whom and what can be asked at all.

A *question* is a caller and a call. Every answer is one that ``PolicyIndex.decide`` gives; what is found here is only whom to ask
it about, by following rows backwards, so that a large policy is not asked about everybody in every tenant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from gateway.exchange import Principal
from gateway.policy.explain import Explanation
from gateway.policy.file import Grant, Membership, PolicyFile, Restriction
from gateway.policy.hierarchy import closure
from gateway.policy.index import PolicyIndex
from gateway.ports import Decision
from gateway.scope import Context, Scope

ANY = "*"
"""As the tenant of a question: every tenant that no row names."""

Kind = Literal["satellite", "person", "role"]


class Call(NamedTuple):
    """An operation in one version. What is done at the console has no version."""

    operation: str
    version: str

    def __str__(self) -> str:
        return f"{self.operation}@{self.version}" if self.version else self.operation


@dataclass(frozen=True, slots=True)
class Universe:
    """Immutable. Everything of a deployment that a question can be about.

    :param subjects: every name that can hold rights, and what it is as far as the files tell: a client of satellites.yaml; a name
        that is a member and has none (or one of a demo's people); else a role, which is held by name too, or carried by a token.
    :param calls: every operation in every version, routes first, in order.
    :param tenants: the tenants that rows or satellites name, sorted.
    """

    subjects: Mapping[str, Kind]
    calls: tuple[Call, ...]
    tenants: tuple[str, ...]


def universe(file: PolicyFile, calls: Iterable[Call], satellites: Mapping[str, str], people: Iterable[str] = ()) -> Universe:
    """The universe of a policy.

    :param satellites: the tenant of each by its client id.
    :param people: further names known to be people's.
    """
    rows: tuple[Grant | Restriction | Membership, ...] = (*file.grants, *file.restrictions, *file.memberships)
    held = {row.role for row in file.memberships}
    subjects: dict[str, Kind] = {row.role: "role" for row in rows}
    subjects |= {row.member: "role" if row.member in held else "person" for row in file.memberships}
    subjects |= dict.fromkeys(people, "person")
    subjects |= dict.fromkeys(satellites, "satellite")
    tenants = {row.tenant for row in rows} | set(satellites.values())
    return Universe(subjects, tuple(calls), tuple(sorted(tenants - {ANY})))


@dataclass(frozen=True, slots=True)
class Holder:
    """One who may make a call in a tenant. Where ``tenant`` is ``ANY`` it is so in every tenant except those in ``otherwise``:
    there it has an entry of its own, or may not."""

    subject: str
    tenant: str
    decision: Decision
    otherwise: tuple[str, ...] = ()


def who_can(policy: PolicyIndex, call: Call) -> Iterator[Holder]:
    """Everybody whom rows let make a call, each in the tenants where it is so. Roles are among them: whoever carries one may.
    Times and networks that rows ask for are in the decisions' scopes."""
    reverse = _Reverse(policy, call)
    shared = {name: policy.decide(Principal(name, ANY), *call) for name in reverse.everywhere}
    otherwise: dict[str, list[str]] = defaultdict(list)
    for tenant in reverse.tenants:
        for name in reverse.affected(tenant):
            decision, usual = policy.decide(Principal(name, tenant), *call), shared.get(name)
            if usual is not None and usual.allowed and decision != usual:
                otherwise[name].append(tenant)
            if decision.allowed and decision != usual:
                yield Holder(name, tenant, decision)
    for name, decision in shared.items():
        if decision.allowed:
            yield Holder(name, ANY, decision, tuple(otherwise.get(name, ())))


def within(holders: Iterable[Holder], tenant: str) -> Iterator[Holder]:
    """Those of ``who_can`` who may in one tenant."""
    for holder in holders:
        if holder.tenant == tenant or (holder.tenant == ANY and tenant not in holder.otherwise):
            yield Holder(holder.subject, tenant, holder.decision)


class _Reverse:
    """Who leads to the rows about a call, tenant by tenant. A tenant counts only where its own rows make a difference."""

    def __init__(self, policy: PolicyIndex, call: Call) -> None:
        names = set(policy.names(*call))
        self._members: dict[str, dict[str, list[str]]] = {ANY: {}}
        for link in policy.file.memberships:
            self._members.setdefault(link.tenant, {}).setdefault(link.role, []).append(link.member)
        self._roles: dict[str, dict[str, None]] = {ANY: {}}
        ruling: tuple[Grant | Restriction, ...] = (*policy.file.grants, *policy.file.restrictions)
        for row in ruling:
            if row.operation in names:
                self._roles.setdefault(row.tenant, {})[row.role] = None
        self.everywhere = self._closure(self._roles[ANY], ANY)

    @property
    def tenants(self) -> list[str]:
        return sorted((self._roles.keys() | self._members.keys()) - {ANY})

    def affected(self, tenant: str) -> dict[str, None]:
        """Every name that is decided on in this tenant by a row of the tenant, be it about the call or a membership."""
        own = self._members.get(tenant, {})
        joined = [member for role, members in own.items() if role in self.everywhere for member in members]
        return self._closure([*self._roles.get(tenant, {}), *joined], tenant)

    def _closure(self, starts: Iterable[str], tenant: str) -> dict[str, None]:
        sources = [self._members[ANY]] if tenant == ANY else [self._members[ANY], self._members.get(tenant, {})]
        return dict.fromkeys(closure(starts, *sources))


def what_can(policy: PolicyIndex, principal: Principal, calls: Iterable[Call]) -> Iterator[tuple[Call, Decision]]:
    """The calls that rows let a caller make."""
    for call in calls:
        decision = policy.decide(principal, *call)
        if decision.allowed:
            yield call, decision


def unmet(scope: Scope | None, at: float | None, address: str | None) -> tuple[str, ...]:
    """The kinds of condition that do not hold at a time (Unix seconds) and from an address. ``None`` is not asked about."""
    if scope is None:
        return ()
    judged = {"time": at is not None, "network": address is not None}
    return tuple(name for name in scope.unmet(Context(at or 0.0, address or "")) if judged[name])


def explained(
    policy: PolicyIndex, principal: Principal, call: Call, at: float | None = None, address: str | None = None
) -> Explanation:
    """The decision on one question, with its reasons and the conditions that do not hold."""
    told = policy.explain(principal, *call)
    return replace(told, unmet=unmet(told.decision.scope, at, address))
