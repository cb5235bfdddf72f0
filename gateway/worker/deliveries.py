"""Sends what is approved or queued, notices senders that are gone, and asks the ERP about outcomes nobody knows."""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import structlog

from gateway.documents.history import off_record
from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import GATEWAY, Document, Terms, Work, apply, find, finish
from gateway.documents.states import Event, State
from gateway.errors import Problem
from gateway.exchange import Exchange, Outgoing
from gateway.holding import Objection, Recheck
from gateway.ports import Clock
from gateway.sending import MOST_TOLD, Writing, addressed, ask, exchange_of, settle, settled, transmit

log = structlog.get_logger()

Writings = Callable[[str, str], Writing | None]
Own = Callable[[Work, Document], Awaitable[None]]

MOST_CLAIMS = 10
"""How often a piece of work may break or be left lying before operators get its document."""

_ids = random.Random(os.urandom(16))


class Deliveries:
    """Handles the work kinds ``send``, ``watch`` and ``probe``.

    :param writing_of: how documents of an operation and version are sent now; ``None`` when no route serves it any more.
    :param recheck: whether what people agreed to still stands, asked in the unit that commits the intent to send.
    :param own: what is not sent anywhere but done by the gateway itself, by operation.
    """

    def __init__(
        self, ledger: Ledger, clock: Clock, writing_of: Writings, recheck: Recheck, own: Mapping[str, Own] | None = None
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._writing_of = writing_of
        self._recheck = recheck
        self._own = own or {}

    async def send(self, work: Work) -> None:
        """Commit the intent, send, record the outcome."""
        document = await self._document(work)
        if document is None or document.state not in (State.APPROVED, State.QUEUED):
            await self._forget(work)
            return
        if document.operation in self._own:
            await self._own[document.operation](work, document)
            return
        if work.attempts > MOST_CLAIMS:
            await self._ledger.write(lambda tx: self._distrust(tx, work, {"code": "broken"}))
            return
        writing = self._writing_of(document.operation, document.version)
        prepared = await self._prepared(writing, document, work)
        if writing is None or prepared is None:
            return
        exchange, outgoing = prepared
        sending = await self._ledger.write(lambda tx: self._intend(tx, work, document, writing, exchange.value))
        if sending is None:
            return
        log.info("document.sending", document=sending.id, operation=sending.operation, attempt=sending.attempts)
        outcome = await transmit(writing, outgoing, sending.sent_at or 0.0, self._clock)
        tries = len(writing.terms.backoff) + 1
        after = await settled(self._ledger, sending, outcome, writing.terms, tries=tries)
        log.info(f"document.{after.state}", document=after.id, operation=after.operation, attempt=sending.attempts)

    async def _prepared(self, writing: Writing | None, document: Document, work: Work) -> tuple[Exchange, Outgoing] | None:
        """The request as it would be sent now. What can no longer be sent is for operators."""
        note = {"code": "no_route"}
        if writing is not None:
            try:
                exchange = await exchange_of(writing, document, _trace())
                return exchange, addressed(writing, exchange, document.id)
            except Problem as problem:
                note = {"code": "not_accepted", "detail": problem.detail[:MOST_TOLD]}
        await self._ledger.write(lambda tx: self._distrust(tx, work, note))
        return None

    def _distrust(self, tx: Transaction, work: Work, note: dict[str, str]) -> None:
        document = find(tx.connection, work.document or "")
        if finish(tx, work) and document is not None and document.state in (State.APPROVED, State.QUEUED):
            apply(tx, document, Event.DISTRUST, actor=GATEWAY, terms=self._terms(document), details=note, note=note)
            log.error("document.manual", document=document.id, operation=document.operation, why=note["code"])

    def _intend(self, tx: Transaction, work: Work, seen: Document, writing: Writing, value: object) -> Document | None:
        """The unit that commits the intent. ``None`` when somebody else was faster, or it may not be sent."""
        document = find(tx.connection, seen.id)
        if not finish(tx, work) or document is None or document.seq != seen.seq:
            return None
        objection = _tampered(tx, document) or self._recheck(tx.connection, document, writing, value, tx.now)
        if objection is not None:
            objection.take(tx, document, writing.terms)
            return None
        return apply(tx, document, Event.SEND, actor=GATEWAY, terms=writing.terms)

    async def watch(self, work: Work) -> None:
        """The sender's time is over. If the document is still being sent, whoever sent it is gone."""

        def unit(tx: Transaction) -> None:
            document = find(tx.connection, work.document or "")
            if finish(tx, work) and document is not None and document.state is State.SENDING:
                note = {"code": "sender_gone"}
                terms = self._terms(document)
                apply(tx, document, Event.LOSE, actor=GATEWAY, terms=terms, details=note, note=note)
                log.warning("document.unknown", document=document.id, operation=document.operation, why="sender gone")

        await self._ledger.write(unit)

    async def probe(self, work: Work) -> None:
        """Ask the ERP. Found is delivered, not found is sent again, silence is asked again until operators decide."""
        document = await self._document(work)
        if document is None or document.state is not State.UNKNOWN:
            await self._forget(work)
            return
        writing = self._writing_of(document.operation, document.version)
        if writing is None or writing.probe is None or work.attempts > MOST_CLAIMS:
            await self._silent(work, document, "broken" if writing and writing.probe else "no_probe", again=None)
            return
        try:
            exchange = await exchange_of(writing, document, _trace())
        except Problem:
            await self._silent(work, document, "not_accepted", again=None)
            return
        outcome = await ask(writing, writing.probe, document, exchange.value, _trace())
        if outcome is None:
            asked, waits = _asked(document), writing.terms.probes
            await self._silent(work, document, "probe_silent", again=waits[asked] if asked < len(waits) else None)
            return
        log.info("document.probed", document=document.id, operation=document.operation, found=outcome.event.value)

        def unit(tx: Transaction) -> Document | None:
            if not finish(tx, work):
                return None
            return settle(tx, document, replace(outcome, note=outcome.note or {"code": "proven_absent"}), writing.terms)

        await self._ledger.write(unit)

    async def _silent(self, work: Work, seen: Document, why: str, *, again: float | None) -> None:
        note = {"code": why, "asked": _asked(seen) + 1}

        def unit(tx: Transaction) -> None:
            document = find(tx.connection, seen.id)
            if not finish(tx, work) or document is None or document.state is not State.UNKNOWN:
                return
            event = Event.GIVE_UP if again is None else Event.WAIT
            terms = self._terms(document)
            apply(tx, document, event, actor=GATEWAY, terms=terms, details=note, note=note, after=again)

        await self._ledger.write(unit)

    def _terms(self, document: Document) -> Terms:
        writing = self._writing_of(document.operation, document.version)
        return writing.terms if writing is not None else Terms()

    async def _document(self, work: Work) -> Document | None:
        return await self._ledger.read(lambda connection: find(connection, work.document or ""))

    async def _forget(self, work: Work) -> None:
        await self._ledger.write(lambda tx: finish(tx, work))


def _tampered(tx: Transaction, document: Document) -> Objection | None:
    """A vote, a body or a state that somebody wrote to the database sends nothing."""
    what = off_record(tx, document.id)
    if not what:
        return None
    log.error("document.tampered", document=document.id, operation=document.operation, what=what)
    return Objection(Event.DISTRUST, "not_on_record")


def _asked(document: Document) -> int:
    """How many probes said nothing since the outcome was lost."""
    return int((document.note or {}).get("asked", 0))


def _trace() -> bytes:
    """A new trace for what the gateway does by itself (W3C Trace Context)."""
    return b"00-%032x-%016x-01" % (_ids.getrandbits(128) | 1, _ids.getrandbits(64) | 1)
