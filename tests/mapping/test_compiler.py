"""A table in its surroundings: functions, parameters, defaults. For the contract see test_contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config.source import parse_source
from gateway.errors import BadAnswer, ConfigError, Unprocessable
from gateway.mapping import Functions, Table, Wrong, compile_answer, compile_request, compiler, read_tables


def table(*rows: str) -> Table:
    text = "tables:\n  t:\n    rows:\n" + "".join(f"      - {row}\n" for row in rows)
    return read_tables(parse_source(text.encode(), name="t.yaml", folder=Path()))["t"]


def test_a_table_without_rows_for_a_direction() -> None:
    only = table("{rest: a, erp: A, serves: answer}")
    with pytest.raises(
        ConfigError, match=r"t.yaml:2: the table 't' has no row that serves requests; name another table, or add rows"
    ):
        compile_request(only)


def test_nothing_is_generated_before_the_first_value(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def noted(name: str) -> None:
        make: Any = getattr(compiler, name)
        monkeypatch.setattr(compiler, name, lambda *args: made.append(name) or make(*args))

    for name in ("compile_program", "compile_plan", "compile_places", "request_schema", "answer_schema"):
        noted(name)
    rows = table("{rest: a, erp: A, required: true}")
    request, answer = compile_request(rows), compile_answer(rows)
    assert made == []
    assert (request({"a": "x"}), request({"a": "y"}), answer({"A": "x"})) == ({"A": "x"}, {"A": "y"}, {"a": "x"})
    assert made == ["compile_program", "compile_program"]
    with pytest.raises(Unprocessable):
        request({})
    assert (request.pointer("/A"), answer.pointer("/A")) == ("/a", "/a")
    assert request.schema() is request.schema()
    assert answer.schema() is answer.schema()
    assert sorted(made[2:]) == ["answer_schema", "compile_places", "compile_places", "compile_plan", "request_schema"]


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
    assert request({"number": "1", **query}) == erp
    with pytest.raises(Unprocessable) as caught:
        request({"number": 7, "count": "x", "open": "no", "form": "1", "tag": ["a", 1]})
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


def test_a_body_with_a_path_parameter() -> None:
    rows = table("{rest: number, erp: BELNR, type: integer, required: true}", "{rest: text, erp: TXT, required: true}")
    request = compile_request(rows, path=["number"])
    assert request({"text": "x", "number": "7"}) == {"BELNR": 7, "TXT": "x"}
    for body, pointer in (({"text": "x", "number": "y"}, "path/number"), ([], ""), ({"number": "7"}, "/text"), (None, "")):
        with pytest.raises(Unprocessable) as caught:
            request(body)
        assert [error.pointer for error in caught.value.errors] == [pointer]


def test_a_path_parameter_without_a_row() -> None:
    with pytest.raises(
        ConfigError,
        match=r"t.yaml:2: the table 't' has no request row for the path parameter 'number'; add a row with 'rest: number'",
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
