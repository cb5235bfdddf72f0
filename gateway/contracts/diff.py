"""Two versions of a contract side by side: operations and fields that came, went or changed their type.

Fields are compared by path and by everything their type says. What the paths do not reach, recursive and open content, is
compared through the JSON Schema of the whole message, so that no change goes unseen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Literal

from gateway.contracts.fields import Direction, NoTable, Place, places
from gateway.mapping.path import EACH, Path, show_path
from gateway.protocols.soap import Contract, Operation, answer_schema, request_schema
from gateway.protocols.soap.model import Facets, SimpleType, Type, local

Kind = Literal["added", "removed", "retyped"]

LIMIT = 5_000
REQUIRED = ", required"
DIRECTIONS: tuple[Direction, ...] = ("request", "answer")


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs. ``path`` is "" for a message that has changed as a whole; ``was`` and ``now`` are "" where there is
    none. ``breaks``: a caller of the old version may fail with the new one."""

    operation: str
    direction: Direction
    path: str
    kind: Kind
    was: str
    now: str
    breaks: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """Operation names by what became of them, and the fields of those that changed. ``reasons`` says of a removed operation that
    the new version has it and why it cannot be offered."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    fields: tuple[Change, ...]
    reasons: Mapping[str, str]


def compare(old: Contract, new: Contract) -> Difference:
    """What differs between the operations two contracts offer, each by its first port."""
    before, after = _operations(old), _operations(new)
    found: list[Change] = []
    for name in before:
        if name in after:
            found += _operation(old, before[name], new, after[name])
    return Difference(
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        tuple(dict.fromkeys(change.operation for change in found)),
        tuple(found),
        {refused.operation: refused.reason for refused in new.not_offered if refused.operation in before.keys() - after.keys()},
    )


def words(change: Change) -> str:
    """A change as a sentence."""
    if not change.path:
        return "the message has another structure"
    if change.kind == "retyped":
        return f"{change.path} was {change.was}, is {change.now}"
    return f"{change.path} {change.kind} ({change.was or change.now})"


def _operations(contract: Contract) -> dict[str, Operation]:
    return {operation.name: operation for operation in reversed(contract.operations)}


def _operation(old: Contract, before: Operation, new: Contract, after: Operation) -> Iterator[Change]:
    for direction in DIRECTIONS:
        was, now = _fields(old, before, direction), _fields(new, after, direction)
        changes = list(_changes(before.name, direction, was, now))
        yield from changes
        if not changes and _schema(old, before, direction) != _schema(new, after, direction):
            yield Change(before.name, direction, "", "retyped", "another structure", "another structure", True)


def _changes(operation: str, direction: Direction, was: Mapping[Path, str], now: Mapping[Path, str]) -> Iterator[Change]:
    for path, type in was.items():
        shown = show_path(path)
        if path not in now:
            yield Change(operation, direction, shown, "removed", type, "", True)
        elif now[path] != type:
            yield Change(operation, direction, shown, "retyped", type, now[path], _breaks(direction, type, now[path]))
    for path, type in now.items():
        if path not in was:
            needed = direction == "request" and type.endswith(REQUIRED) and (path[:-1] in was or len(path) == 1)
            yield Change(operation, direction, show_path(path), "added", "", type, needed)


def _breaks(direction: Direction, was: str, now: str) -> bool:
    """Whether another type is more than a demand dropped from requests, or a promise added to answers."""
    return was != now + REQUIRED if direction == "request" else now != was + REQUIRED


def _fields(contract: Contract, operation: Operation, direction: Direction) -> dict[Path, str]:
    """The type of each path, its ``[]`` left out, so that a field that becomes a list is the same field."""
    try:
        roots = places(contract, operation, direction, LIMIT)
    except NoTable:
        return {}
    found = [place for root in roots for place in root.walk()]
    return {tuple(name for name in place.path if name != EACH): _type(place) for place in found}


def _schema(contract: Contract, operation: Operation, direction: Direction) -> object:
    return request_schema(contract, operation) if direction == "request" else answer_schema(contract, operation)


def _type(place: Place) -> str:
    """A type in words: what it is, what bounds it, whether it must be there."""
    text = "object" if place.children is not None else _name(place.type)
    if place.repeated:
        text = f"list of {text}, {place.least} to {'any number' if place.most is None else place.most}"
    text += ", nillable" if place.nillable else ""
    return text + (REQUIRED if place.required else "")


def _name(type: Type) -> str:
    if not isinstance(type, SimpleType):
        return local(type.name or "object") or "object"
    if type.variety == "list":
        return f"xs:list of {_name(type.item)}" if type.item is not None else "xs:list"
    if type.variety == "union":
        return f"union of {', '.join(map(_name, type.members))}"
    bounds = [f"{f.name} {_shown(value)}" for f in fields(Facets) if (value := getattr(type.facets, f.name)) not in (None, ())]
    return ", ".join([f"xs:{type.builtin}", *bounds])


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
