"""The worker put together: every kind of work a step can leave has a handler, and what is due is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.documents.records import Document, Terms, find, receive
from gateway.documents.states import Event, State
from gateway.live import Live
from gateway.runtime import open_stores
from gateway.upstreams.http1 import Http1Client
from gateway.worker.assembly import Worker, connect
from gateway.worker.timers import EVENTS
from tests.documents.support import document, hold
from tests.support import copy_deployment


@pytest.fixture
async def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    monkeypatch.setenv("ERP_GATEWAY_VAR", str(tmp_path / "var"))
    path = copy_deployment(tmp_path)
    async with open_stores(path, access_log=False) as stores:
        yield Live(path, stores)


async def until(live: Live, one: Document, state: State) -> Document:
    ledger = live.stores.ledger
    async with asyncio.timeout(20):
        while True:
            current = await ledger.read(lambda connection: find(connection, one.id))
            assert current is not None
            if current.state is state:
                return current
            await ledger.changed(one.id, 1.0)


async def test_every_kind_of_work_is_somebodys(live: Live) -> None:
    handled = [kind for dispatcher in Worker(live)._dispatchers for kind in dispatcher._kinds]
    left = {"send", "watch", "probe", *EVENTS, "ask", "remind", "escalate", "alarm", "message", "callback"}
    assert sorted(handled) == sorted(left)


async def test_what_is_due_is_done_and_counted(live: Live) -> None:
    now = time.time()
    late = document(state=State.RECEIVED, hold=hold(expires_at=now - 1), received_at=now - 100)
    gone = document(version="v9", delivery="queued")
    ledger, stop = live.stores.ledger, asyncio.Event()
    await ledger.write(lambda tx: receive(tx, late, Event.HOLD, terms=Terms()))
    await ledger.write(lambda tx: receive(tx, gone, Event.QUEUE, terms=Terms()))
    worker = Worker(live)
    running = asyncio.create_task(worker.run(stop))
    assert (await until(live, late, State.EXPIRED)).note == {"code": "expired"}
    assert (await until(live, gone, State.MANUAL)).note == {"code": "no_route"}
    stop.set()
    await running


async def test_documents_are_counted_by_state(live: Live) -> None:
    held = document(hold=hold(expires_at=time.time() + 1000))
    await live.stores.ledger.write(lambda tx: receive(tx, held, Event.HOLD, terms=Terms()))
    worker, stop = Worker(live), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(20):
        while worker._count("held") != 1.0:
            await live.stores.ledger.changed(held.id, 0.05)
    stop.set()
    await running
    assert (worker._count("dead"), (live.path.parent / live.snapshot.deployment.gateway.ledger.anchors).exists()) == (0.0, True)


async def test_callbacks_go_out_over_http1() -> None:
    client = connect("https://crm.example.com")
    assert isinstance(client, Http1Client)
    await client.aclose()
