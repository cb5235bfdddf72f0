"""The internal port: where people decide, and health in full and metrics for machines. It must never be reachable from where
satellites are."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.activation import Policies
from gateway.console.change import Changes
from gateway.console.decisions import Decisions
from gateway.console.documents import Documents
from gateway.console.guard import Guard
from gateway.console.keys import Keys
from gateway.console.mine import Delegations, MyKeys
from gateway.console.oidc import Caller, Provider
from gateway.console.operations import Operations
from gateway.console.policy import Policy
from gateway.console.proposals import Proposals
from gateway.console.sessions import Sessions
from gateway.console.signin import SignIn
from gateway.console.standing import Standings
from gateway.console.web import FOLDER, Web, visible
from gateway.desk import Desk
from gateway.desk.desk import Refused
from gateway.desk.refusals import PAGES
from gateway.errors import BadRequest, Internal, MethodNotAllowed, NotFound, Problem
from gateway.exchange import Principal
from gateway.live import Live
from gateway.pages import environments
from gateway.people import AUDIT, DELEGATE, OPERATE, POLICY_READ, Person
from gateway.telemetry import Telemetry


def console(live: Live, desk: Desk, caller: Caller) -> ASGIApp:
    """The console's application. ``caller`` is HTTP to the OpenID provider. Its settings are those of the start."""
    stores, gateway = live.stores, live.snapshot.deployment.gateway
    ledger = stores.ledger
    settings = gateway.console
    sessions = Sessions(ledger, stores.clock, idle=settings.idle, lifetime=settings.lifetime)
    keys = Keys(ledger, sessions)
    web = Web(
        settings, gateway.demo, sessions, stores.clock, lambda person: permissions(live, person), environments(FOLDER, visible)
    )
    provider = None if settings.sign_in is None else Provider(settings.sign_in, caller, stores.keys.key, stores.clock)
    changes = Changes(live)
    policies = Policies(live)
    proposals = Proposals(web, live, policies, changes)
    documents = Documents(web, desk, keys, proposals)
    pages = (
        SignIn(web, provider),
        documents,
        Operations(web, desk, documents),
        Policy(web, live, Standings(live, policies, changes)),
        proposals,
        Decisions(web, desk),
        Delegations(web, desk),
        MyKeys(web, keys),
    )
    errors = Errors(web, lambda *who: live.snapshot.decisions.refused(*who))
    app = Starlette(
        routes=[
            *machine_routes(live, stores.telemetry),
            Route("/", start),
            Mount("/static", Assets(directory=FOLDER / "static")),
            *(route for page in pages for route in page.routes()),
        ],
        exception_handlers={Problem: errors.problem, HTTPException: errors.http, Exception: errors.broken},
    )
    return Guard(app, settings.public_url, errors.answer)


def permissions(live: Live, person: Person) -> frozenset[str]:
    """The parts of the menu somebody has, by the policy in force."""
    principal, policy = Principal(person.subject, person.tenant, person.roles), live.snapshot.policy
    parts = {"operate": (OPERATE, AUDIT), "policy": (POLICY_READ,), "audit": (AUDIT,), "delegate": (DELEGATE,)}
    return frozenset(part for part, any_of in parts.items() if any(policy.decide(principal, one, "").allowed for one in any_of))


def machine_routes(live: Live, telemetry: Telemetry) -> list[Route]:
    """What monitoring asks, without signing in."""

    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(request: Request) -> Response:
        return JSONResponse(live.status(places_only=False))

    async def metrics(request: Request) -> Response:
        return Response(telemetry.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return [Route("/health/live", alive), Route("/health/ready", ready), Route("/metrics", metrics)]


async def start(request: Request) -> Response:
    return RedirectResponse("/inbox", 303)


class Assets(StaticFiles):
    """Files whose address changes with their content: a browser may keep them."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


class Errors:
    """Problems as pages, with the request id to tell the operators; as JSON (RFC 9457) for the pages' scripts."""

    def __init__(self, web: Web, refused: Refused) -> None:
        self._web = web
        self._refused = refused

    async def problem(self, request: Request, problem: Exception) -> Response:
        if not isinstance(problem, Problem):
            raise problem
        session, permission = getattr(request.state, "session", None), PAGES.get(str(problem.extensions.get("code")))
        if session is not None and permission is not None:
            await self._refused(session.person, permission)
        if "text/html" not in request.headers.get("accept", "text/html"):
            body = problem.document(f"urn:request:{request.state.id}")
            return JSONResponse(body, problem.status, problem.headers, "application/problem+json")
        response = await self._web.page(request, "problem.html", problem.status, problem=problem, here="/inbox")
        response.headers.update(problem.headers)
        return response

    async def http(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        kind = {404: NotFound, 405: MethodNotAllowed}.get(status, BadRequest)
        return await self.problem(request, kind())

    async def broken(self, request: Request, error: Exception) -> Response:
        return await self.problem(request, Internal())

    def answer(self, problem: Problem) -> ASGIApp:
        """An application that answers with a problem whatever is asked."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive)
            response = await self.problem(request, problem)
            await response(scope, receive, send)

        return app
