"""The named steps at which a process can be made to kill itself. The functions that are the steps are wrapped before the gateway
starts; production code knows nothing of it.

A step is a place and a phase. ``before`` is right before it takes hold, ``during`` a moment later, while the disk or the ERP is
at work, ``after`` when it has happened and nobody was told. Places that begin with ``document.`` are commits that hold an audit
entry of that kind, so a step of the state machine is hit wherever in the code it is taken.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

DURING_SECONDS = 0.006
"""``during`` kills within so many seconds: about as long as a commit, or the ERP's answer, takes."""

STEPS: dict[str, frozenset[str]] = {
    # a satellite hands something in
    "document.hold/before": frozenset({"edge"}),
    "document.hold/after": frozenset({"edge"}),
    "document.queue/after": frozenset({"edge"}),
    "document.recall/after": frozenset({"edge"}),
    # people decide
    "document.vote/before": frozenset({"console"}),
    "document.vote/after": frozenset({"console"}),
    "document.reject/after": frozenset({"console"}),
    "document.approve/before": frozenset({"console"}),
    "document.approve/during": frozenset({"console"}),
    "document.approve/after": frozenset({"console"}),
    # what they released, and everything else, is sent
    "claim/before": frozenset({"worker"}),
    "claim/after": frozenset({"worker"}),
    "recheck/before": frozenset({"worker"}),
    "recheck/after": frozenset({"worker"}),
    "document.send/before": frozenset({"edge", "worker"}),
    "document.send/during": frozenset({"edge", "worker"}),
    "document.send/after": frozenset({"edge", "worker"}),
    "transmit/before": frozenset({"edge", "worker"}),
    "transmit/during": frozenset({"edge", "worker"}),
    "transmit/after": frozenset({"edge", "worker"}),
    "document.deliver/before": frozenset({"edge", "worker"}),
    "document.deliver/during": frozenset({"edge", "worker"}),
    "document.deliver/after": frozenset({"edge", "worker"}),
    "document.retry/after": frozenset({"worker"}),
    # nobody knows what became of it
    "document.lose/before": frozenset({"edge", "worker"}),
    "document.lose/after": frozenset({"edge", "worker"}),
    "probe/before": frozenset({"worker"}),
    "probe/during": frozenset({"worker"}),
    "probe/after": frozenset({"worker"}),
    "document.absent/before": frozenset({"worker"}),
    "document.absent/after": frozenset({"worker"}),
    # deadlines
    "timer/before": frozenset({"worker"}),
    "document.remind/after": frozenset({"worker"}),
    "document.escalate/before": frozenset({"worker"}),
    "document.escalate/after": frozenset({"worker"}),
    "document.expire/before": frozenset({"worker"}),
    "document.expire/after": frozenset({"worker"}),
}
"""Each step, and the parts of the gateway that take it."""


class Trap:
    """Kills its own process, with SIGKILL, the ``count``-th time it comes to a step."""

    def __init__(self, step: str, count: int) -> None:
        self.place, _, self.phase = step.partition("/")
        self._left = count
        self._lock = threading.Lock()

    def reach(self, place: str, phase: str) -> None:
        if place != self.place or phase != ("before" if self.phase == "during" else self.phase):
            return
        with self._lock:
            self._left -= 1
            if self._left:
                return
        if self.phase == "during":
            threading.Thread(target=_die_soon, daemon=True).start()
        else:
            _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_soon() -> None:
    time.sleep(random.SystemRandom().uniform(0, DURING_SECONDS))
    _die()


def arm(trap: Trap) -> None:
    """Wrap what the steps are. Before the gateway is started, in its process."""
    import gateway.stages.record
    import gateway.worker.assembly
    import gateway.worker.deliveries
    import gateway.worker.dispatcher
    from gateway.documents.stores import PostgresStore, SqliteStore
    from gateway.worker.timers import Timers

    for store in (SqliteStore, PostgresStore):
        _commits(store, trap)
    for module in (gateway.stages.record, gateway.worker.deliveries):
        _around(module, "transmit", "transmit", trap)
    _around(gateway.worker.deliveries, "ask", "probe", trap)
    _around(Timers, "fire", "timer", trap)
    _within(gateway.worker.assembly, "recheck", "recheck", trap)
    _within(gateway.worker.dispatcher, "claim", "claim", trap)


def _commits(store: Any, trap: Trap) -> None:
    """Before the commit of a transaction that holds an entry of the kind, and after it."""
    original = store.write

    @wraps(original)
    async def write(self: Any, work: Callable[[Any], Any]) -> Any:
        hit = False

        def observed(connection: Any) -> Any:
            nonlocal hit
            outcome = work(connection)
            transaction = outcome[0] if isinstance(outcome, tuple) else None
            hit = any(f'"kind":"{trap.place}"' in sealed.entry for sealed in getattr(transaction, "entries", ()))
            if hit:
                trap.reach(trap.place, "before")
            return outcome

        outcome = await original(self, observed)
        if hit:
            trap.reach(trap.place, "after")
        return outcome

    store.write = write


def _around(owner: Any, name: str, place: str, trap: Trap) -> None:
    original = getattr(owner, name)

    @wraps(original)
    async def wrapped(*arguments: Any, **named: Any) -> Any:
        trap.reach(place, "before")
        result = await original(*arguments, **named)
        trap.reach(place, "after")
        return result

    setattr(owner, name, wrapped)


def _within(owner: Any, name: str, place: str, trap: Trap) -> None:
    original = getattr(owner, name)

    @wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        trap.reach(place, "before")
        result = original(*arguments, **named)
        trap.reach(place, "after")
        return result

    setattr(owner, name, wrapped)
