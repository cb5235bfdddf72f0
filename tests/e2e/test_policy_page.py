"""A security admin breaks the policy and mends it: real gateway, real console, real browser, and a caller who never notices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.support import ROOT, GatewayProcess, edit

SCREENSHOTS = ROOT / "build" / "screenshots"
LOOK_NOW = "document.dispatchEvent(new Event('visibilitychange'))"
"""A page that comes into sight asks for its live part at once."""
ROW = "p, tour,  demo, stock.get,               allow"
SALES = "/api/v1/sales-orders?from=2026-11-01&to=2026-11-03"


class Caller:
    """A satellite that calls all the while what it may and what it may not, and remembers every answer."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._headers = {"authorization": f"Bearer {gateway.token('wms')}"}
        self._url = gateway.url
        self._stop = threading.Event()
        self.answers: dict[str, list[int]] = {"/api/v1/stock/000123": [], SALES: []}

    def run(self) -> None:
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=30) as client:
            while not self._stop.wait(0.02):
                for path, statuses in self.answers.items():
                    statuses.append(client.get(path).status_code)

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def calling(gateway: GatewayProcess) -> Iterator[Caller]:
    caller = Caller(gateway)
    thread = threading.Thread(target=caller.run)
    thread.start()
    try:
        yield caller
    finally:
        caller.stop()
        thread.join()


@contextmanager
def person(chromium: Chromium, gateway: GatewayProcess, name: str, **settings: object) -> Iterator[Page]:
    """Somebody's browser. What it complains about fails the test."""
    shown = {"viewport": {"width": 1280, "height": 860}, "locale": "en-US", **settings}
    context = chromium.new_context(base_url=gateway.console, **shown)  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/policy")
    page.click(f"button[value={name}]")
    yield page
    assert complaints == []
    context.close()


def picture(page: Page, name: str) -> None:
    page.screenshot(path=SCREENSHOTS / f"policy-{name}.png", full_page=True)
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"), name


def policy_of(gateway: GatewayProcess) -> Path:
    return gateway.path.parent / "policies" / "policy.csv"


def refused(page: Page, policy: Path) -> None:
    """The page tells, by itself, what is wrong with the file and where."""
    line = policy.read_text("utf-8").splitlines().index(ROW.replace("allow", "Allow")) + 1
    page.evaluate(LOOK_NOW)
    expect(page.get_by_text(f"policies/policy.csv:{line}", exact=True)).to_be_visible()
    expect(page.get_by_text("effect: 'Allow' is no effect")).to_be_visible()
    expect(page.locator(".lines .wrong")).to_contain_text(ROW.replace("allow", "Allow"))
    expect(page.get_by_text("Traffic goes on under the last good policy.")).to_be_visible()


@pytest.mark.parametrize(("shape", "width", "locale"), [("desktop", 1280, "en-US"), ("phone", 360, "en-US")])
def test_broken_and_mended_where_files_are_live_at_once(
    chromium: Chromium, own_gateway: GatewayProcess, shape: str, width: int, locale: str
) -> None:
    policy = policy_of(own_gateway)
    settings = {"viewport": {"width": width, "height": 800}, "locale": locale}
    with person(chromium, own_gateway, "security-admin", **settings) as page, calling(own_gateway) as caller:
        digest = page.locator("#digest").inner_text()
        picture(page, f"{shape}-live")
        after = len(own_gateway.events)
        edit(policy, ROW, ROW.replace("allow", "Allow"))
        own_gateway.wait_for("snapshot.refused", after=after)
        refused(page, policy)
        assert page.locator("#digest").inner_text() == digest
        picture(page, f"{shape}-refused")
        after = len(own_gateway.events)
        edit(policy, ROW.replace("allow", "Allow"), f"{ROW}\np, tour,  demo, sales-orders.list,       allow")
        own_gateway.wait_for("snapshot.swapped", after=after)
        page.evaluate(LOOK_NOW)
        expect(page.locator("#digest")).not_to_have_text(digest)
        expect(page.get_by_text("Traffic goes on")).to_have_count(0)
        picture(page, f"{shape}-mended")
        page.goto("/policy/why?who=tour&operation=sales-orders.list@v1")
        expect(page.get_by_text("tour of tenant demo may call sales-orders.list@v1.")).to_be_visible()
        picture(page, f"{shape}-why")
        page.goto("/policy/matrix")
        picture(page, f"{shape}-matrix")
    assert {path: set(statuses) for path, statuses in caller.answers.items()} == {"/api/v1/stock/000123": {200}, SALES: {403}}
    assert min(map(len, caller.answers.values())) > 3
    assert own_gateway.call("tour", "GET", SALES).status_code == 200
