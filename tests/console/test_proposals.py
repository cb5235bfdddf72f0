"""A change of policy that waits for two people: proposed, looked at and decided on in the console."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from gateway.activation import Release
from gateway.documents.records import claim, find
from tests.console.world import Browser, World, policy_of, text, world
from tests.support import copy_deployment, edit

ROW = "p, tour, demo, sales-orders.list, allow\n"


async def changed(console: World, row: str = ROW) -> None:
    edit(policy_of(console), "# end\n", f"{row}# end\n")
    await console.live.reload()


async def proposed(console: World, browser: Browser) -> str:
    """The page of a change that somebody proposed."""
    await changed(console)
    await browser.get("/policy")
    answer = await browser.submit("/policy/propose")
    assert answer.status_code == 303, answer.text
    place, _, notice = answer.headers["location"].partition("?")
    assert notice == "notice=proposed"
    return str(place)


async def released(console: World) -> None:
    """What a worker does with what is due, and each process with what it hears of it."""
    works = await console.ledger.write(lambda tx: claim(tx, ("send",), lease=30, limit=10))
    for work in works:
        document = await console.ledger.read(lambda connection, id_=work.document or "": find(connection, id_))
        assert document is not None
        await Release(console.live)(work, document)
    await console.live.reload()


def csrf_of(page: str) -> str:
    return re.findall(r'name="csrf" value="([^"]+)"', page)[0]


async def test_the_page_shows_what_waits_and_who_would_gain(dual: World) -> None:
    browser = await dual.signed_in("security-admin")
    assert "when a second person has agreed" in text(await browser.get("/policy"))
    await changed(dual)
    answer = await browser.get("/policy/live")
    told = text(answer)
    assert "The files are good and not live: a change needs two people here." in told
    assert "+ tour demo sales-orders.list@v1 call +policies/policy.csv:" in told
    assert "+ added: p, tour, demo, sales-orders.list, allow" in told
    assert 'action="/policy/propose"' in answer.text
    assert dual.live.snapshot.policy.file.data.count(b"p, tour, demo, sales-orders.list") == 0


async def test_files_that_are_not_good_wait_without_a_way_to_propose_them(dual: World) -> None:
    browser = await dual.signed_in("security-admin")
    await changed(dual, ROW.replace("allow", "Allow"))
    answer = await browser.get("/policy")
    told = text(answer)
    assert "The changed files cannot be proposed as they are" in told
    assert "effect: 'Allow' is no effect" in told
    assert "▶ wrong: p, tour, demo, sales-orders.list, Allow" in told
    assert "Who gains and who loses can be told once the file can be read." in told
    assert "/policy/propose" not in answer.text
    await changed(dual, "p, wms, demo, reports.finance, allow\n")
    edit(policy_of(dual), ROW.replace("allow", "Allow"), "")
    await dual.live.reload()
    told = text(await browser.get("/policy"))
    assert "wms, reports.finance: allowed" in told
    assert "+ wms demo reports.finance@v1 call" in told


async def test_one_proposes_and_another_agrees(dual: World) -> None:
    first, second = await dual.signed_in("security-admin"), await dual.signed_in("security-admin-2")
    here = await proposed(dual, first)
    answer = await first.get(here)
    assert f'action="{here}/approve"' not in answer.text
    hidden = dict(re.findall(r'name="(csrf|payload_hash|revision)" value="([^"]*)"', answer.text))
    own = await first.post(f"{here}/approve", **{"revision": "1", "payload_hash": "0" * 64, **hidden})
    assert own.status_code in (403, 409)
    assert "Change of policy" in text(await second.get("/inbox"))
    shown = text(await second.get(here))
    assert "+ tour demo sales-orders.list@v1 call" in shown
    assert "proposed by security-admin" in shown
    assert "All 43 questions of tests.yaml are answered as expected." in shown
    assert "CNY" not in shown
    answer = await second.submit(f"{here}/approve")
    assert answer.headers["location"] == f"{here}?notice=agreed"
    assert "Approved, going live" in text(await second.get(here))
    await released(dual)
    assert "Live since it was approved" in text(await second.get(here))
    told = text(await second.get("/policy"))
    assert "two people agreed security-admin security-admin-2 policy.csv +1" in told
    assert b"p, tour, demo, sales-orders.list" in dual.live.snapshot.policy.file.data


async def test_proposing_twice_leads_to_the_proposal(dual: World) -> None:
    browser = await dual.signed_in("security-admin")
    here = await proposed(dual, browser)
    second = await dual.signed_in("security-admin-2")
    page = await second.get("/policy")
    assert "A change waits for a second person" in page.text
    assert "/policy/propose" not in page.text
    pending = dual.live.pending
    assert pending is not None
    answer = await second.post("/policy/propose", csrf=csrf_of(page.text), digest=pending.digest)
    assert (answer.status_code, answer.headers["location"]) == (303, here)


async def test_a_proposal_is_taken_back_by_who_made_it(dual: World) -> None:
    first, second = await dual.signed_in("security-admin"), await dual.signed_in("security-admin-2")
    here = await proposed(dual, first)
    await first.get(here)
    page = await second.get(here)
    assert f"{here}/withdraw" not in page.text
    assert (await second.post(f"{here}/withdraw", csrf=csrf_of(page.text))).status_code == 403
    assert (await first.submit(f"{here}/withdraw")).headers["location"] == f"{here}?notice=withdrawn"
    assert "Withdrawn" in text(await first.get(here))


async def test_a_proposal_says_when_what_is_on_disk_is_something_else(dual: World) -> None:
    first, second = await dual.signed_in("security-admin"), await dual.signed_in("security-admin-2")
    here = await proposed(dual, first)
    await changed(dual, "p, tour, demo, reports.finance, allow\n")
    shown = text(await second.get(here))
    assert "The files on disk are others by now." in shown
    assert "reports.finance" not in shown


async def refused(browser: Browser, **fields: str) -> httpx.Response:
    page = await browser.get("/policy")
    given = {"csrf": csrf_of(page.text), **fields}
    return await browser.post("/policy/propose", **given)


async def test_what_was_not_shown_is_not_proposed(dual: World) -> None:
    browser = await dual.signed_in("security-admin")
    assert (await refused(browser, digest="0" * 64)).status_code == 409
    await changed(dual)
    assert (await refused(browser, digest="0" * 64)).status_code == 409
    pending = dual.live.pending
    assert pending is not None
    assert (await refused(browser, digest=pending.digest, csrf="x")).status_code == 403
    assert (await browser.get("/policy/propose")).status_code == 405
    dual.clock.time += 301
    answer = await refused(browser, digest=pending.digest)
    assert answer.headers["location"] == "/sign-in/again?next=%2Fpolicy"
    assert "/sign-in/again?next=/policy" in (await browser.get("/policy")).text


@pytest.mark.parametrize("person", ["clerk-1", "approver-a", "auditor", "operator"])
async def test_others_neither_propose_nor_decide(dual: World, person: str) -> None:
    here = await proposed(dual, await dual.signed_in("security-admin"))
    browser = await dual.signed_in(person)
    csrf = csrf_of((await browser.get("/inbox")).text)
    pending = dual.live.pending
    assert pending is not None
    assert (await browser.post("/policy/propose", csrf=csrf, digest=pending.digest)).status_code == 403
    answer = await browser.post(f"{here}/approve", csrf=csrf, revision="1", payload_hash="0" * 64)
    assert answer.status_code in (403, 404, 409)
    page = await browser.get(here)
    assert page.status_code in (200, 404)
    assert "sales-orders.list" not in page.text


async def test_who_reads_one_tenant_is_told_that_there_is_more(tmp_path: Path) -> None:
    path = copy_deployment(tmp_path)
    with path.open("a", encoding="utf-8") as file:
        file.write("\npolicy: {activation: dual}\n")
    edit(tmp_path / "policies" / "policy.csv", "# end\n", "p, approver-b, demo, policy.read, allow\n# end\n")
    async with world(path, tmp_path) as console:
        await changed(console, f"{ROW}p, finch, other, payments.get, allow\n")
        browser = await console.signed_in("approver-b")
        page = await browser.get("/policy")
        assert "tour demo sales-orders.list@v1 call" in text(page)
        assert "Part of the change is about what you do not see." in text(page)
        assert "finch" not in page.text
        assert "/policy/propose" not in page.text
        assert console.live.pending is not None
        assert (await refused(browser, digest=console.live.pending.digest)).status_code == 403
        assert "finch" in text(await (await console.signed_in("security-admin")).get("/policy"))


async def test_a_proposal_is_read_in_chinese(dual: World) -> None:
    here = await proposed(dual, await dual.signed_in("security-admin"))
    browser = await dual.signed_in("security-admin-2", **{"accept-language": "zh-CN"})
    told = text(await browser.get(here))
    assert "策略更改" in told
    assert "调用" in told
    assert "一经您批准，所有调用即按此策略判定。" in told


async def test_where_files_are_live_at_once_there_is_nothing_to_propose(own: World) -> None:
    browser = await own.signed_in("security-admin")
    assert (await refused(browser, digest="0" * 64)).status_code == 409
    assert "as soon as good files are saved" in text(await browser.get("/policy"))
