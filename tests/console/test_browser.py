"""Journeys in a real browser: on a desk and on a phone, without scripts, in Chinese, by keyboard, and with a security key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from playwright.async_api import Browser as Chromium
from playwright.async_api import Page

from gateway.documents.decisions import record
from gateway.documents.states import Event
from gateway.exchange import Principal
from tests.console.test_decisions import DENIAL
from tests.console.world import World

PHONE = {"width": 360, "height": 740}
LOOK_NOW = "document.dispatchEvent(new Event('visibilitychange'))"
"""A page that comes into sight asks for its live parts at once."""

DESK = {"width": 1280, "height": 860}


@asynccontextmanager
async def person(chromium: Chromium, console: World, subject: str, **settings: Any) -> AsyncIterator[Page]:
    """Somebody signed in, with a browser of their own. What the browser complains about fails the test."""
    context = await chromium.new_context(base_url=console.url, **{"viewport": DESK, "locale": "en", **settings})
    context.set_default_timeout(30_000)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto("/sign-in")
    await page.locator(f'button[value="{subject}"]').click()
    await page.wait_for_url("**/inbox")
    yield page
    assert complaints == []
    await context.close()


async def wide(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    width: int = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return width


async def test_two_people_release_a_payment(served: World, chromium: Chromium) -> None:
    document = await served.payment()
    async with person(chromium, served, "approver-a") as first, person(chromium, served, "approver-b", viewport=PHONE) as second:
        await first.get_by_role("link", name="Falkenberg GmbH").click()
        await first.get_by_role("button", name="Approve").click()
        await first.get_by_text("1 of 2, nothing sent").wait_for()
        await second.goto(f"/documents/{document.id}")
        await second.get_by_role("link", name="Decide").click()
        await second.get_by_role("button", name="Approve").click()
        await second.get_by_text("The document is released.").wait_for()
        await served.step(document.id, Event.SEND, Event.DELIVER, reference="5100004711")
        await first.evaluate(LOOK_NOW)
        await first.get_by_text("5100004711").wait_for()
        assert await first.get_by_text("The document has changed.").is_visible()


async def test_every_page_fits_a_phone(served: World, chromium: Chromium) -> None:
    document = await served.payment(payee={"name": "Straßenverkehrsgenossenschaft" * 4, "account": "6222020200112233" * 3})
    await served.payment(amount="123456789012.99", payee={"name": "B", "account": "11223344"})
    async with person(chromium, served, "approver-a", viewport=PHONE) as page:
        for path in ("/inbox", "/inbox?box=done", f"/documents/{document.id}", "/delegations", "/keys", "/sign-in/again"):
            await fits(page, path)
    why = "/policy/why?who=wms&operation=sales-orders.list@v1"
    async with person(chromium, served, "security-admin", viewport=PHONE) as page:
        for path in ("/policy", "/policy/matrix", why):
            await fits(page, path)
    await served.ledger.write(lambda tx: record(tx, DENIAL))
    async with person(chromium, served, "auditor", viewport=PHONE) as page:
        for path in ("/decisions", "/decisions?who=nobody"):
            await fits(page, path)


async def fits(page: Page, path: str) -> None:
    """Nothing is beyond the window's edge, and what is to be touched is large enough."""
    await page.goto(path)
    assert await wide(page) == 0, path
    small = await page.evaluate(
        "[...document.querySelectorAll('button, .button, nav a, a.cell')].filter(e => e.offsetParent && e.offsetHeight < 34)"
        ".map(e => e.outerHTML)"
    )
    assert small == [], path


async def test_without_scripts_everything_but_keys_works(served: World, chromium: Chromium) -> None:
    document = await served.payment()
    async with person(chromium, served, "approver-a", java_script_enabled=False, viewport=PHONE) as page:
        await page.goto(f"/documents/{document.id}")
        await page.get_by_role("button", name="Show in full").click()
        await page.get_by_text("6222020200112233", exact=True).wait_for()
        await page.get_by_role("button", name="Approve").click()
        await page.get_by_text("1 of 2, nothing sent").wait_for()
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("heading", name="You are signed out.").wait_for()


async def test_in_chinese(served: World, chromium: Chromium) -> None:
    await served.payment()
    async with person(chromium, served, "approver-a", locale="zh-CN") as page:
        await page.get_by_role("link", name="Falkenberg GmbH").click()
        await page.get_by_text("500,000.01 CNY 超过限额 500,000.00 CNY。").wait_for()
        await page.locator("summary", has_text="驳回").click()
        await page.get_by_label("原因").fill("重复付款")
        await page.get_by_role("button", name="确认驳回").click()
        await page.get_by_text("您已驳回该单据，它不会被发送。").wait_for()
        await page.get_by_role("button", name="English").click()
        await page.get_by_text("approver-a rejected it.").wait_for()


