"""The guard over real sockets: every refusal is a problem that ends the connection, and honest clients notice nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the path and the body."""
    body = scope["raw_path"] + b" "
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def test_an_honest_client_keeps_its_connection(serve: Any) -> None:
    wire = await (await serve(hello, header_timeout=5)).connect()
    for path in (b"/a", b"/b", b"/c"):
        await wire.send(b"GET %b HTTP/1.1\r\nHost: a:80\r\n\r\n" % path)
        answer = await wire.answer()
        assert (answer.status, answer.body) == (200, path + b" ")
        assert "connection" not in answer.headers


async def test_pipelined_requests_are_answered_in_order(serve: Any) -> None:
    wire = await (await serve(hello)).connect()
    await wire.send(b"".join(b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n%d" % (n, n) for n in range(9)))
    assert [(await wire.answer()).body for _ in range(9)] == [b"/%d %d" % (n, n) for n in range(9)]


async def test_a_body_is_not_counted_as_head(serve: Any) -> None:
    server = await serve(hello, header_bytes=1024)
    answer = await server.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
    assert len(answer.body) == 100_002
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n"
    assert len((await server.exchange(chunked)).body) == 5002


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(HEAD + b"A: b\r\n" * 20 + b"\r\n", id="too many headers"),
        pytest.param(HEAD + b"A: " + b"b" * 2000 + b"\r\n\r\n", id="a large header"),
        pytest.param(HEAD + b"A: " + b"b" * 200_000, id="a header without an end"),
        pytest.param(b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", id="a giant URL"),
        pytest.param(b"GET /" + b"a" * 500_000, id="a URL without an end"),
        pytest.param(HEAD + b"A" * 500_000, id="a header name without an end"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: " + b"t" * 5000, id="a trailer"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"e" * 5000, id="a chunk extension"),
    ],
)
async def test_a_head_beyond_its_limits_is_431(serve: Any, head: bytes) -> None:
    wire = await (await serve(hello, header_bytes=1024, header_count=10)).connect()
    await wire.send(head)
    answer = await wire.answer()
    assert (answer.status, answer.problem()) == (431, "headers-too-large")
    wire.writer.close()
    assert await wire.closed()


async def test_a_large_head_one_byte_at_a_time(serve: Any) -> None:
    wire = await (await serve(hello, header_bytes=1024)).connect()
    reading = asyncio.create_task(wire.answer())
    for byte in HEAD + b"A: " + b"b" * 1100:
        await wire.send(bytes([byte]))
        await asyncio.sleep(0)
    assert (await reading).problem() == "headers-too-large"


async def test_the_second_head_of_a_connection_has_the_same_limits(serve: Any) -> None:
    wire = await (await serve(hello, header_bytes=1024)).connect()
    await wire.send(HEAD + b"\r\n")
    assert (await wire.answer()).status == 200
    await wire.send(HEAD + b"A: " + b"b" * 3000)
    assert (await wire.answer()).problem() == "headers-too-large"


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no Host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", id="two Hosts"),
        pytest.param(b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", id="two Hosts in 1.0"),
        pytest.param(b"GET / HTTP/1.1\r\nHost:\r\n\r\n", id="an empty Host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", id="a Host with a path"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", id="a Host list"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="a TLS hello"),
        pytest.param(b"hello\r\n\r\n", id="garbage"),
        pytest.param(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", id="HTTP/2.0"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="HTTP/2 preface"),
        pytest.param(b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", id="HTTP/3.0"),
        pytest.param(b"GET /\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", id="a blank before the colon"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", id="a folded line"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nA: b\x00c\r\n\r\n", id="a NUL"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n", id="a bare line feed"),
        pytest.param(POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="CL and TE"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", id="TE and CL"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", id="two lengths"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", id="a signed length"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", id="an endless length"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", id="an unknown coding"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", id="a broken chunk"),
        pytest.param(b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", id="CONNECT"),
        pytest.param(b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", id="an authority as target"),
    ],
)
async def test_what_is_not_one_clear_request_is_400(serve: Any, request_bytes: bytes) -> None:
    wire = await (await serve(hello)).connect()
    await wire.send(request_bytes)
    answer = await wire.answer()
    assert (answer.status, answer.problem()) == (400, "bad-request")
    wire.writer.write_eof()
    assert await wire.closed()


async def test_http_1_0_may_do_without_host(serve: Any) -> None:
    wire = await (await serve(hello)).connect()
    await wire.send(b"GET /old HTTP/1.0\r\n\r\n")
    answer = await wire.answer()
    assert (answer.status, answer.body) == (200, b"/old ")
    assert await wire.closed()


async def test_an_absolute_target_is_its_path(serve: Any) -> None:
    answer = await (await serve(hello)).exchange(b"GET http://elsewhere/x?y HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (answer.status, answer.body) == (200, b"/x ")


async def test_an_upgrade_is_not_taken_up(serve: Any) -> None:
    wire = await (await serve(hello)).connect()
    await wire.send(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    answer = await wire.answer()
    assert (answer.status, answer.body) == (200, b"/x ")
    await wire.send(b"\x81\x05hello")
    assert (await wire.answer()).problem() == "bad-request"


async def test_nothing_after_connection_close_is_served(serve: Any) -> None:
    wire = await (await serve(hello)).connect()
    await wire.send(HEAD + b"Connection: close\r\n\r\n" + HEAD + b"\r\n")
    assert (await wire.answer()).headers["connection"] == "close"
    assert await wire.closed()


async def test_expect_100_continue(serve: Any) -> None:
    wire = await (await serve(hello)).connect()
    await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert (await wire.answer()).status == 100
    await wire.send(b"ok")
    assert (await wire.answer()).body == b"/ ok"


async def test_trailers_do_not_become_headers(serve: Any) -> None:
    seen: list[bytes] = []

    async def names(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        seen.extend(name for name, _ in scope["headers"])

    answer = await (await serve(names)).exchange(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nAuthorization: b\r\nHost: b\r\n\r\n"
    )
    assert answer.body == b"/ x"
    assert seen == [b"host", b"transfer-encoding"]


async def test_a_slow_head_is_408(serve: Any) -> None:
    wire = await (await serve(hello, header_timeout=0.05)).connect()
    await wire.send(HEAD)
    answer = await wire.answer()
    assert (answer.status, answer.problem()) == (408, "request-timeout")
    assert await wire.closed()


async def test_a_slow_second_head_is_408(serve: Any) -> None:
    wire = await (await serve(hello, header_timeout=0.1)).connect()
    await wire.send(HEAD + b"\r\n" + b"GET /")
    assert (await wire.answer()).status == 200
    assert (await wire.answer()).problem() == "request-timeout"


async def test_a_connection_that_says_nothing_is_closed(serve: Any) -> None:
    wire = await (await serve(hello, header_timeout=0.05)).connect()
    assert await wire.closed()


async def test_connections_are_capped(serve: Any) -> None:
    server = await serve(hello, connections=2)
    first, second = await server.connect(), await server.connect()
    for wire in (first, second):
        await wire.send(HEAD + b"\r\n")
        assert (await wire.answer()).status == 200
    third, fourth = await server.connect(), await server.connect()
    for wire in (third, fourth):
        answer = await wire.answer()
        assert (answer.status, answer.problem()) == (503, "overloaded")
    assert await (await server.connect()).closed()
    await first.send(HEAD + b"\r\n")
    assert (await first.answer()).status == 200


class Held:
    """An application that answers when told to."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.go = asyncio.Event()
        self.messages: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.entered.set()
        if scope["method"] == "POST":
            while (message := await receive()).get("more_body"):
                self.messages.append(message["type"])
            self.messages.append(message["type"])
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


async def test_garbage_behind_a_call_in_flight_waits_for_its_answer(serve: Any) -> None:
    app = Held()
    wire = await (await serve(app)).connect()
    await wire.send(HEAD + b"\r\n" + HEAD + b"\r\n" + b"garbage\r\n\r\n")
    await app.entered.wait()
    app.go.set()
    assert [(await wire.answer()).body for _ in range(2)] == [b"ok", b"ok"]
    assert (await wire.answer()).problem() == "bad-request"


async def test_half_a_head_does_not_break_a_slow_call_before_it(serve: Any) -> None:
    app = Held()
    wire = await (await serve(app, header_timeout=0.02)).connect()
    await wire.send(HEAD + b"\r\n" + b"GET /")
    await app.entered.wait()
    asyncio.get_running_loop().call_later(0.1, app.go.set)
    assert (await wire.answer()).body == b"ok"
    assert (await wire.answer()).problem() == "request-timeout"


async def test_a_call_whose_own_body_breaks_hears_a_disconnect(serve: Any) -> None:
    app = Held()
    app.go.set()
    wire = await (await serve(app)).connect()
    await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
    await app.entered.wait()
    await wire.send(b"zz\r\n\r\n")
    assert (await wire.answer()).problem() == "bad-request"
    assert app.messages[-1] == "http.disconnect"


async def test_a_queued_call_whose_body_breaks_ends_the_connection(serve: Any) -> None:
    app = Held()
    wire = await (await serve(app)).connect()
    await wire.send(HEAD + b"\r\n" + b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert await wire.closed()
    app.go.set()


async def test_a_body_nobody_wants_does_not_hold_the_connection(serve: Any) -> None:
    async def early(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    wire = await (await serve(early)).connect()
    await wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx")
    assert (await wire.answer()).status == 200
    assert await wire.closed()


async def flood(wire: Any) -> str:
    try:
        while True:
            wire.writer.write(b"x" * 100_000)
            await wire.writer.drain()
    except ConnectionError:
        return "cut"


async def test_a_flood_behind_a_refusal_is_cut(serve: Any) -> None:
    wire = await (await serve(hello)).connect()
    await wire.send(b"garbage\r\n\r\n")
    assert (await wire.answer()).problem() == "bad-request"
    assert await flood(wire) == "cut"


async def test_who_does_not_read_is_cut_off(serve: Any) -> None:
    ended = asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        gone = asyncio.create_task(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            await asyncio.sleep(0)
        assert gone.result() == {"type": "http.disconnect"}
        ended.set()

    wire = await (await serve(endless, write_timeout=0.05)).connect()
    await wire.send(HEAD + b"\r\n")
    await asyncio.wait_for(ended.wait(), 20)
    assert ended.is_set()


async def test_who_reads_slowly_is_served(serve: Any) -> None:
    async def large(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"30000000")]})
        for more in (True, True, False):
            await send({"type": "http.response.body", "body": b"x" * 10_000_000, "more_body": more})

    answer = await (await serve(large, write_timeout=10)).exchange(HEAD + b"\r\n")
    assert len(answer.body) == 30_000_000
