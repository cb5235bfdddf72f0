"""Who holds which role: the g rows of a policy file, followed in both directions within one tenant.

The index answers what a caller may do and needs no list of people; approvals need both the roles of a person and the people of a
role. A role is held by name: whoever is called ``cfo`` holds the role ``cfo`` without a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property

from gateway.exchange import Principal
from gateway.policy.file import PolicyFile
from gateway.policy.hierarchy import closure
from gateway.policy.index import PolicyIndex


class Roles:
    """Immutable. The roles of one tenant, rows for every tenant (``*``) included."""

    def __init__(self, policy: PolicyFile | PolicyIndex, tenant: str) -> None:
        self._file = policy.file if isinstance(policy, PolicyIndex) else policy
        self._rows = [row for row in self._file.memberships if row.tenant in (tenant, "*")]
        self._tenant = tenant

    def of(self, subject: str, carried: Iterable[str] = ()) -> frozenset[str]:
        """Every role somebody holds, their own name among them; ``carried`` are roles that a credential gives beside the file."""
        return frozenset(closure((subject, *carried), self._up))

    def members(self, role: str) -> frozenset[str]:
        """The people who hold a role: names the file knows. A name that others are members of is a role and no person."""
        return frozenset(name for name in self.names(role) if name in self._known and not self._down.get(name))

    def names(self, role: str) -> frozenset[str]:
        """Every name that holds a role, the role's own and those of roles that hold it among them."""
        return frozenset(closure((role,), self._down))

    @cached_property
    def _up(self) -> Mapping[str, list[str]]:
        return _links((row.member, row.role) for row in self._rows)

    @cached_property
    def _down(self) -> Mapping[str, list[str]]:
        return _links((row.role, row.member) for row in self._rows)

    @cached_property
    def _known(self) -> frozenset[str]:
        granted = (row.role for row in self._file.grants if row.tenant in (self._tenant, "*"))
        return frozenset(row.member for row in self._rows).union(granted)


def roles_of(policy: PolicyFile | PolicyIndex, subject: str, tenant: str) -> frozenset[str]:
    """Every role ``subject`` holds in a tenant, directly or through other roles, its own name among them."""
    return Roles(policy, tenant).of(subject)


def members_of(policy: PolicyFile | PolicyIndex, role: str, tenant: str) -> frozenset[str]:
    """Everybody who holds ``role`` in a tenant, directly or through other roles."""
    return Roles(policy, tenant).members(role)


def permitted(policy: PolicyIndex, operation: str, tenant: str) -> frozenset[str]:
    """The names the file knows that may do something at the console, those of roles among them: they are held by name."""
    roles = Roles(policy, tenant)
    names = frozenset[str]().union(*(roles.names(role) for role in opening(policy, operation, "", tenant)))
    return frozenset(name for name in names if policy.decide(Principal(name, tenant), operation, "").allowed)


def opening(policy: PolicyFile | PolicyIndex, operation: str, version: str, tenant: str | None = None) -> tuple[str, ...]:
    """The roles that rows let call an operation and none denies it, in the order of the file. Any one of them will do. Rows of
    other tenants count only when no ``tenant`` is named."""
    file = policy.file if isinstance(policy, PolicyIndex) else policy
    groups = _links((row.operation, row.group) for row in file.groupings)
    names = frozenset(closure((operation, f"{operation}@{version}"), groups))
    rows = [row for row in file.grants if row.operation in names and (tenant is None or row.tenant in (tenant, "*"))]
    denied = {(row.role, "*" if tenant else row.tenant) for row in rows if row.effect == "deny"}
    found = [row for row in rows if row.effect == "allow" and not {(row.role, row.tenant), (row.role, "*")} & denied]
    return tuple(dict.fromkeys(row.role for row in found))


def _links(pairs: Iterable[tuple[str, str]]) -> Mapping[str, list[str]]:
    links: dict[str, list[str]] = defaultdict(list)
    for start, end in pairs:
        links[start].append(end)
    return dict(links)
