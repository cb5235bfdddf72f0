"""A spreadsheet (Office Open XML, ISO/IEC 29500) as sheets of plain cells, written and read.

What is written stays what it was: texts are texts, however they begin, and no cell is ever a formula. What is read may come from
anybody: sizes are bounded before anything is unpacked, documents with a DTD are refused, links to other files are not followed,
and what a spreadsheet has made of a value is kept beside it, so that who reads the cell can say so.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, NamedTuple, NoReturn

from lxml import etree
from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from gateway.errors import ConfigError, Finding

Value = str | int | bool | None
Kind = Literal["value", "number", "date", "formula", "error"]

MAX_BYTES = 16 * 1024 * 1024
MAX_UNPACKED = 64 * 1024 * 1024
MAX_PARTS = 2_000
MAX_ROWS, MAX_COLUMNS = 25_000, 40
LONGEST = 32_767
"""Characters of a cell, by the limits of Excel."""
TEXT, WHOLE = "@", "0"
WIDEST = 44

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]|_x[0-9A-Fa-f]{4}_")
_DTD = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_REMEDY = "save it as an Excel workbook (.xlsx) again"
_BROKEN = (
    zipfile.BadZipFile, InvalidFileException, zlib.error, etree.XMLSyntaxError, SyntaxError, KeyError, ValueError, TypeError,
    IndexError, AttributeError, EOFError, OSError, OverflowError, NotImplementedError, RuntimeError,
)  # fmt: skip
"""What openpyxl and the libraries below it raise for files that are none."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell that holds something. ``kind`` is what the spreadsheet takes it for; ``form`` is its number format."""

    sheet: str
    row: int
    column: int
    value: Value
    kind: Kind = "value"
    form: str = ""

    @property
    def address(self) -> str:
        return f"{self.sheet}!{get_column_letter(self.column)}{self.row}"


Sheet = list[dict[int, Cell]]
"""Rows from the first on; each by column, from 1, without its empty cells."""


def unfit(text: str) -> str:
    """Why a text cannot stand in a cell and come back as it was, "" when it can."""
    if len(text) > LONGEST:
        return f"has more than {LONGEST} characters"
    return "holds characters that a spreadsheet changes" if _UNSAFE.search(text) else ""


def write(sheets: Mapping[str, Sequence[Sequence[Value]]]) -> bytes:
    """A workbook. The first row of each sheet is its head. Raises ``ValueError`` for a text that is ``unfit``."""
    book = Workbook(write_only=True)
    book.properties.created = book.properties.modified = datetime(2000, 1, 1)  # noqa: DTZ001 - a fixed one, for equal files
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        sheet.freeze_panes = "A2"
        for index, width in enumerate(_widths(rows), 1):
            sheet.column_dimensions[get_column_letter(index)].width = width
        for number, row in enumerate(rows):
            sheet.append([_written(sheet, value, head=number == 0) for value in row])
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def _widths(rows: Sequence[Sequence[Value]]) -> list[int]:
    columns = max(map(len, rows), default=0)
    lengths = [[len(str(row[at])) for row in rows[:200] if at < len(row) and row[at] is not None] for at in range(columns)]
    return [min(max([8, *found]) + 2, WIDEST) for found in lengths]


def _written(sheet: Any, value: Value, *, head: bool) -> Any:
    if isinstance(value, str) and (why := unfit(value)):
        raise ValueError(why)
    cell = WriteOnlyCell(sheet, value)
    if isinstance(value, str):
        cell.data_type = "s"  # never a formula, however it begins
        cell.quotePrefix = value[:1] in tuple("=+-@\t'")
    cell.number_format = WHOLE if isinstance(value, int) and not isinstance(value, bool) else TEXT
    cell.alignment = Alignment(vertical="top", wrap_text=isinstance(value, str) and len(value) > WIDEST)
    if head:
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="DCE9EA")
    return cell


@contextmanager
def _reading(name: str, what: str) -> Iterator[None]:
    """Only around what the library does: a defect of ours is not the file's. Raises ``ConfigError``."""
    try:
        yield
    except _BROKEN as error:
        raise ConfigError([Finding(name, 0, what, _REMEDY)]) from error


