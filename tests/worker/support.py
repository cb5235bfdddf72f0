"""A real ledger with a held payment in it, a clock to turn, and a server on loopback that behaves as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from typing import Any

from sqlalchemy import select

from gateway.documents import tables
from gateway.documents.ledger import Ledger
from gateway.documents.records import Document, Hold, Request, Terms, apply, claim, find, receive
from gateway.documents.states import Event, State
from gateway.documents.work import Work

START = 1_800_000_000.0
ACCOUNT = "6222021234567890123"


@dataclass
class Hands:
    """Implements ``gateway.ports.Clock``; a test moves its hands."""

    at: float = START

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class World:
    """The ledger, and what tests do with it."""

    ledger: Ledger
    clock: Hands

    async def hold(self, id_: str = "d1", *, callback: bool = False, hold: Mapping[str, Any] = {}, **fields: Any) -> Document:
        document = replace(draft(id_, self.clock.at, **fields), hold=question(self.clock.at, **hold))
        terms = Terms(callback=callback)
        return await self.ledger.write(lambda tx: receive(tx, document, Event.HOLD, terms=terms))

    async def step(self, id_: str, event: Event, *, callback: bool = False, **changes: Any) -> Document:
        def unit(tx: Any) -> Document:
            document = find(tx.connection, id_)
            assert document is not None
            return apply(tx, document, event, actor="somebody", terms=Terms(callback=callback), **changes)

        return await self.ledger.write(unit)

    async def claim(self, *kinds: str, limit: int = 100) -> list[Work]:
        return await self.ledger.write(lambda tx: claim(tx, kinds, lease=60, limit=limit))

    async def work(self, *kinds: str) -> list[dict[str, Any]]:
        """The rows, data decoded."""
        query = select(tables.work).where(tables.work.c.kind.in_(kinds)).order_by(tables.work.c.id)
        rows = await self.ledger.read(lambda connection: connection.execute(query).mappings().all())
        return [{**row, "data": json.loads(row["data"])} for row in rows]

    async def audit(self, prefix: str) -> list[dict[str, Any]]:
        query = select(tables.audit.c.entry).order_by(tables.audit.c.seq)
        entries = await self.ledger.read(lambda connection: [json.loads(e) for e in connection.execute(query).scalars()])
        return [entry for entry in entries if entry["kind"].startswith(prefix)]


def draft(id_: str, now: float, **fields: Any) -> Document:
    request = Request("POST", "/api/v1/payments", "", {}, "application/json", b"{}")
    document = Document(
        id=id_,
        operation="payments.create",
        version="v1",
        satellite="oa",
        tenant="demo",
        roles=(),
        state=State.RECEIVED,
        seq=0,
        revision=1,
        delivery="queued",
        key=None,
        fingerprint="f" * 64,
        request=request,
        received_at=now,
        updated_at=now,
    )
    return replace(document, **fields)


def question(now: float, **fields: Any) -> Hold:
    payees = [{"account": ACCOUNT, "name": "Acme Trading", "amount": "500000.01"}]
    hold = Hold(
        rule="payments.create",
        required=2,
        approvers="finance-approver",
        reasons=({"code": "over_threshold"},),
        facts={"amount": "500000.01", "currency": "CNY", "entity": "CN01", "payees": payees},
        payload_hash="a" * 64,
        initiator="clerk-1",
        editors=(),
        expires_at=now + 72 * 3600,
        remind_at=now + 4 * 3600,
        remind_every=4 * 3600,
        escalate_at=now + 24 * 3600,
        escalate_to="cfo",
        execute_within=24 * 3600,
    )
    return replace(hold, **fields)


# --- a server that behaves as it is told -------------------------------------------------------------------------------------


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """Answers each request with the next of ``answers``, the last one for ever: a status, or ``hang`` until released, ``drop``
    the connection, ``flood`` with a body that is too large."""

    port: int = 0
    answers: list[int | str] = field(default_factory=lambda: [200])
    received: list[Received] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def next(self) -> int | str:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.answer(self.rfile.read(int(self.headers["content-length"])))

        def do_GET(self) -> None:
            self.answer(b"")

        def answer(self, body: bytes) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.received.append(Received(self.command, self.path, headers, body))
            match server.next():
                case "hang":
                    server.released.wait(60)
                    self.close_connection = True
                case "drop":
                    self.close_connection = True
                case "flood":
                    self.send_response(200)
                    self.send_header("content-length", str(10**9))
                    self.end_headers()
                    self.wfile.write(b"x" * 4096)
                    self.close_connection = True
                case int(status):
                    self.send_response(status)
                    if 300 <= status < 400:
                        self.send_header("location", f"http://{server.host}/elsewhere")
                    self.send_header("content-length", "0")
                    self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler
