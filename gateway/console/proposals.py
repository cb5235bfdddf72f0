"""A change of policy that waits for a second person: proposing the files on disk, taking a proposal back, and what the other
one is shown. Deciding on it is the desk's, as for every document.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.activation import Policies, Proposed
from gateway.console.change import Change, Changes, sight_of
from gateway.console.sessions import Session
from gateway.console.web import Web, field
from gateway.errors import Problem
from gateway.live import Live
from gateway.people import POLICY_ACTIVATE, POLICY_READ, Person


@dataclass(frozen=True, slots=True)
class Paper:
    """Immutable. A proposal as one person is shown it; ``change`` is ``None`` for who may see no policy at all."""

    proposed: Proposed
    change: Change | None


class Proposals:
    def __init__(self, web: Web, live: Live, policies: Policies, changes: Changes) -> None:
        self._web = web
        self._live = live
        self._policies = policies
        self._changes = changes

    def routes(self) -> list[Route]:
        signed_in = self._web.signed_in
        return [
            Route("/policy/propose", signed_in(self.propose), methods=["POST"]),
            Route("/documents/{document}/withdraw", signed_in(self.withdraw), methods=["POST"]),
        ]

    async def propose(self, request: Request, session: Session) -> Response:
        """The files that were shown, by their digest. Needs somebody who proved lately to be there, as approving does."""
        form = await self._web.form(request, session)
        if not self._web.fresh(session):
            return self._web.go("/sign-in/again", next="/policy")
        try:
            document = await self._policies.propose(session.person, field(form, "digest", 64))
        except Problem as problem:
            already = problem.extensions.get("document")
            if isinstance(already, str):
                return self._web.go(f"/documents/{already}")
            raise
        return self._web.go(f"/documents/{document}", notice="proposed")

    async def withdraw(self, request: Request, session: Session) -> Response:
        await self._web.form(request, session)
        document = request.path_params["document"]
        await self._policies.withdraw(session.person, document)
        return self._web.go(f"/documents/{document}", notice="withdrawn")

    async def paper(self, person: Person, document: str, operation: str) -> Paper | None:
        """The proposal in a document that the desk has shown the person; ``None`` where it is another kind of document."""
        if operation != POLICY_ACTIVATE:
            return None
        proposed = await self._policies.proposed(document)
        return Paper(proposed, self._seen(person, await self._changes.between(proposed.base, proposed.bundle)))

    def _seen(self, person: Person, change: Change) -> Change | None:
        sight = sight_of(self._live.snapshot.policy, person, POLICY_ACTIVATE, POLICY_READ)
        return None if sight is None else change.seen_by(sight)
