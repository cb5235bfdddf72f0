"""What a row of type any moves as it is, described by the contract: a table's own schema says nothing about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from gateway.mapping.path import EACH, Path

Schema = dict[str, Any]

DEFINITIONS = "#/$defs/"
KEPT = ("description", "examples", "default")
"""What a row itself says about its value, whatever the contract says."""


def described(schema: Schema, contract: Schema, moves: Iterable[tuple[Path, Path]]) -> Schema:
    """The schema of a table's REST side in which each move, a REST path with its ERP path, has the schema that the contract gives
    that ERP path. What the contract does not describe stays as it is. Both schemas are JSON Schema 2020-12."""
    made, definitions = deepcopy(schema), contract.get("$defs", {})
    used: dict[str, Schema] = {}
    for rest, erp in moves:
        found = next(_at(contract, definitions, erp), None)
        place = _holder(made, rest)
        if found is not None and place is not None:
            holder, key = place
            holder[key] = found | {name: holder[key][name] for name in KEPT if name in holder[key]}
            _use(found, definitions, used)
    return made | {"$defs": used} if used else made


def _holder(schema: Schema, path: Path) -> tuple[Schema, str] | None:
    """Where in a table's schema the schema of a path stands."""
    holder, key = {"": schema}, ""
    for name in path:
        inner = holder[key]
        holder, key = (inner, "items") if name == EACH else (inner.get("properties", {}), name)
        if key not in holder:
            return None
    return holder, key


def _at(schema: Any, definitions: Mapping[str, Schema], path: Path) -> Iterator[Schema]:
    """The schemas a contract has at a path, in each of the forms that a value may have on the way."""
    if not path:
        yield schema
        return
    inner = _resolved(schema, definitions)
    for option in (*inner.get("oneOf", ()), *inner.get("anyOf", ())):
        yield from _at(option, definitions, path)
    step = inner.get("items") if path[0] == EACH else inner.get("properties", {}).get(path[0])
    if isinstance(step, dict):
        yield from _at(step, definitions, path[1:])


def _resolved(schema: Any, definitions: Mapping[str, Schema]) -> Schema:
    if not isinstance(schema, dict):
        return {}
    reference = schema.get("$ref")
    return definitions.get(reference.removeprefix(DEFINITIONS), {}) if isinstance(reference, str) else schema


def _use(value: Any, definitions: Mapping[str, Schema], used: dict[str, Schema]) -> None:
    """Gather every definition that a schema leads to."""
    if isinstance(value, list):
        for item in value:
            _use(item, definitions, used)
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        name = inner.removeprefix(DEFINITIONS) if key == "$ref" and isinstance(inner, str) else ""
        if name in definitions and name not in used:
            used[name] = definitions[name]
            _use(definitions[name], definitions, used)
        _use(inner, definitions, used)
        if key == "discriminator" and isinstance(inner, dict):
            for reference in inner.get("mapping", {}).values():
                _use({"$ref": reference}, definitions, used)
