"""Deadlines, idle connections and bodies larger than a buffer, in both directions."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import Unreachable, UpstreamTimeout
from gateway.exchange import Outgoing
from gateway.upstreams.connection import HIGH_WATER

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
GET = Outgoing("GET", "/get", [], safe=True)


async def body(client, outgoing, **arguments):
    return await (await client.send(outgoing, **arguments)).read()


async def test_an_idle_connection_expires(serve, http1):
    closed = asyncio.Event()

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        assert await reader.read() == b""
        closed.set()

    client = http1(await serve(erp), idle=0.05, connections=1)
    assert await body(client, GET) == b"ok"
    await closed.wait()
    assert await body(client, GET) == b"ok"
    assert serve.connections == 2


async def test_an_idle_connection_that_speaks_is_closed(serve, http1):
    closed, speak = asyncio.Event(), asyncio.Event()

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await speak.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
        assert await reader.read() == b""
        closed.set()

    client = http1(await serve(erp), connections=1)
    assert await body(client, GET) == b"ok"
    speak.set()
    await closed.wait()
    assert await body(client, GET) == b"ok"
    assert serve.connections == 2


async def test_a_shorter_deadline_rings_before_the_longer_one_before_it(serve, http1):
    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.read()

    client = http1(await serve(erp), connections=1)
    assert await body(client, GET, timeout=60) == b"ok"
    with pytest.raises(UpstreamTimeout) as caught:
        await client.send(GET, timeout=0.05)
    assert caught.value.sent


async def test_a_longer_deadline_outlasts_the_shorter_one_before_it(serve, http1):
    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(5):
            await rung.wait()
        writer.write(OK)
        await reader.read()

    rung = asyncio.Event()
    client = http1(await serve(erp), connections=1, idle=0.2)
    assert await body(client, GET, timeout=0.05) == b"ok"
    asyncio.get_running_loop().call_later(0.1, rung.set)
    assert await body(client, GET, timeout=5) == b"ok"
    assert serve.connections == 1


async def test_closing_at_once_cuts_what_is_left(serve, http1):
    cut, reached = asyncio.Event(), asyncio.Event()

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        reached.set()
        assert await reader.read() == b""
        cut.set()

    client = http1(await serve(erp))
    call = asyncio.create_task(client.send(GET))
    await reached.wait()
    closing = asyncio.create_task(client.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await cut.wait()
    with pytest.raises(Unreachable):
        await call


# --- bodies ------------------------------------------------------------------------------------------------------------


async def test_a_large_body_arrives_whole(serve, http1):
    received = []

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        received.append(await reader.readexactly(3_000_000))
        writer.write(OK)
        await reader.read()

    data = bytes(range(250)) * 12_000
    assert await body(http1(await serve(erp)), Outgoing("POST", "/", [], data)) == b"ok"
    assert received == [data]


async def test_a_streamed_body_waits_for_the_upstream(serve, http1):
    produced = 0
    stalled, proceed = asyncio.Event(), asyncio.Event()

    async def parts():
        nonlocal produced
        for _ in range(1000):
            produced += 65536
            yield bytes(65536)

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await proceed.wait()
        for _ in range(1000):
            await reader.readexactly(len(b"10000\r\n") + 65536 + 2)
        assert await reader.readexactly(5) == b"0\r\n\r\n"
        writer.write(OK)
        await reader.read()

    async def watch():
        last = -1
        while last != produced:
            last = produced
            await asyncio.wait([call], timeout=0.2)
        stalled.set()

    client = http1(await serve(erp), timeout=20.0)
    call = asyncio.create_task(body(client, Outgoing("POST", "/", [], parts())))
    await watch()
    assert 0 < produced < 32 * 1024 * 1024
    proceed.set()
    assert await call == b"ok"
    assert produced == 65_536_000


@pytest.mark.parametrize("closes", [True, False])
async def test_an_early_answer_ends_the_upload(serve, http1, closes):
    answered = asyncio.Event()

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await writer.drain()
        answered.set()
        if not closes:
            await reader.read()

    async def parts():
        yield b"abc"
        await answered.wait()
        while True:
            await asyncio.sleep(0)
            yield b"more"

    client = http1(await serve(erp), connections=1)
    answer = await client.send(Outgoing("POST", "/", [], parts()))
    assert answer.status == 413
    assert await answer.read() == b"no"
    assert client._pool._idle == []


async def test_an_upload_notices_that_the_upstream_is_gone(serve, http1):
    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async def parts():
        while True:
            await asyncio.sleep(0)
            yield b"more"

    with pytest.raises(Unreachable) as caught:
        await http1(await serve(erp)).send(Outgoing("POST", "/", [], parts()))
    assert caught.value.sent


async def test_a_stream_may_fail_with_a_timeout_of_its_own(serve, http1):
    async def parts():
        yield b"abc"
        raise TimeoutError("the caller's")

    with pytest.raises(TimeoutError, match="the caller's"):
        await http1(await serve(OK)).send(Outgoing("POST", "/", [], parts()))


async def test_an_unread_answer_is_held_within_bounds_and_read_later(serve, http1):
    size, written, stalled = 8 * 1024 * 1024, 0, asyncio.Event()

    async def erp(reader, writer):
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while written < size:
            writer.write(bytes(65536))
            written += 65536
            await writer.drain()
            if written > 1024 * 1024:
                stalled.set()
        await reader.read()

    answer = await http1(await serve(erp)).send(GET)
    await stalled.wait()
    assert answer.parser.buffered <= 4 * HIGH_WATER
    assert await answer.read() == bytes(size)
