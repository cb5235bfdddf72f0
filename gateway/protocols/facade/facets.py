"""The constraints of a JSON Schema as facets of an XSD type, where both mean the same; others are left to the route's check."""

from __future__ import annotations

import re
from typing import Any

from gateway.protocols.soap.facets import compile_pattern

_FOREIGN = re.compile(r"\\[^dDwWsS.\-/+*?()\[\]{}|\\]|\(\?|[*+?}]\?|[\^$&<]|\[\[")
"""What is not the same in both notations, or not worth telling apart."""


def facets(schema: dict[str, Any], builtin: str, values: list[Any] | None) -> tuple[tuple[str, str], ...]:
    """Facet names and values, in the order XML Schema's own schema lists them."""
    if values is not None:
        return tuple(("enumeration", text(value)) for value in values)
    found: list[tuple[str, str]] = []
    if builtin in ("int", "long", "integer"):
        bounds = (("minInclusive", schema.get("minimum")), ("maxInclusive", schema.get("maximum")))
        found += [(name, str(bound)) for name, bound in bounds if isinstance(bound, int)]
    if builtin == "string":
        sizes = (("minLength", schema.get("minLength")), ("maxLength", schema.get("maxLength")))
        found += [(name, str(size)) for name, size in sizes if size is not None]
        pattern = xsd_pattern(schema.get("pattern", ""))
        found += [("pattern", pattern)] if pattern else []
    return tuple(found)


def text(value: object) -> str:
    """A JSON scalar as XSD writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def xsd_pattern(pattern: str) -> str:
    """An anchored ECMA 262 pattern as an XSD one; "" for one that is not anchored or says what XSD cannot."""
    if not (pattern.startswith("^") and pattern.endswith("$")) or pattern.endswith("\\$"):
        return ""
    found = pattern[1:-1].replace("(?:", "(")
    if _FOREIGN.search(found) or ("|" in found and not _is_grouped(found)):
        return ""
    try:
        compile_pattern(found)
    except (ValueError, re.error):
        return ""
    return found


def _is_grouped(pattern: str) -> bool:
    """Whether every alternative stands in parentheses, so that the anchors bound all of them."""
    depth = 0
    for character in pattern.replace("\\\\", "").replace("\\(", "").replace("\\)", ""):
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            return False
    return True
