"""The public port over a real socket: dispatch, refusals before dispatch, replies of every form, bodies nobody read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any, NoReturn

import orjson
import pytest

from gateway.config.gateway import EdgeLimits
from gateway.edge.app import Edge, content_length
from gateway.edge.guard import PIPELINE
from gateway.errors import Forbidden, Problem
from gateway.exchange import Exchange, Reply
from gateway.pipeline import Handler, compose
from gateway.routing import Route, Router
from gateway.stages.observe import Observe


class Quiet:
    """Telemetry that keeps what it is told."""

    def __init__(self) -> None:
        self.telemetry = self
        self.lines: list[dict[str, object]] = []

    def count(self, operation: str, version: str, status: int, seconds: float) -> None:
        assert operation

    def access(self, entry: dict[str, object]) -> None:
        self.lines.append(entry)


async def echo(exchange: Exchange) -> Reply:
    body = await exchange.request.body.read()
    return Reply(200, value={"params": dict(exchange.params), "query": exchange.request.query, "body": body.decode()})


async def refuse(exchange: Exchange) -> Reply:
    raise Forbidden("No.")


async def stream(exchange: Exchange) -> Reply:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    return Reply(200, [(b"content-type", b"text/plain")], body=parts())


async def nothing(exchange: Exchange) -> Reply:
    return Reply(204, value={"not": "sent"})


async def cancelled(exchange: Exchange) -> Reply:
    raise asyncio.CancelledError


async def site(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"site"})


def application(**limits: Any) -> tuple[Edge, Quiet]:
    runtime: Any = Quiet()
    observe = Observe().build(runtime)
    nobody: Any = None

    def route(method: str, template: str, handler: Handler) -> Route:
        return Route("r.o", "v1", method, template, compose([observe], handler), nobody, 200)

    def refused(problem: Problem) -> Handler:
        async def refusal(exchange: Exchange) -> NoReturn:
            raise problem

        return compose([observe], refusal)

    router = Router(
        [
            route("POST", "/api/v1/echo", echo),
            route("GET", "/api/v1/echo/{id}", echo),
            route("POST", "/api/v1/refuse", refuse),
            route("GET", "/api/v1/stream", stream),
            route("GET", "/api/v1/nothing", nothing),
            route("GET", "/api/v1/cancelled", cancelled),
        ]
    )
    snapshot = SimpleNamespace(router=router, limits=EdgeLimits().model_copy(update=limits), refuse=refused)
    holder: Any = SimpleNamespace(snapshot=snapshot)
    return Edge(holder, nobody), runtime


def get(target: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target


def post(target: bytes, body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n%b" % (target, len(body), lines, body)


async def test_a_call(serve: Any) -> None:
    edge, runtime = application()
    answer = await (await serve(site, edge)).exchange(get(b"/api/v1/echo/%61%20b?x=%2F"))
    assert answer.status == 200
    assert orjson.loads(answer.body) == {"params": {"id": "a b"}, "query": "x=%2F", "body": ""}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    (line,) = runtime.lines
    assert (line["path"], line["operation"], line["peer"]) == ("/api/v1/echo/a%20b", "r.o", "127.0.0.1")


async def test_behind_a_proxy_a_call_has_the_address_of_its_caller(serve: Any) -> None:
    edge, runtime = application()
    server = await serve(site, edge, proxies=(ip_network("127.0.0.0/8"),))
    wire = await server.connect()
    for said in (b"192.0.2.7", b"10.0.0.9, 198.51.100.4", b"nobody"):
        await wire.send(b"GET /api/v1/nothing HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: %b\r\n\r\n" % said)
        assert (await wire.answer()).status == 204
    await wire.send(get(b"/api/v1/nothing"))
    assert (await wire.answer()).status == 204
    assert [line["peer"] for line in runtime.lines] == ["192.0.2.7", "198.51.100.4", "", "127.0.0.1"]


async def test_nobody_else_says_whose_address_a_call_has(serve: Any) -> None:
    edge, runtime = application()
    server = await serve(site, edge, proxies=(ip_network("10.0.0.0/8"),))
    await server.exchange(b"GET /api/v1/nothing HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n")
    assert [line["peer"] for line in runtime.lines] == ["127.0.0.1"]


async def test_behind_a_proxy_the_site_has_the_address_of_its_caller(serve: Any) -> None:
    clients = []

    async def seen(scope: Any, receive: Any, send: Any) -> None:
        clients.append(scope["client"][0])
        await site(scope, receive, send)

    edge, _ = application()
    server = await serve(seen, edge, proxies=(ip_network("127.0.0.0/8"),))
    await server.exchange(b"GET /docs HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
    await server.exchange(get(b"/docs"))
    assert clients == ["192.0.2.7", "127.0.0.1"]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/", 404),
        (b"/api/v1/other", 404),
        (b"/apidocs", 404),
        (b"/api/v1/refuse", 405),
        (b"/api/v1/echo/a%2Fb", 400),
        (b"/api/v1/../v1/stream", 400),
        (b"/api/v1/stream/", 400),
        (b"//docs", 400),
        (b"/api/v1/stream?a=\xc3\xa9", 400),
        (b"*", 400),
    ],
)
async def test_refusals_before_dispatch_are_problems_with_an_id(target: bytes, status: int, serve: Any) -> None:
    edge, runtime = application()
    answer = await (await serve(site, edge)).exchange(get(target))
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    if runtime.lines:
        document = orjson.loads(answer.body)
        assert document["instance"] == f"urn:request:{answer.headers['x-request-id']}"
        assert runtime.lines[0]["operation"] == "none"


async def test_allow_is_told(serve: Any) -> None:
    edge, _ = application()
    assert (await (await serve(site, edge)).exchange(get(b"/api/v1/refuse"))).headers["allow"] == "POST"


@pytest.mark.parametrize(
    "target", [b"/docs", b"/docs/x", b"/health/live", b"/oauth/token", b"/.well-known/jwks.json", b"/openapi/v1.json"]
)
async def test_the_site(target: bytes, serve: Any) -> None:
    edge, _ = application()
    assert (await (await serve(site, edge)).exchange(get(target))).body == b"site"


async def test_a_streamed_reply(serve: Any) -> None:
    edge, _ = application()
    answer = await (await serve(site, edge)).exchange(get(b"/api/v1/stream"))
    assert (answer.body, answer.headers["transfer-encoding"]) == (b"one two", "chunked")


async def test_a_cancelled_call_ends_its_connection(serve: Any) -> None:
    edge, _ = application()
    wire = await (await serve(site, edge)).connect()
    await wire.send(get(b"/api/v1/cancelled"))
    assert await wire.closed()


async def test_api_and_site_share_a_connection(serve: Any) -> None:
    edge, _ = application()
    wire = await (await serve(site, edge)).connect()
    targets = (b"/api/v1/echo/1", b"/docs", b"/api/v1/stream", b"/api/v1/echo/2", b"/health")
    bodies = [b'{"params":{"id":"1"}', b"site", b"one two", b'{"params":{"id":"2"}', b"site"]
    for _ in range(2):
        await wire.send(b"".join(map(get, targets)))
        assert [(await wire.answer()).body.partition(b",")[0] for _ in targets] == bodies


async def test_a_204_has_no_body(serve: Any) -> None:
    edge, _ = application()
    wire = await (await serve(site, edge)).connect()
    await wire.send(get(b"/api/v1/nothing") + get(b"/docs"))
    assert (await wire.answer()).status == 204
    assert (await wire.answer()).body == b"site"


async def test_a_refused_body_is_drained_and_the_connection_kept(serve: Any) -> None:
    edge, _ = application()
    wire = await (await serve(site, edge)).connect()
    await wire.send(post(b"/api/v1/refuse", b"x" * 300_000) + get(b"/docs"))
    answer = await wire.answer()
    assert (answer.status, "connection" in answer.headers) == (403, False)
    assert (await wire.answer()).body == b"site"


async def test_a_body_too_large_is_413_and_the_answer_is_read(serve: Any) -> None:
    edge, _ = application(body=1000)
    server = await serve(site, edge)
    for request in (
        post(b"/api/v1/echo", b"x" * 1001),
        post(b"/api/v1/echo", b"x" * 900_000),
        b"POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5DC\r\n" + b"x" * 1500 + b"\r\n0\r\n\r\n",
    ):
        answer = await server.exchange(request)
        assert (answer.status, orjson.loads(answer.body)["detail"]) == (413, "A body may hold at most 1000 bytes.")


async def test_a_slow_body_is_408(serve: Any) -> None:
    edge, _ = application(body_timeout=0.05)
    wire = await (await serve(site, edge)).connect()
    await wire.send(b"POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
    answer = await wire.answer()
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert await wire.closed()


async def test_a_client_that_waits_for_100_is_refused_without_being_asked(serve: Any) -> None:
    edge, _ = application()
    server = await serve(site, edge)
    head = b"POST /api/v1/%b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    answer = await server.exchange(head % b"refuse")
    assert (answer.status, answer.headers["connection"]) == (403, "close")
    wire = await server.connect()
    await wire.send(head % b"echo")
    assert (await wire.answer()).status == 100
    await wire.send(b"ok")
    assert orjson.loads((await wire.answer()).body)["body"] == "ok"


def test_the_declared_length() -> None:
    assert content_length([]) == 0
    assert content_length([(b"host", b"a"), (b"content-length", b"12")]) == 12
    assert content_length([(b"transfer-encoding", b"chunked")]) is None


async def test_a_connection_that_says_nothing_more_is_closed(serve: Any) -> None:
    edge, _ = application()
    wire = await (await serve(site, edge, idle=0.05)).connect()
    for _ in range(3):
        await wire.send(get(b"/api/v1/echo/1"))
        assert (await wire.answer()).status == 200
    assert await wire.closed()


@pytest.mark.parametrize("framing", [b"Content-Length: 34", b"Transfer-Encoding: chunked"])
async def test_an_offered_upgrade_hides_no_second_request(framing: bytes, serve: Any) -> None:
    edge, runtime = application()
    wire = await (await serve(site, edge)).connect()
    hidden = b"GET /api/v1/stream HTTP/1.1\r\nHost: a"[:34]
    body = hidden if framing.startswith(b"Content") else b"22\r\n" + hidden + b"\r\n0\r\n\r\n"
    head = b"POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    await wire.send(head + b"HTTP2-Settings: AAMAAABk\r\n" + framing + b"\r\n\r\n")
    await wire.send(body + get(b"/api/v1/echo/7"))
    assert orjson.loads((await wire.answer()).body)["body"] == hidden.decode()
    assert orjson.loads((await wire.answer()).body)["params"] == {"id": "7"}
    assert len(runtime.lines) == 2


async def test_an_offered_upgrade_in_one_piece_loses_nothing_behind_it(serve: Any) -> None:
    edge, _ = application()
    wire = await (await serve(site, edge)).connect()
    offer = b"GET /api/v1/echo/1 HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    await wire.send(offer + post(b"/api/v1/echo", b"two", b"Connection: upgrade", b"Upgrade: foo") + get(b"/docs"))
    assert orjson.loads((await wire.answer()).body)["params"] == {"id": "1"}
    assert orjson.loads((await wire.answer()).body)["body"] == "two"
    assert (await wire.answer()).body == b"site"


async def test_a_tunnel_is_refused(serve: Any) -> None:
    edge, runtime = application()
    answer = await (await serve(site, edge)).exchange(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert runtime.lines == []


async def test_a_connection_may_not_queue_requests_without_end(serve: Any) -> None:
    edge, _ = application()
    wire = await (await serve(site, edge)).connect()
    await wire.send(get(b"/api/v1/echo/1") * 500)
    statuses = []
    while not statuses or statuses[-1] == 200:
        statuses.append((await wire.answer()).status)
    assert statuses[-1] == 503
    assert PIPELINE <= len(statuses) - 1 < 500
    assert await wire.closed()


async def test_a_client_that_stops_talking_is_still_answered(serve: Any) -> None:
    edge, _ = application()
    wire = await (await serve(site, edge)).connect()
    await wire.send(get(b"/api/v1/echo/1") + get(b"/api/v1/echo/2"))
    wire.writer.write_eof()
    assert [orjson.loads((await wire.answer()).body)["params"]["id"] for _ in range(2)] == ["1", "2"]
    assert await wire.closed()


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://a/api/v1/echo/1?x=1", 200),
        (b"HTTP://a/docs", 200),
        (b"http://a", 404),
        (b"http://[/api/v1/echo/1", 400),
        (b"http://[::1]:80/api/v1/echo/1", 200),
        (b"http://a\\b/api/v1/echo/1", 400),
        (b"ftp://a/api/v1/echo/1", 400),
        (b"*", 400),
    ],
)
async def test_absolute_targets(target: bytes, status: int, serve: Any) -> None:
    edge, _ = application()
    assert (await (await serve(site, edge)).exchange(get(target))).status == status


async def test_the_only_transfer_coding_is_chunked(serve: Any) -> None:
    edge, _ = application()
    request = b"POST /api/v1/echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
    assert (await (await serve(site, edge)).exchange(request)).status == 400


async def test_a_client_that_sends_all_before_it_reads_hears_why_not(serve: Any) -> None:
    edge, _ = application(body=1000)
    answer = await (await serve(site, edge)).exchange(post(b"/api/v1/echo", b"x" * 8_000_000))
    assert (answer.status, answer.headers["connection"]) == (413, "close")
