"""Who is calling: the principal comes from a verified credential and from nothing else."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import ClassVar

from gateway.exchange import Exchange, Reply
from gateway.pipeline import Handler, Phase, Stage
from gateway.ports import Runtime


@dataclass(frozen=True, slots=True)
class Identify:
    """Require a bearer token or an API key."""

    phase: ClassVar[Phase] = Phase.IDENTIFY

    def build(self, runtime: Runtime) -> Stage:
        principal_now, principal = runtime.authenticator.principal_now, runtime.authenticator.principal

        def identify(exchange: Exchange, call_next: Handler) -> Awaitable[Reply]:
            known = principal_now(exchange.request.headers)
            if known is None:
                return verify(exchange, call_next)
            exchange.principal = known
            return call_next(exchange)

        async def verify(exchange: Exchange, call_next: Handler) -> Reply:
            exchange.principal = await principal(exchange.request.headers)
            return await call_next(exchange)

        return identify
