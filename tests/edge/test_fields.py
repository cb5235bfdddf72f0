"""Rows of schemas: names, types, what each is held to, and an end to what refers to itself."""

from __future__ import annotations

from typing import Any

from gateway.edge.examples import PREFIX
from gateway.edge.fields import MOST, MOST_VALUES, Field, field_of, fields


def rows(schema: Any, **schemas: Any) -> list[Field]:
    found, more = fields(schema, schemas)
    assert not more
    return found


def told(field: Field) -> list[str]:
    return [sentence % parameters for sentence, parameters in field.rules]


def test_a_field_says_what_it_is_and_what_it_is_held_to() -> None:
    schema = {
        "type": "object",
        "required": ["number"],
        "properties": {
            "number": {"type": "string", "minLength": 1, "maxLength": 8, "pattern": "^[0-9]+$", "description": "Yours."},
            "amount": {"type": "string", "format": "decimal", "pattern": "^.*$", "x-fraction-digits": 2, "x-minimum": "0"},
            "count": {"type": "integer", "minimum": -(2**53 - 1), "maximum": 2**53 - 1, "default": 0},
            "most": {"type": "integer", "maximum": 5},
            "unit": {"anyOf": [{"enum": ["KG", "PC"]}, {"type": "string"}]},
            "note": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
            "when": {"type": ["string", "null"], "format": "date"},
            "free": {},
            "rate": {"anyOf": [{"type": "number"}, {"type": "string"}], "format": "double"},
        },
    }
    found = {field.name: field for field in rows(schema)}
    assert [field.name for field in found.values() if field.required] == ["number"]
    assert told(found["number"]) == ["1 to 8 characters", "pattern ^[0-9]+$"]
    assert found["number"].doc == "Yours."
    assert (found["amount"].type, told(found["amount"])) == (
        "string (decimal)",
        ["0 or more", "at most 2 digits after the point"],
    )
    assert told(found["count"]) == ["if left out: 0"]
    assert told(found["most"]) == ["5 or less"]
    assert (found["unit"].type, found["unit"].values) == ("string", ("KG", "PC"))
    assert (found["note"].nullable, told(found["note"])) == (True, ["at most 3 characters"])
    assert (found["when"].type, found["when"].nullable) == ("string (date)", True)
    assert (found["free"].type, found["rate"].type) == ("any", "number (double)")


def test_objects_and_lists_have_their_fields_below_them() -> None:
    line = {"type": "object", "properties": {"sku": {"type": "string"}, "tags": {"type": "array", "items": {"type": "integer"}}}}
    schema = {"type": "object", "properties": {"lines": {"type": "array", "minItems": 1, "items": {"$ref": f"{PREFIX}Line"}}}}
    found = rows(schema, Line=line)
    assert [(field.depth, field.name, field.type) for field in found] == [
        (0, "lines", "array of object"),
        (1, "sku", "string"),
        (1, "tags", "array of integer"),
    ]
    assert told(found[0]) == ["at least 1 items"]


def test_choices_and_derived_types() -> None:
    one = {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    choice = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "allOf": [one]}
    found = rows({"type": "object", "properties": {"c": choice}})
    assert told(found[0]) == ["one of a, b"]
    named = {"type": "object", "properties": {"$type": {"const": "{urn:x}Car"}, "doors": {"type": "integer"}}}
    found = rows({"oneOf": [{"$ref": f"{PREFIX}Base"}, {"$ref": f"{PREFIX}Car"}]}, Car=named, Base={"properties": {"id": {}}})
    assert [(field.depth, field.name) for field in found] == [(0, "id"), (0, "$type {urn:x}Car"), (1, "doors")]


def test_what_refers_to_itself_is_shown_once() -> None:
    node = {"type": "object", "properties": {"name": {"type": "string"}, "next": {"$ref": f"{PREFIX}Node"}}}
    assert [(field.depth, field.name) for field in rows({"$ref": f"{PREFIX}Node"}, Node=node)] == [(0, "name"), (0, "next")]
    assert rows({"$ref": "#/elsewhere"}) == []


def test_long_schemas_and_long_lists_are_cut() -> None:
    found, more = fields({"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(MOST + 1)}}, {})
    assert (len(found), more) == (MOST, True)
    code = field_of("code", {"enum": list(range(MOST_VALUES * 2))}, {}, True)
    assert (len(code.values), code.required) == (MOST_VALUES, True)
