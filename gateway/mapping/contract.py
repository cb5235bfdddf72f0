"""Field tables against the ERP's contract: every ERP name exists, repeats where it says, and can hold what its row gives.

The contract is asked through two callables, so that any protocol can answer for its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gateway.errors import Finding
from gateway.mapping.path import EACH, Path, parse_path, show_path
from gateway.mapping.table import Direction, Line, Row, Scalar, Table, code_text


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a contract says about one ERP path.

    :param path: the path as the contract spells it, ``[]`` after every element that repeats.
    :param type: local name of the XSD built-in type the value derives from; ``""`` for an element with children.
    :param enumeration: the values allowed, as written on the wire; empty when open.
    """

    path: str
    type: str = "string"
    max_length: int | None = None
    enumeration: tuple[str, ...] = ()
    nillable: bool = True


LeafOf = Callable[[str], Leaf | None]
"""Dotted ERP path, its ``[]`` right, wrong or missing, to what the contract says; ``None`` when it names nothing."""

NamesOf = Callable[[str], Sequence[str]]
"""Dotted ERP path (``""`` is the body) to the names below it."""

TEXT = frozenset(
    {
        "string",
        "normalizedString",
        "token",
        "language",
        "Name",
        "NCName",
        "NMTOKEN",
        "ID",
        "IDREF",
        "ENTITY",
        "anyURI",
        "QName",
        "NOTATION",
        "anySimpleType",
        "anyType",
    }
)
INTEGERS = frozenset(
    {
        "integer",
        "long",
        "int",
        "short",
        "byte",
        "nonNegativeInteger",
        "positiveInteger",
        "nonPositiveInteger",
        "negativeInteger",
        "unsignedLong",
        "unsignedInt",
        "unsignedShort",
        "unsignedByte",
    }
)
LEXICAL = TEXT | frozenset(
    {
        "date",
        "dateTime",
        "time",
        "duration",
        "gYear",
        "gYearMonth",
        "gMonth",
        "gMonthDay",
        "gDay",
        "base64Binary",
        "hexBinary",
        "dateTimeStamp",
        "dayTimeDuration",
        "yearMonthDuration",
    }
)
NUMBERS = INTEGERS | {"decimal"}

_FITS: dict[str, frozenset[str]] = {
    "string": LEXICAL,
    "code": TEXT,
    "codes": TEXT | INTEGERS,
    "boolean": TEXT | INTEGERS,
    "decimal": TEXT | NUMBERS,
    "unit": TEXT | NUMBERS,
    "integer": TEXT | NUMBERS,
    "date": TEXT,
    "datetime": TEXT,
}


def check_contract(table: Table, direction: Direction, leaf: LeafOf, names: NamesOf | None) -> Iterator[Finding]:
    """Everything in which a table's rows and the contract disagree, each with a remedy."""
    for line in table.of(direction):
        if line.erp is not None:
            found = leaf(show_path(line.erp))
            for what, remedy in _missing(line.erp, leaf, names) if found is None else _disagree(line, found, direction):
                yield table.finding(line, what, remedy)


def _missing(path: Path, leaf: LeafOf, names: NamesOf | None) -> Iterator[tuple[str, str]]:
    known = next((path[:end] for end in range(len(path) - 1, 0, -1) if path[end] != EACH and leaf(show_path(path[:end]))), ())
    name = next(step for step in path[len(known) :] if step != EACH)
    where = f"below '{show_path(known)}'" if known else "in the operation's message"
    siblings = list(names(show_path(known))) if names else []
    close = difflib.get_close_matches(name, siblings, n=1, cutoff=0.5)
    remedy = (
        f"did you mean '{close[0]}'?" if close else f"there are {', '.join(siblings)}" if siblings else "look in the contract"
    )
    yield f"has the ERP name '{name}', which is not {where}", remedy


