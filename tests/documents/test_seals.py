"""Seals on rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.documents.seals import Value, seal_of, sealed

KEY = b"k" * 32
VALUES = st.text() | st.integers() | st.floats(allow_nan=False) | st.binary() | st.none()


@given(st.lists(VALUES, max_size=5))
def test_a_row_has_the_seal_it_was_given(values: list[Value]) -> None:
    assert sealed(KEY, seal_of(KEY, "session", *values), "session", *values)


@given(st.lists(VALUES, max_size=4), st.lists(VALUES, max_size=4))
def test_another_row_another_kind_or_another_key_has_another(values: list[Value], others: list[Value]) -> None:
    given_ = seal_of(KEY, "session", *values)
    assert not sealed(KEY, given_, "key", *values)
    assert not sealed(b"l" * 32, given_, "session", *values)
    if list(map(repr, values)) != list(map(repr, others)):
        assert not sealed(KEY, given_, "session", *others)


@given(st.text())
def test_what_is_no_seal_opens_nothing(text: str) -> None:
    assert not sealed(KEY, text, "session", "a")
