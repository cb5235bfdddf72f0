"""Field tables against a contract: what disagrees, and what fits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.config.source import parse_source
from gateway.errors import ConfigError, Unprocessable
from gateway.mapping import LeafOf, Table, compile_answer, compile_request, read_tables


@dataclass(frozen=True)
class Leaf:
    builtin: str = "string"
    repeated: bool = False
    nillable: bool = False
    max_length: int | None = None
    fraction_digits: int | None = None
    enumeration: tuple[str, ...] | None = None


def table(*rows: str) -> Table:
    text = "tables:\n  t:\n    rows:\n" + "".join(f"      - {row}\n" for row in rows)
    return read_tables(parse_source(text.encode(), name="t.yaml", folder=Path()))["t"]


CONTRACT = {
    "Order": Leaf(""),
    "Order.Name": Leaf(max_length=10),
    "Order.Total": Leaf("decimal", fraction_digits=2),
    "Order.Count": Leaf("int"),
    "Order.Big": Leaf("long"),
    "Order.Ratio": Leaf("double"),
    "Order.Flag": Leaf("boolean"),
    "Order.Day": Leaf("date"),
    "Order.Stamp": Leaf("dateTime"),
    "Order.State": Leaf(enumeration=("01", "02")),
    "Order.Level": Leaf("int", enumeration=("1", "2")),
    "Order.Lines": Leaf(""),
    "Order.Lines.Line": Leaf("", repeated=True),
    "Order.Lines.Line[]": Leaf(""),
    "Order.Lines.Line[].Sku": Leaf(),
    "Order.Lines.Line[].@id": Leaf("int"),
    "Order.Tag": Leaf(repeated=True),
    "Order.Tag[]": Leaf(),
}

leaf: LeafOf = CONTRACT.get


def names(path: str) -> list[str]:
    prefix = path + "." if path else ""
    return [key.removeprefix(prefix) for key in CONTRACT if key.startswith(prefix) and "." not in key.removeprefix(prefix)]


MISMATCHES = {
    "{rest: a, erp: Order.Nmae}": "has the ERP name 'Nmae', which is not below 'Order'; did you mean 'Name'?",
    "{rest: a, erp: Odrer.Name}": "has the ERP name 'Odrer', which is not in the operation's message; did you mean 'Order'?",
    "{rest: a, erp: Order.Lines.Zzz}": "has the ERP name 'Zzz', which is not below 'Order.Lines'; there are Line, Line[]",
    "{rest: 'a[].b', erp: 'Order.Lines.Line[].Skuu'}": "has the ERP name 'Skuu', which is not below 'Order.Lines.Line[]'; "
    "did you mean 'Sku'?",
    "{rest: a, erp: Order.Lines.Line.Sku}": "writes 'Order.Lines.Line.Sku', which the contract repeats differently; "
    "write 'Order.Lines.Line[].Sku'",
    "{rest: 'a[]', erp: 'Order.Name[]'}": "writes 'Order.Name[]', which the contract repeats differently; write 'Order.Name'",
    "{rest: a, erp: Order.Tag}": "writes 'Order.Tag', which the contract repeats differently; write 'Order.Tag[]'",
    "{rest: a, erp: Order.Lines}": "moves a single value, where the contract has an element with children; "
    "name a field below it, or use type: any",
    "{rest: a, erp: Order.Name, max: 11}": "allows 11 characters, the contract 10; write 'max: 10'",
    "{rest: a, erp: Order.Name, type: code, digits: 11}": "writes 11 digits, the contract allows 10 characters; "
    "write 'digits: 10'",
    "{rest: a, erp: Order.Name, nullable: true}": "is nullable, the contract allows no nil here; remove 'nullable'",
    "{rest: a, erp: Order.Name, type: boolean}": "is a boolean, the contract has xs:string; "
    "say how the ERP writes it: values: {true: X, false: ''}",
    "{rest: a, erp: Order.Total}": "is of type string, the contract has xs:decimal; use type: decimal",
    "{rest: a, erp: Order.Total, type: decimal, scale: 3}": "allows 3 digits after the decimal point, the contract 2; "
    "write 'scale: 2'",
    "{rest: a, erp: Order.Count, type: decimal}": "may have a fraction, the contract has xs:int; add 'scale: 0'",
    "{rest: a, erp: Order.Count, type: date}": "is of type date, the contract has xs:int; "
    "use type: integer, or type: decimal with scale: 0 beyond 2^53",
    "{rest: a, erp: Order.Ratio, type: decimal}": "is of type decimal, the contract has xs:double; "
    "use type: any, which passes a JSON number as it is",
    "{rest: a, erp: Order.Flag, type: boolean, values: {true: X, false: ''}}": "gives 'values' to an xs:boolean; remove 'values'",
    "{rest: a, erp: Order.Flag}": "is of type string, the contract has xs:boolean; use type: boolean",
    "{rest: a, erp: Order.Day, type: integer}": "is of type integer, the contract has xs:date; use type: date",
    "{rest: a, erp: Order.Stamp, type: integer}": "is of type integer, the contract has xs:dateTime; use type: datetime",
    "{rest: a, erp: Order.Name, call: nothing, serves: request}": "calls 'nothing', which no transformers/*.py defines; "
    "functions are: none yet",
    "{rest: a, erp: Order.Day, type: date, erp_form: DD/MM/YYYY}": "is a date with a form, the contract has xs:date; "
    "use type: date without erp_form",
    "{rest: a, erp: Order.State, type: codes, values: {x: '01', y: '03'}}": "gives the ERP value '03', "
    "which the contract does not list; use one of 01, 02",
    "{rest: a, erp: Order.Level, type: codes, values: {x: 1, y: 7}}": "gives the ERP value 7, which the contract does not list; "
    "use one of 1, 2",
    "{erp: Order.State, constant: '9', serves: request}": "gives the ERP value '9', which the contract does not list; "
    "use one of 01, 02",
    "{erp: Order.Name, constant: 01, serves: request}": "gives the ERP value 1 to an element of text; "
    "put it in quotes, with all its zeros: '1'",
    "{rest: a, erp: Order.Name, type: codes, values: {x: 1}}": "gives the ERP value 1 to an element of text; "
    "put it in quotes, with all its zeros: '1'",
    "{rest: a, erp: Order.Count, type: codes, values: {x: A}}": "gives the ERP value 'A' to an xs:int; write a whole number",
    "{erp: Order.Flag, constant: X, serves: request}": "gives the constant 'X' to an xs:boolean; use true or false",
    "{erp: Order.Lines, constant: x, serves: request}": "gives a constant to an element with children; name a field below it",
}


@pytest.mark.parametrize("row", MISMATCHES)
def test_a_row_against_the_contract(row: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_request(table("{rest: fine, erp: Order.Big, type: any}", row), leaf=leaf, names=names)
    found = [str(finding) for finding in caught.value.findings]
    assert any(finding.startswith("t.yaml:5: ") and finding.endswith(MISMATCHES[row]) for finding in found)


def test_findings_of_all_rows_come_together() -> None:
    rows = table("{rest: a, erp: Order.A}", "{rest: b, erp: Order.B}", "{rest: c, erp: Order.Name, example: 1}")
    with pytest.raises(ConfigError) as caught:
        compile_request(rows, leaf=leaf)
    assert [(f.line, f.remedy) for f in caught.value.findings] == [
        (4, "look in the contract"),
        (5, "look in the contract"),
        (6, "give 'example' in its REST form"),
    ]


def test_rows_that_fit_the_contract() -> None:
    rows = table(
        "{rest: name, erp: Order.Name}",
        "{rest: total, erp: Order.Total, type: decimal, scale: 2}",
        "{rest: count, erp: Order.Count, type: integer}",
        "{rest: big, erp: Order.Big, type: decimal, scale: 0}",
        "{rest: ratio, erp: Order.Ratio, type: any}",
        "{rest: flag, erp: Order.Flag, type: boolean}",
        "{rest: day, erp: Order.Day, type: date}",
        "{rest: stamp, erp: Order.Stamp, type: datetime}",
        "{rest: level, erp: Order.Level, type: codes, values: {low: '1', high: '2'}}",
        "{rest: lines, erp: Order.Lines.Line, type: any}",
        "{rest: 'tags[]', erp: 'Order.Tag[]'}",
        "{erp: Order.State, constant: '01', serves: request}",
    )
    value = {"name": "x", "total": "1.00", "count": 1, "level": "high", "lines": [{"Sku": "1"}], "tags": ["t"]}
    order = {"Name": "x", "Total": "1.00", "Count": 1, "Level": 2, "Lines": {"Line": [{"Sku": "1"}]}, "Tag": ["t"]}
    request = compile_request(rows, leaf=leaf)
    assert request(value) == {"Order": order | {"State": "01"}}
    assert compile_answer(rows, leaf=leaf)({"Order": order}) == value
    with pytest.raises(Unprocessable) as caught:
        request({"name": "x" * 11})
    assert caught.value.detail == "/name is longer than 10 characters."
    assert request.schema()["properties"]["name"] == {"type": "string", "maxLength": 10}  # type: ignore[index]


def test_an_integer_for_a_text_element_is_text() -> None:
    assert compile_request(table("{rest: n, erp: Order.Name, type: integer}"), leaf=leaf)({"n": 7}) == {"Order": {"Name": "7"}}
