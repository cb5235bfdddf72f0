"""One decision; the rows that made it are for the log alone."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import Forbidden, Unauthenticated
from gateway.exchange import Principal, Reply
from gateway.ports import Decision
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
