import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mapping.path import EACH, lists, parse_path, show_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("payee.code", ("payee", "code")),
        ("lines[].unit", ("lines", EACH, "unit")),
        ("Order.@currency", ("Order", "@currency")),
        ("A.$value", ("A", "$value")),
        ("{http://a.b/c}Order.Total", ("{http://a.b/c}Order", "Total")),
        (r"Foo\.Bar[].x", ("Foo.Bar", EACH, "x")),
        (r"a\.", ("a.",)),
    ],
)
def test_paths(text: str, path: tuple[str, ...]) -> None:
    assert parse_path(text) == path
    assert show_path(path) == text


names = st.text(st.characters(exclude_characters="[]{}\\", exclude_categories=["Z", "C"]), min_size=1)


@given(st.lists(st.tuples(names, st.booleans()), min_size=1))
def test_every_path_has_a_text(steps: list[tuple[str, bool]]) -> None:
    path = tuple(part for name, many in steps for part in ((name, EACH) if many else (name,)))
    assert parse_path(show_path(path)) == path


def test_lists_of_a_path() -> None:
    assert lists(("a", EACH, "b", EACH, "c")) == [("a", EACH), ("a", EACH, "b", EACH)]
