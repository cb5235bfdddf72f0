"""Deadlines of documents that wait for people: remind them, hand over to their superior, give up.

Each fires once: its row is deleted in the unit that takes the step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog

from gateway.documents.ledger import Ledger, Transaction
from gateway.documents.records import GATEWAY, Document, Terms, Work, apply, find, finish
from gateway.documents.states import Event, State, allowed

log = structlog.get_logger()

EVENTS = {"expire": Event.EXPIRE, "remind_due": Event.REMIND, "escalate_due": Event.ESCALATE}


class Timers:
    """Handles the work kinds ``expire``, ``remind_due`` and ``escalate_due``."""

    def __init__(self, ledger: Ledger, terms_of: Callable[[str, str], Terms]) -> None:
        self._ledger = ledger
        self._terms_of = terms_of

    async def fire(self, work: Work) -> None:
        event = EVENTS[work.kind]

        def unit(tx: Transaction) -> Document | None:
            document = find(tx.connection, work.document or "")
            if not finish(tx, work) or document is None or not allowed(document.state, event):
                return None
            terms = self._terms_of(document.operation, document.version)
            if event is Event.ESCALATE and document.hold is not None:
                escalated = replace(document.hold, escalated=True)
                details = {"role": escalated.escalate_to or ""}
                return apply(tx, document, event, actor=GATEWAY, terms=terms, details=details, hold=escalated)
            if event is Event.EXPIRE:
                why = "expired" if document.state is State.HELD else "execution_expired"
                return apply(tx, document, event, actor=GATEWAY, terms=terms, note={"code": why})
            return apply(tx, document, event, actor=GATEWAY, terms=terms)

        document = await self._ledger.write(unit)
        if document is not None:
            log.info(f"document.{event}", document=document.id, operation=document.operation)
