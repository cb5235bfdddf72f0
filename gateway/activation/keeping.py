"""What a process starts with, and that the ledger and every process go on saying the same.

Where files are live at once the ledger is told of them. Where policies need two people it is the other way round: the ledger's
last activation is what is live, and where it is not proved nothing changes, or, at the start, nothing is served.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
from sqlalchemy import Connection

from gateway.bundle import SHORT, Bundle
from gateway.config.gateway import Gateway
from gateway.config.source import Source, read_source, validate
from gateway.documents.audit import Anchor, read_anchors
from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.policies import (
    Activation,
    How,
    NotOnRecord,
    activate,
    activation_in,
    anchored,
    kept,
    last_number,
    was_live,
)
from gateway.documents.records import GATEWAY
from gateway.documents.verify import verify
from gateway.errors import ConfigError, Finding, LedgerUnavailable
from gateway.live import Active, Live, last_active
from gateway.snapshot import Stores

log = structlog.get_logger()

POLL_SECONDS = 2.0
"""How often a process looks whether another one activated a policy. Redis, where there is one, tells at once."""
AGAIN_SECONDS = 30.0
"""How long an activation that could not be taken is left alone before it is tried again."""


async def open_live(path: Path, stores: Stores) -> Live:
    """What this process serves from. Raises ``ConfigError``: for files that are not good, and where policies need two people also
    for a ledger whose last activation is not proved."""
    source = read_source(path, name=path.name)
    gateway = validate(source, Gateway)
    if gateway.policy.activation == "files":
        return Live(path, stores)
    try:
        return Live(path, stores, await _agreed(path, gateway, stores))
    except NotOnRecord as error:
        raise ConfigError([_unproved(source, error)]) from error


def _unproved(source: Source, error: NotOnRecord) -> Finding:
    what = f"policies need two people, and the ledger does not prove which one is live: {error}"
    remedy = "restore the ledger; or start once with 'activation: files', which is recorded, and look at what is live"
    return source.finding(("policy", "activation"), what, remedy)


async def _agreed(path: Path, gateway: Gateway, stores: Stores) -> Active:
    """The last activation. In a ledger that has none the files on disk are the first: the one policy nobody agreed to. Raises
    ``NotOnRecord``, and ``ConfigError`` where the first files are not good."""
    anchors = await _not_cut(path.parent / gateway.ledger.anchors, stores.ledger)
    first = None
    if await stores.ledger.proved(last_active) is None:
        await stores.ledger.proved(lambda connection, key: _untouched(connection, key, anchors))
        first = Live(path, stores).snapshot.deployment.bundle

    def unit(tx: Transaction) -> tuple[Active, bool]:
        found = activation_in(tx)
        if found is None and first is None:
            raise NotOnRecord("the last activation is gone")
        bundle = first if found is None else kept(tx.connection, found.digest)
        if bundle is None:
            raise AssertionError("there is neither an activation nor a first policy")
        if found is not None and found.mode == "dual":
            return Active(found, bundle), False
        return Active(activate(tx, bundle, how="start", mode="dual", actor=GATEWAY), bundle), True

    active, made = await stores.ledger.write(unit)
    if made:
        # Two people agree to what follows; that this one is good is for whoever sees the entry to say.
        log.warning("policy.dual", digest=active.activation.digest, number=active.activation.number)
    return active


def _untouched(connection: Connection, key: bytes, anchors: tuple[Anchor, ...]) -> None:
    """Raises ``NotOnRecord`` for a chain from which something was taken. Without an activation the files on disk go live: that
    there never was one must be sure, and is worth reading the chain once."""
    tampered = verify(connection, key, anchors).tampered
    if tampered:
        raise NotOnRecord(f"it has no activation, and its audit chain was tampered with at entry {tampered[0].seq}")


async def _not_cut(file: Path, ledger: Ledger) -> tuple[Anchor, ...]:
    """What was anchored outside of a ledger. Raises ``NotOnRecord`` for a ledger that does not hold it."""
    text = await asyncio.to_thread(lambda: file.read_text("utf-8", "replace") if file.is_file() else "")
    anchors = tuple(read_anchors(text))
    await ledger.proved(lambda connection, key: anchored(connection, key, anchors))
    return anchors


class Keeper:
    """Runs beside a ``Live`` for the whole life of a process.

    :param poll: seconds between looks at the ledger.
    """

    def __init__(self, live: Live, *, poll: float = POLL_SECONDS) -> None:
        self._live = live
        self._poll = poll
        self._told = ""  # the digest that the ledger is known to have as live
        self._tried = (0, float("-inf"))  # the activation that was tried last, and when

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop. A ledger that cannot be reached is asked again."""
        started, lost = True, False
        while not stop.is_set():
            self._live.changed.clear()
            try:
                await self.look(started=started)
                started = lost = False
            except LedgerUnavailable as error:
                if not lost:
                    log.warning("policy.unrecorded", exc_info=error)
                lost = True
            except Exception as error:
                # A loop that ended would take the process with it, and the next one would start from files as they are by then.
                log.error("policy.broke", exc_info=error)
            await _either(self._live.changed, stop, self._poll)

    async def look(self, *, started: bool = False) -> None:
        """Once. ``started`` says that what is live was found by a process that starts. Raises ``LedgerUnavailable``."""
        if self._live.dual:
            await self._follow()
        elif self._told != self._live.snapshot.deployment.bundle.digest:
            await self._tell(started)

    async def _follow(self) -> None:
        live, now = self._live, self._live.stores.clock.monotonic()
        number = await live.stores.ledger.read(last_number)
        if number == live.number and not live.lagging:
            return
        tried, at = self._tried
        if number != tried or now - at >= AGAIN_SECONDS:
            self._tried = (number, now)
            await live.reload()

    async def _tell(self, started: bool) -> None:
        """One activation, however many processes there are."""
        deployment = self._live.snapshot.deployment
        bundle, secret = deployment.bundle, bool(deployment.satellites.warnings)

        def unit(tx: Transaction) -> tuple[Activation | None, bool]:
            last = _last(tx)
            dual = last is not None and last.mode == "dual"
            if last is not None and last.digest == bundle.digest and not dual:
                return None, False
            how: How = "start" if started else "rollback" if was_live(tx.connection, bundle.digest) else "file"
            told = "" if last is None else _summary(tx, bundle, last)
            return activate(tx, bundle, how=how, mode="files", actor=GATEWAY, summary=told, secret=secret), dual

        made, was_dual = await self._live.stores.ledger.write(unit)
        self._told = bundle.digest
        if was_dual:
            log.warning("policy.one_person", digest=bundle.digest)
        if made is not None:
            log.info("policy.activated", digest=made.digest, number=made.number, how=made.how)


def _last(tx: Transaction) -> Activation | None:
    """Where files are live at once the ledger only tells of them: a history that is not proved is said so, and goes on."""
    try:
        return activation_in(tx)
    except NotOnRecord as error:
        log.error("policy.doubted", why=str(error))
        return None


def _summary(tx: Transaction, bundle: Bundle, last: Activation) -> str:
    try:
        return bundle.summary(kept(tx.connection, last.digest))
    except NotOnRecord:
        return f"not compared: the files of {last.digest[:SHORT]} are not kept"


async def _either(changed: asyncio.Event, stop: asyncio.Event, seconds: float) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in (changed, stop)]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
