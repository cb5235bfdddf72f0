from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.protocols.soap.lexical import INTEGERS, MATCHERS, builtin, integer_range, whitespace
from gateway.protocols.soap.model import Facets, SimpleType
from gateway.protocols.soap.simple import reader, writer


def test_lists_and_unions() -> None:
    items = SimpleType("anySimpleType", variety="list", item=builtin("int"), facets=Facets(max_length=2))
    assert writer(items)([1, 2]) == "1 2"
    assert reader(items)(" 1\n2 ") == [1, 2]
    for bad in ([1, 2, 3], 5, ["x"], [True]):
        with pytest.raises(ValueError):
            writer(items)(bad)
    with pytest.raises(ValueError, match="cannot be empty"):
        writer(SimpleType("anySimpleType", variety="list", item=builtin("string")))(["a b"])
    either = SimpleType("anySimpleType", variety="union", members=(builtin("int"), builtin("date")))
    assert writer(either)(5) == "5"
    assert writer(either)("2026-01-01") == "2026-01-01"
    with pytest.raises(ValueError, match="none of the types"):
        writer(either)("x")
    assert whitespace(either) == "preserve"


def test_numbers_too_wide_for_json_are_strings() -> None:
    assert reader(builtin("long"))("9007199254740993") == "9007199254740993"
    assert reader(SimpleType("long", facets=Facets(total_digits=9)))("007") == 7
    with pytest.raises(ValueError, match="more digits"):
        reader(SimpleType("long", facets=Facets(total_digits=9)))("9007199254740993")
    with pytest.raises(ValueError):
        reader(SimpleType("integer", facets=Facets(total_digits=9)))("9" * 5000)


def test_floats() -> None:
    assert reader(builtin("double"))("1e999") == "INF"
    assert reader(builtin("float"))("-1e999") == "-INF"
    with pytest.raises(ValueError, match="finite"):
        writer(builtin("double"))(float("nan"))


@example("0", "negativeInteger")
@example("-1", "negativeInteger")
@given(st.text(max_size=12), st.sampled_from(sorted(MATCHERS)))
def test_what_is_read_is_written_again(text: str, name: str) -> None:
    try:
        value = reader(builtin(name))(text)
    except ValueError:
        return
    if name in INTEGERS:  # An answer may exceed its bounds where it is a string anyway; a request may not.
        low, high = integer_range(builtin(name))
        assume((low is None or int(text) >= low) and (high is None or int(text) <= high))
    assert reader(builtin(name))(writer(builtin(name))(value)) == value
