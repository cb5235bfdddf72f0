"""Signing in and out, proving again to be there, and the choice of a language.

With a provider configured people sign in there; a deployment that says ``demo: true`` lets its well-known people in by a button.
There is no third way. Where somebody goes afterwards is always a page of the console, whatever a link says.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, NoReturn

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.approvals.messages import msgid
from gateway.console.oidc import Flow, Provider
from gateway.console.sessions import Session
from gateway.console.web import COOKIE, LANGUAGE, LOCALE, YEAR, Web, field, safe_next
from gateway.errors import Forbidden, NotFound, Overloaded
from gateway.identity.jwks import FetchError
from gateway.identity.jws import Rejected
from gateway.languages import languages
from gateway.people import DEMO_PEOPLE, DEMO_TENANT, Person

log = structlog.get_logger()

FLOW = "erp_gateway_flow"
FLOW_AGE = 600
FLOW_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "state": str,
    "nonce": str,
    "verifier": str,
    "next": str,
    "at": float,
    "fresh": lambda value: None if value is None else int(value),
}

ABOUT_DEMO_PEOPLE = {
    "clerk-1": msgid("Payments clerk: asks for payments"),
    "approver-a": msgid("Finance approver A"),
    "approver-b": msgid("Finance approver B"),
    "cfo": msgid("Chief financial officer: approves, and gets what is escalated"),
    "security-admin": msgid("Security administrator"),
    "security-admin-2": msgid("Second security administrator"),
    "operator": msgid("Operator: settles what is stuck"),
    "operator-2": msgid("Second operator"),
    "auditor": msgid("Auditor: sees everything, changes nothing"),
}
"""What the demo's people are for."""

FAILED = msgid("The sign-in did not work. Please try again; if it goes on, tell the operators the request id.")
UNREACHABLE = msgid("The company's sign-in cannot be reached at the moment. Please try again in a minute.")
SOMEBODY_ELSE = msgid("You came back as somebody else. Sign out first to change who you are.")


