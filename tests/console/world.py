"""A console over a real ledger and the example deployment, with a clock moved by hand, payments that wait, and somebody's
browser."""

from __future__ import annotations

import html
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

from gateway.activation import open_live
from gateway.approvals.facts import facts_of
from gateway.console.app import console
from gateway.counters.memory import MemoryCounters
from gateway.desk import Desk
from gateway.documents.decision_log import DecisionLog
from gateway.documents.ledger import Ledger, open_ledger
from gateway.documents.records import Document, Request, Terms, apply, find, receive
from gateway.documents.states import Event, State
from gateway.documents.transaction import Transaction
from gateway.holding import Asking, admit
from gateway.identity.fetch import KeyFetcher
from gateway.identity.jwks import KeyStore
from gateway.live import Live
from gateway.people import Person
from gateway.snapshot import Stores
from gateway.telemetry import Telemetry
from gateway.upstreams.stores import Clients, Contracts
from tests.documents.support import KEY, HandClock

OPERATION = "payments.create"
TARGET = "finance CreatePayment"
ACCOUNT = "6222020200112233"


@dataclass
class World:
    """What a test of the console works with. ``url`` is how browsers reach it."""

    app: ASGIApp
    live: Live
    ledger: Ledger
    desk: Desk
    clock: HandClock
    url: str = "http://127.0.0.1:8081"
    numbers: list[str] = field(default_factory=list)

    async def payment(self, **changes: Any) -> Document:
        """A payment handed in by ``oa`` for ``clerk-1``; it waits when the rule says so, else it is delivered at once."""
        body = {
            "externalNumber": f"OA-{len(self.numbers) + 1}",
            "amount": "500000.01",
            "currency": "CNY",
            "entity": "1000",
            "payee": {"name": "Falkenberg GmbH", "account": ACCOUNT},
            "initiator": "clerk-1",
            **changes,
        }
        return await self.ledger.write(lambda tx: self._receive(tx, body))

    def _receive(self, tx: Transaction, body: Mapping[str, Any]) -> Document:
        approvals = self.live.snapshot.approvals
        rule = approvals.rules[OPERATION]
        facts = facts_of(rule, body, TARGET)
        request = Request("POST", "/api/v1/payments", "", {}, "application/json", json.dumps(body).encode())
        id_ = uuid.uuid4().hex
        self.numbers.append(id_)
        document = Document(
            id_, OPERATION, "v1", "oa", "demo", (), State.RECEIVED, 0, 1, "inline", None, "f" * 64, request, tx.now, tx.now
        )
        reasons, payees = admit(tx.connection, rule, facts, operation=OPERATION, tenant="demo", now=tx.now)
        if not reasons:
            sent = receive(tx, document, Event.SEND, terms=Terms(), payees=payees)
            return apply(tx, sent, Event.DELIVER, actor="gateway", terms=Terms(), reference=f"50000{len(self.numbers)}")
        asking = Asking(approvals, OPERATION)
        hold = asking(rule, facts, reasons, body, initiator=facts.initiator, editors=(), revision=1, now=tx.now)
        return receive(tx, replace(document, hold=hold), Event.HOLD, terms=Terms(), payees=payees)

    async def step(self, document: str, *events: Event, **changes: Any) -> Document:
        """Let things happen to a document."""

        def unit(tx: Transaction) -> Document:
            moved = find(tx.connection, document)
            assert moved is not None
            for event in events:
                moved = apply(tx, moved, event, actor="gateway", terms=Terms(), **(changes if event is events[-1] else {}))
            return moved

        return await self.ledger.write(unit)

    async def vote(self, subject: str, document: Document) -> None:
        assert document.hold is not None
        person = Person(subject, subject, "demo", (), "demo")
        await self.desk.approve(person, document.id, revision=document.revision, payload_hash=document.hold.payload_hash)

    def browser(self, **headers: str) -> Browser:
        return Browser(self, headers)

    async def signed_in(self, subject: str, **headers: str) -> Browser:
        browser = self.browser(**headers)
        answer = await browser.post("/sign-in/demo", person=subject)
        assert answer.status_code == 303, answer.text
        return browser


class Browser:
    """A client that keeps cookies and fills in the hidden fields of the last page with a form, as a browser without scripts
    does."""

    def __init__(self, world: World, headers: Mapping[str, str]) -> None:
        transport = httpx.ASGITransport(world.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url=world.url, headers={"accept": "text/html", **headers})
        self.page = ""

    async def get(self, path: str, **headers: str) -> httpx.Response:
        answer = await self.http.get(path, headers=headers)
        if answer.status_code == 200:
            self.page = answer.text
        return answer

    async def post(self, path: str, **fields: str) -> httpx.Response:
        return await self.http.post(path, data=fields)

    async def submit(self, path: str, **fields: str) -> httpx.Response:
        """The form of the last page that goes to ``path``, with these fields filled in."""
        form = re.search(rf'<form[^>]*action="{re.escape(path)}".*?</form>', self.page, re.DOTALL)
        assert form is not None, f"no form to {path}"
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[0]))
        return await self.post(path, **{name: html.unescape(value) for name, value in hidden.items()} | fields)


@asynccontextmanager
async def world(
    files: Live | Path,
    folder: Path,
    url: str = "http://127.0.0.1:8081",
    change: Callable[[Stores], Stores] = lambda stores: stores,
) -> AsyncIterator[World]:
    """A console over a ledger in ``folder``. ``files`` is the deployment: its gateway.yaml, or one that was read before."""
    clock = HandClock()
    fetcher = KeyFetcher(folder)
    async with open_ledger(f"sqlite:///{folder / 'ledger.db'}", KEY, clock) as ledger:
        keys = KeyStore(fetcher, clock)
        log = DecisionLog(ledger, clock)
        stores = change(Stores(clock, Telemetry(), MemoryCounters(clock), Clients(), Contracts(), keys, fetcher, ledger, log))
        live = copy(files) if isinstance(files, Live) else await open_live(files, stores)
        live.stores = stores
        desk = Desk(ledger, lambda: live.snapshot, stores.clock, lambda *who: live.snapshot.decisions.refused(*who))
        try:
            yield World(console(live, desk, fetcher), live, ledger, desk, clock, url)
        finally:
            await keys.aclose()
            await fetcher.aclose()


def policy_of(console: World) -> Path:
    """The policy file of a console over files of its own."""
    return console.live.path.parent / "policies" / "policy.csv"


def text(answer: httpx.Response) -> str:
    """What a page says, without its marks."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.text)))
