"""Money that waits for two people, from the satellite's call to the ERP's number: real gateway, real console, real ERP."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from gateway.demo.erp.process import ErpProcess
from gateway.demo.people import Browser
from gateway.demo.tour import payment
from gateway.deployment import read_deployment
from gateway.desk import Desk
from gateway.documents.ledger import open_ledger
from gateway.errors import Problem
from gateway.people import Person
from gateway.runtime import SystemClock, check_stores
from gateway.snapshot import build
from tests.support import ROOT, GatewayProcess, copy_deployment, edit

SCREENSHOTS = ROOT / "build" / "screenshots"


def held(gateway: GatewayProcess, amount: str = "500000.01") -> dict[str, str]:
    """A payment that waits: its document's id, revision, hash and external number."""
    body = payment(f"OA-{uuid.uuid4().hex[:12]}", "4711", amount, account=uuid.uuid4().hex[:20])
    answer = gateway.call("oa", "POST", "/api/v1/payments", json=body)
    assert answer.status_code == 202, answer.text
    told = answer.json()
    return {"id": told["id"], "revision": str(told["revision"]), "hash": told["payload_hash"], "number": body["externalNumber"]}


def decide(gateway: GatewayProcess, person: str, paper: dict[str, str], action: str = "/approve", **fields: str) -> int:
    """The status of what the console says to a person who submits the form, whether it is offered or not."""
    browser = Browser(gateway.console, person)
    browser.sign_in()
    page = browser.open(f"/documents/{paper['id']}")
    shown = {"revision": paper["revision"], "payload_hash": paper["hash"]}
    return browser.press(page, action, **(shown | fields)).status


def state(gateway: GatewayProcess, paper: dict[str, str], wanted: str) -> str:
    """The state, once it is the wanted one or a minute is over."""
    known, found = "", ""
    for _ in range(6):
        headers = {"prefer": "wait=10", "if-none-match": known} if known else {}
        answer = gateway.call("oa", "GET", f"/api/documents/{paper['id']}", headers=headers)
        if answer.status_code == 200:
            known, found = answer.headers["etag"], answer.json()["state"]
        if found == wanted:
            break
    return found


def bookings(erp: ErpProcess, paper: dict[str, str]) -> int:
    return sum(entry["outcome"] == "booked" and paper["number"] in entry["raw"] for entry in erp.journal())


def test_nothing_is_sent_before_two_people_agreed(gateway: GatewayProcess, erp: ErpProcess) -> None:
    paper = held(gateway)
    assert decide(gateway, "clerk-1", paper) == 403
    assert decide(gateway, "operator", paper) == 403
    assert decide(gateway, "security-admin", paper) == 404
    assert decide(gateway, "approver-a", paper, payload_hash="0" * 64) == 409
    assert decide(gateway, "approver-a", paper) == 200
    assert decide(gateway, "approver-a", paper) == 409
    assert (state(gateway, paper, "held"), bookings(erp, paper)) == ("held", 0)
    assert decide(gateway, "approver-b", paper) == 200
    assert (state(gateway, paper, "delivered"), bookings(erp, paper)) == ("delivered", 1)
    assert decide(gateway, "cfo", paper) == 409
    assert bookings(erp, paper) == 1


def test_one_no_ends_it(gateway: GatewayProcess, erp: ErpProcess) -> None:
    paper = held(gateway)
    assert decide(gateway, "approver-a", paper) == 200
    assert decide(gateway, "approver-b", paper, "/reject", reason="") == 422
    assert decide(gateway, "approver-b", paper, "/reject", reason="not ordered") == 200
    assert state(gateway, paper, "rejected") == "rejected"
    assert decide(gateway, "cfo", paper) == 409
    assert bookings(erp, paper) == 0


def test_a_vote_for_an_earlier_revision_counts_for_nothing(gateway: GatewayProcess, erp: ErpProcess) -> None:
    paper = held(gateway)
    assert decide(gateway, "approver-a", paper) == 200
    body = payment(paper["number"], "4711", "900000.00", account="9" * 20)
    revised = gateway.call("oa", "PUT", f"/api/documents/{paper['id']}", json=body)
    assert (revised.status_code, revised.json()["approvals"]["received"]) == (200, 0)
    assert decide(gateway, "approver-b", paper) == 409
    new = paper | {"revision": "2", "hash": revised.json()["payload_hash"]}
    assert decide(gateway, "approver-b", new) == 200
    assert (state(gateway, paper, "held"), bookings(erp, paper)) == ("held", 0)
    assert decide(gateway, "approver-a", new) == 200
    assert (state(gateway, paper, "delivered"), bookings(erp, paper)) == ("delivered", 1)


