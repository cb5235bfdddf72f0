"""Configuration compiled: a deployment becomes a router over handlers, one immutable object swapped as a whole.

What the files say about each other is checked here, and every finding is collected; a deployment with one error has no snapshot.
Nothing here does I/O towards an upstream: building is safe beside traffic.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NoReturn

from gateway.approvals.facts import Facts
from gateway.approvals.file import Approvals
from gateway.config.gateway import EdgeLimits
from gateway.config.routes import OperationBase
from gateway.config.source import Place, Source
from gateway.deployment import Deployment, Findings, Resource
from gateway.documents.decision_log import DecisionLog, Recorder
from gateway.documents.ledger import Ledger
from gateway.documents.records import Document, Terms
from gateway.documents.view import represent
from gateway.errors import ConfigError, FaultClient, Finding, Problem, Refused, UpstreamProblem
from gateway.exchange import Exchange, Principal, Reply
from gateway.holding import Asking
from gateway.identity.authenticator import HeaderAuthenticator
from gateway.identity.fetch import KeyFetcher
from gateway.identity.issuer import TokenIssuer
from gateway.identity.jwks import KeyStore
from gateway.identity.satellites import Satellites
from gateway.identity.signing import signing_keys
from gateway.identity.tokens import TokenVerifier, external_issuer
from gateway.offering import SoapServices, soap_services
from gateway.operations import Operations
from gateway.people import DEMO_PEOPLE
from gateway.pipeline import Handler, Stage, StageConfig, compose
from gateway.policy.file import PolicyFile
from gateway.policy.index import PolicyIndex, compile_policy
from gateway.policy.oracle import compare_with_casbin
from gateway.ports import Authenticator, Client, Clock, Counters, Limit, Operation
from gateway.routing import API, Route, RouteClash, Router
from gateway.scoping import check_approvals, check_built_in, check_duties, check_policy, noted, records_of, ways_around, writes
from gateway.sending import MARGIN, Probe, Writing, split
from gateway.stages import CONFIGURABLE
from gateway.stages.authorize import Authorize
from gateway.stages.follow import FOLLOWED, Follow
from gateway.stages.identify import Identify
from gateway.stages.limit import Limit as LimitStage
from gateway.stages.observe import Observe
from gateway.stages.prepare import Prepare, Reads
from gateway.stages.record import Initiator, Record
from gateway.stages.restrict import restricted
from gateway.telemetry import Telemetry
from gateway.upstreams.stores import Clients, Contracts

ORACLE_SAMPLE = 300
"""Random questions put to stock Casbin at every load. The property tests ask many more."""


@dataclass(frozen=True, slots=True)
class Stores:
    """What outlives every snapshot: state, as against configuration. ``writable`` is false for one who only looks."""

    clock: Clock
    telemetry: Telemetry
    counters: Counters
    clients: Clients
    contracts: Contracts
    keys: KeyStore
    fetcher: KeyFetcher
    ledger: Ledger
    decisions: DecisionLog
    writable: bool = True


@dataclass(frozen=True, slots=True)
class SnapshotRuntime:
    """Implements ``gateway.ports.Runtime`` for the stages of one snapshot."""

    telemetry: Telemetry
    authenticator: Authenticator
    policy: PolicyIndex
    decisions: Recorder
    counters: Counters
    satellites: Satellites
    clock: Clock

    def limits_of(self, subject: str) -> Sequence[Limit]:
        satellite = self.satellites.get(subject)
        return satellite.limits if satellite is not None else ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Immutable. Everything a call needs, from one consistent reading of the files."""

    router: Router
    routes: tuple[Route, ...]
    writings: Mapping[tuple[str, str], Writing]
    runtime: SnapshotRuntime
    deployment: Deployment
    digest: str
    clients: tuple[Client, ...]
    outermost: Stage
    issuer: TokenIssuer | None
    soap: SoapServices
    warnings: tuple[Finding, ...] = ()
    loaded_at: float = field(default_factory=time.time)

    @property
    def policy(self) -> PolicyIndex:
        return self.runtime.policy

    @property
    def decisions(self) -> Recorder:
        return self.runtime.decisions

    @property
    def approvals(self) -> Approvals:
        return self.deployment.approvals

    def told(self, document: Document) -> dict[str, Any]:
        """A document as its satellite may see it now, wherever it is told: policy hides there what it hides in answers."""
        principal = Principal(document.satellite, document.tenant, document.roles)
        told, scope = represent(document), self.policy.decide(principal, document.operation, document.version).scope
        writing = self.writing_of(document.operation, document.version)
        if scope is None or writing is None:
            return told
        return restricted(scope, writing.records, principal, writes=True).document(told)

    def writing_of(self, operation: str, version: str) -> Writing | None:
        """How documents of an operation are sent now."""
        return self.writings.get((operation, version))

    def terms_of(self, operation: str, version: str) -> Terms:
        writing = self.writings.get((operation, version))
        return writing.terms if writing is not None else Terms()

    @property
    def limits(self) -> EdgeLimits:
        return self.deployment.gateway.edge.limits

    @property
    def authenticator(self) -> Authenticator:
        return self.runtime.authenticator

    @property
    def versions(self) -> tuple[str, ...]:
        """API versions, oldest first."""
        return tuple(sorted({route.version for route in self.routes}, key=lambda version: int(version[1:])))

    @property
    def docs_public(self) -> bool:
        return self.deployment.gateway.edge.docs == "public"

    @property
    def public_url(self) -> str | None:
        return self.deployment.gateway.edge.public_url

    def refuse(self, problem: Problem) -> Handler:
        """A handler that answers with a problem, through the outermost stage like every other call."""

        async def refusal(exchange: Exchange) -> NoReturn:
            raise problem

        return compose([self.outermost], refusal)