def _disagree(line: Line, leaf: Leaf, direction: Direction) -> Iterator[tuple[str, str]]:
    row, path = line.row, show_path(line.erp or ())
    if parse_path(path) != _spelled(leaf.path, line):
        yield f"writes '{path}', which the contract repeats differently", f"write '{leaf.path}'"
        return
    if row.kind in ("any", "list") or row.call is not None:
        return
    if row.constant is not None:
        yield from _constant_fits(row.constant, leaf)
        return
    yield from _type_fits(row, leaf)
    if direction == "request":
        yield from _request_fits(row, leaf)


def _spelled(spelled: str, line: Line) -> Path:
    path = parse_path(spelled)
    return path if path[-1] != EACH or line.row.kind != "any" or (line.erp or ())[-1:] == (EACH,) else path[:-1]


def _type_fits(row: Row, leaf: Leaf) -> Iterator[tuple[str, str]]:
    kind, form = row.kind, row.erp_form
    if not leaf.type:
        yield "moves a single value, where the contract has an element with children", "name a field below it, or use type: any"
    elif kind in ("date", "datetime") and leaf.type in ("date", "dateTime"):
        same = leaf.type.lower() == kind
        if not same or form is not None:
            yield f"is a {kind} with a form, the contract has xs:{leaf.type}", _date_remedy(leaf.type)
    elif kind == "boolean" and leaf.type == "boolean":
        if row.values is not None:
            yield "gives 'values' to an xs:boolean", "remove 'values'"
    elif leaf.type not in _FITS[kind]:
        yield f"is of type {kind}, the contract has xs:{leaf.type}", f"use {_remedy(leaf.type)}"
    elif kind == "boolean" and row.values is None:
        yield f"is a boolean, the contract has xs:{leaf.type}", "say how the ERP writes it: values: {true: X, false: ''}"
    elif kind in ("decimal", "unit") and leaf.type in INTEGERS and row.scale != 0:
        yield f"may have a fraction, the contract has xs:{leaf.type}", "add 'scale: 0'"


def _date_remedy(builtin: str) -> str:
    return f"use type: {builtin.lower()} without erp_form"


def _remedy(builtin: str) -> str:
    if builtin in ("float", "double"):
        return "type: any, which passes a JSON number as it is"
    if builtin in INTEGERS:
        return "type: integer, or type: decimal with scale: 0 beyond 2^53"
    return f"type: {builtin if builtin in ('decimal', 'boolean', 'date') else 'datetime' if builtin == 'dateTime' else 'string'}"


def _request_fits(row: Row, leaf: Leaf) -> Iterator[tuple[str, str]]:
    if row.nullable and not leaf.nillable:
        yield "is nullable, the contract allows no nil here", "remove 'nullable'"
    most = leaf.max_length
    if most is not None:
        if row.kind == "string" and row.max is not None and int(row.max) > most:
            yield f"allows {row.max} characters, the contract {most}", f"write 'max: {most}'"
        if row.kind == "code" and (row.digits or 0) > most:
            yield f"writes {row.digits} digits, the contract allows {most} characters", f"write 'digits: {most}'"
    if leaf.enumeration and row.values is not None:
        for value in row.values.values():
            yield from _enumerated(value, leaf)


def _constant_fits(value: Scalar, leaf: Leaf) -> Iterator[tuple[str, str]]:
    if not leaf.type:
        yield "gives a constant to an element with children", "name a field below it"
    elif leaf.enumeration:
        yield from _enumerated(value, leaf)


def _enumerated(value: object, leaf: Leaf) -> Iterator[tuple[str, str]]:
    if code_text(value) not in leaf.enumeration:
        close = difflib.get_close_matches(code_text(value), leaf.enumeration, n=1)
        remedy = f"did you mean '{close[0]}'?" if close else f"use one of {', '.join(leaf.enumeration[:20])}"
        yield f"gives the ERP value {value!r}, which the contract does not list", remedy
