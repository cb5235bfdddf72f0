"""Separation of duties: who holds two rights that nobody may hold together, and how they come by each.

A right is to call one of some operations, or to approve; both are found by the same links and decisions that count when it is
used. A satellite is no person: what it may not hold is said apart. Of names that have a conflict only because they hold another
one that has it, the other is told, with the people it gives it to. Pure: what is accepted until when is asked with a moment.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.approvals.compare import person_key
from gateway.approvals.file import Approvals, Rule
from gateway.people import AUDIT, OPERATE, POLICY_ACTIVATE
from gateway.policy.differences import EVERY, Asked
from gateway.policy.holders import Holders, Right, Way

CODES = (
    "initiator-approves",
    "security-and-money",
    "administrators",
    "satellite-approves",
    "satellite-administers",
    "too-few-approvers",
)
"""Conflicts that are always looked for."""

ADMINISTRATORS = (
    Right("settle documents", (OPERATE,)),
    Right("activate policies", (POLICY_ACTIVATE,)),
    Right("audit", (AUDIT,)),
)
"""System, security and audit administrators (三权分立): three people at least."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Immutable. One pair of rights in one hand, or one rule that too few can satisfy.

    :param code: one of ``CODES``, which are stable, or the name of a pair of the company's own.
    :param who: the name that has both, a role or a person; for ``too-few-approvers`` the role of the approvers.
    :param tenants: where, sorted; ``*`` is any that nothing names.
    :param people: those who have both through ``who``; none where it is latent: a role that gives both and nobody holds.
    :param what: both rights, in words.
    :param ways: how ``who`` comes by each.
    :param remedy: what would resolve it.
    """

    code: str
    who: str
    tenants: tuple[str, ...]
    people: tuple[str, ...]
    what: str
    ways: tuple[Way, ...] = ()
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Immutable. Two rights nobody may hold together, and the code of the conflict."""

    code: str
    one: Right
    other: Right


@dataclass(frozen=True, slots=True)
class Client:
    """Immutable. A satellite as far as duties go."""

    name: str
    tenant: str
    vouches: bool


def conflicts(
    holders: Holders, approvals: Approvals, satellites: Sequence[Client], asked: Sequence[Asked], pairs: Sequence[Pair] = ()
) -> list[Conflict]:
    """Every conflict, one entry for each tenant it is in. ``holders`` are the policy's, ``pairs`` the company's own."""
    versions = {one.operation: one.versions for one in asked}
    clients = {client.name: client for client in satellites}
    rules = {name: rule for name, rule in approvals.rules.items() if name in versions}
    built_in = [*_money(rules), *_administrators()]
    found = [conflict for pair in (*built_in, *pairs) for conflict in _held_together(holders, pair, clients)]
    found += _by_satellites(holders, rules, satellites)
    for name, rule in rules.items():
        found += _too_few(holders, name, rule, clients)
    return found


def folded(found: Sequence[Conflict]) -> list[Conflict]:
    """The same conflict of several tenants as one, in order of code and name."""
    alike: dict[Conflict, list[str]] = defaultdict(list)
    for conflict in found:
        alike[replace(conflict, tenants=())].extend(conflict.tenants)
    told = [replace(conflict, tenants=tuple(sorted(tenants))) for conflict, tenants in alike.items()]
    return sorted(told, key=lambda conflict: (conflict.code, conflict.who, conflict.tenants, conflict.what))


# --- pairs -----------------------------------------------------------------------------------------------------------


def _money(rules: Mapping[str, Rule]) -> Iterator[Pair]:
    security = ADMINISTRATORS[1]
    for name, rule in rules.items():
        calls, approves = Right(f"hand in {name}", (name,)), _approve(name, rule)
        yield Pair("initiator-approves", calls, approves)
        yield Pair("security-and-money", security, calls)
        yield Pair("security-and-money", security, approves)


def _approve(name: str, rule: Rule) -> Right:
    roles = (rule.approvers,) if rule.escalate is None else (rule.approvers, rule.escalate.to)
    return Right(f"approve {name}", roles=roles)


def _administrators() -> Iterator[Pair]:
    for number, one in enumerate(ADMINISTRATORS):
        yield from (Pair("administrators", one, other) for other in ADMINISTRATORS[number + 1 :])


def _held_together(holders: Holders, pair: Pair, clients: Collection[str]) -> Iterator[Conflict]:
    """Two spellings of one person's id are one person, as they are where people approve."""
    one, other = holders.of(pair.one), holders.of(pair.other)
    for tenant in sorted(one.keys() & other.keys()):
        first, second = ({name for name in names[tenant] if name not in clients} for names in (one, other))
        spelled: dict[str, list[str]] = defaultdict(list)
        for name in sorted(second):
            spelled[person_key(name)].append(name)
        both = {name: name if name in second else spelled[person_key(name)][0] for name in first if person_key(name) in spelled}
        for name, people in holders.topmost(both.keys(), tenant).items():
            ways = (holders.way(name, tenant, pair.one), holders.way(both[name], tenant, pair.other))
            what = f"may {pair.one.text} and {pair.other.text}"
            yield Conflict(pair.code, name, (tenant,), tuple(people), what, ways, _either(pair, ways))


def _either(pair: Pair, ways: tuple[Way, Way]) -> str:
    first, second = (f"'{right.text}' ({way.nearest})" for right, way in zip((pair.one, pair.other), ways, strict=True))
    return f"take away {first} or {second}"


# --- satellites and quorums ------------------------------------------------------------------------------------------


def _by_satellites(holders: Holders, rules: Mapping[str, Rule], satellites: Sequence[Client]) -> Iterator[Conflict]:
    rights = [("satellite-approves", _approve(name, rule)) for name, rule in rules.items()]
    rights += [("satellite-administers", right) for right in ADMINISTRATORS]
    for client in satellites:
        for code, right in rights:
            if client.name in holders.of(right).get(client.tenant, ()):
                way = holders.way(client.name, client.tenant, right)
                what = f"is a satellite, no person, and may {right.text}"
                remedy = f"take it away ({way.nearest}), or give the client another id"
                yield Conflict(code, client.name, (client.tenant,), (), what, (way,), remedy)


def _too_few(holders: Holders, operation: str, rule: Rule, clients: Mapping[str, Client]) -> Iterator[Conflict]:
    """Whoever asks cannot approve: where an approver can be the one who asks, one of them is missing then. Tenants that nothing
    names are none anybody works in."""
    approving = holders.of(Right("", roles=(rule.approvers,)))
    for tenant, callers in sorted(holders.of(Right("", (operation,))).items()):
        if tenant == EVERY and len(holders.tenants) > 1:
            continue
        people = {person_key(name) for name in approving.get(tenant, ()) if holders.is_person(name) and name not in clients}
        calling = {name for name in callers if name not in clients or clients[name].tenant == tenant}
        if not any(holders.is_person(name) or name in clients for name in calling):
            continue
        vouched = any(name in clients and clients[name].vouches for name in calling)
        named = vouched or bool(people & {person_key(name) for name in calling if name not in clients})
        left = len(people) - (1 if named and people else 0)
        if left < rule.required:
            asks = ", and one less where one of them asks" if named and people else ""
            what = f"{operation} needs {rule.required} to approve, and {len(people)} can{asks}"
            remedy = f"give the role to {rule.required - left} more"
            yield Conflict("too-few-approvers", rule.approvers, (tenant,), (), what, (), remedy)
