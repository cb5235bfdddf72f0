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
from tests.chaos.load import CALL_TIMEOUT, Load, misbehave
from tests.chaos.oracle import Findings, judge, unsettled

PROGRESS_SECONDS = 10.0
REST_SECONDS = 120.0
"""After the last kill everything must have come to rest within this time."""
SECONDS_A_KILL = 4.0
"""An attack that needs longer on average is given up, short of kills."""
LEAST = 2
"""Every step is hit so often at least, and with more kills more often."""


def run(store: str, seed: int, kills: int, keep: Path | None) -> tuple[Findings, int]:
    """Attack one store. Returns what was found and how many processes were killed."""
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


async def _run(deployment: Deployment, dice: random.Random, kills: int) -> tuple[Findings, int]:
    fleet = Fleet(deployment, dice, kills)
    least = max(LEAST, kills // 80)
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(timeout=CALL_TIMEOUT, limits=limits) as client:
        load = Load(fleet.edges, fleet.consoles, dice, client)
        quiet = asyncio.Event()
        background = [
            asyncio.create_task(load.run()),
            asyncio.create_task(misbehave(deployment.erp.control, dice, quiet)),
            asyncio.create_task(_progress(deployment.store, fleet, load)),
        ]
        try:
            until = asyncio.get_running_loop().time() + 60 + kills * SECONDS_A_KILL
            await fleet.attack(least, until)
            load.stop.set()
            quiet.set()
            processes = await fleet.rest()
            try:
                await _come_to_rest(deployment, background[0], load)
            finally:
                await _stop(processes)
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
    return await _judge(deployment, fleet, load, least)


async def _come_to_rest(deployment: Deployment, traffic: asyncio.Task[None], load: Load) -> None:
    deadline = time.monotonic() + REST_SECONDS
    await asyncio.wait([traffic], timeout=REST_SECONDS)
    if traffic.done():
        traffic.result()
    while time.monotonic() < deadline:
        left = await unsettled(deployment)
        print(f"{deployment.store}: at rest, {left} documents not settled, {load.told.unanswered} calls open", flush=True)
        if not left:
            return
        await asyncio.sleep(2)


async def _stop(processes: list[Process]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        await process.ended()


async def _progress(store: str, fleet: Fleet, load: Load) -> None:
    started = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        told = load.told
        print(
            f"{store}: {time.monotonic() - started:4.0f} s, {fleet.kills} kills, {len(told.documents)} documents acknowledged, "
            f"{len(told.votes)} votes, {told.unanswered} calls open, {len(fleet.uncovered(1))} steps to come",
            flush=True,
        )


async def _judge(deployment: Deployment, fleet: Fleet, load: Load, least: int) -> tuple[Findings, int]:
    findings = await judge(deployment, load.told)
    store = deployment.store
    print(f"{store}: kills {dict(sorted(fleet.at.items()))}")
    print(f"{store}: answers {dict(sorted(load.told.statuses.items()))}")
    print(f"{store}: documents {dict(findings.states)}, alarms in the logs {dict(fleet.alarms)}")
    for name in ("lost", "double_booked", "illegal_states", "blind_resends"):
        for line in getattr(findings, name):
            print(f"{store}: {name}: {line}")
    for step in fleet.uncovered(least):
        print(f"{store}: hit only {fleet.at[step]} of {least} times: {step}")
    return findings, fleet.kills
