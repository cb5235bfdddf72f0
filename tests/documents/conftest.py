"""Fixtures of the ledger's tests: the ledger over each store, under a clock the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.documents.ledger import Ledger, open_ledger
from tests.documents.support import KEY, HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def ledger(ledger_url: str, clock: HandClock) -> AsyncIterator[Ledger]:
    async with open_ledger(ledger_url, KEY, clock) as opened:
        yield opened
