"""The token endpoint over real HTTP: a uvicorn server and an httpx client."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.config.identity import Builtin
from gateway.edge import oauth
from gateway.edge.oauth import CHECKS_WAITING, CLIENT_FAILURES, MAX_BODY, PEER_FAILURES, SecretChecks, Throttle, oauth_routes
from gateway.errors import Problem, TooManyRequests
from gateway.identity.issuer import TokenIssuer
from gateway.identity.satellites import Satellite, Satellites
from gateway.identity.signing import SigningKeys, generate_key, parse_key
from gateway.ports import Limit, Quote

CONFIG = Builtin.model_validate({"issuer": "https://erp.example.com", "key_file": "k"})
KEYS = SigningKeys(parse_key(generate_key()))
FORM = {"grant_type": "client_credentials"}
GOOD = ("oa", "demo-oa")


class Clock:
    def __init__(self) -> None:
        self.skipped = 0.0

    def now(self) -> float:
        return time.time() + self.skipped

    def monotonic(self) -> float:
        return time.monotonic() + self.skipped


class Counters:
    """Counts calls for each limit and partition; time is when ``reset`` says."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}

    async def take(self, limits: Sequence[tuple[Limit, str]]) -> list[Quote]:
        return self.take_now(limits)

    def take_now(self, limits: Sequence[tuple[Limit, str]]) -> list[Quote]:
        used = [self.counts.get((limit.name, partition), 0) for limit, partition in limits]
        fits = [count < limit.burst for count, (limit, _) in zip(used, limits, strict=True)]
        if all(fits):
            for limit, partition in limits:
                self.counts[limit.name, partition] = self.counts.get((limit.name, partition), 0) + 1
        return [Quote(limit, fit, 0, 0.0, 0.0 if fit else 5.5) for fit, (limit, _) in zip(fits, limits, strict=True)]

    async def aclose(self) -> None:
        self.counts.clear()


class World:
    """A server over an issuer that a test may swap."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.issuer: TokenIssuer | None = self.made(Satellite("oa", "Office", "demo", demo_secret=True))
        routes = oauth_routes(lambda: self.issuer, SecretChecks(self.counters, self.clock))
        self.app = Starlette(routes=routes, exception_handlers={Problem: render})

    def made(self, *satellites: Satellite) -> TokenIssuer:
        return TokenIssuer(CONFIG, KEYS, Satellites(satellites), self.clock)


async def render(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return JSONResponse(problem.document(), problem.status, problem.headers)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    server = uvicorn.Server(uvicorn.Config(world.app, port=0, log_config=None, lifespan="off"))
    started = asyncio.Event()
    startup = server.startup

    async def told(*given: Any, **named: Any) -> None:
        await startup(*given, **named)
        started.set()

    server.startup = told  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve())
    await started.wait()
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
        yield client
    server.should_exit = True
    await serving


@pytest.fixture(autouse=True)
def cheap_secrets(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Checks are counted and need no work; demo secrets still have to be right."""
    checked: list[str] = []
    monkeypatch.setattr("gateway.identity.hashes.ScryptHash.matches", lambda self, secret: checked.append(secret) or False)
    return checked


async def test_a_token_with_either_way_of_authentication(client: httpx.AsyncClient) -> None:
    for answer in (
        await client.post("/oauth/token", data=FORM, auth=GOOD),
        await client.post("/oauth/token", data=FORM | {"client_id": "oa", "client_secret": "demo-oa"}),
    ):
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["token_type"] == "Bearer"
        assert answer.json()["access_token"].count(".") == 2


async def test_the_documents_are_served(client: httpx.AsyncClient) -> None:
    keys = await client.get("/.well-known/jwks.json")
    assert keys.json() == {"keys": [KEYS.current.as_dict(private=False)]}
    assert keys.headers["cache-control"] == "public, max-age=300"
    metadata = await client.get("/.well-known/oauth-authorization-server")
    assert metadata.json()["token_endpoint"] == "https://erp.example.com/oauth/token"


