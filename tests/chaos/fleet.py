"""The processes under attack: started, killed at a named step or at a random moment, started again on the same port.

All in one, and edge, console and worker apart, run side by side over one ledger, so every crash is met by processes that go on.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from typing import Any

from tests.chaos.deployment import Deployment
from tests.chaos.launch import launch
from tests.chaos.report import say
from tests.chaos.steps import STEPS
from tests.support import free_port

SLOTS: dict[str, frozenset[str]] = {
    "all": frozenset({"edge", "console", "worker"}),
    "edge": frozenset({"edge"}),
    "console": frozenset({"console"}),
    "worker": frozenset({"worker"}),
}
"""The processes of a run, and the parts of the gateway each is."""

RANDOM_SHARE = 0.3
LONGEST_LIFE = 3.0
"""A process to be killed at random lives at most so many seconds once it listens."""
RARE = 3
"""A step hit less often so far kills the first time it is reached."""
PATIENCE = 8.0
"""A step that is not reached within so many seconds becomes a kill at random."""
START_SECONDS = 90.0
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.chaos.launch"])
ALARMING = ("work.broke", "call.broke", "ledger.failed", "console.failed", "snapshot.refused", "anchor.failed")
"""Events of the log that say something went wrong which nobody planned for."""


class Died(Exception):
    """A process ended by itself."""


@dataclass
class Slot:
    """One process after another on the same ports."""

    name: str
    port: int = field(default_factory=free_port)
    console_port: int = field(default_factory=free_port)
    log: list[str] = field(default_factory=list)

    @property
    def edge_url(self) -> str | None:
        return f"http://127.0.0.1:{self.port}" if "edge" in SLOTS[self.name] else None

    @property
    def console_url(self) -> str | None:
        return f"http://127.0.0.1:{self.console_port}" if "console" in SLOTS[self.name] else None


class Process:
    """One gateway process. ``listening`` is set when it serves."""

    def __init__(self, child: ForkServerProcess, output: asyncio.StreamReader, slot: Slot, alarms: Counter[str]) -> None:
        self._child = child
        self._slot = slot
        self._alarms = alarms
        self.listening = asyncio.Event()
        self.reading = asyncio.create_task(self._read(output))

    @classmethod
    async def start(cls, slot: Slot, alarms: Counter[str], arguments: tuple[Any, ...]) -> Process:
        ours, its = FORKS.Pipe(duplex=False)
        command, environment, *trap = arguments
        child = FORKS.Process(target=launch, args=(command, environment, its, *trap), daemon=True)
        child.start()
        its.close()
        output = asyncio.StreamReader(limit=1 << 20)
        pipe = os.fdopen(os.dup(ours.fileno()), "rb", buffering=0)
        ours.close()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(output), pipe)
        return cls(child, output, slot, alarms)

    async def _read(self, output: asyncio.StreamReader) -> None:
        async for line in output:
            text = line.decode("utf-8", "replace").rstrip()
            event = _event(text)
            if event == "gateway.listening":
                self.listening.set()
            if event in ALARMING:
                self._alarms[event] += 1
                say(f"  {self._slot.name}: {text[:2000]}")
            self._slot.log = [*self._slot.log[-60:], text[:2000]]

    def kill(self) -> None:
        self._child.kill()

    async def ended(self, within: float | None = None) -> int | None:
        """How it ended; ``None`` when it still runs after so many seconds. Its output ends with it."""
        await asyncio.wait([self.reading], timeout=within)
        if not self.reading.done():
            return None
        # Not in a thread: starting another child looks after all of them, and only one may be told how it ended.
        self._child.join()
        return self._child.exitcode


def _event(text: str) -> str:
    try:
        value: Any = json.loads(text)
    except ValueError:
        return ""
    return str(value.get("event", "")) if isinstance(value, dict) else ""


class Fleet:
    """All processes of one deployment."""

    def __init__(self, deployment: Deployment, dice: random.Random, kills: int) -> None:
        self._deployment = deployment
        self._dice = dice
        self._wanted = kills
        self.slots = [Slot(name) for name in SLOTS]
        self.kills = 0
        self.at: Counter[str] = Counter()
        """Kills by step; ``random`` and ``starting`` are those from outside."""
        self.alarms: Counter[str] = Counter()

    @property
    def edges(self) -> list[str]:
        return [slot.edge_url for slot in self.slots if slot.edge_url]

    @property
    def consoles(self) -> list[str]:
        return [slot.console_url for slot in self.slots if slot.console_url]

    def uncovered(self, least: int) -> list[str]:
        return [step for step in STEPS if self.at[step] < least]

    async def attack(self, least: int, until: float) -> None:
        """Kill until there were enough kills and each step was hit ``least`` times, at most until that time of the loop."""
        now = asyncio.get_running_loop().time

        def over() -> bool:
            return now() >= until or (self.kills >= self._wanted and not self.uncovered(least))

        async def keep(slot: Slot) -> None:
            while not over():
                step = self._choose(slot)
                where = await self._life(slot, step)
                self.kills += 1
                self.at[where] += 1

        async with asyncio.TaskGroup() as tasks:
            for slot in self.slots:
                tasks.create_task(keep(slot))

    def _choose(self, slot: Slot) -> str | None:
        """The step hit least so far of those this process can reach, or none: a random moment."""
        reachable = [step for step, parts in STEPS.items() if parts & SLOTS[slot.name]]
        if self._dice.random() < RANDOM_SHARE:
            return None
        fewest = min(self.at[step] for step in reachable)
        return self._dice.choice([step for step in reachable if self.at[step] == fewest])

    async def _life(self, slot: Slot, step: str | None) -> str:
        """One process from its start to its violent end. Returns where that was."""
        process = await self._start(slot, step)
        if step is None and self._dice.random() < 0.2:
            ended = await process.ended(self._dice.uniform(0.1, 2.5))
            return await self._killed(slot, process, ended, "starting")
        await self._listening(slot, process)
        ended = await process.ended(PATIENCE if step else self._dice.uniform(0, LONGEST_LIFE))
        return await self._killed(slot, process, ended, step or "random")

    async def _killed(self, slot: Slot, process: Process, ended: int | None, planned: str) -> str:
        if ended is None:
            process.kill()
            code, where = await process.ended(), planned if planned in ("random", "starting") else "random"
        else:
            code, where = ended, planned
        if code != -signal.SIGKILL or (ended is not None and planned in ("random", "starting")):
            raise Died(f"{slot.name} ended with {code}:\n" + "\n".join(slot.log[-25:]))
        return where

    async def _start(self, slot: Slot, step: str | None) -> Process:
        command = ["serve", "--config", str(self._deployment.config), *([] if slot.name == "all" else ["--only", slot.name])]
        environment = {
            "DEMO_ERP_URL": self._deployment.erp.url,
            "ERP_GATEWAY_PORT": str(slot.port),
            "ERP_GATEWAY_CONSOLE_PORT": str(slot.console_port),
        }
        often = step is not None and self.at[step] > RARE
        count = self._dice.choice((1, 1, 2, 3)) if often else 1
        return await Process.start(slot, self.alarms, (command, environment, step, count))

    async def _listening(self, slot: Slot, process: Process) -> None:
        """Wait until it serves, or died at its step already."""
        listening = asyncio.create_task(process.listening.wait())
        done, _ = await asyncio.wait([listening, process.reading], timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if not done:
            process.kill()
            raise Died(f"{slot.name} does not listen:\n" + "\n".join(slot.log[-25:]))

    async def rest(self) -> list[Process]:
        """Start everything once more, without traps; the processes, for whoever ends them."""
        processes = [await self._start(slot, None) for slot in self.slots]
        for slot, process in zip(self.slots, processes, strict=True):
            await self._listening(slot, process)
        return processes
