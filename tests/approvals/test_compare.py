"""When two accounts, or two people, are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.approvals.compare import account_key, person_key


@pytest.mark.parametrize(
    "written",
    [
        "DE89370400440532013000",
        "de89 3704 0044 0532 0130 00",
        "ＤＥ８９３７０４００４４０５３２０１３０００",
        "\tDE8937\u00a00400\u30004405\u200b3201\u200d3000\ufeff\n",
        "DE89\u00ad370400440532013000",
        "D\x00E89370400440532013000",
    ],
)
def test_spellings_of_one_account(written: str) -> None:
    assert account_key(written) == "de89370400440532013000"


def test_different_accounts_stay_different() -> None:
    assert account_key("6222020200112233") != account_key("6222020200112234")
    assert account_key("007") != account_key("7")


def test_nothing_visible_is_no_account_and_no_person() -> None:
    for text in ("", " \t\u3000", "\u200b\u2060", "\x1f", "\u3164\u2800"):
        assert account_key(text) == ""
        assert person_key(text) == ""


def test_spellings_of_one_person() -> None:
    assert person_key("  Approver-A\n") == person_key("ａｐｐｒｏｖｅｒ－ａ") == person_key("approver\u200b-a") == "approver-a"
    assert person_key("Straße") == person_key("STRASSE")
    assert person_key("e\u0301mile") == person_key("É\u200bmile")
    assert person_key("li na") != person_key("lina")


@given(st.text())
def test_a_key_is_its_own_key(text: str) -> None:
    for key in (account_key, person_key):
        assert key(key(text)) == key(text)


UNSEEN = [" ", "\u3000", "\u200b", "\u00ad", "\n", "\x00", "\u034f", "\u115f", "\u17b4", "\u180b", "\u2065", "\u2800", "\u3164"]
UNSEEN += ["\ufe0f", "\uffa0", "\ufff0", "\U0001bca0", "\U0001d173", "\U000e0031", "\U000e0100"]


@given(st.text(), st.sampled_from(UNSEEN), st.integers(0, 20))
def test_an_account_cannot_hide_behind_what_nobody_sees(text: str, unseen: str, position: int) -> None:
    assert account_key(text[:position] + unseen + text[position:]) == account_key(text)


@given(st.text(st.characters(codec="ascii")))
def test_case_makes_no_second_person(text: str) -> None:
    assert person_key(text.upper()) == person_key(text.lower()) == person_key(text)