def test_the_erp_is_down_when_it_is_released(tmp_path: Path) -> None:
    with ErpProcess.start() as erp:
        path = copy_deployment(tmp_path)
        edit(
            path,
            "    timeout: 10s\n",
            "    timeout: 3s\n    writes: {retry: [200ms, 200ms, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s]}\n",
        )
        gateway = GatewayProcess(path, erp.url).start()
        try:
            paper = held(gateway)
            erp.stop()
            assert [decide(gateway, person, paper) for person in ("approver-a", "approver-b")] == [200, 200]
            assert state(gateway, paper, "queued") == "queued"
            with ErpProcess.start(port=int(erp.url.rpartition(":")[2])) as revived:
                assert (state(gateway, paper, "delivered"), bookings(revived, paper)) == ("delivered", 1)
        finally:
            gateway.stop()


async def test_fifty_approvals_at_once_from_ten_people_book_once(tmp_path: Path) -> None:
    people = [f"approver-{number}" for number in range(10)]
    with ErpProcess.start() as erp:
        path = copy_deployment(tmp_path)
        rows = "".join(f"g, {person}, finance-approver, demo\n" for person in people)
        edit(tmp_path / "policies/policy.csv", "\n# end\n", f"\n{rows}# end\n")
        gateway = GatewayProcess(path, erp.url).start()
        try:
            paper = await asyncio.to_thread(held, gateway)
            snapshot = build(read_deployment(path), check_stores(path))
            key = (tmp_path / "var/audit.key").read_text().strip().encode()
            async with open_ledger(f"sqlite:///{tmp_path}/var/ledger.db", key, SystemClock()) as ledger:
                desk = Desk(ledger, lambda: snapshot, SystemClock())

                async def approve(person: str) -> str:
                    try:
                        seen = await desk.approve(
                            Person(person, person, "demo"), paper["id"], revision=1, payload_hash=paper["hash"]
                        )
                    except Problem as problem:
                        return str(problem.extensions["code"])
                    return seen.row.state

                told = await asyncio.gather(*[approve(person) for person in people * 5])
            assert set(told) <= {"held", "approved", "sending", "delivered", "not_held"}
            assert await asyncio.to_thread(state, gateway, paper, "delivered") == "delivered"
            assert bookings(erp, paper) == 1
            story = [entry for entry in erp.journal() if paper["number"] in entry["raw"]]
            assert len(story) == 1
        finally:
            gateway.stop()


# --- in a browser ----------------------------------------------------------------------------------------------------


def signed_in(chromium: Chromium, gateway: GatewayProcess, person: str, width: int, locale: str) -> Page:
    """A person's browser window, arriving by the link of a message before signing in."""
    page = chromium.new_context(viewport={"width": width, "height": 800}, locale=locale).new_page()
    page.goto(f"{gateway.console}/inbox")
    page.click(f"button[value={person}]")
    return page


@pytest.mark.parametrize(
    ("shape", "width", "locale", "words"),
    [
        ("desktop", 1280, "en-US", ("Approve", "1 of 2", "The ERP's number")),
        ("phone", 360, "zh-CN", ("批准", "1/2", "ERP 凭证号")),
    ],
)
def test_two_people_release_a_payment_in_their_browsers(
    chromium: Chromium, gateway: GatewayProcess, erp: ErpProcess, shape: str, width: int, locale: str, words: tuple[str, str, str]
) -> None:
    paper = held(gateway)
    approve, half, number = words

    def picture(page: Page, name: str) -> None:
        page.screenshot(path=SCREENSHOTS / f"approval-{shape}-{name}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, f"{name} is wider than the {shape}"

    first = signed_in(chromium, gateway, "approver-a", width, locale)
    picture(first, "inbox")
    first.goto(f"{gateway.console}/documents/{paper['id']}")
    picture(first, "held")
    first.get_by_role("button", name=approve, exact=True).click()
    expect(first.locator("body")).to_contain_text(half)
    picture(first, "one-of-two")
    assert bookings(erp, paper) == 0
    second = signed_in(chromium, gateway, "approver-b", width, locale)
    second.goto(f"{gateway.console}/documents/{paper['id']}")
    second.get_by_role("button", name=approve, exact=True).click()
    assert state(gateway, paper, "delivered") == "delivered"
    second.goto(f"{gateway.console}/documents/{paper['id']}")
    expect(second.locator("body")).to_contain_text(number)
    picture(second, "delivered")
    assert bookings(erp, paper) == 1
