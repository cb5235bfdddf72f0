"""What is stuck, for operators: attest what the ERP shows, send again, discard. Each needs a reason, and what books or drops
money two different operators."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.approvals.messages import msgid
from gateway.console.documents import OUTCOMES, Documents
from gateway.console.sessions import Session
from gateway.console.web import Web, field
from gateway.desk import Desk
from gateway.errors import BadRequest, NotFound, Problem

PAGE = 100
NO_OUTCOME = msgid("Say what the ERP shows.")


class Operations:
    def __init__(self, web: Web, desk: Desk, documents: Documents) -> None:
        self._web = web
        self._desk = desk
        self._documents = documents

    def routes(self) -> list[Route]:
        signed_in, one = self._web.signed_in, "/documents/{document}"
        return [
            Route("/operations", signed_in(self.troubled), methods=["GET"]),
            Route("/operations/live", signed_in(self.troubled_live, live=True), methods=["GET"]),
            Route(one + "/attest", signed_in(self.attest), methods=["POST"]),
            Route(one + "/replay", signed_in(self.replay), methods=["POST"]),
            Route(one + "/discard", signed_in(self.discard), methods=["POST"]),
        ]

    async def troubled(self, request: Request, session: Session) -> Response:
        return await self._web.page(request, "operations.html", **await self._rows(session))

    async def troubled_live(self, request: Request, session: Session) -> Response:
        return await self._web.part(request, "operations-rows.html", **await self._rows(session))

    async def _rows(self, session: Session) -> dict[str, Any]:
        return {"rows": await self._desk.troubled(session.person, limit=PAGE), "page_size": PAGE}

    async def attest(self, request: Request, session: Session) -> Response:
        """What the ERP shows, said by one of two operators."""

        async def act(document: str, form: FormData) -> str:
            outcome: Any = field(form, "outcome", 20)
            if outcome not in OUTCOMES:
                raise BadRequest(NO_OUTCOME)
            reference, reason = field(form, "reference", 200), field(form, "reason", 2000)
            detail = await self._desk.attest(session.person, document, outcome, reference=reference, reason=reason)
            return "attested" if detail.row.state == "manual" else "settled"

        return await self._do(request, session, act)

    async def replay(self, request: Request, session: Session) -> Response:
        async def act(document: str, form: FormData) -> str:
            await self._desk.replay(session.person, document)
            return "replayed"

        return await self._do(request, session, act)

    async def discard(self, request: Request, session: Session) -> Response:
        async def act(document: str, form: FormData) -> str:
            await self._desk.discard(session.person, document, field(form, "reason", 2000))
            return "discarded"

        return await self._do(request, session, act)

    async def _do(self, request: Request, session: Session, act: Callable[[str, FormData], Awaitable[str]]) -> Response:
        form, document = await self._web.form(request, session), request.path_params["document"]
        try:
            notice = await act(document, form)
        except NotFound:
            raise
        except Problem as problem:
            return await self._documents.page(request, session, problem.status, problem=problem)
        return self._web.go(f"/documents/{document}", notice=notice)
