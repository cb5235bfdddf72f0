"""Field tables as the spreadsheet that integration engineers keep: a sheet for each table, one row for each field.

    Tables       one row per table: its sheet, its name, the file it belongs to, rest and erp root, doc
    (a table)    the keys of a row as columns; an empty cell is a key that is not given
    Code lists   list, rest, erp: what ``values`` of a row names; rows with the same codes share a list
    Examples     table, serves, and both sides as JSON

A text that is empty is written as two quotes. Reading gives back what was written, or names the cell that cannot be read.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.config.source import Place, Source
from gateway.contracts.workbook import Cell, Sheet, Value, unfit
from gateway.errors import ConfigError, Finding
from gateway.mapping.layout import read_tables
from gateway.mapping.table import Row

Tables = Mapping[str, Mapping[str, Any]]
"""The tables of one file, as its YAML has them, by name."""

INDEX, CODES, EXAMPLES = "Tables", "Code lists", "Examples"
HEADS = {
    INDEX: ("sheet", "table", "file", "rest", "erp", "doc"),
    CODES: ("list", "rest", "erp", "several"),
    EXAMPLES: ("table", "serves", "rest", "erp"),
}
CALLS = {"call request": "request", "call answer": "answer"}
COLUMNS = tuple(column for name in Row.model_fields for column in ((name, *CALLS) if name == "call" else (name,)))
FLAGS = frozenset({"required", "nullable", "several"})
COUNTS = frozenset({"scale", "digits"})
BOUNDS = frozenset({"min", "max", "factor"})
SCALARS = frozenset({"constant", "default", "answer_default", "example"})
EMPTY = '""'
LONGEST_TITLE = 31

_TITLE = re.compile(r"[\[\]:*?/\\']")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.yaml")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_YES = {"yes": True, "true": True, "x": True, "no": False, "false": False}


# --- tables to sheets ------------------------------------------------------------------------------------------------


def sheets(files: Mapping[str, Source]) -> dict[str, list[list[Value]]]:
    """The sheets of the tables in these YAML files, by file name. Raises ``ConfigError`` for what is no field table, and for what
    a spreadsheet cannot hold."""
    writer = _Writer()
    for name, source in files.items():
        read_tables(source)
        if source.references:
            place = next(iter(source.references))
            what = "takes a value from the environment or another file, which a workbook would show"
            raise ConfigError([source.finding(place, what, "write the value out, or keep this table in YAML only")])
        data: Any = source.data
        for table, config in data["tables"].items():
            writer.table(name, source, table, config)
    if writer.findings:
        raise ConfigError(writer.findings)
    return writer.made


class _Writer:
    def __init__(self) -> None:
        self.made: dict[str, list[list[Value]]] = {INDEX: [list(HEADS[INDEX])]}
        self.findings: list[Finding] = []
        self._codes: dict[bytes, str] = {}
        self._lists: list[list[Value]] = [list(HEADS[CODES])]
        self._examples: list[list[Value]] = [list(HEADS[EXAMPLES])]
        self._titles = {title.lower() for title in HEADS}

    def table(self, file: str, source: Source, name: str, config: Mapping[str, Any]) -> None:
        title = self._title(name)
        place: Place = ("tables", name)
        roots = [self._held(source, (*place, key), config.get(key)) for key in ("rest", "erp", "doc")]
        self.made[INDEX].append([title, name, file, *roots])
        rows = [self._row(source, (*place, "rows", at), row) for at, row in enumerate(config["rows"])]
        self.made[title] = [list(COLUMNS), *rows]
        for at, example in enumerate(config.get("examples") or ()):
            sides = [self._json(source, (*place, "examples", at), example.get(side)) for side in ("rest", "erp")]
            self._examples.append([name, example.get("serves"), *sides])
        for title, sheet in ((CODES, self._lists), (EXAMPLES, self._examples)):
            if len(sheet) > 1:
                self.made.pop(title, None)
                self.made[title] = sheet

    def _title(self, name: str) -> str:
        """A name that Excel takes for a sheet, and no other sheet has."""
        base = _TITLE.sub("-", name)[:LONGEST_TITLE]
        title, number = base, 1
        while title.lower() in self._titles:
            number += 1
            title = f"{base[: LONGEST_TITLE - 1 - len(str(number))]}-{number}"
        self._titles.add(title.lower())
        return title

    def _row(self, source: Source, place: Place, row: Mapping[str, Any]) -> list[Value]:
        values: dict[str, Value] = {}
        for key, value in row.items():
            if key == "values" and value is not None:
                values[key] = self._list(source, (*place, key), row, value)
            elif key == "call" and isinstance(value, Mapping):
                values |= {column: self._held(source, (*place, key), value.get(side)) for column, side in CALLS.items()}
            else:
                values[key] = self._held(source, (*place, key), value)
        return [values.get(column) for column in COLUMNS]

    def _list(self, source: Source, place: Place, row: Mapping[str, Any], values: Mapping[str, Any]) -> str:
        """The name of a list with these codes: a known one, or a new one called after the field."""
        key = orjson.dumps([[rest, erp] for rest, erp in values.items()])
        if key not in self._codes:
            base = re.split(r"[.\[\]]+", str(row.get("rest") or "codes").rstrip(".[]"))[-1][:60] or "codes"
            name, number = base, 1
            while name in self._codes.values():
                number += 1
                name = f"{base}-{number}"
            self._codes[key] = name
            for rest, erp in values.items():
                for value in erp if isinstance(erp, list) else [erp]:
                    held = (self._code(source, place, rest), self._code(source, place, value))
                    self._lists.append([name, *held, True if isinstance(erp, list) else None])
        return self._codes[key]

    def _code(self, source: Source, place: Place, value: Any) -> Value:
        return None if value == "" else self._held(source, place, value)

    def _json(self, source: Source, place: Place, value: Any) -> Value:
        return self._held(source, place, orjson.dumps(value).decode())

    def _held(self, source: Source, place: Place, value: Any) -> Value:
        why = ""
        if isinstance(value, str):
            why = "is two quotes, which here mean an empty text" if value == EMPTY else unfit(value)
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**15:
            why = "is a number of more digits than a spreadsheet keeps"
        if why:
            self.findings.append(source.finding(place, f"a value {why}", "shorten it, or keep this table in YAML only"))
            return None
        return EMPTY if value == "" else value


# --- sheets to tables ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """Tables by file name, as YAML would have them; ``unread`` are sheets that are listed nowhere."""

    files: Mapping[str, Tables]
    unread: tuple[str, ...]


def tables(book: Mapping[str, Sheet], name: str) -> Read:
    """The tables a workbook holds, checked as those of a YAML file are. Raises ``ConfigError`` with every cell that is wrong."""
    reader = _Reader(name, book)
    reader.read()
    if not reader.findings:
        reader.check()
    if reader.findings:
        raise ConfigError(reader.findings)
    known = {title.lower() for title in (*HEADS, *reader.titles)}
    return Read(reader.files, tuple(title for title in book if title.lower() not in known))


@dataclass(slots=True)
class _Reader:
    name: str
    book: Mapping[str, Sheet]
    findings: list[Finding] = field(default_factory=list)
    files: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    lines: dict[Place, int] = field(default_factory=dict)
    lists: dict[str, dict[str, Any]] = field(default_factory=dict)

    def wrong(self, address: str, what: str, remedy: str) -> None:
        self.findings.append(Finding(f"{self.name} {address}", 0, what, remedy))

    def mark(self, place: Place, cell: Cell) -> None:
        """Remember where a place of the tables stands."""
        self.addresses.append(cell.address)
        self.lines[place] = len(self.addresses)

    def read(self) -> None:
        index = self.sheet(INDEX)
        if index is None:
            self.wrong(INDEX, "there is no such sheet", f"add it, with the columns {', '.join(HEADS[INDEX])}")
            return
        self.lists = self.code_lists()
        named: dict[str, dict[str, Any]] = {}
        for row in self.rows(INDEX, index, HEADS[INDEX]):
            table = self.table(row)
            if table is not None:
                named[table[0]] = table[1]
        self.examples(named)

    def sheet(self, title: str) -> Sheet | None:
        return next((sheet for known, sheet in self.book.items() if known.lower() == title.lower()), None)

    def rows(self, title: str, sheet: Sheet, columns: Sequence[str]) -> Iterator[dict[str, Cell]]:
        """The rows below the head, each by column name; those without any cell are left out."""
        heads = {column: self.head(cell, columns) for column, cell in (sheet[0] if sheet else {}).items()}
        for double in {name for name in heads.values() if name and list(heads.values()).count(name) > 1}:
            self.wrong(f"{title}!1:1", f"has the column '{double}' twice", "remove one of the two")
        for row in sheet[1:]:
            for column, cell in row.items():
                if column not in heads:
                    self.wrong(
                        cell.address, "stands in a column without a name", f"name it in the first row: {', '.join(columns)}"
                    )
            found = {heads[column]: cell for column, cell in row.items() if heads.get(column)}
            if found:
                yield found

    def head(self, cell: Cell, columns: Sequence[str]) -> str:
        text = str(cell.value).strip()
        if text in columns:
            return text
        close = difflib.get_close_matches(text, columns, n=1)
        remedy = f"did you mean '{close[0]}'?" if close else f"columns are: {', '.join(columns)}"
        self.wrong(cell.address, f"unknown column '{text[:60]}'", remedy)
        return ""

    def table(self, row: Mapping[str, Cell]) -> tuple[str, dict[str, Any]] | None:
        first = next(iter(row.values()))
        texts = {key: self.value(key, cell) for key, cell in row.items()}
        title, name, file = (str(texts.get(key) or "") for key in ("sheet", "table", "file"))
        if not (title and name and _FILE.fullmatch(file)):
            self.wrong(
                first.address, "lacks a sheet, a table or a file name", "write all three; a file is a name such as payments.yaml"
            )
            return None
        sheet = self.sheet(title)
        if sheet is None or title.lower() in {known.lower() for known in HEADS}:
            self.wrong(row["sheet"].address, f"there is no sheet '{title}' for a table", "correct the name of the sheet")
            return None
        if any(name in found for found in self.files.values()):
            self.wrong(row["table"].address, f"has the table '{name}' twice", "remove one of the two")
            return None
        self.titles.append(title)
        place: Place = ("tables", name)
        self.mark(place, first)
        for key in ("rest", "erp", "doc"):
            if key in row:
                self.mark((*place, key), row[key])
        config: dict[str, Any] = {key: texts[key] for key in ("doc", "rest", "erp") if key in texts}
        config["rows"] = [self.field(place, at, cells) for at, cells in enumerate(self.rows(title, sheet, COLUMNS))]
        self.files.setdefault(file, {})[name] = config
        return name, config

    def field(self, table: Place, at: int, cells: Mapping[str, Cell]) -> dict[str, Any]:
        place = (*table, "rows", at)
        self.mark(place, next(iter(cells.values())))
        row: dict[str, Any] = {}
        for column, cell in cells.items():
            value = self.value(column, cell)
            if column in CALLS:
                row["call"] = self.calls(row.get("call"), CALLS[column], value, cell)
                self.mark((*place, "call"), cell)
                continue
            row[column] = self.listed(value, cell) if column == "values" else value
            self.mark((*place, column), cell)
        return row

    def calls(self, known: Any, side: str, value: Any, cell: Cell) -> Any:
        if isinstance(known, str):
            self.wrong(cell.address, "names a function for one direction beside 'call'", "keep one of the two")
            return known
        return {**(known or {}), side: value}

    def listed(self, name: Any, cell: Cell) -> Any:
        if name not in self.lists:
            close = difflib.get_close_matches(str(name), list(self.lists), n=1)
            remedy = f"did you mean '{close[0]}'?" if close else f"add its codes to the sheet {CODES}"
            self.wrong(cell.address, f"there is no code list '{str(name)[:60]}'", remedy)
            return {"?": "?"}
        return dict(self.lists[name])

    def code_lists(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for row in self.rows(CODES, self.sheet(CODES) or [], HEADS[CODES]):
            values = {column: self.value(column, cell, codes=True) for column, cell in row.items()}
            name, rest, erp = values.get("list"), values.get("rest", ""), values.get("erp", "")
            first = next(iter(row.values()))
            if not isinstance(name, str) or not name:
                self.wrong(first.address, "is in no list", "write the name of its list in the column 'list'")
                continue
            codes = found.setdefault(name, {})
            key = rest if isinstance(rest, str) else str(rest).lower()
            if values.get("several") is True and isinstance(codes.get(key, []), list):
                codes.setdefault(key, []).append(erp)
            elif key in codes:
                self.wrong(first.address, f"'{key}' is in the list '{name}' already", "write TRUE under 'several' in both rows")
            else:
                codes[key] = erp
        return found

    def examples(self, named: Mapping[str, dict[str, Any]]) -> None:
        for row in self.rows(EXAMPLES, self.sheet(EXAMPLES) or [], HEADS[EXAMPLES]):
            first = next(iter(row.values()))
            name = self.value("table", row["table"]) if "table" in row else ""
            if name not in named:
                self.wrong(first.address, f"is an example of no table of this workbook: '{str(name)[:60]}'", "correct the name")
                continue
            shown: dict[str, Any] = {"serves": self.value("serves", row["serves"])} if "serves" in row else {}
            shown |= {side: self.json(row[side]) for side in ("rest", "erp") if side in row}
            examples = named[str(name)].setdefault("examples", [])
            self.mark(("tables", str(name), "examples", len(examples)), first)
            examples.append(shown)

    def json(self, cell: Cell) -> Any:
        text = self.value("doc", cell)
        try:
            return orjson.loads(str(text))
        except orjson.JSONDecodeError:
            self.wrong(cell.address, "is not JSON", 'write a value such as {"amount": "12.50"}')
            return None

    # --- cells -------------------------------------------------------------------------------------------------------

    def value(self, column: str, cell: Cell, *, codes: bool = False) -> Any:
        if cell.kind == "formula":
            self.wrong(cell.address, "holds a formula", "write its result; a text that begins with = needs the format Text")
        elif cell.kind == "error":
            self.wrong(cell.address, f"holds the error {cell.value}", "write the value")
        elif cell.kind == "date":
            self.wrong(
                cell.address,
                f"has been made a date by the spreadsheet: {cell.value}",
                "give the cell the format Text and type it again",
            )
        elif column in FLAGS:
            return self.flag(cell)
        elif cell.kind == "number":
            return self.number(column, cell, codes=codes)
        elif isinstance(cell.value, bool) and not (codes or column in SCALARS):
            self.wrong(
                cell.address, f"has been made {cell.value} by the spreadsheet", "give the cell the format Text and type it again"
            )
        elif isinstance(cell.value, str) and column in COUNTS | BOUNDS and _NUMBER.fullmatch(cell.value) and column in COUNTS:
            return int(cell.value) if cell.value.isdigit() else cell.value
        else:
            return self.text(cell)
        return None

    def text(self, cell: Cell) -> Any:
        if isinstance(cell.value, str) and ("${" in cell.value or unfit(cell.value)):
            what = "holds '${', which in a field table is a reference" if "${" in cell.value else f"a value {unfit(cell.value)}"
            self.wrong(cell.address, what, "write the value without it")
            return ""
        return "" if cell.value == EMPTY else cell.value

    def flag(self, cell: Cell) -> bool:
        if isinstance(cell.value, bool):
            return cell.value
        known = _YES.get(str(cell.value).strip().lower())
        if known is None:
            self.wrong(cell.address, f"is neither yes nor no: '{str(cell.value)[:40]}'", "write TRUE or FALSE, or leave it empty")
        return bool(known)

    def number(self, column: str, cell: Cell, *, codes: bool) -> Any:
        """A number where one belongs. Anywhere else it is a text that the spreadsheet has taken for one, its zeros gone."""
        if column in COUNTS and isinstance(cell.value, int):
            return cell.value
        if column in BOUNDS:
            if isinstance(cell.value, int):
                return cell.value
            if _NUMBER.fullmatch(str(cell.value)) and len(str(cell.value)) <= 16:
                return str(cell.value)
        if (codes or column in SCALARS) and isinstance(cell.value, int) and cell.form == "0":
            return cell.value
        what = f"is text that the spreadsheet has made the number {cell.value}: zeros in front of it, or digits, are lost"
        remedy = "give the cell the format Text and type it again"
        number = "; for a number, give it the number format 0" if codes or column in SCALARS else ""
        self.wrong(cell.address, what, remedy + number)
        return None

    # --- the tables as a whole ---------------------------------------------------------------------------------------

    def check(self) -> None:
        """Hold the tables to what a YAML file is held to, and call what is wrong by its cell."""
        data = {"tables": {name: config for found in self.files.values() for name, config in found.items()}}
        try:
            read_tables(Source(self.name, data, self.lines))
        except ConfigError as error:
            self.findings += [self.placed(finding) for finding in error.findings]

    def placed(self, finding: Finding) -> Finding:
        what = re.sub(r"\bline (\d+)\b", lambda match: self.addresses[int(match[1]) - 1], finding.what)
        address = f" {self.addresses[finding.line - 1]}" if finding.line else ""
        return Finding(f"{self.name}{address}", 0, what, finding.remedy)
