"""What a message says, and what it never says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from gateway.documents.states import State
from gateway.worker import texts
from gateway.worker.texts import LOCALE, compose
from tests.worker.support import START, draft, question

HELD = replace(draft("d1", START), state=State.HELD, hold=question(START, received=1))
LINK = "https://gw.example.com"


def say(about: str, language: str = "en", **data: Any) -> texts.Text:
    return compose(about, data, HELD, now=START, language=language, console=LINK)


def test_what_approvers_are_told() -> None:
    ask = say("ask")
    assert ask.subject == "Approval needed"
    assert ask.body == "A payment of CNY 500,000.01 waits for your approval (1 of 2). https://gw.example.com/documents/d1"
    assert "still waits for your approval (1 of 2) and expires in 72 h." in say("remind").body
    assert "was not decided in time and now waits for you too (1 of 2); it expires in 72 h." in say("escalate").body


def test_what_operators_are_told() -> None:
    dead = say("alarm", state="dead")
    assert dead.subject == "The ERP gateway needs an operator"
    assert dead.body == (
        "payments.create: a document could not be delivered, and all tries are used up. https://gw.example.com/documents/d1"
    )
    assert "two operators" in say("alarm", state="manual").body
    assert "expired" in say("alarm", state="expired").body
    assert "channel finance" in say("alarm", state="held", code="message-given-up", channel="finance").body
    assert "needs an operator." in say("alarm", state="something new").body


def test_an_alarm_without_a_document() -> None:
    text = compose("alarm", {"code": "reload-failed"}, None, now=START, language="en", console=LINK)
    assert text.body == "Something in the gateway needs an operator (reload-failed). https://gw.example.com/"


def test_in_chinese() -> None:
    assert say("ask", "zh-CN") == (
        "待您审批",
        "一笔 CNY 500,000.01 的付款等待您审批（1/2）。 https://gw.example.com/documents/d1",
    )
    assert "72 小时后失效" in say("remind", "zh-CN").body


def test_every_sentence_is_translated_with_the_same_parameters() -> None:
    sentences = {*texts.SUBJECTS.values(), *texts.SENTENCES.values(), *texts.ALARMS.values()}
    sentences |= {texts.PAYMENT, texts.SOME_PAYMENT, texts.POLICY, texts.SOME_ALARM, texts.NO_DOCUMENT}
    with (LOCALE / "zh_CN" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        translated = {message.id: message.string for message in read_po(file) if message.id}
    assert set(translated) == sentences
    for english, chinese in translated.items():
        assert re.search(r"[\u4e00-\u9fff]", chinese), english
        assert sorted(re.findall(r"%\(\w+\)s", english)) == sorted(re.findall(r"%\(\w+\)s", chinese))


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("500000.00", "500,000.00"),
        ("0.1", "0.1"),
        ("12345678901234567890123456789012.345", "12,345,678,901,234,567,890,123,456,789,012.345"),
    ],
)
def test_an_amount_is_exact(amount: str, shown: str) -> None:
    document = replace(HELD, hold=question(START, facts={"amount": amount, "currency": "CNY"}))
    assert f"A payment of CNY {shown} waits" in compose("ask", {}, document, now=START, language="en", console=LINK).body


@pytest.mark.parametrize(
    "facts", [{}, {"amount": 5, "currency": "CNY"}, {"amount": "1e9", "currency": "CNY"}, {"amount": "5", "currency": "x"}]
)
def test_what_is_no_amount_is_not_shown(facts: dict[str, Any]) -> None:
    document = replace(HELD, hold=question(START, facts=facts))
    assert compose("ask", {}, document, now=START, language="en", console=LINK).body.startswith("A payment waits")


def test_nobody_is_asked_about_a_document_without_a_hold() -> None:
    with pytest.raises(ValueError):
        compose("ask", {}, replace(HELD, hold=None), now=START, language="en", console=LINK)


ACCOUNTS = st.from_regex(r"[A-Z]{0,2}[0-9]{8,30}", fullmatch=True)
WORDS = st.text(st.characters(categories=("L",)), min_size=6, max_size=20)


@given(
    about=st.sampled_from(["ask", "remind", "escalate", "alarm"]),
    language=st.sampled_from(["en", "zh-CN"]),
    account=ACCOUNTS,
    name=WORDS,
    amount=st.decimals(0, 10**9, places=2),
    state=st.sampled_from([state.value for state in State]),
)
def test_no_account_and_no_payee_is_ever_told(
    about: str, language: str, account: str, name: str, amount: Any, state: str
) -> None:
    """Whatever a satellite wrote, a message holds its amount and nothing else of it."""
    payees = [{"account": account, "name": name, "amount": str(amount)}]
    facts = {"amount": str(amount), "currency": "CNY", "entity": name, "payees": payees, "account": account, "payee": name}
    reasons = ({"code": "over_threshold", "payee": account, "name": name},)
    hold = question(START, facts=facts, reasons=reasons, initiator=name, editors=(name,), approvers=name)
    document = replace(HELD, hold=hold, reference=account, note={"account": account})
    told = " ".join(compose(about, {"state": state}, document, now=START, language=language, console=LINK))
    rest = told.replace(f"CNY {amount:,f}", "")
    assert account not in re.sub(r"[,. ]", "", rest)
    assert sum(map(len, re.findall(r"[0-9]+", rest))) <= 5  # 1 of 2, 72 h, d1
    assert name not in rest or name in texts.catalogue(language).gettext(texts.SENTENCES["ask"])
