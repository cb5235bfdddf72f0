"""What every client of an upstream must do, run over both adapters, against sockets that answer byte by byte as told."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import zlib

import pytest

from gateway.errors import BadAnswer, BadRequest, RequestTimeout, Unreachable, UpstreamProblem, UpstreamTimeout
from gateway.exchange import Outgoing
from gateway.upstreams.http1 import Http1Client
from gateway.upstreams.settings import tls_context

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def get(target="/", *headers):
    return Outgoing("GET", target, list(headers), safe=True)


def post(body=b"{}", *headers):
    return Outgoing("POST", "/", list(headers), body)


async def stream(*parts):
    for part in parts:
        yield part


async def fetch(client, outgoing, **arguments):
    """Status and body, or the problem."""
    try:
        answer = await client.send(outgoing, **arguments)
        return answer.status, await answer.read()
    except UpstreamProblem as problem:
        return problem


# --- the request -----------------------------------------------------------------------------------------------------


async def test_sends_exactly_what_it_was_given(serve, connect):
    client = connect(await serve(OK) + "/erp/")
    await fetch(client, get("/items/%2F?q=a%20b|c", (b"accept", b"application/json"), (b"x-request-id", b"7")))
    line, *fields = serve.heads[0].decode().split("\r\n")
    assert line == "GET /erp/items/%2F?q=a%20b|c HTTP/1.1"
    assert fields[0].lower().startswith("host: 127.0.0.1:")
    assert fields[1:] == ["accept: application/json", "x-request-id: 7", "", ""]


async def test_owns_host_and_framing(serve, connect):
    url = await serve(OK)
    names = [b"host", b"content-length", b"transfer-encoding", b"connection", b"te", b"upgrade", b"expect", b"keep-alive"]
    assert await fetch(connect(url), get("/", *((name, b"7") for name in names))) == (200, b"ok")
    assert serve.heads[0].lower() == b"get / http/1.1\r\nhost: " + url[7:].encode() + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("outgoing", "framing"),
    [
        (post(b"abc"), b"content-length: 3"),
        (post(b""), b"content-length: 0"),
        (Outgoing("DELETE", "/", []), None),
        (Outgoing("HEAD", "/", []), None),
    ],
)
async def test_frames_bytes_by_length(serve, connect, outgoing, framing):
    await fetch(connect(await serve(b"HTTP/1.1 204 No Content\r\n\r\n")), outgoing)
    lines = serve.heads[0].lower().split(b"\r\n")
    assert [line for line in lines if line.startswith((b"content-length", b"transfer-encoding"))] == (
        [framing] if framing else []
    )


async def test_streams_a_body_in_chunks(serve, connect):
    seen = []

    async def erp(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        seen.append(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(OK)

    assert await fetch(connect(await serve(erp)), post(stream(b"abc", b"", b"defg" * 4))) == (200, b"ok")
    assert b"transfer-encoding: chunked" in seen[0].lower()
    assert seen[1] == b"3\r\nabc\r\n10\r\n" + b"defg" * 4 + b"\r\n0\r\n\r\n"


async def test_streams_a_body_of_declared_length(serve, connect):
    seen = []

    async def erp(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        seen.append(await reader.readexactly(6))
        writer.write(OK)

    assert await fetch(connect(await serve(erp)), post(stream(b"abc", b"def"), (b"content-length", b"6"))) == (200, b"ok")
    assert seen[0].lower().count(b"content-length: 6\r\n") == 1
    assert b"transfer-encoding" not in seen[0].lower()
    assert seen[1] == b"abcdef"


@pytest.mark.parametrize("parts", [(b"abc", b"defg"), (b"abc",), ()])
async def test_a_stream_keeps_its_declared_length(serve, connect, parts):
    over = asyncio.Event()

    async def erp(reader, writer):
        await reader.read()
        over.set()

    with pytest.raises(BadRequest, match="Content-Length"):
        await connect(await serve(erp)).send(post(stream(*parts), (b"content-length", b"6")))
    await over.wait()


async def test_a_stream_that_fails_ends_the_call(serve, connect):
    over = asyncio.Event()

    async def erp(reader, writer):
        received = await reader.read()
        assert b"abc" in received
        assert not received.endswith(b"0\r\n\r\n")
        over.set()

    async def broken():
        yield b"abc"
        raise RequestTimeout("slow")

    client = connect(await serve(erp), connections=1)
    with pytest.raises(RequestTimeout):
        await client.send(post(broken()))
    await over.wait()


@pytest.mark.parametrize(
    "outgoing",
    [
        get("/", (b"x", b"a\r\nevil: 1")),
        get("/", (b"x", b"a\nevil: 1")),
        get("/", (b"x", b"a\0")),
        get("/", (b"x", b"a\rb")),
        get("/", (b"x\r\nevil", b"a")),
        get("/", (b"x:y", b"a")),
        get("/", (b"x y", b"a")),
        get("/", (b"", b"a")),
        get("/ HTTP/1.1\r\nevil: 1\r\n\r\n"),
        get("/a b"),
        get("/a#b"),
        get("/\u00e9"),
        get("http://elsewhere/"),
        get(""),
        get("/a\n"),
        Outgoing("GE T", "/", []),
        Outgoing("", "/", []),
        Outgoing("CONNECT", "/", []),
        Outgoing("GET\n", "/", []),
        post(stream(), (b"content-length", b"1x")),
        post(stream(), (b"content-length", b"1"), (b"content-length", b"2")),
        post(stream(), (b"content-length", b"1" * 30)),
    ],
)
async def test_refuses_to_be_made_to_say_more(serve, connect, outgoing):
    client = connect(await serve(OK))
    with pytest.raises(BadRequest):
        await client.send(outgoing)
    assert serve.connections == 0


# --- the answer ------------------------------------------------------------------------------------------------------


async def test_reads_status_headers_and_body(serve, connect):
    client = connect(
        await serve(
            b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nX-A: 1\r\nX-A: 2\r\nKeep-Alive: timeout=5\r\n"
            b"Connection: x-hop, keep-alive\r\nX-Hop: secret\r\nContent-Length: 4\r\n\r\nbody"
        )
    )
    answer = await client.send(get())
    assert answer.status == 201
    assert answer.headers == [(b"content-type", b"application/json"), (b"x-a", b"1"), (b"x-a", b"2"), (b"content-length", b"4")]
    assert await answer.read() == b"body"
    assert await answer.read() == b"body"
    await answer.aclose()
    await answer.aclose()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", (200, b"")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", (304, b"")),
        (b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno", (500, b"no")),
        (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", (200, b"abc")),
        (CHUNKED + b"0\r\n\r\n", (200, b"")),
        (CHUNKED + b"3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\ntrailer: x\r\n\r\n", (200, b"abc0123456789")),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: </x>\r\n\r\n" + OK, (200, b"ok")),
    ],
)
async def test_understands_every_framing_whole_and_byte_by_byte(serve, connect, answer, expected):
    async def slowly(reader, writer):
        writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await reader.readuntil(b"\r\n\r\n")
        for position in range(len(answer)):
            writer.write(answer[position : position + 1])
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    assert await fetch(connect(await serve(answer)), get()) == expected
    assert await fetch(connect(await serve(slowly)), get()) == expected


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\nX-Y: z\r\n\r\n"]
)
async def test_reads_to_the_end_of_a_connection_that_closes(serve, connect, head):
    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + b"until ")
        await writer.drain()
        writer.write(b"the end")

    assert await fetch(connect(await serve(erp)), get()) == (200, b"until the end")


async def test_an_answer_to_head_has_no_body(serve, connect):
    client = connect(await serve(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"))
    for _ in range(2):
        answer = await client.send(Outgoing("HEAD", "/", [], safe=True))
        assert (b"content-length", b"5") in answer.headers
        assert await answer.read() == b""


@pytest.mark.parametrize("sample", [OK, CHUNKED + b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"])
async def test_an_answer_cut_anywhere_is_an_error(serve, connect, adapter, sample):
    cut = 0

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sample[:cut])

    client = connect(await serve(erp))
    head = sample.index(b"\r\n\r\n") + 4
    for cut in range(len(sample)):
        problem = await fetch(client, get())
        assert isinstance(problem, UpstreamProblem), cut
        assert problem.sent
        if cut == 0:
            assert type(problem) is Unreachable
        elif cut >= head or adapter is Http1Client:
            assert type(problem) is BadAnswer, cut
    cut = len(sample)
    assert (await fetch(client, get()))[0] == 200


HOSTILE = [
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2, 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 0x2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nok",
    b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nx : y\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nx\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 600 OK\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 099 OK\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/0.9 200 OK\r\ncontent-length: 2\r\n\r\nok",
    b"RTSP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    b"<html>\r\n\r\n</html>",
    b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n",
    CHUNKED + b"-2\r\nok\r\n0\r\n\r\n",
    CHUNKED + b"2\r\nokay\r\n0\r\n\r\n",
    CHUNKED + b"fffffffffffffffffffff\r\nok\r\n0\r\n\r\n",
]
# What h11, underneath httpx, accepts. No call of another follows on such a connection, so it cannot mislead.
HOSTILE_TO_HTTP1 = [
    b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\n\r\nok",
    b"HTTP/1.1 200 OK\r\nx: y\r\n folded: z\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: \r\n\r\nok",
    b"\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    CHUNKED + b"2 \r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + OK,
]


@pytest.mark.parametrize("answer", HOSTILE)
async def test_refuses_what_breaks_http(serve, connect, answer):
    client = connect(await serve(answer), connections=1)
    for _ in range(2):
        problem = await fetch(client, get())
        assert type(problem) is BadAnswer
        assert problem.sent
    assert serve.connections == 2


@pytest.mark.parametrize("answer", HOSTILE_TO_HTTP1)
async def test_http1_is_stricter_still(serve, http1, answer):
    problem = await fetch(http1(await serve(answer)), get())
    assert type(problem) is BadAnswer
    assert problem.sent


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 5000 + b"\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: a\r\n" * 1000 + b"content-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000,
    ],
)
async def test_heads_have_a_limit(serve, connect, answer):
    assert type(await fetch(connect(await serve(answer), head_limit=4096), get())) is BadAnswer


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999999999999999\r\n\r\n",
        CHUNKED + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n",
        CHUNKED + b"1f4\r\n" + b"x" * 500 + b"\r\n1f5\r\n" + b"x" * 501,
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"x" * 1001,
    ],
)
async def test_bodies_have_a_limit(serve, connect, answer):
    client = connect(await serve(answer), answer_limit=1000)
    assert type(await fetch(client, get())) is BadAnswer
    with pytest.raises(BadAnswer):
        async for _ in (await client.send(get())).chunks():
            pass
    full = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b"x" * 1000
    assert await fetch(connect(await serve(full), answer_limit=1000), get()) == (200, b"x" * 1000)


@pytest.mark.parametrize(
    "excess",
    [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", b"\r\n", b"\r\n\r\n", b"x", b"0\r\n\r\n", b"HTTP/1.1 100 C\r\n\r\n"],
)
@pytest.mark.parametrize("answer", [OK, CHUNKED + b"2\r\nok\r\n0\r\n\r\n", CHUNKED + b"2\r\nok\r\n0\r\nt: x\r\n\r\n"])
async def test_bytes_after_an_answer_never_become_the_next(serve, connect, answer, excess):
    client = connect(await serve(answer + excess), connections=1)
    for _ in range(3):
        assert await fetch(client, get()) == (200, b"ok")
    assert serve.connections == 3


# --- content codings -------------------------------------------------------------------------------------------------


def coded(coding, body):
    return b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ncontent-length: %d\r\n\r\n%b" % (coding, len(body), body)


async def test_read_undoes_codings_and_chunks_leave_them(serve, connect):
    packed = gzip.compress(b"plain " * 100)
    client = connect(await serve(coded(b"gzip", packed)))
    answer = await client.send(get("/", (b"accept-encoding", b"gzip")))
    assert (b"content-encoding", b"gzip") in answer.headers
    assert await answer.read() == b"plain " * 100
    assert answer.headers == []
    answer = await client.send(get())
    assert b"".join([data async for data in answer.chunks()]) == packed
    assert (b"content-encoding", b"gzip") in answer.headers
    assert b"accept-encoding: gzip" in serve.heads[0]
    assert b"accept-encoding" not in serve.heads[1]


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", gzip.compress(b"0" * 2_000_000, mtime=0)),
        (b"deflate", zlib.compress(b"0" * 2_000_000)),
        (b"br", b"abc"),
        (b"gzip", b"abc"),
        (b"gzip", gzip.compress(b"abc", mtime=0)[:-1]),
    ],
    ids=["gzip-bomb", "deflate-bomb", "unknown", "damaged", "cut"],
)
async def test_codings_are_bounded_and_whole(serve, connect, coding, body):
    client = connect(await serve(coded(coding, body)), answer_limit=1_000_000)
    assert type(await fetch(client, get())) is BadAnswer


# --- streaming answers -----------------------------------------------------------------------------------------------


async def test_chunks_come_as_they_arrive(serve, connect):
    proceed = asyncio.Event()

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED + b"3\r\nabc\r\n")
        await proceed.wait()
        writer.write(b"3\r\ndef\r\n0\r\n\r\n")
        await reader.read()

    answer = await connect(await serve(erp)).send(get())
    chunks = answer.chunks()
    assert await anext(chunks) == b"abc"
    proceed.set()
    assert b"".join([data async for data in chunks]) == b"def"


async def test_a_slow_reader_slows_the_upstream(serve, connect):
    size, written, stalled, proceed = 64 * 1024 * 1024, 0, asyncio.Event(), asyncio.Event()

    async def erp(reader, writer):
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while written < size:
            writer.write(bytes(65536))
            written += 65536
            try:
                async with asyncio.timeout(0.2):
                    await writer.drain()
            except TimeoutError:
                stalled.set()
                await proceed.wait()
        await writer.drain()
        await reader.read()

    answer = await connect(await serve(erp), answer_limit=size, timeout=30.0).send(get())
    chunks = answer.chunks()
    received = len(await anext(chunks))
    await stalled.wait()
    assert written < size // 2
    proceed.set()
    async for data in chunks:
        received += len(data)
    assert received == size


async def test_a_body_cut_short_fails_the_stream(serve, connect):
    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc")

    answer = await connect(await serve(erp)).send(get())
    chunks = answer.chunks()
    assert await anext(chunks) == b"abc"
    with pytest.raises(BadAnswer):
        await anext(chunks)


@pytest.mark.parametrize("way", ["aclose", "break"])
async def test_an_answer_given_up_closes_its_connection(serve, connect, way):
    over = asyncio.Event()

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc")
        assert await reader.read() == b""
        over.set()

    answer = await connect(await serve(erp), connections=1).send(get())
    if way == "break":
        chunks = answer.chunks()
        assert await anext(chunks) == b"abc"
        await chunks.aclose()
    else:
        await answer.aclose()
    await over.wait()
    with pytest.raises(BadAnswer, match="given up"):
        await answer.read()


# --- when the upstream is gone, slow or lying --------------------------------------------------------------------------


async def test_a_refused_connection_was_not_sent(connect):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    problem = await fetch(connect(f"http://127.0.0.1:{port}"), post())
    assert type(problem) is Unreachable
    assert not problem.sent
    assert "127.0.0.1" not in problem.detail
    assert isinstance(problem.__cause__, Exception)


async def test_a_name_that_does_not_resolve_was_not_sent(connect):
    problem = await fetch(connect("http://erp.invalid"), post())
    assert type(problem) is Unreachable
    assert not problem.sent
    assert "erp.invalid" not in problem.detail


@pytest.mark.parametrize("abrupt", [True, False])
async def test_a_connection_lost_before_the_answer_may_have_been_sent(serve, connect, abrupt):
    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n{}")
        if abrupt:
            writer.transport.abort()

    problem = await fetch(connect(await serve(erp)), post())
    assert type(problem) is Unreachable
    assert problem.sent
    assert serve.connections == 1


async def test_a_reset_within_the_answer_is_a_bad_answer(serve, connect):
    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf")
        await reached.wait()
        linger = b"\1\0\0\0\0\0\0\0"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    reached = asyncio.Event()
    answer = await connect(await serve(erp)).send(get())
    reached.set()
    with pytest.raises(BadAnswer):
        await answer.read()


async def test_nothing_is_sent_when_no_time_is_left(serve, connect):
    problem = await fetch(connect(await serve(OK)), post(), timeout=0)
    assert type(problem) is UpstreamTimeout
    assert not problem.sent
    assert serve.connections == 0


async def test_the_deadline_covers_connecting(serve, connect):
    async def silent(reader, writer):
        await reader.read()

    url = (await serve(silent)).replace("http:", "https:")
    problem = await fetch(connect(url, tls=tls_context()), post(), timeout=0.1)
    assert type(problem) is UpstreamTimeout
    assert not problem.sent
    assert "made" in problem.detail
    problem = await fetch(connect(url, tls=tls_context(), connect_timeout=0.1), post())
    assert type(problem) is Unreachable
    assert not problem.sent


async def test_the_deadline_covers_waiting_for_a_connection(serve, connect):
    reached, release = asyncio.Event(), asyncio.Event()

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        reached.set()
        await release.wait()
        writer.write(OK)
        await reader.read()

    client = connect(await serve(erp), connections=1)
    first = asyncio.create_task(fetch(client, get()))
    await reached.wait()
    problem = await fetch(client, post(), timeout=0.05)
    assert type(problem) is UpstreamTimeout
    assert not problem.sent
    assert "free" in problem.detail
    release.set()
    assert await first == (200, b"ok")
    assert serve.connections == 1


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\ncontent-len", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no"])
async def test_the_deadline_covers_head_and_body(serve, connect, said):
    over = asyncio.Event()

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(said)
        await reader.read()
        over.set()

    started = asyncio.get_running_loop().time()
    problem = await fetch(connect(await serve(erp)), post(), timeout=0.1)
    assert type(problem) is UpstreamTimeout
    assert problem.sent
    assert 0.09 < asyncio.get_running_loop().time() - started < 2
    await over.wait()


async def test_the_deadline_covers_sending_a_body(serve, connect):
    never = asyncio.Event()

    async def erp(reader, writer):
        await reader.read()

    async def stuck():
        yield b"abc"
        await never.wait()

    problem = await fetch(connect(await serve(erp)), post(stuck()), timeout=0.1)
    assert type(problem) is UpstreamTimeout
    assert problem.sent


async def test_an_answer_nobody_reads_ends_at_its_deadline(serve, connect):
    over = asyncio.Event()

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc")
        assert await reader.read() == b""
        over.set()

    client = connect(await serve(erp), connections=1)
    answer = await client.send(get(), timeout=0.1)
    await over.wait()
    with pytest.raises(UpstreamTimeout):
        await answer.read()


# --- the pool --------------------------------------------------------------------------------------------------------


async def test_answers_are_matched_to_their_requests(serve, connect):
    async def echo(reader, writer):
        while True:
            target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
            await asyncio.sleep(0)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(target), target))

    client = connect(await serve(echo), connections=8, timeout=30.0)
    answers = await asyncio.gather(*(fetch(client, get(f"/item/{number}")) for number in range(200)))
    assert answers == [(200, b"/item/%d" % number) for number in range(200)]
    assert serve.most <= 8


async def test_calls_wait_in_line(serve, connect):
    client = connect(await serve(OK), connections=1)
    await asyncio.gather(*(fetch(client, get(f"/{number}")) for number in range(20)))
    assert [head.split(b" ")[1] for head in serve.heads] == [b"/%d" % number for number in range(20)]
    assert serve.most == 1


@pytest.mark.parametrize("phase", ["line", "head", "body", "chunks", "upload"])
async def test_a_cancelled_call_closes_its_connection_and_frees_its_place(serve, connect, phase):
    reached, over = asyncio.Event(), asyncio.Event()

    async def erp(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/hang" not in head and b"POST" not in head:
            writer.write(OK)
            await reader.read()
            return
        if phase in ("body", "chunks"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc")
        else:
            reached.set()
        await reader.read()
        over.set()

    async def call():
        answer = await client.send(post(stuck()) if phase == "upload" else get("/hang"))
        reached.set()
        await (answer.read() if phase == "body" else anext(drain(answer)))

    async def drain(answer):
        received = b"".join([data async for data in answer.chunks()])
        yield received

    async def stuck():
        yield b"abc"
        await asyncio.Event().wait()

    client = connect(await serve(erp), connections=1)
    hanging = asyncio.create_task(call())
    await reached.wait()
    if phase == "line":
        waiting = asyncio.create_task(fetch(client, get()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    await over.wait()
    assert await fetch(client, get("/after")) == (200, b"ok")


async def test_closing_lets_calls_finish_and_refuses_new_ones(serve, connect):
    reached, release = asyncio.Event(), asyncio.Event()

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        reached.set()
        await release.wait()
        writer.write(OK)
        await reader.read()

    client = connect(await serve(erp))
    call = asyncio.create_task(fetch(client, get()))
    await reached.wait()
    closing = asyncio.create_task(client.aclose())
    await asyncio.sleep(0)
    problem = await fetch(client, get())
    assert type(problem) is Unreachable
    assert not problem.sent
    assert not closing.done()
    release.set()
    await closing
    assert await call == (200, b"ok")


async def test_closing_waits_for_an_abandoned_answer_no_longer_than_its_deadline(serve, connect):
    client = connect(await serve(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc"))
    answer = await client.send(get(), timeout=0.1)
    await client.aclose()
    with pytest.raises(UpstreamTimeout):
        await answer.read()


# --- TLS -------------------------------------------------------------------------------------------------------------


def server_tls(authority, host):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(host))
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def test_tls_speaks_only_http1_to_the_host_it_verified(serve, connect, authority):
    protocols = []

    async def erp(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        protocols.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        writer.write(OK)
        await reader.read()

    url = await serve(erp, server_tls(authority, "127.0.0.1"))
    assert await fetch(connect(url, tls=tls_context(authority.file)), post()) == (200, b"ok")
    assert protocols == ["http/1.1"]


async def test_tls_refuses_another_host(serve, connect, authority):
    url = await serve(OK, server_tls(authority, "elsewhere.test"))
    problem = await fetch(connect(url, tls=tls_context(authority.file)), post())
    assert type(problem) is Unreachable
    assert not problem.sent
    assert serve.heads == []
    assert "elsewhere" not in problem.detail


async def test_tls_refuses_an_unknown_authority(serve, connect, authority):
    problem = await fetch(connect(await serve(OK, server_tls(authority, "127.0.0.1"))), post())
    assert type(problem) is Unreachable
    assert not problem.sent
    assert serve.heads == []


async def test_tls_presents_a_client_certificate(serve, connect, authority):
    required = server_tls(authority, "127.0.0.1")
    required.load_verify_locations(authority.file)
    required.verify_mode = ssl.CERT_REQUIRED
    url = await serve(OK, required)
    certificate, key = authority.issue("gateway.test")
    assert await fetch(connect(url, tls=tls_context(authority.file, certificate, key)), post()) == (200, b"ok")
    assert type(await fetch(connect(url, tls=tls_context(authority.file)), post())) is Unreachable
    assert len(serve.heads) == 1
