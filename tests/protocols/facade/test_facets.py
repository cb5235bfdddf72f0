"""Constraints as facets, only where XML Schema means the same."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.protocols.facade.facets import facets, text, xsd_pattern


@pytest.mark.parametrize(
    ("pattern", "facet"),
    [
        ("^[0-9]{10}$", "[0-9]{10}"),
        ("^(?:[A-Z]{3})$", "([A-Z]{3})"),
        ("^(?:AA|BB)$", "(AA|BB)"),
        (r"^\d+\.\d$", r"\d+\.\d"),
        ("^AA|BB$", ""),
        ("[0-9]", ""),
        ("^[0-9]", ""),
        (r"^a\$", ""),
        (r"^a\b$", ""),
        ("^(?=a)b$", ""),
        ("^a+?$", ""),
        ("^[^a]$", ""),
        ("^($", ""),
        ("", ""),
    ],
)
def test_patterns(pattern: str, facet: str) -> None:
    assert xsd_pattern(pattern) == facet


@pytest.mark.parametrize(
    ("schema", "builtin", "values", "found"),
    [
        ({"minimum": 1, "maximum": 9}, "int", None, (("minInclusive", "1"), ("maxInclusive", "9"))),
        ({"minimum": 1.5}, "double", None, ()),
        ({"minLength": 0, "maxLength": 4}, "string", None, (("minLength", "0"), ("maxLength", "4"))),
        ({"maxLength": 4, "pattern": "^a$"}, "string", None, (("maxLength", "4"), ("pattern", "a"))),
        ({"pattern": "^a$"}, "date", None, ()),
        ({}, "string", ["A", "B"], (("enumeration", "A"), ("enumeration", "B"))),
        ({}, "boolean", [True], (("enumeration", "true"),)),
    ],
)
def test_bounds(schema: dict[str, Any], builtin: str, values: list[Any] | None, found: tuple[tuple[str, str], ...]) -> None:
    assert facets(schema, builtin, values) == found


def test_scalars_as_text() -> None:
    assert [text(value) for value in (True, False, 7, "a")] == ["true", "false", "7", "a"]
