"""What a run attacks: the example deployment with short waits, over an ERP that books whatever it is sent, and a database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.erp.process import ErpProcess
from tests.support import PostgresServer, copy_deployment, edit, postgres_programs

TIMEOUT = 1.0
WRITES = "writes: {not_booked: [502], visible_within: 300ms, retry: [AGAIN], probe_again: [AGAIN]}"
AGAIN = ", ".join(["300ms", "500ms", "700ms", *["1s"] * 30])
"""So long that nothing is given up while processes die."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """:param ledger: the URL of the database. :param journal: what the ERP booked and refused, one JSON object a line."""

    store: str
    config: Path
    ledger: str
    journal: Path
    erp: ErpProcess

    @property
    def folder(self) -> Path:
        return self.config.parent

    @property
    def audit_key(self) -> bytes:
        return (self.folder / "var/audit.key").read_text("ascii").strip().encode()


@contextmanager
def deployed(store: str, folder: Path) -> Iterator[Deployment]:
    """The deployment over ``sqlite`` or ``postgres``, with its ERP and its database running."""
    config = copy_deployment(folder)
    shorten(config)
    journal = folder / "journal.jsonl"
    with database(store, folder) as url, ErpProcess.start(journal=journal, allow_duplicates=True) as erp:
        replace(config, r"(?m)^(  url: )sqlite:.*$", rf"\g<1>{url}")
        yield Deployment(store, config, url, journal, erp)


@contextmanager
def database(store: str, folder: Path) -> Iterator[str]:
    if store == "sqlite":
        yield f"sqlite:///{folder}/ledger.db"
        return
    programs = postgres_programs()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed: sh tools/services.sh postgresql")
    server = PostgresServer(programs).start()
    try:
        yield server.url()
    finally:
        server.stop()


def shorten(config: Path) -> None:
    """Waits of seconds instead of hours; orders are delivered later, payments and movements within the call."""
    writes = WRITES.replace("AGAIN", AGAIN)
    replace(config, r"(?m)^    timeout: (10|5)s$", f"    timeout: {TIMEOUT:g}s\n    {writes}")
    # Two edges are one service: their tokens must not differ by port.
    replace(config, r"(?m)^    issuer: .*$", "    issuer: http://127.0.0.1:8080")
    orders = config.parent / "routes/purchase-orders.yaml"
    edit(orders, "    post: /purchase-orders\n", "    post: /purchase-orders\n    delivery: queued\n")
    approvals = config.parent / "policies/approvals.yaml"
    edit(approvals, "remind: 4h", "remind: 4s")
    edit(approvals, "after: 24h}", "after: 6s}")
    edit(approvals, "expires: 72h", "expires: 20s")


def replace(path: Path, pattern: str, by: str) -> None:
    """Replace what a pattern finds in a file; it must find something."""
    text, count = re.subn(pattern, by, path.read_text("utf-8"))
    assert count, f"{path.name} has no {pattern!r}"
    path.write_text(text, "utf-8")
