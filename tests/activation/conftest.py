"""Fixtures of the activation's tests: a deployment whose policies need two people, over each store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.documents.ledger import Ledger, open_ledger
from tests.activation.support import World, stores_over
from tests.documents.support import KEY, HandClock
from tests.support import copy_deployment


@pytest.fixture
def dual(tmp_path: Path) -> Path:
    """The example's gateway.yaml, with two people for a change of policy."""
    path = copy_deployment(tmp_path)
    with path.open("a", encoding="utf-8") as file:
        file.write("\npolicy: {activation: dual}\n")
    return path


@pytest.fixture
async def world(dual: Path, ledger_url: str) -> AsyncIterator[World]:
    clock = HandClock()
    async with open_ledger(ledger_url, KEY, clock) as ledger:
        world = World(dual, stores_over(dual, ledger, clock), clock, ledger_url)
        await world.start()
        yield world


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def ledger(ledger_url: str, clock: HandClock) -> AsyncIterator[Ledger]:
    async with open_ledger(ledger_url, KEY, clock) as opened:
        yield opened
