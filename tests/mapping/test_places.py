"""Pointers into an ERP value, told in the satellite's terms."""

from __future__ import annotations

from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("erp", "rest"),
    [
        ("", ""),
        ("/Order", ""),
        ("/Order/EBELN", "/number"),
        ("/Order/LIFNR", "/payee/code"),
        ("/Order/Name", "/payee/name"),
        ("/Order/Name/NAME1", "/payee/name"),
        ("/Order/Extra/a~1b/3", "/extra/a~1b/3"),
        ("/Order/Positions", "/lines"),
        ("/Order/Positions/Position", "/lines"),
        ("/Order/Positions/Position/3", "/lines/3"),
        ("/Order/Positions/Position/3/MATNR", "/lines/3/sku"),
        ("/Order/Positions/Position/3/XY", "/lines/3/size/x~1y"),
        ("/Order/Positions/Position/3/UNKNOWN", "/lines/3"),
        ("/Order/Tag/0", "/tags/0"),
        ("/Order/BLART", ""),
        ("/Elsewhere", ""),
    ],
)
def test_places_are_told_in_the_satellites_terms(erp: str, rest: str) -> None:
    assert compile_request(order()).pointer(erp) == rest
    assert compile_answer(order()).pointer(erp) == rest
