"""Configuration compiled: a deployment becomes a router over handlers, one immutable object swapped as a whole.

What the files say about each other is checked here, and every finding is collected; a deployment with one error has no snapshot.
Nothing here does I/O towards an upstream: building is safe beside traffic.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from gateway.config.gateway import EdgeLimits
from gateway.config.routes import OperationBase
from gateway.config.source import Place, Source
from gateway.deployment import Deployment, Findings, Resource
from gateway.errors import ConfigError, FaultClient, Finding, Problem, Refused, UpstreamProblem
from gateway.exchange import Exchange, Reply
from gateway.identity.authenticator import HeaderAuthenticator
from gateway.identity.issuer import TokenIssuer
from gateway.identity.jwks import KeyStore
from gateway.identity.satellites import Satellites
from gateway.identity.signing import signing_keys
from gateway.identity.tokens import TokenVerifier, external_issuer
from gateway.operations import Operations
from gateway.pipeline import Handler, Stage, StageConfig, compose
from gateway.policy.index import PolicyIndex, compile_policy
from gateway.policy.oracle import compare_with_casbin
from gateway.ports import Authenticator, Client, Clock, Counters, Limit, Operation
from gateway.routing import Route, RouteClash, Router
from gateway.stages import CONFIGURABLE
from gateway.stages.authorize import Authorize
from gateway.stages.identify import Identify
from gateway.stages.limit import Limit as LimitStage
from gateway.stages.observe import Observe
from gateway.stages.prepare import Prepare
from gateway.telemetry import Telemetry
from gateway.upstreams.stores import Clients, Contracts

API = "/api"
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
    writable: bool = True


@dataclass(frozen=True, slots=True)
class SnapshotRuntime:
    """Implements ``gateway.ports.Runtime`` for the stages of one snapshot."""

    telemetry: Telemetry
    authenticator: Authenticator
    policy: PolicyIndex
    counters: Counters
    satellites: Satellites

    def limits_of(self, subject: str) -> Sequence[Limit]:
        satellite = self.satellites.get(subject)
        return satellite.limits if satellite is not None else ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Immutable. Everything a call needs, from one consistent reading of the files."""

    router: Router
    routes: tuple[Route, ...]
    runtime: SnapshotRuntime
    deployment: Deployment
    digest: str
    clients: tuple[Client, ...]
    outermost: Stage
    issuer: TokenIssuer | None
    warnings: tuple[Finding, ...] = ()
    loaded_at: float = field(default_factory=time.time)

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
    operations = Operations(deployment, stores.clients, stores.contracts, findings)
    entries = [entry for resource in deployment.resources for entry in _entries(resource, operations, findings)]
    if policy is not None:
        _check_policy(policy, entries, findings)
    findings.raise_if_any()
    if policy is None or identity is None:
        raise AssertionError("a part is missing without a finding")
    authenticator, issuer = identity
    runtime = SnapshotRuntime(stores.telemetry, authenticator, policy, stores.counters, deployment.satellites)
    depth = deployment.gateway.edge.limits.json_depth
    routes = tuple(_route(entry, version, runtime, depth) for entry in entries for version in entry.versions)
    return Snapshot(
        router=_router(routes, entries),
        routes=routes,
        runtime=runtime,
        deployment=deployment,
        digest=_digest(deployment),
        clients=operations.clients,
        outermost=Observe().build(runtime),
        issuer=issuer,
        warnings=tuple(findings.warnings),
    )


# --- policy and identity ---------------------------------------------------------------------------------------------


def _policy(deployment: Deployment) -> PolicyIndex:
    """The compiled policy, after stock Casbin agreed with it on a sample of random questions."""
    index = compile_policy(deployment.policy)
    seed = int(index.sha256[:8], 16)
    differences = compare_with_casbin(deployment.model_text, deployment.policy, index, sample=ORACLE_SAMPLE, seed=seed)
    if differences:
        first = differences[0]
        what = f"is decided otherwise by Casbin for {first.principal.subject} calling {first.operation}@{first.version}"
        raise ConfigError(
            [Finding(deployment.policy.path, 0, what, "this is a defect of the gateway; keep the file and report it")]
        )
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
        issuer = TokenIssuer(config.builtin, keys, deployment.satellites, stores.clock, realm=config.realm)
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
    reads: Literal["json", "parameters", "nothing"]


def _entries(resource: Resource, operations: Operations, findings: Findings) -> Iterator[Entry]:
    for name, config in resource.model.operations.items():
        place = ("operations", name)
        built = findings.attempt(operations.build, resource, place, config)
        if built is not None:
            versions = tuple(config.versions or resource.model.versions)
            yield Entry(f"{resource.model.resource}.{name}", resource.source, place, config, versions, *built)


def _check_policy(policy: PolicyIndex, entries: Sequence[Entry], findings: Findings) -> None:
    known = {f"{entry.id}@{version}" for entry in entries for version in entry.versions}
    if not findings.errors:
        findings.errors.extend(policy.unknown_operations(known))
    for entry in entries:
        missing = [version for version in entry.versions if not policy.mentions(entry.id, version)]
        if missing and not entry.config.public:
            what = f"no policy row mentions {entry.id}@{missing[0]}, so nobody could call it"
            remedy = f"add a row such as 'p, ROLE, TENANT, {entry.id}, allow' (or deny), or say 'public: true'"
            findings.errors.append(entry.source.finding(entry.place, what, remedy))


def _route(entry: Entry, version: str, runtime: SnapshotRuntime, depth: int) -> Route:
    configs = sorted(_stages(entry, depth), key=lambda config: config.phase)
    config = entry.config
    return Route(
        operation=entry.id,
        version=version,
        method=config.method,
        template=f"{API}/{version}{config.path}",
        handler=compose([stage.build(runtime) for stage in configs], _caller(entry.call)),
        call=entry.call,
        status=config.success,
        summary=config.summary or "",
        public=config.public,
        stages=tuple(configs),
    )


def _stages(entry: Entry, depth: int) -> Iterator[StageConfig]:
    yield Observe()
    if not entry.config.public:
        yield Identify()
        yield Authorize()
    for name in CONFIGURABLE:
        chosen = getattr(entry.config, name)
        if chosen is not None:
            yield chosen
    if getattr(entry.config, "limit", None) is None and not entry.config.public:
        yield LimitStage()
    yield Prepare(entry.call, entry.reads, depth)


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


def _digest(deployment: Deployment) -> str:
    """A short name of what the files say, to tell snapshots apart in logs."""
    digest = hashlib.sha256()
    for folder in deployment.watched():
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix in (".yaml", ".csv", ".conf", ".py", ".wsdl", ".xsd"):
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
