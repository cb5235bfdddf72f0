"""Open what a process needs for its whole life, wired together, and close it in the right order."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from gateway.config.gateway import Gateway
from gateway.config.source import Source, read_source, validate
from gateway.counters.memory import MemoryCounters
from gateway.counters.redis import RedisCounters
from gateway.documents.decision_log import DecisionLog
from gateway.documents.keys import audit_key
from gateway.documents.ledger import Ledger, WrongAuditKey, open_ledger
from gateway.documents.schema import UnknownSchema
from gateway.documents.stores import located, open_store
from gateway.errors import ConfigError
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
    source = read_source(path, name=path.name)
    gateway = validate(source, Gateway)
    clock = SystemClock()
    telemetry = Telemetry(sys.stdout.buffer if access_log else None)
    fetcher = KeyFetcher(path.parent)
    counters = open_counters(gateway, clock, telemetry)
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(_ledger(gateway, source, path.parent, clock))
        decisions = DecisionLog(ledger, clock)
        _observe(decisions, telemetry)
        keys = KeyStore(fetcher, clock)
        stores = Stores(clock, telemetry, counters, Clients(), Contracts(), keys, fetcher, ledger, decisions)
        try:
            yield stores
        finally:
            await decisions.aclose()
            await stores.clients.aclose()
            await counters.aclose()
            await stores.keys.aclose()
            await fetcher.aclose()
            telemetry.log.flush()


@asynccontextmanager
async def _ledger(gateway: Gateway, source: Source, folder: Path, clock: SystemClock) -> AsyncIterator[Ledger]:
    """The ledger, or a finding that says why there is none."""
    key = audit_key(gateway.ledger, source, folder)
    async with AsyncExitStack() as stack:
        try:
            ledger = await stack.enter_async_context(open_ledger(located(gateway.ledger.url, folder), key, clock))
        except UnknownSchema as error:
            raise ConfigError(
                [source.finding(("ledger", "url"), str(error), "start the version that wrote it, or a newer one")]
            ) from error
        except WrongAuditKey as error:
            remedy = "give the key this ledger was written with; without it nobody can prove what it says"
            raise ConfigError([source.finding(("ledger",), "the audit key is not the ledger's", remedy)]) from error
        except (SQLAlchemyError, OSError) as error:
            what = f"the ledger cannot be opened ({type(error).__name__})"
            raise ConfigError([source.finding(("ledger", "url"), what, "start the database, or correct the URL")]) from error
        yield ledger


def _observe(decisions: DecisionLog, telemetry: Telemetry) -> None:
    for name, text, read in (
        ("recorded", "Entries of the decision log written since the start.", lambda: float(decisions.recorded)),
        ("pending", "Decisions that are counted and not written yet.", lambda: float(decisions.pending)),
        ("dropped", "Decisions that could not be kept, since the start.", lambda: float(decisions.dropped)),
    ):
        telemetry.gauges.add(f"gateway_decisions_{name}", text, read)


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
    keys = KeyStore(fetcher, clock)
    ledger = Ledger(open_store("sqlite:///unopened"), b"", clock)
    return Stores(
        clock,
        Telemetry(),
        MemoryCounters(clock),
        Clients(),
        Contracts(writable=False),
        keys,
        fetcher,
        ledger,
        DecisionLog(ledger, clock),
        writable=False,
    )
