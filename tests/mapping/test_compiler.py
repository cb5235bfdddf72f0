"""A table in its surroundings: functions, contract, parameters, defaults."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.config.source import parse_source
from gateway.errors import BadAnswer, ConfigError, Unprocessable
from gateway.mapping import Functions, LeafOf, Table, Wrong, compile_answer, compile_request, read_tables


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


def test_a_table_without_rows_for_a_direction() -> None:
    only = table("{rest: a, erp: A, serves: answer}")
    with pytest.raises(
        ConfigError, match=r"t.yaml:2: the table 't' has no row that serves requests; name another table, or add rows"
    ):
        compile_request(only)


def test_query_and_path_parameters() -> None:
    rows = table(
        "{rest: number, erp: BELNR, required: true}",
        "{rest: from, erp: FROM, type: date, erp_form: DD/MM/YYYY, required: true}",
        "{rest: count, erp: COUNT, type: integer}",
        "{rest: open, erp: OPEN, type: boolean}",
        "{rest: 'tag[]', erp: 'TAG[]'}",
    )
    request = compile_request(rows, path=["number"], body=False)
    query = {"from": "2026-01-02", "count": "12", "open": "false", "tag": "one"}
    erp = {"BELNR": "1", "FROM": "02/01/2026", "COUNT": 12, "OPEN": False, "TAG": ["one"]}
    assert request(query, {"number": "1"}) == erp
    with pytest.raises(Unprocessable) as caught:
        request({"count": "x", "open": "no", "form": "1", "tag": ["a", 1]}, {"number": 7})  # type: ignore[dict-item]
    assert {error.pointer: error.detail for error in caught.value.errors} == {
        "path/number": "must be a string, not a number",
        "query/count": "must be a whole number",
        "query/open": "must be true or false",
        "query/form": "is no parameter of this call; did you mean 'from'?",
        "query/tag/1": "must be a string, not a number",
        "query/from": "is required",
    }
    assert request.pointer("/BELNR") == "path/number"
    assert request.pointer("/FROM") == "query/from"
    assert [(p["name"], p["in"], p["required"]) for p in request.parameters()] == [
        ("number", "path", True),
        ("from", "query", True),
        ("count", "query", False),
        ("open", "query", False),
        ("tag", "query", False),
    ]


def test_a_body_with_a_path_parameter() -> None:
    rows = table("{rest: number, erp: BELNR, type: integer, required: true}", "{rest: text, erp: TXT, required: true}")
    request = compile_request(rows, path=["number"])
    assert request({"text": "x"}, {"number": "7"}) == {"BELNR": 7, "TXT": "x"}
    for body, pointer in (({"text": "x", "number": 1}, "/number"), ([], ""), ({}, "/text"), (None, "/text")):
        with pytest.raises(Unprocessable) as caught:
            request(body, {"number": "7"})
        assert [error.pointer for error in caught.value.errors] == [pointer]
    assert request.body_schema()["required"] == ["text"]
    assert list(request.body_schema()["properties"]) == ["text"]  # type: ignore[call-overload]
    assert [p["name"] for p in request.parameters()] == ["number"]
    twice = compile_request(rows, path=["number"], body=False)
    with pytest.raises(Unprocessable, match=r"query/number is already given by the path"):
        twice({"number": "1"}, {"number": "7"})


def test_a_path_parameter_without_a_row() -> None:
    with pytest.raises(
        ConfigError, match=r"t.yaml:2: the table 't' has no request row for 'number'; add a row with 'rest: number'"
    ):
        compile_request(table("{rest: a, erp: A}"), path=["number"])


def test_defaults_and_examples_are_in_the_rest_form() -> None:
    rows = table(
        "{rest: a, erp: A, type: date, default: 31/12/2026}",
        "{rest: b, erp: B, type: code, digits: 4, answer_default: x}",
        "{rest: c, erp: C, type: decimal, example: 12}",
    )
    with pytest.raises(ConfigError) as caught:
        compile_request(rows)
    assert [f.line for f in caught.value.findings] == [4]
    with pytest.raises(ConfigError, match="has the answer_default 'x', which must be a string of at most 4 digits"):
        compile_answer(rows)


def test_company_functions() -> None:
    class Unusual(Exception):
        pass

    def fail(value: object) -> object:
        raise Unusual("secret")

    def refuse(value: object) -> object:
        raise Wrong("is no working day")

    functions: Functions = {
        "upper": lambda value: str(value).upper(),
        "lower": lambda value: str(value).lower(),
        "fail": fail,
        "refuse": refuse,
        "odd": lambda value: {1: 2},
        "nan": lambda value: float("nan"),
        "deep": lambda value: {"a": [1, 0.5, None]},
        "nothing": lambda value: None,
    }

    def both(row: str) -> Table:
        return table("{rest: fine, erp: FINE}", row)

    pair = both("{rest: a, erp: A, call: {request: upper, answer: lower}}")
    assert compile_request(pair, functions=functions)({"a": "x"}) == {"A": "X"}
    assert compile_answer(pair, functions=functions)({"A": "X"}) == {"a": "x"}
    typed = both("{rest: a, erp: A, type: date, call: {request: upper, answer: lower}}")
    assert compile_request(typed, functions=functions)({"a": "2026-01-01"}) == {"A": "2026-01-01"}
    with pytest.raises(Unprocessable, match=r"/a is no date of the calendar"):
        compile_request(typed, functions=functions)({"a": "x"})
    with pytest.raises(BadAnswer, match=r"/a is no date of the calendar"):
        compile_answer(typed, functions=functions)({"A": "X"})
    none = both("{rest: a, erp: A, type: date, nullable: true, call: nothing, serves: answer}")
    assert compile_answer(none, functions=functions)({"A": "X"}) == {"a": None}
    with pytest.raises(Unprocessable, match=r"/a is no working day.") as refused:
        compile_request(both("{rest: a, erp: A, call: refuse, serves: request}"), functions=functions)({"a": 1})
    assert refused.value.__cause__ is None
    failing = "{rest: 'a[].b', erp: 'A[].B', call: fail, serves: %s}"
    with pytest.raises(Unprocessable, match="/a/0/b cannot be converted by the company function 'fail'") as unprocessable:
        compile_request(both(failing % "request"), functions=functions)({"a": [{"b": 1}]})
    assert isinstance(unprocessable.value.__cause__, Unusual)
    with pytest.raises(BadAnswer, match="/a/0/b cannot be converted by the company function 'fail'") as bad:
        compile_answer(both(failing % "answer"), functions=functions)({"A": [{"B": 1}]})
    assert isinstance(bad.value.__cause__, Unusual)
    for name in ("odd", "nan"):
        with pytest.raises(Unprocessable, match="/a cannot be written as JSON"):
            compile_request(both(f"{{rest: a, erp: A, call: {name}, serves: request}}"), functions=functions)({"a": 1})
    deep = compile_request(both("{rest: a, erp: A, call: deep, serves: request}"), functions=functions)
    assert deep({"a": 1}) == {"A": {"a": [1, 0.5, None]}}


def test_a_function_that_cannot_be_called() -> None:
    async def later(value: object) -> object:
        return value

    functions: Functions = {"two": lambda a, b: a, "later": later}  # type: ignore[dict-item,misc]
    rows = table("{rest: a, erp: A, call: two, serves: request}", "{rest: b, erp: B, call: later, serves: request}")
    with pytest.raises(ConfigError) as caught:
        compile_request(rows, functions=functions)
    assert [f.what.partition("calls ")[2] for f in caught.value.findings] == [
        "'two', which does not take exactly one value",
        "'later', which is no plain function",
    ]
