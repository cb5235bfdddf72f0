from __future__ import annotations

import pytest

from gateway.protocols.soap.facets import compile_pattern
from gateway.protocols.soap.model import Facets, SimpleType
from gateway.protocols.soap.simple import writer


@pytest.mark.parametrize(
    ("facets", "base", "good", "bad"),
    [
        (Facets(length=3), "string", ["abc", "漢字漢"], ["ab", "abcd"]),
        (Facets(min_length=1, max_length=2), "token", ["a", " ab "], ["", "abc", "  "]),
        (Facets(max_length=1), "hexBinary", ["0a"], ["0a0b"]),
        (Facets(length=2), "base64Binary", ["QUI="], ["QQ=="]),
        (Facets(patterns=(("[a-z]+", "[0-9]+"), (".{2}",))), "string", ["ab", "12"], ["a1", "abc"]),
        (Facets(patterns=((r"\i\c*",),)), "string", ["a-b"], ["1", "a\n"]),
        (Facets(enumeration=("1.0", "2")), "decimal", ["1", "1.00", 2], ["3"]),
        (Facets(enumeration=("a  b",)), "token", ["a b"], ["ab"]),
        (Facets(total_digits=3, fraction_digits=1), "decimal", ["99.9", "099.90", 999], ["99.99", "1000"]),
        (Facets(min_inclusive="0", max_exclusive="10"), "decimal", ["0", "9.999"], ["-1", "10"]),
        (Facets(min_exclusive="0", max_inclusive="10"), "double", [1, "10"], [0, 11, "NaN"]),
        (Facets(total_digits=2), "integer", [99, "-99"], [100]),
        (Facets(min_inclusive="2026-01-01", max_inclusive="2026-12-31"), "date", ["2026-06-01"], ["2025-12-31", "2027-01-01"]),
        (Facets(min_inclusive="2026-01-01Z"), "date", ["2026-06-01Z", "2025-01-01+08:00"], ["2025-12-31Z"]),
        (Facets(min_inclusive="a"), "string", ["b"], []),
    ],
)
def test_facets_hold_for_requests(facets: Facets, base: str, good: list[object], bad: list[object]) -> None:
    write = writer(SimpleType(base, facets=facets))
    for value in good:
        assert write(value) == str(value)
    for value in bad:
        with pytest.raises(ValueError):
            write(value)


def test_a_pattern_that_is_none_is_named() -> None:
    assert compile_pattern(r"\i\c*").search("a-b")
    for pattern in ("(", "[b-a]", "a{2,1}", "(?=a)"):
        with pytest.raises(ValueError, match="is no XML Schema regular expression"):
            compile_pattern(pattern)
