"""``audit verify`` over the example deployment's ledger: what it prints, and what it exits with."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.config.gateway import Ledger as LedgerConfig
from gateway.config.source import parse_source
from gateway.documents.anchors import Anchors
from gateway.documents.keys import audit_key
from gateway.documents.ledger import open_ledger
from gateway.documents.states import Event
from gateway.documents.stores import located
from tests.documents.support import HandClock, record
from tests.support import copy_deployment


@pytest.fixture
async def deployment(tmp_path: Path) -> Path:
    """A deployment with ten documents and an anchor."""
    path = copy_deployment(tmp_path)
    key = audit_key(LedgerConfig(), parse_source(b"{}", name="gateway.yaml", folder=tmp_path), tmp_path)
    async with open_ledger(located(LedgerConfig().url, tmp_path), key, HandClock()) as ledger:
        for _ in range(10):
            await record(ledger, Event.HOLD)
        await Anchors(tmp_path / LedgerConfig().anchors, HandClock()).write(ledger)
    return path


def run(path: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["audit", "verify", "--config", str(path), *options])


def tamper(path: Path, statement: str) -> None:
    with sqlite3.connect(path.parent / "var" / "ledger.db") as connection:
        connection.execute(statement)
    connection.close()


def test_an_intact_ledger_is_0(deployment: Path) -> None:
    done = run(deployment)
    assert done.exit_code == 0, done.output
    assert "20 entries, 1 anchors: intact. Last entry 20" in done.output


def test_a_tampered_ledger_is_1_and_names_what(deployment: Path) -> None:
    tamper(deployment, "UPDATE audit SET entry = replace(entry, 'clerk', 'nobody') || ' ' WHERE seq = 7")
    tamper(deployment, "DELETE FROM audit WHERE seq > 18")
    tamper(deployment, "UPDATE documents SET state = 'approved' WHERE id = (SELECT document FROM audit WHERE seq = 3)")
    done = run(deployment)
    assert done.exit_code == 1
    assert "entry 7: altered" in done.stdout
    assert "entries 19 to 20: truncated" in done.stdout
    assert "its state is approved, by its last audit entry held" in done.stdout


def test_the_verdict_as_json(deployment: Path) -> None:
    tamper(deployment, "DELETE FROM audit WHERE seq = 20")
    tamper(deployment, "UPDATE chain SET seq = 19, hash = (SELECT hash FROM audit WHERE seq = 19)")
    done = run(deployment, "--json")
    assert done.exit_code == 1
    verdict: dict[str, Any] = orjson.loads(done.stdout)
    assert (verdict["intact"], verdict["entries"], verdict["anchors"]) == (False, 19, 1)
    assert verdict["tampered"] == [{"seq": 20, "fault": "truncated", "what": "gone from the end", "last": 20}]
    assert verdict["head"]["seq"] == 19


@pytest.mark.parametrize(
    ("lost", "said"),
    [("var/ledger.db", "there is no file"), ("var/audit.key", "audit_key_file"), ("gateway.yaml", "cannot be read")],
)
def test_what_cannot_be_read_is_2(deployment: Path, lost: str, said: str) -> None:
    (deployment.parent / lost).unlink()
    done = run(deployment)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert not (deployment.parent / lost).exists()


def test_what_is_no_database_is_2(deployment: Path) -> None:
    (deployment.parent / "var" / "ledger.db").write_bytes(b"not a database at all" * 100)
    for rest in ("ledger.db-wal", "ledger.db-shm"):
        (deployment.parent / "var" / rest).unlink(missing_ok=True)
    assert run(deployment).exit_code == 2


def test_an_unreachable_server_is_2(deployment: Path) -> None:
    text, count = re.subn("url: sqlite:.*", "url: postgresql://nobody@127.0.0.1:1/none", deployment.read_text())
    assert count == 1
    deployment.write_text(text)
    done = run(deployment)
    assert done.exit_code == 2
    assert "The ledger cannot be read" in done.stderr


def test_missing_anchors_are_told(deployment: Path) -> None:
    (deployment.parent / "var" / "anchors.jsonl").unlink()
    done = run(deployment)
    assert done.exit_code == 0
    assert "There are no anchors" in done.stderr
