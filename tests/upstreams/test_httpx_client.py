"""What the contract does not say: nothing of httpx leaks, and no connection is used twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from gateway.errors import Unreachable
from gateway.exchange import Outgoing
from gateway.upstreams.httpx_client import HttpxClient
from gateway.upstreams.settings import ClientSettings

OK = b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nset-cookie: a=b\r\ncontent-length: 2\r\n\r\nok"
GET = Outgoing("GET", "/", [], safe=True)


async def test_neither_redirects_nor_cookies_nor_the_environment_have_a_say(serve, monkeypatch):
    url = await serve(OK)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    client = HttpxClient(url)
    for _ in range(2):
        answer = await client.send(GET)
        assert answer.status == 302
        assert await answer.read() == b"ok"
    await client.aclose()
    assert [head.lower().split(b"\r\n")[2:] for head in serve.heads] == [[b"", b""]] * 2
    assert serve.connections == 2


async def test_closing_can_be_cancelled(serve):
    reached = asyncio.Event()

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        reached.set()
        await reader.read()

    client = HttpxClient(await serve(erp), ClientSettings(timeout=0.3))
    call = asyncio.create_task(client.send(GET))
    await reached.wait()
    closing = asyncio.create_task(client.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(Unreachable):
        await call


def test_the_hot_path_does_not_load_httpx():
    code = "import sys, gateway.upstreams.http1; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