def build(deployment: Deployment, stores: Stores) -> Snapshot:
    """Compile a deployment. Raises ``ConfigError`` with everything its files say that does not fit together."""
    findings = Findings(warnings=list(deployment.warnings))
    policy = findings.attempt(_policy, deployment)
    identity = findings.attempt(_identity, deployment, stores)
    operations = Operations(deployment, stores.clients, stores.contracts, findings, stores.clock)
    entries = [entry for resource in deployment.resources for entry in entries_of(resource, operations, findings)]
    if policy is not None:
        findings.errors.extend(check_policy(policy, deployment.tests, entries, rows=not findings.errors))
        callers = [Principal(satellite.client, satellite.tenant) for satellite in deployment.satellites]
        findings.errors.extend(check_approvals(deployment.approvals, callers, policy, entries))
        dual = deployment.gateway.policy.activation == "dual"
        # Routes are changed by one person: where a policy needs two, no route may pass by what they agreed to.
        (findings.errors if dual else findings.warnings).extend(ways_around(deployment.approvals, entries))
        findings.errors.extend(check_built_in(policy, entries, dual=dual))
    findings.raise_if_any()
    if policy is None or identity is None:
        raise AssertionError("a part is missing without a finding")
    authenticator, issuer = identity
    noting = deployment.gateway.decisions
    decisions = stores.decisions.under(policy, sample=noting.sample, repeats=noting.repeats)
    runtime = SnapshotRuntime(
        stores.telemetry, authenticator, policy, decisions, stores.counters, deployment.satellites, stores.clock
    )
    compiler = Compiler(deployment, stores, runtime)
    routes = tuple(compiler.route(entry, version) for entry in entries for version in entry.versions)
    for finding, refused in findings.attempt(list, check_duties(deployment, policy, routes, stores.clock.now())) or ():
        (findings.errors if refused else findings.warnings).append(finding)
    soap = soap_services(deployment.resources, routes, findings)
    findings.raise_if_any()
    return Snapshot(
        router=_router((*routes, *compiler.follow()), entries),
        routes=routes,
        writings=compiler.writings,
        runtime=runtime,
        deployment=deployment,
        digest=deployment.name(),
        clients=operations.clients,
        outermost=Observe().build(runtime),
        issuer=issuer,
        soap=soap,
        warnings=tuple(findings.warnings),
    )


# --- policy and identity ---------------------------------------------------------------------------------------------


def _policy(deployment: Deployment) -> PolicyIndex:
    return _agreed(deployment.model_text, deployment.policy)


