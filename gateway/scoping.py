"""Policy and approval rules held against the routes: each row must be able to do what it says, each operation be somebody's to
call, each rule be able to hold.

A row that hides a field no operation has hides nothing, and one by a predicate that neither the ERP nor the answer can be asked
about would let everything through or nothing: both are findings, at the row's line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, Protocol

from gateway.approvals.check import check_eligible, check_operations
from gateway.approvals.compare import person_key
from gateway.approvals.file import Approvals
from gateway.config.routes import AmountPlace, OperationBase
from gateway.config.source import Place as Where
from gateway.config.source import Source
from gateway.deployment import Deployment
from gateway.errors import Finding
from gateway.exchange import Principal
from gateway.people import PERMISSIONS, POLICY_ACTIVATE
from gateway.policy.differences import Asked, Side
from gateway.policy.duties import Client
from gateway.policy.duties_file import Judged, findings, judge
from gateway.policy.expectations import PolicyTests, failures
from gateway.policy.file import Restriction
from gateway.policy.index import PolicyIndex
from gateway.policy.roles import members_of, permitted
from gateway.ports import Operation
from gateway.scope import Path, Place, Records, parse_field
from gateway.scope.fields import has_field
from gateway.scope.parts import Shape
from gateway.scope.records import AMOUNT
from gateway.stages.authorize import Noted
from gateway.stages.prepare import Reads

KEYS: Mapping[str, str] = {"entity": "entity", "cost-centre": "cost_centre", "satellite": "satellite", AMOUNT: "amount"}
"""The key of a route file's ``records:`` for each predicate."""

SAFE = ("GET", "HEAD")
BUILT_IN = tuple(Asked(name, ("",)) for name in PERMISSIONS)


class Served(Protocol):
    """One operation of a route file with what it ends in."""

    @property
    def id(self) -> str: ...

    @property
    def source(self) -> Source: ...

    @property
    def place(self) -> Where: ...

    @property
    def config(self) -> OperationBase: ...

    @property
    def versions(self) -> tuple[str, ...]: ...

    @property
    def call(self) -> Operation: ...

    @property
    def reads(self) -> Reads: ...

    @property
    def target(self) -> str: ...


