"""The gateways the documents bench compares, over one fast upstream: one that records nothing, and one for each kind of ledger.

A gateway has the tested core; the upstream, PostgreSQL and the load have the other. Syncs are counted where they happen: those of
SQLite by strace, in a gateway of its own whose speed nobody measures; those of PostgreSQL by PostgreSQL, among them up to five a
second that its WAL writer makes unasked, which weigh on a slow machine.
"""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
import orjson

from bench._load import Call
from bench._machine import ROOT, Missing, Processes, cpu_seconds, free_port
from bench._servers import (
    Fixed,
    Wrong,
    edited,
    erp_answer,
    gateway_environment,
    render,
    serve,
    start_stub,
    unrecorded,
    write_deployment,
)
from gateway.demo.tour import Caller, payment
from tests.support import PostgresServer, postgres_programs

PAYMENTS = "/api/v1/payments"
BELOW, ABOVE = "12500.00", "600000.00"
BOOKED, HELD = 201, 202
QUIET_SHARE, QUIET_SECONDS, QUIET_TIMEOUT = 0.15, 0.3, 60.0
STATISTICS_SECONDS = 1.1
"""PostgreSQL's sessions tell what they did at the end of a transaction, but not twice within a second."""
STRACE = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "signal=none", "-e", "trace=fsync,fdatasync")


@dataclass(frozen=True, slots=True)
class Recorder:
    """A running gateway. ``store`` is direct, sqlite or postgres."""

    store: str
    pid: int
    base: str
    token: str

    def call(self) -> Call:
        return Call(self.base + PAYMENTS, "POST")

    def post(self, number: str, amount: str) -> httpx.Response:
        """One payment of its own."""
        body = orjson.dumps(payment(number, "4711", amount, account=number))
        return httpx.post(
            self.base + PAYMENTS, content=body, headers={**dict(self.headers), "Idempotency-Key": number}, timeout=30
        )

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return ("Authorization", f"Bearer {self.token}"), ("Content-Type", "application/json")

    def script(self, folder: Path, run: str, *, held: bool) -> Path:
        """The wrk script of a run, whose name no other has."""
        body = orjson.dumps(payment("@", "4711", ABOVE if held else BELOW, account="@")).decode()
        expected = HELD if held else BOOKED
        return render("payments.lua", folder / f"{run}.lua", run=run, headers=self.headers, body=body, expected=expected)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a ledger did so far. A commit is counted by its time, which all audit entries of one commit share."""

    documents: int
    commits: int
    syncs: int

    def since(self, earlier: Counts) -> Counts:
        return Counts(self.documents - earlier.documents, self.commits - earlier.commits, self.syncs - earlier.syncs)


class Counting(Protocol):
    """``recorder`` is the gateway to put load on between two calls of ``counts``."""

    @property
    def recorder(self) -> Recorder: ...

    def counts(self) -> Counts: ...


@dataclass(frozen=True, slots=True)
class SqliteCounting:
    recorder: Recorder
    ledger: Path
    trace: Path

    def counts(self) -> Counts:
        with closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as connection:
            documents, commits = connection.execute(_COUNTS.format("entry")).fetchone()
        calls = [line for line in self.trace.read_text("ascii").splitlines() if "sync(" in line]
        return Counts(documents, commits, len(calls))


@dataclass(slots=True)
class PostgresCounting:
    recorder: Recorder
    server: PostgresServer
    asked: int = 0

    def counts(self) -> Counts:
        """Makes the ledger's session tell what it did: one more payment, a while after the last."""
        time.sleep(STATISTICS_SECONDS)
        self.asked += 1
        _require(self.recorder.post(f"told{self.asked}", BELOW), BOOKED)
        documents, commits = self.server.sql(_COUNTS.format("entry::json")).split()
        return Counts(int(documents), int(commits), int(self.server.sql("SELECT wal_sync FROM pg_stat_wal")))


_COUNTS = "SELECT (SELECT count(*) FROM documents), (SELECT count(DISTINCT {} ->> 'at') FROM audit)"


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the bench's own, installed where that is allowed. Raises ``Missing``."""
    install = ["sh", str(ROOT / "tools" / "services.sh"), "postgresql"]
    outcome = subprocess.run(install, capture_output=True, text=True, check=False)
    programs = postgres_programs()
    if programs is None:
        raise Missing(f"PostgreSQL: apt-get install postgresql\n{outcome.stderr.strip()[-500:]}")
    server = PostgresServer(programs).start()
    try:
        yield server
    finally:
        server.stop()


