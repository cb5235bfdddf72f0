"""An account never shows, however it is written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.approvals.compare import account_key
from gateway.desk.masking import accounts_in, masked, masked_details, masked_sentence, masked_text, masked_value

ACCOUNT = "6222020200112233"
ACCOUNTS = frozenset({ACCOUNT})


@pytest.mark.parametrize(
    ("account", "shown"),
    [
        (ACCOUNT, "•••• 2233"),
        ("6222 0202 0011 2233", "•••• 2233"),
        ("６２２２０２０２００１１２２３３", "•••• 2233"),
        ("DE89 3704 0044 0532 0130 00", "•••• 3000"),
        ("1234567", "•••• 4567"),
        ("123456", "••••"),
        ("", "••••"),
    ],
)
def test_four_characters_of_a_long_account_are_shown(account: str, shown: str) -> None:
    assert masked(account) == shown


@pytest.mark.parametrize(
    "text",
    [
        f"pay {ACCOUNT} now",
        f"x{ACCOUNT}y",
        "6222-0202-0011-2233",
        "6222 0202 0011 2233",
        "６２２２０２０２００１１２２３３ ok",
        "6222\u200b0202\u200b0011\u200b2233",
        "a 6 2 2 2 0 2 0 2 0 0 1 1 2 2 3 3 b",
    ],
)
def test_an_account_inside_other_text_does_not_show(text: str) -> None:
    assert ACCOUNT not in account_key(masked_text(text, ACCOUNTS))


def test_other_text_stays_as_it_is() -> None:
    for text in ("", "invoice 4711", "2233", "6222020200112234", "华兴钢铁"):
        assert masked_text(text, ACCOUNTS) == text
    assert masked_text("A1 steel A1", {"a1"}) == "A1 steel A1"
    assert masked_text("A1", {"a1"}) == "••••"


def test_names_and_numbers_hide_no_account() -> None:
    value = {ACCOUNT: [{"n": int(ACCOUNT), "t": True, "z": None, "f": 1.5, "i": 7}]}
    assert masked_value(value, ACCOUNTS) == {"•••• 2233": [{"n": "•••• 2233", "t": True, "z": None, "f": 1.5, "i": 7}]}


def test_what_people_write_is_read_with_distrust() -> None:
    assert masked_sentence("use 9558 8010 0112 3456 instead", frozenset()) == "use •••• 3456 instead"
    details = {"reason": "to 95588010 0112 3456", "amount": "12345678901.00", "note": {"detail": "9558801001123456"}}
    assert masked_details(details, frozenset()) == {
        "reason": "to •••• 3456",
        "amount": "12345678901.00",
        "note": {"detail": "•••• 3456"},
    }


def test_a_large_batch_is_masked_without_looking_for_each_account_in_each_text() -> None:
    accounts = frozenset(f"{number:016d}" for number in range(20_000))
    value = {"lines": [{"account": f"{number:016d}", "memo": f"to {number:016d}"} for number in range(20_000)]}
    shown = json.dumps(masked_value(value, accounts), ensure_ascii=False)
    assert "0000000" not in shown


def test_accounts_are_found_in_either_form_of_a_manifest() -> None:
    assert accounts_in({"payee": {"account": "1", "name": ""}}) == ["1"]
    assert accounts_in({"lines": [{"payee": {"account": "1"}}, {"payee": {"account": "2"}}]}) == ["1", "2"]
    assert accounts_in({}) == []


@given(st.text(alphabet="0123456789", min_size=7, max_size=24), st.text(max_size=20), st.text(max_size=20), st.data())
def test_no_spelling_of_an_account_survives(account: str, before: str, after: str, data: st.DataObject) -> None:
    gaps = [data.draw(st.sampled_from(["", " ", "-", "\u200b", "\u3000"])) for _ in account]
    digits = [data.draw(st.sampled_from([digit, chr(ord(digit) + 0xFEE0)])) for digit in account]
    text = before + "".join(digit + gap for digit, gap in zip(digits, gaps, strict=True)) + after
    shown = masked_text(text, {account})
    assert account not in account_key(shown)
