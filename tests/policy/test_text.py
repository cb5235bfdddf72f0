import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.policy.text import read_lines


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0\ufeff"), max_size=10), min_size=1))
def test_lines_are_what_stands_between_line_ends(lines: list[str]) -> None:
    for line_end in ("\n", "\r\n"):
        assert read_lines("x", line_end.join(lines).encode()) == lines


def test_no_other_character_ends_a_line() -> None:
    text = "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g"
    assert read_lines("x", text.encode()) == [text]


@pytest.mark.parametrize(
    ("data", "line", "what"),
    [
        ("a\nb".encode("utf-16"), 1, "UTF-16"),
        ("a\nb, c, d".encode("utf-16-le"), 1, "UTF-16"),
        (b"\xef\xbb\xbfa", 1, "byte order mark"),
        (b"a\nb\xff", 2, "not UTF-8"),
        (b"a\r\nb\rc", 2, "carriage return"),
        (b"a\rb\r\nc\0" + b" " * 100, 3, "NUL"),
    ],
)
def test_refuses_with_the_line(data: bytes, line: int, what: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_lines("x", data)
    (finding,) = refused.value.findings
    assert (finding.line, what in finding.what) == (line, True)
