"""What a question may name: callers, tenants, roles, operations; and what was meant where nothing is called so."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from gateway.cli.candidate import Candidate, CannotAsk, check_name
from gateway.deployment import Deployment
from gateway.errors import Finding
from gateway.exchange import Principal
from gateway.people import DEMO_PEOPLE, PERMISSIONS
from gateway.policy.expectations import failures
from gateway.policy.explain import Explanation
from gateway.policy.index import PolicyIndex
from gateway.policy.questions import ANY, Call, Universe, universe
from gateway.ports import Decision
from gateway.routing import API


@dataclass(frozen=True, slots=True)
class Served:
    """Where a call is made: method and path of a route; both are empty for what is done at the console."""

    method: str
    path: str
    public: bool


AT_THE_CONSOLE = Served("", "", False)


@dataclass(frozen=True, slots=True)
class World:
    """Immutable. A policy and all that it can be asked about."""

    policy: PolicyIndex
    deployment: Deployment
    served: Mapping[Call, Served]
    universe: Universe

    def known(self) -> set[str]:
        """Operations by every name: ``payments.get``, ``payments.get@v1``."""
        return {call.operation for call in self.served} | {str(call) for call in self.served}

    def doubts(self) -> list[Finding]:
        """What would keep the policy from going live, as far as it can be told without reading contracts."""
        calls = {str(call) for call in self.served}
        return [*self.policy.unknown_operations(calls), *failures(self.deployment.tests, self.policy, self.known())]


def world(asked: Candidate) -> World:
    """Everything that a candidate can be asked about."""
    deployment = asked.deployment
    served = _served(deployment)
    satellites = {satellite.client: satellite.tenant for satellite in deployment.satellites}
    people = DEMO_PEOPLE if deployment.gateway.demo else ()
    return World(asked.policy, deployment, served, universe(asked.policy.file, served, satellites, people))


def _served(deployment: Deployment) -> dict[Call, Served]:
    found = {}
    for resource in deployment.resources:
        for id_, entry in resource.operations():
            for version in entry.versions or resource.model.versions:
                found[Call(id_, version)] = Served(entry.method, f"{API}/{version}{entry.path}", entry.public)
    return found | {Call(name, ""): AT_THE_CONSOLE for name in PERMISSIONS}


def calls(world: World, operation: str) -> list[Call]:
    """An operation in one version, or in all it has. Raises ``CannotAsk``."""
    check_name(operation)
    found = [call for call in world.served if operation in (call.operation, str(call))]
    if found:
        return found
    if operation in world.policy.file.groups():
        held = sorted({call.operation for call in world.served if world.policy.covers(operation, *call)})
        raise CannotAsk(f"'{operation}' is a group of operations: {', '.join(held) or 'none'}. Ask about one of them.")
    raise CannotAsk(f"No route has the operation '{operation}'{_near(operation, world.known())}")


def caller(world: World, who: str, tenant: str | None, roles: Sequence[str]) -> Principal:
    """Who is asked about. Somebody no file names can be asked about by the roles a token carries. Raises ``CannotAsk``."""
    subjects = world.universe.subjects
    for name in (who, *roles):
        check_name(name)
    for role in roles:
        if role not in subjects:
            raise CannotAsk(f"No row names the role '{role}'{_near(role, subjects)}")
    if who not in subjects and not roles:
        raise CannotAsk(f"Neither the policy nor satellites.yaml names '{who}'{_near(who, subjects)}")
    return Principal(who, _tenant(world, who) if tenant is None else known_tenant(world, tenant), tuple(roles))


def known_tenant(world: World, tenant: str) -> str:
    """A tenant that rows or satellites name, or ``*`` for any other. Raises ``CannotAsk``."""
    check_name(tenant)
    tenants = world.universe.tenants
    if tenant != ANY and tenant not in tenants:
        raise CannotAsk(
            f"No row and no satellite names the tenant '{tenant}'{_near(tenant, tenants)} Any tenant not named is '*'."
        )
    return tenant


def _tenant(world: World, who: str) -> str:
    satellite, tenants = world.deployment.satellites.get(who), world.universe.tenants
    if satellite is not None:
        return satellite.tenant
    if len(tenants) == 1:
        return tenants[0]
    raise CannotAsk(f"Which tenant does '{who}' belong to? Say --tenant {'|'.join(tenants[:8]) or ANY}.")


def everybody(principal: Principal, call: Call) -> Explanation:
    """The answer about a call that no policy is asked about."""
    return Explanation(Decision(True), principal, *call, reasons=(), nearest=())


def moment(text: str | None) -> float | None:
    """Unix time of an RFC 3339 timestamp. Raises ``CannotAsk``."""
    if text is None:
        return None
    check_name(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise CannotAsk(f"'{text}' is no time: write date, time and offset, such as 2026-11-20T10:00:00+08:00.")
    return at.timestamp()


def ip(text: str | None) -> str | None:
    """An IP address. Raises ``CannotAsk``."""
    check_name(text or "")
    try:
        return None if text is None else str(ip_address(text))
    except ValueError as error:
        raise CannotAsk(f"'{text}' is no address: write one such as 10.20.0.5.") from error


def _near(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3)
    return f": did you mean {' or '.join(close)}?" if close else "."