class Recorders:
    """Starts the upstream and the gateways. ``tested`` is the gateways' core, ``other`` the upstream's."""

    def __init__(self, folder: Path, processes: Processes, database: PostgresServer, tested: int, other: int) -> None:
        self._folder = folder
        self._processes = processes
        self._database = database
        self._tested = tested
        self._other = other
        self._upstream = 0
        self._asked = 0

    def start(self) -> tuple[list[Recorder], list[Counting]]:
        """What to measure and what to count with. Raises ``Missing``, ``Wrong``."""
        fixed = Fixed("/soap/finance", "text/xml; charset=utf-8", erp_answer("finance", "CreatePayment", Payment=_ERP_PAYMENT))
        _, self._upstream = start_stub(self._processes, self._folder, self._other, [fixed])
        direct = self._gateway("direct")
        sqlite = self._gateway("sqlite")
        postgres = self._gateway("postgres", ledger=self._database.url())
        trace = self._folder / "syncs"
        traced = self._gateway("sqlite-traced", command=(*STRACE, "-o", str(trace)))
        ledger = self._folder / traced.store / "var" / "ledger.db"
        return [direct, sqlite, postgres], [SqliteCounting(traced, ledger, trace), PostgresCounting(postgres, self._database)]

    def check(self, recorders: list[Recorder]) -> None:
        """A payment is booked, and where documents are kept a large one waits, unsent. Raises ``Wrong``."""
        for recorder in recorders:
            before = self.sent()
            _require(recorder.post(f"{recorder.store}first", BELOW), BOOKED)
            if self.sent() - before != 1:
                raise Wrong(f"{recorder.store}: one payment was sent {self.sent() - before} times")
            if recorder.store != "direct":
                _require(recorder.post(f"{recorder.store}second", ABOVE), HELD)
                if self.sent() - before != 1:
                    raise Wrong(f"{recorder.store}: a payment that should wait was sent")

    def sent(self) -> int:
        """Requests the upstream had so far, those for this number not among them."""
        told = httpx.get(f"http://127.0.0.1:{self._upstream}/served").text
        self._asked += 1
        return int(told.split()[9]) - self._asked

    def _gateway(self, store: str, *, ledger: str | None = None, command: tuple[str, ...] = ()) -> Recorder:
        folder, port = self._folder / store, free_port()
        write_deployment(folder)
        if store == "direct":
            unrecorded(folder, "payments")
            with edited(folder / "policies" / "approvals.yaml") as document:
                del document["approvals"]["payments.create"]
        with edited(folder / "gateway.yaml") as document:
            document["ledger"]["url"] = ledger or document["ledger"]["url"]
        environment = gateway_environment(port, self._upstream)
        line = [*command, *serve(folder)]
        pid = self._processes.start(store, line, core=self._tested, port=port, environment=environment)
        base = f"http://127.0.0.1:{port}"
        return Recorder(store, pid, base, Caller(base).token("oa"))


def wait_until_quiet(pid: int) -> None:
    """Until a process has nothing left to do. Raises ``Wrong`` when it does not come to rest."""
    deadline = time.monotonic() + QUIET_TIMEOUT
    while time.monotonic() < deadline:
        before, began = cpu_seconds(pid), time.monotonic()
        time.sleep(QUIET_SECONDS)
        if cpu_seconds(pid) - before < QUIET_SHARE * (time.monotonic() - began):
            return
    raise Wrong(f"a gateway still works {QUIET_TIMEOUT:g} s after its load ended")


def _require(answer: httpx.Response, status: int) -> None:
    if answer.status_code != status:
        raise Wrong(f"a payment was answered {answer.status_code}, not {status}: {answer.text[:500]}")


_ERP_PAYMENT = {
    "MANDT": "100",
    "BUKRS": "1000",
    "XBLNR": "X-1",
    "USNAM": "clerk-1",
    "LIFNR": "00004711",
    "NAME1": "Falkenberg GmbH",
    "BANKN": "6222020200112233",
    "WRBTR": "12500.00",
    "WAERS": "CNY",
    "ZFBDT": "31/12/2026",
    "SGTXT": "Invoice 2026-118",
}