def read(data: bytes, name: str) -> dict[str, Sheet]:
    """The sheets of a workbook by title. ``name`` is how findings call the file. Raises ``ConfigError``."""
    _check(data, name)
    unreadable = "is no workbook that can be read"
    with _reading(name, unreadable):
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False, rich_text=False)
    found = {}
    for sheet in book.worksheets:
        with _reading(name, unreadable):
            rows = [_told(row) for row in sheet.iter_rows(max_row=MAX_ROWS + 1, max_col=MAX_COLUMNS + 1)]
        found[sheet.title] = _bounded(name, sheet.title, [_row(sheet.title, row) for row in rows])
    book.close()
    return found


class _Told(NamedTuple):
    """What the library says of a cell; any of it may fail in a file that is none."""

    value: object
    row: int
    form: str
    type: str


def _told(cells: Iterable[object]) -> dict[int, _Told]:
    """The cells of a row that hold something, by column."""
    found = {}
    for column, cell in enumerate(cells, 1):
        value = getattr(cell, "value", None)
        if value is not None and value != "":
            form, type_ = str(getattr(cell, "number_format", "")), str(getattr(cell, "data_type", ""))
            found[column] = _Told(value, int(getattr(cell, "row", 0)), form, type_)
    return found


def _bounded(name: str, title: str, rows: Sheet) -> Sheet:
    while rows and not rows[-1]:
        rows.pop()
    if len(rows) > MAX_ROWS or any(max(row) > MAX_COLUMNS for row in rows if row):
        what = f"the sheet {title} has more than {MAX_ROWS} rows or {MAX_COLUMNS} columns"
        raise ConfigError([Finding(name, 0, what, "remove what does not belong to a field table")])
    return rows


def _row(title: str, cells: Mapping[int, _Told]) -> dict[int, Cell]:
    return {column: _cell(title, column, cell) for column, cell in cells.items()}


def _cell(title: str, column: int, cell: _Told) -> Cell:
    value, row, form, type_ = cell
    kind = {"f": "formula", "e": "error"}.get(type_, "value")
    if kind != "value":
        return Cell(title, row, column, str(value), "formula" if kind == "formula" else "error", form)
    if isinstance(value, date | time | timedelta):
        return Cell(title, row, column, str(value), "date", form)
    if isinstance(value, float):
        return Cell(title, row, column, repr(value), "number", form)
    if isinstance(value, int) and not isinstance(value, bool):
        return Cell(title, row, column, value, "number", form)
    return Cell(title, row, column, value if isinstance(value, bool) else str(value), "value", form)


def _check(data: bytes, name: str) -> None:
    """Refuse what is too large, hidden or dangerous before anything is unpacked."""

    def refuse(what: str) -> NoReturn:
        raise ConfigError([Finding(name, 0, what, _REMEDY)])

    if len(data) > MAX_BYTES:
        refuse(f"is larger than {MAX_BYTES // 1024 // 1024} MiB")
    with _reading(name, "is no Excel workbook"), zipfile.ZipFile(io.BytesIO(data)) as parts:
        infos = parts.infolist()
        if len(infos) > MAX_PARTS or sum(info.file_size for info in infos) > MAX_UNPACKED:
            refuse(f"unpacks to more than {MAX_UNPACKED // 1024 // 1024} MiB, or to more than {MAX_PARTS} parts")
        if any(info.flag_bits & 1 for info in infos) or len({info.filename for info in infos}) < len(infos):
            refuse("is encrypted, or holds a part twice")
        for info in infos:
            if info.filename.endswith((".xml", ".rels")) and not _is_plain(parts.read(info)):
                refuse(f"has a part, {info.filename[:80]!r}, that is no plain XML")


def _is_plain(part: bytes) -> bool:
    """UTF-8 without a document type, the only XML that Excel writes: no entity can be declared in it."""
    return b"\0" not in part[:200] and not _DTD.search(part)
