"""Text of simple types: XML Schema part 2 lexical forms against JSON values.

Every simple type becomes two closures, made once: ``writer(type)`` turns a JSON value into checked, unescaped XML text and
``reader(type)`` turns XML text into a JSON value. Both raise ``ValueError`` with a sentence fit for the caller. Digits are never
lost: decimals and wide integers travel as strings. Requests are held to every facet, answers only to the lexical form, because
an ERP's answer with a new code must still arrive.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from elementpath.regex import RegexError, translate_pattern

from gateway.protocols.soap.model import Facets, SimpleType

Writer = Callable[[object], str]
Reader = Callable[[str], object]

SAFE_INTEGER: Final = 2**53 - 1

_RANGES: Final[dict[str, tuple[int | None, int | None]]] = {
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
} | dict.fromkeys(_RANGES, r"[+-]?\d+")
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
INTEGERS: Final = frozenset(_RANGES)
NUMERIC: Final = INTEGERS | {"decimal", "float", "double"}
QUALIFIED: Final = frozenset({"QName", "NOTATION"})
LISTS: Final = {"NMTOKENS": "NMTOKEN", "IDREFS": "IDREF", "ENTITIES": "ENTITY"}
BUILTINS: Final = frozenset(MATCHERS) | TEXTUAL | frozenset(LISTS)

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPACE = " \t\r\n"
_ARTICLE: Final = {"boolean": "true or false", "float": "a number", "double": "a number"}


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
    low, high = _RANGES[type.builtin]
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
            raise ValueError(f"must be a string ({name}), not {_kind(value)}")
        check_characters(value)
        return value

    return write


def _number_text(name: str) -> Writer:
    def write(value: object) -> str:
        if name == "boolean":
            if isinstance(value, bool):
                return "true" if value else "false"
            raise ValueError(f"must be true or false, not {_kind(value)}")
        if isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, float):
            return _float_text(name, value)
        raise ValueError(f"must be {_ARTICLE.get(name, 'a string of digits')} ({name}), not {_kind(value)}")

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
            raise ValueError(f"must be an array, not {_kind(value)}")
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


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"


kind = _kind


# --- facets ----------------------------------------------------------------------------------------------------------


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
    low, high = _RANGES[type.builtin]
    if len(text) > 40 or not (low is None or low <= int(text)) or not (high is None or int(text) <= high):
        raise ValueError(f"is not a valid {type.builtin}")
    if abs(int(text)) > SAFE_INTEGER:
        raise ValueError("has more digits than a JSON number keeps")
    return int(text)


def to_float(text: str) -> float:
    """The value of float or double text, the specials included."""
    return float(text.replace("INF", "inf"))


def _finite(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else ("INF" if value > 0 else "-INF")
