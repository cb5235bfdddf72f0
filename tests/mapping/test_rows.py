"""Rows that are wrong on their own: every finding has file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.source import parse_source
from gateway.errors import ConfigError
from gateway.mapping import read_tables


def findings(rows: str, head: str = "") -> list[str]:
    text = f"tables:\n  t:\n{head}    rows:\n{rows}"
    with pytest.raises(ConfigError) as caught:
        read_tables(parse_source(text.encode(), name="t.yaml", folder=Path()))
    return [str(finding) for finding in caught.value.findings]


ROWS = {
    "{rest: a}": "has no 'erp'; add 'erp', or 'constant' for a value only one side has",
    "{rest: a, constant: 1, erp: B, serves: request}": "is a constant with two sides or none; "
    "give 'rest' or 'erp', the side that gets the constant",
    "{rest: a, constant: 1}": "is a constant, which cannot be inverted; add 'serves: answer'",
    "{erp: A, constant: 1, serves: answer}": "is a constant, which cannot be inverted; add 'serves: request'",
    "{erp: A, constant: 1, serves: request, required: true}": "is a constant with 'required'; remove 'required'",
    "{rest: a, erp: A, type: object}": "is an object row; give 'rest' and no 'erp': "
    "it only says whether the REST object is required",
    "{rest: a, erp: A, scale: 2}": "gives 'scale' to the type string; remove it; it belongs to decimal, unit",
    "{rest: a, type: object, nullable: true}": "gives 'nullable' to the type object; remove it; it belongs to a single field",
    "{rest: a, erp: A, type: list}": "is a list row without []; write both names with [] at the end, such as lines[]",
    "{rest: a, erp: A, type: code}": "is of type code without 'digits'; add 'digits: 8'",
    "{rest: a, erp: A, type: codes}": "is of type codes without 'values'; add 'values: {PC: ST}'",
    "{rest: a, erp: A, type: unit}": "is of type unit without 'factor'; add 'factor: 1000'",
    "{rest: a, erp: A, type: decimal, digits: 3}": "has 'digits' without a fitting 'scale'; add 'scale', no larger than 'digits'",
    "{rest: a, erp: A, type: boolean, values: {true: X}}": "does not say both boolean values; write values: {true: X, false: ''}",
    "{rest: a, erp: A, required: true, default: x}": "is required and has a default; keep one of the two",
    "{rest: a, erp: A, type: decimal, erp_form: float}": "has erp_form 'float'; "
    "use erp_form: number for an ERP that wants JSON numbers, or remove it",
    "{rest: a, erp: A, type: date, erp_form: DD/MM}": "has erp_form 'DD/MM'; "
    "use each of YYYY, MM, DD exactly once, and separators such as / or .",
    "{rest: a, erp: A, type: date, erp_form: DD/MM/YY}": "has erp_form 'DD/MM/YY' with 'Y'; "
    "use each of YYYY, MM, DD and separators",
    "{rest: a, erp: A, type: datetime, erp_form: YYYYMMDDhhmm}": "has erp_form 'YYYYMMDDhhmm' with 'h'; "
    "use each of YYYY, MM, DD, HH, mm, ss and separators",
    "{rest: a, erp: A, min: x}": "has a bound that is text; write 'min' and 'max' as whole numbers",
    "{rest: a, erp: A, type: decimal, min: 0.01}": "'min' is 0.01 without quotes, which YAML reads as a binary number; "
    'put it in quotes: "0.01"',
    "{rest: a, erp: A, type: codes, values: {x: 0.5}}": "'x' is 0.5 without quotes, which YAML reads as a binary number; "
    'put it in quotes: "0.5"',
    "{rest: a, erp: A, type: decimal, default: 1.5}": "'default' is 1.5 without quotes, which YAML reads as a binary number; "
    'put it in quotes: "1.5"',
    "{rest: a, erp: A, type: decimal, max: '1e3'}": "has max '1e3'; write a decimal, such as max: \"0.01\"",
    "{rest: a, erp: A, min: -1}": "has a length below 0; write lengths from 0 upward",
    "{rest: a, erp: A, min: 3, max: 2}": "has 'min' above 'max'; exchange the two",
    "{rest: a, erp: A, pattern: '['}": "has a pattern that is no regular expression (unterminated character set at position 0); "
    "mend the pattern",
    "{rest: a, erp: A, call: f}": "calls one function for both directions; "
    "add 'serves', or write call: {request: ..., answer: ...}",
    "{rest: a, erp: A, call: {request: f, answer: g}, serves: answer}": "names two functions and serves answer only; "
    "name one function, or remove 'serves'",
    "{rest: a, erp: A, answer_default: x, serves: request}": "has an answer_default and serves requests only; "
    "remove one of the two",
    "{rest: a, erp: A, default: x, serves: answer}": "has a default and serves answers only; use answer_default",
    "{rest: a, erp: A, type: unit, factor: 0}": "has the factor '0'; write a positive decimal, such as 1000 or \"0.001\"",
    "{rest: a, erp: A, type: unit, factor: 3}": "divides by 3, which has no exact decimal; add 'serves: request'",
    "{rest: a, erp: A, type: codes, values: {x: A, y: A}}": "gives 'x' and 'y' the same ERP value 'A'; add 'serves: request'",
    "{rest: a, erp: A, type: codes, values: {x: 1, y: '1'}, serves: answer}": "gives 'x' and 'y' the same ERP value '1'; "
    "let each ERP value stand for one REST value",
    "{rest: a, erp: A, type: codes, values: {x: [A, B]}}": "gives 'x' a list of ERP values; "
    "add 'serves: answer': a request needs exactly one",
}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_on_its_own(row: str) -> None:
    (finding,) = findings(f"      - {{rest: fine, erp: FINE}}\n      - {row}\n")
    assert finding.startswith("t.yaml:5: ")
    assert ROWS[row] in finding
