"""Several edge processes on one port, the console and the worker: started, replaced when they die, drained one by one.

Each child binds the edge's port for itself (SO_REUSEPORT), so the kernel spreads connections and a child that drains simply stops
accepting. uvicorn's own workers dropped calls on SIGTERM when there were two; these do not.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import structlog

log = structlog.get_logger()

BACKOFF = (0.1, 0.5, 2.0, 5.0, 15.0)
"""Seconds before a child that died is started again; a child that lived a minute starts over."""


class Child:
    """One process of a part, kept alive."""

    def __init__(self, name: str, arguments: list[str]) -> None:
        self.name = name
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    async def keep(self) -> None:
        """Run until stopped, again and again."""
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._stopping.is_set():
            started = loop.time()
            self._process = await asyncio.create_subprocess_exec(sys.executable, *self._arguments)
            code = await self._process.wait()
            if self._stopping.is_set():
                return
            failures = 0 if loop.time() - started > 60 else failures + 1
            log.error("process.died", process=self.name, code=code)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), BACKOFF[min(failures, len(BACKOFF) - 1)])

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def stop(self) -> None:
        """Drain and end."""
        self._stopping.set()
        self.signal(signal.SIGTERM)
        if self._process is not None:
            await self._process.wait()


def supervise(config: Path, processes: int, log_level: str) -> None:
    """Run ``processes`` edge processes, one console and one worker until SIGTERM or SIGINT."""
    asyncio.run(_supervise(config, processes, log_level))


async def _supervise(config: Path, processes: int, log_level: str) -> None:
    base = ["-m", "gateway.cli", "serve", "--config", str(config), "--log-level", log_level, "--only"]
    children = [Child(f"edge-{number}", [*base, "edge"]) for number in range(1, processes + 1)]
    children += [Child(part, [*base, part]) for part in ("console", "worker")]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, _signal_all, children, signal.SIGHUP)
    kept = [asyncio.create_task(child.keep()) for child in children]
    await stop.wait()
    for child in children:
        await child.stop()
    for task in kept:
        task.cancel()
    await asyncio.gather(*kept, return_exceptions=True)


def _signal_all(children: list[Child], number: signal.Signals) -> None:
    for child in children:
        child.signal(number)
