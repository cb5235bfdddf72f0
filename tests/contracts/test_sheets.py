"""Field tables through a spreadsheet and back: nothing is lost, and what a spreadsheet does to cells is told by its cell."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from gateway.config.source import Source, parse_source, read_source
from gateway.contracts.listing import listing
from gateway.contracts.sheets import Read, sheets, tables
from gateway.contracts.workbook import read, unfit, write
from gateway.errors import ConfigError
from tests.support import ROOT

FILE = "payments.yaml"
TABLE = """
tables:
  payment:
    doc: "=A payment"
    erp: Payment
    rows:
      - {rest: amount, erp: WRBTR, type: decimal, scale: 2, min: "0.01", required: true, example: "12.50"}
      - {rest: code, erp: LIFNR, type: code, digits: 8, example: "00001007"}
      - {rest: unit, erp: MEINS, type: codes, values: {PC: "01", KG: 2, M: true}}
      - {rest: other, erp: ANDRE, type: codes, values: {PC: "01", KG: 2, M: true}}
      - {rest: seen, erp: GELES, type: codes, serves: answer, values: {A: [X, Y], B: [Z], "": ""}}
      - {rest: period, erp: PERIODE, call: {request: to_erp, answer: from_erp}}
      - {erp: BLART, constant: "", serves: request}
    examples:
      - {serves: request, rest: {amount: "1.00"}, erp: {Payment: {WRBTR: "1.00", BLART: ""}}}
