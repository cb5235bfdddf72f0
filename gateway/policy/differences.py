"""Who gains and who loses what between two policies, as tuples: who, tenant, operation and version, what.

Every name is asked by itself, in every tenant that is named and in any other (``*``), and the answers are those of ``decide``:
what two roles of one token do together is no name and is not asked. Only questions that a changed row leads to are put. Pure;
what operations there are, and their fields, is the caller's to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from gateway.approvals.file import Approvals, Rule
from gateway.exchange import Principal
from gateway.people import AUDIT, OPERATE
from gateway.policy.bulk import uncollected
from gateway.policy.causes import Cause, Causes
from gateway.policy.file import Membership, PolicyFile, Restriction
from gateway.policy.index import PolicyIndex
from gateway.policy.touched import Links, changed
from gateway.ports import Decision
from gateway.scope import EVERYTHING, Path, Scope, Who, parse_field
from gateway.scope.parts import Part, Shape, compare, seen

MOST = 200_000
"""Tuples told at most; beyond that the two policies have little in common, and nobody reads them."""

MOST_ASKED = 3_000_000
"""Questions put at most: some ten seconds."""

MOST_CAUSES = 50
"""Rows told of one tuple at most."""

EVERY = "*"
Parts = tuple[list[Part], list[Part]]
CALL, APPROVE, ESCALATED = "call", "approve", "approve once escalated"


@dataclass(frozen=True, slots=True)
class Side:
    """Immutable. One of the two: its policy, its approval rules, and the tenants it knows beside those of rows."""

    policy: PolicyIndex
    approvals: Approvals | None = None
    tenants: frozenset[str] = frozenset()

    def rule(self, operation: str) -> Rule | None:
        return None if self.approvals is None else self.approvals.rules.get(operation)


@dataclass(frozen=True, slots=True)
class Asked:
    """Immutable. One operation and its versions, oldest first; one that has none has the version ``""``."""

    operation: str
    versions: tuple[str, ...]
    shape: Shape = field(default_factory=Shape)


@dataclass(frozen=True, slots=True)
class Change:
    """Immutable. One tuple.

    :param tenant: ``*`` is any tenant that nothing names.
    :param version: ``*`` where all of several versions changed alike, empty where the operation has none.
    :param what: ``call``, ``approve``, ``see FIELD``, ``set FIELD``, ``records with …`` or ``call from …`` and ``call at …``.
    :param limits: what a caller who gains or loses ``call`` is not given with it.
    :param causes: the rows that decide it, first, and the changed ones that lead to them.
    """

    who: str
    tenant: str
    operation: str
    version: str
    what: str
    limits: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = field(default=(), compare=False)

    @property
    def named(self) -> str:
        """The operation as people write it."""
        return self.operation if self.version in ("", EVERY) else f"{self.operation}@{self.version}"


@dataclass(frozen=True, slots=True)
class Differences:
    """Immutable. Tuples in order of operation, who and tenant. ``idle`` are rows that one of the two has alone and that change
    nothing. ``complete`` is false where there was more than can be told; then nothing is said of idle rows."""

    gained: tuple[Change, ...] = ()
    lost: tuple[Change, ...] = ()
    idle: tuple[Cause, ...] = ()
    complete: bool = True

    def __bool__(self) -> bool:
        return bool(self.gained or self.lost)


@uncollected
def differences(old: Side, new: Side, asked: Sequence[Asked]) -> Differences:
    """What ``new`` gives and takes in these operations. A tuple is gained exactly when ``old`` denies and ``new`` allows it."""
    comparison = _Comparison(old, new, asked)
    gained: list[Change] = []
    lost: list[Change] = []
    complete = True
    for number, question in enumerate(comparison.questions()):
        for change, mine in comparison.asked(*question):
            (gained if mine else lost).append(change)
        if len(gained) + len(lost) >= MOST or number >= MOST_ASKED:
            complete = False
            break
    idle = comparison.idle() if complete else ()
    versions = {one.operation: one.versions for one in asked}
    return Differences(_folded(gained, versions), _folded(lost, versions), idle, complete)


def tenants_of(*sides: Side) -> frozenset[str]:
    """Every tenant that is named, and ``*`` for any other."""
    files = [side.policy.file for side in sides]
    named = {EVERY}.union(*(side.tenants for side in sides))
    for file in files:
        named.update(row.tenant for row in file.grants)
        named.update(row.tenant for row in file.restrictions)
        named.update(row.tenant for row in file.memberships)
    return frozenset(named)


class _Comparison:
    def __init__(self, old: Side, new: Side, asked: Sequence[Asked]) -> None:
        self.sides = (old, new)
        self._operations = {one.operation: one for one in asked}
        self._tenants = tenants_of(old, new)
        self._files: tuple[PolicyFile, PolicyFile] = (old.policy.file, new.policy.file)
        self._added, self._removed = changed(*self._files)
        self._links = Links(*self._files)
        self._names = {(one.operation, v): self._links.names(one.operation, v) for one in asked for v in one.versions}
        self._causes = (Causes("old", old.policy.file, self._removed), Causes("new", new.policy.file, self._added))
        self._fields = (_fields_named(old.policy.file), _fields_named(new.policy.file))
        self._at_work: set[tuple[str, str]] = set()
        self._compared: dict[tuple[object, ...], tuple[Scope, Scope, Parts]] = {}
        self._rules = {one.operation: (old.rule(one.operation), new.rule(one.operation)) for one in asked}

    # --- which questions ---------------------------------------------------------------------------------------------

    def questions(self) -> Iterator[tuple[str, str, str, str]]:
        """Who, tenant, operation, version. The version ``*`` asks who approves."""
        by_name: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for called, names in self._names.items():
            for name in names:
                by_name[name].append(called)
        done: set[tuple[str, str, str, str]] = set()
        rows = (*self._added, *self._removed)
        pairs = ((one, by_name[one[2]]) for one in self._links.questions(rows, by_name.keys()))
        for (who, where, _), operations in chain(pairs, self._approvers()):
            for tenant in self._tenants if where == EVERY else (where,):
                for operation, version in operations:
                    question = (who, tenant, operation, version)
                    if question not in done:
                        done.add(question)
                        yield question

    def _approvers(self) -> Iterator[tuple[tuple[str, str, str], list[tuple[str, str]]]]:
        links = [row for row in (*self._added, *self._removed) if isinstance(row, Membership)]
        given = [(link, {role for role, _ in self._links.roles(link.role, link.tenant)}) for link in links]
        for operation, (old, new) in self._rules.items():
            roles = _approving(old) | _approving(new)
            holders = set[tuple[str, str]]()
            if _deciding(old) != _deciding(new):
                holders.update(state for role in roles for state in self._links.holders(role, EVERY))
            for link, reached in given:
                if reached & roles:
                    holders |= self._links.holders(link.member, link.tenant)
            yield from (((who, tenant, ""), [(operation, EVERY)]) for who, tenant in holders)

    # --- their answers -----------------------------------------------------------------------------------------------

    def asked(self, who: str, tenant: str, operation: str, version: str) -> Iterator[tuple[Change, bool]]:
        """What changes, and whether it is gained."""
        if version == EVERY:
            yield from self._approval(who, tenant, operation)
            return
        principal = Principal(who, tenant)
        old, new = (side.policy.decide(principal, operation, version) for side in self.sides)
        base = Change(who, tenant, operation, version, CALL)
        if old.allowed != new.allowed:
            yield self._called(base, old, new), new.allowed
        if old.scope is new.scope:
            return
        gained, lost = self._parts(base, old, new)
        rows = _Restricting(self._restrictions(base, old, new) if gained or lost else (), self._kept)
        for parts, mine in ((gained, True), (lost, False)):
            for part in parts:
                yield replace(base, what=part.text, causes=rows.of(part)), mine

    def _named(self, operation: str, version: str) -> list[Path]:
        """The fields that rows about an operation name."""
        found: dict[Path, None] = {}
        for causes, fields in zip(self._causes, self._fields, strict=True):
            for name in causes.names(operation) | causes.names(f"{operation}@{version}") if fields else ():
                found |= dict.fromkeys(fields.get(name, ()))
        return sorted(found)

    def _called(self, base: Change, old: Decision, new: Decision) -> Change:
        scope = (new if new.allowed else old).scope
        if scope is None:
            return replace(base, causes=self._because(base, old, new))
        _, lost = self._compare(base, EVERYTHING, scope, whole=True)
        return replace(base, limits=tuple(part.text for part in lost), causes=self._because(base, old, new))

    def _compare(self, base: Change, old: Scope, new: Scope, *, whole: bool) -> Parts:
        """Callers of one role share their scopes, and so what differs in them."""
        key = (base.operation, base.version, base.tenant, whole, id(old), id(new))
        known = self._compared.get(key)
        if known is None:
            named, shape = self._named(base.operation, base.version), self._operations[base.operation].shape
            parts = compare(old, new, named, shape, Who(base.who, base.tenant)) if whole else seen(old, new, named, shape)
            known = self._compared[key] = (old, new, parts)
        return known[2]

    def _parts(self, base: Change, old: Decision, new: Decision) -> Parts:
        whole = old.allowed and new.allowed
        before, after = old.scope or EVERYTHING, new.scope or EVERYTHING
        if not whole and (
            before.fields == after.fields or not all(map(self._looks, self.sides, self._causes, (old, new), (base, base)))
        ):
            return [], []
        return self._compare(base, before, after, whole=whole)

    def _looks(self, side: Side, causes: Causes, decision: Decision, base: Change) -> bool:
        """Whether somebody who need not be allowed to call an operation sees its documents in the console."""
        if decision.allowed or _approving(side.rule(base.operation)) & causes.roles(base.who, base.tenant):
            return True
        principal = Principal(base.who, base.tenant)
        return self._operations[base.operation].shape.writes and any(
            side.policy.decide(principal, operation, "").allowed for operation in (OPERATE, AUDIT)
        )

    def _approval(self, who: str, tenant: str, operation: str) -> Iterator[tuple[Change, bool]]:
        rules = self._rules[operation]
        rights = [_right(rule, cause.roles(who, tenant)) for rule, cause in zip(rules, self._causes, strict=True)]
        for number, right in enumerate(rights):
            if right is not None and right != rights[1 - number]:
                yield Change(who, tenant, operation, "", right, causes=self._approver_causes(who, tenant, operation)), number == 1

    # --- their reasons -----------------------------------------------------------------------------------------------

    def _because(self, base: Change, old: Decision, new: Decision) -> tuple[Cause, ...]:
        found: list[Cause] = []
        for causes, decision in zip(reversed(self._causes), (new, old), strict=True):
            limited = decision.scope.rows if decision.scope is not None and decision.allowed else ()
            for row in map(causes.row, (*decision.rows, *limited)):
                found += causes.of(row, base.who, base.tenant, base.operation, base.version)
        return self._kept(found)

    def _restrictions(self, base: Change, old: Decision, new: Decision) -> Iterator[tuple[Restriction, list[Cause]]]:
        """The rows that restrict one of the two alone, with what leads to them."""
        for causes, decision in zip(reversed(self._causes), (new, old), strict=True):
            for row in map(causes.row, decision.scope.rows if decision.scope is not None else ()):
                because = causes.of(row, base.who, base.tenant, base.operation, base.version)
                if because and isinstance(row, Restriction):
                    yield row, because

    def _kept(self, causes: Iterable[Cause]) -> tuple[Cause, ...]:
        """Some of the causes; all of them are at work."""
        found = dict.fromkeys(causes)
        self._at_work.update((cause.side, cause.place) for cause in found)
        return tuple(islice(found, MOST_CAUSES))

    def _approver_causes(self, who: str, tenant: str, operation: str) -> tuple[Cause, ...]:
        found: list[Cause] = []
        old, new = self._rules[operation]
        for causes, side, rule in zip(reversed(self._causes), reversed(self.sides), (new, old), strict=True):
            found += causes.links(who, tenant, _approving(rule))
            if rule is not None and side.approvals is not None and _deciding(old) != _deciding(new):
                source = side.approvals.source
                place = f"{source.path}:{source.line(('approvals', operation, 'approvers'))}"
                found.append(Cause(causes.side, place, f"approvers: {rule.approvers}", changed=True))
        return self._kept(found)

    def idle(self) -> tuple[Cause, ...]:
        """The changed rows that are no cause of any change told so far."""
        every = [causes.cause(row) for causes in self._causes for row in causes.changed]
        return tuple(cause for cause in every if (cause.side, cause.place) not in self._at_work)


def _fields_named(file: PolicyFile) -> Mapping[str, Collection[Path]]:
    """By name of operations, what p2 rows name of them."""
    found: dict[str, set[Path]] = defaultdict(set)
    for row in file.restrictions:
        if row.kind == "p2":
            found[row.operation].add(parse_field(row.name))
    return found


class _Restricting:
    """Rows that restrict, to be found by the part they decide. ``kept`` is told the causes of each."""

    def __init__(
        self, rows: Iterable[tuple[Restriction, list[Cause]]], kept: Callable[[Iterable[Cause]], tuple[Cause, ...]]
    ) -> None:
        self._kept = kept
        self._fields: list[tuple[Path, list[Cause]]] = []
        self._named: dict[tuple[str, str], list[Cause]] = defaultdict(list)
        self._known: dict[tuple[str, str], tuple[Cause, ...]] = {}
        for row, because in rows:
            if row.kind == "p2":
                self._fields.append((() if row.value == "show" else parse_field(row.name), because))
            else:
                self._named[row.kind, row.name] += because

    def of(self, part: Part) -> tuple[Cause, ...]:
        """A field is decided by rows about it, about what it is in or what is in it, and by all that show."""
        key = (part.kind, part.name)
        if part.kind != "p2" and key not in self._known:
            self._known[key] = self._kept(self._named[key])
        return self._known.get(key) or self._kept(
            cause for path, because in self._fields if _related(path, part.path) for cause in because
        )


def _related(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _approving(rule: Rule | None) -> frozenset[str]:
    return frozenset() if rule is None else frozenset({rule.approvers, *(() if rule.escalate is None else (rule.escalate.to,))})


def _deciding(rule: Rule | None) -> tuple[str, str | None] | None:
    return None if rule is None else (rule.approvers, None if rule.escalate is None else rule.escalate.to)


def _right(rule: Rule | None, roles: Collection[str]) -> str | None:
    if rule is None:
        return None
    if rule.approvers in roles:
        return APPROVE
    return ESCALATED if rule.escalate is not None and rule.escalate.to in roles else None


def _folded(changes: Iterable[Change], versions: Mapping[str, tuple[str, ...]]) -> tuple[Change, ...]:
    """In order, and those of all versions of an operation as one."""
    alike: dict[Change, list[Change]] = defaultdict(list)
    for change in changes:
        alike[replace(change, version=EVERY)].append(change)
    found: list[Change] = []
    for folded, single in alike.items():
        if len(single) > 1 and {change.version for change in single} == set(versions[folded.operation]):
            causes = dict.fromkeys(cause for change in single for cause in change.causes)
            found.append(replace(folded, causes=tuple(causes)))
        else:
            found += single
    return tuple(sorted(found, key=lambda change: (change.operation, change.who, change.tenant, change.what, change.version)))