@lru_cache(maxsize=2)
def _agreed(model_text: str, policy: PolicyFile) -> PolicyIndex:
    """The compiled policy, after stock Casbin agreed with it on a sample of random questions. A reload that leaves the policy as
    it was asks nothing again."""
    index = compile_policy(policy)
    seed = int(index.sha256[:8], 16)
    differences = compare_with_casbin(model_text, policy, index, sample=ORACLE_SAMPLE, seed=seed)
    if differences:
        first = differences[0]
        what = f"is decided otherwise by Casbin for {first.principal.subject} calling {first.operation}@{first.version}"
        raise ConfigError([Finding(policy.path, 0, what, "this is a defect of the gateway; keep the file and report it")])
    return index


def _identity(deployment: Deployment, stores: Stores) -> tuple[Authenticator, TokenIssuer | None]:
    config = deployment.gateway.identity
    if not (config.issuers or config.builtin or config.api_keys):
        what = "nobody can prove who they are: no issuer, no token endpoint, no API keys"
        remedy = "add 'issuers:', 'builtin:' or 'api_keys: true' under 'identity:'"
        raise ConfigError([deployment.source.finding(("identity",), what, remedy)])
    trusted = [external_issuer(issuer, stores.keys) for issuer in config.issuers]
    issuer = None
    if config.builtin is not None:
        keys = signing_keys(config.builtin, deployment.source, deployment.folder, make=stores.writable)
        people = DEMO_PEOPLE if deployment.gateway.demo else ()
        issuer = TokenIssuer(config.builtin, keys, deployment.satellites, stores.clock, realm=config.realm, people=people)
        trusted.append(issuer.trusted())
    verifier = TokenVerifier(trusted, stores.clock)
    satellites = deployment.satellites if config.api_keys else None
    return HeaderAuthenticator(verifier, stores.keys, stores.clock, satellites=satellites, realm=config.realm), issuer


# --- routes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation of a route file with what it ends in."""

    id: str
    source: Source
    place: Place
    config: OperationBase
    versions: tuple[str, ...]
    call: Operation
    reads: Reads
    probe: Probe | None
    target: str
    soap: str | None


def entries_of(resource: Resource, operations: Operations, findings: Findings) -> Iterator[Entry]:
    """The operations of one route file."""
    for name, config in resource.model.operations.items():
        place = ("operations", name)
        built = findings.attempt(operations.build, resource, place, config)
        if built is not None:
            versions = tuple(config.versions or resource.model.versions)
            probe = findings.attempt(operations.probe, resource, place, config)
            target = f"{config.upstream or resource.model.upstream}:{config.call}"
            id_, offered = f"{resource.model.resource}.{name}", resource.model.soap if config.soap else None
            yield Entry(id_, resource.source, place, config, versions, *built, probe, target, offered)


