"""The inbox and one document: what is shown, who may decide, and what a decision needs."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select

from gateway.desk import Attested, Change, Detail, Refusal, Revision, Voted
from gateway.documents.states import Event
from gateway.documents.tables import audit
from gateway.people import Person
from tests.console.world import ACCOUNT, World


async def kinds(console: World, document: str) -> list[str]:
    query = select(audit.c.entry).where(audit.c.document == document).order_by(audit.c.seq)
    entries = await console.ledger.read(lambda connection: connection.execute(query).scalars().all())
    return [found[1] for found in (re.search(r'"kind":"([^"]+)"', entry) for entry in entries) if found]


async def test_a_row_says_what_waits_and_why(console: World) -> None:
    await console.payment()
    page = (await (await console.signed_in("approver-a")).get("/inbox")).text
    for shown in (
        "500,000.01",
        "Falkenberg GmbH",
        "•••• 2233",
        "clerk-1",
        "entity 1000",
        "500,000.01 CNY is over 500,000.00 CNY.",
        "0/2",
    ):
        assert shown in page
    assert "3 days left" in page
    assert ACCOUNT not in page


async def test_each_person_has_an_inbox_of_their_own(console: World) -> None:
    document = await console.payment()
    await console.vote("approver-b", document)
    boxes = {}
    for subject in ("approver-a", "approver-b", "clerk-1", "operator"):
        browser = await console.signed_in(subject)
        boxes[subject] = [
            box for box in ("mine", "waiting", "done") if document.id in (await browser.get(f"/inbox?box={box}")).text
        ]
    assert boxes == {"approver-a": ["mine"], "approver-b": ["waiting"], "clerk-1": ["waiting"], "operator": []}


async def test_the_inbox_has_pages(console: World) -> None:
    for _ in range(55):
        await console.payment()
        console.clock.time += 1
    browser = await console.signed_in("approver-a")
    first = (await browser.get("/inbox")).text
    assert first.count("row-link") == 50
    older = re.search(r'href="(/inbox\?box=mine&amp;before=[^"]+)"', first)
    assert older is not None
    assert (await browser.get(older[1].replace("&amp;", "&"))).text.count("row-link") == 5


@pytest.mark.parametrize("query", ["box=nothing", "before=x", "before=nan&box=others"])
async def test_an_invented_box_is_nothing(console: World, query: str) -> None:
    assert (await (await console.signed_in("approver-a")).get(f"/inbox?{query}")).status_code == 404


async def test_a_document_shows_exactly_what_is_signed(console: World) -> None:
    document = await console.payment()
    assert document.hold is not None
    page = (await (await console.signed_in("approver-a")).get(f"/documents/{document.id}")).text
    signed = page[page.index('id="signed"') : page.index("</dl>")]
    for shown in (
        "500,000.01",
        "CNY",
        "Falkenberg GmbH",
        "•••• 2233",
        "1000",
        "clerk-1",
        "finance CreatePayment",
        document.hold.payload_hash,
    ):
        assert shown in signed
    assert ACCOUNT not in page


async def test_nothing_hostile_is_more_than_text(console: World) -> None:
    hostile = '"><img src=x onerror=alert(1)><script>alert(1)</script>{{ 7 * 7 }} %(x)s'
    document = await console.payment(
        payee={"name": hostile, "account": "6222<b>0202"}, entity="<i>1</i>", note=hostile, initiator="<u>clerk"
    )
    browser = await console.signed_in("approver-a", **{"accept-language": "zh-CN"})
    for path in ("/inbox", f"/documents/{document.id}", "/inbox/live", f"/documents/{document.id}/live"):
        page = (await browser.get(path)).text
        for tag in ("<img", "<script>", "<b>", "<i>1", "<u>"):
            assert tag not in page, (path, tag)
        assert "49 %(x)s" not in page
    assert (await browser.get(f"/documents/{document.id}?notice=%3Cscript%3E")).text.count("<script>") == 0


async def test_somebody_elses_document_does_not_exist(console: World) -> None:
    document = await console.payment()
    answer = await (await console.signed_in("security-admin")).get(f"/documents/{document.id}")
    missing = await (await console.signed_in("security-admin")).get("/documents/0123456789")
    assert (answer.status_code, missing.status_code) == (404, 404)
    strip = re.compile(r"<code>.*?</code>|value=\"[^\"]*\"")
    assert strip.sub("", answer.text) == strip.sub("", missing.text)


async def test_the_account_is_shown_on_the_record(console: World) -> None:
    document = await console.payment()
    browser = await console.signed_in("approver-a")
    await browser.get(f"/documents/{document.id}")
    answer = await browser.submit(f"/documents/{document.id}/reveal")
    assert answer.status_code == 200
    assert ACCOUNT in answer.text
    assert (await kinds(console, document.id))[-1] == "document.revealed"
    assert "approver-a looked at the full account number." in (await browser.get(f"/documents/{document.id}")).text


async def test_who_may_not_see_the_account_is_not_offered_it(console: World) -> None:
    document = await console.payment()
    browser = await console.signed_in("clerk-1")
    page = await browser.get(f"/documents/{document.id}")
    assert "/reveal" not in page.text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert csrf is not None
    assert (await browser.post(f"/documents/{document.id}/reveal", csrf=csrf[1])).status_code == 403


async def test_two_people_approve(console: World) -> None:
    document = await console.payment()
    first, second = await console.signed_in("approver-a"), await console.signed_in("approver-b")
    here = f"/documents/{document.id}"
    await first.get(here)
    answer = await first.submit(f"{here}/approve")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{here}?notice=approved")
    page = (await first.get(answer.headers["location"])).text
    assert "1 of 2, nothing sent" in page
    assert "At least one more person must agree" in page
    assert f'action="{here}/approve"' not in page
    await second.get(here)
    answer = await second.submit(f"{here}/approve")
    assert answer.headers["location"] == f"{here}?notice=released"
    assert await kinds(console, document.id) == ["document.received", "document.hold", "document.vote", "document.approve"]
    await console.step(document.id, Event.SEND, Event.DELIVER, reference="5100004711")
    page = (await second.get(here)).text
    assert "5100004711" in page
    for sentence in (
        "oa handed the document in.",
        "approver-a approved it.",
        "approver-b approved it, and that was enough",
        "The ERP booked it.",
    ):
        assert sentence in page


async def test_who_asked_is_told_why_not(console: World) -> None:
    document = await console.payment(initiator="approver-a")
    page = (await (await console.signed_in("approver-a")).get(f"/documents/{document.id}")).text
    assert "approver-a asked for this payment and cannot decide on it." in page
    assert "/approve" not in page


async def test_a_decision_needs_the_form(console: World) -> None:
    document = await console.payment()
    assert document.hold is not None
    browser = await console.signed_in("approver-a")
    fields = {"revision": "1", "payload_hash": document.hold.payload_hash}
    for csrf in ("", "x" * 43):
        answer = await browser.post(f"/documents/{document.id}/approve", csrf=csrf, **fields)
        assert answer.status_code == 403
    assert await kinds(console, document.id) == ["document.received", "document.hold"]


@pytest.mark.parametrize(
    ("fields", "status"), [({"revision": "2"}, 409), ({"payload_hash": "0" * 64}, 409), ({"revision": "²"}, 400)]
)
async def test_a_decision_is_about_what_was_shown(console: World, fields: dict[str, str], status: int) -> None:
    document = await console.payment()
    browser = await console.signed_in("approver-a")
    await browser.get(f"/documents/{document.id}")
    answer = await browser.submit(f"/documents/{document.id}/approve", **fields)
    assert answer.status_code == status
    assert await kinds(console, document.id) == ["document.received", "document.hold"]


async def test_a_refusal_is_told_on_the_page_in_the_persons_language(console: World) -> None:
    document = await console.payment()
    browser = await console.signed_in("approver-a", **{"accept-language": "zh-CN"})
    await browser.get(f"/documents/{document.id}")
    await console.step(document.id, Event.RECALL)
    answer = await browser.submit(f"/documents/{document.id}/approve")
    assert answer.status_code == 409
    assert "单据状态为“申请方已撤回”，只有待审批的单据才能作出决定。" in answer.text


async def test_the_same_click_twice_is_one_vote(console: World) -> None:
    document = await console.payment()
    browser = await console.signed_in("approver-a")
    await browser.get(f"/documents/{document.id}")
    answers = [await browser.submit(f"/documents/{document.id}/approve") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 409]
    assert "approver-a has voted on this document." in answers[1].text
    assert "1 of 2, nothing sent" in answers[1].text
    assert (await kinds(console, document.id)).count("document.vote") == 1


async def test_approving_needs_somebody_who_is_there(console: World) -> None:
    document = await console.payment()
    here = f"/documents/{document.id}"
    browser = await console.signed_in("approver-a")
    await browser.get(here)
    console.clock.time += 301
    answer = await browser.submit(f"{here}/approve")
    assert answer.headers["location"] == f"/sign-in/again?next=%2Fdocuments%2F{document.id}"
    assert await kinds(console, document.id) == ["document.received", "document.hold"]
    page = (await browser.get(here)).text
    assert f'action="{here}/approve"' not in page
    assert f'href="/sign-in/again?next={here}"' in page
    await browser.get(answer.headers["location"])
    back = await browser.submit("/sign-in/demo", person="approver-a")
    assert back.headers["location"] == f"{here}?notice=confirmed"
    await browser.get(back.headers["location"])
    assert (await browser.submit(f"{here}/approve")).headers["location"] == f"{here}?notice=approved"


async def test_rejecting_needs_a_reason(console: World) -> None:
    document = await console.payment()
    browser = await console.signed_in("approver-a")
    await browser.get(f"/documents/{document.id}")
    answer = await browser.submit(f"/documents/{document.id}/reject", reason="  ")
    assert answer.status_code == 422
    assert "Give a reason." in answer.text
    assert '<details class="reject" open>' in answer.text
    answer = await browser.submit(f"/documents/{document.id}/reject", reason="Not ours <b>")
    assert answer.headers["location"].endswith("?notice=rejected")
    page = (await browser.get(f"/documents/{document.id}")).text
    assert "approver-a rejected it." in page
    assert "Not ours &lt;b&gt;" in page
    assert await kinds(console, document.id) == ["document.received", "document.hold", "document.reject"]


async def test_split_payments_show_each_other(console: World) -> None:
    for _ in range(3):
        last = await console.payment(amount="200000")
        console.clock.time += 60
    page = (await (await console.signed_in("approver-a")).get(f"/documents/{last.id}")).text
    assert "Payments to the same account within 24 hours come to 600,000.00 CNY, over 500,000.00 CNY." in page
    assert "Other payments to this account within the window" in page
    for number in ("500001", "500002"):
        assert number in page


async def test_a_first_payment_says_so(console: World) -> None:
    document = await console.payment()
    assert (
        "This is the first payment to this account"
        in (await (await console.signed_in("approver-a")).get(f"/documents/{document.id}")).text
    )


async def test_live_parts_are_sent_again_only_when_they_changed(console: World) -> None:
    document = await console.payment()
    browser = await console.signed_in("approver-a")
    for path in ("/inbox/live?box=mine", f"/documents/{document.id}/live"):
        answer = await browser.get(path)
        again = await browser.get(path, **{"if-none-match": answer.headers["etag"]})
        assert (answer.status_code, again.status_code, again.content) == (200, 304, b"")
    await console.vote("approver-b", document)
    assert (await browser.get(f"/documents/{document.id}/live", **{"if-none-match": answer.headers["etag"]})).status_code == 200


async def test_a_live_part_ends_with_the_session(console: World) -> None:
    browser = await console.signed_in("approver-a")
    for _ in range(3):
        console.clock.time += 290
        assert (await browser.get("/inbox/live?box=mine")).status_code == 200
    console.clock.time += 290
    assert (await browser.get("/inbox/live?box=mine")).status_code == 401


async def test_a_delegate_decides_in_the_name_of_another(console: World) -> None:
    document, now = await console.payment(), console.clock.now()
    away = Person("approver-a", "approver-a", "demo", (), "demo")
    await console.desk.delegate(away, "operator", start=now, end=now + 3600)
    browser = await console.signed_in("operator")
    page = (await browser.get(f"/documents/{document.id}")).text
    assert '<option value="approver-a">approver-a</option>' in page
    answer = await browser.submit(f"/documents/{document.id}/approve", on_behalf_of="approver-a")
    assert answer.headers["location"].endswith("?notice=approved")
    page = (await browser.get(f"/documents/{document.id}")).text
    assert "<strong>operator</strong> for approver-a" in page


async def test_everything_a_document_can_have_is_shown(console: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch in its second revision, with a vote that lost its weight, attachments, and a word of an operator."""
    document = await console.payment()
    detail = await console.desk.detail(Person("approver-a", "a", "demo"), document.id)
    lines = [
        {"payee": {"account": f"•••• {n}", "name": f"Payee {n}"}, "amount": f"{n}.50", "payload": "0" * 64} for n in (1111, 2222)
    ]
    changes = (
        Change("/amount", "500000.01", Decimal("600000.10")),
        Change("/note", None, "<b>new</b>"),
        Change("/lines/1", {"a": [1]}, None),
    )
    refusal = Refusal("not_eligible", {"person": "approver-b", "role": "finance-approver"})
    full = replace(
        detail,
        row=replace(detail.row, payee="", payments=2, account="", escalated=True, note={"code": "quorum_lost"}),
        facts={"lines": lines, "target": "finance CreatePayment"},
        intact=False,
        attachments=("contract <1>.pdf", "invoice.pdf"),
        revisions=(Revision(1, "clerk-2", console.clock.now() - 60, changes),),
        votes=(Voted("approver-b", "approve", 2, console.clock.now(), "cfo", "webauthn", "Seen", refusal),),
        attestations=(Attested("operator", "booked", "5100004711", "Seen there.", console.clock.now()),),
    )

    async def shown(*_: object) -> Detail:
        return full

    monkeypatch.setattr(type(console.desk), "detail", shown)
    page = (await (await console.signed_in("approver-a")).get(f"/documents/{document.id}")).text
    for text in (
        "2 payments",
        "2 lines",
        "Payee 2222",
        "2,222.50",
        "•••• 1111",
        "contract &lt;1&gt;.pdf",
        "Revision 1, by clerk-2",
        "<ins>600000.10</ins>",
        "<ins>&lt;b&gt;new&lt;/b&gt;</ins>",
        "for cfo",
        "Does not count now: approver-b does not hold the role finance-approver.",
        "The ERP has booked it",
        "Escalated",
        "What is kept is not what people are shown.",
    ):
        assert text in page, text


async def test_accounts_of_a_batch_are_shown_line_by_line(console: World, monkeypatch: pytest.MonkeyPatch) -> None:
    document = await console.payment()
    detail = await console.desk.detail(Person("approver-a", "a", "demo"), document.id)
    lines = [{"payee": {"account": f"•••• {n}", "name": f"Payee {n}"}, "amount": "1.50", "payload": ""} for n in (1111, 2222)]

    async def shown(*_: object) -> Detail:
        return replace(detail, facts={"lines": lines, "target": "x"})

    async def revealed(*_: object) -> dict[str, object]:
        return {"accounts": ["9900001111", "9900002222"], "payload": {"lines": []}}

    monkeypatch.setattr(type(console.desk), "detail", shown)
    monkeypatch.setattr(type(console.desk), "reveal", revealed)
    browser = await console.signed_in("approver-a")
    await browser.get(f"/documents/{document.id}")
    page = (await browser.submit(f"/documents/{document.id}/reveal")).text
    assert page.index("Payee 1111") < page.index("9900001111") < page.index("Payee 2222") < page.index("9900002222")
