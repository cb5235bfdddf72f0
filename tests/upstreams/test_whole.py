"""Values that a table moves as they are have the contract's schema, with all that it refers to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gateway.upstreams.table import Table
from gateway.upstreams.whole import described

CONTRACT: Any = {
    "type": "object",
    "properties": {
        "Order": {"anyOf": [{"$ref": "#/$defs/Order"}, {"type": "null"}]},
        "Tags": {"type": "array", "items": {"enum": ["a", "b"]}},
    },
    "$defs": {
        "Order": {"type": "object", "properties": {"Line": {"type": "array", "items": {"$ref": "#/$defs/Line"}}}},
        "Line": {
            "oneOf": [{"$ref": "#/$defs/Goods"}, {"type": "object"}],
            "discriminator": {"mapping": {"x": "#/$defs/Service"}},
        },
        "Goods": {"type": "object", "properties": {"Part": {"$ref": "#/$defs/Line"}, "Name": {"type": "string", "maxLength": 5}}},
        "Service": {"type": "object"},
        "Unused": {"type": "object"},
    },
}


def test_a_whole_value_has_the_contracts_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"lines": {"type": "array", "items": {"type": "object", "properties": {"part": {"description": "Ours."}}}}},
    }
    made = described(schema, CONTRACT, [(("lines", "[]", "part"), ("Order", "Line", "[]", "Part"))])
    part = made["properties"]["lines"]["items"]["properties"]["part"]
    assert part == {"$ref": "#/$defs/Line", "description": "Ours."}
    assert set(made["$defs"]) == {"Line", "Goods", "Service"}
    assert schema["properties"]["lines"]["items"]["properties"]["part"] == {"description": "Ours."}  # type: ignore[index]


def test_lists_and_their_items() -> None:
    schema: Any = {"type": "object", "properties": {"tags": {}, "each": {"type": "array", "items": {}}}}
    made = described(schema, CONTRACT, [(("tags",), ("Tags",)), (("each", "[]"), ("Tags", "[]"))])
    assert made["properties"]["tags"] == CONTRACT["properties"]["Tags"]
    assert made["properties"]["each"]["items"] == {"enum": ["a", "b"]}
    assert "$defs" not in made


def test_what_the_contract_does_not_say_stays() -> None:
    schema: Any = {"type": "object", "properties": {"a": {"examples": [1]}}}
    for erp in (("None",), ("Order", "None"), ("Tags", "x"), ("Order", "[]")):
        assert described(schema, CONTRACT, [(("a",), erp)]) == schema
    assert described(schema, CONTRACT, [(("b", "c"), ("Tags",))]) == schema


def test_the_table_asks_the_contract_only_for_what_moves_whole() -> None:
    asked: list[str] = []

    def contract() -> Any:
        asked.append("contract")
        return CONTRACT

    plain: Any = SimpleNamespace(schema=lambda: {"type": "object"}, whole=list)
    assert Table(plain, plain, contract, contract).request_schema() == {"type": "object"}
    assert asked == []
    moving: Any = SimpleNamespace(schema=lambda: {"properties": {"t": {}}}, whole=lambda: [(("t",), ("Tags", "[]"))])
    assert Table(plain, moving, contract, contract).answer_schema() == {"properties": {"t": {"enum": ["a", "b"]}}}
    assert Table(None, None, contract, lambda: None).answer_schema() is None
    assert Table(None, moving, contract, lambda: None).answer_schema() == {"properties": {"t": {}}}
