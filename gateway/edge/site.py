"""What the public port serves beside the API: health, the OpenAPI documents and the documentation page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import orjson
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.edge.body import AsgiBody
from gateway.edge.descriptions import Descriptions
from gateway.edge.docs import asset, call, calls, curl, page, reader
from gateway.edge.openapi import Json
from gateway.edge.postman import collection
from gateway.errors import BadRequest, Internal, MethodNotAllowed, NotFound, Problem
from gateway.exchange import Exchange, Principal, Reply
from gateway.exchange import Request as Call
from gateway.live import Live
from gateway.ports import Telemetry
from gateway.snapshot import Snapshot
from gateway.stages.observe import access_entry, identify_call

log = structlog.get_logger()

PRIVATE = {"cache-control": "no-store"}


class Site:
    """The Starlette application's endpoints. ``live`` holds the current snapshot."""

    def __init__(self, live: Live, extra: Iterable[BaseRoute] = ()) -> None:
        self._live = live
        self._descriptions = Descriptions()
        self.app = Starlette(
            routes=[
                Route("/health/live", self.alive),
                Route("/health/ready", self.ready),
                Route("/openapi/{version}.json", self.openapi),
                Route("/docs", self.docs),
                Route("/docs/static/{asset}", self.asset),
                Route("/docs/{version}", self.docs),
                Route("/docs/{version}/{operation}", self.operation),
                *extra,
            ],
            exception_handlers={Problem: _problem, HTTPException: _http_error, Exception: _broken},
        )
        # A redirect would name whatever host the client claims, and take the body, secrets included, along.
        self.app.router.redirect_slashes = False

    async def alive(self, request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(self, request: Request) -> Response:
        return JSONResponse(self._live.status(places_only=True))

    async def openapi(self, request: Request) -> Response:
        snapshot = self._live.snapshot
        viewer = await _viewer(request, snapshot)
        api = await self._api(request, snapshot, viewer)
        made = collection(api) if "postman" in request.query_params else api
        return Response(orjson.dumps(made), media_type="application/json", headers=PRIVATE)

    async def docs(self, request: Request) -> Response:
        """The list of calls."""
        return await self._documented(request, "docs-list.html", lambda api: {"calls": calls(api)})

    async def operation(self, request: Request) -> Response:
        def one(api: Json) -> Json:
            shown = call(api, request.path_params["operation"])
            return {"call": shown, "curl": curl(api, shown)}

        return await self._documented(request, "docs-call.html", one)

    async def _documented(self, request: Request, template: str, values: Callable[[Json], Json]) -> Response:
        """A page of the documentation; for whoever has no credential and needs one, the form to give it."""
        snapshot = self._live.snapshot
        if not (snapshot.docs_public or _has_credential(request)):
            return page(request, "docs-closed.html", tokens=snapshot.issuer is not None, reader="")
        viewer = await _viewer(request, snapshot)
        api = await self._api(request, snapshot, viewer)
        return page(request, template, **_shared(snapshot, api, viewer), **values(api))

    async def asset(self, request: Request) -> Response:
        return asset(request.path_params["asset"])

    async def _api(self, request: Request, snapshot: Snapshot, viewer: Principal | None) -> Json:
        version = request.path_params.get("version", snapshot.versions[-1])
        if version not in snapshot.versions:
            raise NotFound(f"The versions are {', '.join(snapshot.versions)}.")
        base = snapshot.public_url or f"{request.url.scheme}://{request.url.netloc}"
        return await self._descriptions.document(snapshot, version, base, viewer)


def _has_credential(request: Request) -> bool:
    return "authorization" in request.headers or "x-api-key" in request.headers


async def _viewer(request: Request, snapshot: Snapshot) -> Principal | None:
    """Whoever reads. A credential is needed unless the deployment says the documentation is public; one that is given counts."""
    if snapshot.docs_public and not _has_credential(request):
        return None
    return await snapshot.authenticator.principal(request.scope["headers"])


def _shared(snapshot: Snapshot, api: Json, viewer: Principal | None) -> Json:
    return {
        "version": api["info"]["version"],
        "versions": snapshot.versions,
        "tokens": snapshot.issuer is not None,
        "reader": reader(viewer),
    }


class Observed:
    """An ASGI application under what every API call is under: a request id, a count, a line in the access log, and no exception
    that leaves it."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        peer = scope["client"][0] if scope["client"] else ""
        unread = AsgiBody(receive, limit=0, timeout=0, declared=0)
        request = Call(scope["method"], scope["path"], "", scope["headers"], unread, peer)
        exchange = Exchange(request, "", "site", "", {})
        identify_call(exchange)
        reply = Reply(500)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", exchange.id.encode("ascii"))]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            log.error("site.broke", request_id=exchange.id, path=request.path, exc_info=error)
        seconds = time.perf_counter() - started
        self._telemetry.count(exchange.operation, exchange.version, reply.status, seconds)
        self._telemetry.access(access_entry(exchange, reply, None, seconds))


async def _problem(request: Request, error: Exception) -> Response:
    """Problems as JSON, to a browser in the documentation as a page; the pages' script asks for JSON."""
    problem = error if isinstance(error, Problem) else Internal()
    accept = request.headers.get("accept", "")
    if request.url.path.startswith("/docs") and "text/html" in accept and "application/problem+json" not in accept:
        shown = page(request, "docs-problem.html", problem.status, problem=problem, tokens=False, reader="")
        shown.headers.update(problem.headers)
        return shown
    return JSONResponse(problem.document(), problem.status, headers=problem.headers, media_type="application/problem+json")


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        allow = (getattr(error, "headers", None) or {}).get("Allow", "GET")
        return await _problem(request, MethodNotAllowed(f"Use {allow}.", headers={"allow": allow}))
    return await _problem(request, NotFound() if status == 404 else BadRequest())


async def _broken(request: Request, error: Exception) -> Response:
    return await _problem(request, error)
