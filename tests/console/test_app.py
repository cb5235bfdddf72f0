"""The internal port as a whole: health and metrics for machines, pages for people, and problems as pages; nothing of the API, and
none of it on the public port."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.errors import Internal
from tests.console.world import World
from tests.support import GatewayProcess


async def test_health_and_metrics_need_no_sign_in(console: World) -> None:
    browser = console.browser()
    console.live.stores.telemetry.count("a.b", "v1", 200, 0.1)
    assert (await browser.get("/health/live")).json() == {"status": "alive"}
    assert (await browser.get("/health/ready")).json()["status"] == "ready"
    metrics = await browser.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "gateway_calls" in {family.name for family in text_string_to_metric_families(metrics.text)}


async def test_machines_may_use_any_name_for_them(console: World) -> None:
    browser = console.browser(host="10.1.2.3:8081")
    assert (await browser.get("/health/live")).status_code == 200
    assert (await browser.get("/metrics")).status_code == 200


async def test_the_start_is_the_inbox(console: World) -> None:
    answer = await console.browser().get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/inbox")


async def test_a_problem_is_a_page_with_the_request_id(console: World) -> None:
    answer = await console.browser().get("/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "There is nothing here" in answer.text
    assert f"<code>{answer.headers['x-request-id']}</code>" in answer.text


async def test_a_script_gets_problem_json(console: World) -> None:
    answer = await console.browser(accept="application/json").get("/nowhere")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:erp-gateway:problem:not-found"


async def test_the_wrong_method_is_nothing(console: World) -> None:
    browser = await console.signed_in("approver-a")
    assert (await browser.get("/sign-out")).status_code == 405


async def test_a_failure_shows_nothing_of_itself(console: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("account 6222020200112233 is secret")

    browser = await console.signed_in("approver-a")
    monkeypatch.setattr(type(console.desk), "inbox", broken)
    answer = await browser.get("/inbox")
    assert answer.status_code == Internal.status
    assert "Something went wrong" in answer.text
    assert "6222020200112233" not in answer.text


async def test_static_files_are_kept_by_browsers_until_they_change(console: World) -> None:
    browser = console.browser()
    page = await browser.get("/sign-in")
    for place in re.findall(r'(?:href|src)="(/static/[^"#]+)', page.text):
        answer = await browser.get(place)
        assert answer.status_code == 200, place
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await browser.get("/static/../app.py")).status_code == 404
    assert (await browser.get("/static/nothing.css")).status_code == 404


async def test_the_menu_is_what_the_policy_allows(console: World) -> None:
    menus = {}
    for subject in ("clerk-1", "approver-a", "operator", "auditor"):
        page = await (await console.signed_in(subject)).get("/inbox")
        menus[subject] = [place for place in ("/operations", "/delegations") if f'href="{place}"' in page.text]
    assert menus == {"clerk-1": [], "approver-a": ["/delegations"], "operator": ["/operations"], "auditor": ["/operations"]}


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/sign-in"])
def test_it_answers(gateway: GatewayProcess, path: str) -> None:
    assert httpx.get(gateway.console + path).status_code == 200


def test_it_serves_no_api(gateway: GatewayProcess) -> None:
    assert httpx.get(gateway.console + "/api/v1/stock/000123").status_code == 404


def test_nothing_of_it_is_on_the_public_port(gateway: GatewayProcess) -> None:
    for path in ("/metrics", "/inbox", "/sign-in"):
        assert gateway.call(None, "GET", path).status_code == 404
