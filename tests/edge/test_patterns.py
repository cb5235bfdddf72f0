"""Texts for patterns match them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.patterns import LONGEST, matching
from gateway.mapping import dates, numbers


@pytest.mark.parametrize(
    "pattern",
    [
        "[A-Z]{2}[0-9]{4}",
        r"\d{3}-\d{2,4}",
        "^(?:[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4})$",
        "a|b|c",
        "(x(y|z)+)?w",
        r"[^ab\]]{3}",
        "[-+]?[0-9]+",
        r"\S?[\w.]+@\w{3}\.com".replace(r"\S?", ""),
        "[\u4e00-\u9fa5]{2}",
        "",
        ".*",
        "[0-9]{1,8}?",
        numbers.decimal_pattern(2, 13),
    ],
)
def test_the_texts_match(pattern: str) -> None:
    texts = list(matching(pattern))
    assert texts
    for text in texts:
        assert re.fullmatch(pattern, text), text


def test_more_is_given_where_a_count_allows_it() -> None:
    assert list(matching("[A-Z]*"))[:3] == ["", "A", "AB"]
    assert list(matching("[0-9]{2,3}")) == ["12", "123"]
    assert max(map(len, matching("(a{40}){2,}"))) <= LONGEST


@pytest.mark.parametrize(
    "pattern", ["(?=a)b", r"\p{L}", "[a-z-[aeiou]]", "(a", "a)", "[a", "*a", "[^\\s\\S]{2}", "(" * 100 + "a", "\\"]
)
def test_what_cannot_be_read_has_no_text(pattern: str) -> None:
    assert list(matching(pattern)) == []


def test_dates_are_left_to_those_who_know_them() -> None:
    assert isinstance(list(matching(dates.DATE_PATTERN)), list)


@given(st.text(alphabet="ab[](){}^$*+?|\\-0123,.d", max_size=30))
def test_no_pattern_breaks_it(pattern: str) -> None:
    for text in matching(pattern):
        assert len(text) <= LONGEST
