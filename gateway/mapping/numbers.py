"""Decimals, integers and units. Exact throughout: text and ``Decimal``, no binary float on its way to the ERP, no exponent.

On the REST side a decimal is a JSON string. An answer may hold a JSON number; a float is taken only while it has at most 15
significant digits, which IEEE 754 double keeps exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact, Rounded

from gateway.exchange import ABSENT
from gateway.mapping.wrong import Wrong

Convert = Callable[[object], object]

SAFE = 2**53 - 1
"""The largest integer every JSON reader keeps (RFC 8259 section 6)."""

DECIMAL_PATTERN = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"

_REST = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_XS_DECIMAL = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?")
_INTEGER = re.compile(r"[+-]?0*[0-9]{1,16}")
_WHITE_SPACE = " \t\r\n"
_EXACT = Context(prec=2000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, Rounded])
_LONGEST = 500
_DOUBLE_DIGITS = 15
assert _EXACT.prec < MAX_PREC

_NO_FLOAT = 'must be a decimal in a JSON string, such as "12.50": a JSON number with a fraction is not exact'
_NO_DECIMAL = 'must be a decimal in a JSON string, such as "12.50"'


def decimal_pattern(scale: int | None, digits: int | None) -> str:
    """The ECMA 262 pattern of the REST form."""
    whole = "(0|[1-9][0-9]*)"
    if digits is not None and scale is not None:
        whole = f"(0|[1-9][0-9]{{0,{digits - scale - 1}}})" if digits > scale else "0"
    fraction = r"(\.[0-9]+)?" if scale is None else rf"(\.[0-9]{{1,{scale}}})?" if scale else ""
    return f"^-?{whole}{fraction}$"


def decimal_request(
    scale: int | None, digits: int | None, least: int | str | None, most: int | str | None, number: bool
) -> Convert:
    """The digits as given; as a JSON number when the ERP wants that (``number``)."""
    match = re.compile(decimal_pattern(scale, digits)[1:-1]).fullmatch
    bounded = _between(least, most)

    def convert(value: object) -> object:
        if type(value) is not str:
            value = _whole(value)
        if not match(value):
            raise Wrong(_why_no_decimal(value, scale, digits))
        if value[0] == "-" and not value.strip("-0."):
            value = value[1:]
        if bounded is not None:
            bounded(value)
        return _json_number(value) if number else value

    return convert


def _whole(value: object) -> str:
    if type(value) is int and value.bit_length() < 1024:
        return str(value)
    raise Wrong(_NO_FLOAT if type(value) is float else _NO_DECIMAL)


def _why_no_decimal(text: str, scale: int | None, digits: int | None) -> str:
    if not _REST.fullmatch(text):
        return _NO_DECIMAL
    if scale is not None and len(text.partition(".")[2]) > scale:
        return f"has more than {scale} digits after the decimal point" if scale else "must be a whole number"
    return f"has more than {(digits or 0) - (scale or 0)} digits before the decimal point"


def _between(least: int | str | None, most: int | str | None) -> Callable[[str], None] | None:
    if least is None and most is None:
        return None
    low = None if least is None else Decimal(least)
    high = None if most is None else Decimal(most)

    def check(text: str) -> None:
        value = Decimal(text)
        if low is not None and value < low:
            raise Wrong(f"is below {least}")
        if high is not None and value > high:
            raise Wrong(f"is above {most}")

    return check


def _json_number(text: str) -> object:
    if "." not in text and len(text) <= _DOUBLE_DIGITS:
        return int(text)
    if len(text.strip("-0.").replace(".", "")) > _DOUBLE_DIGITS or len(text) > _LONGEST:
        raise Wrong(f"has more than {_DOUBLE_DIGITS} digits, which the ERP cannot keep exactly")
    return float(text)


def decimal_answer(value: object) -> object:
    """xs:decimal, or a JSON number that is exact, in the REST form with its digits kept."""
    if type(value) is str:
        if _REST.fullmatch(value) and value[0] != "-":
            return value
        return _canonical(value)
    if type(value) is float or isinstance(value, Decimal):
        return _canonical(_plain(value))
    if type(value) is int and value.bit_length() < 1024:
        return str(value)
    raise Wrong("is no decimal")


def _plain(value: float | Decimal) -> str:
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not number.is_finite() or not -_LONGEST < number.adjusted() < _LONGEST:
        raise Wrong("is no decimal")
    if isinstance(value, float) and len(number.normalize().as_tuple().digits) > _DOUBLE_DIGITS:
        raise Wrong("is a JSON number too long to be exact")
    text = format(number, "f")
    return text.removesuffix(".0") if isinstance(value, float) else text


def _canonical(text: str) -> object:
    text = text.strip(_WHITE_SPACE)
    if not text:
        return ABSENT
    match = _XS_DECIMAL.fullmatch(text)
    sign, whole, fraction = (match[1], match[2], match[3] or "") if match else ("", "", "")
    if not whole and not fraction:
        raise Wrong("is no decimal")
    digits = (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    return f"-{digits}" if sign == "-" and digits.strip("0.") else digits


def integer_request(least: int | None, most: int | None, *, text: bool, parameter: bool) -> Convert:
    """An int; as text when the ERP's element holds text. A ``parameter`` arrives as text."""
    low = -SAFE if least is None else least
    high = SAFE if most is None else most

    def convert(value: object) -> object:
        if parameter and type(value) is str and _INTEGER.fullmatch(value):
            value = int(value)
        if type(value) is not int:
            raise Wrong("must be a whole number" if parameter else "must be a whole JSON number, such as 12")
        if not low <= value <= high:
            raise Wrong(f"is below {low}" if value < low else f"is above {high}")
        return str(value) if text else value

    return convert


def integer_answer(value: object) -> object:
    """An int within what JSON readers keep; the ERP may write it as text."""
    if type(value) is str:
        value = value.strip(_WHITE_SPACE)
        if not value:
            return ABSENT
        value = int(value) if _INTEGER.fullmatch(value) else None
    if type(value) is int and -SAFE <= value <= SAFE:
        return value
    raise Wrong("is no whole number JSON readers keep exactly")


def unit_request(factor: str, scale: int | None) -> Convert:
    """The value times the factor, exactly, without trailing zeros the factor brings in."""
    times = Decimal(factor)
    read = decimal_request(scale, None, None, None, False)

    def convert(value: object) -> object:
        text = str(read(value))
        if len(text) > _LONGEST:
            raise Wrong(f"has more than {_LONGEST} digits")
        return _trimmed(_EXACT.multiply(Decimal(text), times))

    return convert


def unit_answer(factor: str) -> Convert:
    """The ERP's value divided by the factor, exactly. The factor's inverse must be a finite decimal."""
    times = _EXACT.divide(Decimal(1), Decimal(factor))

    def convert(value: object) -> object:
        text = decimal_answer(value)
        if type(text) is not str:
            return ABSENT
        if len(text) > _LONGEST:
            raise Wrong(f"has more than {_LONGEST} digits")
        return _trimmed(_EXACT.multiply(Decimal(text), times))

    return convert


def _trimmed(number: Decimal) -> str:
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
