"""Texts, codes, code lists, booleans: what is copied, padded or looked up."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from gateway.exchange import ABSENT
from gateway.mapping.table import Codes, code_text
from gateway.mapping.wrong import Wrong

Convert = Callable[[object], object]

_FEW = 12
_CODE = re.compile(r"-?[0-9]{1,40}")


def kind_of(value: object) -> str:
    """What a value is called in JSON."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def matcher(pattern: str) -> Callable[[str], object]:
    """Whether the whole of a text fits a row's pattern."""
    return re.compile(pattern, re.ASCII).fullmatch


def string_request(least: int | None, most: int | None, pattern: str | None) -> Convert:
    """The text unchanged. Lengths count Unicode characters, as XSD does."""
    low = least or 0
    high = most if most is not None else 1 << 62
    match = matcher(pattern) if pattern else None

    def convert(value: object) -> object:
        if type(value) is not str:
            raise Wrong(f"must be a string, not {kind_of(value)}")
        if not low <= len(value) <= high:
            raise Wrong(f"is longer than {high} characters" if len(value) > high else f"is shorter than {low} characters")
        if match is not None and not match(value):
            raise Wrong(f"does not match the pattern {pattern}")
        if not value.isascii():
            _whole_characters(value)
        return value

    return convert


def _whole_characters(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Wrong("holds half of a surrogate pair, which is no character") from error


def string_answer(value: object) -> object:
    if type(value) is str:
        return value
    raise Wrong(f"is {kind_of(value)}, not a string")


def code_request(digits: int) -> Convert:
    """``4711`` to ``00004711``. Leading zeros are welcome up to the full width."""

    def convert(value: object) -> object:
        if type(value) is str and value.isascii() and value.isdigit() and len(value) <= digits:
            return value.zfill(digits)
        raise Wrong(f'must be a string of at most {digits} digits, such as "{"4711"[:digits]}"')

    return convert


def code_answer(value: object) -> object:
    """``00004711`` to ``4711``; all zeros is ``0``."""
    if type(value) is str:
        if not value:
            return ABSENT
        if value.isascii() and value.isdigit():
            return value.lstrip("0") or "0"
    raise Wrong("is no code of digits")


def codes_request(values: Mapping[str, Codes], number: bool) -> Convert:
    """A REST word as the ERP's code; as a number when the ERP's element holds one."""
    table = {rest: int(erp) if number and isinstance(erp, str) and _CODE.fullmatch(erp) else erp for rest, erp in values.items()}
    known = f"must be one of {', '.join(table)}" if len(table) <= _FEW else f"is none of the {len(table)} known codes"

    def convert(value: object) -> object:
        if type(value) is str and value in table:
            return table[value]
        raise Wrong(known)

    return convert


def codes_answer(values: Mapping[str, Codes], unknown: Callable[[], None]) -> Convert:
    """The REST word for an ERP code. An unknown code passes, reported to ``unknown``, unless it reads like a known word."""
    table = {code_text(erp): rest for rest, erps in values.items() for erp in (erps if isinstance(erps, list) else [erps])}

    def convert(value: object) -> object:
        if type(value) is not str:
            if type(value) not in (int, bool):
                raise Wrong("is no code")
            value = code_text(value)
        rest = table.get(value)
        if rest is not None:
            return rest
        if not value:
            return ABSENT
        if value in values:
            raise Wrong("is an unknown code that reads like a known one")
        unknown()
        return value

    return convert


def boolean_request(values: Mapping[str, Codes] | None, *, parameter: bool) -> Convert:
    """``true`` or ``false`` as the ERP writes them. A ``parameter`` arrives as text."""
    yes, no = (values["true"], values["false"]) if values else (True, False)

    def convert(value: object) -> object:
        if value is True or (parameter and value == "true"):
            return yes
        if value is False or (parameter and value == "false"):
            return no
        raise Wrong("must be true or false")

    return convert


def boolean_answer(values: Mapping[str, Codes] | None) -> Convert:
    yes, no = (code_text(values["true"]), code_text(values["false"])) if values else ("true", "false")
    more = () if values else (("1", True), ("0", False))
    table = {yes: True, no: False, **dict(more)}

    def convert(value: object) -> object:
        if type(value) in (str, int, bool):
            text = code_text(value)
            if text in table:
                return table[text]
            if not text:
                return ABSENT
        raise Wrong("is no boolean of the field table")

    return convert


def any_value(value: object) -> object:
    return value


def copied(value: object) -> object:
    """The same value in objects and lists of its own."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def json_value(value: object) -> object:
    """The same value when it can be written as JSON, for what company functions give back."""
    if isinstance(value, dict):
        if all(type(key) is str for key in value):
            return {key: json_value(item) for key, item in value.items()}
    elif isinstance(value, list):
        return [json_value(item) for item in value]
    elif value is None or value is ABSENT or type(value) in (str, int, bool):
        return value
    elif type(value) is float and value - value == 0:
        return value
    raise Wrong("cannot be written as JSON")
