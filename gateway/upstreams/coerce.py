"""Parameters are strings; a contract has types. Where no field table stands between, the contract's schema says what each is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")

Schema = dict[str, Any]


def coercer(schema: Schema | None) -> Callable[[object], object]:
    """A function from an object of strings to one whose integers, booleans and one-element lists are what ``schema`` wants. What
    cannot be converted stays a string, so that the contract's own error is the one the caller reads."""
    whole = schema or {}
    definitions: Schema = whole.get("$defs", {})
    properties: Schema = _resolved(whole, definitions).get("properties", {})

    def coerce(value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: _as(properties.get(name, {}), text, definitions) for name, text in value.items()}

    return coerce


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    for _ in range(len(definitions)):
        if "$ref" not in schema:
            break
        schema = definitions.get(schema["$ref"].rpartition("/")[2], {})
    return schema


def _as(schema: Schema, text: object, definitions: Schema) -> object:
    if not isinstance(text, str):
        return text
    schema = _resolved(schema, definitions)
    kinds = schema.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "integer" in kinds and "string" not in kinds and _NUMBER.fullmatch(text):
        return int(text)
    if "boolean" in kinds and text in ("true", "false"):
        return text == "true"
    if "array" in kinds:
        return [_as(schema.get("items", {}), text, definitions)]
    return text
