"""The policy for the security admin: what is live and what a refused file got wrong, who may call what, and why.

``policy.read`` opens these pages. Who holds it in every tenant sees the whole policy; who holds it in one sees the rows about
that tenant and about every tenant, and of the others only that there are some. Nothing here changes anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.approvals.messages import msgid
from gateway.console.change import EVERY, Sight, sight_of
from gateway.console.mine import NO_TIME
from gateway.console.sessions import Session
from gateway.console.standing import Standings
from gateway.console.web import Web
from gateway.desk import Refusal
from gateway.errors import BadRequest
from gateway.exchange import Principal
from gateway.live import Live
from gateway.people import DEMO_PEOPLE, DEMO_TENANT, PERMISSIONS, POLICY_READ, Person
from gateway.policy.explain import Explanation
from gateway.policy.file import Row
from gateway.policy.index import PolicyIndex
from gateway.policy.lines import Line, lines_of
from gateway.policy.matrix import Cell, Name, Names, cell, names, page, tenants
from gateway.policy.names import MAX_LENGTH
from gateway.scope import Context
from gateway.snapshot import Snapshot

NAMES_SHOWN = 50
OPERATIONS_SHOWN = 30
OFFERED = 200
"""Names offered while somebody types."""
MOST_ROLES = 20

KINDS = {"role": msgid("Role"), "satellite": msgid("Satellite"), "person": msgid("Person")}


class Column(NamedTuple):
    """An operation and its version, which is empty where it has none."""

    operation: str
    version: str

    @property
    def resource(self) -> str:
        return self.operation.partition(".")[0]

    @property
    def action(self) -> str:
        return self.operation.partition(".")[2]

    @property
    def named(self) -> str:
        """As rows name it."""
        return f"{self.operation}@{self.version}" if self.version else self.operation


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks for what, as the form has it; ``at`` and ``address`` are empty where they are not asked about."""

    tenant: str = ""
    who: str = ""
    operation: str = ""
    roles: str = ""
    at: str = ""
    address: str = ""

    @property
    def carried(self) -> tuple[str, ...]:
        """The roles of the credential."""
        return tuple(self.roles.replace(",", " ").split())[:MOST_ROLES]

    def link(self) -> str:
        given = {name: getattr(self, name) for name in self.__slots__}
        return "/policy/why?" + urlencode({name: value for name, value in given.items() if value})


@dataclass(frozen=True, slots=True)
class Answer:
    """An explanation, with the lines of the rows it speaks of."""

    told: Explanation
    lines: tuple[Line, ...]


