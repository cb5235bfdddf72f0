"""An example for a JSON Schema: the same one each time, and valid by the schema.

What the schema itself gives as an example is taken before anything is made up. Objects are full as long as the example is small,
then they hold what they must. Where no example is found there is none: a wrong one would be worse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from itertools import islice
from typing import Any

from gateway.edge.patterns import matching

Json = dict[str, Any]

FULL = 150
"""Values an example has before its objects are cut down to what is required."""
DEEPEST, MOST_STEPS, MOST_ITEMS = 12, 20_000, 20
PREFIX = "#/components/schemas/"

BY_FORMAT = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T09:30:00Z",
    "time": "09:30:00",
    "uri": "https://example.com/",
    "uri-reference": "/example",
    "decimal": "12.50",
}
BY_XSD = {
    "date": "2026-01-31",
    "dateTime": "2026-01-31T09:30:00Z",
    "time": "09:30:00",
    "duration": "P1D",
    "yearMonthDuration": "P1M",
    "dayTimeDuration": "P1D",
    "gYear": "2026",
    "gYearMonth": "2026-01",
    "gMonth": "--01",
    "gMonthDay": "--01-31",
    "gDay": "---31",
    "QName": "{urn:example}name",
    "NOTATION": "{urn:example}name",
}
BY_ENCODING = {"base64": "ZXhhbXBsZQ==", "base16": "0A1B2C"}
TEXTS = ("text", "1", "12.50", "12.5", "0", "2026-01-31", "2026-01-31T09:30:00", "2026-01-31T09:30:00Z", "en", "A", "")
NOTHING: Json = {}


class NoExample(Exception):
    """None is found."""


def example(schema: Json, schemas: Mapping[str, Json] = NOTHING) -> object:
    """An example of the schema, whose references lead to ``#/components/schemas``. Raises ``NoExample``."""
    return _Maker(schemas).make(schema, ())


class _Maker:
    def __init__(self, schemas: Mapping[str, Json]) -> None:
        self._schemas = schemas
        self._values = 0
        self._steps = 0

    def make(self, schema: Json | bool, inside: tuple[str, ...]) -> Any:
        self._steps += 1
        if self._steps > MOST_STEPS or len(inside) > DEEPEST or schema is False:
            raise NoExample
        if schema is True:
            return "text"
        for key in ("examples", "$ref", "const", "enum", "x-extensible-enum", "oneOf", "anyOf"):
            if key in schema:
                return self._given(key, schema, inside)
        self._values += 1
        kinds = schema.get("type", "object" if "properties" in schema else "any")
        return self._first([partial(self._kind, kind, schema, inside) for kind in ([kinds] if isinstance(kinds, str) else kinds)])

    def _given(self, key: str, schema: Json, inside: tuple[str, ...]) -> Any:
        value = schema[key]
        if key == "$ref":
            return self._referred(value.removeprefix(PREFIX), inside)
        if key == "const":
            return value
        if key in ("oneOf", "anyOf"):
            late = self._values > FULL and {"type": "null"} in value
            return None if late else self._first([partial(self.make, each, inside) for each in value])
        if not value:
            raise NoExample
        return value[0]

    def _referred(self, name: str, inside: tuple[str, ...]) -> Any:
        if inside.count(name) > 1 or name not in self._schemas:
            raise NoExample
        return self.make(self._schemas[name], (*inside, name))

    def _first(self, ways: Sequence[Callable[[], Any]]) -> Any:
        for way in ways:
            try:
                return way()
            except NoExample:
                continue
        raise NoExample

    def _kind(self, kind: str, schema: Json, inside: tuple[str, ...]) -> Any:
        match kind:
            case "object":
                return self._object(schema, inside)
            case "array":
                return self._array(schema, inside)
            case "string":
                return _text(schema)
            case "integer":
                return _number(schema)
            case "number":
                return 1.5
            case "boolean":
                return True
            case "null":
                return None
        return "text"

    def _array(self, schema: Json, inside: tuple[str, ...]) -> list[Any]:
        items, least = schema.get("items", True), schema.get("minItems", 0)
        if least > MOST_ITEMS:
            raise NoExample
        wanted = [items] * max(least, 1)
        if isinstance(items, dict) and _one_keyed(items.get("oneOf", ())):
            wanted = list(islice(items["oneOf"], schema.get("maxItems")))  # an ordered group: each of its members once
        if schema.get("maxItems") == 0:
            wanted = []
        try:
            return [self.make(each, inside) for each in wanted]
        except NoExample:
            if least:
                raise
            return []

    def _object(self, schema: Json, inside: tuple[str, ...]) -> Json:
        full = self._values <= FULL and len(set(inside)) == len(inside)
        options = max([1, *(len(each.get("oneOf", ())) for each in schema.get("allOf", ()))])
        tries = [(option, all_) for all_ in ((True, False) if full else (False,)) for option in range(options)]
        made: Json = self._first([partial(self._filled, schema, inside, option, all_) for option, all_ in tries])
        return made

    def _filled(self, schema: Json, inside: tuple[str, ...], option: int, full: bool) -> Json:
        properties, required = schema.get("properties", {}), set(schema.get("required", ()))
        wanted = set(properties) if full else set(required)
        wanted = _chosen(schema, wanted | required, option, full)
        value: Json = {}
        for name in [*properties, *sorted(required - set(properties))]:
            if name in required or (name in wanted and self._values <= FULL):
                try:
                    value[name] = self.make(properties.get(name, True), inside)
                except NoExample:
                    if name in required:
                        raise
        if not _holds(schema, value):
            raise NoExample
        if not properties and schema.get("minProperties"):
            names = schema.get("propertyNames", {}).get("not", {}).get("enum", ())
            return {"$xml": "<example/>"} if "$xml" not in names else {"other": "text"}
        return value


