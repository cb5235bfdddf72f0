"""``policy log`` and ``policy replay`` over the example deployment's ledger: what they print, and what they exit with."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.config.gateway import Ledger as LedgerConfig
from gateway.documents.decisions import record
from gateway.documents.ledger import open_ledger
from gateway.documents.stores import located
from gateway.exchange import Principal
from gateway.ports import Decided
from tests.documents.support import KEY, HandClock
from tests.support import copy_deployment, edit

WMS, OA = Principal("wms", "demo"), Principal("oa", "demo", ("[red]",))
ROW = (("policies/policy.csv:31", "p, wms, demo, stock.get, allow"),)


@pytest.fixture
async def config(tmp_path: Path) -> Path:
    """A deployment whose ledger knows of calls by two satellites, an hour ago and a hundred days ago."""
    path, ago = copy_deployment(tmp_path), time.time() - 3600
    stock = Decided(WMS, "stock.get", "v1", True, "a" * 64, ROW, addresses=("10.0.0.1",), first=ago, last=ago, count=7)
    sales = replace(stock, operation="sales-orders.list", allowed=False, rows=(), count=1)
    old = replace(stock, principal=Principal("mes", "demo"), first=ago - 100 * 86400, last=ago - 100 * 86400)
    orders = replace(stock, principal=OA, operation="purchase-orders.get")
    (tmp_path / "var").mkdir()
    async with open_ledger(located(LedgerConfig().url, tmp_path), KEY, HandClock()) as ledger:
        for one in (old, stock, sales, orders):
            await ledger.write(lambda tx, one=one: record(tx, one))  # type: ignore[misc]
    return path


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["policy", *arguments, "--config", str(config)])


def found(config: Path, *arguments: str) -> list[tuple[str, str, bool]]:
    told = json.loads(run(config, "log", "--json", *arguments).stdout)["decisions"]
    return [(one["subject"], one["operation"], one["allowed"]) for one in told]


def candidate(config: Path, old: str, new: str) -> str:
    path = config.parent / "candidate.csv"
    path.write_text((config.parent / "policies/policy.csv").read_text())
    edit(path, old, new)
    return str(path)


def test_the_log_is_printed_and_searched(config: Path) -> None:
    said = run(config, "log")
    assert said.exit_code == 0, said.output
    assert "oa ([red])" in said.stdout
    assert said.stdout.index("purchase-orders.get@v1") < said.stdout.index("sales-orders.list@v1")
    assert found(config, "--denied") == [("wms", "sales-orders.list", False)]
    assert found(config, "--who", "oa") == [("oa", "purchase-orders.get", True)]
    assert found(config, "--operation", "stock.get@v1", "--since", "2026-01-01") != []
    assert found(config, "--tenant", "other") == []
    assert found(config, "--limit", "1") == [("oa", "purchase-orders.get", True)]
    one = json.loads(run(config, "log", "--json", "--who", "oa").stdout)["decisions"][0]
    assert (one["roles"], one["rows"], one["count"]) == (["[red]"], [list(ROW[0])], 7)


def test_a_replay_names_whom_a_change_would_hit(config: Path) -> None:
    lost = candidate(config, "p, wms,   demo, stock.get,               allow\n", "")
    edit(Path(lost), "p, warehouse,        demo, stock.get,           allow\n", "")
    said = run(config, "replay", lost)
    assert said.exit_code == 1
    assert said.stdout.startswith("wms of demo loses stock.get@v1\n    recorded: 7 calls, the last ")
    assert "p, wms, demo, stock.get, allow" in said.stdout
    assert "15 recorded calls of the last 30 days by 2 callers: " in said.stdout
    assert said.stdout.rstrip().endswith("would change something for 1 of them.")
    told: dict[str, Any] = json.loads(run(config, "replay", lost, "--json").stdout)
    assert [(one["subject"], one["effect"], one["calls"]) for one in told["changes"]] == [("wms", "loses", 7)]
    mes = candidate(config, "p, mes,   demo, stock.get,               allow\n", "")
    assert run(config, "replay", mes).exit_code == 0
    assert run(config, "replay", mes, "--days", "365").exit_code == 1


def test_nothing_changes_under_the_policy_in_force(config: Path) -> None:
    said = run(config, "replay", str(config.parent / "policies"))
    assert said.exit_code == 0, said.output
    assert "would change something for none of them." in said.stdout


def test_a_question_that_cannot_be_asked_is_2(config: Path) -> None:
    assert run(config, "replay", "nowhere.csv").exit_code == 2
    assert run(config, "log", "--since", "yesterday").exit_code == 2
    with sqlite3.connect(config.parent / "var/ledger.db") as connection:
        connection.execute("DROP TABLE decisions")
    connection.close()
    said = run(config, "log", "--json")
    assert (said.exit_code, "no such table" in json.loads(said.stdout)["error"]) == (2, True)
    (config.parent / "var/ledger.db").unlink()
    assert run(config, "log").exit_code == 2
    assert not (config.parent / "var/ledger.db").exists(), "a look makes no ledger"