"""


def source(text: str = TABLE) -> Source:
    return parse_source(text.encode(), name=FILE, folder=ROOT)


def through(**files: Source) -> Read:
    named = {f"{name}.yaml": file for name, file in files.items()}
    return tables(read(write(sheets(named)), "t.xlsx"), "t.xlsx")


def edited(change: Callable[[Any], None], text: str = TABLE) -> bytes:
    """The workbook of a table after somebody has worked on it."""
    book = load_workbook(io.BytesIO(write(sheets({FILE: source(text)}))))
    change(book)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def refusals(data: bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        tables(read(data, "t.xlsx"), "t.xlsx")
    return str(caught.value)


def columns(sheet: Any) -> dict[str, int]:
    return {cell.value: cell.column for cell in sheet[1]}


def put(sheet: Any, row: int, column: str, value: object, form: str = "General") -> None:
    cell = sheet.cell(row, columns(sheet)[column])
    cell.value = value
    cell.number_format = form


# --- nothing is lost -------------------------------------------------------------------------------------------------


def test_every_kind_of_row_comes_back() -> None:
    data: Any = source().data
    assert through(payments=source()).files == {FILE: data["tables"]}


@pytest.mark.parametrize("path", sorted((ROOT / "transformers").glob("*.yaml")), ids=lambda path: path.name)
def test_the_example_deployments_tables_come_back(path: Any) -> None:
    file = read_source(path, name=path.name)
    data: Any = file.data
    assert through(x=file).files == {"x.yaml": data["tables"]}
    assert parse_source(listing("x", data["tables"]).encode(), name="x", folder=ROOT).data == data


def test_several_files_and_tables_whose_names_begin_alike() -> None:
    row = "{rest: a, erp: A}"
    long = "a-very-long-name-of-a-table-in-a-contract"
    one = source(
        f"tables:\n  {long}-request: {{rows: [{row}]}}\n  {long}-answer: {{rows: [{row}]}}\n  tables: {{rows: [{row}]}}\n"
    )
    two = source(f"tables:\n  other: {{rows: [{row}]}}\n")
    made = sheets({"one.yaml": one, "two.yaml": two})
    assert all(len(title) <= 31 for title in made)
    found = through(one=one, two=two)
    assert {name: list(held) for name, held in found.files.items()} == {
        "one.yaml": [f"{long}-request", f"{long}-answer", "tables"],
        "two.yaml": ["other"],
    }


TEXTS = st.text(min_size=1, max_size=30).filter(
    lambda text: not unfit(text) and "${" not in text and text != '""'
) | st.sampled_from(
    [
        "=1+1",
        "+49 40",
        "-1",
        "@SUM(A1)",
        "007",
        "1E5",
        "TRUE",
        "2026-01-31",
        "'quoted",
        " blank ",
        "a\nb",
        "付款",
        "#REF!",
        "null",
        "~",
        "0x1",
    ]
)
SCALARS = TEXTS | st.integers(-(10**14), 10**14) | st.booleans() | st.just("")
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "doc": TEXTS,
        "required": st.booleans(),
        "nullable": st.booleans(),
        "example": SCALARS,
        "pattern": st.just("[A-Z]*"),
    },
)
CODES = st.dictionaries(TEXTS, TEXTS | st.integers(0, 10**9), min_size=1, max_size=5).filter(
    lambda values: len({str(value) for value in values.values()}) == len(values)
)


def rows() -> st.SearchStrategy[list[dict[str, Any]]]:
    one = st.one_of(
        OPTIONS,
        st.fixed_dictionaries(
            {"type": st.just("decimal"), "scale": st.integers(0, 4), "min": st.sampled_from(["0.01", "-5", 3])}
        ),
        st.fixed_dictionaries({"type": st.just("code"), "digits": st.integers(1, 20)}),
        st.fixed_dictionaries({"type": st.just("unit"), "factor": st.sampled_from(["0.001", 1000, "2.5"])}),
        st.fixed_dictionaries({"type": st.just("codes"), "values": CODES}),
        st.fixed_dictionaries({"serves": st.just("answer"), "answer_default": SCALARS}),
        st.fixed_dictionaries({"call": st.just({"request": "f", "answer": "g"})}),
    )
    return st.lists(one, min_size=1, max_size=8).map(
        lambda found: [{"rest": f"r{at}", "erp": f"E{at}", **row} for at, row in enumerate(found)]
    )


@given(st.dictionaries(st.from_regex(r"\A[a-z][a-z0-9-]{0,50}\Z"), rows(), min_size=1, max_size=3), TEXTS)
def test_any_table_comes_back_from_the_spreadsheet_and_from_yaml(named: dict[str, Any], doc: str) -> None:
    held = {name: {"doc": doc, "rows": found} for name, found in named.items()}
    data = write(sheets({FILE: Source(FILE, {"tables": held})}))
    assert tables(read(data, "t.xlsx"), "t.xlsx").files == {FILE: held}
    with contextlib.suppress(ConfigError):  # YAML holds fewer characters than a spreadsheet, and says so
        assert parse_source(listing(FILE, held).encode(), name=FILE, folder=ROOT).data == {"tables": held}


def test_no_text_becomes_a_formula() -> None:
    book = load_workbook(io.BytesIO(write(sheets({FILE: source()}))))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert all(cell.data_type != "f" for cell in cells)
    shown = next(cell for cell in cells if cell.value == "=A payment")
    assert (shown.data_type, shown.number_format, shown.quotePrefix) == ("s", "@", True)
    code = next(cell for cell in cells if cell.value == "00001007")
    assert (code.data_type, code.number_format) == ("s", "@")


# --- what people and spreadsheets do ---------------------------------------------------------------------------------


def test_an_edited_row_is_read() -> None:
    def change(book: Any) -> None:
        sheet = book["payment"]
        put(sheet, 2, "rest", "sum")
        put(sheet, 2, "min", 0.05)
        put(sheet, 2, "required", "yes")
        put(sheet, 9, "rest", "note")
        put(sheet, 9, "erp", "SGTXT")
        put(sheet, 9, "max", 50)
        book.create_sheet("Notes")["A1"] = "mine"

    found = tables(read(edited(change), "t.xlsx"), "t.xlsx")
    rows_found = found.files[FILE]["payment"]["rows"]
    assert (rows_found[0]["rest"], rows_found[0]["min"], rows_found[0]["required"]) == ("sum", "0.05", True)
    assert rows_found[-1] == {"rest": "note", "erp": "SGTXT", "max": 50}
    assert found.unread == ("Notes",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: put(b["payment"], 3, "example", 1007), ("payment!V3", "made the number 1007", "zeros", "format Text")),
        (lambda b: put(b["payment"], 3, "example", 1007, "00000000"), ("payment!V3", "made the number 1007")),
        (lambda b: put(b["Code lists"], 2, "erp", 1), ("Code lists!C2", "made the number 1")),
        (lambda b: put(b["payment"], 3, "rest", 5), ("payment!A3", "made the number 5")),
        (lambda b: put(b["payment"], 3, "doc", "=HYPERLINK(1)"), ("payment!U3", "formula")),
        (lambda b: put(b["payment"], 3, "doc", date(2026, 1, 31), "yyyy-mm-dd"), ("payment!U3", "made a date", "2026-01-31")),
        (lambda b: put(b["payment"], 3, "doc", "#REF!"), ("payment!U3", "error #REF!")),
        (lambda b: put(b["payment"], 3, "rest", True), ("payment!A3", "made True")),
        (lambda b: put(b["payment"], 3, "required", "perhaps"), ("payment!E3", "neither yes nor no")),
        (lambda b: put(b["payment"], 3, "digits", "many"), ("payment!K3", "'digits'")),
        (lambda b: put(b["payment"], 3, "digits", 0.5), ("payment!K3", "number 0.5")),
        (lambda b: put(b["payment"], 3, "type", "cod"), ("payment!C3", "'cod'")),
        (lambda b: put(b["payment"], 4, "values", "unti"), ("payment!M4", "no code list 'unti'", "did you mean 'unit'?")),
        (lambda b: put(b["payment"], 3, "rest", "amount"), ("payment!A3", "fills 'amount' in answers, as payment!A2 does")),
        (lambda b: put(b["payment"], 3, "erp", None), ("payment!A3", "has no 'erp'")),
        (lambda b: put(b["payment"], 3, "doc", "${env:HOME}"), ("payment!U3", "reference")),
        (lambda b: put(b["payment"], 2, "call", "f"), ("payment!A2", "calls one function")),
        (lambda b: put(b["payment"], 7, "call", "f"), ("payment!", "beside 'call'")),
        (lambda b: b["payment"].cell(1, 1, "lenght"), ("payment!A1", "unknown column 'lenght'")),
        (lambda b: b["payment"].cell(1, 1, "erp"), ("the column 'erp' twice",)),
        (lambda b: b["payment"].cell(3, 35, "x"), ("payment!AI3", "without a name")),
        (lambda b: put(b["Tables"], 2, "sheet", "elsewhere"), ("Tables!A2", "no sheet 'elsewhere'")),
        (lambda b: put(b["Tables"], 2, "file", "../x.yaml"), ("Tables!A2", "payments.yaml")),
        (lambda b: put(b["Tables"], 3, "table", "payment"), ("Tables!B3", "lacks a sheet")),
        (lambda b: b["Tables"].append(["payment", "payment", FILE]), ("Tables!B3", "twice")),
        (lambda b: b.remove(b["Tables"]), ("Tables", "no such sheet")),
        (lambda b: put(b["Examples"], 2, "rest", "{"), ("Examples!C2", "not JSON")),
        (lambda b: put(b["Examples"], 2, "table", "paymant"), ("Examples!A2", "'paymant'")),
        (lambda b: put(b["Code lists"], 3, "rest", "PC"), ("Code lists!A3", "already")),
        (lambda b: put(b["Code lists"], 2, "list", None), ("Code lists!B2", "in no list")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_sheet_and_cell(change: Callable[[Any], None], words: tuple[str, ...]) -> None:
    told = refusals(edited(change))
    assert all(word in told for word in words), told
    assert "t.xlsx " in told


def test_all_cells_that_are_wrong_are_told_at_once() -> None:
    def change(book: Any) -> None:
        for row in (2, 3, 4):
            put(book["payment"], row, "doc", 7)

    assert len(refusals(edited(change)).splitlines()) == 3


def test_a_whole_number_is_one_where_its_format_says_so() -> None:
    found = tables(read(edited(lambda book: put(book["payment"], 3, "example", 5, "0")), "t.xlsx"), "t.xlsx")
    assert found.files[FILE]["payment"]["rows"][1]["example"] == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tables: {a: {rows: [{rest: a, erp: A, doc: '${env:HOME}'}]}}", "from the environment"),
        ("tables: {a: {rows: [{rest: a, erp: A, doc: _x000D_}]}}", "a spreadsheet changes"),
        ("""tables: {a: {rows: [{rest: a, erp: A, doc: '""'}]}}""", "two quotes"),
        (f"tables: {{a: {{rows: [{{rest: a, erp: A, example: {10**15}}}]}}}}", "more digits"),
        ("tables: {a: {rows: [{rest: a, erp: A, nonsense: 1}]}}", "unknown key"),
    ],
)
def test_what_a_spreadsheet_cannot_hold_is_told_by_line(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sheets({FILE: source(text)})
    assert f"{FILE}:1: " in str(caught.value)
    assert words in str(caught.value)


def test_an_empty_workbook() -> None:
    made = io.BytesIO()
    Workbook().save(made)
    assert "no such sheet" in refusals(made.getvalue())
