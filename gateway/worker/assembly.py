"""The worker put together: which part handles which kind of work."""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.documents.records import Document
from gateway.holding import Objection, Sends, recheck
from gateway.live import Live
from gateway.worker.deliveries import Deliveries
from gateway.worker.dispatcher import Dispatcher
from gateway.worker.timers import EVENTS, Timers


def worker(live: Live) -> Dispatcher:
    """A worker that asks the current snapshot anew for every piece of work."""
    stores = live.stores
    ledger, clock = stores.ledger, stores.clock

    def still_stands(connection: Connection, document: Document, writing: Sends, value: object, now: float) -> Objection | None:
        return recheck(connection, document, live.snapshot, now, value=value, target=writing.target)

    deliveries = Deliveries(ledger, clock, lambda operation, version: live.snapshot.writing_of(operation, version), still_stands)
    timers = Timers(ledger, lambda operation, version: live.snapshot.terms_of(operation, version))
    handlers = {"send": deliveries.send, "watch": deliveries.watch, "probe": deliveries.probe}
    handlers |= dict.fromkeys(EVENTS, timers.fire)
    return Dispatcher(ledger, clock, handlers)
