"""Who may call the console: only by its own names, only from its own pages, only with small bodies; and what every answer
says."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.console.guard import MAX_BODY, POLICY
from tests.console.world import World


@pytest.mark.parametrize("host", ["127.0.0.1:8081", "localhost:8081", "[::1]:8081", "LOCALHOST:8081"])
async def test_it_goes_by_the_names_of_this_machine(console: World, host: str) -> None:
    assert (await console.browser(host=host).get("/sign-in")).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8081", "127.0.0.1", "127.0.0.1:8080", "localhost.evil.example:8081", ""]
)
async def test_another_name_is_refused(console: World, host: str) -> None:
    """DNS rebinding: a name of somebody else that resolves here."""
    answer = await console.browser(host=host).get("/sign-in")
    assert answer.status_code == 400
    assert "does not go by this name" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8080"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_another_site_changes_nothing(console: World, headers: dict[str, str]) -> None:
    answer = await console.browser(**headers).post("/sign-in/demo", person="approver-a")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("headers", [{"origin": "http://127.0.0.1:8081", "sec-fetch-site": "same-origin"}, {}])
async def test_its_own_pages_may(console: World, headers: dict[str, str]) -> None:
    assert (await console.browser(**headers).post("/sign-in/demo", person="approver-a")).status_code == 303


async def test_a_body_is_small(console: World) -> None:
    assert (await console.browser().post("/sign-in/demo", person="a" * MAX_BODY)).status_code == 413


async def test_a_body_without_a_length_is_small_too(console: World) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"a" * (MAX_BODY // 10)

    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await console.browser().http.post("/sign-in/demo", content=chunks(), headers=form)
    assert answer.status_code == 413


async def test_every_answer_says_how_to_be_treated(console: World) -> None:
    browser = await console.signed_in("approver-a")
    for path in ("/inbox", "/sign-in", "/nowhere", "/keys"):
        headers = (await browser.get(path)).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "'unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_no_page_needs_what_the_policy_forbids(console: World) -> None:
    document = await console.payment()
    browser = await console.signed_in("approver-a")
    for path in ("/sign-in/again", "/inbox", f"/documents/{document.id}", "/keys", "/delegations"):
        page = (await browser.get(path)).text
        for forbidden in ("<style", " style=", "javascript:", "onclick", "<script>"):
            assert forbidden not in page, (path, forbidden)
