"""The facets of simple types (XML Schema part 2, section 4.3): one closure per type that says what is wrong with a text.

Facets are for requests only: an answer with a new code must still arrive.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from elementpath.regex import RegexError, translate_pattern

from gateway.protocols.soap.lexical import INTEGERS, MATCHERS, QUALIFIED, integer_range, normalise, to_float, whitespace
from gateway.protocols.soap.model import Facets, SimpleType


def checker(type: SimpleType) -> Callable[[str], None]:
    """The closure that raises ``ValueError`` when text breaks the lexical form or a facet of the type."""
    mode = whitespace(type)
    checks = [c for c in (_lexical_check(type), *_facet_checks(type)) if c]

    def check(text: str) -> None:
        text = normalise(text, mode)
        for one in checks:
            one(text)

    return check


def _lexical_check(type: SimpleType) -> Callable[[str], None] | None:
    if type.variety != "atomic" or type.builtin not in MATCHERS:
        return None
    matches, name = MATCHERS[type.builtin], type.builtin
    compact = name == "base64Binary"

    def check(text: str) -> None:
        if not matches(text.replace(" ", "") if compact else text):
            raise ValueError(f"is not a valid {name}{_EXAMPLES.get(name, '')}")

    return check


_EXAMPLES: Final = {
    "date": ", such as 2026-01-31",
    "dateTime": ", such as 2026-01-31T08:30:00Z",
    "time": ", such as 08:30:00",
    "decimal": ', such as "12.50"',
    "duration": ", such as P1DT12H",
}


def _facet_checks(type: SimpleType) -> list[Callable[[str], None] | None]:
    f = type.facets
    return [_length_check(type), _pattern_check(f), _enumeration_check(type), _digits_check(f), *_bound_checks(type)]


def _length_check(type: SimpleType) -> Callable[[str], None] | None:
    f = type.facets
    low = f.length if f.length is not None else f.min_length
    high = f.length if f.length is not None else f.max_length
    if (low is None and high is None) or type.builtin in QUALIFIED:
        return None
    measure, unit = _measure(type)

    def check(text: str) -> None:
        size = measure(text)
        if high is not None and size > high:
            raise ValueError(f"has {size} {unit}, more than the {high} allowed")
        if low is not None and size < low:
            raise ValueError(f"has {size} {unit}, fewer than the {low} required")

    return check


def _measure(type: SimpleType) -> tuple[Callable[[str], int], str]:
    if type.variety == "list":
        return (lambda text: len(text.split())), "items"
    if type.builtin == "hexBinary":
        return (lambda text: len(text) // 2), "bytes"
    if type.builtin == "base64Binary":
        return (lambda text: len(base64.b64decode(text.replace(" ", "")))), "bytes"
    return len, "characters"


def _pattern_check(facets: Facets) -> Callable[[str], None] | None:
    if not facets.patterns:
        return None
    steps = [([compile_pattern(p) for p in alternatives], " or ".join(alternatives)) for alternatives in facets.patterns]

    def check(text: str) -> None:
        for patterns, shown in steps:
            if not any(p.search(text) for p in patterns):
                raise ValueError(f"does not match the pattern {shown}")

    return check


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """An XML Schema regular expression as a Python one, anchored. Raises ``ValueError`` when it is not one."""
    try:
        translated: str = translate_pattern(pattern, back_references=False, lazy_quantifiers=False, anchors=False)
        return re.compile(translated)
    except (RegexError, re.error, OverflowError) as error:
        raise ValueError(f"the pattern {pattern!r} is no XML Schema regular expression") from error


def _enumeration_check(type: SimpleType) -> Callable[[str], None] | None:
    if type.facets.enumeration is None:
        return None
    key = _comparable(type)
    values = type.facets.enumeration
    allowed = {key(normalise(value, whitespace(type))) for value in values}
    shown = ", ".join(values[:12]) + (" …" if len(values) > 12 else "")

    def check(text: str) -> None:
        if key(text) not in allowed:
            raise ValueError(f"is not one of {shown}")

    return check


def _comparable(type: SimpleType) -> Callable[[str], object]:
    if type.variety == "atomic" and (type.builtin in INTEGERS or type.builtin == "decimal"):
        return Decimal
    return str


def _digits_check(facets: Facets) -> Callable[[str], None] | None:
    total, fraction = facets.total_digits, facets.fraction_digits
    if total is None and fraction is None:
        return None

    def check(text: str) -> None:
        whole, _, part = text.lstrip("+-").partition(".")
        whole, part = whole.lstrip("0"), part.rstrip("0")
        if fraction is not None and len(part) > fraction:
            raise ValueError(f"has {len(part)} digits after the point, more than the {fraction} allowed")
        if total is not None and len(whole) + len(part) > total:
            raise ValueError(f"has {len(whole) + len(part)} digits, more than the {total} allowed")

    return check


def _bound_checks(type: SimpleType) -> list[Callable[[str], None] | None]:
    """Bounds of ordered types. Dates and durations are compared only where both are plain, zone-free or both in UTC."""
    if type.variety != "atomic":
        return []
    order = _order(type.builtin)
    if type.builtin in INTEGERS:
        low, high = integer_range(type)
        return [
            _bound(order, str(low), ">=") if low is not None else None,
            _bound(order, str(high), "<=") if high is not None else None,
        ]
    f = type.facets
    pairs = ((f.min_inclusive, ">="), (f.max_inclusive, "<="), (f.min_exclusive, ">"), (f.max_exclusive, "<"))
    return [_bound(order, limit, sign) for limit, sign in pairs if limit is not None]


def _bound(order: Callable[[str], Decimal | float | str | None], limit: str, sign: str) -> Callable[[str], None]:
    edge = order(limit)

    def check(text: str) -> None:
        value = order(text)
        if value is None or edge is None:
            return
        good = {
            ">=": value >= edge,  # type: ignore[operator]
            "<=": value <= edge,  # type: ignore[operator]
            ">": value > edge,  # type: ignore[operator]
            "<": value < edge,  # type: ignore[operator]
        }[sign]
        if not good:
            raise ValueError(f"must be {sign} {limit}")

    return check


def _order(name: str) -> Callable[[str], Decimal | float | str | None]:
    if name in INTEGERS or name == "decimal":
        return Decimal
    if name in ("float", "double"):
        return to_float
    return _moment if name in ("date", "dateTime", "time") else lambda text: None


def _moment(text: str) -> str | None:
    return text.removesuffix("Z") if re.fullmatch(r"(?:\d{4}-\d\d-\d\d)?T?[\d:.]*Z?", text) else None
