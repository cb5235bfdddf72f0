"""Text of others, in a form every database takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.documents.transaction import restored, storable

TEXT = st.text(st.characters(codec=None) | st.sampled_from("\\u0\x00\ud800"))


@given(TEXT)
def test_text_comes_back(text: str) -> None:
    stored = storable(text)
    assert stored is not None
    assert "\x00" not in stored
    stored.encode("utf-8")
    assert restored(stored) == text


@given(TEXT, TEXT)
def test_no_two_texts_become_the_same(one: str, other: str) -> None:
    assert (storable(one) == storable(other)) == (one == other)


def test_plain_text_stays_as_it_is() -> None:
    assert storable("k:4711 付款") == "k:4711 付款"
    assert storable(None) is None
