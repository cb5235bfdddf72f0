"""How values are shown: exactly, in the person's language, and as they are when they are not what they should be."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.console import format as shown
from gateway.console.format import Format
from gateway.console.web import LOCALE
from gateway.desk import Refusal
from gateway.documents.states import Event, State
from gateway.errors import NotFound, Problem, Unprocessable
from gateway.languages import ENGLISH, languages
from tests.documents.support import NOON

CHINESE = languages(LOCALE)["zh-CN"]
IN_ENGLISH = Format(ENGLISH, UTC, NOON)
IN_CHINESE = Format(CHINESE, ZoneInfo("Asia/Shanghai"), NOON)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("500000.01", "CNY", "500,000.01"),
        ("500000", "CNY", "500,000.00"),
        ("5000", "JPY", "5,000"),
        ("1.5", "BHD", "1.500"),
        ("123456789012345678.99", "CNY", "123,456,789,012,345,678.99"),
        ("0.00001", "CNY", "0.00001"),
        (Decimal("12"), "EUR", "12.00"),
        ("12", "nonsense", "12.00"),
        ("12", None, "12.00"),
        ("many", "CNY", "many"),
        ("", "CNY", "–"),
        (None, "CNY", "–"),
    ],
)
def test_money_is_exact(amount: object, currency: str | None, text: str) -> None:
    assert IN_ENGLISH.money(amount, currency) == text


@given(st.decimals(min_value="0.01", max_value="999999999999999", places=2))
def test_no_amount_is_rounded(amount: Decimal) -> None:
    for form in (IN_ENGLISH, IN_CHINESE):
        assert Decimal(form.money(format(amount, "f"), "CNY").replace(",", "")) == amount


def test_times() -> None:
    assert IN_ENGLISH.at(NOON) == "2026-11-22 12:00 UTC"
    assert IN_CHINESE.at(NOON).startswith("2026-11-22 20:00")
    assert IN_ENGLISH.iso(NOON) == "2026-11-22T12:00:00Z"
    assert IN_ENGLISH.moment("2026-11-22T12:00:00.000000Z") == NOON
    assert [IN_ENGLISH.ago(NOON - seconds) for seconds in (0, 60, 7200, 172800)] == [
        "just now",
        "1 minute ago",
        "2 hours ago",
        "2 days ago",
    ]
    assert IN_CHINESE.ago(NOON - 7200) == "2小时前"
    assert IN_ENGLISH.left(NOON + 3 * 86400) == "3 days"
    assert IN_ENGLISH.left(NOON - 1) == ""
    assert IN_ENGLISH.at(None) == IN_ENGLISH.left(None) == "–"
    assert [IN_ENGLISH.urgent(moment) for moment in (NOON + 60, NOON + 86400, None)] == [True, False, False]


def test_every_state_has_a_name_and_every_step_a_sentence() -> None:
    assert {state.value for state in State} == set(shown.STATES)
    told = {f"document.{event.value}" for event in Event} | {"document.received", "document.revealed"}
    told |= {f"message.{what}" for what in ("sent", "unaddressed", "dropped", "given_up")}
    assert told == set(shown.STORY)
    assert set(shown.POLICY_STORY) <= told
    assert set(shown.POLICY_STATES) <= set(shown.STATES)
    assert set(shown.TONES) <= set(shown.STATES)
    assert set(shown.MOODS) <= set(shown.STORY)


def test_what_nobody_knows_is_shown_as_it_is() -> None:
    assert IN_CHINESE.state("lost") == "lost"
    assert IN_CHINESE.event("document.vanished", "x") == "document.vanished"
    assert IN_CHINESE.reason({"code": "moon"}) == "moon"
    assert IN_CHINESE.reason({}) == ""
    assert IN_CHINESE.method("voice") == "voice"
    assert IN_CHINESE.notice("<script>") == ""
    assert IN_CHINESE.note(None) == IN_CHINESE.note({"code": "moon"}) == ""


def test_reasons_and_refusals_are_told_in_the_persons_language() -> None:
    reason = {"code": "over_threshold", "amount": "500000.01", "currency": "CNY", "threshold": "500000"}
    assert IN_ENGLISH.reason(reason) == "500,000.01 CNY is over 500,000.00 CNY."
    assert IN_CHINESE.reason(reason) == "500,000.01 CNY 超过限额 500,000.00 CNY。"
    assert IN_CHINESE.reason({"code": "over_threshold"}) == "%(amount)s %(currency)s is over %(threshold)s %(currency)s."
    refusal = Refusal("not_held", {"state": "held"})
    assert IN_ENGLISH.refusal(refusal) == "The document is waiting for approval; only a held one can be decided."
    assert IN_CHINESE.problem(refusal.problem()) == IN_CHINESE.refusal(refusal)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (NotFound("Secret details"), "页面不存在，或您无权查看。"),
        (Unprocessable("Give a reason."), "请填写原因。"),
        (Unprocessable("Untranslated."), "Untranslated."),
        (Unprocessable("x", extensions={"code": "moon", "parameters": {}}), "x"),
        (Unprocessable("x", extensions={"code": "not_held", "parameters": 7}), "x"),
    ],
)
def test_problems(problem: Problem, text: str) -> None:
    assert IN_CHINESE.problem(problem) == text
    assert IN_CHINESE.problem_title(problem)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"amount": Decimal("1.10"), "lines": [1, {"a": None}], "empty": [], "name": "价"},
         '{\n  "amount": 1.10,\n  "lines": [\n    1,\n    {\n      "a": null\n    }\n  ],\n  "empty": [],\n  "name": "价"\n}'),
        ("text", "text"),
        (None, "null"),
        (True, "true"),
        ({}, "{}"),
    ],
)  # fmt: skip
def test_json_keeps_its_digits(value: object, text: str) -> None:
    assert IN_ENGLISH.json(value) == text
