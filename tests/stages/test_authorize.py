"""One decision; the rows that made it are for the log alone."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import Forbidden, Unauthenticated
from gateway.exchange import Principal, Reply
from gateway.ports import Decision
from gateway.scope import Scope
from gateway.scope.conditions import parse_hours, parse_network
from gateway.stages.authorize import Authorize


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
