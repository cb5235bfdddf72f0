"""Security keys: registering and removing them, and approvals that only the right answer to the right question makes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from gateway.console.keys import Decision, rp_id, usable
from gateway.documents.records import Document
from tests.console.softkey import PRESENT, SoftKey
from tests.console.world import Browser, World

LOCALHOST = "http://localhost:8081"


@pytest.fixture
def named(console: World) -> World:
    """The console by its name: keys are bound to one."""
    return replace(console, url=LOCALHOST)


async def csrf(browser: Browser, path: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', (await browser.get(path)).text)
    assert found is not None
    return found[1]


async def register(browser: Browser, key: SoftKey, name: str = "Blue key") -> Any:
    token = await csrf(browser, "/keys")
    options = (await browser.post("/keys/question", csrf=token)).json()
    return await browser.submit("/keys", attestation=key.make(options), name=name)


async def asked(browser: Browser, document: Document, **changes: str) -> dict[str, Any]:
    """The question for approving a document."""
    assert document.hold is not None
    token = await csrf(browser, f"/documents/{document.id}")
    fields = {"csrf": token, "revision": "1", "payload_hash": document.hold.payload_hash, **changes}
    question: dict[str, Any] = (await browser.post(f"/documents/{document.id}/question", **fields)).json()
    return question


async def approve(browser: Browser, document: Document, answer: str) -> int:
    await browser.get(f"/documents/{document.id}")
    return (await browser.submit(f"/documents/{document.id}/approve", assertion=answer)).status_code


async def test_a_key_approves(named: World) -> None:
    document, key = await named.payment(), SoftKey(LOCALHOST)
    browser = await named.signed_in("approver-a")
    answer = await register(browser, key)
    assert answer.headers["location"] == "/keys?notice=key-added"
    assert "Blue key" in (await browser.get("/keys")).text
    named.clock.time += 600
    question = await asked(browser, document)
    assert question["userVerification"] == "required"
    assert question["rpId"] == "localhost"
    assert len(question["allowCredentials"]) == 1
    assert await approve(browser, document, key.sign(question)) == 303
    detail = (await browser.get(f"/documents/{document.id}")).text
    assert "security key" in detail
    assert "1 of 2, nothing sent" in detail


async def test_who_has_a_key_needs_it(named: World) -> None:
    document = await named.payment()
    browser = await named.signed_in("approver-a")
    await register(browser, SoftKey(LOCALHOST))
    assert "Approve with your security key" in (await browser.get(f"/documents/{document.id}")).text
    assert await approve(browser, document, "") == 403
    assert "0 of 2, nothing sent" in (await browser.get(f"/documents/{document.id}")).text


@pytest.mark.parametrize(
    "change",
    [
        "public_key = (SELECT other.public_key FROM credentials other WHERE other.person = 'approver-b')",
        "sign_count = 0",
        "seal = ''",
    ],
)
async def test_a_key_somebody_wrote_to_the_ledger_is_none(named: World, change: str) -> None:
    document, key, accomplice = await named.payment(), SoftKey(LOCALHOST), SoftKey(LOCALHOST)
    await register(await named.signed_in("approver-b"), accomplice)
    browser = await named.signed_in("approver-a")
    await register(browser, key)
    await approve(browser, document, key.sign(await asked(browser, document)))
    other = await named.payment(payee={"name": "B", "account": "99887766"})
    question = await asked(browser, other)
    statement = text(f"UPDATE credentials SET {change} WHERE person = 'approver-a'")
    await named.ledger.write(lambda tx: tx.connection.execute(statement).close())
    if change.startswith("public_key"):
        key.key = accomplice.key
    assert await approve(browser, other, key.sign(question)) == 403
    assert "0 of 2, nothing sent" in (await browser.get(f"/documents/{other.id}")).text


async def test_a_key_that_was_removed_is_not_brought_back(named: World) -> None:
    document, key = await named.payment(), SoftKey(LOCALHOST)
    browser = await named.signed_in("approver-a")
    await register(browser, key)
    id_ = re.search(r'name="key" value="([^"]+)"', (await browser.get("/keys")).text)
    assert id_ is not None
    await browser.post("/keys/remove", csrf=await csrf(browser, "/keys"), key=id_[1])
    await named.ledger.write(lambda tx: tx.connection.execute(text("UPDATE credentials SET revoked = false")).close())
    question = await asked(browser, document)
    assert len(question["allowCredentials"]) == 1
    assert await approve(browser, document, key.sign(question)) == 403


async def test_an_answer_is_used_once(named: World) -> None:
    one, two, key = await named.payment(), await named.payment(payee={"name": "B", "account": "99887766"}), SoftKey(LOCALHOST)
    browser = await named.signed_in("approver-a")
    await register(browser, key)
    answer = key.sign(await asked(browser, one))
    assert await approve(browser, two, answer) == 403
    assert await approve(browser, one, answer) == 403
    assert await approve(browser, one, key.sign(await asked(browser, one))) == 303


@pytest.mark.parametrize("changes", [{"revision": "2"}, {"payload_hash": "0" * 64}], ids=str)
async def test_an_answer_fits_one_revision_and_one_content(named: World, changes: dict[str, str]) -> None:
    document, key = await named.payment(), SoftKey(LOCALHOST)
    browser = await named.signed_in("approver-a")
    await register(browser, key)
    assert await approve(browser, document, key.sign(await asked(browser, document, **changes))) == 403


async def test_each_question_is_another() -> None:
    decision = Decision("d", 1, "0" * 64, "approve")
    others = [replace(decision, document="e"), replace(decision, revision=2), replace(decision, payload_hash="1" * 64)]
    others.append(replace(decision, decision="reject"))
    challenges = {one.challenge("n") for one in (decision, *others)} | {decision.challenge("m")}
    assert len(challenges) == 6
    assert {len(challenge) for challenge in challenges} == {32}


LIES = ("another key", "another site", "not verified", "nothing", "no json", "garbage", "late", "another session")


@pytest.mark.parametrize("lie", LIES)
async def test_a_wrong_answer_approves_nothing(named: World, lie: str) -> None:
    document, key = await named.payment(), SoftKey(LOCALHOST)
    browser = await named.signed_in("approver-a")
    await register(browser, key)
    liars = {
        "another key": SoftKey(LOCALHOST, id=key.id),
        "another site": SoftKey("http://evil.example", id=key.id, key=key.key),
        "not verified": SoftKey(LOCALHOST, flags=PRESENT, id=key.id, key=key.key),
    }
    answer = liars.get(lie, key).sign(await asked(browser, document))
    answer = {"nothing": "", "no json": "[[[", "garbage": json.dumps({"id": 7, "response": []})}.get(lie, answer)
    if lie == "late":
        named.clock.time += 301
    if lie == "another session":
        browser = await named.signed_in("approver-a")
    assert await approve(browser, document, answer) == 403
    assert "0 of 2, nothing sent" in (await browser.get(f"/documents/{document.id}")).text


async def test_a_copied_key_is_found_by_its_counter(named: World) -> None:
    one, two, key = await named.payment(), await named.payment(payee={"name": "B", "account": "99887766"}), SoftKey(LOCALHOST)
    browser = await named.signed_in("approver-a")
    await register(browser, key)
    copy = SoftKey(LOCALHOST, id=key.id, key=key.key)
    assert await approve(browser, one, key.sign(await asked(browser, one))) == 303
    assert await approve(browser, two, copy.sign(await asked(browser, two))) == 403


async def test_somebody_elses_key_is_none(named: World) -> None:
    document, key, other = await named.payment(), SoftKey(LOCALHOST), SoftKey(LOCALHOST)
    await register(await named.signed_in("approver-b"), other)
    browser = await named.signed_in("approver-a")
    await register(browser, key)
    assert await approve(browser, document, other.sign(await asked(browser, document))) == 403


async def test_registering_needs_somebody_who_is_there(named: World) -> None:
    browser = await named.signed_in("approver-a")
    token = await csrf(browser, "/keys")
    options = (await browser.post("/keys/question", csrf=token)).json()
    named.clock.time += 301
    answer = await browser.post("/keys", csrf=token, attestation=SoftKey(LOCALHOST).make(options), name="x")
    assert answer.headers["location"] == "/sign-in/again?next=%2Fkeys"
    refused = await browser.post("/keys/question", csrf=token)
    assert (refused.status_code, refused.json()["again"]) == (403, "/sign-in/again?next=/keys")
    assert (await browser.post("/keys/remove", csrf=token, key="x")).headers["location"] == "/sign-in/again?next=%2Fkeys"


@pytest.mark.parametrize("attestation", ["", "{}", "[]", '{"id": "x"}', "\u0000"])
async def test_a_key_that_answers_nothing_is_not_registered(named: World, attestation: str) -> None:
    browser = await named.signed_in("approver-a")
    await browser.post("/keys/question", csrf=await csrf(browser, "/keys"))
    answer = await browser.submit("/keys", attestation=attestation, name="x")
    assert answer.status_code == 403
    assert "None is registered." in answer.text


async def test_a_key_is_registered_once(named: World) -> None:
    key = SoftKey(LOCALHOST)
    browser = await named.signed_in("approver-a")
    await register(browser, key)
    answer = await register(browser, key)
    assert answer.status_code == 422
    assert (await browser.get("/keys")).text.count('action="/keys/remove"') == 1


async def test_a_removed_key_is_needed_no_more(named: World) -> None:
    document, key = await named.payment(), SoftKey(LOCALHOST)
    browser, other = await named.signed_in("approver-a"), await named.signed_in("approver-b")
    await register(browser, key)
    page = (await browser.get("/keys")).text
    id_ = re.search(r'name="key" value="([^"]+)"', page)
    assert id_ is not None
    await other.post("/keys/remove", csrf=await csrf(other, "/keys"), key=id_[1])
    assert "Blue key" in (await browser.get("/keys")).text
    assert (await browser.submit("/keys/remove")).headers["location"] == "/keys?notice=key-removed"
    assert "Blue key" not in (await browser.get("/keys")).text
    await browser.get(f"/documents/{document.id}")
    assert (await browser.submit(f"/documents/{document.id}/approve")).status_code == 303


async def test_without_a_name_there_are_no_keys(console: World) -> None:
    browser = await console.signed_in("approver-a")
    page = (await browser.get("/keys")).text
    assert "Browsers use keys only under a name" in page
    assert 'href="http://localhost:8081/keys"' in page


@pytest.mark.parametrize(
    ("origin", "host", "good"),
    [
        ("https://console.example.com", "console.example.com", True),
        ("http://localhost:8081", "localhost", True),
        ("http://127.0.0.1:8081", "127.0.0.1", False),
        ("http://[::1]:8081", "::1", False),
    ],
)
def test_keys_are_bound_to_a_name(origin: str, host: str, good: bool) -> None:
    assert (rp_id(origin), usable(origin)) == (host, good)
