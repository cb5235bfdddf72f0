"""The internal port: health in full and metrics. It must never be reachable from where satellites are."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.live import Live
from gateway.telemetry import Telemetry


def console(live: Live, telemetry: Telemetry) -> Starlette:
    """The console's application."""

    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(request: Request) -> Response:
        return JSONResponse(live.status(places_only=False))

    async def metrics(request: Request) -> Response:
        return Response(telemetry.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(
        routes=[Route("/health/live", alive), Route("/health/ready", ready), Route("/metrics", metrics)],
    )
