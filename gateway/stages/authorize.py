"""What they may do: one decision of the compiled policy for the operation and its version."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import ClassVar

from gateway.errors import Forbidden, Unauthenticated
from gateway.exchange import Exchange, Reply
from gateway.pipeline import Handler, Phase, Stage
from gateway.ports import Runtime


@dataclass(frozen=True, slots=True)
class Authorize:
    """Require a policy row that allows the operation, and none that denies it."""

    phase: ClassVar[Phase] = Phase.ACCESS

    def build(self, runtime: Runtime) -> Stage:
        decide = runtime.policy.decide

        def authorize(exchange: Exchange, call_next: Handler) -> Awaitable[Reply]:
            principal = exchange.principal
            if principal is None:
                raise Unauthenticated
            decision = decide(principal, exchange.operation, exchange.version)
            if not decision.allowed:
                exchange.notes["rows"] = decision.rows
                raise Forbidden(f"{principal.subject} may not call {exchange.operation}@{exchange.version}.")
            return call_next(exchange)

        return authorize
