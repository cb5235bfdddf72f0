"""``transformers/*.yaml`` as values: field tables, one row per field.

A table is what integration engineers keep as the interface table of two systems. A row that can be read in both directions says
so by saying nothing; one that cannot must name the direction it ``serves``. Nothing here converts a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.config.source import Place, Source
from gateway.config.values import Section, wrong
from gateway.errors import Finding
from gateway.mapping.path import Path, check_path, parse_path

Type = Literal[
    "string", "decimal", "integer", "boolean", "date", "datetime", "code", "codes", "unit", "any", "object", "list"
]  # fmt: skip
Direction = Literal["request", "answer"]


def _exact(value: Any) -> Any:
    """YAML reads 0.10 as a binary number; a table means its digits."""
    if isinstance(value, float):
        raise wrong(f"is {value!r} without quotes, which YAML reads as a binary number", f'put it in quotes: "{value!r}"')
    return value


Scalar = Annotated[str | int | bool, BeforeValidator(_exact)]
Bound = Annotated[int | str, BeforeValidator(_exact)]
Codes = Annotated[str | int | bool | list[str | int | bool], BeforeValidator(_exact)]
PathText = Annotated[str, AfterValidator(check_path)]

GROUPS = ("object", "list")


class Calls(Section):
    """A company function for each direction."""

    request: str = Field(description="Function that turns the REST value into the ERP value.")
    answer: str = Field(description="Function that turns the ERP value into the REST value.")


class Row(Section):
    """One field of the interface table."""

    rest: PathText | None = Field(None, description="REST name, such as payee.code or lines[].unit.")
    erp: PathText | None = Field(None, description="ERP name, relative to the table's erp root.")
    type: Type | None = Field(None, description="What the field holds; default string, any for a row with call.")
    serves: Literal["both", "request", "answer"] = Field("both", description="Directions the row is used in.")
    required: bool = Field(False, description="The satellite must send it; in a row that serves answers only, the ERP must.")
    nullable: bool = Field(False, description="null is a value of its own in both directions (xsi:nil in SOAP).")
    min: Bound | None = Field(None, description="Least length (string, list) or value (integer, decimal).")
    max: Bound | None = Field(None, description="Greatest length (string, list) or value (integer, decimal).")
    pattern: str | None = Field(None, description="Regular expression the whole text must match.")
    scale: int | None = Field(None, ge=0, le=30, description="Digits after the decimal point, at most.")
    digits: int | None = Field(None, ge=1, le=60, description="code: width on the ERP side. decimal: digits in all, at most.")
    erp_form: str | None = Field(None, description="Form on the ERP side: DD/MM/YYYY, YYYYMMDDHHmmss; decimal: number.")
    values: dict[str, Codes] | None = Field(None, min_length=1, description="REST value: ERP value.")
    factor: Bound | None = Field(None, description="ERP value = REST value x factor, an exact decimal.")
    constant: Scalar | None = Field(None, description="A value no one sends: it stands on the one side that has a name.")
    default: Scalar | None = Field(None, description="REST value taken when the satellite leaves the field out.")
    answer_default: Scalar | None = Field(None, description="REST value given when the ERP leaves the field out.")
    call: str | Calls | None = Field(None, description="Company function of transformers/*.py that converts the value.")
    doc: str | None = Field(None, description="A sentence for the API documentation.")
    example: Scalar | None = Field(None, description="A REST value for the API documentation.")

    @property
    def kind(self) -> Type:
        return self.type or ("any" if self.call else "string")

    def used_in(self, direction: Direction) -> bool:
        return self.serves in ("both", direction)

    def function(self, direction: Direction) -> str | None:
        return getattr(self.call, direction) if isinstance(self.call, Calls) else self.call


def code_text(value: object) -> str:
    """An ERP code as text, so that ``1`` and ``"1"`` are the same code."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Example(Section):
    """A value and what it becomes. ``check`` runs it."""

    rest: object = Field(description="The REST value.")
    erp: object = Field(description="The ERP value, from the operation's body down.")
    serves: Literal["both", "request", "answer"] = Field("both", description="Directions the example shows.")


class FieldTable(Section):
    """One interface table: how a REST value and an ERP value correspond."""

    doc: str | None = Field(None, description="A sentence for the API documentation.")
    rest: PathText | None = Field(None, description="REST root the rows are relative to.")
    erp: PathText | None = Field(None, description="ERP root the rows are relative to.")
    rows: list[Row] = Field(min_length=1, description="One row per field.")
    examples: list[Example] = Field([], description="Pairs that 'check' converts and compares.")


class TableFile(Section):
    """A file of ``transformers/``: field tables by name."""

    tables: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")], FieldTable] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Line:
    """A row with its full paths and its place in the file. Immutable."""

    row: Row
    rest: Path | None
    erp: Path | None
    place: Place


@dataclass(frozen=True, slots=True)
class Table:
    """A field table and the file it came from. Immutable."""

    name: str
    source: Source
    config: FieldTable
    lines: tuple[Line, ...]

    @property
    def rest_root(self) -> Path:
        return parse_path(self.config.rest) if self.config.rest else ()

    @property
    def erp_root(self) -> Path:
        return parse_path(self.config.erp) if self.config.erp else ()

    def of(self, direction: Direction) -> Iterator[Line]:
        return (line for line in self.lines if line.row.used_in(direction))

    def finding(self, line: Line, what: str, remedy: str) -> Finding:
        return self.source.finding(line.place, f"the row {_named(line.row)} of table '{self.name}' {what}", remedy)


def _named(row: Row) -> str:
    return f"'{row.rest if row.rest is not None else row.erp}'"


def bind_table(name: str, source: Source, config: FieldTable) -> Table:
    """The table of one file entry, its roots put in front of its rows. In answers the lists a root names are always there."""
    bare = Table(name, source, config, ())
    lines = [
        Line(
            row,
            (*bare.rest_root, *parse_path(row.rest)) if row.rest else None,
            (*bare.erp_root, *parse_path(row.erp)) if row.erp else None,
            ("tables", name, "rows", index),
        )
        for index, row in enumerate(config.rows)
    ]
    return Table(name, source, config, tuple(lines))
