"""Values between JSON and elements: exact places for what does not fit, nothing invented, nothing lost."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import FieldError
from gateway.protocols.facade.shapes import shapes_of
from gateway.protocols.facade.values import Misfit, given, taken

LINE = {"type": "object", "properties": {"sku": {"type": "string"}, "count": {"type": "integer"}}, "required": ["sku"]}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "note": {"type": ["string", "null"]},
        "amount": {"type": "string", "format": "decimal"},
        "lines": {"type": "array", "items": LINE},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "pay": {
            "oneOf": [
                {"type": "object", "properties": {kind: {"type": "string"}}, "required": [kind], "additionalProperties": False}
                for kind in ("card", "cash")
            ]
        },
    },
}
SHAPES = shapes_of(SCHEMA)


def read(value: Any) -> tuple[Any, list[FieldError]]:
    errors: list[FieldError] = []
    return taken(value, SHAPES.root, SHAPES.definitions, "", errors), errors


def test_what_a_rest_caller_would_have_posted() -> None:
    message = {
        "note": None,
        "amount": "+.50",
        "lines": [{"sku": "1", "count": "7"}],
        "tags": {"entry": [{"key": "a", "value": "b"}]},
    }
    value, errors = read(message | {"pay": {"cash": "x"}})
    assert errors == []
    assert value == {
        "note": None,
        "amount": "0.50",
        "lines": [{"sku": "1", "count": 7}],
        "tags": {"a": "b"},
        "pay": {"cash": "x"},
    }


@pytest.mark.parametrize(
    ("text", "plain"),
    [("007.50", "7.50"), ("-00", "-0"), ("+0.10", "0.10"), ("12.", "12"), (".5", "0.5"), ("1.00", "1.00"), ("100", "100")],
)
def test_a_decimal_has_one_notation(text: str, plain: str) -> None:
    assert read({"amount": text})[0] == {"amount": plain}


def test_an_optional_list_without_items_is_absent() -> None:
    assert read({"lines": []})[0] == {}
    required = shapes_of({**SCHEMA, "required": ["lines"]})
    assert taken({"lines": []}, required.root, {}, "", []) == {"lines": []}


@pytest.mark.parametrize(
    ("message", "pointer", "detail"),
    [
        ({"amount": None}, "/amount", "may not be nil"),
        ({"lines": [{"sku": "1"}, {"sku": None}]}, "/lines/1/sku", "may not be nil"),
        ({"lines": [{"sku": "1", "count": str(2**64)}]}, "/lines/0/count", "is beyond 64 bits"),
        ({"lines": [{"sku": "1", "count": "9" * 5000}]}, "/lines/0/count", "is beyond 64 bits"),
        ({"tags": {"entry": [{"key": "a/b", "value": "1"}, {"key": "a/b", "value": "2"}]}}, "/tags/a~1b", "is given twice"),
        ({"tags": {"entry": [{"value": "1"}]}}, "/tags", "entry 1 needs a key and a value"),
        ({"pay": {}}, "/pay", "must hold one of card, cash"),
    ],
)
def test_what_does_not_fit_has_a_place(message: Any, pointer: str, detail: str) -> None:
    assert read(message)[1] == [FieldError(pointer, detail)]


def test_an_answer_may_hold_more_than_is_published() -> None:
    value = {"note": None, "amount": "1", "new": {"deep": 1}, "lines": [{"sku": "1", "count": 7, "more": True}]}
    assert given(value, SHAPES.root, {}) == {"note": None, "amount": "1", "lines": [{"sku": "1", "count": 7}]}
    assert given({"amount": None}, SHAPES.root, {}) == {}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"amount": 1.5}, "/amount is no string"),
        ({"amount": True}, "/amount is no string"),
        ({"lines": {"sku": "1"}}, "/lines is no list"),
        ({"lines": ["x"]}, "/lines/0 is no object"),
        ({"lines": [{"count": True}]}, "/lines/0/count is no integer"),
        ({"pay": {"card": "a", "cash": "b"}}, "/pay is none of what it may be"),
        ({"pay": "cash"}, "/pay is none of what it may be"),
        (None, " is null"),
    ],
)
def test_an_answer_that_is_something_else_is_told(value: Any, place: str) -> None:
    with pytest.raises(Misfit, match=place):
        given(value, SHAPES.root, {})
