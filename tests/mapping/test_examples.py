from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.source import parse_source, read_source
from gateway.mapping import compile_answer, compile_request, load_functions, read_tables, run_examples
from gateway.mapping.layout import fields
from gateway.protocols.soap import compile_operation, read_contract, resolve

TRANSFORMERS = Path(__file__).parents[2] / "transformers"

CONTRACTS = Path(__file__).parents[2] / "gateway" / "demo" / "erp" / "contracts"

TABLE = """
tables:
  t:
    rows:
      - {rest: a, erp: A}
      - {rest: "n[]", erp: "N[]", type: integer}
    examples:
      - EXAMPLE
"""


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("{rest: {a: x, n: [1]}, erp: {A: x, N: [1]}}", []),
        ("{rest: {a: x}, erp: {A: y}}", ["the request * gives 'x' at /A, not 'y'", "the answer * gives 'y' at /a, not 'x'"]),
        ("{rest: {n: [1]}, erp: {N: [2]}, serves: request}", ["the request * gives 1 at /N/0, not 2"]),
        ("{rest: {n: [1]}, erp: {N: [1, 1]}, serves: answer}", ["the answer * gives [1, 1] at /n, not [1]"]),
        ("{rest: {n: [1]}, erp: {N: [true]}, serves: request}", ["the request * gives 1 at /N/0, not True"]),
        ("{rest: {a: x}, erp: {}, serves: request}", ["the request * has /A, which the example lacks"]),
        ("{rest: {a: x}, erp: {}, serves: answer}", ["the answer * lacks /a, which the example has"]),
        (
            "{rest: {b: x}, erp: {}, serves: request}",
            ["the request * is refused: /b is no field of this call; known here: a, n."],
        ),
        (
            "{rest: {}, erp: {A: 1}, serves: answer}",
            ["the answer * is refused: In the ERP's answer, /a is a number, not a string."],
        ),
        ("{rest: " + "x" * 70 + ", erp: {}, serves: answer}", ["the answer * gives {} at the top, not '" + "x" * 56 + "..."]),
    ],
)
def test_examples_are_run(example: str, expected: list[str]) -> None:
    table = read_tables(parse_source(TABLE.replace("EXAMPLE", example).encode(), name="t.yaml", folder=Path()))["t"]
    found = run_examples(table, compile_request(table), compile_answer(table))
    assert [(f.file, f.line, f.what.replace("of example 1 of table 't'", "*")) for f in found] == [
        ("t.yaml", 8, what) for what in expected
    ]


def test_the_demo_deployment_converts_its_own_examples() -> None:
    functions = load_functions(TRANSFORMERS.glob("*.py"))
    ran = 0
    for path in TRANSFORMERS.glob("*.yaml"):
        for table in read_tables(read_source(path)).values():
            request = compile_request(table, functions=functions) if fields(table, "request") else None
            answer = compile_answer(table, functions=functions) if fields(table, "answer") else None
            assert run_examples(table, request, answer) == []
            ran += len(table.config.examples)
    assert ran >= 8


CALLS = [
    ("finance", "CreatePayment", "payment", "payment"),
    ("finance", "GetPayment", "payment-key", "payment"),
    ("finance", "GetFinanceReport", "report-period", "finance-report"),
    ("procurement", "CreatePurchaseOrder", "purchase-order", "purchase-order"),
    ("procurement", "GetPurchaseOrder", "purchase-order-key", "purchase-order"),
]


@pytest.mark.parametrize(("service", "call", "request_table", "answer_table"), CALLS)
def test_the_demo_deployment_fits_the_demo_contracts(service: str, call: str, request_table: str, answer_table: str) -> None:
    contract = read_contract(CONTRACTS / f"{service}.wsdl")
    operation = contract.operation(call)
    functions = load_functions(TRANSFORMERS.glob("*.py"))
    tables = {name: table for path in TRANSFORMERS.glob("*.yaml") for name, table in read_tables(read_source(path)).items()}
    request = compile_request(
        tables[request_table], functions=functions, leaf=lambda path: resolve(contract, operation, "request", path)
    )
    compile_answer(tables[answer_table], functions=functions, leaf=lambda path: resolve(contract, operation, "answer", path))
    codec = compile_operation(contract, operation)
    for example in tables[request_table].config.examples:
        if example.serves != "answer":
            assert f"{call}>".encode() in codec.encode(request(example.rest))
