"""Holding over a real ledger: SQLite, and for what leans on the database both kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.documents.ledger import open_ledger
from tests.desk.world import KEY, HandClock, World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock = HandClock()
    async with open_ledger(f"sqlite:///{tmp_path}/ledger.db", KEY, clock) as ledger:
        yield World(ledger, clock)


@pytest.fixture
async def each_world(ledger_url: str) -> AsyncIterator[World]:
    clock = HandClock()
    async with open_ledger(ledger_url, KEY, clock) as ledger:
        yield World(ledger, clock)
