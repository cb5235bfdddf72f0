"""A JSON Schema as rows for people: one per field, in the order of the schema, with everything it is held to.

Rules are sentences with parameters, so that the page can say them in the reader's language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from gateway.approvals.messages import msgid
from gateway.edge.examples import PREFIX

Json = dict[str, Any]
Rule = tuple[str, Mapping[str, object]]

MOST = 400
"""Rows of one schema; the rest stands in the OpenAPI document."""
DEEPEST = 10
MOST_VALUES = 24

RANGE = (msgid("%(least)s to %(most)s"), msgid("%(least)s or more"), msgid("%(most)s or less"))
LENGTH = (msgid("%(least)s to %(most)s characters"), msgid("at least %(least)s characters"), msgid("at most %(most)s characters"))
SIZE = (msgid("%(least)s to %(most)s items"), msgid("at least %(least)s items"), msgid("at most %(most)s items"))
BOUNDS = {
    ("minLength", "maxLength"): LENGTH,
    ("minimum", "maximum"): RANGE,
    ("x-minimum", "x-maximum"): RANGE,
    ("minItems", "maxItems"): SIZE,
}
FACTS = {
    "x-total-digits": msgid("at most %(value)s digits"),
    "x-fraction-digits": msgid("at most %(value)s digits after the point"),
    "default": msgid("if left out: %(value)s"),
}
SAFE = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Field:
    """One row. ``depth`` counts the objects around it; ``values`` are the codes it may have, the first of them."""

    depth: int
    name: str
    type: str
    required: bool = False
    nullable: bool = False
    rules: tuple[Rule, ...] = ()
    values: tuple[object, ...] = ()
    doc: str = ""


@dataclass(slots=True)
class _Walk:
    schemas: Mapping[str, Json]
    inside: list[str] = field(default_factory=list)

    def resolved(self, schema: Json) -> tuple[Json, str]:
        """A schema behind its reference, with what stands beside that, and the name it was found under."""
        name = ""
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(PREFIX)
            schema = self.schemas.get(name, {}) | {key: value for key, value in schema.items() if key != "$ref"}
        return schema, name

    def rows(self, schema: Json, depth: int) -> Iterator[Field]:
        """The rows of what an object or a list of objects holds."""
        schema, name = self.resolved(schema)
        if name in self.inside or depth > DEEPEST:
            return
        if name:
            self.inside.append(name)
        inner, _ = self.without_null(schema)
        if inner is not schema:
            yield from self.rows(inner, depth)
        elif schema.get("type") == "array":
            yield from self.rows(schema["items"] if isinstance(schema.get("items"), dict) else {}, depth)
        elif "oneOf" in schema:
            for option in schema["oneOf"]:
                yield from self.option(option, depth)
        else:
            for key, value in schema.get("properties", {}).items():
                yield from self.row(key, value, key in schema.get("required", ()), depth)
        if name:
            self.inside.pop()

    def option(self, schema: Json, depth: int) -> Iterator[Field]:
        """One of several forms: a row for each if they are told apart by their type, else their fields."""
        found, _ = self.resolved(schema)
        tag = found.get("properties", {}).get("$type", {}).get("const") if isinstance(found, dict) else None
        if tag is None:
            yield from self.rows(schema, depth)
            return
        yield Field(depth, f"$type {tag}", "object", doc=found.get("description", ""))
        yield from (row for row in self.rows(schema, depth + 1) if row.name != "$type")

    def row(self, name: str, schema: Json | bool, required: bool, depth: int) -> Iterator[Field]:
        given = schema if isinstance(schema, dict) else {}
        outer, _ = self.resolved(given)
        found, nullable = self.plain(given)
        items = found.get("items") if found.get("type") == "array" else None
        facts = self.plain(items)[0] if isinstance(items, dict) else found
        doc = next((each["description"] for each in (outer, found, facts) if each.get("description")), "")
        rules = (*rules_of(found), *(rules_of(facts) if facts is not found else ()))
        yield Field(depth, name, self.type(found), required, nullable, rules, tuple(codes(facts)[:MOST_VALUES]), doc)
        yield from self.rows(given, depth + 1)

    def plain(self, schema: Json) -> tuple[Json, bool]:
        """What a schema says about a value that is not null, and whether null is allowed."""
        inner, nullable = self.without_null(self.resolved(schema)[0])
        return self.resolved(inner)[0], nullable

    def without_null(self, schema: Json) -> tuple[Json, bool]:
        """The one form of a schema beside null, and whether null is allowed."""
        kinds = schema.get("type")
        if isinstance(kinds, list) and "null" in kinds:
            rest = [kind for kind in kinds if kind != "null"]
            return schema | {"type": rest[0] if len(rest) == 1 else rest}, True
        options = schema.get("anyOf", ())
        others = [option for option in options if option != {"type": "null"}]
        if others and len(others) < len(options):
            return others[0], True
        return schema, False

    def type(self, schema: Json) -> str:
        schema, _ = self.plain(schema)
        if "oneOf" in schema or "properties" in schema:
            return "object"
        if schema.get("type") == "array":
            items = schema.get("items")
            return f"array of {self.type(items) if isinstance(items, dict) else 'any'}"
        kinds = schema.get("type", "string" if codes(schema) else "number" if "anyOf" in schema and "format" in schema else "any")
        shown = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
        kind = schema.get("format") or schema.get("contentEncoding") or schema.get("x-xsd-type")
        return f"{shown} ({kind})" if kind and kind not in shown else shown


def fields(schema: Json, schemas: Mapping[str, Json]) -> tuple[list[Field], bool]:
    """The rows of a schema whose references lead to ``#/components/schemas``, and whether there would be more of them."""
    found = list(islice(_Walk(schemas).rows(schema, 0), MOST + 1))
    return found[:MOST], len(found) > MOST


def field_of(name: str, schema: Json, schemas: Mapping[str, Json], required: bool) -> Field:
    """The row of one parameter."""
    return next(_Walk(schemas).row(name, schema, required, 0))


def codes(schema: Json) -> list[object]:
    """The values a schema lists, those of an open list included."""
    for key in ("enum", "x-extensible-enum"):
        if key in schema:
            return list(schema[key])
    for option in schema.get("anyOf", ()):
        if isinstance(option, dict) and "enum" in option and {"type": "string"} in schema["anyOf"]:
            return list(option["enum"])
    return [schema["const"]] if "const" in schema else []


def rules_of(schema: Json) -> Iterator[Rule]:
    """What a value is held to, as sentences with their parameters."""
    for (low, high), sentences in BOUNDS.items():
        least, most = schema.get(low), schema.get(high)
        if (least, most) not in ((None, None), (-SAFE, SAFE)):
            yield sentences[1 if most is None else 2 if least is None else 0], {"least": least, "most": most}
    for pattern in (schema.get("pattern"), *schema.get("x-pattern", ())):
        if pattern is not None and schema.get("format") not in ("decimal", "date"):
            yield msgid("pattern %(pattern)s"), {"pattern": pattern}
    for key, sentence in FACTS.items():
        if key in schema:
            yield sentence, {"value": schema[key]}
    for rule in schema.get("allOf", ()):
        names = [option["required"][0] for option in rule.get("oneOf", ()) if list(option) == ["required"]]
        if len(names) > 1:
            yield msgid("one of %(names)s"), {"names": ", ".join(names)}
