"""What the tests of sending share: a route that records its writes over a real ledger, and an ERP that does as it is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from gateway.documents import tables
from gateway.documents.ledger import Ledger, open_ledger
from gateway.documents.records import Document, Terms, find
from gateway.exchange import Exchange, Headers, Outgoing, Principal, Reply, Request, Whole
from gateway.holding import Asking
from gateway.pipeline import compose
from gateway.protocols import json_http
from gateway.sending import Writing
from gateway.stages.prepare import Prepare, Reads
from gateway.stages.record import Record
from tests.desk.world import TARGET, approvals
from tests.documents.support import KEY, HandClock

BOOKED = Reply(201, value={"number": "P-1"})
CLERK = "clerk-1"


@dataclass
class Erp:
    """Implements ``gateway.ports.Operation``: gives the next of ``answers``, the last one for ever, and keeps what came."""

    answers: list[Reply | Exception | Callable[[], Awaitable[Reply]]] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)

    def prepare(self, exchange: Exchange) -> Outgoing:
        content = exchange.content if exchange.value.__class__.__name__ == "_Absent" else json_http.dumps(exchange.value)
        return Outgoing("POST", "/payments", [(b"x-request-id", exchange.id.encode())], content)

    async def send(self, outgoing: Outgoing) -> Reply:
        self.sent.append(outgoing)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Reply):
            return Reply(answer.status, list(answer.headers), answer.value, answer.body)
        return await answer()

    def request_schema(self) -> dict[str, Any] | None:
        return None

    def answer_schema(self) -> dict[str, Any] | None:
        return None

    def refusals(self) -> Mapping[str, tuple[int, dict[str, Any]]]:
        return {}


def payment(amount: str = "12.50", account: str = "6222020200112233", **changes: Any) -> dict[str, Any]:
    body = {"externalNumber": "OA-1", "amount": amount, "currency": "CNY", "entity": "1000", "initiator": CLERK}
    return body | {"payee": {"account": account, "name": "Huaxing Steel"}} | changes


async def _done(exchange: Exchange) -> Reply:
    return Reply(204)


@dataclass
class World:
    """A route ``payments.create`` with its ledger and its ERP."""

    ledger: Ledger
    clock: HandClock
    erp: Erp = field(default_factory=lambda: Erp([BOOKED]))

    def writing(self, *, reads: Reads = "json", ruled: bool = False, **changes: Any) -> Writing:
        prepare: Any = Prepare(self.erp, reads).build(None)  # type: ignore[arg-type]
        facts: dict[str, Any] = {
            "operation": "payments.create",
            "version": "v1",
            "delivery": "inline",
            "target": TARGET,
            "prepare": compose([prepare], _done),
            "call": self.erp,
            "terms": Terms(lease=20.0, backoff=(2, 10), window=5.0, probes=(5, 30), callback=True),
            "rule": approvals().rules["payments.create"] if ruled else None,
        }
        return Writing(**facts | changes)

    def stage(self, writing: Writing, **changes: Any) -> Record:
        asking = Asking(approvals(), "payments.create")
        return Record(writing, self.ledger, self.clock, asking, lambda exchange, facts: (facts.initiator, ()), **changes)

    async def post(
        self,
        body: object,
        *,
        writing: Writing | None = None,
        key: str | bytes | None = None,
        headers: Headers | None = None,
        who: Principal | None = None,
        path: str = "/api/v1/payments",
        **stage: Any,
    ) -> Reply:
        """One call, through reading and recording."""
        writing = writing or self.writing()
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent: Headers = [(b"content-type", b"application/json"), *(headers or [])]
        if key is not None:
            sent.append((b"idempotency-key", key.encode() if isinstance(key, str) else key))
        exchange = Exchange(Request("POST", path, "", sent, Whole(content)), "r-1", "payments.create", "v1", {})
        exchange.principal = who or Principal("oa", "demo")
        self.exchange = exchange
        await writing.prepare(exchange)
        reply: Reply = await self.stage(writing, **stage).build(None)(exchange, _done)  # type: ignore[arg-type]
        return reply

    async def documents(self) -> list[Document]:
        def look(connection: Connection) -> list[Document]:
            ids = connection.execute(select(tables.documents.c.id).order_by(tables.documents.c.id)).scalars()
            return [document for id_ in ids if (document := find(connection, id_)) is not None]

        return await self.ledger.read(look)

    async def only(self) -> Document:
        (document,) = await self.documents()
        return document

    async def find(self, id_: str) -> Document:
        found = await self.ledger.read(lambda connection: find(connection, id_))
        assert found is not None
        return found

    async def audit(self) -> list[dict[str, Any]]:
        query = select(tables.audit.c.entry).order_by(tables.audit.c.seq)
        return [json.loads(row.entry) for row in await self.ledger.read(lambda c: c.execute(query).all())]

    async def kinds(self) -> list[str]:
        """Of the work to be done but what only tells somebody."""
        query = select(tables.work.c.kind).order_by(tables.work.c.at, tables.work.c.id)
        kinds = await self.ledger.read(lambda c: list(c.execute(query).scalars()))
        return [kind for kind in kinds if kind not in ("callback", "ask", "remind", "escalate")]


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    clock = HandClock()
    async with open_ledger(f"sqlite:///{folder}/ledger.db", KEY, clock) as ledger:
        yield World(ledger, clock)
