"""Open what a process needs for its whole life, wired together, and close it in the right order."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.config.gateway import Gateway
from gateway.config.source import read_source, validate
from gateway.counters.memory import MemoryCounters
from gateway.counters.redis import RedisCounters
from gateway.identity.fetch import KeyFetcher
from gateway.identity.jwks import KeyStore
from gateway.ports import Counters
from gateway.snapshot import Stores
from gateway.telemetry import Telemetry
from gateway.upstreams.stores import Clients, Contracts


class SystemClock:
    """Implements ``gateway.ports.Clock``."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


@asynccontextmanager
async def open_stores(path: Path, *, access_log: bool = True) -> AsyncIterator[Stores]:
    """The stores of the deployment at ``path``. Raises ``ConfigError`` when ``gateway.yaml`` cannot be used at all."""
    gateway = validate(read_source(path, name=path.name), Gateway)
    clock = SystemClock()
    telemetry = Telemetry(sys.stdout.buffer if access_log else None)
    fetcher = KeyFetcher(path.parent)
    counters = open_counters(gateway, clock, telemetry)
    stores = Stores(clock, telemetry, counters, Clients(), Contracts(), KeyStore(fetcher, clock))
    try:
        yield stores
    finally:
        await stores.clients.aclose()
        await counters.aclose()
        await stores.keys.aclose()
        await fetcher.aclose()
        telemetry.log.flush()


def open_counters(gateway: Gateway, clock: SystemClock, telemetry: Telemetry) -> Counters:
    if gateway.counters.url.startswith("memory"):
        return MemoryCounters(clock)
    counters = RedisCounters(gateway.counters.url, clock, processes=gateway.edge.processes)
    telemetry.gauges.add(
        "gateway_counters_degraded", "1 while limits are counted without Redis.", lambda: float(counters.degraded)
    )
    return counters


def check_stores(path: Path) -> Stores:
    """Stores for looking at a deployment without serving it: nothing is opened, nothing connects."""
    clock = SystemClock()
    fetcher = KeyFetcher(path.parent)
    return Stores(clock, Telemetry(), MemoryCounters(clock), Clients(), Contracts(), KeyStore(fetcher, clock), writable=False)
