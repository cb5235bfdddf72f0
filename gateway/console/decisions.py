"""What policy decided, for auditors: who was refused, who saw what is sensitive, by which rows. Of their own tenant only, and
nothing here changes anything."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.approvals.messages import msgid
from gateway.console.mine import NO_TIME
from gateway.console.sessions import Session
from gateway.console.web import TOO_LONG, Web
from gateway.desk import Desk
from gateway.documents.decisions import Search
from gateway.errors import BadRequest, NotFound

PAGE = 50
MOST = 256
"""The longest name that is looked for, as the ledger's column takes."""

ANSWERS = {"": msgid("All answers"), "denied": msgid("Denied"), "allowed": msgid("Allowed")}
UNMET = {
    "network": msgid("not from this network"),
    "time": msgid("not at this time"),
    "fields": msgid("because of its fields"),
    "records": msgid("because of its records"),
}
ASKED = ("who", "operation", "answer", "from", "until")


class Decisions:
    def __init__(self, web: Web, desk: Desk) -> None:
        self._web = web
        self._desk = desk

    def routes(self) -> list[Route]:
        return [Route("/decisions", self._web.signed_in(self.show), methods=["GET"])]

    async def show(self, request: Request, session: Session) -> Response:
        """``who``, ``operation``, ``answer`` (denied, allowed), ``from`` and ``until`` (in the console's time zone) say what is
        looked for, ``before`` where the page begins."""
        asked = {name: request.query_params.get(name, "").strip() for name in ASKED}
        if asked["answer"] not in ANSWERS:
            raise NotFound
        if any(len(text) > MOST for text in asked.values()):
            raise BadRequest(TOO_LONG)
        search = Search(
            who=asked["who"] or None,
            operation=asked["operation"] or None,
            allowed={"denied": False, "allowed": True}.get(asked["answer"]),
            since=self._moment(asked["from"]),
            until=self._moment(asked["until"]),
        )
        before = _number(request.query_params.get("before"))
        rows = await self._desk.decisions(session.person, search, limit=PAGE, before=before)
        chosen = {name: text for name, text in asked.items() if text}
        older = "/decisions?" + urlencode({**chosen, "before": rows[-1].seq}) if len(rows) == PAGE else ""
        newest = "/decisions?" + urlencode(chosen) if before is not None else ""
        return await self._web.page(
            request, "decisions.html", rows=rows, asked=asked, answers=ANSWERS, unmet=UNMET, older=older, newest=newest
        )

    def _moment(self, text: str) -> float | None:
        try:
            return datetime.fromisoformat(text).replace(tzinfo=self._web.settings.timezone).timestamp() if text else None
        except (ValueError, OverflowError) as error:
            raise BadRequest(NO_TIME) from error


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound
    return int(text)
