"""The documentation page in a real browser: signing in with what a satellite has, seeing only its calls, and trying one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from gateway.demo.erp.process import ErpProcess
from tests.support import ROOT, GatewayProcess, copy_deployment, edit

SCREENSHOTS = ROOT / "build" / "screenshots"
REFUSED = "the server responded with a status of "


@pytest.fixture(scope="module")
def closed(erp: ErpProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway whose documentation needs a credential."""
    config = copy_deployment(tmp_path_factory.mktemp("closed"))
    edit(config, "docs: public", "docs: token")
    process = GatewayProcess(config, erp.url)
    try:
        yield process.start()
    finally:
        process.stop()


@contextmanager
def opened(chromium: Chromium, gateway: GatewayProcess, path: str, *, refusals: int = 0, **settings: Any) -> Iterator[Page]:
    """A page in a browser of its own. What the browser complains about fails the test, a number of refused requests apart."""
    context = chromium.new_context(
        base_url=gateway.url, **{"viewport": {"width": 1280, "height": 860}, "locale": "en", **settings}
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path)
    yield page
    assert [text for text in complaints if REFUSED not in text] == []
    assert len(complaints) == refusals
    context.close()


def sign_in(page: Page, client: str, secret: str, button: str = "Sign in") -> None:
    page.get_by_label("Client id", exact=True).fill(client)
    page.get_by_label("Secret", exact=True).fill(secret)
    page.locator("form[data-sign-in]").get_by_role("button", name=button).click()


def fits(page: Page, name: str) -> None:
    page.screenshot(path=SCREENSHOTS / f"docs-{name}.png", full_page=True)
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), name


def test_a_satellite_signs_in_finds_a_call_and_makes_it(chromium: Chromium, closed: GatewayProcess, tmp_path: Path) -> None:
    with opened(chromium, closed, "/docs", refusals=1) as page:
        assert "payments" not in page.content()
        sign_in(page, "mes", "wrong")
        expect(page.get_by_role("alert")).to_contain_text("This credential was not accepted")
        sign_in(page, "mes", "demo-mes")
        expect(page.get_by_text("What mes may call.")).to_be_visible()
        assert page.get_by_role("link", name="payments").count() == 0
        fits(page, "list")
        page.get_by_placeholder("Find a call").fill("purchase create")
        expect(page.get_by_role("link", name="stock")).to_have_count(0)
        with page.expect_download() as downloading:
            page.get_by_role("link", name="OpenAPI 3.1").click()
        downloading.value.save_as(tmp_path / "openapi.json")
        api = json.loads((tmp_path / "openapi.json").read_bytes())
        validate(api, cls=OpenAPIV31SpecValidator)
        assert "/api/v1/payments" not in api["paths"]
        page.get_by_role("link", name="/api/v1/purchase-orders", exact=False).first.click()
        expect(page).to_have_url(f"{closed.url}/docs/v1/purchase-orders.create")
        body = json.loads(page.get_by_label("Body").input_value())
        page.get_by_label("Body").fill(json.dumps(body | {"externalNumber": f"DOCS-{uuid.uuid4().hex[:8]}"}))
        page.get_by_role("button", name="Send").click()
        expect(page.locator("[data-status]")).to_have_text("201")
        expect(page.locator("[data-body]")).to_contain_text('"number"')
        fits(page, "call")
        page.go_back()
        expect(page.get_by_text("What mes may call.")).to_be_visible()


def test_the_credential_is_nowhere_but_in_the_page(chromium: Chromium, closed: GatewayProcess) -> None:
    with opened(chromium, closed, "/docs/v1/stock.get") as page:
        page.get_by_label("Access token").first.check()
        page.locator("[name=token]:not([type=radio])").fill(closed.token("wms"))
        page.locator("form[data-sign-in]").get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Try it")).to_be_visible()
        kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")
        assert closed.token("wms") not in kept + page.content()
        page.get_by_label("sku").fill("000123")
        page.get_by_role("button", name="Send").click()
        expect(page.locator("[data-status]")).to_have_text("200")
        page.reload()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_call_of_unknown_outcome_is_sent_again_with_its_key(chromium: Chromium, closed: GatewayProcess) -> None:
    """Another key after a timeout would be another order."""
    with opened(chromium, closed, "/docs/v1/purchase-orders.create", refusals=3) as page:
        sign_in(page, "mes", "demo-mes")
        key = page.get_by_label("Idempotency-Key")
        first = key.input_value()
        assert len(first) == 32
        statuses = [504, 409, 429, 201]
        page.route("**/api/v1/purchase-orders", lambda route: route.fulfill(status=statuses.pop(0), body="{}"))
        for status in statuses[:-1]:
            page.get_by_role("button", name="Send").click()
            expect(page.locator("[data-status]")).to_have_text(str(status))
            expect(key).to_have_value(first)
        page.get_by_role("button", name="Send").click()
        expect(key).not_to_have_value(first)


def test_on_a_phone_in_chinese(chromium: Chromium, closed: GatewayProcess) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "locale": "zh-CN", "has_touch": True}
    with opened(chromium, closed, "/docs", **phone) as page:
        fits(page, "phone-sign-in")
        page.get_by_label("客户端标识", exact=True).fill("oa")
        page.get_by_label("密钥", exact=True).fill("demo-oa")
        page.get_by_role("button", name="登录").click()
        expect(page.get_by_text("oa 可以调用的接口。")).to_be_visible()
        fits(page, "phone-list")
        page.get_by_role("link", name="/api/v1/payments").first.click()
        expect(page.get_by_role("heading", name="请求")).to_be_visible()
        fits(page, "phone-call")
        page.get_by_role("link", name="English").click()
        expect(page.get_by_role("heading", name="Request")).to_be_visible()


def test_public_documentation_needs_no_script(chromium: Chromium, gateway: GatewayProcess) -> None:
    with opened(chromium, gateway, "/docs", java_script_enabled=False) as page:
        page.get_by_role("link", name="reports: finance").click()
        expect(page.get_by_text("cfo", exact=True)).to_be_visible()
        expect(page.get_by_text("curl -X GET", exact=False)).to_be_visible()


def test_every_page_of_the_example_deployment_fits_a_phone(chromium: Chromium, gateway: GatewayProcess) -> None:
    with opened(chromium, gateway, "/docs", viewport={"width": 360, "height": 740}) as page:
        addresses = page.locator("[data-call] a").evaluate_all("links => links.map(link => link.pathname)")
        assert len(addresses) > 10
        for address in addresses:
            page.goto(address)
            assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), address
