"""Pass-through with token, policy and limit as it is usually written: Starlette, httpx, stock pycasbin, a limit in a dictionary.

Settings come from the environment: UPSTREAM, ISSUER, AUDIENCE, JWKS (a file), POLICIES (the deployment's folder), RATE (calls/s).
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import casbin
import httpx
import orjson
from casbin.util import key_match_func
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TENANT = "demo"
"""Of every caller; the tokens do not say it."""


class Limits:
    """A token bucket for each caller."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._buckets: dict[str, tuple[float, float]] = {}

    def allow(self, subject: str) -> bool:
        now = time.monotonic()
        tokens, at = self._buckets.get(subject, (self._rate, now))
        tokens = min(self._rate, tokens + (now - at) * self._rate)
        self._buckets[subject] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1


def app() -> Starlette:
    """The application, for ``uvicorn --factory``."""
    keys = KeySet.import_key_set(orjson.loads(Path(os.environ["JWKS"]).read_bytes()))
    claims = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": os.environ["ISSUER"]}, aud={"essential": True, "value": os.environ["AUDIENCE"]}
    )
    policies = Path(os.environ["POLICIES"])
    enforcer = casbin.Enforcer(str(policies / "model.conf"), str(policies / "policy.csv"))
    enforcer.add_named_domain_matching_func("g", key_match_func)
    limits = Limits(float(os.environ["RATE"]))
    client = httpx.AsyncClient(base_url=os.environ["UPSTREAM"], limits=httpx.Limits(max_connections=64), timeout=10)

    async def stock(request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            known = jwt.decode(token, keys, algorithms=["ES256"]).claims
            claims.validate(known)
        except (JoseError, ValueError):
            return JSONResponse({"title": "Unauthenticated"}, 401)
        if not enforcer.enforce(known["sub"], TENANT, "stock.get", "stock.get@v1"):
            return JSONResponse({"title": "Forbidden"}, 403)
        if not limits.allow(known["sub"]):
            return JSONResponse({"title": "Too many requests"}, 429)
        answer = await client.get(f"/inventory/items/{request.path_params['sku']}")
        return Response(answer.content, answer.status_code, media_type=answer.headers["content-type"])

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    return Starlette(routes=[Route("/api/v1/stock/{sku}", stock)], lifespan=lifespan)
