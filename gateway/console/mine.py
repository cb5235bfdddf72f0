"""What people keep about themselves: their delegations and their security keys."""

from __future__ import annotations

from datetime import datetime, tzinfo

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.approvals.messages import msgid
from gateway.console.keys import Keys, usable
from gateway.console.sessions import Session
from gateway.console.web import Web, field
from gateway.desk import Desk
from gateway.errors import BadRequest, NotFound, Problem

MOST_NUMBER = 2**63 - 1
"""What the ledger's column takes."""

NO_TIME = msgid("Write date and time as 2026-01-31T18:00.")


class Delegations:
    def __init__(self, web: Web, desk: Desk) -> None:
        self._web = web
        self._desk = desk

    def routes(self) -> list[Route]:
        signed_in = self._web.signed_in
        return [
            Route("/delegations", signed_in(self.show), methods=["GET"]),
            Route("/delegations", signed_in(self.add), methods=["POST"]),
            Route("/delegations/{number:int}/end", signed_in(self.end), methods=["POST"]),
        ]

    async def show(self, request: Request, session: Session) -> Response:
        return await self._page(request, session)

    async def add(self, request: Request, session: Session) -> Response:
        form = await self._web.form(request, session)
        given = {name: field(form, name, 200) for name in ("to", "start", "end")}
        try:
            start, end = (_moment(given[name], self._web.settings.timezone) for name in ("start", "end"))
            await self._desk.delegate(session.person, given["to"], start=start, end=end)
        except Problem as problem:
            return await self._page(request, session, problem.status, problem=problem, given=given)
        return self._web.go("/delegations", notice="delegated")

    async def end(self, request: Request, session: Session) -> Response:
        await self._web.form(request, session)
        number = request.path_params["number"]
        if number > MOST_NUMBER:
            raise NotFound
        await self._desk.revoke_delegation(session.person, number)
        return self._web.go("/delegations", notice="revoked")

    async def _page(
        self,
        request: Request,
        session: Session,
        status: int = 200,
        *,
        problem: Problem | None = None,
        given: dict[str, str] | None = None,
    ) -> Response:
        rows = await self._desk.delegations(session.person)
        values = given or {"to": "", "start": "", "end": ""}
        return await self._web.page(request, "delegations.html", status, rows=rows, given=values, problem=problem)


def _moment(text: str, timezone: tzinfo | None) -> float:
    """Unix seconds of a local date and time, as ``<input type=datetime-local>`` sends it."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=timezone).timestamp()
    except (ValueError, OverflowError) as error:
        raise BadRequest(NO_TIME) from error


class MyKeys:
    def __init__(self, web: Web, keys: Keys) -> None:
        self._web = web
        self._keys = keys

    def routes(self) -> list[Route]:
        signed_in = self._web.signed_in
        return [
            Route("/keys", signed_in(self.show), methods=["GET"]),
            Route("/keys", signed_in(self.add), methods=["POST"]),
            Route("/keys/question", signed_in(self.question), methods=["POST"]),
            Route("/keys/remove", signed_in(self.remove), methods=["POST"]),
        ]

    async def show(self, request: Request, session: Session) -> Response:
        return await self._page(request, session)

    async def _page(self, request: Request, session: Session, status: int = 200, problem: Problem | None = None) -> Response:
        origin = request.state.origin
        return await self._web.page(
            request,
            "keys.html",
            status,
            keys=await self._keys.of(session.person),
            fresh=self._web.fresh(session),
            usable=usable(origin),
            by_name=origin.replace("127.0.0.1", "localhost").replace("[::1]", "localhost") + "/keys",
            problem=problem,
        )

    async def question(self, request: Request, session: Session) -> Response:
        """What a new key has to answer: JSON for the page's script. Only for somebody who proved lately to be there."""
        await self._web.form(request, session)
        if not self._web.fresh(session):
            return JSONResponse({"again": "/sign-in/again?next=/keys"}, 403)
        return JSONResponse(await self._keys.registration(session, request.state.origin, self._web.clock.now()))

    async def add(self, request: Request, session: Session) -> Response:
        form = await self._web.form(request, session)
        if not self._web.fresh(session):
            return self._web.go("/sign-in/again", next="/keys")
        answer, name = field(form, "attestation", 40_000), field(form, "name", 100)
        try:
            await self._keys.register(session, answer, name, request.state.origin, self._web.clock.now())
        except Problem as problem:
            return await self._page(request, session, problem.status, problem)
        return self._web.go("/keys", notice="key-added")

    async def remove(self, request: Request, session: Session) -> Response:
        form = await self._web.form(request, session)
        if not self._web.fresh(session):
            return self._web.go("/sign-in/again", next="/keys")
        await self._keys.remove(session.person, field(form, "key", 400))
        return self._web.go("/keys", notice="key-removed")
