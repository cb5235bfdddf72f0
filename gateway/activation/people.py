"""What people do about the live policy: propose the files that wait, take a proposal back, look at what was live.

Approving and rejecting a proposal is the desk's, as for every document. Everything is judged by the policy that is live, never by
the one that is proposed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from gateway.approvals.compare import person_key
from gateway.bundle import Bundle
from gateway.desk import Refusal
from gateway.documents.policies import Activation, NotOnRecord, activation_in, activations, keep, kept
from gateway.documents.records import Document, apply, find, receive
from gateway.documents.states import Event, State, allowed
from gateway.documents.transaction import Transaction
from gateway.errors import FieldError, NotFound
from gateway.holding.ballot import Permitted
from gateway.holding.proposals import TERMS, Proposal, is_proposal, proposals
from gateway.live import Live, Pending
from gateway.people import POLICY_ACTIVATE, Person
from gateway.policy.differences import Side, differences
from gateway.policy.expectations import outcomes
from gateway.scoping import asked
from gateway.snapshot import Snapshot
from gateway.stages.record import new_id

MOST_NAME: Final = 200


def counted(old: Snapshot, new: Snapshot) -> tuple[int | None, int | None]:
    """How many tuples another policy gives and takes; ``None`` where there are more than anybody counts."""
    before, after = (
        Side(one.policy, one.approvals, frozenset(s.tenant for s in one.deployment.satellites)) for one in (old, new)
    )
    found = differences(before, after, asked(new.routes))
    return (len(found.gained), len(found.lost)) if found.complete else (None, None)


@dataclass(frozen=True, slots=True)
class Proposed:
    """Immutable. A proposal as people look at it.

    :param bundle: the files that are proposed, ``base`` those it was compared with.
    :param current: whether ``base`` is what is live; once it is not, the proposal cannot go live any more.
    :param differs: whether the files in the policies folder are others by now.
    """

    id: str
    state: State
    at: float
    proposal: Proposal
    bundle: Bundle
    base: Bundle
    current: bool
    differs: bool


class Policies:
    """What the console asks. Every method may raise ``LedgerUnavailable``; those that change something raise the problem of
    a ``Refusal`` (403, 409 or 422, its ``extensions["code"]`` stable)."""

    def __init__(self, live: Live) -> None:
        self._live = live

    # --- reading -------------------------------------------------------------------------------------------------------------

    def pending(self) -> Pending | None:
        """The files that wait to be proposed, compared and tested; ``None`` where they are what is live, or live at once."""
        return self._live.pending

    def may(self, person: Person) -> bool:
        """Whether the person may propose and approve, by the policy that is live."""
        holders = Permitted(self._live.snapshot.policy, person.tenant, POLICY_ACTIVATE)
        return bool(person_key(person.subject) and holders.of(person.subject, person.roles))

    async def history(self, limit: int = 50, before: int | None = None) -> list[Activation]:
        """What was live, newest first; ``before`` is the number of the last one of the page before."""
        return await self._live.stores.ledger.read(lambda connection: activations(connection, limit, before))

    async def bundle(self, digest: str) -> Bundle:
        """The files of a policy of the history. Raises ``NotFound`` where they are not kept, or not what the digest says."""
        try:
            return await self._live.stores.ledger.read(lambda connection: kept(connection, digest))
        except NotOnRecord as error:
            raise NotFound("The files of this policy are not kept.") from error

    async def open(self, person: Person) -> list[Proposed]:
        """Proposals of the person's tenant that are not decided or not live yet, oldest first; for those who may approve."""
        found = await self._live.stores.ledger.read(proposals) if self.may(person) else []
        return [await self._proposed(document) for document in found if document.tenant == person.tenant]

    async def proposed(self, document: str) -> Proposed:
        """The proposal of one document, for somebody who was shown the document by the desk. Raises ``NotFound``."""
        found = await self._live.stores.ledger.read(lambda connection: find(connection, document))
        if found is None or not is_proposal(found):
            raise NotFound("There is no such document.")
        return await self._proposed(found)

    async def _proposed(self, document: Document) -> Proposed:
        try:
            proposal = Proposal.of(document)
        except ValueError as error:
            raise NotFound("There is no such document.") from error
        bundle, base = await self.bundle(proposal.digest), await self.bundle(proposal.base)
        live, pending = self._live.snapshot.deployment.bundle.digest, self._live.pending
        on_disk = live if pending is None else pending.digest
        about = (document.id, document.state, document.received_at, proposal, bundle, base)
        return Proposed(*about, current=proposal.base == live, differs=on_disk != proposal.digest)

    # --- proposing -----------------------------------------------------------------------------------------------------------

    async def propose(self, person: Person, digest: str) -> str:
        """Ask a second person to agree to the files that were shown, named by their digest; the id of the document. The files may
        be changed meanwhile: what was proposed stays what it is."""
        self._permit(person)
        pending, snapshot = self._live.pending, self._live.snapshot
        if not self._live.dual:
            raise Refusal("one_person").problem()
        if pending is None:
            raise Refusal("nothing_pending").problem()
        if pending.digest != digest:
            raise Refusal("files_changed").problem()
        if pending.bundle is None or pending.snapshot is None:
            problem = Refusal("files_wrong").problem()
            problem.errors = tuple(FieldError("", str(finding)) for finding in pending.findings)
            raise problem
        bundle, base = pending.bundle, pending.base
        gained, lost = await asyncio.to_thread(counted, snapshot, pending.snapshot)
        tests = sum(1 for _ in outcomes(pending.snapshot.deployment.tests, pending.snapshot.policy))
        # As it is: the one who proposed is kept out by comparing this name with that of whoever votes.
        proposal = Proposal(bundle.digest, base.digest, person.subject, pending.summary, tests, gained, lost)
        id_ = new_id()

        def unit(tx: Transaction) -> None:
            self._permit(person)
            try:
                live = activation_in(tx)
            except NotOnRecord as error:
                raise Refusal("base_changed").problem() from error
            if live is None or live.digest != proposal.base:
                raise Refusal("base_changed").problem()
            asked = replace(proposal, after=live.number)
            _once(tx, asked)
            keep(tx, bundle)
            document = asked.document(id_, person.tenant, person.roles, tx.now)
            details = {"proposed_by": person.subject, "method": person.method, "digest": proposal.digest, "base": proposal.base}
            receive(tx, document, Event.HOLD, terms=TERMS, details=details)

        await self._live.stores.ledger.write(unit)
        return id_

    def _permit(self, person: Person) -> None:
        if not self.may(person) or len(person.subject) > MOST_NAME or self._live.doubt:
            raise Refusal("not_activating", {"person": person.subject}).problem()

    async def withdraw(self, person: Person, document: str) -> None:
        """Take back a proposal of one's own that is not live yet."""

        def unit(tx: Transaction) -> None:
            found = find(tx.connection, document)
            if found is None or not is_proposal(found) or found.tenant != person.tenant:
                raise NotFound("There is no such document.")
            try:
                asked = Proposal.of(found).proposed_by
            except ValueError as error:
                raise NotFound("There is no such document.") from error
            if person_key(asked) != person_key(person.subject):
                raise Refusal("not_proposer", {"person": asked}).problem()
            if not allowed(found.state, Event.RECALL):
                raise Refusal("too_late", {"state": found.state.value}).problem()
            apply(tx, found, Event.RECALL, actor=person.subject, terms=TERMS, note={"code": "recalled"})

        await self._live.stores.ledger.write(unit)


def _once(tx: Transaction, proposal: Proposal) -> None:
    """Raises the problem of a ``Refusal`` where somebody has proposed the same already."""
    for document in proposals(tx.connection):
        try:
            other = Proposal.of(document)
        except ValueError:
            continue
        if (other.digest, other.base, other.after) == (proposal.digest, proposal.base, proposal.after):
            refusal = Refusal("already_proposed", {"person": other.proposed_by}).problem()
            refusal.extensions["document"] = document.id
            raise refusal