class SignIn:
    """``provider`` is ``None`` where only the demo's people sign in, or nobody."""

    def __init__(self, web: Web, provider: Provider | None) -> None:
        self._web = web
        self._provider = provider
        self._demo = web.demo and provider is None

    def routes(self) -> list[Route]:
        return [
            Route("/sign-in", self.choose, methods=["GET"]),
            Route("/sign-in/demo", self.enter_demo, methods=["POST"]),
            Route("/sign-in/start", self.start, methods=["GET"]),
            Route("/sign-in/callback", self.come_back, methods=["GET"]),
            Route("/sign-in/again", self._web.signed_in(self.again), methods=["GET"]),
            Route("/sign-out", self._web.signed_in(self.leave), methods=["POST"]),
            Route("/language", self.speak, methods=["POST"]),
        ]

    async def choose(self, request: Request) -> Response:
        """Who are you? A person who is signed in goes on."""
        next_ = safe_next(request.query_params.get("next"))
        if await self._web.session(request) is not None:
            return self._web.go(next_)
        people = ABOUT_DEMO_PEOPLE if self._demo else {}
        status = 200 if self._demo or self._provider else 503
        return await self._web.page(
            request, "sign-in.html", status, people=people, provider=self._provider is not None, next=next_, again=False
        )

    async def again(self, request: Request, session: Session) -> Response:
        """Prove that it is still you."""
        next_ = safe_next(request.query_params.get("next"))
        subject = session.person.subject
        people = {subject: ABOUT_DEMO_PEOPLE[subject]} if self._demo and subject in DEMO_PEOPLE else {}
        return await self._web.page(
            request, "sign-in.html", people=people, provider=self._provider is not None, next=next_, again=True
        )

    async def enter_demo(self, request: Request) -> Response:
        """One of the demo's people pressed their button. Signed in already, the same person proved to be there again."""
        if not self._demo:
            raise NotFound
        session = await self._web.session(request)
        form = await self._web.form(request, session)
        subject = field(form, "person", 100)
        if subject not in DEMO_PEOPLE:
            raise Forbidden(FAILED)
        person = Person(subject, subject, DEMO_TENANT, (), "demo")
        return await self._enter(person, self._web.clock.now(), safe_next(field(form, "next")), session)

    # --- with a provider -------------------------------------------------------------------------------------------------

    async def start(self, request: Request) -> Response:
        """Go to the provider. Somebody signed in is asked to prove again to be there."""
        provider = self._required()
        session = await self._web.session(request)
        fresh = int(self._web.settings.fresh) if session is not None else None
        flow = Flow.begin(safe_next(request.query_params.get("next")), self._web.clock.now(), fresh)
        try:
            url = await provider.ask(flow, self._callback(request), self._web.language(request).tag)
        except (FetchError, Rejected) as error:
            self._failed(request, error)
        response = RedirectResponse(url, 302)
        self._web.set_cookie(response, FLOW, urlsafe_b64encode(json.dumps(asdict(flow)).encode()).decode(), FLOW_AGE)
        return response

    async def come_back(self, request: Request) -> Response:
        """The provider sent the browser back."""
        provider = self._required()
        session = await self._web.session(request)
        try:
            flow = _flow(self._web.cookie(request, FLOW))
            came = await provider.finish(flow, dict(request.query_params), self._callback(request))
        except (FetchError, Rejected) as error:
            self._failed(request, error)
        if flow.fresh is None:
            session = None
        response = await self._enter(came.person, came.authenticated_at, safe_next(flow.next), session, id_token=came.id_token)
        self._web.drop_cookie(response, FLOW)
        return response

    def _required(self) -> Provider:
        if self._provider is None:
            raise NotFound
        return self._provider

    def _callback(self, request: Request) -> str:
        return f"{request.state.origin}/sign-in/callback"

    def _failed(self, request: Request, error: FetchError | Rejected) -> NoReturn:
        facts = error.facts if isinstance(error, Rejected) else {}
        log.warning("sign_in.failed", id=request.state.id, reason=str(error), **{f"about_{k}": v for k, v in facts.items()})
        raise (Overloaded(UNREACHABLE) if isinstance(error, FetchError) else Forbidden(FAILED)) from error

    # --- in and out ------------------------------------------------------------------------------------------------------

    async def _enter(
        self, person: Person, at: float, next_: str, session: Session | None, *, id_token: str | None = None
    ) -> Response:
        """Open a session. In place of one that is open it must be the same person's, so that nobody decides under another's
        name."""
        if session is not None and (session.person.subject, session.person.tenant) != (person.subject, person.tenant):
            raise Forbidden(SOMEBODY_ELSE)
        data = {"id_token": id_token} if id_token else {}
        opened = await self._web.sessions.open(person, at, instead_of=session, data=data)
        path, _, query = next_.partition("?")
        notice = "notice=confirmed" if session is not None and path.startswith("/documents/") else ""
        joined = "&".join(part for part in (query, notice) if part)
        return self._web.keep(RedirectResponse(f"{path}?{joined}" if joined else path, 303), opened)

    async def leave(self, request: Request, session: Session) -> Response:
        """Sign out here. Where the provider offers it, the page then leads to signing out there."""
        await self._web.form(request, session)
        await self._web.sessions.close(session)
        request.state.session = None
        elsewhere = await self._elsewhere(request, session)
        response = await self._web.page(request, "signed-out.html", elsewhere=elsewhere)
        self._web.drop_cookie(response, COOKIE)
        response.headers["clear-site-data"] = '"cache"'
        return response

    async def _elsewhere(self, request: Request, session: Session) -> str | None:
        if self._provider is None:
            return None
        try:
            return await self._provider.sign_out(session.data.get("id_token"), f"{request.state.origin}/sign-in")
        except (FetchError, Rejected) as error:
            log.warning("sign_out.only_here", id=request.state.id, reason=str(error))
            return None

    async def speak(self, request: Request) -> Response:
        """Remember the language."""
        form = await self._web.form(request, None)
        tag = field(form, "language", 20)
        response = RedirectResponse(_page_to_return_to(field(form, "next")), 303)
        if tag in languages(LOCALE):
            self._web.set_cookie(response, LANGUAGE, tag, YEAR)
        return response


def _page_to_return_to(target: str) -> str:
    """Also a sign-in page, which is no place to go to after a sign-in."""
    ours = target.partition("?")[0] in ("/sign-in", "/sign-in/again")
    return target if ours and target.isascii() and target.isprintable() else safe_next(target)


def _flow(cookie: str | None) -> Flow:
    try:
        kept = json.loads(urlsafe_b64decode(cookie or ""))
        return Flow(**{name: kind(kept[name]) for name, kind in FLOW_FIELDS.items()})
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Rejected("no sign-in was begun in this browser") from error
