"""The scripted tour: satellites call the gateway, and beside each call stands what the ERP saw of it.

Every step names the status it expects; the tour is good only if each step had it.
"""

from __future__ import annotations

import base64
import http.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from lxml import etree
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gateway.demo.people import Browser

Json = Any
Journal = Callable[[int], list[dict[str, Json]]]
SHOWN_LINES = 40
SIDE_BY_SIDE = 100
"""Columns a terminal needs for two panels beside each other."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Json


@dataclass(frozen=True, slots=True)
class Step:
    """One call and the status it must have. ``repeat`` calls are made; the last one counts."""

    title: str
    client: str
    method: str
    path: str
    expect: int
    body: Json = None
    repeat: int = 1


@dataclass(slots=True)
class Caller:
    """A satellite: an HTTP client with a token of its own."""

    base: str
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, client: str) -> str:
        if client not in self.tokens:
            credentials = base64.b64encode(f"{client}:demo-{client}".encode()).decode()
            headers = {"authorization": f"Basic {credentials}", "content-type": "application/x-www-form-urlencoded"}
            answer = self.send("POST", "/oauth/token", headers, b"grant_type=client_credentials")
            self.tokens[client] = answer.body["access_token"]
        return self.tokens[client]

    def call(self, step: Step) -> Answer:
        headers = {"accept": "application/json", "authorization": f"Bearer {self.token(step.client)}"}
        data = None
        if step.body is not None:
            headers["content-type"] = "application/json"
            headers["idempotency-key"] = f"tour-{step.body['externalNumber']}"
            data = orjson.dumps(step.body)
        return self.send(step.method, step.path, headers, data)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            data = response.read()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, orjson.loads(data) if data else None)
        finally:
            connection.close()


def order(number: str, lines: int) -> Json:
    """A purchase order of so many lines."""
    units = ("PC", "KG", "M")
    return {
        "externalNumber": number,
        "supplierCode": "1007",
        "orderDate": "2026-11-20",
        "currency": "CNY",
        "note": "Weekly replenishment",
        "lines": [
            {
                "lineNumber": line,
                "sku": f"{line * 7 % 1000:06}",
                "quantity": f"{line}.500",
                "unit": units[line % 3],
                "unitPrice": f"{line * 3}.25",
                "deliveryDate": f"2026-12-{line % 28 + 1:02}",
            }
            for line in range(1, lines + 1)
        ],
    }


def payment(number: str, payee: str, amount: str, *, account: str = "6222020200112233") -> Json:
    return {
        "externalNumber": number,
        "initiator": "clerk-1",
        "entity": "1000",
        "payee": {"code": payee, "name": "Falkenberg GmbH", "account": account},
        "amount": amount,
        "currency": "CNY",
        "dueDate": "2026-12-31",
        "purpose": "Invoice 2026-118",
    }


def steps() -> Iterator[Step]:
    misspelt = payment("OA-3", "4711", "10.00") | {"amuont": "10.00"}
    movement = {
        "externalNumber": "WMS-1",
        "sku": "000123",
        "warehouse": "W01",
        "quantity": "12.000",
        "unit": "PC",
        "direction": "in",
    }
    yield Step("MES orders material", "mes", "POST", "/api/v1/purchase-orders", 201, order("MES-1", 2))
    yield Step("and reads the order back", "mes", "GET", "/api/v1/purchase-orders/{number}", 200)
    yield Step("OA pays an invoice", "oa", "POST", "/api/v1/payments", 201, payment("OA-1", "4711", "12500.00"))
    limit = payment("OA-4", "4712", "500000.00", account="6222020200445566")
    yield Step("exactly CNY 500,000.00 goes straight through", "oa", "POST", "/api/v1/payments", 201, limit)
    yield Step("the same call again is the same payment", "oa", "POST", "/api/v1/payments", 201, limit)
    yield Step("WMS looks at stock", "wms", "GET", "/api/v1/stock/000123", 200)
    yield Step("and books a movement", "wms", "POST", "/api/v1/stock-movements", 201, movement)
    yield Step("CRM reads sales orders", "crm", "GET", "/api/v1/sales-orders?from=2026-11-01&to=2026-11-02", 200)
    yield Step("WMS may not read sales orders", "wms", "GET", "/api/v1/sales-orders?from=2026-11-01&to=2026-11-02", 403)
    yield Step("the ERP refuses an unknown payee", "oa", "POST", "/api/v1/payments", 422, payment("OA-2", "9999", "10.00"))
    yield Step("a misspelt field never reaches the ERP", "oa", "POST", "/api/v1/payments", 422, misspelt)
    yield Step("a client with a small limit calls too often", "tour", "GET", "/api/v1/stock/000007", 429, repeat=4)


def tour(base: str, desk: str, journal: Journal, console: Console) -> bool:
    """Run every step against the gateway at ``base``, and the approval at the console ``desk``, and print it. True when each had
    the expected outcome."""
    caller = Caller(base)
    good = _calls(caller, journal, console)
    return approval(caller, desk, journal, console) and good


def _calls(caller: Caller, journal: Journal, console: Console) -> bool:
    good = True
    last: Json = None
    for number, step in enumerate(steps(), 1):
        if "{number}" in step.path:
            step = Step(step.title, step.client, step.method, step.path.replace("{number}", str(last["number"])), step.expect)
        seen = max((entry["seq"] for entry in journal(0)), default=0)
        answer = caller.call(step)
        for _ in range(step.repeat - 1):
            answer = caller.call(step)
        fine = answer.status == step.expect
        good = good and fine
        last = answer.body
        _show(console, number, step, answer, fine, journal(seen))
    return good


def approval(caller: Caller, desk: str, journal: Journal, console: Console) -> bool:
    """One payment over the limit, from the satellite's call to the ERP's number. True when nothing was sent before two people
    agreed, and one booking was made after."""
    body = payment("OA-5", "4713", "500000.01", account="6222020200990011")
    step = Step("one fen more waits for two people", "oa", "POST", "/api/v1/payments", 202, body)
    answer = caller.call(step)
    _show(console, 13, step, answer, answer.status == step.expect, [])
    shown = {"revision": str(answer.body["revision"]), "payload_hash": answer.body["payload_hash"]}
    story = [
        ("clerk-1, who asked for it, tries to approve", "clerk-1", 403),
        ("approver-a approves", "approver-a", 200),
        ("approver-a approves once more", "approver-a", 409),
        ("approver-b approves", "approver-b", 200),
    ]
    good = answer.status == 202
    where = f"/documents/{answer.body['id']}"
    for number, (title, person, expect) in enumerate(story, 14):
        browser = Browser(desk, person)
        browser.sign_in()
        before = _bookings(journal, "OA-5")
        page = browser.press(browser.open(where), "/approve", **shown)
        fine = page.status == expect and not before
        good = good and fine
        said = page.text("//*[@class='alert' or @class='notice']")
        console.rule(f"[bold]{number}. {title}[/]  {_mark(fine, expect)}")
        console.print(f"the console says: {' '.join(said)}\nbooked in the ERP before: {before}", highlight=False)
    final = _settled(caller, f"/api{where}")
    bookings = _bookings(journal, "OA-5")
    good = good and final.body["state"] == "delivered" and bookings == 1
    console.rule(f"[bold]18. the satellite follows it[/]  {_mark(good, 200)}")
    console.print(f"GET /api{where}   (as oa)\n{_json(final.body)}\nbooked in the ERP: {bookings}", highlight=False, markup=False)
    auditor = Browser(desk, "auditor")
    auditor.sign_in()
    console.rule("[bold]19. the auditor reads what happened[/]")
    for line in auditor.open(where).text("//*[@class='timeline']/li"):
        console.print(f"  {line}", highlight=False, markup=False)
    return good


def _bookings(journal: Journal, number: str) -> int:
    return sum(entry["outcome"] == "booked" and number in entry["raw"] for entry in journal(0))


def _settled(caller: Caller, where: str) -> Answer:
    """The document once it is final, or as it is after a minute."""
    headers = {"authorization": f"Bearer {caller.token('oa')}"}
    answer = caller.send("GET", where, headers, None)
    for _ in range(6):
        if answer.status == 200 and answer.body["execution"] != "pending":
            break
        waiting = headers | {"prefer": "wait=10", "if-none-match": answer.headers["etag"]}
        answer = caller.send("GET", where, waiting, None)
    return answer


def _mark(fine: bool, expect: int) -> str:
    return "[green]as expected[/]" if fine else f"[red]expected {expect}[/]"


def _show(console: Console, number: int, step: Step, answer: Answer, fine: bool, entries: list[dict[str, Json]]) -> None:
    console.rule(f"[bold]{number}. {step.title}[/]  {answer.status} {_mark(fine, step.expect)}")
    rest = f"{step.method} {step.path}   (as {step.client})\n"
    if step.body is not None:
        rest += _json(step.body) + "\n"
    rest += f"\n{answer.status}"
    if "retry-after" in answer.headers:
        rest += f"   Retry-After: {answer.headers['retry-after']}   RateLimit: {answer.headers.get('ratelimit', '')}"
    rest += f"\n{_json(answer.body)}"
    left = _panel("the satellite's call", rest)
    right = _panel("what the ERP saw", _raw(entries[-1]) if entries else "nothing")
    if console.width < SIDE_BY_SIDE:
        console.print(left, right)
        return
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(left, right)
    console.print(grid)


def _panel(title: str, text: str) -> Panel:
    lines = text.splitlines()
    if len(lines) > SHOWN_LINES:
        lines = [*lines[: SHOWN_LINES - 1], "…"]
    return Panel(Text("\n".join(lines), overflow="fold"), title=title)


def _json(value: Json) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _raw(entry: dict[str, Json]) -> str:
    """The request as the ERP received it, indented."""
    raw = str(entry["raw"])
    if raw.startswith("<"):
        root = etree.fromstring(raw.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
        etree.indent(root)
        return str(etree.tostring(root, encoding="unicode"))
    request_line = f"{entry['operation']}"
    return f"{request_line}\n{_json(entry['request'])}" if raw else request_line
