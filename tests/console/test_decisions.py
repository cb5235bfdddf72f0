"""The auditor's page: what was decided about callers of the tenant, found by who, what, answer and time."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from gateway.console.decisions import PAGE
from gateway.documents.decisions import Search, decisions, record
from gateway.exchange import Principal
from gateway.people import DEMO_PEOPLE
from gateway.ports import Decided
from tests.console.world import World, text

NOON = 1_795_348_800.0
WMS = Principal("wms", "demo", ("night-shift",))
DENIAL = Decided(
    WMS,
    "sales-orders.list",
    "v1",
    False,
    "c0ffee" * 10 + "abcd",
    (("policies/policy.csv:48", "p, warehouse, *, sales-orders.list, deny"),),
    (("policies/policy.csv:50", "p4, warehouse, *, sales-orders.list, network, 10.0.0.0/8"),),
    ("network",),
    ("192.0.2.7", "192.0.2.8"),
    "r-4711",
    NOON,
    NOON,
)
REPORT = replace(
    DENIAL,
    principal=Principal("cfo", "demo"),
    operation="reports.finance",
    allowed=True,
    unmet=(),
    rows=(),
    limits=(),
    request="",
)
MORE = replace(REPORT, count=17, of=1, first=NOON + 60, last=NOON + 3600)


async def keep(console: World, *decided: Decided) -> None:
    for one in decided:
        await console.ledger.write(lambda tx, one=one: record(tx, one))  # type: ignore[misc]


@pytest.fixture
async def filled(console: World) -> World:
    await keep(console, DENIAL, REPORT, MORE, replace(DENIAL, principal=Principal("finch", "other")))
    return console


async def found(console: World, query: str = "", person: str = "auditor") -> list[str]:
    """Who is on the page, from top to bottom."""
    answer = await (await console.signed_in(person)).get(f"/decisions{query}")
    assert answer.status_code == 200, answer.text
    return re.findall(r'<td><span class="payee strong">([^<]+)</span>', answer.text)


async def test_they_are_for_auditors(console: World) -> None:
    answers = {person: (await (await console.signed_in(person)).get("/decisions")).status_code for person in DEMO_PEOPLE}
    assert answers == {person: 200 if person == "auditor" else 403 for person in DEMO_PEOPLE}
    assert (await console.browser().get("/decisions")).status_code == 303
    for person, offered in (("auditor", True), ("operator", False)):
        page = (await (await console.signed_in(person)).get("/inbox")).text
        assert ('href="/decisions"' in page) is offered


async def test_who_is_refused_a_page_is_on_it(own: World) -> None:
    browser = await own.signed_in("clerk-1")
    for path in ("/decisions", "/operations", "/policy"):
        assert (await browser.get(path)).status_code == 403
    found = await own.ledger.read(lambda connection: decisions(connection, Search()))
    assert [(one.principal.subject, one.operation, one.allowed) for one in reversed(found)] == [
        ("clerk-1", "documents.audit", False),
        ("clerk-1", "documents.operate", False),
        ("clerk-1", "policy.read", False),
    ]


async def test_each_shows_who_what_and_why(filled: World) -> None:
    shown = text(await (await filled.signed_in("auditor")).get("/decisions?who=wms"))
    for said in (
        "wms",
        "night-shift",
        "sales-orders.list",
        "@v1",
        "r-4711",
        "Denied",
        "not from this network",
        "p, warehouse, *, sales-orders.list, deny",
        "policies/policy.csv:48",
        "p4, warehouse, *, sales-orders.list, network, 10.0.0.0/8",
        "c0ffeec0ffee",
        "192.0.2.7",
        "192.0.2.8",
    ):
        assert said in shown
    shown = text(await (await filled.signed_in("auditor")).get("/decisions?who=cfo"))
    assert "17 more calls" in shown
    assert "no row" in shown


@pytest.mark.parametrize(
    ("query", "who"),
    [
        ("", ["cfo", "cfo", "wms"]),
        ("?who=wms", ["wms"]),
        ("?who=finch", []),
        ("?who=%27%20OR%201%3D1--", []),
        ("?operation=reports.finance", ["cfo", "cfo"]),
        ("?operation=reports.finance@v2", []),
        ("?answer=denied", ["wms"]),
        ("?answer=allowed&who=cfo", ["cfo", "cfo"]),
        ("?from=2026-11-22T12:30", ["cfo"]),
        ("?until=2026-11-22T12:00", ["cfo", "wms"]),
        ("?from=2026-11-22T13:01", []),
    ],
)
async def test_they_are_searched_in_the_tenant(filled: World, query: str, who: list[str]) -> None:
    assert await found(filled, query) == who


@pytest.mark.parametrize(
    ("query", "status"),
    [("answer=maybe", 404), ("before=x", 404), ("before=" + "9" * 40, 404), ("from=noon", 400), ("who=" + "x" * 300, 400)],
)
async def test_what_is_no_question_is_refused(console: World, query: str, status: int) -> None:
    assert (await (await console.signed_in("auditor")).get(f"/decisions?{query}")).status_code == status


async def test_older_ones_are_on_further_pages(console: World) -> None:
    await keep(console, *(replace(DENIAL, principal=Principal(f"s{n}", "demo")) for n in range(PAGE + 3)))
    browser = await console.signed_in("auditor")
    first = (await browser.get("/decisions?answer=denied")).text
    (older,) = re.findall(r'href="(/decisions\?[^"]*before=\d+)"', first)
    assert "answer=denied" in older
    second = (await browser.get(older.replace("&amp;", "&"))).text
    names: list[Any] = [re.findall(r'<span class="payee strong">(s\d+)</span>', page) for page in (first, second)]
    assert [len(page) for page in names] == [PAGE, 3]
    assert names[0] + names[1] == [f"s{n}" for n in reversed(range(PAGE + 3))]
    assert 'href="/decisions?answer=denied"' in second


async def test_names_that_hide_letters_are_shown(console: World) -> None:
    await keep(console, replace(DENIAL, principal=Principal("w\u202ems<script>", "demo")))
    page = (await (await console.signed_in("auditor")).get("/decisions")).text
    assert "\u202e" not in page
    assert "<script>alert" not in page
    assert "w⟨U+202E⟩ms&lt;script&gt;" in page
