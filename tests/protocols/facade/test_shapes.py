"""JSON Schemas as shapes: what stands how in elements, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.protocols.facade.shapes import Choice, Fields, Inexpressible, Leaf, Many, Map, Ref, shapes_of

TEXT = Leaf("string", "string")


def whole(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "shape"),
    [
        ({"type": "string"}, TEXT),
        ({"type": ["string", "null"]}, Leaf("string", "string", nullable=True)),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, Leaf("string", "string", nullable=True)),
        ({"anyOf": [{"enum": ["a"]}, {"type": "string"}]}, TEXT),
        ({"const": "a"}, Leaf("string", "string", (("enumeration", "a"),))),
        ({"enum": [1, 2]}, Leaf("integer", "integer", (("enumeration", "1"), ("enumeration", "2")))),
        ({"type": "string", "format": "decimal", "pattern": "^[0-9]+$"}, Leaf("decimal", "string")),
        ({"type": ["string", "integer"], "format": "decimal"}, Leaf("decimal", "string")),
        ({"type": ["integer", "string"], "format": "long"}, Leaf("long", "string")),
        ({"type": "integer", "minimum": 0, "maximum": 9}, Leaf("int", "integer", (("minInclusive", "0"), ("maxInclusive", "9")))),
        ({"type": "integer"}, Leaf("integer", "integer")),
        ({"type": "string", "format": "date", "pattern": "^x$"}, Leaf("date", "string")),
        ({"type": "string", "format": "date-time"}, Leaf("dateTime", "string")),
        ({"type": "string", "x-xsd-type": "duration"}, Leaf("duration", "string")),
        ({"type": "string", "x-xsd-type": "QName"}, TEXT),
        ({"type": "string", "contentEncoding": "base16"}, Leaf("hexBinary", "string")),
        ({"type": "boolean"}, Leaf("boolean", "boolean")),
        ({"type": "number"}, Leaf("double", "number")),
        ({"anyOf": [{"type": "number"}, {"enum": ["INF"]}], "format": "float"}, Leaf("float", "number")),
        ({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 9}, Many(TEXT, 1, 9)),
        ({"type": "object", "additionalProperties": {"type": "string"}}, Map(TEXT)),
        (whole(), Fields(())),
    ],
)
def test_shapes(schema: dict[str, Any], shape: object) -> None:
    assert shapes_of(schema).root == shape


def test_an_object_of_one_key_among_others_is_a_choice() -> None:
    options = [
        {**whole(card={"type": "string"}), "required": ["card"]},
        {**whole(cash={"type": "integer"}), "required": ["cash"]},
    ]
    shape = shapes_of({"oneOf": options}).root
    assert isinstance(shape, Choice)
    assert (shape.flat, [option.name for option in shape.options]) == (True, ["card", "cash"])


def test_alternatives_are_named_after_their_definitions() -> None:
    definitions = {"Card": whole(number={"type": "string"}), "Cash": whole(amount={"type": "string"})}
    shape = shapes_of({"oneOf": [{"$ref": "#/$defs/Card"}, {"$ref": "#/$defs/Cash"}, whole()], "$defs": definitions}).root
    assert isinstance(shape, Choice)
    assert [(option.name, shape.flat) for option in shape.options] == [("Card", False), ("Cash", False), ("option3", False)]


def test_a_definition_may_contain_itself() -> None:
    definitions = {"Node": whole(name={"type": "string"}, children={"type": "array", "items": {"$ref": "#/$defs/Node"}})}
    found = shapes_of({**whole(tree={"$ref": "#/$defs/Node"}), "$defs": definitions})
    node = found.definitions["Node"]
    assert isinstance(node, Fields)
    assert node.members[1].shape == Many(Ref("Node"))


def test_exclusive_keys_are_rivals() -> None:
    schema = {**whole(a={"type": "string"}, b={"type": "string"}, c={"type": "string"})}
    schema["allOf"] = [{"oneOf": [{"required": ["a"]}, {"required": ["b"]}, {"not": {"anyOf": []}}]}]
    shape = shapes_of(schema).root
    assert isinstance(shape, Fields)
    first, second, third = (member.rival for member in shape.members)
    assert first == second != third == 0


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (whole(a={}), "a may be anything"),
        (whole(a=whole(b={"description": "any"})), "a.b may be anything"),
        (whole(a={"type": ["boolean", "integer"]}), "a is boolean or integer"),
        (whole(a={"type": "array"}), "a is a list of anything"),
        ({"type": "object"}, "the whole is an object of which nothing is known"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}}, "free keys"),
        ({"type": "object", "properties": {}, "patternProperties": {"^@": {}}}, "only a pattern"),
        ({"$ref": "http://elsewhere/x"}, "refers to http://elsewhere/x"),
    ],
)
def test_what_has_no_form_says_where_and_why(schema: dict[str, Any], reason: str) -> None:
    with pytest.raises(Inexpressible, match=reason):
        shapes_of(schema)
