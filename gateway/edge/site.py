"""What the public port serves beside the API: health, the OpenAPI documents and the documentation page."""

from __future__ import annotations

import time
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import orjson
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.edge.body import AsgiBody
from gateway.edge.openapi import document
from gateway.errors import BadRequest, Internal, MethodNotAllowed, NotFound, Problem
from gateway.exchange import Exchange, Reply
from gateway.exchange import Request as Call
from gateway.live import Live
from gateway.ports import Telemetry
from gateway.snapshot import Snapshot
from gateway.stages.observe import access_entry, identify_call

log = structlog.get_logger()

ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
}
MAX_DOCUMENTS = 8

CSP = (
    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'"
)


class Site:
    """The Starlette application's endpoints. ``live`` holds the current snapshot."""

    def __init__(self, live: Live, extra: Iterable[BaseRoute] = ()) -> None:
        self._live = live
        self._documents: dict[tuple[str, str, str], bytes] = {}
        self.app = Starlette(
            routes=[
                Route("/health/live", self.alive),
                Route("/health/ready", self.ready),
                Route("/openapi/{version}.json", self.openapi),
                Route("/docs", self.docs),
                Route("/docs/init.js", self.docs_script),
                Route("/docs/{asset}", self.asset),
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
        await self._admit(request)
        snapshot = self._live.snapshot
        version = request.path_params["version"]
        if version not in snapshot.versions:
            raise NotFound(f"The versions are {', '.join(snapshot.versions)}.")
        base = snapshot.public_url or f"{request.url.scheme}://{request.url.netloc}"
        return Response(self._document(snapshot, version, base), media_type="application/json")

    def _document(self, snapshot: Snapshot, version: str, base: str) -> bytes:
        """Made once per snapshot and address: large contracts take a while to describe."""
        key = (snapshot.digest, version, base)
        if key not in self._documents:
            if len(self._documents) >= MAX_DOCUMENTS:
                self._documents.clear()
            self._documents[key] = orjson.dumps(document(snapshot, version, base))
        return self._documents[key]

    async def docs(self, request: Request) -> Response:
        await self._admit(request)
        return HTMLResponse(_PAGE, headers={"content-security-policy": CSP})

    async def docs_script(self, request: Request) -> Response:
        newest = f"/openapi/{self._live.snapshot.versions[-1]}.json"
        settings = {"url": newest, "dom_id": "#docs", "deepLinking": True, "validatorUrl": None}
        script = f"SwaggerUIBundle({orjson.dumps(settings).decode()});\n"
        return Response(script, media_type="text/javascript")

    async def asset(self, request: Request) -> Response:
        name = request.path_params["asset"]
        if name not in ASSETS:
            raise NotFound
        return FileResponse(_viewer() / name, media_type=ASSETS[name], headers={"cache-control": "public, max-age=86400"})

    async def _admit(self, request: Request) -> None:
        """Documentation needs a credential unless the deployment says it is public."""
        snapshot = self._live.snapshot
        if not snapshot.docs_public:
            await snapshot.authenticator.principal(request.scope["headers"])


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


def _viewer() -> Path:
    """Swagger UI's files, as packaged by swagger-ui-py; found without importing it."""
    spec = find_spec("swagger_ui")
    if spec is None or spec.origin is None:
        raise Internal
    return Path(spec.origin).parent / "static"


async def _problem(request: Request, error: Exception) -> Response:
    problem = error if isinstance(error, Problem) else Internal()
    return JSONResponse(problem.document(), problem.status, headers=problem.headers, media_type="application/problem+json")


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        allow = (getattr(error, "headers", None) or {}).get("Allow", "GET")
        return await _problem(request, MethodNotAllowed(f"Use {allow}.", headers={"allow": allow}))
    return await _problem(request, NotFound() if status == 404 else BadRequest())


async def _broken(request: Request, error: Exception) -> Response:
    return await _problem(request, error)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ERP gateway: API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/init.js"></script>
</body>
</html>
"""