async def test_a_wrong_secret_is_401_with_a_challenge(client: httpx.AsyncClient) -> None:
    answer = await client.post("/oauth/token", data=FORM, auth=("oa", "wrong"))
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.headers["www-authenticate"].startswith('Basic realm="')
    assert answer.headers["cache-control"] == "no-store"


async def test_a_reload_swaps_the_satellites_under_the_running_server(world: World, client: httpx.AsyncClient) -> None:
    assert (await client.post("/oauth/token", data=FORM, auth=GOOD)).status_code == 200
    world.issuer = world.made(Satellite("crm", "CRM", "demo", demo_secret=True))
    assert (await client.post("/oauth/token", data=FORM, auth=GOOD)).status_code == 401
    assert (await client.post("/oauth/token", data=FORM, auth=("crm", "demo-crm"))).status_code == 200
    world.issuer = None
    for answer in (
        await client.post("/oauth/token", data=FORM, auth=GOOD),
        await client.get("/.well-known/jwks.json"),
        await client.get("/.well-known/oauth-authorization-server"),
    ):
        assert answer.status_code == 404


URLENCODED = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"grant_type",
        b"grant_type=client_credentials&grant_type=client_credentials",
        b"grant_type=client_credentials&client_id=&client_id=",
        b"grant_type=client_credentials&x=%ff",
        b"grant_type=\xff",
        b"grant_type=",
        b"&".join(b"a%d=1" % n for n in range(50)),
    ],
)
async def test_bodies_that_are_no_proper_form(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/oauth/token", content=body, headers=URLENCODED, auth=GOOD)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_two_authorization_headers_are_refused(client: httpx.AsyncClient) -> None:
    headers = [("authorization", "Basic b2E6ZGVtby1vYQ=="), ("authorization", "Basic b2E6ZGVtby1vYQ=="), *URLENCODED.items()]
    answer = await client.post("/oauth/token", content=b"grant_type=client_credentials", headers=headers)
    assert answer.json()["error_description"] == "more than one Authorization header"


async def test_only_forms_are_accepted(client: httpx.AsyncClient) -> None:
    for answer in (
        await client.post("/oauth/token", json=FORM, auth=GOOD),
        await client.post("/oauth/token", data=FORM, files={"x": b"y"}, auth=GOOD),
        await client.post("/oauth/token", content=b"grant_type=client_credentials", auth=GOOD),
    ):
        assert answer.status_code == 415
    assert (await client.get("/oauth/token")).status_code == 405


async def test_a_large_body_is_refused(client: httpx.AsyncClient, cheap_secrets: list[str]) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"a" * 1024

    large = FORM | {"x": "a" * MAX_BODY}
    assert (await client.post("/oauth/token", data=large, auth=GOOD)).status_code == 413
    assert (await client.post("/oauth/token", content=endless(), headers=URLENCODED, auth=GOOD)).status_code == 413
    assert cheap_secrets == []


async def test_a_body_that_never_ends_is_given_up(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "BODY_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
    media_type = b"content-type: application/x-www-form-urlencoded\r\n"
    writer.write(b"POST /oauth/token HTTP/1.1\r\nhost: x\r\n" + media_type + b"content-length: 99\r\n\r\na=")
    assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.close()
    await writer.wait_closed()


# --- throttling ------------------------------------------------------------------------------------------------------


async def test_failures_are_throttled_and_then_not_even_checked(
    world: World, client: httpx.AsyncClient, cheap_secrets: list[str]
) -> None:
    for _ in range(CLIENT_FAILURES.burst):
        assert (await client.post("/oauth/token", data=FORM, auth=("oa", "wrong"))).status_code == 401
    answer = await client.post("/oauth/token", data=FORM, auth=("oa", "wrong"))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "6")
    checked = len(cheap_secrets)
    # Guessing right while over the limit is worth nothing.
    assert (await client.post("/oauth/token", data=FORM, auth=GOOD)).status_code == 429
    assert len(cheap_secrets) == checked
    # Another client at the same peer is not affected, and the wait ends.
    assert (await client.post("/oauth/token", data=FORM, auth=("crm", "wrong"))).status_code == 401
    world.clock.skipped = 6.0
    assert (await client.post("/oauth/token", data=FORM, auth=GOOD)).status_code == 200


async def test_a_peer_that_tries_many_names_is_throttled(client: httpx.AsyncClient) -> None:
    statuses = [
        (await client.post("/oauth/token", data=FORM, auth=(f"s{n}", "x"))).status_code for n in range(PEER_FAILURES.burst + 2)
    ]
    assert statuses == [401] * PEER_FAILURES.burst + [429, 429]


async def test_names_that_cannot_be_clients_share_one_count(world: World, client: httpx.AsyncClient) -> None:
    for n in range(3):
        await client.post("/oauth/token", data=FORM, auth=("é" * n, "x"))
    assert world.counters.counts == {("token-client", "? 127.0.0.1"): 3, ("token-peer", "127.0.0.1"): 3}


async def test_successes_and_unreadable_requests_are_not_counted(world: World, client: httpx.AsyncClient) -> None:
    for _ in range(CLIENT_FAILURES.burst + 5):
        assert (await client.post("/oauth/token", data=FORM, auth=GOOD)).status_code == 200
    await client.post("/oauth/token", data={"grant_type": "password"}, auth=GOOD)
    await client.post("/oauth/token", data=FORM)
    assert world.counters.counts == {}


async def test_a_rush_of_requests_waits_in_a_short_queue(
    world: World, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, running = asyncio.Event(), [0, 0]
    real = TokenIssuer.respond

    async def slow(issuer: TokenIssuer, request: Any) -> Any:
        running[0] += 1
        running[1] = max(running)
        await gate.wait()
        running[0] -= 1
        return await real(issuer, request)

    monkeypatch.setattr(TokenIssuer, "respond", slow)
    limits = httpx.Limits(max_connections=CHECKS_WAITING + 10)
    async with httpx.AsyncClient(base_url=client.base_url, limits=limits, timeout=30, trust_env=False) as many:
        rush = [asyncio.create_task(many.post("/oauth/token", data=FORM, auth=GOOD)) for _ in range(CHECKS_WAITING + 5)]
        refused, waiting = set(), set(rush)
        while len(refused) < 5:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            refused |= done
        assert {task.result().status_code for task in refused} == {503}
        assert {task.result().headers["retry-after"] for task in refused} == {"1"}
        gate.set()
        answers = await asyncio.gather(*waiting)
    assert {answer.status_code for answer in answers} == {200}
    assert running[1] == oauth.CHECKS_AT_ONCE


async def test_the_throttle_remembers_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "MAX_BLOCKED", 3)
    clock, once = Clock(), Limit("token-client", 1, 60.0, 1)
    throttle = Throttle(Counters(), clock)

    async def block(name: str) -> None:
        await throttle.failed([(once, name)])
        with pytest.raises(TooManyRequests):
            await throttle.failed([(once, name)])

    for name in "abcd":
        await block(name)
    with pytest.raises(TooManyRequests):
        throttle.check([(once, "a")])
    throttle.check([(once, "d")])
    clock.skipped = 10.0
    await block("e")
    assert list(throttle._blocked) == [("token-client", "e")]


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("testclient", "testclient"),
        ("", "?"),
    ],
)
def test_peers_are_counted_by_network(peer: str, network: str) -> None:
    assert oauth.network_of(peer) == network


async def test_the_secret_and_the_token_leave_no_trace_in_errors(client: httpx.AsyncClient) -> None:
    answer = await client.post("/oauth/token", data=FORM | {"scope": "s3cret"}, auth=GOOD)
    assert answer.status_code == 400
    assert "s3cret" not in json.dumps(answer.json())
