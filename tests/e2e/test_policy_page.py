"""A security admin breaks the policy and mends it: real gateway, real console, real browser, and a caller who never notices."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from gateway.demo.erp.process import ErpProcess
from tests.support import ROOT, GatewayProcess, copy_deployment, edit

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
    expect(page.get_by_text(f"policies/policy.csv:{line}", exact=True)).to_be_visible(timeout=20_000)
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


# --- where a change needs two people ---------------------------------------------------------------------------------


@pytest.fixture
def dual_gateway(erp: ErpProcess, tmp_path: Path) -> Iterator[GatewayProcess]:
    path = copy_deployment(tmp_path)
    with path.open("a", encoding="utf-8") as file:
        file.write("\npolicy: {activation: dual}\n")
    process = GatewayProcess(path, erp.url)
    try:
        yield process.start()
    finally:
        process.stop()


def attempt(page: Page, document: str) -> int:
    """The status of an approval sent although no button offers it."""
    csrf = page.locator("input[name=csrf]").first.input_value()
    fingerprint = page.locator(".hash").last.inner_text()
    form: dict[str, str | float | bool] = {"csrf": csrf, "revision": "1", "payload_hash": fingerprint}
    return page.context.request.post(f"/documents/{document}/approve", form=form, max_redirects=0).status


@pytest.mark.parametrize(("shape", "width"), [("dual-desktop", 1280), ("dual-phone", 360)])
def test_broken_mended_and_agreed_by_two(chromium: Chromium, dual_gateway: GatewayProcess, shape: str, width: int) -> None:
    gateway, policy = dual_gateway, policy_of(dual_gateway)
    settings: dict[str, object] = {"viewport": {"width": width, "height": 800}}
    with (
        person(chromium, gateway, "security-admin", **settings) as one,
        person(chromium, gateway, "security-admin-2", **settings) as two,
        calling(gateway) as caller,
    ):
        digest = one.locator("#digest").inner_text()
        edit(policy, ROW, ROW.replace("allow", "Allow"))
        refused(one, policy)
        expect(one.get_by_role("button", name="Propose this change")).to_have_count(0)
        picture(one, f"{shape}-refused")

        edit(policy, ROW.replace("allow", "Allow"), f"{ROW}\np, tour,  demo, sales-orders.list,       allow")
        propose = one.get_by_role("button", name="Propose this change")
        expect(propose).to_be_visible(timeout=20_000)
        expect(one.locator(".tuples.gained tbody tr")).to_have_count(1)
        expect(one.locator(".tuples.gained")).to_contain_text("sales-orders.list")
        expect(one.locator(".lines .new")).to_contain_text("p, tour,  demo, sales-orders.list,       allow")
        assert one.locator("#digest").inner_text() == digest
        picture(one, f"{shape}-pending")
        propose.click()
        one.wait_for_url("**/documents/*")
        document = one.url.partition("?")[0].rpartition("/")[2]
        expect(one.get_by_text("The change is proposed. A second person must agree before it is live.")).to_be_visible()
        expect(one.get_by_role("button", name="Approve")).to_have_count(0)
        picture(one, f"{shape}-proposed")
        assert attempt(one, document) == 403
        assert gateway.call("tour", "GET", SALES).status_code == 403

        two.goto("/inbox")
        two.get_by_role("link", name="Change of policy").click()
        expect(two.locator(".tuples.gained")).to_contain_text("tour")
        expect(two.locator(".lines .new")).to_contain_text("sales-orders.list")
        picture(two, f"{shape}-second")
        after = len(gateway.events)
        two.get_by_role("button", name="Approve", exact=True).click()
        expect(two.get_by_text("You approved the change.")).to_be_visible()
        gateway.wait_for("snapshot.swapped", after=after, policy=hashlib.sha256(policy.read_bytes()).hexdigest())
        assert gateway.call("tour", "GET", SALES).status_code == 200

        one.goto("/policy")
        expect(one.locator("#digest")).not_to_have_text(digest)
        expect(one.get_by_text("two people agreed")).to_be_visible()
        picture(one, f"{shape}-live")
        two.reload()
        expect(two.get_by_text("Live since it was approved")).to_be_visible()
        picture(two, f"{shape}-agreed")
    assert {path: set(statuses) for path, statuses in caller.answers.items()} == {"/api/v1/stock/000123": {200}, SALES: {403}}
