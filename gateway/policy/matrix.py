"""Who may call what, as a table: names down, operations across, each cell the decision of the index and how it comes about.

A cell is made by ``decide`` and the rows it matched, never by other rules. What a page shows of a large policy is chosen before
any cell is made, so that the size of the policy does not matter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gateway.exchange import Principal
from gateway.policy.file import Grant, Membership, PolicyFile
from gateway.policy.index import PolicyIndex, Ruling

Verdict = Literal["allow", "deny", "nothing"]
Kind = Literal["role", "satellite", "person"]
LIMITS = {"p2": "fields", "p3": "records", "p4": "conditions"}


class Name(NamedTuple):
    """Somebody, or a role, that a row may be about."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Cell:
    """One decision. ``through`` is the role whose row decided, empty where a row names the very one asked about; ``group`` the
    group by which that row names the operation, empty where it names the operation. ``limits`` are what restricts an allowed
    call: ``fields``, ``records``, ``conditions``."""

    verdict: Verdict
    through: str = ""
    group: str = ""
    limits: tuple[str, ...] = ()


NOTHING = Cell("nothing")


def cell(policy: PolicyIndex, principal: Principal, operation: str, version: str) -> Cell:
    """The cell of one question."""
    rows = policy.matched(principal, operation, version)
    if not rows:
        return NOTHING
    allowed = policy.decide(principal, operation, version).allowed
    effect: Literal["allow", "deny"] = "allow" if allowed else "deny"
    deciding = [row for row in rows if isinstance(row, Grant) and row.effect == effect]
    if not deciding:
        return NOTHING
    first = next((row for row in deciding if row.role == principal.subject), deciding[0])
    through = "" if first.role == principal.subject else first.role
    group = "" if first.operation.partition("@")[0] == operation else first.operation
    return Cell(effect, through, group, _limits(rows) if allowed else ())


def _limits(rows: Iterable[Ruling]) -> tuple[str, ...]:
    kinds = {row.kind for row in rows if not isinstance(row, Grant)}
    return tuple(name for kind, name in LIMITS.items() if kind in kinds)


@dataclass(frozen=True, slots=True)
class Names:
    """Immutable. Everybody the rows of a tenant may be about, in order, by kind. Strings alone: a hundred thousand of them cost
    the garbage collector nothing."""

    kinds: Mapping[Kind, Sequence[str]]

    def __len__(self) -> int:
        return sum(map(len, self.kinds.values()))

    def __contains__(self, name: str) -> bool:
        return any(name in names for names in self.kinds.values())

    def matching(self, text: str) -> Names:
        """Those that contain a text, in any case."""
        wanted = text.casefold()
        return Names({kind: [name for name in names if wanted in name.casefold()] for kind, names in self.kinds.items()})

    def part(self, start: int, size: int) -> list[Name]:
        """So many of them from a place on, counted from 0."""
        found: list[Name] = []
        for kind, names in self.kinds.items():
            found += [Name(name, kind) for name in names[start : start + size - len(found)]]
            start = max(0, start - len(names))
        return found


def names(file: PolicyFile, tenant: str, satellites: Collection[str], people: Collection[str]) -> Names:
    """Everybody the rows of a tenant, and those of every tenant, may be about: roles, then satellites, then people, each by
    name. Who is made a member of something, and has no members, is a person; a name that only ``p`` rows have is a role."""
    here = (tenant, "*")
    memberships = [row for row in file.memberships if row.tenant in here]
    roles = {row.role for row in memberships}
    members = {row.member for row in memberships} - roles
    ruling: tuple[Ruling, ...] = (*file.grants, *file.restrictions)
    ruled = {row.role for row in ruling if row.tenant in here}
    systems = set(satellites)
    persons = (members | set(people)) - systems
    found: dict[Kind, set[str]] = {"role": (roles | ruled) - persons - systems, "satellite": systems, "person": persons}
    return Names({kind: sorted(named) for kind, named in found.items()})


def tenants(file: PolicyFile) -> list[str]:
    """The tenants that rows name."""
    rows: tuple[Ruling | Membership, ...] = (*file.grants, *file.restrictions, *file.memberships)
    return sorted({row.tenant for row in rows} - {"*"})


def page(count: int, number: int, size: int) -> tuple[int, int]:
    """Which page of so many things is shown, counted from 1, and how many there are. A page beyond the last is the last."""
    pages = max(1, -(-count // size))
    return min(max(number, 1), pages), pages
