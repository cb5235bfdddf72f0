"""The hot path's own promises: reuse, the single retry, early answers, and how connections pass from call to call."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import BadAnswer, Unreachable, UpstreamTimeout
from gateway.exchange import Outgoing
from gateway.upstreams.connection import HIGH_WATER, Connection
from gateway.upstreams.http1 import Http1Client

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
GET = Outgoing("GET", "/get", [], safe=True)
POST = Outgoing("POST", "/post", [], b"{}")


async def body(client, outgoing, **arguments):
    return await (await client.send(outgoing, **arguments)).read()


def dies_when_reused(seen, says=b""):
    """An ERP that answers the first request of each connection and hangs up on the second."""

    async def erp(reader, writer):
        for answer in (OK, says):
            head = await reader.readuntil(b"\r\n\r\n")
            if b"content-length: 2" in head:
                await reader.readexactly(2)
            seen.append(head.split(b" ")[1])
            writer.write(answer)

    return erp


async def test_a_connection_is_reused(serve, http1):
    client = http1(await serve(OK))
    for _ in range(5):
        assert await body(client, GET) == b"ok"
    assert serve.connections == 1


async def test_a_small_answer_is_there_when_send_returns(serve, http1):
    answer = await http1(await serve(OK)).send(GET)
    assert answer.parser.complete
    assert answer.connection is None
    with pytest.raises(StopIteration, match="ok"):
        answer.read().send(None)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ],
)
async def test_a_connection_that_will_close_is_not_reused(serve, http1, answer):
    client = http1(await serve(answer))
    assert [await body(client, GET) for _ in range(2)] == [b"ok", b"ok"]
    assert serve.connections == 2


async def test_an_old_server_may_keep_its_connection(serve, http1):
    client = http1(await serve(b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok"))
    assert [await body(client, GET) for _ in range(2)] == [b"ok", b"ok"]
    assert serve.connections == 1


async def test_the_most_recently_used_connection_goes_first(serve, http1):
    async def erp(reader, writer):
        mine = serve.connections
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await gate.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n%d" % mine)

    gate = asyncio.Event()
    client = http1(await serve(erp))
    first, second = asyncio.create_task(body(client, GET)), asyncio.create_task(body(client, GET))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, second)
    assert len({await body(client, GET) for _ in range(5)}) == 1
    assert serve.connections == 2


# --- the single retry --------------------------------------------------------------------------------------------------


async def test_a_safe_call_is_repeated_once_on_a_new_connection(serve, http1):
    seen = []
    client = http1(await serve(dies_when_reused(seen)), connections=1)
    assert await body(client, Outgoing("GET", "/a", [], safe=True)) == b"ok"
    assert await body(client, Outgoing("GET", "/b", [], safe=True)) == b"ok"
    assert seen == [b"/a", b"/b", b"/b"]
    assert serve.connections == 2


async def test_a_safe_call_is_not_repeated_twice(serve, http1):
    seen = []

    async def erp(reader, writer):
        seen.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
        if len(seen) == 1:
            writer.write(OK)
            seen.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])

    client = http1(await serve(erp), connections=1)
    assert await body(client, Outgoing("GET", "/a", [], safe=True)) == b"ok"
    with pytest.raises(Unreachable) as caught:
        await client.send(Outgoing("GET", "/b", [], safe=True))
    assert caught.value.sent
    assert seen == [b"/a", b"/b", b"/b"]


async def test_a_write_that_was_sent_is_never_repeated(serve, http1):
    seen = []
    client = http1(await serve(dies_when_reused(seen)), connections=1)
    assert await body(client, GET) == b"ok"
    with pytest.raises(Unreachable) as caught:
        await client.send(POST)
    assert caught.value.sent
    assert seen == [b"/get", b"/post"]
    assert await body(client, GET) == b"ok"


async def test_a_stream_that_was_read_is_never_repeated(serve, http1):
    async def parts():
        yield b"{}"

    seen = []

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        seen.append(await reader.readuntil(b"0\r\n\r\n"))

    client = http1(await serve(erp), connections=1)
    assert await body(client, GET) == b"ok"
    with pytest.raises(Unreachable) as caught:
        await client.send(Outgoing("PUT", "/", [], parts(), safe=True))
    assert caught.value.sent
    assert len(seen) == 1


async def test_nothing_is_repeated_once_the_answer_began(serve, http1):
    seen = []
    client = http1(await serve(dies_when_reused(seen, b"H")), connections=1)
    assert await body(client, GET) == b"ok"
    with pytest.raises(BadAnswer):
        await client.send(GET)
    assert seen == [b"/get", b"/get"]


async def test_a_write_goes_to_a_new_connection_when_the_old_one_is_seen_closed(serve, http1):
    closed = asyncio.Event()

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OK)
        writer.write_eof()
        assert await reader.read() == b""
        closed.set()

    client = http1(await serve(erp), connections=1)
    assert await body(client, POST) == b"ok"
    await closed.wait()
    assert await body(client, POST) == b"ok"
    assert serve.connections == 2


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_write_not_sent_is_repeated(serve, http1, monkeypatch, streamed):
    async def parts():
        yield b"{}"

    client = http1(await serve(OK), connections=1)
    assert await body(client, GET) == b"ok"
    taken = Connection.usable

    def closes_just_then(connection):
        connection.close()
        return True

    monkeypatch.setattr(Connection, "usable", closes_just_then)
    outgoing = Outgoing("POST", "/p", [], parts() if streamed else b"{}")
    assert await body(client, outgoing) == b"ok"
    monkeypatch.setattr(Connection, "usable", taken)
    assert serve.connections == 2
    assert [head.split(b" ")[1] for head in serve.heads[:2]] == [b"/get", b"/p"]


async def test_a_repeat_that_cannot_connect_fails_and_frees_its_place(serve, http1):
    seen = []
    url = await serve(dies_when_reused(seen))
    client = http1(url, connections=1)
    assert await body(client, GET) == b"ok"
    serve._servers[0].close()
    with pytest.raises(Unreachable) as caught:
        await client.send(GET)
    assert not caught.value.sent
    assert client._pool._places == 0


# --- connections between calls -----------------------------------------------------------------------------------------


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


async def test_a_wrong_address_is_refused_at_once():
    with pytest.raises(ValueError, match="http://host"):
        Http1Client("erp:8000")