class Compiler:
    """Turns entries into routes, and remembers how the documents of each are sent."""

    def __init__(self, deployment: Deployment, stores: Stores, runtime: SnapshotRuntime) -> None:
        self._deployment = deployment
        self._stores = stores
        self._runtime = runtime
        self._depth = deployment.gateway.edge.limits.json_depth
        self.writings: dict[tuple[str, str], Writing] = {}

    def route(self, entry: Entry, version: str) -> Route:
        configs = sorted(self._stages(entry, version), key=lambda config: config.phase)
        config = entry.config
        return Route(
            operation=entry.id,
            version=version,
            method=config.method,
            template=f"{API}/{version}{config.path}",
            handler=compose([stage.build(self._runtime) for stage in configs], _caller(entry.call)),
            call=entry.call,
            status=config.success,
            summary=config.summary or "",
            public=config.public,
            stages=tuple(configs),
            soap=entry.id.partition(".")[0] if version == entry.soap else None,
        )

    def _stages(self, entry: Entry, version: str) -> Iterator[StageConfig]:
        yield Observe()
        if not entry.config.public:
            yield Identify()
            yield Authorize(records_of(entry.config), writes(entry.config), noted(entry.config))
        for name in CONFIGURABLE:
            chosen = getattr(entry.config, name)
            if chosen is not None:
                yield chosen
        if getattr(entry.config, "limit", None) is None and not entry.config.public:
            yield LimitStage()
        prepare = Prepare(entry.call, entry.reads, self._depth)
        yield prepare
        if entry.config.recorded:
            yield self._record(entry, version, prepare)

    def _record(self, entry: Entry, version: str, prepare: Prepare) -> Record:
        config, stores = entry.config, self._stores
        writing = self._writing(entry, version, prepare)
        self.writings[entry.id, version] = writing
        asking = Asking(self._deployment.approvals, entry.id)
        basis = self._runtime.decisions.basis
        return Record(writing, stores.ledger, stores.clock, asking, self._initiator(), basis, config.idempotency)

    def _writing(self, entry: Entry, version: str, prepare: Prepare) -> Writing:
        config, deployment = entry.config, self._deployment
        upstream = deployment.gateway.upstreams[entry.target.partition(":")[0]]
        promises, approvals = upstream.writes, deployment.approvals
        terms = Terms(
            lease=(config.timeout or upstream.timeout) + 2 * MARGIN,
            backoff=tuple(promises.retry),
            window=promises.visible_within,
            probes=tuple(promises.probe_again),
            callback=any(satellite.callback for satellite in deployment.satellites),
        )
        return Writing(
            operation=entry.id,
            version=version,
            delivery="queued" if config.delivery == "queued" else "inline",
            target=entry.target,
            prepare=compose([prepare.build(self._runtime)], _prepared),
            call=entry.call,
            terms=terms,
            not_booked=frozenset(promises.not_booked),
            probe=entry.probe,
            reference=split(config.reference),
            operation_id=split(config.operation_id) if config.operation_id else None,
            key=split(config.key) if config.key else None,
            rule=approvals.rules.get(entry.id),
            status=config.success,
            records=records_of(config),
        )

    def _initiator(self) -> Initiator:
        """Who asked: a person by their own token, or whom a satellite that vouches names. Anybody else who is named may not
        approve, and proves nothing."""
        satellites = self._deployment.satellites

        def initiator(exchange: Exchange, facts: Facts) -> tuple[str | None, tuple[str, ...]]:
            named = (facts.initiator,) if facts.initiator else ()
            subject = exchange.principal.subject if exchange.principal else ""
            satellite = satellites.get(subject)
            if satellite is None:
                return subject or None, named
            own = exchange.principal is not None and exchange.principal.tenant == satellite.tenant
            return (facts.initiator, ()) if own and satellite.vouches_for_initiator else (None, named)

        return initiator

    def follow(self) -> Iterator[Route]:
        """The routes by which satellites follow their documents."""
        follow = Follow(
            self._stores.ledger,
            self._stores.clock,
            self._runtime.policy,
            self._runtime.decisions,
            lambda operation, version: self.writings.get((operation, version)),
            self._deployment.approvals,
            self._initiator(),
        )
        configs: tuple[StageConfig, ...] = (Observe(), Identify(), LimitStage())
        stages = [config.build(self._runtime) for config in configs]
        for name, method, handler in (
            ("get", "GET", follow.get),
            ("recall", "DELETE", follow.recall),
            ("revise", "PUT", follow.revise),
        ):
            chain = compose(stages, handler)
            template = f"{API}/documents/{{id}}"
            yield Route(f"documents.{name}", "", method, template, chain, FOLLOWED, 200, stages=configs)


async def _prepared(exchange: Exchange) -> Reply:
    return Reply(204)


def _caller(call: Operation) -> Handler:
    send = call.send

    async def caller(exchange: Exchange) -> Reply:
        if exchange.outgoing is None:
            raise AssertionError("the call was not prepared")
        try:
            return await send(exchange.outgoing)
        except UpstreamProblem as problem:
            said_no = isinstance(problem, Refused | FaultClient)
            problem.outcome_unknown = problem.sent and not exchange.outgoing.safe and not said_no
            raise

    return caller


def _router(routes: Sequence[Route], entries: Sequence[Entry]) -> Router:
    try:
        return Router(routes)
    except RouteClash as clash:
        entry = next(entry for entry in entries if entry.id == clash.second)
        what = f"{clash.second} has the same method and path as {clash.first}"
        raise ConfigError([entry.source.finding(entry.place, what, "change the path of one of them")]) from clash
