"""Which fields of a JSON value somebody sees and may set.

Paths are names joined by dots. A list on the way is looked through whether the path says ``[]`` or not, and so are the arrays
in which a contract keeps order (``$items``, ``$content``). What cannot be looked into, such as raw XML, counts as hidden where a
part of it might be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

Path = tuple[str, ...]

MOST_NAMES = 32
_NAME = re.compile(r"(@?(?:\{[^{}\s,]+\})?\$?[^\W][\w-]*)(?:\[\])?(?:\.|$)")
_ORDERED = ("$items", "$content")
_OPAQUE = "$xml"
_GONE = object()


def parse_field(text: str) -> Path:
    """``lines[].unitPrice`` as names. Raises ``ValueError`` with what and remedy."""
    names: list[str] = []
    position = 0
    while (match := _NAME.match(text, position)) is not None:
        names.append(match[1])
        position = match.end()
    if not names or position != len(text) or text.endswith(".") or len(names) > MOST_NAMES:
        raise ValueError(f"'{text}' is no field", "write names joined by dots, such as payee.account or lines[].unitPrice")
    return tuple(names)


@dataclass(frozen=True, slots=True)
class Node:
    """What of one value is seen: by name what is below it, and whether names that are not listed are seen."""

    below: Mapping[str, Node]
    rest: bool


KEEP = Node(MappingProxyType({}), True)
DROP = Node(MappingProxyType({}), False)


def tree(hidden: Iterable[Path], shown: Iterable[Path] | None = None) -> Node:
    """Everything but what is hidden; where ``shown`` is given, nothing but that. Hidden wins."""
    return _node(frozenset(hidden), None if shown is None else frozenset(shown))


def _node(hidden: frozenset[Path], shown: frozenset[Path] | None) -> Node:
    if () in hidden or (shown is not None and not shown):
        return DROP
    if shown is not None and () in shown:
        shown = None
    names = {path[0] for path in hidden} | {path[0] for path in shown or ()}
    if not names:
        return KEEP
    below = {name: _node(_under(hidden, name), None if shown is None else _under(shown, name)) for name in sorted(names)}
    return Node(MappingProxyType(below), shown is None)


def _under(paths: frozenset[Path], name: str) -> frozenset[Path]:
    return frozenset(path[1:] for path in paths if path[0] == name)


def _below(node: Node, name: str) -> Node:
    """What is seen of a member. A name with its namespace is also meant by its local name where that is hidden."""
    if name in _ORDERED:
        return node
    found = node.below.get(name)
    if found is None and node.rest and name[:1] == "{":
        found = node.below.get(name.rpartition("}")[2])
    if found is not None:
        return found
    return KEEP if node.rest and name != _OPAQUE else DROP


@dataclass(frozen=True, slots=True)
class Fields:
    """Immutable. ``seen`` is what may be read, ``settable`` what may be written: never more."""

    seen: Node = KEEP
    settable: Node = KEEP

    @property
    def masks(self) -> bool:
        """Whether anything is hidden."""
        return self.seen is not KEEP

    def shown(self, value: object) -> Any:
        """A JSON value without what is hidden; ``None`` where nothing is left of it."""
        found = _shown(value, self.seen)
        return None if found is _GONE else found

    def shown_at(self, pointer: str, value: object) -> Any:
        """The same of a value that stands at a JSON pointer."""
        found = _shown(value, self.view(pointer))
        return None if found is _GONE else found

    def touched(self, value: object, *, writes: bool) -> list[str]:
        """JSON pointers of fields in a request that may not be there: the hidden ones and, in a write, the locked ones."""
        return list(_touched(value, self.settable if writes else self.seen, ""))

    def view(self, pointer: str) -> Node:
        """What is seen at a JSON pointer, or at ``path/NAME`` and ``query/NAME``."""
        node = self.seen
        for token in pointer.split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            node = node if name.isdecimal() and name not in node.below else _below(node, name)
        return node

    def sees(self, path: Path) -> bool:
        """Whether a field, with all that is in it, is seen."""
        return _at(self.seen, path) is KEEP

    def hides(self, path: Path) -> bool:
        """Whether nothing of a field is seen."""
        return _at(self.seen, path) is DROP

    def locks(self, path: Path) -> bool:
        """Whether nothing of a field may be set."""
        return _at(self.settable, path) is DROP


def open_at(node: Node, path: Path) -> bool:
    """Whether a value at a path is let through as far as nothing is said of what is in it."""
    return _at(node, path).rest


def _at(node: Node, path: Path) -> Node:
    for name in path:
        node = _below(node, name)
    return node


def _shown(value: object, node: Node) -> object:
    if node is KEEP:
        return value
    if node is DROP:
        return _GONE
    if isinstance(value, dict):
        pairs = ((name, _shown(inner, _below(node, name))) for name, inner in value.items())
        return {name: inner for name, inner in pairs if inner is not _GONE}
    if isinstance(value, list | tuple):
        return [inner for inner in (_shown(item, node) for item in value) if inner is not _GONE]
    return value if node.rest else _GONE


def _touched(value: object, node: Node, pointer: str) -> Iterator[str]:
    if node is KEEP:
        return
    if node is DROP:
        yield pointer
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _touched(inner, _below(node, str(name)), f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _touched(item, node, f"{pointer}/{number}")
    else:
        yield pointer


# --- JSON Schema -----------------------------------------------------------------------------------------------------

_DEFINITIONS = "#/$defs/"
_BRANCHES = ("allOf", "anyOf", "oneOf", "prefixItems")


def shown_schema(schema: Mapping[str, Any] | None, node: Node) -> dict[str, Any] | None:
    """A JSON Schema (2020-12) without the properties that are hidden, and without definitions nothing refers to any more."""
    if schema is None or node is KEEP:
        return None if schema is None else dict(schema)
    definitions = schema.get("$defs", {})
    plain = {key: value for key, value in schema.items() if key != "$defs"}
    root = _schema(plain, node, {"#": plain, **{_DEFINITIONS + name: inner for name, inner in definitions.items()}})
    used = {name: definitions[name] for name in _used(root, definitions)}
    return {**root, "$defs": used} if used else root


def _schema(schema: Any, node: Node, known: Mapping[str, Any], depth: int = 0) -> Any:
    """A node is as deep as the longest path, so that a schema that refers to itself is unfolded no deeper."""
    if node is KEEP or not isinstance(schema, dict):
        return schema
    if node is DROP or depth > 100:
        return {"not": {}}
    reference = schema.get("$ref")
    if isinstance(reference, str):
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _schema({**known.get(reference, {}), **rest}, node, known, depth + 1)
    changed: dict[str, Any] = {key: inner for key, inner in schema.items() if key not in ("example", "examples", "default")}
    for key in _BRANCHES:
        if isinstance(schema.get(key), list):
            changed[key] = [_schema(branch, node, known, depth + 1) for branch in schema[key]]
    for key in ("items", "not", "if", "then", "else"):
        if key in schema:
            changed[key] = _schema(schema[key], node, known, depth + 1)
    return changed | _members(schema, node, known, depth)


def _members(schema: Mapping[str, Any], node: Node, known: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """``properties`` and ``required`` of an object's schema, where it has them."""
    changed: dict[str, Any] = {}
    if isinstance(schema.get("properties"), dict):
        inside = {name: (inner, _below(node, name)) for name, inner in schema["properties"].items()}
        kept = {name: pair for name, pair in inside.items() if pair[1] is not DROP}
        changed["properties"] = {name: _schema(inner, below, known, depth + 1) for name, (inner, below) in kept.items()}
    if isinstance(schema.get("required"), list):
        changed["required"] = [name for name in schema["required"] if _below(node, name) is not DROP]
    return changed


