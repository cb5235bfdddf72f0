"""The JSON Schema of both directions of one table."""

from __future__ import annotations

from pathlib import Path

from gateway.config.source import parse_source
from gateway.mapping import Table, compile_answer, compile_request, read_tables

ORDER = """
tables:
  order:
    doc: An order.
    erp: Order
    rows:
      - {rest: number, erp: EBELN, doc: Its number.}
      - {rest: payee.code, erp: LIFNR}
      - {rest: payee.name, erp: Name.NAME1}
      - {rest: extra, erp: Extra, type: any}
      - {rest: "lines[]", erp: "Positions.Position[]", type: list, doc: Its lines., required: true}
      - {rest: "lines[].sku", erp: "Positions.Position[].MATNR"}
      - {rest: "lines[].size.x/y", erp: "Positions.Position[].XY", type: integer}
      - {rest: "tags[]", erp: "Tag[]"}
      - {erp: BLART, constant: KZ, serves: request}
      - {rest: kind, constant: order, serves: answer, doc: What it is.}
"""


def order() -> Table:
    return read_tables(parse_source(ORDER.encode(), name="t.yaml", folder=Path()))["order"]


def test_schemas() -> None:
    assert compile_request(order()).schema() == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "description": "An order.",
        "additionalProperties": False,
        "required": ["lines"],
        "properties": {
            "number": {"type": "string", "description": "Its number."},
            "payee": {
                "type": "object",
                "properties": {"code": {"type": "string"}, "name": {"type": "string"}},
                "additionalProperties": False,
            },
            "extra": {},
            "lines": {
                "type": "array",
                "description": "Its lines.",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "sku": {"type": "string"},
                        "size": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {"x/y": {"type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991}},
                        },
                    },
                },
            },
            "tags": {"type": "array", "items": {"type": "string"}},
        },
    }
    answer = compile_answer(order()).schema()
    assert answer["required"] == ["lines", "kind"]
    assert answer["properties"]["kind"] == {"const": "order", "description": "What it is."}  # type: ignore[index]
    assert "additionalProperties" not in answer
