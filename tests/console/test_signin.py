"""Signing in and out in the demo, proving again to be there, and where a link may lead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.console.signin import ABOUT_DEMO_PEOPLE
from gateway.errors import ConfigError
from gateway.identity.hashes import hash_secret
from gateway.live import Live
from gateway.people import DEMO_PEOPLE
from tests.console.world import World, world
from tests.support import copy_deployment


async def test_the_people_of_the_demo_are_buttons(console: World) -> None:
    page = (await console.browser().get("/sign-in")).text
    assert re.findall(r'name="person" value="([^"]+)"', page) == list(DEMO_PEOPLE) == list(ABOUT_DEMO_PEOPLE)


async def test_who_is_nobody_signs_in_and_comes_back(console: World) -> None:
    document = await console.payment()
    browser = console.browser()
    answer = await browser.get(f"/documents/{document.id}?a=1&b=2")
    assert answer.status_code == 303
    await browser.get(answer.headers["location"])
    answer = await browser.submit("/sign-in/demo", person="approver-a")
    assert answer.headers["location"] == f"/documents/{document.id}?a=1&b=2"
    assert "500,000.01" in (await browser.get(answer.headers["location"])).text


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "evil",
        "",
        "/sign-out",
        "/ü",
    ],
)
async def test_a_link_leads_nowhere_else(console: World, target: str) -> None:
    answer = await console.browser().post("/sign-in/demo", person="approver-a", next=target)
    assert answer.headers["location"] == "/inbox"


async def test_the_cookie_is_ours_alone(console: World) -> None:
    answer = await console.browser().post("/sign-in/demo", person="approver-a")
    cookie = answer.headers["set-cookie"]
    value = re.match(r"erp_gateway_session=([A-Za-z0-9_-]{43});", cookie)
    assert value is not None
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}
    assert "Max-Age" not in cookie


async def test_over_tls_the_cookie_is_bound_to_this_host(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    config.write_text(config.read_text().replace("console: #", "console:\n  public_url: https://console.example.com\n  #"))
    async with world(config, tmp_path, url="https://console.example.com") as console:
        answer = await console.browser().post("/sign-in/demo", person="approver-a")
        assert answer.headers["set-cookie"].startswith("__Host-erp_gateway_session=")
        assert "Secure" in answer.headers["set-cookie"]
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert (await console.browser(host="127.0.0.1:8081").get("/sign-in")).status_code == 400


async def test_nobody_else_is_let_in(console: World) -> None:
    for person in ("", "oa", "root", "approver-a "[:-1] + "\x00"):
        assert (await console.browser().post("/sign-in/demo", person=person)).status_code == 403


async def test_without_demo_and_provider_nobody_signs_in(tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    config.write_text(config.read_text().replace("demo: true", "demo: false"))
    satellites = tmp_path / "policies/satellites.yaml"
    satellites.write_text(
        satellites.read_text().replace("demo_secret: true", f"secret: {hash_secret('a secret of 32 characters or more')}")
    )
    async with world(config, tmp_path) as console:
        page = await console.browser().get("/sign-in")
        assert page.status_code == 503
        assert "the deployment names no OpenID provider" in page.text
        assert 'name="person"' not in page.text
        assert (await console.browser().post("/sign-in/demo", person="approver-a")).status_code == 404


async def test_the_demo_is_for_this_machine_only(console: World, tmp_path: Path) -> None:
    config = copy_deployment(tmp_path)
    config.write_text(
        config.read_text().replace("listen: 127.0.0.1:${env:ERP_GATEWAY_CONSOLE_PORT:-8081}", "listen: 0.0.0.0:8081")
    )
    with pytest.raises(ConfigError, match="demo: true on a listener others can reach"):
        Live(config, console.live.stores)


async def test_signing_out_ends_the_session(console: World) -> None:
    browser = await console.signed_in("approver-a")
    await browser.get("/inbox")
    token = browser.http.cookies["erp_gateway_session"]
    answer = await browser.submit("/sign-out")
    assert "You are signed out." in answer.text
    browser.http.cookies.set("erp_gateway_session", token)
    assert (await browser.get("/inbox")).status_code == 303


async def test_signing_out_needs_the_form(console: World) -> None:
    browser = await console.signed_in("approver-a")
    assert (await browser.post("/sign-out")).status_code == 400
    assert (await browser.post("/sign-out", next="/")).status_code == 403
    assert (await browser.post("/sign-out", csrf="x")).status_code == 403
    assert (await browser.get("/inbox")).status_code == 200


async def test_proving_again_to_be_there_makes_a_new_session(console: World) -> None:
    browser = await console.signed_in("approver-a")
    before = browser.http.cookies["erp_gateway_session"]
    page = await browser.get("/sign-in/again?next=/keys")
    assert re.findall(r'name="person" value="([^"]+)"', page.text) == ["approver-a"]
    answer = await browser.submit("/sign-in/demo", person="approver-a")
    assert answer.headers["location"] == "/keys"
    assert browser.http.cookies["erp_gateway_session"] != before
    other = console.browser()
    other.http.cookies.set("erp_gateway_session", before)
    assert (await other.get("/inbox")).status_code == 303


async def test_nobody_becomes_somebody_else_on_the_way(console: World) -> None:
    browser = await console.signed_in("approver-a")
    await browser.get("/sign-in/again?next=/keys")
    assert (await browser.submit("/sign-in/demo", person="approver-b")).status_code == 403
    assert "approver-a" in (await browser.get("/inbox")).text


async def test_the_language_is_the_browsers_and_then_the_persons(console: World) -> None:
    browser = console.browser(**{"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"})
    assert '<html lang="zh-CN">' in (await browser.get("/sign-in?next=/keys")).text
    answer = await browser.submit("/language", language="en")
    assert answer.headers["location"] == "/sign-in?next=/keys"
    assert '<html lang="en">' in (await browser.get("/sign-in")).text
    answer = await browser.post("/language", language="xx", next="//evil.example")
    assert answer.headers["location"] == "/inbox"
    assert '<html lang="en">' in (await browser.get("/sign-in")).text
