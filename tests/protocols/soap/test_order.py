"""Content models against strings: the quick way and the exact one agree with what XML Schema means, in bounded time."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocols.soap.order import Model, matcher, pattern

A, B = ("symbol", "a", 1, 1), ("symbol", "b", 1, 1)


def symbol(text: str, low: int = 1, high: int | None = 1) -> Model:
    return "symbol", text, low, high


@pytest.mark.parametrize(
    ("model", "fits", "misfits"),
    [
        (("sequence", (symbol("a", 2, 3),), 2, 2), ["aaaa", "aaaaaa"], ["aaa", "aaaaaaa"]),
        (("sequence", (symbol("a", 1, None), symbol("b", 0, 1)), 2, 3), ["aa", "aaaab", "abab"], ["a", "b", "abababab"]),
        (("sequence", (symbol("a", 2, 3),), 0, None), ["", "aa", "aaaa", "aaaaa"], ["a"]),
        (("choice", (A, B), 0, None), ["", "abba"], ["c"]),
        (("sequence", (A, B, A), 1, 1), ["aba"], ["aab", "ab", "abab"]),
        (("all", (A, B), 0, 1), ["", "ab", "ba"], ["c"]),
        (("sequence", (symbol("a", 0, 1),), 3, 5), ["", "aaaaa"], ["aaaaaa"]),
    ],
)
def test_what_fits(model: Model, fits: list[str], misfits: list[str]) -> None:
    matches = matcher(model)
    assert [text for text in fits if not matches(text)] == []
    assert [text for text in misfits if matches(text)] == []
    assert matcher(None)("")
    assert not matcher(None)("a")


def models() -> st.SearchStrategy[Any]:
    times = st.sampled_from([(1, 1), (0, 1), (0, None), (1, None), (2, 3), (0, 2), (2, 2)])
    leaf = st.builds(lambda name, n: ("symbol", name, *n), st.sampled_from("abc"), times)
    return st.recursive(
        leaf,
        lambda inner: st.builds(
            lambda kind, parts, n: (kind, tuple(parts), *n),
            st.sampled_from(["sequence", "choice"]),
            st.lists(inner, min_size=1, max_size=3),
            times,
        ),
        max_leaves=3,
    )


@given(models(), st.lists(st.text("abc", max_size=5), max_size=8))
def test_it_is_what_a_backtracking_expression_says(model: Model, texts: list[str]) -> None:
    exact = re.compile(pattern(model).replace("}+", "}")).fullmatch
    matches = matcher(model)
    assert [bool(matches(text)) for text in texts] == [exact(text) is not None for text in texts]


def test_hostile_documents_cost_little() -> None:
    nested: Model = ("sequence", (("sequence", (symbol("a", 0, None), symbol("b", 0, 1)), 0, None),), 2, 9)
    assert not matcher(nested)("a" * 100_000 + "c")
    assert matcher(nested)("a" * 100_000)
