"""Parameters are strings; a contract has types. Where no field table stands between, the contract's schema says what each becomes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)")


def coercer(schema: dict[str, Any] | None) -> Callable[[object], object]:
    """A function from an object of strings to one whose integers, booleans and one-element lists are what ``schema`` wants. What
    cannot be converted stays a string, so that the contract's own error is the one the caller reads."""
    properties: dict[str, Any] = dict((schema or {}).get("properties", {}))

    def coerce(value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: _as(properties.get(name, {}), text) for name, text in value.items()}

    return coerce


def _as(schema: dict[str, Any], text: object) -> object:
    if not isinstance(text, str):
        return text
    kinds = schema.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "integer" in kinds and "string" not in kinds and _NUMBER.fullmatch(text):
        return int(text)
    if "boolean" in kinds and text in ("true", "false"):
        return text == "true"
    if "array" in kinds:
        return [_as(schema.get("items", {}), text)]
    return text
