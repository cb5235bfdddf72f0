"""The inbox and the page of one document: what a person sees before deciding, and the decision.

A decision names the revision and the payload hash the person was shown. Approving needs somebody who proved lately to be there:
by the security key they registered, else by signing in again. What the desk refuses is shown on the page it happened on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.approvals.compare import person_key
from gateway.approvals.messages import msgid
from gateway.console.keys import Decision, Key, Keys, usable
from gateway.console.proposals import Proposals
from gateway.console.sessions import Session
from gateway.console.web import NO_FORM, Web, field
from gateway.desk import Desk, Detail, Refusal
from gateway.desk.inbox import Box
from gateway.errors import BadRequest, NotFound, Problem
from gateway.people import POLICY_ACTIVATE, Person

PAGE = 50

BOXES = {
    "mine": msgid("For me"),
    "escalated": msgid("Escalated to me"),
    "waiting": msgid("Waiting on others"),
    "done": msgid("Done"),
}
OUTCOMES = {
    "booked": msgid("The ERP has booked it"),
    "absent": msgid("The ERP has not booked it: send it again"),
    "discard": msgid("Never send it"),
}
"""What an operator can say became of a document nobody knows the outcome of."""


class Documents:
    def __init__(self, web: Web, desk: Desk, keys: Keys, proposals: Proposals) -> None:
        self._web = web
        self._desk = desk
        self._keys = keys
        self._proposals = proposals

    def routes(self) -> list[Route]:
        signed_in, one = self._web.signed_in, "/documents/{document}"
        return [
            Route("/inbox", signed_in(self.inbox), methods=["GET"]),
            Route("/inbox/live", signed_in(self.inbox_live, live=True), methods=["GET"]),
            Route(one, signed_in(self.show), methods=["GET"]),
            Route(one + "/live", signed_in(self.show_live, live=True), methods=["GET"]),
            Route(one + "/question", signed_in(self.question), methods=["POST"]),
            Route(one + "/approve", signed_in(self.approve), methods=["POST"]),
            Route(one + "/reject", signed_in(self.reject), methods=["POST"]),
            Route(one + "/reveal", signed_in(self.reveal), methods=["POST"]),
        ]

    # --- inbox -----------------------------------------------------------------------------------------------------------

    async def inbox(self, request: Request, session: Session) -> Response:
        return await self._web.page(request, "inbox.html", **await self._inbox(request, session.person))

    async def inbox_live(self, request: Request, session: Session) -> Response:
        return await self._web.part(request, "inbox-rows.html", **await self._inbox(request, session.person))

    async def _inbox(self, request: Request, person: Person) -> dict[str, Any]:
        box: Any = request.query_params.get("box", "mine")
        if box not in get_args(Box):
            raise NotFound
        before = _moment(request.query_params.get("before"))
        rows = await self._desk.inbox(person, box, limit=PAGE, before=before)
        counts = {name: len(await self._desk.inbox(person, name, limit=PAGE)) for name in ("mine", "escalated")}
        older = rows[-1].received_at if len(rows) == PAGE else None
        return {"boxes": BOXES, "box": box, "rows": rows, "counts": counts, "older": older, "before": before, "page_size": PAGE}

    # --- one document ----------------------------------------------------------------------------------------------------

    async def show(self, request: Request, session: Session) -> Response:
        return await self.page(request, session)

    async def show_live(self, request: Request, session: Session) -> Response:
        detail = await self._desk.detail(session.person, request.path_params["document"])
        return await self._web.part(request, "document-live.html", detail=detail)

    async def page(
        self, request: Request, session: Session, status: int = 200, *, problem: Problem | None = None, **shown: object
    ) -> Response:
        """The page of the document a path names, with what went wrong, if something did."""
        detail = await self._desk.detail(session.person, request.path_params["document"])
        keys = await self._keys.of(session.person)
        paper = await self._proposals.paper(session.person, detail.row.id, detail.row.operation)
        values: dict[str, object] = {"accounts": None, "payload": None, "reason": "", "rejecting": False, **shown}
        return await self._web.page(
            request,
            "document.html",
            status,
            detail=detail,
            paper=paper,
            keys=keys,
            fresh=self._web.fresh(session),
            usable=usable(request.state.origin),
            refusal=_refusal(detail),
            decides=bool(detail.can - {"reveal"}),
            outcomes=OUTCOMES,
            problem=problem,
            **values,
        )

    async def reveal(self, request: Request, session: Session) -> Response:
        """The whole account numbers, on the record."""
        await self._web.form(request, session)
        found = await self._desk.reveal(session.person, request.path_params["document"])
        return await self.page(request, session, accounts=found["accounts"], payload=found["payload"])

    # --- deciding --------------------------------------------------------------------------------------------------------

    async def question(self, request: Request, session: Session) -> Response:
        """What the person's security key has to sign to approve: JSON for the page's script."""
        form = await self._web.form(request, session)
        decision = _decision(request, form, "approve")
        held = await self._keys.of(session.person)
        options = await self._keys.question(session, decision, held, request.state.origin, self._web.clock.now())
        return JSONResponse(options)

    async def approve(self, request: Request, session: Session) -> Response:
        form = await self._web.form(request, session)
        decision = _decision(request, form, "approve")
        keys = await self._keys.of(session.person)
        if not keys and not self._web.fresh(session):
            return self._web.go("/sign-in/again", next=f"/documents/{decision.document}")
        for_whom = field(form, "on_behalf_of", 200) or None
        try:
            detail = await self._desk.detail(session.person, decision.document)
            _once(session.person, detail, decision, for_whom)
            person = await self._present(request, session, decision, keys, field(form, "assertion", 20_000))
            detail = await self._desk.approve(
                person,
                decision.document,
                revision=decision.revision,
                payload_hash=decision.payload_hash,
                on_behalf_of=for_whom,
            )
        except NotFound:
            raise
        except Problem as problem:
            return await self.page(request, session, problem.status, problem=problem)
        released = "agreed" if detail.row.operation == POLICY_ACTIVATE else "released"
        notice = "approved" if detail.row.state == "held" else released
        return self._web.go(f"/documents/{decision.document}", notice=notice)

    async def _present(self, request: Request, session: Session, decision: Decision, keys: list[Key], answer: str) -> Person:
        """Who is there, and how that was proved. Raises ``Forbidden``."""
        if not keys:
            return session.person
        await self._keys.check(session, decision, answer, request.state.origin, self._web.clock.now())
        return replace(session.person, method="webauthn")

    async def reject(self, request: Request, session: Session) -> Response:
        form = await self._web.form(request, session)
        decision, reason = _decision(request, form, "reject"), field(form, "reason", 2000)
        try:
            await self._desk.reject(
                session.person,
                decision.document,
                revision=decision.revision,
                payload_hash=decision.payload_hash,
                reason=reason,
                on_behalf_of=field(form, "on_behalf_of", 200) or None,
            )
        except NotFound:
            raise
        except Problem as problem:
            return await self.page(request, session, problem.status, problem=problem, reason=reason, rejecting=True)
        return self._web.go(f"/documents/{decision.document}", notice="rejected")


def _once(person: Person, detail: Detail, decision: Decision, for_whom: str | None) -> None:
    """Say so when somebody approves again; it would count once in any case."""
    mine = ("approve", decision.revision, None, for_whom, person_key(person.subject))
    votes = [(v.decision, v.revision, v.void, v.delegator, person_key(v.person)) for v in detail.votes]
    if detail.row.state == "held" and mine in votes:
        raise Refusal("already_voted", {"person": person.subject}).problem()


def _refusal(detail: Detail) -> Refusal | None:
    """Why the person may not decide, where there is something to decide."""
    refusal = detail.why_not.get("approve") or detail.why_not.get("attest")
    return None if refusal is None or refusal.code == "not_held" else refusal


def _decision(request: Request, form: Any, decision: str) -> Decision:
    revision = field(form, "revision", 9)
    if not (revision.isascii() and revision.isdigit()):
        raise BadRequest(NO_FORM)
    return Decision(request.path_params["document"], int(revision), field(form, "payload_hash", 64), decision)


def _moment(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        raise NotFound from None
