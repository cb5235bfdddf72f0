"""Text of simple types against JSON values.

Every simple type becomes two closures, made once: ``writer(type)`` turns a JSON value into checked, unescaped XML text and
``reader(type)`` turns XML text into a JSON value. Both raise ``ValueError`` with a sentence fit for the caller. Digits are never
lost: decimals and wide integers travel as strings. Requests are held to every facet, answers only to the lexical form, because
an ERP's answer with a new code must still arrive.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from gateway.protocols.soap.facets import checker
from gateway.protocols.soap.lexical import (
    INTEGERS,
    MATCHERS,
    NUMERIC,
    RANGES,
    SAFE_INTEGER,
    check_characters,
    is_number,
    kind,
    normalise,
    whitespace,
)
from gateway.protocols.soap.model import SimpleType

Writer = Callable[[object], str]
Reader = Callable[[str], object]

_SPACE = " \t\r\n"
_ARTICLE: Final = {"boolean": "true or false", "float": "a number", "double": "a number"}


# --- JSON value to text ----------------------------------------------------------------------------------------------


def writer(type: SimpleType) -> Writer:
    """The closure that turns a JSON value into text of this type."""
    if type.variety == "list":
        return _list_writer(type)
    if type.variety == "union":
        return _union_writer(type)
    if type.builtin in NUMERIC or type.builtin == "boolean":
        to_text = _number_text(type.builtin)
    else:
        to_text = _string_text(type.builtin)
    check = checker(type)

    def write(value: object) -> str:
        text = to_text(value)
        check(text)
        return text

    return write


def _string_text(name: str) -> Writer:
    def write(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(f"must be a string ({name}), not {kind(value)}")
        check_characters(value)
        return value

    return write


def _number_text(name: str) -> Writer:
    def write(value: object) -> str:
        if name == "boolean":
            if isinstance(value, bool):
                return "true" if value else "false"
            raise ValueError(f"must be true or false, not {kind(value)}")
        if isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, float):
            return _float_text(name, value)
        raise ValueError(f"must be {_ARTICLE.get(name, 'a string of digits')} ({name}), not {kind(value)}")

    return write


def _float_text(name: str, value: float) -> str:
    if name not in ("float", "double"):
        raise ValueError(f'must be a string such as "12.50" ({name}): a JSON number with a fraction may lose digits')
    if math.isnan(value) or math.isinf(value):
        raise ValueError('must be a finite number or one of "INF", "-INF", "NaN"')
    return repr(value)


def _list_writer(type: SimpleType) -> Writer:
    item = writer(type.item or SimpleType("string"))
    check = checker(type)

    def write(value: object) -> str:
        if not isinstance(value, list):
            raise ValueError(f"must be an array, not {kind(value)}")
        texts = [item(member) for member in value]
        if any(not text or set(text) & set(_SPACE) for text in texts):
            raise ValueError("items of a list cannot be empty or hold spaces")
        text = " ".join(texts)
        check(text)
        return text

    return write


def _union_writer(type: SimpleType) -> Writer:
    members = [writer(member) for member in type.members]
    check = checker(type)

    def write(value: object) -> str:
        for member in members:
            try:
                text = member(value)
            except ValueError:
                continue
            check(text)
            return text
        raise ValueError("fits none of the types it may have")

    return write


# --- text to JSON value ----------------------------------------------------------------------------------------------


def reader(type: SimpleType) -> Reader:
    """The closure that turns text of this type into a JSON value, facets unchecked."""
    if type.variety == "list":
        item = reader(type.item or SimpleType("string"))
        return lambda text: [item(part) for part in normalise(text, "collapse").split(" ") if part]
    mode = whitespace(type)
    if type.variety == "union":
        return lambda text: normalise(text, mode)
    matches = MATCHERS.get(type.builtin)
    convert = _conversion(type)
    name = type.builtin

    def read(text: str) -> object:
        text = normalise(text, mode)
        if name == "base64Binary":
            text = text.replace(" ", "")
        if matches and not matches(text):
            raise ValueError(f"is not a valid {name}")
        return convert(text) if convert else text

    return read


def _conversion(type: SimpleType) -> Reader | None:
    if type.builtin == "boolean":
        return lambda text: text in ("true", "1")
    if type.builtin in INTEGERS and is_number(type):
        return lambda text: _bounded(text, type)
    if type.builtin in ("float", "double"):
        return lambda text: text if text.endswith(("F", "N")) else _finite(text)
    return None


def _bounded(text: str, type: SimpleType) -> int:
    low, high = RANGES[type.builtin]
    if len(text) > 40 or not (low is None or low <= int(text)) or not (high is None or int(text) <= high):
        raise ValueError(f"is not a valid {type.builtin}")
    if abs(int(text)) > SAFE_INTEGER:
        raise ValueError("has more digits than a JSON number keeps")
    return int(text)


def _finite(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else ("INF" if value > 0 else "-INF")
