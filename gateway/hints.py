"""Processes of one deployment that share a Redis tell each other that the files have changed, and which policy they decide by.

A message is a hint to look at the files, never what they say: who misses one finds the change by looking from time to time, as
without Redis. Nothing here can stop a reload or make one that the files do not call for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.live import Live
from gateway.ports import Clock

log = structlog.get_logger()

LISTEN_SECONDS = 0.5
REPORT_SECONDS = 20.0
GONE_SECONDS = 60.0
"""A process that has not reported for so long is not there any more."""
RETRY_SECONDS = 5.0


class Hints:
    """What one process tells and hears. ``name`` is the process, by default its machine and number."""

    def __init__(self, live: Live, redis: Redis, clock: Clock, *, name: str | None = None) -> None:
        edge = live.snapshot.deployment.gateway.edge
        deployment = edge.public_url or str(edge.listen)
        self.channel = f"erp-gateway:snapshot:{deployment}"
        self.processes = f"erp-gateway:processes:{deployment}"
        self._live = live
        self._redis = redis
        self._clock = clock
        self._name = name or f"{socket.gethostname()}:{os.getpid()}"
        self._told = live.snapshot.digest
        self._reported = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop. A Redis that cannot be reached is tried again; reloads go on without it."""
        lost = False
        while not stop.is_set():
            try:
                await self._listen(stop)
                lost = False
            except (RedisError, OSError) as error:
                if not lost:
                    log.warning("hints.lost", error=type(error).__name__)
                lost = True
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RETRY_SECONDS)
        with contextlib.suppress(RedisError, OSError):
            await self._redis.hdel(self.processes, self._name)
        await self._redis.aclose()

    async def _listen(self, stop: asyncio.Event) -> None:
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(self.channel)
            while not stop.is_set():
                await self._tell()
                message = await subscription.get_message(ignore_subscribe_messages=True, timeout=LISTEN_SECONDS)
                if message is not None and message["data"] != self._live.snapshot.digest.encode():
                    log.info("hint.heard")
                    await self._live.reload()

    async def _tell(self) -> None:
        digest, now = self._live.snapshot.digest, self._clock.now()
        if digest != self._told:
            self._told, self._reported = digest, 0.0
            await self._redis.publish(self.channel, digest)
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            report = {"snapshot": digest, "policy": self._live.snapshot.policy.sha256, "at": now}
            await self._redis.hset(self.processes, self._name, orjson.dumps(report).decode())
            self._live.processes = _there(await self._redis.hgetall(self.processes), now)


def _there(reports: Mapping[Any, Any], now: float) -> dict[str, dict[str, Any]]:
    """What processes that are still there have reported, by name."""
    read = {name.decode("utf-8", "replace"): orjson.loads(report) for name, report in sorted(reports.items())}
    return {name: report for name, report in read.items() if now - report["at"] < GONE_SECONDS}
