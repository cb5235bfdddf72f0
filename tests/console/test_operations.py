"""What operators do with what is stuck."""

from __future__ import annotations

import pytest

from gateway.documents.records import Document
from gateway.documents.states import Event
from tests.console.world import World


async def stuck(console: World, *events: Event) -> Document:
    """A payment two people approved that went wrong on its way."""
    document = await console.payment()
    await console.vote("approver-a", document)
    await console.vote("approver-b", document)
    return await console.step(document.id, Event.SEND, *events)


async def test_only_operators_and_auditors_see_what_is_stuck(console: World) -> None:
    document = await stuck(console, Event.LOSE, Event.GIVE_UP)
    answers = {}
    for subject in ("operator", "auditor", "approver-a", "clerk-1"):
        answer = await (await console.signed_in(subject)).get("/operations")
        answers[subject] = (answer.status_code, document.id in answer.text)
    assert answers == {"operator": (200, True), "auditor": (200, True), "approver-a": (403, False), "clerk-1": (403, False)}


async def test_nothing_stuck_is_good_news(console: World) -> None:
    browser = await console.signed_in("operator")
    assert "Nothing is stuck." in (await browser.get("/operations")).text
    assert "Nothing is stuck." in (await browser.get("/operations/live")).text


async def test_two_operators_settle_what_nobody_knows(console: World) -> None:
    document = await stuck(console, Event.LOSE, Event.GIVE_UP)
    here = f"/documents/{document.id}"
    word = {"outcome": "booked", "reference": "5100004711", "reason": "Seen in the journal."}
    one, two = await console.signed_in("operator"), await console.signed_in("operator-2")
    await one.get(here)
    assert (await one.submit(f"{here}/attest", **word)).headers["location"] == f"{here}?notice=attested"
    page = (await two.get(here)).text
    assert "Operators must decide" in page
    assert "Seen in the journal." in page
    assert (await two.submit(f"{here}/attest", **word)).headers["location"] == f"{here}?notice=settled"
    assert "5100004711" in (await two.get(here)).text


@pytest.mark.parametrize(
    ("word", "status", "told"),
    [
        ({"outcome": "booked", "reference": "", "reason": "x"}, 422, "Give the ERP&#39;s number of the booking"),
        ({"outcome": "absent", "reference": "", "reason": " "}, 422, "Give a reason."),
        ({"outcome": "maybe", "reference": "", "reason": "x"}, 400, "Say what the ERP shows."),
        ({"reason": "x"}, 400, "Say what the ERP shows."),
    ],
)
async def test_a_word_is_whole(console: World, word: dict[str, str], status: int, told: str) -> None:
    document = await stuck(console, Event.LOSE, Event.GIVE_UP)
    browser = await console.signed_in("operator")
    await browser.get(f"/documents/{document.id}")
    answer = await browser.submit(f"/documents/{document.id}/attest", **word)
    assert answer.status_code == status
    assert told in answer.text


async def test_a_dead_document_is_sent_again_or_discarded(console: World) -> None:
    browser = await console.signed_in("operator")
    for action, fields, state in (("replay", {}, "Queued to be sent"), ("discard", {"reason": "Paid by hand."}, "Discarded")):
        document = await stuck(console, Event.GIVE_UP)
        here = f"/documents/{document.id}"
        assert "Could not be sent" in (await browser.get(here)).text
        answer = await browser.submit(f"{here}/{action}", **fields)
        assert answer.status_code == 303
        assert state in (await browser.get(answer.headers["location"])).text


async def test_an_auditor_changes_nothing(console: World) -> None:
    document = await stuck(console, Event.GIVE_UP)
    page = (await (await console.signed_in("auditor")).get(f"/documents/{document.id}")).text
    assert "/replay" not in page
    assert "/discard" not in page
    assert "/reveal" in page