def _used(schema: Any, definitions: Mapping[str, Any]) -> list[str]:
    found: dict[str, None] = {}
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            reference = value.get("$ref")
            name = reference.removeprefix(_DEFINITIONS) if isinstance(reference, str) else ""
            if name in definitions and name not in found:
                found[name] = None
                waiting.append(definitions[name])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return sorted(found)


def has_field(schema: Mapping[str, Any], path: Path) -> bool:
    """Whether a JSON Schema describes a field, or leaves open what may stand there."""
    return _has(schema, path, schema, 0)


def _has(schema: Any, path: Path, root: Mapping[str, Any], depth: int) -> bool:
    if schema is True or depth > 100:
        return True
    if not isinstance(schema, dict):
        return False
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target = root if reference == "#" else root.get("$defs", {}).get(reference.removeprefix(_DEFINITIONS))
        return _has(target, path, root, depth + 1)
    if not path:
        return True
    branches = [branch for key in _BRANCHES for branch in schema.get(key, ()) if isinstance(branch, dict)]
    branches += [schema[key] for key in ("items", "then", "else") if isinstance(schema.get(key), dict)]
    properties = schema.get("properties", {})
    inside = [properties[name] for name in _ORDERED if name in properties]
    if path[0] in properties and _has(properties[path[0]], path[1:], root, depth + 1):
        return True
    if any(_has(branch, path, root, depth + 1) for branch in (*branches, *inside)):
        return True
    said = properties or branches or "type" in schema or "enum" in schema or "const" in schema
    more = schema.get("additionalProperties", None if said else True)
    if isinstance(more, dict):
        return _has(more, path[1:], root, depth + 1)
    return more is True


def names_in(schema: Mapping[str, Any], path: Path) -> frozenset[str]:
    """The names of the members that a JSON Schema describes at a path, lists and arrays that keep order looked through."""
    found: set[str] = set()
    visited: set[tuple[int, Path]] = set()
    waiting: list[tuple[Any, Path]] = [(schema, path)]
    while waiting:
        inner, left = waiting.pop()
        if not isinstance(inner, dict) or (id(inner), left) in visited:
            continue
        visited.add((id(inner), left))
        reference = inner.get("$ref")
        if isinstance(reference, str):
            known = schema if reference == "#" else schema.get("$defs", {}).get(reference.removeprefix(_DEFINITIONS))
            waiting.append((known, left))
        properties = inner.get("properties", {})
        waiting += [(branch, left) for key in _BRANCHES for branch in inner.get(key, ())]
        waiting += [(inner[key], left) for key in ("items", "then", "else") if key in inner]
        waiting += [(properties[name], left) for name in _ORDERED if name in properties]
        if left and left[0] in properties:
            waiting.append((properties[left[0]], left[1:]))
        elif left:
            waiting.append((inner.get("additionalProperties"), left[1:]))
        else:
            found |= properties.keys() - {*_ORDERED, _OPAQUE}
    return frozenset(found)