def _one_keyed(options: Sequence[Json]) -> bool:
    return bool(options) and all(len(option.get("properties", ())) == 1 or option == {"type": "string"} for option in options)


# --- which keys go together ------------------------------------------------------------------------------------------


def _chosen(rules: Json, names: set[str], option: int, full: bool) -> set[str]:
    """The names that keep the rules of an object, ``option`` of each choice being taken."""
    names = names | set(rules.get("required", ()))
    for rule in rules.get("allOf", ()):
        names = _chosen(rule, names, option, full)
    if "oneOf" in rules:
        names = _of_choice(rules["oneOf"], names, option, full)
    if "anyOf" in rules and not names & _mentioned(rules):
        names |= _mentioned(rules["anyOf"][0])
    if "if" in rules and names & _mentioned(rules["if"]):
        names = _chosen(rules["then"], names, option, full)
    return names


def _of_choice(options: Sequence[Json], names: set[str], option: int, full: bool) -> set[str]:
    empty = next((each for each in options if set(each) == {"not"}), None)
    if empty is not None and not full:
        return names - _mentioned({"oneOf": options})
    taken = options[min(option, len(options) - 1)]
    own = _mentioned(taken)
    names = names - (_mentioned({"oneOf": options}) - own)
    return _chosen(taken, names | (own if full else set()), option, full)


def _mentioned(rules: Json) -> set[str]:
    """The names a rule asks for, beside those it forbids."""
    found = set(rules.get("required", ()))
    for key in ("allOf", "anyOf", "oneOf"):
        for rule in rules.get(key, ()):
            found |= _mentioned(rule)
    for key in ("if", "then"):
        if key in rules:
            found |= _mentioned(rules[key])
    return found


def _holds(rules: Json, value: Json) -> bool:
    """Whether an object keeps the rules about its keys."""
    return (
        all(name in value for name in rules.get("required", ()))
        and all(_holds(rule, value) for rule in rules.get("allOf", ()))
        and ("oneOf" not in rules or sum(_holds(rule, value) for rule in rules["oneOf"]) == 1)
        and ("anyOf" not in rules or any(_holds(rule, value) for rule in rules["anyOf"]))
        and ("not" not in rules or not _holds(rules["not"], value))
        and ("if" not in rules or not _holds(rules["if"], value) or _holds(rules.get("then", {}), value))
    )


# --- single values ---------------------------------------------------------------------------------------------------


def _number(schema: Json) -> int:
    least, most = schema.get("minimum"), schema.get("maximum")
    wanted = 1 if least is None else max(int(least), 1)
    return wanted if most is None else min(wanted, int(most))


def _text(schema: Json) -> str:
    patterns = [rule["pattern"] for rule in (schema, *schema.get("allOf", ())) if "pattern" in rule]
    patterns += schema.get("x-pattern", ())
    for text in (*_likely(schema), *(text for pattern in patterns for text in matching(pattern)), *_long(schema)):
        if _fits(text, schema, patterns):
            return text
    raise NoExample


def _likely(schema: Json) -> Iterator[str]:
    for key, known in (("contentEncoding", BY_ENCODING), ("x-xsd-type", BY_XSD), ("format", BY_FORMAT)):
        if schema.get(key) in known:
            yield known[schema[key]]
    yield from TEXTS
    yield from (schema[key].strip() for key in ("x-minimum", "x-maximum") if key in schema)


def _long(schema: Json) -> Iterator[str]:
    length = schema.get("minLength") or schema.get("maxLength") or 0
    if length <= 10_000:
        yield ("text" * (length // 4 + 1))[:length]


def _fits(text: str, schema: Json, patterns: Sequence[str]) -> bool:
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)):
        return False
    whole, _, fraction = text.partition(".")
    digits = len(whole.lstrip("0")) + len(fraction)
    if digits > schema.get("x-total-digits", digits) or len(fraction) > schema.get("x-fraction-digits", len(fraction)):
        return False
    return all(_matches(pattern, text) for pattern in patterns) and _within(text, schema)


def _within(text: str, schema: Json) -> bool:
    """Whether a decimal is within the bounds of its contract."""
    if "x-minimum" not in schema and "x-maximum" not in schema:
        return True
    try:
        return Decimal(schema.get("x-minimum", text)) <= Decimal(text) <= Decimal(schema.get("x-maximum", text))
    except InvalidOperation:
        return False


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text, re.ASCII) is not None
    except re.error:
        return False