class Called(Protocol):
    """One operation in one version, as routes are."""

    @property
    def operation(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def method(self) -> str: ...

    @property
    def call(self) -> Operation: ...

    @property
    def public(self) -> bool: ...


def writes(config: OperationBase) -> bool:
    """Whether an operation changes something, as far as its method says (RFC 9110 section 9.2.1)."""
    return config.method not in SAFE


def noted(config: OperationBase) -> Noted:
    """How the decision log keeps that a call of an operation was allowed."""
    return "by its document" if config.recorded else "always" if config.sensitive else "sampled"


def asked(routes: Iterable[Called]) -> tuple[Asked, ...]:
    """What a policy is asked about: every operation that is not public, and what is done at the console."""
    found: dict[str, list[Called]] = {}
    for route in routes:
        if not route.public:
            found.setdefault(route.operation, []).append(route)
    return (*(_asked(name, some) for name, some in found.items()), *BUILT_IN)


def _asked(operation: str, routes: Sequence[Called]) -> Asked:
    call = routes[0].call
    shape = Shape(routes[0].method not in SAFE, cache(call.request_schema), cache(call.answer_schema))
    return Asked(operation, tuple(route.version for route in routes), shape)


def records_of(config: OperationBase) -> Records:
    """What a route file says of an operation's records."""
    section, reference = config.records, _path(config.reference) or ()
    if section is None:
        return Records(reference=reference)
    places = {}
    for name, key in KEYS.items():
        said = getattr(section, key)
        if said is not None:
            currency = said.currency if isinstance(said, AmountPlace) else None
            places[name] = Place(_path(said.at), said.filter, _path(currency))
    counts = tuple(filter(None, map(_path, section.counts)))
    return Records(_path(section.within) or (), places, reference, counts)


def _path(text: str | None) -> Path | None:
    return tuple(text.split(".")[1:]) if text is not None else None


def check_policy(policy: PolicyIndex, tests: PolicyTests, entries: Sequence[Served], *, rows: bool) -> Iterator[Finding]:
    """Everything the policy and its tests say that does not go with the routes. ``rows``: whether all routes are known, so that
    an operation of a row that is not among them is an error."""
    known = {f"{entry.id}@{version}" for entry in entries for version in entry.versions} | set(PERMISSIONS)
    if rows:
        yield from policy.unknown_operations(known)
        yield from failures(tests, policy, known | {name.partition("@")[0] for name in known})
        yield from check_restrictions(policy, entries)
    for entry in entries:
        missing = [version for version in entry.versions if not policy.mentions(entry.id, version)]
        if missing and not entry.config.public:
            what = f"no policy row mentions {entry.id}@{missing[0]}, so nobody could call it"
            remedy = f"add a row such as 'p, ROLE, TENANT, {entry.id}, allow' (or deny), or say 'public: true'"
            yield entry.source.finding(entry.place, what, remedy)
        yield from check_records(entry)


def check_records(entry: Served) -> Iterator[Finding]:
    """A ``records:`` whose paths and parameters the operation does not have."""
    if entry.config.records is None:
        return
    records, changing = records_of(entry.config), writes(entry.config)
    where: Where = (*entry.place, "records")
    asked, answered = entry.call.request_schema(), entry.call.answer_schema()
    yield from _check_answered(entry, records, where)
    for name, place in records.places.items():
        here: Where = (*where, KEYS[name])
        if changing and place.filter is not None:
            yield entry.source.finding(here, "'filter' is about reads, and this operation writes", "give 'at', in the request")
        if place.filter is not None and not changing and not _has(asked, (place.filter,)):
            yield entry.source.finding(here, f"the operation has no parameter '{place.filter}'", "name one of its request")
        schema, base = (asked, ()) if changing else (answered, records.within)
        for path in filter(None, (place.at, place.currency)):
            if not _has(schema, (*base, *path)):
                what = f"the {'request' if changing else 'answer'} has no field '{'.'.join((*base, *path))}'"
                yield entry.source.finding(here, what, "name a field as the API shows it, such as $.entity")


def _check_answered(entry: Served, records: Records, where: Where) -> Iterator[Finding]:
    """What is said of an answer: where its records are, and where it counts them."""
    if writes(entry.config):
        for key in ("within", "counts"):
            if getattr(records, key):
                what = f"'{key}' is about answers, and this operation writes"
                yield entry.source.finding((*where, key), what, f"remove '{key}'")
        return
    for count in records.counts:
        if not _has(entry.call.answer_schema(), count):
            what = f"the answer has no field '{'.'.join(count)}'"
            yield entry.source.finding((*where, "counts"), what, "name a field as the API shows it, such as $.total")


def _has(schema: Mapping[str, Any] | None, path: Path) -> bool:
    return schema is None or has_field(schema, path)


def check_restrictions(policy: PolicyIndex, entries: Sequence[Served]) -> Iterator[Finding]:
    """Rows that restrict nothing, or could not be obeyed."""
    schemas: dict[str, list[Mapping[str, Any] | None]] = {}
    for row in policy.file.restrictions:
        if row.operation in PERMISSIONS:
            what = f"{row.operation} is done at the console, where nothing is restricted by {row.kind} rows"
            yield Finding(policy.file.path, row.line, what, "remove the row, or name an operation of a route")
            continue
        covered = [entry for entry in entries if any(policy.covers(row.operation, entry.id, v) for v in entry.versions)]
        for entry in covered:
            if entry.config.public:
                what = f"{entry.id} is public, and nobody who calls it is known"
                yield Finding(policy.file.path, row.line, what, "remove the row, or 'public: true' of the route")
        if row.kind == "p2":
            yield from _check_field(policy, row, covered, schemas)
        elif row.kind == "p3":
            yield from _check_predicate(policy, row, covered)


def _check_field(
    policy: PolicyIndex, row: Restriction, covered: Sequence[Served], schemas: dict[str, list[Mapping[str, Any] | None]]
) -> Iterator[Finding]:
    path = parse_field(row.name)
    for entry in covered:
        both = schemas.setdefault(entry.id, [entry.call.request_schema(), entry.call.answer_schema()])
        if any(_has(schema, path) for schema in both):
            return
    if covered:
        what = f"no operation the row is about has the field '{row.name}'"
        yield Finding(policy.file.path, row.line, what, "name a field as the API shows it; /docs lists them")


def _check_predicate(policy: PolicyIndex, row: Restriction, covered: Sequence[Served]) -> Iterator[Finding]:
    for entry in covered:
        place = records_of(entry.config).places.get(row.name)
        if place is None or (writes(entry.config) and place.at is None):
            what = f"neither the ERP nor an answer can tell the {row.name} of {entry.id}"
            said = f"say where it stands in {entry.source.path}, as 'records: {{{KEYS[row.name]}: {{at: $.FIELD}}}}'"
            yield Finding(policy.file.path, row.line, what, said)


# --- approval rules --------------------------------------------------------------------------------------------------


def check_approvals(
    approvals: Approvals, callers: Sequence[Principal], policy: PolicyIndex, entries: Sequence[Served]
) -> Iterator[Finding]:
    """Rules that cannot be obeyed. ``callers`` are the satellites: whose tenant has no approvers could never be paid for."""
    yield from check_operations(approvals, {entry.id for entry in entries if entry.config.recorded})
    for entry in entries:
        if entry.id in approvals.rules and entry.config.recorded and entry.reads != "json":
            what = f"{entry.id} has an approval rule, and no JSON body the rule could read"
            yield entry.source.finding(entry.place, what, "add a field table ('mapping'), or remove the rule")
    ruled = [(entry.id, version) for entry in entries if entry.id in approvals.rules for version in entry.versions]
    paying = {caller.tenant for caller in callers if any(policy.decide(caller, *called).allowed for called in ruled)}
    for tenant in sorted(paying):
        yield from check_eligible(approvals, partial(_people, policy, tenant))


def _people(policy: PolicyIndex, tenant: str, role: str) -> frozenset[str]:
    return members_of(policy, role, tenant)


def check_duties(
    deployment: Deployment, policy: PolicyIndex, routes: Iterable[Called], now: float
) -> Iterator[tuple[Finding, bool]]:
    """Conflicts of duties at a moment (Unix seconds), and whether each keeps the deployment from going live. One that was
    accepted until a day that is past does not: a gateway must start on any day. Raises ``ConfigError``."""
    duties, approvals = deployment.duties, deployment.approvals
    for finding, new in findings(judged(deployment, policy, routes, now), approvals.source.path):
        yield finding, new and duties.file.enforce


def judged(deployment: Deployment, policy: PolicyIndex, routes: Iterable[Called], now: float) -> Judged:
    """Every conflict of duties. Raises ``ConfigError`` for a name in duties.yaml that nothing has."""
    clients = [Client(one.client, one.tenant, one.vouches_for_initiator) for one in deployment.satellites]
    side = Side(policy, deployment.approvals, frozenset(client.tenant for client in clients))
    return judge(deployment.duties, side, deployment.approvals, clients, asked(routes), now)


def ways_around(approvals: Approvals, entries: Sequence[Served]) -> Iterator[Finding]:
    """Routes that reach the same operation of the ERP as one with an approval rule, and have none themselves."""
    ruled = {entry.target: entry.id for entry in entries if entry.id in approvals.rules}
    for entry in entries:
        if entry.target in ruled and entry.id not in approvals.rules:
            what = f"{entry.id} calls {entry.target} as {ruled[entry.target]} does, without its approval rule"
            remedy = f"add a rule for {entry.id} to {approvals.source.path}, or remove the route"
            yield entry.source.finding(entry.place, what, remedy)


def check_built_in(policy: PolicyIndex, entries: Iterable[Served], *, dual: bool) -> Iterator[Finding]:
    """What is done at the console: no route may pass for it, and where a change of policy needs two people (``dual``) there must
    be two."""
    for entry in entries:
        if entry.id in PERMISSIONS:
            what = f"{entry.id} is what people do at the console, and cannot be the name of an operation"
            yield entry.source.finding(entry.place, what, "name the resource or the operation otherwise")
    if dual and not _two_activate(policy):
        what = f"lets no two people do {POLICY_ACTIVATE} in every tenant, and a change of policy needs two (activation: dual)"
        yield Finding(
            policy.file.path, 0, what, "give it to a role with a p row, and the role to two with g rows, both for tenant *"
        )


def _two_activate(policy: PolicyIndex) -> bool:
    return len(set(map(person_key, permitted(policy, POLICY_ACTIVATE, "*"))) - {""}) > 1
