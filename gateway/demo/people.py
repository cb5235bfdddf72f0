"""The demo's people at the console: what a browser without JavaScript would do, form by form."""

from __future__ import annotations

import http.client
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from lxml import html


@dataclass(frozen=True, slots=True)
class Page:
    """What the browser shows: the status, the address it ended at, and the page."""

    status: int
    path: str
    tree: html.HtmlElement

    def text(self, selector: str) -> list[str]:
        """The text of every element an XPath expression finds, white space folded."""
        return [" ".join(" ".join(element.itertext()).split()) for element in self.tree.xpath(selector)]


@dataclass(slots=True)
class Browser:
    """One person's browser. ``base`` is the console's origin."""

    base: str
    person: str
    cookies: dict[str, str] = field(default_factory=dict)

    def sign_in(self) -> Page:
        self.open("/sign-in")
        return self._send("POST", "/sign-in/demo", {"person": self.person, "next": "/inbox"})

    def open(self, path: str) -> Page:
        return self._send("GET", path, {})

    def press(self, page: Page, action: str, **fields: str) -> Page:
        """Submit the form of a page whose action ends like this, filled in. A form that is not there is submitted nevertheless,
        with what the page's other forms hold: whoever is not offered a button may still try."""
        forms = [form for form in page.tree.forms if (form.action or "").endswith(action)] or page.tree.forms
        hidden = {name: value for form in forms for name, value in form.form_values() if value is not None}
        return self._send("POST", page.path.partition("?")[0] + action, hidden | fields)

    def _send(self, method: str, path: str, form: dict[str, str]) -> Page:
        for _ in range(5):
            status, location, text = self._exchange(method, path, form)
            if location is None:
                return Page(status, path, html.document_fromstring(text or "<p>"))
            method, path, form = "GET", location, {}
        raise RuntimeError("the console redirects in circles")

    def _exchange(self, method: str, path: str, form: dict[str, str]) -> tuple[int, str | None, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.base).netloc, timeout=30)
        try:
            headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), "origin": self.base}
            if method == "POST":
                headers["content-type"] = "application/x-www-form-urlencoded"
            connection.request(method, path, urlencode(form) if method == "POST" else None, headers)
            response = connection.getresponse()
            for value in response.headers.get_all("set-cookie", []):
                for name, morsel in SimpleCookie(value).items():
                    self.cookies[name] = morsel.value
            location = response.getheader("location") if response.status in (302, 303, 307) else None
            return response.status, location, response.read()
        finally:
            connection.close()
