"""Traffic that behaves like real satellites and real people: both repeat what got no answer until they get one.

What was acknowledged is written down here, by whoever was told; the oracle holds the gateway to it afterwards.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from gateway.demo.tour import order, payment

SATELLITES = 6
DESKS = 6
"""How many documents people decide on at once."""
PAUSE = (0.05, 0.5)
CALL_TIMEOUT = 12.0
APPROVERS = ("approver-a", "approver-b", "cfo")

MISCHIEF = {
    "drop_after_commit": 5,
    "drop_before": 2,
    "http500": 2,
    "html502": 4,
    "delay": 2,
    "hold": 1,
    "truncate": 1,
}
"""How the ERP misbehaves, and how often in proportion."""


@dataclass
class Acknowledged:
    """What satellites and people were told.

    :param documents: by external number, the document's id and the status it was told with.
    :param votes: document, person and decision of each vote a page confirmed.
    :param strange: answers nobody planned for.
    """

    documents: dict[str, tuple[str, int]] = field(default_factory=dict)
    votes: list[tuple[str, str, str]] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)
    unanswered: int = 0


@dataclass
class Load:
    """:param edges: addresses of the public port, :param consoles: of the internal one; any of them may be gone.
    :param browsers: one for each person of ``APPROVERS``, with its own cookies."""

    edges: Sequence[str]
    consoles: Sequence[str]
    dice: random.Random
    client: httpx.AsyncClient
    browsers: Mapping[str, httpx.AsyncClient]
    told: Acknowledged = field(default_factory=Acknowledged)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    tokens: dict[str, str] = field(default_factory=dict)
    held: asyncio.LifoQueue[str | None] = field(default_factory=asyncio.LifoQueue)
    """The newest first: whoever is behind does not decide on what has expired."""
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def run(self) -> None:
        """Until ``stop`` is set and everything handed in was answered."""
        async with asyncio.TaskGroup() as people:
            voters = [people.create_task(self._decide()) for _ in range(DESKS)]
            async with asyncio.TaskGroup() as satellites:
                for _ in range(SATELLITES):
                    satellites.create_task(self._satellite())
            for _ in voters:
                self.held.put_nowait(None)

    # --- satellites ----------------------------------------------------------------------------------------------------------

    async def _satellite(self) -> None:
        while not self.stop.is_set():
            client, path, body = self._document()
            await self._hand_in(client, path, body)
            await asyncio.sleep(self.dice.uniform(*PAUSE))

    def _document(self) -> tuple[str, str, dict[str, Any]]:
        number = next(self.numbers)
        external, kind = f"CHAOS-{number:07}", self.dice.random()
        if kind < 0.15:
            return "mes", "/api/v1/purchase-orders", order(external, 1)
        if kind < 0.3:
            about = {"sku": "000123", "warehouse": "W01", "quantity": "1.000", "unit": "PC", "direction": "in"}
            return "wms", "/api/v1/stock-movements", {"externalNumber": external, **about}
        amount = f"{number}.50" if kind < 0.6 else f"{500_000 + number}.01"
        body = payment(external, "4711", amount)
        body["payee"]["account"] = f"6222{number:015}"
        return "oa", "/api/v1/payments", body

    async def _hand_in(self, client: str, path: str, body: dict[str, Any]) -> None:
        """Until it is answered, always with the same key; now and then once more, which must change nothing."""
        external = body["externalNumber"]
        key = {"idempotency-key": f"key-{external}"}
        answer = await self._insist(lambda: self._call(client, "POST", path, body, key))
        self.told.statuses[f"{path.rpartition('/')[2]} {answer.status_code}"] += 1
        if answer.status_code not in (201, 202):
            self.told.strange.append(f"{external}: {answer.status_code} {answer.text[:500]}")
            return
        document = answer.headers["document-id"]
        self.told.documents[external] = (document, answer.status_code)
        if answer.status_code == 202 and answer.json()["state"] == "held":
            await self._held(client, document)
        if self.dice.random() < 0.1:
            again = await self._insist(lambda: self._call(client, "POST", path, body, key))
            if again.headers.get("document-id") != document:
                self.told.strange.append(f"{external}: {document}, and when asked again {again.status_code} {again.text[:500]}")

    async def _held(self, client: str, document: str) -> None:
        fate = self.dice.random()
        if fate < 0.08:
            answer = await self._insist(lambda: self._call(client, "DELETE", f"/api/documents/{document}", None, {}))
            self.told.statuses[f"recall {answer.status_code}"] += 1
        elif fate < 0.84:
            self.held.put_nowait(document)
        # the others are left to their deadlines

    async def _call(self, client: str, method: str, path: str, body: object, headers: dict[str, str]) -> httpx.Response:
        base = self.dice.choice(self.edges)
        token = self.tokens.get(client) or await self._token(base, client)
        headers = {"authorization": f"Bearer {token}", **headers}
        answer = await self.client.request(method, base + path, json=body, headers=headers)
        if answer.status_code == 401:
            self.tokens.pop(client, None)
        return answer

    async def _token(self, base: str, client: str) -> str:
        form = {"grant_type": "client_credentials"}
        answer = await self.client.post(f"{base}/oauth/token", auth=(client, f"demo-{client}"), data=form)
        answer.raise_for_status()
        token: str = answer.json()["access_token"]
        self.tokens[client] = token
        return token

    async def _insist(self, call: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """The first answer that is one: nothing, 401, 409 in flight, 429 and 5xx are repeated."""
        self.told.unanswered += 1
        while True:
            try:
                answer = await call()
            except httpx.HTTPError:
                self.told.statuses["no answer"] += 1
            else:
                if answer.status_code < 500 and answer.status_code not in (401, 429) and not _in_flight(answer):
                    self.told.unanswered -= 1
                    return answer
                self.told.statuses[f"repeated {answer.status_code}"] += 1
            await asyncio.sleep(self.dice.uniform(0.1, 0.6))

    # --- people --------------------------------------------------------------------------------------------------------------

    async def _decide(self) -> None:
        while (document := await self.held.get()) is not None:
            people = self.dice.sample(APPROVERS, 2)
            if self.dice.random() < 0.1:
                await self._vote(people[0], document, "reject")
            elif self.dice.random() < 0.5:
                await asyncio.gather(*(self._vote(person, document, "approve") for person in people))
            else:
                for person in people:
                    await self._vote(person, document, "approve")

    async def _vote(self, person: str, document: str, decision: str) -> None:
        """Until a page confirms it, or has no such button any more."""
        while True:
            try:
                done = await self._try_to_vote(self.browsers[person], person, document, decision)
            except httpx.HTTPError:
                self.told.statuses["console: no answer"] += 1
                done = False
            if done:
                return
            await asyncio.sleep(self.dice.uniform(0.1, 0.6))

    async def _try_to_vote(self, browser: httpx.AsyncClient, person: str, document: str, decision: str) -> bool:
        base = self.dice.choice(self.consoles)
        page = await browser.get(f"{base}/documents/{document}")
        if page.status_code == 303:
            await browser.post(f"{base}/sign-in/demo", data={"person": person, "next": "/inbox"})
            return False
        if "/sign-in/again" in page.text:
            await self._confirm(browser, base, person)
            return False
        form = _form(page.text, f"/documents/{document}/{decision}")
        if page.status_code != 200 or form is None:
            self.told.statuses[f"console: page {page.status_code}, nothing to {decision}"] += 1
            return page.status_code < 500
        if decision == "reject":
            form["reason"] = "Not ours."
        answer = await browser.post(f"{base}/documents/{document}/{decision}", data=form)
        self.told.statuses[f"console: {decision} {answer.status_code}"] += 1
        if answer.status_code == 303 and "/sign-in" not in answer.headers["location"]:
            self.told.votes.append((document, person, decision))
            return True
        return False

    async def _confirm(self, browser: httpx.AsyncClient, base: str, person: str) -> None:
        """Who approves proves every few minutes to be there."""
        page = await browser.get(f"{base}/sign-in/again")
        await browser.post(f"{base}/sign-in/demo", data={**(_form(page.text, "/sign-in/demo") or {}), "person": person})


def _in_flight(answer: httpx.Response) -> bool:
    return answer.status_code == 409 and answer.json()["type"].endswith("idempotency-key-in-use")


def _form(page: str, action: str) -> dict[str, str] | None:
    """The hidden fields of the form of a page that posts there."""
    found = re.search(rf'<form[^>]* action="{re.escape(action)}"[^>]*>(.*?)</form>', page, re.DOTALL)
    if found is None:
        return None
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', found[1]))


# --- the ERP -----------------------------------------------------------------------------------------------------------------


async def misbehave(control: Callable[..., None], dice: random.Random, stop: asyncio.Event) -> Counter[str]:
    """Arm one trick after the other until told to stop, then take all back. Returns how many of each."""
    armed: Counter[str] = Counter()
    while not stop.is_set():
        service = dice.choice(("finance", "finance", "finance", "procurement", "inventory"))
        mode = dice.choices(list(MISCHIEF), list(MISCHIEF.values()))[0]
        settings = {"seconds": dice.uniform(0.2, 2.5)} if mode == "delay" else {}
        await asyncio.to_thread(control, service, mode, **settings)
        armed[mode] += 1
        await asyncio.sleep(dice.uniform(0.3, 1.2))
        if mode == "hold" and dice.random() < 0.5:
            await asyncio.to_thread(control, service, "release")
    for service in ("finance", "procurement", "inventory"):
        await asyncio.to_thread(control, service, "clear")
    return armed
