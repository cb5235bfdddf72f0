"""Places and connections pass from call to call, whatever becomes of the calls."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateway.errors import Unreachable
from gateway.exchange import Outgoing
from gateway.upstreams.connection import Connection
from gateway.upstreams.http1 import Http1Client
from gateway.upstreams.pool import Pool
from gateway.upstreams.settings import ClientSettings, tls_context

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
GET = Outgoing("GET", "/", [], safe=True)


async def body(client):
    return await (await client.send(GET)).read()


async def test_a_failed_connect_passes_its_place_to_the_next_in_line(http1):
    client = http1("http://127.0.0.1:1", connections=1)
    problems = await asyncio.gather(*(client.send(GET) for _ in range(5)), return_exceptions=True)
    assert {type(problem) for problem in problems} == {Unreachable}
    assert client._pool._places == 0


async def test_a_connection_given_to_a_cancelled_call_goes_to_the_next(serve, http1, monkeypatch):
    client = http1(await serve(OK), connections=1)
    ended = Pool.ended

    def then_cancel(pool, connection, *, reusable):
        ended(pool, connection, reusable=reusable)
        calls[1].cancel()

    monkeypatch.setattr(Pool, "ended", then_cancel)
    calls = [asyncio.create_task(body(client)) for _ in range(3)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in done] == [bytes, asyncio.CancelledError, bytes]
    assert serve.connections == 1


async def test_a_place_given_to_a_cancelled_call_goes_to_the_next(http1, monkeypatch):
    client = http1("http://127.0.0.1:1", connections=1)
    give_place = Pool._give_place

    def then_cancel(pool):
        give_place(pool)
        calls[1].cancel()

    monkeypatch.setattr(Pool, "_give_place", then_cancel)
    calls = [asyncio.create_task(body(client)) for _ in range(3)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in done] == [Unreachable, asyncio.CancelledError, Unreachable]
    assert client._pool._places == 0


async def test_a_call_cancelled_while_connecting_gives_its_place_up(serve, http1):
    reached = asyncio.Event()

    async def silent(reader, writer):
        await reader.read(1)
        reached.set()
        await reader.read()

    client = http1((await serve(silent)).replace("http:", "https:"), connections=1, tls=tls_context())
    call = asyncio.create_task(body(client))
    await reached.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert client._pool._places == 0


async def test_an_idle_connection_found_closed_is_passed_over(serve, http1):
    client = http1(await serve(OK), connections=1)
    assert await body(client) == b"ok"
    client._pool._idle[0].close()
    assert await body(client) == b"ok"
    assert serve.connections == 2
    assert client._pool._places == 1


async def test_a_peer_that_hangs_up_on_a_handshake_is_unreachable(serve, http1):
    async def rude(reader, writer):
        await reader.read(1)
        linger = b"\1\0\0\0\0\0\0\0"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    client = http1((await serve(rude)).replace("http:", "https:"), tls=tls_context())
    with pytest.raises(Unreachable) as caught:
        await client.send(GET)
    assert not caught.value.sent
    assert client._pool._places == 0


async def test_an_idle_connection_kept_by_a_deaf_peer_is_cut_when_closing(serve, monkeypatch):
    client = Http1Client(await serve(OK), ClientSettings())
    assert await body(client) == b"ok"
    monkeypatch.setattr("gateway.upstreams.pool._CLOSING", 0.05)
    monkeypatch.setattr(Connection, "close", lambda connection: None)
    await client.aclose()
    assert client._pool._places == 0
    monkeypatch.undo()
    await client.aclose()
    assert client._pool._open == set()


async def test_closing_twice_is_closing_once(serve, http1):
    client = http1(await serve(OK))
    assert await body(client) == b"ok"
    await asyncio.gather(client.aclose(), client.aclose())
    with pytest.raises(Unreachable, match="closing"):
        await client.send(GET)


async def test_an_address_that_is_shunned_is_told_nothing(serve, http1):
    url = await serve(OK)
    asked = []
    client = http1(url, connections=1, shuns=lambda address: asked.append(address) or True)
    for _ in range(2):
        with pytest.raises(Unreachable) as caught:
            await client.send(GET)
        assert not caught.value.sent
    assert asked == ["127.0.0.1", "127.0.0.1"]
    assert client._pool._places == 0
    assert await body(http1(url, shuns=lambda address: False)) == b"ok"
