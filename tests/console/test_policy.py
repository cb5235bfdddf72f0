"""The security admin's pages: what is live, who may call what, and why."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from gateway.console.policy import NAMES_SHOWN, OPERATIONS_SHOWN
from gateway.people import DEMO_PEOPLE
from gateway.policy.file import read_policy
from gateway.policy.index import compile_policy
from tests.console.world import World, policy_of, text
from tests.support import edit

PAGES = ("/policy", "/policy/live", "/policy/matrix", "/policy/why", "/policy/why?who=oa&operation=payments.get@v1")


# --- who ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
async def test_they_are_for_those_who_may_read_the_policy(console: World, path: str) -> None:
    answers = {person: (await (await console.signed_in(person)).get(path)).status_code for person in DEMO_PEOPLE}
    readers = {"security-admin", "security-admin-2"}
    assert answers == {person: 200 if person in readers else 403 for person in DEMO_PEOPLE}
    stranger = await console.browser().get(path)
    assert stranger.status_code == (401 if path == "/policy/live" else 303)


async def test_the_menu_has_them_for_those_only(console: World) -> None:
    for person, offered in (("security-admin", True), ("auditor", False), ("clerk-1", False)):
        page = (await (await console.signed_in(person)).get("/inbox")).text
        assert ('href="/policy"' in page) is offered


async def test_who_reads_the_policy_of_one_tenant_sees_nothing_of_another(own: World) -> None:
    policy = policy_of(own)
    text_ = policy.read_text("utf-8")
    rows = "p, finch, other, payments.get, allow\np, heron, *, payments.get, allow\ng, kestrel, finch, other\n# finch of other\n"
    policy.write_text(text_.replace("security-admin,   *, ", "security-admin,   demo, ").replace("# end\n", rows + "# end\n"))
    assert await own.live.reload()
    policy.write_text(policy.read_text("utf-8").replace("finch, other, payments.get, allow", "finch, other, payments.get, Allow"))
    assert not await own.live.reload()
    browser = await own.signed_in("security-admin")
    seen = ""
    for path in (*PAGES, "/policy/matrix?tenant=other", "/policy/why?tenant=other&who=kestrel&operation=payments.get@v1"):
        answer = await browser.get(path)
        assert answer.status_code == 200
        seen += text(answer).replace("kestrel of tenant demo", "").replace("names kestrel", "").replace("kestrel does not", "")
    assert "finch" not in seen
    assert "other, " not in seen
    assert "This is about rows you do not see." in seen
    assert "heron" in seen
    assert "You see the rows about demo and about every tenant." in seen
    assert '<option value="other"' not in (await browser.get("/policy/matrix")).text


# --- who may call what -------------------------------------------------------------------------------------------------


async def test_the_table_tells_what_is_allowed_and_through_whom(console: World) -> None:
    browser = await console.signed_in("security-admin")
    page = (await browser.get("/policy/matrix?tenant=demo&names=wms")).text
    cells = dict(re.findall(r'href="/policy/why\?tenant=demo&amp;who=wms&amp;operation=([^"]+)" title="([^"]+)"', page))
    assert cells["stock.get%40v1"] == "Allowed, by a row of its own"
    assert cells["sales-orders.list%40v1"] == "Denied, through warehouse"
    assert cells["purchase-orders.get%40v1"] == "Allowed, through warehouse, some fields only"
    assert cells["payments.get%40v1"] == "No row"
    assert cells["policy.read"] == "No row"
    page = (await browser.get("/policy/matrix?names=oa&operations=payments")).text
    cells = dict(re.findall(r'who=oa&amp;operation=([^"]+)" title="([^"]+)"', page))
    assert cells == {
        "payments.create%40v1": "Allowed, by a row of its own, as part of payments.write",
        "payments.get%40v1": "Allowed, by a row of its own, as part of payments.write",
    }


async def test_other_tenants_are_asked_and_found_nothing_is_said(console: World) -> None:
    browser = await console.signed_in("security-admin")
    page = text(await browser.get("/policy/matrix?tenant=*"))
    assert "security-admin" in page
    assert "finance-approver" not in page
    for query in ("names=nobody-is-called-so", "operations=nothing", "names=%00", "down=9999999999&across=-1&names=x" * 9):
        answer = await browser.get(f"/policy/matrix?{query}")
        assert answer.status_code == 200
        assert "Nothing is called so." in answer.text


async def test_a_page_shows_a_part_of_a_large_policy(console: World, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = console.live.snapshot
    lines = [
        *(f"p, r{number:05}, demo, payments.get, allow" for number in range(3000)),
        "p, security-admin, *, policy.read, allow",
    ]
    file = read_policy("policy.csv", ("\n".join(lines) + "\n# end\n").encode())
    runtime = replace(snapshot.runtime, policy=compile_policy(file))
    routes = tuple(replace(snapshot.routes[0], operation=f"op.{number}", public=False) for number in range(100))
    deployment = replace(snapshot.deployment, policies=replace(snapshot.deployment.policies, policy=file))
    large = replace(snapshot, runtime=runtime, routes=routes, deployment=deployment)
    monkeypatch.setattr(console.live, "snapshot", large)
    browser = await console.signed_in("security-admin")
    page = (await browser.get("/policy/matrix?names=r0&down=2")).text
    assert page.count('<th scope="row">') == NAMES_SHOWN
    assert page.count("<td><a") == NAMES_SHOWN * OPERATIONS_SHOWN
    assert "r00050" in page
    assert "r00100" not in page
    assert "Names: page 2 of 60" in page
    turns = [html.unescape(link) for link in re.findall(r'<nav class="turn".*?</nav>', page, re.DOTALL)]
    assert len(turns) == 2
    following = re.findall(r'href="([^"]+)"', turns[1])[-1]
    assert "Operations: page 2 of 4" in (await browser.get(following)).text


# --- why ---------------------------------------------------------------------------------------------------------------


async def test_an_answer_has_its_reasons_and_their_lines(console: World) -> None:
    browser = await console.signed_in("security-admin")
    told = text(await browser.get("/policy/why?who=wms&operation=sales-orders.list@v1"))
    assert "✕ Denied wms of tenant demo may not call sales-orders.list@v1." in told
    assert "denies warehouse in tenant * sales-orders.list: wms → warehouse" in told
    assert "p, warehouse, *, sales-orders.list, deny" in told
    assert "g, wms, warehouse, demo" in told
    told = text(await browser.get("/policy/why?who=crm&operation=payments.get@v1"))
    assert "No row matches." in told
    assert "would allow it, but crm does not hold the role finance-approver in tenant demo." in told
    told = text(await browser.get("/policy/why?who=crm&operation=payments.get@v1&roles=a,+finance-approver&tenant=demo"))
    assert "✓ Allowed crm of tenant demo may call payments.get@v1." in told
    assert text(await browser.get("/policy/why?who=security-admin&operation=policy.read")).count("may call policy.read.") == 1


async def test_a_cell_leads_to_its_answer(console: World) -> None:
    browser = await console.signed_in("security-admin")
    page = (await browser.get("/policy/matrix?names=shop&operations=payments.get")).text
    link = re.findall(r'href="(/policy/why\?[^"]+who=shop[^"]+)"', page)[0]
    told = text(await browser.get(html.unescape(link)))
    assert "leaves shop in tenant demo records with entity 2000" in told


@pytest.mark.parametrize(
    ("query", "allowed"),
    [("", True), ("&address=127.0.0.1", True), ("&address=192.0.2.1", False), ("&address=nowhere", False)],
)
async def test_conditions_are_judged_where_they_are_asked_about(console: World, query: str, allowed: bool) -> None:
    browser = await console.signed_in("security-admin")
    told = text(await browser.get(f"/policy/why?who=mes&operation=purchase-orders.create@v1{query}"))
    assert ("✓ Allowed" in told) is allowed
    assert ("which does not hold" in told) is not allowed


async def test_a_time_is_judged_where_it_is_asked_about(own: World) -> None:
    edit(policy_of(own), "# end\n", "p4, mes, demo, stock.get, time, Mon-Fri 08:00-18:00 UTC\n# end\n")
    assert await own.live.reload()
    browser = await own.signed_in("security-admin")
    for moment, allowed in (("", True), ("2026-11-20T12:00", True), ("2026-11-21T12:00", False)):
        told = text(await browser.get(f"/policy/why?who=mes&operation=stock.get@v1&at={moment}"))
        assert ("✓ Allowed" in told) is allowed, moment


@pytest.mark.parametrize("at", ["tomorrow", "9999-99-99T00:00", "0001-01-01T00:00"])
async def test_a_moment_is_a_moment(console: World, at: str) -> None:
    browser = await console.signed_in("security-admin")
    answer = await browser.get(f"/policy/why?who=mes&operation=stock.get@v1&at={at}")
    assert answer.status_code in (200, 400)
    assert answer.status_code == 200 or "Write date and time as" in answer.text


async def test_strangers_and_unknown_operations_are_told(console: World) -> None:
    browser = await console.signed_in("security-admin")
    told = text(await browser.get("/policy/why?who=%3Cb%3E&operation=payments.get"))
    assert "No row for demo names <b>, nor is it a satellite." in told
    assert "<b> of tenant demo may not call payments.get@v1." in told
    assert "No route has the operation payments.put." in text(await browser.get("/policy/why?who=oa&operation=payments.put"))
    assert "Say who, and which operation." in text(await browser.get("/policy/why?operation=payments.get@v1"))


async def test_reasons_are_told_in_chinese(console: World) -> None:
    browser = await console.signed_in("security-admin", **{"accept-language": "zh-CN"})
    told = text(await browser.get("/policy/why?who=wms&operation=sales-orders.list@v1"))
    assert "租户 demo 的 wms 不可以调用 sales-orders.list@v1。" in told
    assert re.search(r"拒绝租户 \* 的 warehouse 调用 sales-orders.list：wms → warehouse（第 \d+ 行）。", told)
    assert "权限矩阵" in text(await browser.get("/policy/matrix"))
