"""What a compiled table promises about any value: bounds on work, silence about payloads, no sharing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from gateway.config.source import parse_source
from gateway.errors import BadAnswer, Unprocessable
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


def test_a_hostile_body_is_looked_at_only_so_far() -> None:
    request = compile_request(order())
    for body in (
        {f"k{i}": 1 for i in range(100_000)},
        {"lines": [1] * 100_000},
        {"lines": [{"bad" * 50: 1}] * 100_000},
    ):
        with pytest.raises(Unprocessable) as caught:
            request(body)
        assert 0 < len(caught.value.errors) <= 100


def test_messages_name_no_value() -> None:
    request, answer = compile_request(order()), compile_answer(order())
    with pytest.raises(Unprocessable) as refused:
        request({"lines": [{"size": {"x/y": "s3cret"}}], "number": {"s3cret": 1}})
    assert "s3cret" not in str(refused.value) + str(refused.value.errors)
    with pytest.raises(BadAnswer) as bad:
        answer({"Order": {"Positions": {"Position": [{"XY": "s3cret"}]}}})
    assert "s3cret" not in str(bad.value)


def test_values_are_never_shared_between_calls() -> None:
    request = compile_request(order())
    first, second = request({"lines": []}), request({"lines": []})
    assert first == second
    assert first is not second
    assert first["Order"] is not second["Order"]  # type: ignore[index]


def test_a_root_list_is_always_in_the_answer() -> None:
    text = b"tables: {t: {rest: 'items[]', erp: 'Head.orders[]', rows: [{rest: number, erp: no}]}}"
    answer = compile_answer(read_tables(parse_source(text, name="t.yaml", folder=Path()))["t"])
    assert answer({}) == {"items": []}
    assert answer({"Head": {"orders": [{"no": "1"}]}}) == {"items": [{"number": "1"}]}
    assert answer.schema()["required"] == ["items"]


def test_numbers_beyond_all_reason() -> None:
    text = b"tables: {t: {rows: [{rest: a, erp: A, type: decimal}, {rest: u, erp: U, type: unit, factor: 10}]}}"
    table = read_tables(parse_source(text, name="t.yaml", folder=Path()))["t"]
    request, answer = compile_request(table), compile_answer(table)
    assert answer(request({"a": "9" * 100_000})) == {"a": "9" * 100_000}
    for value in ({"u": "9" * 501}, {"a": 10**400}):
        with pytest.raises(Unprocessable):
            request(value)
    for erp in ({"U": "9" * 501}, {"A": 10**400}, {"A": float("inf")}, {"A": Decimal("NaN")}, {"A": " " * 100_000 + "x"}):
        with pytest.raises(BadAnswer):
            answer(erp)
    assert answer({"A": Decimal("1E+3"), "U": Decimal("1.50")}) == {"a": "1000", "u": "0.15"}
