"""Whatever a contract says, what is written of it reads back as the same single value."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.source import parse_source
from gateway.contracts.text import exact, flow, one_line, quoted, segment, slug, unused, words

HOSTILE = st.one_of(
    st.text(),
    st.sampled_from(
        ["null", "on", "12", "0x1F", "1e3", "2026-01-01", "a: b", "# end", "- x", "*a", "&a", "!t", "${env:HOME}", "a,b"]
    ),
)


def read(text: str) -> object:
    return parse_source(text.encode(), name="x.yaml", folder=Path()).data


@given(HOSTILE)
def test_an_exact_text_reads_back_as_it_was(text: str) -> None:
    if exact(text):
        assert read(f"key: {quoted(text)}\n") == {"key": text}
        assert read(f"- {flow({'a': text, 'b': {'c': text}})}\n") == [{"a": text, "b": {"c": text}}]


@given(HOSTILE)
def test_any_text_becomes_one_exact_line(text: str) -> None:
    line = one_line(text)
    assert exact(line)
    assert len(line.splitlines()) <= 1
    assert len(line) <= 300
    assert read(f"key: {quoted(line)}  # {line}\n") == {"key": line}


@given(HOSTILE)
def test_any_name_becomes_a_slug(name: str) -> None:
    made = slug(name, "operation")
    assert made[0].isalpha()
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(made) <= 70


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("GetPOList", "get-po-list"),
        ("BAPI_PO_CREATE1", "bapi-po-create1"),
        ("GetIDsParameters", "get-ids-parameters"),
        ("getUserIDs", "get-user-ids"),
        ("查询", "operation"),
        ("2ndTry", "operation-2nd-try"),
    ],
)
def test_slugs(name: str, made: str) -> None:
    assert slug(name, "operation") == made


def test_words_are_those_a_reader_sees() -> None:
    assert words("findCustomerByVATNumber") == ["find", "customer", "by", "vat", "number"]


def test_a_taken_name_gets_a_number() -> None:
    assert unused("get", {"get", "get-2"}) == "get-3"


def test_a_path_segment_is_the_name_or_the_slug() -> None:
    assert segment("GetItem", "get-item") == "GetItem"
    assert segment("Get/../Item", "get-item") == "get-item"
    assert segment("..", "dots") == "dots"


def test_a_mapping_of_anything_else_is_a_mistake() -> None:
    with pytest.raises(TypeError):
        flow({"a": [None]})
