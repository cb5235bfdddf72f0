"""One row in one direction as Python source: a test few good values fail, and what a value that passes it becomes.

A test is sufficient, never necessary: what fails it goes through the row's converter, which alone knows what is wrong. ``{x}``
stands for the value, other braces for constants; nothing a table says is ever part of the source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from gateway.exchange import ABSENT
from gateway.mapping import numbers, texts
from gateway.mapping.contract import TEXT, Leaf
from gateway.mapping.forms import Convert, answer_form, lengths, whole
from gateway.mapping.table import Row
from gateway.mapping.wrong import Wrong

_REMEMBERED = 1024
"""Values kept converted, per row: for dates some three years of days, as business documents name the same few again and again."""

_IS_KNOWN = "{x}.__class__ is str and {x} in {known}"
_IS_DIGITS = "{x}.__class__ is str and {x}.isascii() and {x}.isdigit()"
_IS_INTEGER = "{x}.__class__ is int and {low} <= {x} <= {high}"
_IS_DECIMAL = "{x}.__class__ is str and {match}({x})"


@dataclass(frozen=True, slots=True)
class Inline:
    """Where ``test`` holds, ``result`` is what ``convert`` would give. Without a test ``convert`` is always called.

    ``convert`` reports no unknown code, as it may be followed by a second conversion that finds all errors.
    """

    convert: Convert
    test: str = ""
    result: str = "{x}"
    names: Mapping[str, object] = field(default_factory=dict)


def request_inline(row: Row, leaf: Leaf | None, *, called: bool, convert: Convert) -> Inline:
    """For a value on its way to the ERP. ``called``: a company function has a part in ``convert``."""
    if called:
        return Inline(convert)
    match row.kind:
        case "string":
            return _string(row, leaf, convert)
        case "decimal" if row.erp_form != "number":
            return _decimal(row, convert)
        case "integer":
            low, high = whole(row.min), whole(row.max)
            names = {"low": -numbers.SAFE if low is None else low, "high": numbers.SAFE if high is None else high}
            text = leaf is not None and leaf.builtin in TEXT
            return Inline(convert, _IS_INTEGER, "str({x})" if text else "{x}", names)
        case "code":
            return Inline(convert, _IS_DIGITS + " and len({x}) <= {digits}", "{x}.zfill({digits})", {"digits": row.digits})
    return _either(row, convert)


def answer_inline(row: Row, *, called: bool, convert: Convert) -> Inline:
    """For a value the ERP gave. A code its list does not have is left to whoever may report it."""
    if called:
        return Inline(convert)
    match row.kind:
        case "string":
            return Inline(convert, "{x}.__class__ is str")
        case "decimal":
            return Inline(convert, _IS_DECIMAL, names={"match": re.compile(_unsigned(numbers.DECIMAL_PATTERN)).fullmatch})
        case "integer":
            return Inline(convert, _IS_INTEGER, names={"low": -numbers.SAFE, "high": numbers.SAFE})
        case "code":
            return Inline(convert, _IS_DIGITS, '{x}.lstrip("0") or "0"')
        case "codes":
            return _either(row, answer_form(row, unknown=_refuse, function=None))
    return _either(row, convert)


def _either(row: Row, convert: Convert) -> Inline:
    """The kinds that go the same way in both directions."""
    if row.kind == "any":
        return Inline(convert, "True")
    if row.kind == "boolean" and not row.values:
        return Inline(convert, "{x}.__class__ is bool")
    if row.kind in ("date", "codes"):
        known: dict[str, object] = {}
        return Inline(_remembered(convert, known), _IS_KNOWN, "{known}[{x}]", {"known": known})
    return Inline(convert)


def _string(row: Row, leaf: Leaf | None, convert: Convert) -> Inline:
    least, most = lengths(row, leaf)
    tests, names = ["{x}.__class__ is str and {x}.isascii()"], dict[str, object]()
    if least:
        tests.append("len({x}) >= {least}")
        names["least"] = least
    if most is not None:
        tests.append("len({x}) <= {most}")
        names["most"] = most
    if row.pattern:
        tests.append("{match}({x})")
        names["match"] = texts.matcher(row.pattern)
    return Inline(convert, " and ".join(tests), names=names)


def _decimal(row: Row, convert: Convert) -> Inline:
    """Without a sign. Rounding to a float keeps the order of numbers, so that what is beyond a bound as a float is beyond it
    exactly; a value that meets the bound is compared exactly by ``convert``."""
    tests = [_IS_DECIMAL]
    names: dict[str, object] = {"match": re.compile(_unsigned(numbers.decimal_pattern(row.scale, row.digits))).fullmatch}
    if row.min is not None and Decimal(row.min) > 0:
        tests.append("float({x}) > {low}")
        names["low"] = float(Decimal(row.min))
    if row.max is not None:
        tests.append("float({x}) < {high}")
        names["high"] = float(Decimal(row.max))
    return Inline(convert, " and ".join(tests), names=names)


def _unsigned(pattern: str) -> str:
    """The pattern of decimals without the sign, and without groups and second tries, which cost a fifth of the time."""
    return pattern.removeprefix("^-?").removesuffix("$").replace("(", "(?:").replace(")?", ")?+")


def _remembered(convert: Convert, known: dict[str, object]) -> Convert:
    def remember(value: object) -> object:
        result = convert(value)
        if type(value) is str and result is not ABSENT:
            if len(known) >= _REMEMBERED:
                known.clear()
            known[value] = result
        return result

    return remember


def _refuse() -> None:
    raise Wrong
