"""What every page shares: who is signed in, what a form must carry, and how a template becomes an answer.

Pages are functions of a request; ``Web.signed_in`` puts the session before them. Cookies are ours alone: HttpOnly, SameSite=Lax
so that a link in a message arrives signed in, and with the ``__Host-`` prefix wherever the console is reached by https.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.approvals.messages import msgid
from gateway.config.console import Console
from gateway.console.format import Format
from gateway.console.sessions import Session, Sessions
from gateway.errors import BadRequest, Forbidden, Unauthenticated
from gateway.languages import Language, choose, languages
from gateway.pages import address
from gateway.people import Person
from gateway.ports import Clock

FOLDER = Path(__file__).parent
LOCALE = FOLDER / "locale"
COOKIE = "erp_gateway_session"
LANGUAGE = "erp_gateway_language"
YEAR = 366 * 86400

SIGNED_OUT = msgid("You are signed out.")
NO_FORM = msgid("Send this form from the page it is on.")
OLD_FORM = msgid("This form is out of date. Open the page again and repeat what you did.")
TOO_LONG = msgid("A field is too long.")

MENU = (
    (None, "/inbox", "inbox", msgid("Inbox")),
    ("operate", "/operations", "tools", msgid("Operations")),
    ("policy", "/policy", "shield", msgid("Policy")),
    ("audit", "/decisions", "list", msgid("Decisions")),
    ("delegate", "/delegations", "people", msgid("Delegation")),
    (None, "/keys", "key", msgid("Security keys")),
)
"""What the menu shows: to whom, where, its icon, its name."""

Page = Callable[[Request], Awaitable[Response]]
PersonPage = Callable[[Request, Session], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Web:
    """Immutable. ``sections`` are the parts of the menu somebody may use: ``operations`` for operators."""

    settings: Console
    demo: bool
    sessions: Sessions
    clock: Clock
    sections: Callable[[Person], frozenset[str]]
    environments: Mapping[str, Environment]

    # --- who ---------------------------------------------------------------------------------------------------------------

    async def session(self, request: Request, *, touch: bool = True) -> Session | None:
        token = self.cookie(request, COOKIE)
        return None if token is None else await self.sessions.find(token, touch=touch)

    def signed_in(self, page: PersonPage, *, live: bool = False) -> Page:
        """A page for somebody. Who is nobody signs in first and comes back. ``live`` pages refresh themselves: that is no work
        of a person and keeps no session alive."""

        async def guarded(request: Request) -> Response:
            session = await self.session(request, touch=not live)
            request.state.session = session
            if session is None and live:
                raise Unauthenticated(SIGNED_OUT)
            if session is None:
                target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return self.go("/sign-in", next=target if request.method == "GET" else "/inbox")
            return await page(request, session)

        return guarded

    def fresh(self, session: Session) -> bool:
        """Whether the person proved lately to be there."""
        return 0 <= self.clock.now() - session.authenticated_at < self.settings.fresh

    # --- requests ------------------------------------------------------------------------------------------------------------

    async def form(self, request: Request, session: Session | None) -> FormData:
        """The fields of a form of this session's pages. Raises ``BadRequest`` or ``Forbidden``."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise BadRequest(NO_FORM)
        form = await request.form(max_fields=50)
        if session is not None and not session.owns(field(form, "csrf")):
            raise Forbidden(OLD_FORM)
        return form

    def language(self, request: Request) -> Language:
        return choose(languages(LOCALE), self.cookie(request, LANGUAGE), request.headers.get("accept-language"))

    # --- answers -------------------------------------------------------------------------------------------------------------

    async def page(self, request: Request, template: str, status: int = 200, **values: object) -> Response:
        return HTMLResponse(await self.render(request, template, **values), status)

    async def part(self, request: Request, template: str, **values: object) -> Response:
        """A part of a page that a browser asks for again and again: 304 as long as it is the same (RFC 9110 section 13.1.2)."""
        text = await self.render(request, template, **values)
        tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
        headers = {"etag": tag, "cache-control": "no-cache, private", "vary": "cookie, accept-language"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return HTMLResponse(text, headers=headers)

    async def render(self, request: Request, template: str, **values: object) -> str:
        language = self.language(request)
        session: Session | None = getattr(request.state, "session", None)
        sections = frozenset() if session is None else self.sections(session.person)
        format_ = Format(language, self.settings.timezone, self.clock.now())
        query = f"?{request.url.query}" if request.url.query else ""
        shared = {
            "language": language,
            "languages": list(languages(LOCALE).values()),
            "here": request.url.path + query if request.method == "GET" else "/inbox",
            "path": request.url.path,
            "session": session,
            "person": session.person if session else None,
            "csrf": session.csrf if session else "",
            "sections": sections,
            "menu": [item[1:] for item in MENU if item[0] is None or item[0] in sections],
            "format": format_,
            "request_id": getattr(request.state, "id", ""),
            "notice": request.query_params.get("notice", ""),
            "assets": ASSETS,
        }
        return self.environments[language.tag].get_template(template).render({**shared, **values})

    def go(self, path: str, **query: str | None) -> Response:
        """See another page (303), with a query."""
        return RedirectResponse(str(url_with(path, query)), 303)

    def keep(self, response: Response, session: Session) -> Response:
        """Give the browser the session's cookie; it ends with the browser, or earlier by the session's own times."""
        self.set_cookie(response, COOKIE, session.token, None)
        return response

    def set_cookie(self, response: Response, name: str, value: str, max_age: int | None) -> None:
        response.set_cookie(self._name(name), value, max_age=max_age, path="/", secure=self.tls, httponly=True, samesite="lax")

    def cookie(self, request: Request, name: str) -> str | None:
        return request.cookies.get(self._name(name))

    def drop_cookie(self, response: Response, name: str) -> None:
        response.delete_cookie(self._name(name), path="/", secure=self.tls, httponly=True, samesite="lax")

    @property
    def tls(self) -> bool:
        return self.settings.public_url is not None and self.settings.public_url.startswith("https:")

    def _name(self, name: str) -> str:
        """``__Host-``: no other host and no plain connection can have set it (RFC 6265bis section 4.1.3)."""
        return f"__Host-{name}" if self.tls else name


def url_with(path: str, query: Mapping[str, str | None]) -> str:
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def field(form: FormData, name: str, most: int = 4000) -> str:
    """A text field, empty when it is not there. Raises ``BadRequest`` when it is too long."""
    value = form.get(name, "")
    if not isinstance(value, str) or len(value) > most:
        raise BadRequest(TOO_LONG)
    return value.strip()


def safe_next(target: str | None) -> str:
    """Where to go after a sign-in: a page of the console, whatever a link says."""
    if target is None or len(target) > 500 or not target.startswith("/") or target.startswith(("//", "/sign-")):
        return "/inbox"
    return target if target.isascii() and target.isprintable() and "\\" not in target else "/inbox"


# Not the joiners and variation selectors, which names of many scripts are written with.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


def visible(value: object) -> object:
    """Text in which nothing is hidden: a payee's name with controls that turn or hide letters shows them (Unicode TR 36)."""
    if not isinstance(value, str) or not _HIDDEN.search(value):
        return value
    shown = _HIDDEN.sub(lambda found: f"\u27e8U+{ord(found[0]):04X}\u27e9", str(value))
    return Markup(shown) if isinstance(value, Markup) else shown  # noqa: S704 - what was escaped stays so


ASSETS = {path.name: address("/static", path) for path in sorted((FOLDER / "static").iterdir())}
