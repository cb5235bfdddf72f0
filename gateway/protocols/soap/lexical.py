"""The built-in simple types of XML Schema (part 2): their names, what their text looks like, how whitespace and integers count.

Everything else about simple types is made of this: their facets (``facets.py``) and their values in JSON (``simple.py``).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from typing import Final

from gateway.protocols.soap.model import Facets, SimpleType

SAFE_INTEGER: Final = 2**53 - 1

RANGES: Final[dict[str, tuple[int | None, int | None]]] = {
    "byte": (-(2**7), 2**7 - 1),
    "short": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
    "unsignedByte": (0, 2**8 - 1),
    "unsignedShort": (0, 2**16 - 1),
    "unsignedInt": (0, 2**32 - 1),
    "unsignedLong": (0, 2**64 - 1),
    "integer": (None, None),
    "nonNegativeInteger": (0, None),
    "positiveInteger": (1, None),
    "nonPositiveInteger": (None, 0),
    "negativeInteger": (None, -1),
}

_YEAR = r"-?(?!0000)(?:[1-9]\d{4,}|\d{4})"
_LEAP = r"-?(?!0000)(?:[1-9]\d*)?(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_MONTH_DAY = r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
_DATE = rf"(?:{_YEAR}-{_MONTH_DAY}|{_LEAP}-02-29)"
_TIME = r"(?:(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?|24:00:00(?:\.0+)?)"
_ZONE = r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))"
_NAME_START = "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"  # noqa: E501
_NAME_CHAR = _NAME_START + r"\-.0-9\u00b7\u0300-\u036f\u203f-\u2040"
NCNAME: Final = f"[{_NAME_START}][{_NAME_CHAR}]*"

_LEXICAL: dict[str, str] = {
    "boolean": "true|false|1|0",
    "decimal": r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)",
    "float": r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[Ee][+-]?\d+)?|-?INF|NaN",
    "date": rf"{_DATE}{_ZONE}?",
    "time": rf"{_TIME}{_ZONE}?",
    "dateTime": rf"{_DATE}T{_TIME}{_ZONE}?",
    "dateTimeStamp": rf"{_DATE}T{_TIME}{_ZONE}",
    "gYearMonth": rf"{_YEAR}-(?:0[1-9]|1[0-2]){_ZONE}?",
    "gYear": rf"{_YEAR}{_ZONE}?",
    "gMonthDay": rf"--(?:{_MONTH_DAY}|02-29){_ZONE}?",
    "gDay": rf"---(?:0[1-9]|[12]\d|3[01]){_ZONE}?",
    "gMonth": rf"--(?:0[1-9]|1[0-2]){_ZONE}?",
    "duration": r"-?P(?=.)(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?",
    "hexBinary": r"(?:[0-9A-Fa-f]{2})*",
    "language": r"[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*",
    "NMTOKEN": f"[{_NAME_CHAR}:]+",
    "Name": f"[{_NAME_START}:][{_NAME_CHAR}:]*",
    "NCName": NCNAME,
    "QName": rf"(?:\{{[^{{}}]*\}})?{NCNAME}",
} | dict.fromkeys(RANGES, r"[+-]?\d+")
_LEXICAL |= {
    "double": _LEXICAL["float"],
    "yearMonthDuration": r"-?P(?=.)(?:\d+Y)?(?:\d+M)?",
    "dayTimeDuration": r"-?P(?=.)(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?",
    "ID": NCNAME,
    "IDREF": NCNAME,
    "ENTITY": NCNAME,
    "NOTATION": _LEXICAL["QName"],
}


def _is_base64(text: str) -> bool:
    """Whether text without spaces is base64Binary (XML Schema part 2, section 3.2.16), unused bits zero as its grammar has it.
    Text of megabytes is common, and reading and writing it is many times faster than a regular expression."""
    try:
        return binascii.b2a_base64(binascii.a2b_base64(text, strict_mode=True), newline=False).decode("ascii") == text
    except ValueError:
        return False


MATCHERS: Final[dict[str, Callable[[str], object]]] = {
    name: re.compile(pattern, re.ASCII).fullmatch for name, pattern in _LEXICAL.items()
} | {"base64Binary": _is_base64}
TEXTUAL: Final = frozenset(
    [
        "string",
        "normalizedString",
        "token",
        "language",
        "NMTOKEN",
        "Name",
        "NCName",
        "ID",
        "IDREF",
        "ENTITY",
        "anyURI",
        "anySimpleType",
        "anyAtomicType",
    ]
)
INTEGERS: Final = frozenset(RANGES)
NUMERIC: Final = INTEGERS | {"decimal", "float", "double"}
QUALIFIED: Final = frozenset({"QName", "NOTATION"})
LISTS: Final = {"NMTOKENS": "NMTOKEN", "IDREFS": "IDREF", "ENTITIES": "ENTITY"}
BUILTINS: Final = frozenset(MATCHERS) | TEXTUAL | frozenset(LISTS)

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def builtin(name: str) -> SimpleType:
    """The built-in simple type of that local name. Raises ``KeyError`` when XML Schema has none such."""
    if name not in BUILTINS:
        raise KeyError(name)
    if name in LISTS:
        return SimpleType("anySimpleType", None, "list", Facets(min_length=1, whitespace="collapse"), builtin(LISTS[name]))
    return SimpleType(name)


def whitespace(type: SimpleType) -> str:
    """The whitespace facet in force."""
    if type.facets.whitespace:
        return type.facets.whitespace
    if type.variety == "union":
        return "preserve"
    if type.builtin in ("string", "anySimpleType", "anyAtomicType") and type.variety == "atomic":
        return "preserve"
    return "replace" if type.builtin == "normalizedString" else "collapse"


def normalise(text: str, mode: str) -> str:
    if mode == "preserve":
        return text
    text = text.translate(_BLANKS)
    if mode == "replace":
        return text
    return _collapse(text) if "  " in text else text.strip(" ")


_BLANKS = str.maketrans("\t\n\r", "   ")


def _collapse(text: str) -> str:
    return " ".join(part for part in text.split(" ") if part)


def integer_range(type: SimpleType) -> tuple[int | None, int | None]:
    """The inclusive bounds of an integer type, facets included; None is unbounded."""
    low, high = RANGES[type.builtin]
    f = type.facets
    lows = [low, _whole(f.min_inclusive), _whole(f.min_exclusive, 1)]
    highs = [high, _whole(f.max_inclusive), _whole(f.max_exclusive, -1)]
    if f.total_digits:
        lows.append(1 - 10**f.total_digits)
        highs.append(10**f.total_digits - 1)
    return (max((n for n in lows if n is not None), default=None), min((n for n in highs if n is not None), default=None))


def _whole(text: str | None, step: int = 0) -> int | None:
    return None if text is None else int(text) + step


def is_number(type: SimpleType) -> bool:
    """Whether an integer type travels as a JSON number: its values all fit a double exactly."""
    low, high = integer_range(type)
    return low is not None and high is not None and low >= -SAFE_INTEGER and high <= SAFE_INTEGER


def check_characters(text: str) -> None:
    """Raise ``ValueError`` for a character XML 1.0 (section 2.2) cannot carry."""
    found = _ILLEGAL.search(text)
    if found:
        raise ValueError(f"contains the character U+{ord(found[0]):04X}, which XML cannot carry")


def to_float(text: str) -> float:
    """The value of float or double text, the specials included."""
    return float(text.replace("INF", "inf"))


def kind(value: object) -> str:
    """What a JSON value is, for a sentence."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"