async def test_by_keyboard(served: World, chromium: Chromium) -> None:
    await served.payment()
    await served.payment(payee={"name": "Second AG", "account": "99887766"})
    async with person(chromium, served, "approver-a") as page:
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        focused = "document.activeElement.textContent"
        await page.keyboard.press("j")
        first = await page.evaluate(focused)
        await page.keyboard.press("j")
        second = await page.evaluate(focused)
        await page.keyboard.press("k")
        assert {first, second} == {"Falkenberg GmbH", "Second AG"}
        assert await page.evaluate(focused) == first
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/documents/*")


async def test_the_inbox_follows_what_happens(served: World, chromium: Chromium) -> None:
    async with person(chromium, served, "approver-a") as page:
        await page.get_by_text("Nothing waits for you.").wait_for()
        await served.payment()
        await page.evaluate(LOOK_NOW)
        await page.get_by_role("link", name="Falkenberg GmbH").wait_for()


async def test_nothing_hostile_runs(served: World, chromium: Chromium) -> None:
    hostile = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    document = await served.payment(payee={"name": hostile, "account": "99887766"}, note=hostile)
    async with person(chromium, served, "approver-a") as page:
        for path in ("/inbox", f"/documents/{document.id}"):
            await page.goto(path)
            await page.get_by_text(hostile).first.wait_for()
            assert "taken" not in (await page.title()).replace(hostile, "")


async def test_with_a_security_key(served: World, chromium: Chromium) -> None:
    document = await served.payment()
    async with person(chromium, served, "approver-a") as page:
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("WebAuthn.enable")
        authenticator = {"protocol": "ctap2", "transport": "internal", "hasUserVerification": True, "isUserVerified": True}
        added = await devtools.send(
            "WebAuthn.addVirtualAuthenticator", {"options": {**authenticator, "automaticPresenceSimulation": True}}
        )
        await page.goto("/keys")
        await page.get_by_label("Name").fill("Laptop")
        await page.get_by_role("button", name="Register").click()
        await page.get_by_text("The security key is registered.").wait_for()
        await page.goto(f"/documents/{document.id}")
        verified = {"authenticatorId": added["authenticatorId"], "isUserVerified": False}
        await devtools.send("WebAuthn.setUserVerified", verified)
        await page.get_by_role("button", name="Approve with your security key").click()
        await page.get_by_text("The key did not answer. Nothing was approved").wait_for()
        assert await page.get_by_text("0 of 2, nothing sent").is_visible()
        await devtools.send("WebAuthn.setUserVerified", {**verified, "isUserVerified": True})
        await page.get_by_role("button", name="Approve with your security key").click()
        await page.get_by_text("1 of 2, nothing sent").wait_for()
        assert await page.get_by_text("security key").first.is_visible()


async def test_the_policy_is_read_without_scripts_and_by_keyboard(served: World, chromium: Chromium) -> None:
    async with person(chromium, served, "security-admin", java_script_enabled=False) as page:
        await page.get_by_role("link", name="Policy").click()
        await page.get_by_role("link", name="Who may call what").click()
        await page.get_by_label("Names", exact=True).fill("wms")
        await page.get_by_role("button", name="Search").click()
        await page.get_by_role("link", name="Denied, through warehouse").press("Enter")
        await page.get_by_text("wms of tenant demo may not call sales-orders.list@v1.").wait_for()
        await page.get_by_label("Roles of the credential").fill("sales")
        await page.get_by_role("button", name="Ask").click()
        assert await page.get_by_text("allows sales in tenant demo sales-orders.list").count() == 1


async def test_an_auditor_finds_who_was_refused_and_why(served: World, chromium: Chromium, tmp_path: Path) -> None:
    for one in (DENIAL, replace(DENIAL, principal=Principal("cfo", "demo"), allowed=True, unmet=())):
        await served.ledger.write(lambda tx, one=one: record(tx, one))  # type: ignore[misc]
    async with person(chromium, served, "auditor") as page:
        await page.get_by_role("link", name="Decisions").click()
        assert await page.locator("tbody tr").count() == 2
        await page.get_by_label("Answer").select_option("Denied")
        await page.get_by_label("Who").fill("wms")
        await page.get_by_role("button", name="Search").click()
        await page.wait_for_url("**/decisions?who=wms**")
        row = page.locator("tbody tr")
        assert await row.count() == 1
        assert "p, warehouse, *, sales-orders.list, deny" in await row.inner_text()
        assert await wide(page) == 0
        await page.screenshot(path=tmp_path / "decisions.png", full_page=True)
        await page.get_by_role("button", name="简体中文").click()
        await page.get_by_role("heading", name="决策记录").wait_for()
        assert "不得从此网络调用" in await row.inner_text()
    assert (tmp_path / "decisions.png").stat().st_size > 20_000
