"""A real Redis of our own, and clocks that stand still until they are moved."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.counters.memory import MemoryCounters
from gateway.counters.redis import RedisCounters
from gateway.ports import Clock, Counters
from tests.support import RedisServer


@dataclass
class StillClock:
    at: float = 1000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class RealClock:
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisServer:
    """The session's server, empty."""
    redis_server.command("FLUSHALL")
    redis_server.command("SCRIPT", "FLUSH")
    return redis_server


@pytest.fixture
def mortal_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A server a test may kill."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    with contextlib.suppress(ProcessLookupError, ValueError):
        server.kill()


@pytest.fixture(params=["memory", "redis"])
async def counters(request: pytest.FixtureRequest) -> AsyncIterator[Counters]:
    """Each store under the same contract, on a real clock: its tests use periods so long that the time they take is nothing."""
    store: Any
    if request.param == "memory":
        store = MemoryCounters(RealClock())
    else:
        store = RedisCounters(request.getfixturevalue("redis").url, RealClock(), processes=1, deadline=5)
    yield store
    await store.aclose()


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., RedisCounters]]:
    """Make RedisCounters that are closed when the test ends. The deadline is generous: a busy machine is not a lost Redis."""
    made: list[RedisCounters] = []

    def make(url: Any, clock: Clock | None = None, **settings: Any) -> RedisCounters:
        made.append(RedisCounters(url, clock or RealClock(), **{"processes": 1, "deadline": 5, **settings}))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
