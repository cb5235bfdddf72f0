"""Field tables against the ERP's contract: every ERP name exists, repeats where it says, and can hold what its row gives.

The contract is asked through two callables, so that any protocol can answer for its own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from gateway.errors import Finding
from gateway.mapping.path import EACH, Path, show_path
from gateway.mapping.table import Direction, Line, Row, Scalar, Table, code_text


class Leaf(Protocol):
    """What a contract says about one ERP path.

    ``builtin`` is the local name of the XSD built-in type of the text, ``""`` for an element with children; ``repeated`` says
    that the value is an array (the path does not end with ``[]``); ``enumeration`` holds the values as written on the wire.
    """

    @property
    def builtin(self) -> str: ...
    @property
    def repeated(self) -> bool: ...
    @property
    def nillable(self) -> bool: ...
    @property
    def max_length(self) -> int | None: ...
    @property
    def fraction_digits(self) -> int | None: ...
    @property
    def enumeration(self) -> tuple[str, ...] | None: ...


LeafOf = Callable[[str], Leaf | None]
"""Dotted ERP path to what the contract says; ``None`` when it names nothing or puts ``[]`` where nothing repeats."""

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
            for what, remedy in _check_line(line, line.erp, direction, leaf, names):
                yield table.finding(line, what, remedy)


def _check_line(line: Line, path: Path, direction: Direction, leaf: LeafOf, names: NamesOf | None) -> Iterator[tuple[str, str]]:
    spelled = _spelled(path, leaf)
    keeps_array = line.row.kind == "any" and path[-1] != EACH
    if len(_bare(spelled)) < len(_bare(path)):
        yield _missing(path, spelled, names)
    elif path not in (spelled, spelled[:-1] if keeps_array and spelled[-1] == EACH else spelled):
        yield f"writes '{show_path(path)}', which the contract repeats differently", f"write '{show_path(spelled)}'"
    elif (found := leaf(show_path(path))) is not None:
        yield from _disagree(line.row, found, direction)


def _bare(path: Path) -> Path:
    return tuple(name for name in path if name != EACH)


def _spelled(path: Path, leaf: LeafOf) -> Path:
    """The path as the contract spells it, ``[]`` after all that repeats, as far as the contract knows it."""
    known: Path = ()
    for name in _bare(path):
        found = leaf(show_path((*known, name)))
        if found is None:
            break
        known = (*known, name, EACH) if found.repeated else (*known, name)
    return known


def _missing(path: Path, known: Path, names: NamesOf | None) -> tuple[str, str]:
    name = _bare(path)[len(_bare(known))]
    where = f"below '{show_path(known)}'" if known else "in the operation's message"
    siblings = list(names(show_path(known))) if names else []
    close = difflib.get_close_matches(name, siblings, n=1, cutoff=0.5)
    there = f"there are {', '.join(siblings)}" if siblings else "look in the contract"
    return f"has the ERP name '{name}', which is not {where}", f"did you mean '{close[0]}'?" if close else there


def _disagree(row: Row, leaf: Leaf, direction: Direction) -> Iterator[tuple[str, str]]:
    if row.kind in ("any", "list") or row.call is not None:
        return
    if row.constant is not None:
        yield from _constant_fits(row.constant, leaf)
        return
    yield from _type_fits(row, leaf)
    if direction == "request":
        yield from _request_fits(row, leaf)


def _type_fits(row: Row, leaf: Leaf) -> Iterator[tuple[str, str]]:
    kind, form = row.kind, row.erp_form
    if not leaf.builtin:
        yield "moves a single value, where the contract has an element with children", "name a field below it, or use type: any"
    elif kind in ("date", "datetime") and leaf.builtin in ("date", "dateTime"):
        same = leaf.builtin.lower() == kind
        if not same or form is not None:
            yield f"is a {kind} with a form, the contract has xs:{leaf.builtin}", _date_remedy(leaf.builtin)
    elif kind == "boolean" and leaf.builtin == "boolean":
        if row.values is not None:
            yield "gives 'values' to an xs:boolean", "remove 'values'"
    elif leaf.builtin not in _FITS[kind]:
        yield f"is of type {kind}, the contract has xs:{leaf.builtin}", f"use {_remedy(leaf.builtin)}"
    elif kind == "boolean" and row.values is None:
        yield f"is a boolean, the contract has xs:{leaf.builtin}", "say how the ERP writes it: values: {true: X, false: ''}"
    elif kind in ("decimal", "unit") and leaf.builtin in INTEGERS and row.scale != 0:
        yield f"may have a fraction, the contract has xs:{leaf.builtin}", "add 'scale: 0'"


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
    most, scale = leaf.max_length, leaf.fraction_digits
    if most is not None and row.kind == "string" and row.max is not None and int(row.max) > most:
        yield f"allows {row.max} characters, the contract {most}", f"write 'max: {most}'"
    if most is not None and row.kind == "code" and (row.digits or 0) > most:
        yield f"writes {row.digits} digits, the contract allows {most} characters", f"write 'digits: {most}'"
    if scale is not None and row.kind == "decimal" and (row.scale or 0) > scale:
        yield f"allows {row.scale} digits after the decimal point, the contract {scale}", f"write 'scale: {scale}'"
    for value in (row.values or {}).values():
        yield from _value_fits(value, leaf)


def _constant_fits(value: Scalar, leaf: Leaf) -> Iterator[tuple[str, str]]:
    if not leaf.builtin:
        yield "gives a constant to an element with children", "name a field below it"
    elif leaf.builtin == "boolean" and not isinstance(value, bool):
        yield f"gives the constant {value!r} to an xs:boolean", "use true or false"
    else:
        yield from _value_fits(value, leaf)


def _value_fits(value: object, leaf: Leaf) -> Iterator[tuple[str, str]]:
    """A value written in the table: YAML reads 01 as the number 1, which a text element must not silently get."""
    text, listed = code_text(value), leaf.enumeration
    if listed and text not in listed:
        close = difflib.get_close_matches(text, listed, n=1)
        remedy = f"did you mean '{close[0]}'?" if close else f"use one of {', '.join(listed[:20])}"
        yield f"gives the ERP value {value!r}, which the contract does not list", remedy
    elif leaf.builtin in TEXT and not isinstance(value, str):
        yield f"gives the ERP value {value!r} to an element of text", f"put it in quotes, with all its zeros: '{value}'"
    elif leaf.builtin in INTEGERS and not re.fullmatch(r"-?[0-9]{1,40}", text):
        yield f"gives the ERP value {value!r} to an xs:{leaf.builtin}", "write a whole number"
