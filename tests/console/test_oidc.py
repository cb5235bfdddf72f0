"""Sign-in at an OpenID provider: what a lying provider cannot do, and the whole way with a real one (npm's ``oidc-provider``)."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy import select

from gateway.config.console import SignIn
from gateway.console.oidc import Flow, Provider, read_discovery
from gateway.documents.tables import sessions
from gateway.documents.transaction import Transaction
from gateway.identity.jwks import FetchError, KeyStore
from gateway.identity.jws import Rejected
from gateway.people import Person
from tests.console.world import Browser, World, world
from tests.documents.support import HandClock
from tests.support import ROOT, copy_deployment, free_port

ISSUER = "https://login.example.com"
BACK = "https://console.example.com/sign-in/callback"
KEY = RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"})
CONFIG = SignIn.model_validate(
    {"issuer": ISSUER, "client_id": "console", "client_secret": "s:e&c+r%t", "tenant": "demo", "algorithms": ["RS256"]}
)
DISCOVERY = {
    "issuer": ISSUER,
    "authorization_endpoint": ISSUER + "/auth",
    "token_endpoint": ISSUER + "/token",
    "jwks_uri": ISSUER + "/keys",
    "end_session_endpoint": ISSUER + "/end",
    "authorization_response_iss_parameter_supported": True,
    "code_challenge_methods_supported": ["S256"],
}


class Pretender:
    """A provider that answers what a test wants. ``posted`` is what came to its token endpoint."""

    def __init__(self, answer: Any = None, discovery: Mapping[str, Any] = DISCOVERY, status: int = 200) -> None:
        self.answer = answer
        self.discovery = discovery
        self.status = status
        self.fetched: list[str] = []
        self.posted: list[tuple[str, Mapping[str, str], dict[str, list[str]]]] = []

    async def __call__(self, place: str) -> bytes:
        self.fetched.append(place)
        return json.dumps({"keys": [KEY.as_dict(private=False)]} if place.endswith("/keys") else self.discovery).encode()

    async def post(self, url: str, headers: Mapping[str, str], form: bytes) -> tuple[int, bytes]:
        self.posted.append((url, headers, parse_qs(form.decode())))
        return self.status, self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()


def provider(pretender: Pretender, clock: HandClock, **changes: Any) -> Provider:
    config = CONFIG.model_copy(update=changes)
    return Provider(config, pretender, KeyStore(pretender, clock).key, clock)


def token(flow: Flow, clock: HandClock, key: Any = KEY, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    now = int(clock.now())
    claims: dict[str, Any] = {"iss": ISSUER, "sub": "u-1", "aud": "console", "exp": now + 300, "iat": now, "nonce": flow.nonce}
    claims |= {"auth_time": now - 10, "name": "Approver A", "roles": ["finance-approver"], **changes}
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "k1", **(header or {})}, given, key, algorithms=["RS256", "HS256"])


def answer(flow: Flow, **changes: str) -> dict[str, str]:
    return {"state": flow.state, "code": "c-1", "iss": ISSUER, **changes}


async def test_a_person_comes_back() -> None:
    clock = HandClock()
    flow = Flow.begin("/inbox", clock.now(), 300)
    pretender = Pretender({"id_token": token(flow, clock), "access_token": "a"})
    came = await provider(pretender, clock).finish(flow, answer(flow), BACK)
    assert came.person == Person("u-1", "Approver A", "demo", ("finance-approver",), "oidc")
    assert came.authenticated_at == clock.now() - 10
    url, headers, form = pretender.posted[0]
    assert url == ISSUER + "/token"
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"console:s%3Ae%26c%2Br%25t"
    assert form == {
        "grant_type": ["authorization_code"],
        "code": ["c-1"],
        "redirect_uri": [BACK],
        "code_verifier": [flow.verifier],
    }


async def test_the_question_is_bound_to_this_browser() -> None:
    clock = HandClock()
    flow = Flow.begin("/inbox", clock.now(), 300)
    asked = parse_qs(urlsplit(await provider(Pretender(), clock).ask(flow, BACK, "zh-CN")).query)
    assert asked["state"] == [flow.state]
    assert asked["nonce"] == [flow.nonce]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [BACK]
    assert asked["scope"] == ["openid profile"]
    assert asked["max_age"] == ["300"]
    assert asked["ui_locales"] == ["zh-CN"]
    assert flow.verifier not in str(asked)
    once = parse_qs(urlsplit(await provider(Pretender(), clock).ask(replace(flow, fresh=None), BACK, "en")).query)
    assert "max_age" not in once


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example.com"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": ["console", "another"]},
        {"aud": ["console", "another"], "azp": "another"},
        {"azp": "another"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "later"},
        {"iat": None},
        {"iat": 9_999_999_999},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "*"},
        {"sub": "a\u202eb"},
        {"sub": 7},
        {"auth_time": None},
        {"auth_time": "now"},
        {"auth_time": True},
        {"auth_time": 1},
        {"auth_time": 9_999_999_999},
        {"roles": {"a": "b"}},
        {"roles": [7]},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_this_sign_in_is_refused(changes: dict[str, Any]) -> None:
    clock = HandClock()
    flow = Flow.begin("/inbox", clock.now(), 300)
    pretender = Pretender({"id_token": token(flow, clock, **changes)})
    with pytest.raises(Rejected):
        await provider(pretender, clock).finish(flow, answer(flow), BACK)


async def test_a_token_must_be_signed_by_the_provider_with_an_expected_algorithm() -> None:
    clock = HandClock()
    flow = Flow.begin("/inbox", clock.now(), None)
    public = json.dumps(KEY.as_dict(private=False)).encode()
    unsigned = ".".join([base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("="), token(flow, clock).split(".")[1], ""])
    forged = [
        token(flow, clock, OTHER_KEY),
        token(flow, clock, OctKey.import_key(public), {"alg": "HS256"}),
        token(flow, clock, header={"kid": "k2"}),
        token(flow, clock)[:-4] + "AAAA",
        unsigned,
        "",
        "a.b",
    ]
    for one in forged:
        with pytest.raises(Rejected):
            await provider(Pretender({"id_token": one}), clock).finish(flow, answer(flow), BACK)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b"{}", b'{"id_token": 7}', b'{"id_token":"x","id_token":"y"}', b"[" * 100_000]
)
async def test_an_answer_that_is_none_is_refused(body: bytes) -> None:
    clock = HandClock()
    flow = Flow.begin("/inbox", clock.now(), None)
    with pytest.raises(Rejected):
        await provider(Pretender(body), clock).finish(flow, answer(flow), BACK)


async def test_a_refusal_of_the_token_endpoint_is_one() -> None:
    clock = HandClock()
    flow = Flow.begin("/inbox", clock.now(), None)
    with pytest.raises(Rejected, match="token endpoint refused"):
        await provider(Pretender({"error": "invalid_grant"}, status=400), clock).finish(flow, answer(flow), BACK)
    with pytest.raises(Rejected, match="token endpoint refused"):
        await provider(Pretender(b"<html>gone</html>", status=502), clock).finish(flow, answer(flow), BACK)


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({"state": "another"}, ()),
        ({"state": "ü\ud800"}, ()),
        ({}, ("state",)),
        ({"iss": "https://evil.example.com"}, ()),
        ({}, ("iss",)),
        ({"error": "access_denied"}, ()),
        ({}, ("code",)),
    ],
    ids=str,
)
async def test_what_comes_back_must_be_the_answer(changes: dict[str, str], gone: tuple[str, ...]) -> None:
    clock = HandClock()
    flow = Flow.begin("/inbox", clock.now(), None)
    pretender = Pretender({"id_token": token(flow, clock)})
    came = {name: value for name, value in answer(flow, **changes).items() if name not in gone}
    with pytest.raises(Rejected):
        await provider(pretender, clock).finish(flow, came, BACK)
    assert pretender.posted == []


async def test_an_answer_that_took_too_long_is_refused() -> None:
    clock = HandClock()
    flow = Flow.begin("/inbox", clock.now(), None)
    clock.time += 601
    with pytest.raises(Rejected, match="took too long"):
        await provider(Pretender({"id_token": token(flow, clock)}), clock).finish(flow, answer(flow), BACK)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": ISSUER + "/"},
        {"issuer": None},
        {"token_endpoint": "http://login.example.com/token"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"end_session_endpoint": "//evil.example.com"},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": "S256"},
        {"token_endpoint_auth_methods_supported": 7},
    ],
    ids=str,
)
def test_a_discovery_document_must_be_the_issuers(changes: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        read_discovery(json.dumps(DISCOVERY | changes).encode(), ISSUER)


async def test_the_discovery_document_is_fetched_when_needed_and_kept_for_an_hour() -> None:
    clock, pretender = HandClock(), Pretender()
    asked = provider(pretender, clock)
    assert pretender.fetched == []
    for _ in range(3):
        await asked.endpoints()
    assert pretender.fetched == [ISSUER + "/.well-known/openid-configuration"]
    clock.time += 3600
    await asked.endpoints()
    assert len(pretender.fetched) == 2


async def test_the_secret_goes_where_the_provider_takes_it() -> None:
    clock = HandClock()
    flow = Flow.begin("/inbox", clock.now(), None)
    pretender = Pretender(
        {"id_token": token(flow, clock)}, {**DISCOVERY, "token_endpoint_auth_methods_supported": ["client_secret_post"]}
    )
    await provider(pretender, clock).finish(flow, answer(flow), BACK)
    assert pretender.posted[0][2]["client_secret"] == ["s:e&c+r%t"]
    await provider(pretender, clock, client_secret=None).finish(flow, answer(flow), BACK)
    assert pretender.posted[1][2]["client_id"] == ["console"]
    assert "client_secret" not in pretender.posted[1][2]


async def test_names_and_roles_come_from_the_claims_the_deployment_names() -> None:
    clock = HandClock()
    flow = Flow.begin("/inbox", clock.now(), None)
    claims: dict[str, Any] = {"upn": "a", "display": "A \u202e B", "co": "demo", "realm": {"roles": "x y"}, "auth_time": None}
    changes: dict[str, Any] = {
        "subject_claim": "upn",
        "subject_prefix": "p-",
        "name_claim": "display",
        "tenant": None,
        "tenant_claim": "co",
    }
    asked = provider(Pretender({"id_token": token(flow, clock, **claims)}), clock, roles_claim="/realm/roles", **changes)
    came = await asked.finish(flow, answer(flow), BACK)
    assert came.person == Person("p-a", "p-a", "demo", ("x", "y"))
    assert came.authenticated_at == 0


async def test_signing_out_at_the_provider() -> None:
    clock = HandClock()
    url = await provider(Pretender(), clock).sign_out("x.y.z", "https://console.example.com/sign-in")
    assert url is not None
    assert parse_qs(urlsplit(url).query) == {
        "client_id": ["console"],
        "id_token_hint": ["x.y.z"],
        "post_logout_redirect_uri": ["https://console.example.com/sign-in"],
    }
    without = {name: value for name, value in DISCOVERY.items() if name != "end_session_endpoint"}
    assert await provider(Pretender(discovery=without), clock).sign_out(None, "https://console.example.com") is None


# --- with a real provider ----------------------------------------------------------------------------------------------------


class RealProvider:
    """npm's oidc-provider as a child process."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.issuer = f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def real() -> Iterator[RealProvider]:
    if shutil.which("npm") is None or shutil.which("node") is None:
        if os.environ.get("CI"):
            pytest.fail("node and npm are not installed")
        pytest.skip("node and npm are not installed")
    here, folder = ROOT / "tests/console/oidc", ROOT / "build/oidc"
    folder.mkdir(parents=True, exist_ok=True)
    lock = (here / "package-lock.json").read_text()
    kept = folder / "package-lock.json"
    if not (folder / "node_modules").exists() or kept.read_text() != lock:
        shutil.copy(here / "package.json", folder)
        kept.write_text(lock)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, check=True, capture_output=True)
    shutil.copy(here / "server.mjs", folder)
    port = free_port()
    command = ["node", "server.mjs", str(port), "http://127.0.0.1:8081/sign-in/callback", "http://127.0.0.1:8081/sign-in"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield RealProvider(process, port)
    process.terminate()
    process.wait()
    process.stdout.close()


@pytest.fixture
async def company(real: RealProvider, tmp_path: Path) -> AsyncIterator[World]:
    """A console whose people sign in at the real provider. Its clock stands at the real time."""
    config = copy_deployment(tmp_path)
    sign_in = f"""console:
  sign_in:
    issuer: {real.issuer}
    client_id: console
    client_secret: 'a secret: with signs % & +'
    subject_claim: username
    tenant_claim: company
  #"""
    config.write_text(config.read_text().replace("console: #", sign_in))
    async with world(config, tmp_path) as opened:
        opened.clock.time = time.time()
        yield opened


async def at_provider(url: str, who: str, client: httpx.AsyncClient) -> str:
    """Sign in there as ``who``; returns where the browser is sent in the end."""
    for _ in range(12):
        response = await client.get(url)
        if response.status_code == 200:
            url = f"{url}?who={who}"
            continue
        url = str(response.url.join(response.headers["location"]))
        if url.startswith("http://127.0.0.1:8081/"):
            return url.removeprefix("http://127.0.0.1:8081")
    raise AssertionError(f"never came back: {response.text}")


async def sign_in(browser: Browser, start: str, who: str, client: httpx.AsyncClient) -> httpx.Response:
    began = await browser.get(start)
    assert began.status_code == 302, began.text
    return await browser.get(await at_provider(began.headers["location"], who, client))


async def test_the_whole_way(company: World, real: RealProvider) -> None:
    document = await company.payment()
    here, browser = f"/documents/{document.id}", company.browser()
    async with httpx.AsyncClient() as client:
        answered = await browser.get(here)
        page = (await browser.get(answered.headers["location"])).text
        assert 'name="person"' not in page
        start = re.search(r'href="(/sign-in/start[^"]+)"', page)
        assert start is not None
        came = await sign_in(browser, start[1], "u-100", client)
        assert (came.status_code, came.headers["location"]) == (303, here)
        assert "Approver A" in (await browser.get(here)).text
        assert (await browser.submit(f"{here}/approve")).headers["location"] == f"{here}?notice=approved"
        left = await browser.submit("/sign-out")
        elsewhere = re.search(r'href="(http://127[^"]+)"', left.text)
        assert elsewhere is not None
        assert elsewhere[1].startswith(f"{real.issuer}/session/end?")
        assert (await client.get(elsewhere[1].replace("&amp;", "&"))).status_code == 200


def long_ago(tx: Transaction) -> None:
    """The one session is of somebody who proved long ago to be there."""
    row = tx.connection.execute(select(sessions)).one()
    seal = tx.seal("session", row.id, row.person, row.data, row.created_at, 1.0)
    tx.write(sessions.update(), {"authenticated_at": 1.0, "seal": seal})


async def test_approving_asks_the_provider_again(company: World) -> None:
    document = await company.payment()
    here, browser = f"/documents/{document.id}", company.browser()
    async with httpx.AsyncClient() as client:
        await sign_in(browser, f"/sign-in/start?next={here}", "u-100", client)
        before = browser.http.cookies["erp_gateway_session"]
        await company.ledger.write(long_ago)
        again = await browser.get(here)
        assert f'action="{here}/approve"' not in again.text
        came = await sign_in(browser, f"/sign-in/start?next={here}", "u-100", client)
        assert came.headers["location"] == f"{here}?notice=confirmed"
        assert browser.http.cookies["erp_gateway_session"] != before
        await browser.get(here)
        assert (await browser.submit(f"{here}/approve")).status_code == 303


async def test_a_provider_that_does_not_ask_anew_is_not_believed(company: World) -> None:
    browser = company.browser()
    async with httpx.AsyncClient() as client:
        await sign_in(browser, "/sign-in/start?next=/keys", "u-100", client)
        company.clock.time += 400
        came = await sign_in(browser, "/sign-in/start?next=/keys", "u-100", client)
        assert came.status_code == 403
        assert "The sign-in did not work" in came.text


async def test_somebody_else_cannot_take_over_the_session(company: World) -> None:
    browser = company.browser()
    async with httpx.AsyncClient() as one, httpx.AsyncClient() as two:
        await sign_in(browser, "/sign-in/start", "u-100", one)
        assert (await sign_in(browser, "/sign-in/start", "u-200", two)).status_code == 403
        assert "Approver A" in (await browser.get("/inbox")).text


@pytest.mark.parametrize("who", ["nobody", "u-300"])
async def test_a_sign_in_that_fails_is_a_page(company: World, who: str) -> None:
    async with httpx.AsyncClient() as client:
        came = await sign_in(company.browser(), "/sign-in/start", who, client)
    assert came.status_code == 403
    assert "The sign-in did not work" in came.text
    assert "access_denied" not in came.text


async def test_an_answer_counts_once_and_in_the_browser_that_asked(company: World) -> None:
    browser, other = company.browser(), company.browser()
    async with httpx.AsyncClient() as client:
        began = await browser.get("/sign-in/start")
        back = await at_provider(began.headers["location"], "u-100", client)
    assert (await other.get(back)).status_code == 403
    assert (await browser.get(back)).status_code == 303
    assert (await browser.get(back)).status_code == 403
    other.http.cookies.set("erp_gateway_flow", base64.b64encode(b'{"state": 7}').decode())
    assert (await other.get(back)).status_code == 403


async def test_a_provider_that_is_gone_is_told(company: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: Any) -> bytes:
        raise FetchError("no answer")

    monkeypatch.setattr(type(company.live.stores.fetcher), "__call__", gone)
    answered = await company.browser().get("/sign-in/start")
    assert answered.status_code == 503
    assert "sign-in cannot be reached" in answered.text


async def test_with_a_provider_the_demo_lets_nobody_in(company: World) -> None:
    assert (await company.browser().post("/sign-in/demo", person="approver-a")).status_code == 404
