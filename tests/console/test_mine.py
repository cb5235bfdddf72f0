"""Delegations: given and ended in the console. (Security keys are tested in ``test_keys`` and with a browser.)"""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from tests.console.world import World


def local(moment: float) -> str:
    """As ``<input type=datetime-local>`` sends it."""
    return datetime.fromtimestamp(moment).isoformat(timespec="minutes")  # noqa: DTZ006


async def test_a_delegate_votes_in_the_place_of_who_is_away(console: World) -> None:
    away = await console.signed_in("approver-a")
    await away.get("/delegations")
    now = console.clock.now()
    answer = await away.submit("/delegations", to="clerk-2", start=local(now), end=local(now + 86400))
    assert answer.headers["location"] == "/delegations?notice=delegated"
    page = (await away.get("/delegations")).text
    assert "clerk-2" in page
    answer = await away.submit("/delegations/1/end")
    assert answer.headers["location"] == "/delegations?notice=revoked"
    assert "clerk-2" not in (await away.get("/delegations")).text


@pytest.mark.parametrize(
    ("to", "days", "status", "told"),
    [
        ("", 1, 422, "Name the person who is to act."),
        ("approver-a", 1, 422, "Nobody can act for themselves."),
        ("approver-b", 0, 422, "A delegation ends after it begins"),
        ("approver-b", 4000, 422, "A delegation ends after it begins"),
    ],
)
async def test_what_is_wrong_is_told_and_what_was_written_stays(
    console: World, to: str, days: int, status: int, told: str
) -> None:
    browser = await console.signed_in("approver-a")
    await browser.get("/delegations")
    now = console.clock.now()
    end = local(now + days * 86400)
    answer = await browser.submit("/delegations", to=to, start=local(now), end=end)
    assert answer.status_code == status
    assert told in answer.text
    assert f'value="{end}"' in answer.text


@pytest.mark.parametrize("start", ["", "tomorrow", "9999-99-99T00:00"])
async def test_a_date_is_a_date(console: World, start: str) -> None:
    browser = await console.signed_in("approver-a")
    await browser.get("/delegations")
    answer = await browser.submit("/delegations", to="approver-b", start=start, end=start)
    assert answer.status_code == 400
    assert "Write date and time as" in answer.text


async def test_who_may_not_delegate_is_offered_no_form(console: World) -> None:
    assert 'action="/delegations"' not in (await (await console.signed_in("clerk-1")).get("/delegations")).text


@pytest.mark.parametrize("number", [0, 2**63 - 1, 2**63, 10**23])
async def test_a_delegation_nobody_made_cannot_be_ended(console: World, number: int) -> None:
    browser = await console.signed_in("approver-a")
    await browser.get("/delegations")
    (csrf,) = set(re.findall(r'name="csrf" value="([^"]+)"', browser.page))
    answer = await browser.post(f"/delegations/{number}/end", csrf=csrf)
    assert answer.status_code in (404, 422)
