"""The desk: everything people do with documents, for the console and the command line.

Each change is one unit of the ledger, judged inside it by the files in force at that moment, and on disk before it is told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

from gateway.desk import delegations as deputies
from gateway.desk.delegations import Deputy
from gateway.desk.detail import detail, seen
from gateway.desk.inbox import Box, inbox, troubled
from gateway.desk.masking import accounts_in
from gateway.desk.operators import Outcome, Word, attest, revive
from gateway.desk.refusals import PERMISSION, Refusal
from gateway.desk.restricting import restricted_whole
from gateway.desk.sight import Viewer
from gateway.desk.views import Detail, Json, Row
from gateway.desk.votes import Paper, cast, reason_given
from gateway.documents.decisions import Search, decisions
from gateway.documents.ledger import Ledger, Unit
from gateway.documents.states import Event, State
from gateway.documents.transaction import Transaction
from gateway.errors import BadRequest, Forbidden
from gateway.holding import Rules, value_of
from gateway.people import AUDIT, OPERATE, Person
from gateway.ports import Clock, Decided

MOST_ROWS = 500


T = TypeVar("T")
Refused = Callable[[Person, str], Awaitable[None]]


async def _unheard(person: Person, permission: str) -> None:
    pass


class Desk:
    """``rules`` gives the files in force; it is asked again for every call. ``refused`` is told who lacked which permission,
    before they are.

    Every method may raise ``LedgerUnavailable``. Those about one document raise ``NotFound`` when the person may not see it,
    and the problem of a ``Refusal`` (403, 409 or 422, its ``extensions["code"]`` stable) when they may see it and not do this.
    """

    def __init__(self, ledger: Ledger, rules: Callable[[], Rules], clock: Clock, refused: Refused = _unheard) -> None:
        self._ledger = ledger
        self._refused = refused
        self._rules = rules
        self._clock = clock

    def _viewer(self, person: Person, now: float | None = None) -> Viewer:
        return Viewer(person, self._rules(), self._clock.now() if now is None else now)

    async def _write(self, person: Person, unit: Unit[T]) -> T:
        try:
            return await self._ledger.write(unit)
        except Forbidden as refusal:
            permission = PERMISSION.get(str(refusal.extensions.get("code")))
            if permission is not None:
                await self._refused(person, permission)
            raise

    # --- reading -------------------------------------------------------------------------------------------------------------

    async def inbox(self, person: Person, box: Box, *, limit: int = 50, before: float | None = None) -> list[Row]:
        """One box, newest first; ``before`` is the ``received_at`` of the last row of the page before. mine: may vote now ·
        escalated: held, and a role of the person took over · waiting: not decided or not done, and theirs by asking or voting ·
        done: the same, over."""
        viewer = self._viewer(person)
        return await self._ledger.read(lambda connection: inbox(connection, viewer, box, _most(limit), before))

    async def detail(self, person: Person, document: str) -> Detail:
        """One document. A person who may not see it is not told whether it exists."""
        rules, viewer = self._rules(), self._viewer(person)
        return await self._ledger.read(lambda connection: detail(connection, viewer, rules, document))

    async def reveal(self, person: Person, document: str) -> Json:
        """The accounts in full, ``accounts`` in the order of the payments and the ``payload`` as it was sent. For those who are
        asked about it and for auditors; the chain records who looked."""

        def unit(tx: Transaction) -> Json:
            viewer = self._viewer(person, tx.now)
            found, ballot = seen(tx.connection, viewer, document)
            if not viewer.may_reveal(ballot):
                raise Refusal("not_revealed", {"person": person.subject}).problem()
            tx.audit("document.revealed", person.subject, document=found.id, revision=found.revision, method=person.method)
            try:
                payload = value_of(found)
            except BadRequest:
                payload = None
            whole = {"accounts": accounts_in(found.hold.facts) if found.hold else [], "payload": payload}
            return restricted_whole(whole, viewer.fields(found.operation, found.version), viewer.rule(found.operation))

        return await self._write(person, unit)

    async def decisions(self, person: Person, search: Search, *, limit: int = 50, before: int | None = None) -> list[Decided]:
        """What policy decided about callers of the person's tenant, newest first. For auditors."""
        if not self._viewer(person).audits:
            await self._refused(person, AUDIT)
            raise Refusal("not_auditor", {"person": person.subject}).problem()
        own = replace(search, tenant=person.tenant)
        return await self._ledger.read(lambda connection: decisions(connection, own, before=before, limit=_most(limit)))

    # --- deciding ------------------------------------------------------------------------------------------------------------

    async def approve(
        self, person: Person, document: str, *, revision: int, payload_hash: str, on_behalf_of: str | None = None
    ) -> Detail:
        """Agree to the revision and the hash the person was shown. The vote that completes the quorum releases the document."""
        return await self._cast(person, document, Paper("approve", revision, payload_hash, on_behalf_of))

    async def reject(
        self, person: Person, document: str, *, revision: int, payload_hash: str, reason: str, on_behalf_of: str | None = None
    ) -> Detail:
        """Say no, which ends the document. Who agreed may still do so while it is held."""
        return await self._cast(person, document, Paper("reject", revision, payload_hash, on_behalf_of, reason_given(reason)))

    async def _cast(self, person: Person, document: str, paper: Paper) -> Detail:
        def unit(tx: Transaction) -> None:
            cast(tx, self._viewer(person, tx.now), self._rules(), document, paper)

        await self._write(person, unit)
        return await self.detail(person, document)

    # --- acting for each other -----------------------------------------------------------------------------------------------

    async def delegate(self, person: Person, to: str, *, start: float, end: float) -> Deputy:
        """Let somebody vote in the person's place, Unix seconds. Needs the permission ``approvals.delegate``."""
        return await self._write(person, lambda tx: deputies.delegate(tx, self._viewer(person, tx.now), to, start, end))

    async def revoke_delegation(self, person: Person, number: int) -> None:
        """Take back one of the person's own, from now on; votes already given stay."""
        await self._ledger.write(lambda tx: deputies.revoke(tx, self._viewer(person, tx.now), number))

    async def delegations(self, person: Person) -> list[Deputy]:
        """Those given and received that are not over."""
        viewer = self._viewer(person)
        return await self._ledger.read(lambda connection: deputies.delegations(connection, viewer))

    # --- operators -----------------------------------------------------------------------------------------------------------

    async def troubled(
        self, person: Person, *, states: Sequence[State] | None = None, limit: int = 100, before: float | None = None
    ) -> list[Row]:
        """Documents in these states, newest first; without any named, those somebody has to look at: dead, manual, unknown, and
        what should have been sent five minutes ago. For operators and auditors."""
        viewer = self._viewer(person)
        if not (viewer.operates or viewer.audits):
            await self._refused(person, OPERATE)
            raise Refusal("not_operator", {"person": person.subject}).problem()
        return await self._ledger.read(lambda connection: troubled(connection, viewer, states, _most(limit), before))

    async def attest(self, person: Person, document: str, outcome: Outcome, *, reference: str = "", reason: str) -> Detail:
        """Say what became of a manual document: ``booked`` with the ERP's number, ``absent`` (it is sent again), or
        ``discard``. Two operators who say the same settle it."""
        word = Word(outcome, reference.strip(), reason_given(reason))

        def unit(tx: Transaction) -> None:
            viewer = self._viewer(person, tx.now)
            found, ballot = seen(tx.connection, viewer, document)
            attest(tx, viewer, self._rules(), found, ballot, word)

        await self._write(person, unit)
        return await self.detail(person, document)

    async def replay(self, person: Person, document: str) -> Detail:
        """Send a dead document again."""
        return await self._revive(person, document, Event.REPLAY, None)

    async def discard(self, person: Person, document: str, reason: str) -> Detail:
        """Give a dead document up."""
        return await self._revive(person, document, Event.DISCARD, reason_given(reason))

    async def _revive(
        self, person: Person, document: str, event: Literal[Event.REPLAY, Event.DISCARD], reason: str | None
    ) -> Detail:
        def unit(tx: Transaction) -> None:
            viewer = self._viewer(person, tx.now)
            found, _ = seen(tx.connection, viewer, document)
            revive(tx, viewer, self._rules(), found, event, reason)

        await self._write(person, unit)
        return await self.detail(person, document)


def _most(limit: int) -> int:
    return max(1, min(limit, MOST_ROWS))
