"""A chaos run: one store after the other, attacked, left in peace until everything has come to rest, and judged."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.chaos.deployment import Deployment, deployed
from tests.chaos.fleet import Fleet, Process
from tests.chaos.load import APPROVERS, CALL_TIMEOUT, Load, misbehave
from tests.chaos.oracle import Findings, judge, unsettled
from tests.chaos.report import say

PROGRESS_SECONDS = 10.0
REST_SECONDS = 120.0
"""After the last kill everything must have come to rest within this time."""
START_SECONDS, SECONDS_A_KILL = 30.0, 3.7
"""An attack that needs longer is given up, short of kills or of steps."""
LEAST = 2
"""Every step is hit so often at least, and with more kills more often."""


def run(store: str, seed: int, kills: int, keep: Path | None) -> tuple[Findings, Fleet]:
    """Attack one store. Returns what was found, and the fleet, which knows who was killed where."""
    with folder(store, keep) as place, deployed(store, place) as deployment:
        return asyncio.run(_run(deployment, random.Random(f"{seed} {store}"), kills))


@contextlib.contextmanager
def folder(store: str, keep: Path | None) -> Iterator[Path]:
    """A folder that goes away afterwards, unless it is to be kept."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix=f"chaos-{store}-") as name:
            yield Path(name)
    else:
        (keep / store).mkdir(parents=True)
        yield keep / store


async def _run(deployment: Deployment, dice: random.Random, kills: int) -> tuple[Findings, Fleet]:
    fleet = Fleet(deployment, dice, kills)
    least = max(LEAST, kills // 80)
    async with contextlib.AsyncExitStack() as stack:
        client, *browsers = [await stack.enter_async_context(httpx.AsyncClient(timeout=CALL_TIMEOUT)) for _ in range(4)]
        load = Load(fleet.edges, fleet.consoles, dice, client, dict(zip(APPROVERS, browsers, strict=True)))
        quiet = asyncio.Event()
        traffic = asyncio.create_task(load.run())
        others = [
            asyncio.create_task(misbehave(deployment.erp.control, dice, quiet)),
            asyncio.create_task(_progress(deployment.store, fleet, load, least)),
        ]
        try:
            until = asyncio.get_running_loop().time() + START_SECONDS + kills * SECONDS_A_KILL
            await fleet.attack(least, until)
            load.stop.set()
            quiet.set()
            await _come_to_rest(deployment, fleet, traffic, load)
        finally:
            for task in (traffic, *others):
                task.cancel()
            await asyncio.gather(traffic, *others, return_exceptions=True)
    return await _judge(deployment, fleet, load, least)


async def _come_to_rest(deployment: Deployment, fleet: Fleet, traffic: asyncio.Task[None], load: Load) -> None:
    """Everything runs, nothing dies, until all calls are answered and all documents settled."""
    deadline = time.monotonic() + REST_SECONDS
    processes = await fleet.rest()
    try:
        await asyncio.wait([traffic], timeout=REST_SECONDS)
        if traffic.done():
            traffic.result()
        while time.monotonic() < deadline:
            left = await unsettled(deployment)
            say(f"{deployment.store}: no more kills, {left} documents not settled, {load.told.unanswered} calls open")
            if not left:
                return
            await asyncio.sleep(2)
    finally:
        await _stop(processes)


async def _stop(processes: list[Process]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        await process.ended()


async def _progress(store: str, fleet: Fleet, load: Load, least: int) -> None:
    started = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        told, rare = load.told, fleet.uncovered(least)
        say(
            f"{store}: {time.monotonic() - started:4.0f} s, {fleet.kills} kills, {len(told.documents)} documents acknowledged, "
            f"{len(told.votes)} votes, {told.unanswered} calls open, {len(rare)} steps to come {' '.join(rare[:3])}"
        )


async def _judge(deployment: Deployment, fleet: Fleet, load: Load, least: int) -> tuple[Findings, Fleet]:
    findings = await judge(deployment, load.told)
    store = deployment.store
    say(f"{store}: kills {dict(sorted(fleet.at.items()))}")
    say(f"{store}: answers {dict(sorted(load.told.statuses.items()))}")
    say(f"{store}: documents {dict(findings.states)}, alarms in the logs {dict(fleet.alarms)}")
    for name in ("lost", "double_booked", "illegal_states", "blind_resends"):
        for line in getattr(findings, name):
            say(f"{store}: {name}: {line}")
    for step in fleet.uncovered(least):
        say(f"{store}: hit only {fleet.at[step]} of {least} times: {step}")
    return findings, fleet
