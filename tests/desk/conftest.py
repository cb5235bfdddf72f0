"""The desk over a real ledger, of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.documents.ledger import open_ledger
from tests.desk.world import KEY, HandClock, World


@pytest.fixture
async def world(ledger_url: str) -> AsyncIterator[World]:
    clock = HandClock()
    async with open_ledger(ledger_url, KEY, clock) as ledger:
        yield World(ledger, clock)
