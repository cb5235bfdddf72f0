"""Generated statements for text: the inline tests that let the common value pass without a call.

Every test is one-sided. A value it lets through is surely right and needs no escaping; any other goes to the exact closure of
``simple.py``, which decides. So a test may be as narrow as it likes and never changes what is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from gateway.protocols.soap import facets, lexical, simple
from gateway.protocols.soap.model import SimpleType
from gateway.protocols.soap.program import Program
from gateway.protocols.soap.wildcards import escape

_STRINGS = frozenset({"string", "normalizedString", "token", "anySimpleType"})
_ENUMERABLE = frozenset({"string", "normalizedString", "token", "NMTOKEN", "NCName"})
_PLAIN_FORMS = frozenset(
    {"date", "dateTime", "time", "duration", "gYear", "gYearMonth", "gMonth", "gMonthDay", "gDay", "hexBinary", "base64Binary"}
)


def plain(value: str) -> str:
    """Text of an unconstrained string, escaped. Raises for other values and for characters XML cannot carry."""
    if value.isprintable() and "<" not in value and "&" not in value and ">" not in value:
        return value
    lexical.check_characters(value)
    return escape(value)


def fixed(type: SimpleType, value: str | None) -> SimpleType:
    """The type, narrowed to a fixed value when there is one."""
    return type if value is None else replace(type, facets=replace(type.facets, enumeration=(value,)))


def write_lines(program: Program, type: SimpleType, x: str) -> list[str]:
    """Statements that turn the JSON value in variable ``x`` into checked and escaped text."""
    exact = simple.writer(type)
    fallback = f"{x} = {program.object(lambda value: escape(exact(value)))}({x})"
    if type.variety != "atomic":
        return [fallback]
    if type.facets.enumeration is not None:
        test = _enumeration(program, type, x)
    elif type.builtin == "boolean":
        return [f'if {x} is True: {x} = "true"', f'elif {x} is False: {x} = "false"', f"else: {fallback}"]
    elif type.builtin in _STRINGS:
        return _string(program, type, x, fallback)
    elif type.facets.patterns:
        test = ""
    elif type.builtin in lexical.INTEGERS:
        test = _integer(type, x)
    elif type.builtin == "decimal":
        test = _decimal(program, type, x)
    else:
        test = _form(program, type, x)
    return [f"if {test}: {fallback}" if test else fallback]


def _string(program: Program, type: SimpleType, x: str, fallback: str) -> list[str]:
    f = type.facets
    low, high = (f.length, f.length) if f.length is not None else (f.min_length, f.max_length)
    tests = [f"len({x}) > {high}"] if high is not None else []
    tests += [f"len({x}) < {low}"] if low else []
    tests += [f"not {program.object(_any_pattern(alternatives))}({x})" for alternatives in f.patterns]
    if lexical.whitespace(type) == "preserve":
        if any(_is_harmless(alternatives) for alternatives in f.patterns):
            return [f"if {' or '.join(tests)}: {fallback}"]
        rest = f"if not {x}.isalnum(): {x} = plain({x})"
        return [f"if {' or '.join(tests)}: {fallback}", f"el{rest}"] if tests else [rest]
    spaced = f'not {x}.isalnum() and (" " in {x} or not {x}.isprintable())'
    return [f"if {' or '.join([*tests, spaced])}: {fallback}", f"elif not {x}.isalnum(): {x} = plain({x})"]


def _any_pattern(alternatives: tuple[str, ...]) -> Callable[[str], object]:
    compiled = [facets.compile_pattern(pattern) for pattern in alternatives]
    return compiled[0].search if len(compiled) == 1 else lambda text: any(pattern.search(text) for pattern in compiled)


_HARMLESS = re.compile(r"(?:[0-9]-[0-9]|[A-Z]-[A-Z]|[a-z]-[a-z]|[}\]]-|[A-Za-z0-9_/:,;=@#%*+?(){}|\[\] ]|\\[d.\-/+*?()\[\]{}|])*")


def _is_harmless(alternatives: tuple[str, ...]) -> bool:
    """Whether all that the patterns match is text that needs neither checking nor escaping."""
    return all(_HARMLESS.fullmatch(pattern) for pattern in alternatives)


def _enumeration(program: Program, type: SimpleType, x: str) -> str:
    values = type.facets.enumeration or ()
    if type.builtin not in _ENUMERABLE or type.facets.patterns:
        return ""
    if any(lexical.normalise(value, "collapse") != value or escape(value) != value for value in values):
        return ""
    accepted = [value for value in values if _accepts(type, value)]
    return f"{x} not in {program.object(frozenset(accepted))}"


def _accepts(type: SimpleType, value: str) -> bool:
    try:
        facets.checker(type)(value)
    except ValueError:
        return False
    return True


def _integer(type: SimpleType, x: str) -> str:
    low, high = lexical.integer_range(type)
    low, high = max(-(2**63), -(2**63) if low is None else low), min(2**64, 2**64 if high is None else high)
    return f"{x}.__class__ is not int or not {low} <= {x} <= {high}"


def _decimal(program: Program, type: SimpleType, x: str) -> str:
    """Digits within the facets; where zero is a lower bound, unsigned ones; others are left to the exact check."""
    f = type.facets
    sign, positive = "[+-]?", ""
    if f.min_inclusive is not None or f.min_exclusive is not None:
        if {f.min_inclusive, f.min_exclusive} - {None, "0"}:
            return ""
        sign, positive = "", "(?=.*[1-9])" if f.min_exclusive else ""
    whole = "+"
    highest = f.max_inclusive or f.max_exclusive
    if highest is not None:
        digits = len(highest.partition(".")[0].lstrip("+")) - 1
        if not highest[0].isdigit() or digits < 1:
            return ""
        whole = f"{{1,{digits}}}"
    fraction = "*" if f.fraction_digits is None else f"{{0,{f.fraction_digits}}}"
    pattern = re.compile(rf"{positive}{sign}\d{whole}(?:\.\d{fraction})?", re.ASCII)
    test = f"{x}.__class__ is not str or not {program.object(pattern.fullmatch)}({x})"
    return test + (f" or len({x}) > {f.total_digits}" if f.total_digits is not None else "")


def _form(program: Program, type: SimpleType, x: str) -> str:
    if type.builtin not in _PLAIN_FORMS or replace(type.facets, whitespace=None) != type.facets.__class__():
        return ""
    return f"not {program.object(lexical.MATCHERS[type.builtin])}({x})"


def read_expression(program: Program, type: SimpleType, v: str) -> tuple[str, str]:
    """The expression for the value of text ``v``, "" when only the exact reader will do; and the test that sends it there."""
    name = type.builtin
    if type.variety != "atomic" or name in lexical.QUALIFIED or name in ("boolean", "float", "double"):
        return "", ""
    if name in _STRINGS | {"anyAtomicType", "anyURI"}:
        return v, "" if lexical.whitespace(type) == "preserve" else f"not {v}.isalnum()"
    if name in lexical.INTEGERS and lexical.is_number(type):
        test = f"not ({v}.isdecimal() and {v}.isascii()) or len({v}) > 9"
        return (f"int({v})", test) if name in ("int", "unsignedInt") else ("", "")
    matches = f"not {program.object(lexical.MATCHERS[name])}({v})"
    if name == "decimal":
        return v, f'not ({v}.isascii() and {v}.replace(".", "", 1).isdecimal()) and {matches}'
    return v, matches
