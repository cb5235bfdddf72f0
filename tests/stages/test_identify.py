"""The principal comes from the credential and from nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import Unauthenticated
from gateway.exchange import Principal, Reply
from gateway.stages.identify import Identify


@pytest.mark.parametrize("waits", [False, True])
async def test_the_principal_is_what_the_credential_proves(runtime: Any, exchange: Any, answering: Any, waits: bool) -> None:
    runtime.waits = waits
    call, handler = exchange(headers=[(b"x-user", b"cfo")]), answering(Reply(200))
    assert (await Identify().build(runtime)(call, handler)).status == 200
    assert call.principal == Principal("oa", "1000")


@pytest.mark.parametrize("waits", [False, True])
async def test_without_a_credential_nothing_is_called(runtime: Any, exchange: Any, answering: Any, waits: bool) -> None:
    runtime.waits = waits
    runtime.who = Unauthenticated("Send a token.")
    call, handler = exchange(), answering(Reply(200))
    with pytest.raises(Unauthenticated):
        await Identify().build(runtime)(call, handler)
    assert (call.principal, handler.calls) == (None, 0)
