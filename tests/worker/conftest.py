"""Fixtures of the worker's tests."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from http.server import ThreadingHTTPServer

import pytest

from gateway.documents.ledger import open_ledger
from tests.worker.support import Hands, Server, World, handler


@pytest.fixture
async def world(ledger_url: str) -> AsyncIterator[World]:
    clock = Hands()
    async with open_ledger(ledger_url, b"k" * 32, clock) as ledger:
        yield World(ledger, clock)


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler(told))
    http.daemon_threads = True
    told.port = http.server_port
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield told
    told.released.set()
    http.shutdown()
    http.server_close()
    thread.join(10)
