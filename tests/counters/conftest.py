"""A real Redis of our own, and clocks that stand still until they are moved."""

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.counters.memory import MemoryCounters
from gateway.counters.redis import RedisCounters
from gateway.ports import Clock, Counters


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


@dataclass
class RedisServer:
    """One redis-server process on a free loopback port, nothing on disk."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen([*command, "--dir", str(self.folder)], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if b"Ready to accept connections" in line:
                return
        raise RuntimeError("redis-server did not start")

    def kill(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def command(self, *words: str) -> bytes:
        """One command over a socket of its own; the first line of the answer."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection, connection.makefile("rb") as answer:
            connection.sendall(b"".join([b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words)]))
            return answer.readline()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


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
