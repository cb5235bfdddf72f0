"""JSON bodies (RFC 8259, held to I-JSON, RFC 7493): strict in what is taken, exact in what is kept.

orjson reads the text; what it would let pass in silence is looked for separately: duplicate keys, nesting, and numbers whose
digits it would lose. A body written compactly proves itself by being written again to the same bytes; others are proved by
counting, and only what stays in doubt is read a second time, slowly. No number is ever returned that is not the one sent.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

import orjson

from gateway.errors import BadRequest

_DIGITS: Final = bytes.maketrans(b"123456789.E", b"0000000000e")
_MAX_DEPTH: Final = 200
_INT64: Final = range(-(2**63), 2**64)


def loads(data: bytes, *, depth: int = 64) -> object:
    """A JSON text as a value: dict, list, str, int, float, bool or None.

    :param depth: how many objects and arrays may stand inside each other; 200 is the most there can be.
    Raises ``BadRequest`` for what is not JSON in UTF-8 without a byte order mark, for duplicate keys, for integers beyond 64
    bits and for fractions a double cannot hold exactly as written.
    """
    if not data or data.isspace():
        raise BadRequest("the body is empty; a JSON value is expected")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not valid JSON in UTF-8: {_message(error)}") from error
    depth = min(depth, _MAX_DEPTH)
    if data.count(b"[") + data.count(b"{") > depth and _deeper(value, depth):
        raise BadRequest(f"the body is nested more than {depth} deep")
    again = orjson.dumps(value)
    if again == data or (again.count(b":") == data.count(b":") and not _doubtful(data) and b"\\u003" not in data):
        return value
    return _exactly(data)


def dumps(value: object) -> bytes:
    """A value as compact JSON in UTF-8."""
    return orjson.dumps(value)


def _message(error: orjson.JSONDecodeError) -> str:
    return f"{error.msg} at line {error.lineno}, column {error.colno}"


def _doubtful(data: bytes) -> bool:
    """Whether a number may have more digits than a double keeps: sixteen in a row, or an exponent. May err towards yes."""
    shape = data.translate(_DIGITS)
    return b"0000000000000000" in shape or b"0e" in shape


def _deeper(value: object, depth: int) -> bool:
    """Whether containers are nested beyond ``depth``, looked at level by level."""
    level = [value]
    for _ in range(depth + 1):
        containers = [item for item in level if isinstance(item, dict | list)]
        if not containers:
            return False
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
    return True


def _exactly(data: bytes) -> object:
    """Read again, every key and number examined."""
    try:
        return json.loads(data, object_pairs_hook=_object, parse_int=_integer, parse_float=_fraction)
    except RecursionError as error:  # what a duplicate key hid may be nested as deep as orjson reads
        raise BadRequest("the body is nested too deep") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise BadRequest(f"the key {json.dumps(key[:100], ensure_ascii=False)} stands twice in one object")
            seen.add(key)
    return result


def _integer(text: str) -> int:
    if len(text) > 20 or int(text) not in _INT64:
        raise BadRequest("an integer in the body has more than 64 bits; send it as a string")
    return int(text)


def _fraction(text: str) -> float:
    value = float(text)
    if len(text) > 1_000 or not Decimal(repr(value)).is_finite() or Decimal(text) != Decimal(repr(value)):
        raise BadRequest("a number in the body has more digits than a JSON number keeps; send it as a string")
    return value
