"""What they may do: one decision of the compiled policy for the operation and its version, and the scope it leaves."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Literal, NoReturn

from gateway.errors import Forbidden, Unauthenticated
from gateway.exchange import Exchange, Principal, Reply
from gateway.pipeline import Handler, Phase, Stage
from gateway.ports import Asked, Decision, Decisions, Runtime, asked_by
from gateway.scope import Context, Records
from gateway.stages.restrict import restricted, under

UNMET = {"network": "from this network", "time": "at this time"}

Noted = Literal["sampled", "always", "by its document"]


@dataclass(frozen=True, slots=True)
class Authorize:
    """Require a policy row that allows the operation, and none that denies it; hide and filter what policy restricts.

    :param records: where the operation carries what predicates ask for.
    :param writes: whether the operation changes something.
    :param noted: how the decision log keeps that a call was allowed; a denial is always on record.
    """

    records: Records = field(default_factory=Records, repr=False)
    writes: bool = False
    noted: Noted = "sampled"
    phase: ClassVar[Phase] = Phase.ACCESS

    def build(self, runtime: Runtime) -> Stage:
        decide, now, decisions = runtime.policy.decide, runtime.clock.now, runtime.decisions
        records, writes, sampled, always = self.records, self.writes, self.noted == "sampled", self.noted == "always"

        def authorize(exchange: Exchange, call_next: Handler) -> Awaitable[Reply]:
            principal = exchange.principal
            if principal is None:
                raise Unauthenticated
            decision = decide(principal, exchange.operation, exchange.version)
            scope = decision.scope
            if not decision.allowed:
                return refuse(decisions, exchange, principal, decision, ())
            if scope is not None:
                unmet = scope.unmet(Context(now(), exchange.request.peer))
                if unmet:
                    return refuse(decisions, exchange, principal, decision, unmet)
                refused = partial(decisions.denied, asked_by(exchange, principal), decision)
                call_next = partial(under, restricted(scope, records, principal, writes=writes), refused, call_next)
            if sampled:
                decisions.count(exchange, decision)
            elif always:
                return recorded(decisions, exchange, principal, decision, call_next)
            return call_next(exchange)

        return authorize


async def recorded(
    decisions: Decisions, exchange: Exchange, principal: Principal, decision: Decision, call_next: Handler
) -> Reply:
    """A sensitive call: no record, no answer."""
    await decisions.allowed(asked_by(exchange, principal), decision)
    return await call_next(exchange)


async def refuse(
    decisions: Decisions, exchange: Exchange, principal: Principal, decision: Decision, unmet: tuple[str, ...]
) -> NoReturn:
    """Put the denial on record and raise ``Forbidden``."""
    asked = asked_by(exchange, principal)
    await decisions.denied(asked, decision, unmet)
    raise forbidden(asked, exchange, decision, unmet)


def forbidden(asked: Asked, exchange: Exchange, decision: Decision, unmet: tuple[str, ...]) -> Forbidden:
    """What a refused caller is told. The rows are for the log alone."""
    scope = decision.scope
    exchange.notes |= {"rows": scope.rows, "unmet": unmet} if unmet and scope is not None else {"rows": decision.rows}
    how = f" {' and '.join(UNMET[name] for name in unmet)}" if unmet else ""
    return Forbidden(f"{asked.principal.subject} may not call {asked.operation}@{asked.version}{how}.")
