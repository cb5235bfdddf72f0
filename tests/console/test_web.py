"""What all pages share: addresses that stay in the console, fields of forms, and parts that are sent again only when they
changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from starlette.datastructures import FormData

from gateway.console.web import FOLDER, field, safe_next, url_with, visible
from gateway.errors import BadRequest
from gateway.pages import environments
from tests.console.world import World


@pytest.mark.parametrize("target", ["/inbox", "/documents/ab12?notice=approved", "/inbox?box=done&before=1.5", "/keys#a"])
def test_pages_of_the_console_may_be_next(target: str) -> None:
    assert safe_next(target) == target


@given(st.text(max_size=30) | st.sampled_from(["/", "//", "/\\", "/%2f/evil", "http:", "\n", "@", "evil.example"]))
def test_whatever_a_link_says_it_stays_here(target: str) -> None:
    for attempt in (target, "/" + target, target * 2):
        chosen = safe_next(attempt)
        assert chosen.startswith("/")
        assert not chosen.startswith("//")
        assert "\\" not in chosen
        assert chosen.isprintable()


def test_a_missing_or_long_address_is_the_inbox() -> None:
    assert safe_next(None) == safe_next("/" + "a" * 500) == "/inbox"


def test_addresses_with_a_query() -> None:
    assert url_with("/a", {"next": "/b?c=d&e", "empty": "", "none": None}) == "/a?next=%2Fb%3Fc%3Dd%26e"
    assert url_with("/a", {}) == "/a"


def test_fields() -> None:
    form = FormData([("a", "  x  "), ("long", "x" * 5000)])
    assert field(form, "a") == "x"
    assert field(form, "b") == ""
    with pytest.raises(BadRequest):
        field(form, "long")


def test_every_template_compiles_and_escapes() -> None:
    for environment in environments(FOLDER, visible).values():
        assert environment.autoescape is True
        for name in environment.list_templates():
            environment.get_template(name)


@pytest.mark.parametrize(
    "name", ["A\u202egnp.exe", "A\u200bB", "A\u2066B\u2069", "A\x00B", "A\ufeffB", "A\u3164B", "A\u00adB", "A\u034fB"]
)
async def test_letters_that_hide_or_turn_others_are_shown(console: World, name: str) -> None:
    document = await console.payment(payee={"name": name, "account": "99887766"})
    browser = await console.signed_in("approver-a")
    for path in ("/inbox", f"/documents/{document.id}"):
        page = (await browser.get(path)).text
        assert name not in page
        assert f"A\u27e8U+{ord(name[1]):04X}\u27e9" in page


def test_what_hides_nothing_stays() -> None:
    for text in ("上海远洋物流有限公司", "Söhne & Co.", "a\nb\tc", "नमस्ते", "👩\u200d💻"):
        assert visible(text) == text
    assert visible(7) == 7
    assert visible(Markup("<b>\u202e</b>")) == Markup("<b>⟨U+202E⟩</b>")
    assert isinstance(visible(Markup("\u202e")), Markup)


async def test_only_forms_are_read(console: World) -> None:
    browser = await console.signed_in("approver-a")
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x", ""):
        answer = await browser.http.post("/sign-out", content=b"{}", headers={"content-type": kind})
        assert answer.status_code == 400, kind


async def test_a_part_differs_by_person_and_language(console: World) -> None:
    await console.payment()
    answer = await (await console.signed_in("approver-a")).get("/inbox/live?box=mine")
    assert answer.headers["vary"] == "cookie, accept-language"
    assert answer.headers["cache-control"] == "no-cache, private"
