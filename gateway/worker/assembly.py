"""The worker put together: which part handles which kind of work, and what it does by the clock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from functools import partial

import structlog
from sqlalchemy import Connection, func, select

from gateway.activation import Release
from gateway.documents import tables
from gateway.documents.anchors import Anchors
from gateway.documents.ledger import LedgerUnavailable
from gateway.documents.records import Document
from gateway.documents.states import UNRESOLVED
from gateway.holding import Objection, Sends, recheck
from gateway.live import Live
from gateway.people import POLICY_ACTIVATE
from gateway.policy.index import PolicyIndex
from gateway.policy.roles import members_of, permitted
from gateway.ports import Client
from gateway.upstreams.http1 import Http1Client
from gateway.worker.callbacks import Callbacks, client_settings
from gateway.worker.deliveries import Deliveries
from gateway.worker.dispatcher import Dispatcher
from gateway.worker.messages import Messages, Settings
from gateway.worker.timers import EVENTS, Timers

log = structlog.get_logger()

EVERY_SECONDS = 5.0
"""How often anchors are thought of, and documents counted for the metrics."""


class Worker:
    """Everything that happens without a caller. It asks the current snapshot anew for every piece of work."""

    def __init__(self, live: Live) -> None:
        stores, gateway = live.stores, live.snapshot.deployment.gateway
        self._live = live
        self._ledger = stores.ledger
        self._counts: dict[str, int] = {}
        self._anchors = Anchors(live.path.parent / gateway.ledger.anchors, stores.clock)
        self._callbacks = Callbacks(
            stores.ledger,
            lambda: live.snapshot.deployment.satellites,
            lambda document: live.snapshot.told(document),
            connect,
        )
        messages = Messages(
            stores.ledger,
            lambda: Settings.of(live.snapshot.deployment.gateway),
            lambda role, tenant: _members(live.snapshot.policy, role, tenant),
        )
        own = {POLICY_ACTIVATE: Release(live)}
        deliveries = Deliveries(stores.ledger, stores.clock, lambda *of: live.snapshot.writing_of(*of), self._still_stands, own)
        timers = Timers(stores.ledger, lambda *of: live.snapshot.terms_of(*of))
        handlers = {"send": deliveries.send, "watch": deliveries.watch, "probe": deliveries.probe}
        handlers |= dict.fromkeys(EVENTS, timers.fire)
        telling = dict.fromkeys(messages.kinds, messages.handle) | dict.fromkeys(self._callbacks.kinds, self._callbacks.handle)
        # Two of them, so that a receiver that hangs never keeps a document waiting.
        self._dispatchers = [Dispatcher(stores.ledger, stores.clock, kinds) for kinds in (handlers, telling)]
        for state in sorted(UNRESOLVED):
            text = f"Documents that are {state.value}."
            stores.telemetry.gauges.add(f"gateway_documents_{state.value}", text, partial(self._count, state.value))
        for name, told in (("messages", messages), ("callbacks", self._callbacks)):
            text = f"{name.capitalize()} that could not be delivered and will not be tried again, since the start."
            stores.telemetry.gauges.add(f"gateway_{name}_given_up", text, partial(_given_up, told))

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop; then what is in hand is finished."""
        async with asyncio.TaskGroup() as tasks:
            for dispatcher in self._dispatchers:
                tasks.create_task(dispatcher.run(stop))
            tasks.create_task(self._by_the_clock(stop))
        await self._callbacks.aclose()

    def _still_stands(
        self, connection: Connection, document: Document, sends: Sends, value: object, now: float
    ) -> Objection | None:
        return recheck(connection, document, self._live.snapshot, now, value=value, target=sends.target)

    async def _by_the_clock(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                self._counts = await self._ledger.read(_by_state)
                await self._anchors.write(self._ledger)
            except (LedgerUnavailable, OSError) as error:
                log.error("anchor.failed", exc_info=error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_SECONDS)

    def _count(self, state: str) -> float:
        return float(self._counts.get(state, 0))


def _members(policy: PolicyIndex, role: str, tenant: str) -> Collection[str]:
    """Who is asked: the people of a role, or those whom policy lets decide."""
    return permitted(policy, role, "*") if role == POLICY_ACTIVATE else members_of(policy, role, tenant)


def _by_state(connection: Connection) -> dict[str, int]:
    d = tables.documents
    unresolved = [state.value for state in UNRESOLVED]
    query = select(d.c.state, func.count().label("documents")).where(d.c.state.in_(unresolved)).group_by(d.c.state)
    return {row.state: row.documents for row in connection.execute(query)}


def _given_up(told: Messages | Callbacks) -> float:
    return float(told.given_up)


def connect(origin: str) -> Client:
    """A client for the origin of a satellite's callback."""
    return Http1Client(origin, client_settings(origin))
