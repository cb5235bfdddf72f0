"""What they may do: one decision of the compiled policy for the operation and its version, and the scope it leaves."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import ClassVar

from gateway.errors import Forbidden, Unauthenticated
from gateway.exchange import Exchange, Principal, Reply
from gateway.pipeline import Handler, Phase, Stage
from gateway.ports import Runtime
from gateway.scope import Context, Records, Scope
from gateway.stages.restrict import restricted, under

UNMET = {"network": "from this network", "time": "at this time"}


@dataclass(frozen=True, slots=True)
class Authorize:
    """Require a policy row that allows the operation, and none that denies it; hide and filter what policy restricts.

    :param records: where the operation carries what predicates ask for.
    :param writes: whether the operation changes something.
    """

    records: Records = field(default_factory=Records, repr=False)
    writes: bool = False
    phase: ClassVar[Phase] = Phase.ACCESS

    def build(self, runtime: Runtime) -> Stage:
        decide, clock, records, writes = runtime.policy.decide, runtime.clock, self.records, self.writes

        def authorize(exchange: Exchange, call_next: Handler) -> Awaitable[Reply]:
            principal = exchange.principal
            if principal is None:
                raise Unauthenticated
            allowed, rows, scope = decide(principal, exchange.operation, exchange.version)
            if not allowed:
                exchange.notes["rows"] = rows
                raise Forbidden(f"{principal.subject} may not call {exchange.operation}@{exchange.version}.")
            if scope is None:
                return call_next(exchange)
            require(scope, Context(clock.now(), exchange.request.peer), exchange, principal)
            return under(restricted(scope, records, principal, writes=writes), exchange, call_next)

        return authorize


def require(scope: Scope, context: Context, exchange: Exchange, principal: Principal) -> None:
    """Raises ``Forbidden`` when a condition does not hold."""
    unmet = scope.unmet(context)
    if unmet:
        exchange.notes |= {"rows": scope.rows, "unmet": unmet}
        how = " and ".join(UNMET[name] for name in unmet)
        raise Forbidden(f"{principal.subject} may not call {exchange.operation}@{exchange.version} {how}.")
