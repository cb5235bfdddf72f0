"""Lines of policy files: an excerpt, a difference, and whom a line is about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.lines import LONGEST, Line, changed, concerns, excerpt, lines_of


def test_the_lines_of_any_bytes() -> None:
    assert lines_of(b"a\r\nb\n") == ["a", "b", ""]
    assert lines_of(b"\xff") == ["\ufffd"]


def test_an_excerpt_marks_its_line() -> None:
    lines = ["1", "2", "3", "4", "5"]
    assert excerpt(lines, 4, 1) == (Line(3, "3"), Line(4, "4", "wrong"), Line(5, "5"))
    assert excerpt(lines, 1, 1) == (Line(1, "1", "wrong"), Line(2, "2"))
    assert excerpt(lines, 0) == excerpt(lines, 6) == excerpt(lines, -1) == ()
    assert len(excerpt(["x" * 10_000], 1)[0].text) == LONGEST


def test_rows_that_only_moved_or_were_aligned_are_no_change() -> None:
    old = ["# a", "p, a, demo, x.y, allow", "p, b, demo, x.y, allow", "# end"]
    new = ["", "# a", "p,   b, demo, x.y, allow", "p, a, demo, x.y, deny", "p, b, demo, x.y, allow", "# end"]
    assert changed(old, old) == []
    assert changed(old, new) == [
        Line(2, "p, a, demo, x.y, allow", "gone"),
        Line(4, "p, a, demo, x.y, deny", "new"),
        Line(5, "p, b, demo, x.y, allow", "new"),
    ]


@given(st.lists(st.sampled_from(["a", "b", "", "# c"]), max_size=8), st.lists(st.sampled_from(["a", "b", "# c"]), max_size=8))
def test_what_is_gone_and_new_turns_one_into_the_other(old: list[str], new: list[str]) -> None:
    found = changed(old, new)
    gone, came = ([line.text for line in found if line.mark == mark] for mark in ("gone", "new"))
    assert sorted([*filter(None, old), *came]) == sorted([*new, *gone])


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("p, oa, demo, x.y, allow", True),
        ("p, oa, *, x.y, allow", True),
        ("p, oa, other, x.y, allow", False),
        ("p2, oa, other, x.y, price, hide", False),
        ("p3, oa, demo, x.y, entity, own", True),
        ("g, li, boss, other", False),
        ("g, li, boss, demo", True),
        ("g2, x.y, all", True),
        ("", True),
        ("# the boss of other", False),
        ("p, oa, demo; other, x.y, allow", False),
        ("p, demo, oa", False),
        ("P, oa, demo, x.y, allow", False),
    ],
)
def test_whom_a_line_is_about(line: str, seen: bool) -> None:
    assert concerns(line, "demo") is seen
