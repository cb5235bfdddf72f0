"""JSON Schema 2020-12 of a table's REST side, for the API documentation and for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.mapping.forms import Schema, form_schema
from gateway.mapping.layout import fields
from gateway.mapping.path import EACH, Path, lists
from gateway.mapping.table import Direction, Line, Table

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(slots=True)
class _Node:
    path: Path = ()
    line: Line | None = None
    children: dict[str, _Node] = field(default_factory=dict)


def request_schema(table: Table, most: Mapping[Path, int]) -> Schema:
    """What a satellite may send. ``most`` are lengths the contract sets, by REST path."""
    return {"$schema": DIALECT, **_schema(_tree(table, "request"), _Side(table, "request", most))}


def answer_schema(table: Table) -> Schema:
    """What a satellite gets. Open: the ERP's side may gain fields."""
    return {"$schema": DIALECT, **_schema(_tree(table, "answer"), _Side(table, "answer", {}))}


def _tree(table: Table, direction: Direction) -> _Node:
    root = _Node()
    for line in fields(table, direction):
        if line.rest is None:
            continue
        node = root
        for name in line.rest:
            node = node.children.setdefault(name, _Node((*node.path, name)))
        node.line = node.line or line
    return root


class _Side:
    """The rows of one direction, asked by REST path."""

    def __init__(self, table: Table, direction: Direction, most: Mapping[Path, int]) -> None:
        self.table = table
        self.direction = direction
        self.most = most
        self.groups = {line.rest: line.row for line in table.of(direction) if line.row.kind in ("object", "list")}

    def leaf(self, line: Line) -> Schema:
        row = line.row
        if row.constant is not None:
            schema: Schema = {"const": row.constant}
            return schema | ({"description": row.doc} if row.doc else {})
        most = self.most.get(line.rest or ())
        own = None if row.max is None or row.kind != "string" else int(row.max)
        return form_schema(row, self.direction, min((bound for bound in (most, own) if bound is not None), default=None))

    def required(self, node: _Node) -> bool:
        """Whether the object around always has this key."""
        answer = self.direction == "answer"
        if EACH in node.children:
            group = self.groups.get((*node.path, EACH))
            item = node.children[EACH].line
            if answer and (*node.path, EACH) in lists(self.table.rest_root):
                return True
            return group.required if group else bool(item and item.row.required and not answer)
        if node.line is not None:
            row = node.line.row
            if not answer:
                return row.required
            return row.constant is not None or row.answer_default is not None or (row.required and row.serves == "answer")
        group = self.groups.get(node.path)
        if group is not None and not answer:
            return group.required
        return any(self.required(child) for child in node.children.values())


def _schema(node: _Node, side: _Side) -> Schema:
    if EACH in node.children:
        item = node.children[EACH]
        group = side.groups.get(item.path)
        schema: Schema = {"type": "array", "items": _schema(item, side)}
        if group is not None:
            bounds = {"minItems": group.min, "maxItems": group.max} if side.direction == "request" else {}
            schema |= {key: bound for key, bound in bounds.items() if bound is not None}
            schema |= {"description": group.doc} if group.doc else {}
        return schema
    if node.line is not None:
        return side.leaf(node.line)
    return _object(node, side)


def _object(node: _Node, side: _Side) -> Schema:
    schema: Schema = {"type": "object", "properties": {name: _schema(child, side) for name, child in node.children.items()}}
    required = [name for name, child in node.children.items() if side.required(child)]
    if required:
        schema["required"] = required
    if side.direction == "request":
        schema["additionalProperties"] = False
    group = side.groups.get(node.path)
    doc = group.doc if group is not None and group.kind == "object" else side.table.config.doc if not node.path else None
    return schema | ({"description": doc} if doc else {})
