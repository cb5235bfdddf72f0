"""A proposal that enough people agreed to goes live: looked at once more, and made live in the unit that says so.

The document is delivered in the very transaction that writes the activation, so a crash leaves the old policy or the new one.
There is nothing to send and so no outcome that nobody knows: what does not stand is refused, and has to be proposed anew.
"""

from __future__ import annotations

import asyncio

import structlog

from gateway.bundle import SHORT, Bundle
from gateway.documents.history import off_record
from gateway.documents.ledger import Transaction
from gateway.documents.policies import Activation, NotOnRecord, activate, activation_in, kept
from gateway.documents.records import GATEWAY, Document, apply, find, finish, postpone
from gateway.documents.states import Event, State
from gateway.documents.work import Work
from gateway.errors import ConfigError
from gateway.holding import intact
from gateway.holding.proposals import EXECUTE_WITHIN, TERMS, Proposal, ballot_of, is_proposal, proposals
from gateway.live import Live
from gateway.snapshot import Snapshot

log = structlog.get_logger()

LAG_SECONDS = 1.0
"""How long a release waits in a process that has yet to take the activation before."""
MOST_CLAIMS = 10
MOST_TOLD = 300


class Objection(Exception):
    """Why a proposal does not go live: the code of its note, and what else the note says."""

    def __init__(self, code: str, **facts: str) -> None:
        super().__init__(code)
        self.note = {"code": code, **facts}


class _Lagging(Exception):
    """Another policy is live by now than this process decides by."""


class Release:
    """Handles the work ``send`` of documents that are proposals."""

    def __init__(self, live: Live) -> None:
        self._live = live

    async def __call__(self, work: Work, document: Document) -> None:
        """``document`` is that of the work, as it was read before; what counts is what the unit finds."""
        snapshot, number = self._live.snapshot, self._live.number
        problem = await self._fit(document)

        def unit(tx: Transaction) -> Document | None:
            found = find(tx.connection, document.id)
            if found is None or found.state is not State.APPROVED:
                finish(tx, work)
                return None
            try:
                agreed, proposal, bundle, base = _look(tx, found, snapshot, number)
                if problem is not None:
                    raise problem
                if work.attempts > MOST_CLAIMS:
                    raise Objection("broken")
            except _Lagging:
                postpone(tx, work, LAG_SECONDS, "another policy went live meanwhile")
                return None
            except Objection as objection:
                return _refuse(tx, found, objection) if finish(tx, work) else None
            return _deliver(tx, found, proposal, bundle, base, agreed) if finish(tx, work) else None

        after = await self._live.stores.ledger.write(unit)
        if after is not None:
            log.warning(f"policy.{after.state}", document=after.id, note=after.note)
        await self._live.reload()

    async def _fit(self, document: Document) -> Objection | None:
        """Whether the policy goes with the routes that are live now and passes its own tests."""
        try:
            bundle = await self._live.stores.ledger.read(lambda connection: kept(connection, Proposal.of(document).digest))
            await asyncio.to_thread(self._live.candidate, bundle)
        except (NotOnRecord, ValueError):
            return Objection("not_kept")
        except ConfigError as error:
            return Objection("not_fit", detail=str(error.findings[0])[:MOST_TOLD])
        return None


def _look(
    tx: Transaction, document: Document, snapshot: Snapshot, number: int
) -> tuple[tuple[str, ...], Proposal, Bundle, Bundle]:
    """Who agreed to what. Raises ``Objection``, or ``_Lagging`` where this process cannot tell; ``number`` is that of the
    activation it knows."""
    what = off_record(tx, document.id)
    if what or not is_proposal(document):
        log.error("document.tampered", document=document.id, operation=document.operation, what=what)
        raise Objection("not_on_record")
    try:
        proposal = Proposal.of(document)
        bundle, base, live = kept(tx.connection, proposal.digest), kept(tx.connection, proposal.base), activation_in(tx)
    except (NotOnRecord, ValueError) as error:
        raise Objection("not_kept") from error
    if live is None or (live.number, live.digest) != (proposal.after, proposal.base) or live.number < number:
        raise Objection("base_changed")
    if (number, snapshot.deployment.bundle.digest) != (live.number, live.digest):
        raise _Lagging
    if not intact(document):
        raise Objection("body_changed")
    quorum = ballot_of(tx.connection, document, proposal, snapshot.policy).quorum()
    if not quorum.met:
        raise Objection("quorum_lost")
    if tx.now >= max(vote.at for vote in quorum.counted) + EXECUTE_WITHIN:
        raise Objection("execution_expired")
    return tuple(vote.person for vote in quorum.counted), proposal, bundle, base


def _deliver(
    tx: Transaction, document: Document, proposal: Proposal, bundle: Bundle, base: Bundle, agreed: tuple[str, ...]
) -> Document:
    sending = apply(tx, document, Event.SEND, actor=GATEWAY, terms=TERMS)
    made = activate(
        tx,
        bundle,
        how="document",
        mode="dual",
        actor=GATEWAY,
        summary=bundle.summary(base),
        document=document.id,
        proposed_by=proposal.proposed_by,
        approved_by=agreed,
    )
    details = {"activation": made.number, "digest": made.digest}
    _supersede_others(tx, document, made)
    reference = made.digest[:SHORT]
    return apply(tx, sending, Event.DELIVER, actor=GATEWAY, terms=TERMS, details=details, reference=reference, note=None)


def _supersede_others(tx: Transaction, document: Document, made: Activation) -> None:
    """Proposals that were compared with what is not live any more. One that was agreed to is refused when it is looked at."""
    note = {"code": "base_changed", "by": document.id}
    for other in proposals(tx.connection):
        if other.id != document.id and other.state is State.HELD:
            apply(tx, other, Event.SUPERSEDE, actor=GATEWAY, terms=TERMS, details=note, note=note)


def _refuse(tx: Transaction, document: Document, objection: Objection) -> Document:
    sending = apply(tx, document, Event.SEND, actor=GATEWAY, terms=TERMS)
    return apply(tx, sending, Event.REFUSE, actor=GATEWAY, terms=TERMS, details=objection.note, note=objection.note)
