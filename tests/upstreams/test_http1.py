"""The hot path's own promises: reuse, the single retry, early answers, and how connections pass from call to call."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import BadAnswer, Unreachable
from gateway.exchange import Outgoing
from gateway.upstreams.connection import Connection
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


async def test_a_wrong_address_is_refused_at_once():
    with pytest.raises(ValueError, match="http://host"):
        Http1Client("erp:8000")