class Policy:
    def __init__(self, web: Web, live: Live, standings: Standings) -> None:
        self._web = web
        self._live = live
        self._standings = standings
        self._names: tuple[Snapshot, dict[str, Names]] = (live.snapshot, {})

    def routes(self) -> list[Route]:
        signed_in = self._web.signed_in
        return [
            Route("/policy", signed_in(self.show), methods=["GET"]),
            Route("/policy/live", signed_in(self.show_live, live=True), methods=["GET"]),
            Route("/policy/matrix", signed_in(self.matrix), methods=["GET"]),
            Route("/policy/why", signed_in(self.why), methods=["GET"]),
        ]

    # --- what is live ----------------------------------------------------------------------------------------------------

    async def show(self, request: Request, session: Session) -> Response:
        values = await self._now(session)
        return await self._web.page(request, "policy.html", **values)

    async def show_live(self, request: Request, session: Session) -> Response:
        values = await self._now(session)
        return await self._web.part(request, "policy-now.html", **values)

    async def _now(self, session: Session) -> dict[str, Any]:
        sight = self._sight(session.person)
        standing = await self._standings.now(session.person, sight)
        return {"standing": standing, "sight": sight, "fresh": self._web.fresh(session), "problem": None}

    # --- who may call what -----------------------------------------------------------------------------------------------

    async def matrix(self, request: Request, session: Session) -> Response:
        """``tenant``, what names and operations contain (``names``, ``operations``), the pages of both (``down``, ``across``)."""
        sight, snapshot, asked = self._sight(session.person), self._live.snapshot, request.query_params
        tenant = _tenant(sight, asked.get("tenant", ""))
        known = await self._known(snapshot, tenant)
        wanted, operations = asked.get("names", "")[:MAX_LENGTH].strip(), asked.get("operations", "")[:MAX_LENGTH].strip()
        found = await asyncio.to_thread(known.matching, wanted) if wanted else known
        columns = [column for column in columns_of(snapshot) if operations.casefold() in column.named.casefold()]
        down = Pages(*page(len(found), _number(asked.get("down")), NAMES_SHOWN))
        across = Pages(*page(len(columns), _number(asked.get("across")), OPERATIONS_SHOWN))
        shown = found.part((down.number - 1) * NAMES_SHOWN, NAMES_SHOWN)
        ahead = columns[(across.number - 1) * OPERATIONS_SHOWN :][:OPERATIONS_SHOWN]
        rows = [(name, [_cell(snapshot.policy, name, tenant, column) for column in ahead]) for name in shown]
        chosen = {"tenant": tenant, "names": wanted, "operations": operations}
        return await self._web.page(
            request,
            "policy-matrix.html",
            sight=sight,
            tenants=await self._tenants(snapshot, sight),
            chosen=chosen,
            columns=ahead,
            resources=_resources(ahead),
            rows=rows,
            kinds=KINDS,
            found=(len(found), len(columns)),
            pages=(down, across),
            link=lambda name, column: Question(tenant, name, column.named).link(),
            turn=lambda down, across: "/policy/matrix?" + urlencode({**chosen, "down": down, "across": across}),
        )

    async def _known(self, snapshot: Snapshot, tenant: str) -> Names:
        """Everybody of a tenant; looked for once a snapshot."""
        if self._names[0] is not snapshot:
            self._names = (snapshot, {})
        known = self._names[1]
        if tenant not in known:
            deployment = snapshot.deployment
            satellites = [satellite.client for satellite in deployment.satellites if satellite.tenant == tenant]
            people = DEMO_PEOPLE if deployment.gateway.demo and tenant == DEMO_TENANT else ()
            known[tenant] = await asyncio.to_thread(names, deployment.policy, tenant, satellites, people)
        return known[tenant]

    async def _tenants(self, snapshot: Snapshot, sight: Sight) -> list[str]:
        if not sight.everywhere:
            return [sight.tenant]
        named = await asyncio.to_thread(tenants, snapshot.deployment.policy)
        known = {*named, *(satellite.tenant for satellite in snapshot.deployment.satellites), sight.tenant}
        return [*sorted(known), EVERY]

    # --- why -------------------------------------------------------------------------------------------------------------

    async def why(self, request: Request, session: Session) -> Response:
        sight, snapshot, given = self._sight(session.person), self._live.snapshot, request.query_params
        question = Question(**{name: given.get(name, "")[: 4 * MAX_LENGTH].strip() for name in Question.__slots__})
        question = replace(question, tenant=_tenant(sight, question.tenant))
        columns = columns_of(snapshot)
        chosen = next((column for column in columns if question.operation in (column.named, column.operation)), None)
        answer = None
        if question.who and chosen is not None:
            context = _context(question, self._web)
            answer = await asyncio.to_thread(_answer, snapshot.policy, question, chosen, context, sight)
        known = await self._known(snapshot, question.tenant)
        return await self._web.page(
            request,
            "policy-why.html",
            sight=sight,
            tenants=await self._tenants(snapshot, sight),
            question=question,
            columns=columns,
            answer=answer,
            unknown=bool(question.operation) and chosen is None,
            stranger=bool(question.who) and question.who not in known,
            offered=known.part(0, OFFERED),
        )

    # --- who sees it -----------------------------------------------------------------------------------------------------

    def _sight(self, person: Person) -> Sight:
        sight = sight_of(self._live.snapshot.policy, person, POLICY_READ)
        if sight is None:
            raise Refusal("not_policy_reader", {"person": person.subject}).problem()
        return sight


def columns_of(snapshot: Snapshot) -> list[Column]:
    """Every operation of the routes that asks for rights, in each version, and those done at the console."""
    routes = [Column(route.operation, route.version) for route in snapshot.routes if not route.public]
    return [*routes, *(Column(name, "") for name in PERMISSIONS)]


@dataclass(frozen=True, slots=True)
class Pages:
    number: int
    count: int


def _cell(policy: PolicyIndex, name: Name, tenant: str, column: Column) -> Cell:
    return cell(policy, Principal(name.name, tenant), *column)


def _resources(columns: Iterable[Column]) -> list[tuple[str, int]]:
    """Neighbouring columns of one resource, and how many they are."""
    found: list[tuple[str, int]] = []
    for column in columns:
        if found and found[-1][0] == column.resource:
            found[-1] = (column.resource, found[-1][1] + 1)
        else:
            found.append((column.resource, 1))
    return found


def _tenant(sight: Sight, asked: str) -> str:
    return asked or sight.tenant if sight.everywhere else sight.tenant


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 9 else 1


def _context(question: Question, web: Web) -> Context:
    try:
        moment = datetime.fromisoformat(question.at).replace(tzinfo=web.settings.timezone) if question.at else None
        now = web.clock.now() if moment is None else moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise BadRequest(NO_TIME) from error
    return Context(now, question.address)


def _answer(policy: PolicyIndex, question: Question, column: Column, context: Context, sight: Sight) -> Answer:
    principal = Principal(question.who, question.tenant, question.carried)
    told = policy.explain(principal, *column, context)
    skipped = {name for name, given in (("network", question.address), ("time", question.at)) if not given}
    near = [miss for miss in told.nearest if sight.sees(miss.row.tenant)]
    told = replace(told, unmet=tuple(name for name in told.unmet if name not in skipped), nearest=tuple(near))
    rows: list[Row] = [miss.row for miss in near]
    for reason in (*told.reasons, *told.limits):
        rows += (reason.row, *reason.roles, *reason.groups)
    numbers = sorted({row.line for row in rows})
    text = lines_of(policy.file.data) if numbers else []
    return Answer(told, tuple(Line(number, text[number - 1]) for number in numbers))
