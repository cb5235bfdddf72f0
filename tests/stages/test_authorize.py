"""One decision; the rows that made it are for the log alone."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import FieldError, Forbidden, LedgerUnavailable, Unauthenticated
from gateway.exchange import Principal, Reply
from gateway.ports import Decision
from gateway.scope import Scope
from gateway.scope.conditions import parse_hours, parse_network
from gateway.stages.authorize import Authorize
from gateway.stages.restrict import NOT_PERMITTED


async def test_an_allowed_call_goes_on(runtime: Any, exchange: Any, answering: Any) -> None:
    call = exchange()
    call.principal = Principal("oa", "1000")
    assert (await Authorize().build(runtime)(call, answering(Reply(200)))).status == 200
    assert runtime.asked == [("oa", "r.create", "v1")]
    assert call.notes == {}


async def test_a_denied_call_goes_nowhere(runtime: Any, exchange: Any, answering: Any) -> None:
    runtime.decision = Decision(False, ("policy.csv:17",))
    call, handler = exchange(), answering(Reply(200))
    call.principal = Principal("oa", "1000")
    with pytest.raises(Forbidden) as caught:
        await Authorize().build(runtime)(call, handler)
    assert caught.value.detail == "oa may not call r.create@v1."
    assert "policy.csv" not in str(caught.value.document())
    assert call.notes == {"rows": ("policy.csv:17",)}
    assert handler.calls == 0


async def test_nobody_may_do_nothing(runtime: Any, exchange: Any, answering: Any) -> None:
    with pytest.raises(Unauthenticated):
        await Authorize().build(runtime)(exchange(), answering(Reply(200)))


async def test_conditions_are_judged_by_the_callers_address_and_the_clock(runtime: Any, exchange: Any, answering: Any) -> None:
    at_home = Scope(networks=(parse_network("127.0.0.0/8"),), rows=("policy.csv:4",))
    runtime.decision = Decision(True, (), at_home)
    call = exchange()
    call.principal = Principal("oa", "1000")
    assert (await Authorize().build(runtime)(call, answering(Reply(200)))).status == 200
    elsewhere, handler = exchange(), answering(Reply(200))
    elsewhere.principal, elsewhere.request.peer = Principal("oa", "1000"), "192.0.2.1"
    with pytest.raises(Forbidden, match="from this network"):
        await Authorize().build(runtime)(elsewhere, handler)
    assert elsewhere.notes == {"rows": ("policy.csv:4",), "unmet": ("network",)}
    runtime.decision = Decision(True, (), Scope(hours=(parse_hours("Sat 00:00-00:01 UTC"),)))
    with pytest.raises(Forbidden, match="at this time"):
        await Authorize().build(runtime)(call, handler)
    assert handler.calls == 0


@pytest.mark.parametrize(("noted", "kept"), [("sampled", ["counted"]), ("always", ["allowed"]), ("by its document", [])])
async def test_that_a_call_was_allowed_is_noted_as_its_operation_asks(
    runtime: Any, exchange: Any, answering: Any, noted: Any, kept: list[str]
) -> None:
    call = exchange()
    call.principal = Principal("oa", "1000")
    await Authorize(noted=noted).build(runtime)(call, answering(Reply(200)))
    assert [how for how, _ in runtime.noted] == kept


async def test_a_denial_is_on_record_with_what_did_not_hold(runtime: Any, exchange: Any, answering: Any) -> None:
    call = exchange()
    call.principal = Principal("oa", "1000")
    for decision in (Decision(False), Decision(True, (), Scope(networks=(parse_network("10.0.0.0/8"),)))):
        runtime.decision = decision
        with pytest.raises(Forbidden):
            await Authorize().build(runtime)(call, answering(Reply(200)))
    assert runtime.noted == [("denied", ("r.create", "v1", ())), ("denied", ("r.create", "v1", ("network",)))]


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (Forbidden(errors=[FieldError("/price", "is a field you may not set")]), ("fields",)),
        (Forbidden(errors=[FieldError("/entity", NOT_PERMITTED)]), ("records",)),
    ],
)
async def test_what_restrictions_refuse_is_on_record(
    runtime: Any, exchange: Any, answering: Any, problem: Forbidden, kind: tuple[str, ...]
) -> None:
    call = exchange()
    call.principal = Principal("oa", "1000")
    runtime.decision = Decision(True, (), Scope(rows=("policy.csv:4",)))
    with pytest.raises(Forbidden):
        await Authorize().build(runtime)(call, answering(problem))
    assert [noted for noted in runtime.noted if noted[0] == "denied"] == [("denied", ("r.create", "v1", kind))]


async def test_a_sensitive_call_that_cannot_be_recorded_is_not_made(runtime: Any, exchange: Any, answering: Any) -> None:
    async def gone(asked: object, decision: object) -> None:
        raise LedgerUnavailable("gone")

    call, handler = exchange(), answering(Reply(200))
    call.principal, runtime.allowed = Principal("oa", "1000"), gone
    with pytest.raises(LedgerUnavailable):
        await Authorize(noted="always").build(runtime)(call, handler)
    assert handler.calls == 0
