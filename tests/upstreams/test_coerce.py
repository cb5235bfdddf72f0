"""Strings become what the contract wants, or stay strings for the contract to refuse."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.upstreams.coerce import coercer

SCHEMA: dict[str, Any] = {
    "properties": {
        "n": {"type": "integer"},
        "big": {"type": ["integer", "string"]},
        "b": {"type": "boolean"},
        "s": {"type": "string"},
        "list": {"type": "array", "items": {"type": "integer"}},
        "named": {"$ref": "#/$defs/Number"},
        "twice": {"$ref": "#/$defs/Alias"},
        "loop": {"$ref": "#/$defs/Loop"},
        "gone": {"$ref": "#/$defs/Gone"},
    },
    "$defs": {"Number": {"type": "integer"}, "Alias": {"$ref": "#/$defs/Number"}, "Loop": {"$ref": "#/$defs/Loop"}},
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("n", "7", 7),
        ("n", "-7", -7),
        ("n", "007", "007"),
        ("n", "7.0", "7.0"),
        ("n", "٣", "٣"),
        ("n", "9" * 5000, "9" * 5000),
        ("n", 7, 7),
        ("big", "7", "7"),
        ("b", "true", True),
        ("b", "TRUE", "TRUE"),
        ("s", "7", "7"),
        ("list", "7", [7]),
        ("named", "7", 7),
        ("twice", "7", 7),
        ("loop", "7", "7"),
        ("gone", "7", "7"),
        ("unknown", "7", "7"),
    ],
)
def test_a_parameter(name: str, text: object, value: object) -> None:
    assert coercer(SCHEMA)({name: text}) == {name: value}


def test_the_schema_itself_may_be_a_reference() -> None:
    assert coercer({"$ref": "#/$defs/T", "$defs": {"T": {"properties": {"n": {"type": "integer"}}}}})({"n": "7"}) == {"n": 7}


def test_what_is_no_object_stays() -> None:
    assert coercer(SCHEMA)(["7"]) == ["7"]
    assert coercer(None)({"n": "7"}) == {"n": "7"}
