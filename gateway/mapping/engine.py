"""Rows compiled into closures that build one tree from another in a single walk over the source.

The source side decides the walk: an object dispatches each of its keys to what was compiled for it, a list converts each item
into a target of its own. Every closure either fills its target or raises ``Wrong`` with places relative to its own value, so that
a pointer costs nothing until something is wrong. Both directions use the same code: a request is strict (unknown keys are errors),
an answer drops what no row names.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.exchange import ABSENT
from gateway.mapping.path import EACH, Path
from gateway.mapping.texts import kind_of
from gateway.mapping.wrong import MOST, Wrong

Convert = Callable[[object], object]
Target = dict[str, Any]
Fill = Callable[[Any, Target], None]
"""Reads a value, fills a target object."""

_HINTS = 5
_LONGEST_HINT = 60


@dataclass(frozen=True, slots=True)
class Move:
    """One value's way. ``missing`` converts nothing: it is what the target gets when the source has no value (``ABSENT``: nothing)."""

    source: Path
    target: Path
    convert: Convert
    required: bool = False
    nullable: bool = False
    missing: object = ABSENT


@dataclass(frozen=True, slots=True)
class Constant:
    target: Path
    value: object


@dataclass(frozen=True, slots=True)
class Group:
    """What a table says about a source object or list itself. ``least`` and ``most`` count items."""

    required: bool
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one direction of a table does. ``strict``: unknown keys are errors. ``wrap``: a single value counts as a list of
    one, as a repeatable query parameter does."""

    moves: tuple[Move, ...]
    constants: tuple[Constant, ...]
    groups: dict[Path, Group]
    pairs: dict[Path, Path]
    strict: bool
    unknown: str
    wrap: bool = False


@dataclass(slots=True)
class _Node:
    path: Path
    moves: list[Move] = field(default_factory=list)
    children: dict[str, _Node] = field(default_factory=dict)


def compile_plan(plan: Plan) -> Convert:
    """The converter of whole values. It raises ``Wrong`` with every error, places relative to the value."""
    root = _Node(())
    for move in plan.moves:
        node = root
        for name in move.source:
            node = node.children.setdefault(name, _Node((*node.path, name)))
        node.moves.append(move)
    for source, _ in sorted(plan.pairs.items()):
        node = root
        for name in source:
            node = node.children.setdefault(name, _Node((*node.path, name)))
    return _item(plan, root, ())


def _item(plan: Plan, node: _Node, target: Path) -> Convert:
    """A converter from one source value to one target value of its own: the whole body, or an item of a list."""
    constants = [_put(c.target[len(target) :], c.value) for c in plan.constants if _directly(c.target, target)]
    if not node.moves:
        fill = _object(plan, node, len(target))
    elif not constants and node.moves[0].target == target:
        return _nullable(node.moves[0])
    else:
        fill = _leaf(node, len(target))
    bare = not constants and any(move.target == target for move in _below(node))

    def convert(value: object) -> object:
        out: Target = {}
        for put in constants:
            put(out)
        fill(value, out)
        return out.get("", None) if bare else out

    return convert


def _directly(path: Path, scope: Path) -> bool:
    return path[: len(scope)] == scope and EACH not in path[len(scope) :]


def _below(node: _Node) -> list[Move]:
    return [*node.moves, *(move for name, child in node.children.items() if name != EACH for move in _below(child))]


def _nullable(move: Move) -> Convert:
    convert, nullable = move.convert, move.nullable

    def item(value: object) -> object:
        if value is None and nullable:
            return None
        result = convert(value)
        return None if result is ABSENT else result

    return item


def _put(path: Path, value: object) -> Callable[[Target], None]:
    def put(out: Target) -> None:
        _set(out, path, value)

    return put


def _set(out: Target, path: Path, value: object) -> None:
    for name in path[:-1]:
        out = out.setdefault(name, {})
    out[path[-1] if path else ""] = value


def _object(plan: Plan, node: _Node, depth: int) -> Fill:
    """Fills the target from a source object. ``depth`` is how much of a target path leads to the target object itself."""
    fields = {name: _field(plan, child, depth) for name, child in node.children.items()}
    required = frozenset(name for name, child in node.children.items() if _is_required(plan, child))
    absent = [(name, put) for name, child in node.children.items() for put in _absents(plan, child, depth)]
    unknown = _unknown(plan.unknown, list(fields)) if plan.strict else None
    get = fields.get

    def fill(value: Any, out: Target) -> None:
        if type(value) is not dict:
            raise Wrong(f"must be an object, not {kind_of(value)}")
        errors: list[tuple[str, str]] = []
        cause: Wrong | None = None
        for key, item in value.items():
            put = get(key)
            if put is None:
                if unknown is not None:
                    errors += Wrong(unknown(key, len(errors))).under(key)
            else:
                try:
                    put(item, out)
                except Wrong as wrong:
                    errors += wrong.under(key)
                    cause = cause or wrong
            if len(errors) > MOST:
                break
        if not value.keys() >= required:
            errors += [error for key in sorted(required - value.keys()) for error in Wrong("is required").under(key)]
        if errors:
            raise Wrong(errors=errors) from cause
        for key, put_default in absent:
            if key not in value:
                put_default(out)

    return fill


def _unknown(what: str, known: list[str]) -> Callable[[str, int], str]:
    """The sentence for an unknown key. Only the first few get a suggestion: comparing names costs time a hostile body would use."""
    names = ", ".join(known)

    def sentence(key: str, before: int) -> str:
        if before < _HINTS and len(key) <= _LONGEST_HINT:
            close = difflib.get_close_matches(key, known, n=1)
            if close:
                return f"{what}; did you mean '{close[0]}'?"
            return f"{what}; known here: {names}" if len(names) < 200 else what
        return what

    return sentence


def _is_required(plan: Plan, node: _Node) -> bool:
    """Whether the object around must have this key: its group row says, else any required field inside does."""
    if EACH in node.children:
        group = plan.groups.get((*node.path, EACH))
        item = node.children[EACH]
        return group.required if group else any(move.required for move in item.moves)
    group = plan.groups.get(node.path)
    if group is not None:
        return group.required
    return any(move.required for move in node.moves) or any(_is_required(plan, child) for child in node.children.values())


def _absents(plan: Plan, node: _Node, depth: int) -> list[Callable[[Target], None]]:
    """What a key that is not there puts into the target all the same. An optional group that is absent stays so, defaults and all."""
    if node.path in plan.groups or EACH in node.children:
        return []
    here = [_put(move.target[depth:], move.missing) for move in node.moves if move.missing is not ABSENT]
    return here + [put for child in node.children.values() for put in _absents(plan, child, depth)]


def _field(plan: Plan, node: _Node, depth: int) -> Fill:
    if EACH in node.children:
        return _list(plan, node.children[EACH], depth)
    return _leaf(node, depth) if node.moves else _object(plan, node, depth)


def _leaf(node: _Node, depth: int) -> Fill:
    fills = [_single(move, move.target[depth:]) for move in node.moves]
    if len(fills) == 1:
        return fills[0]

    def fill(value: Any, out: Target) -> None:
        for each in fills:
            each(value, out)

    return fill


def _single(move: Move, path: Path) -> Fill:
    convert, missing = move.convert, move.missing
    flat = path[0] if len(path) == 1 else None
    null = _null(move)

    def fill(value: Any, out: Target) -> None:
        result = convert(value) if value is not None else null()
        if result is ABSENT:
            result = missing
            if result is ABSENT:
                return
        if flat is not None:
            out[flat] = result
        else:
            _set(out, path, result)

    return fill


def _null(move: Move) -> Callable[[], object]:
    def null() -> object:
        return None if move.nullable else move.convert(None)

    return null


def _list(plan: Plan, node: _Node, depth: int) -> Fill:
    inner = plan.pairs[node.path]
    convert = _item(plan, node, inner)
    path = inner[depth:-1]
    group = plan.groups.get(node.path, Group(False))
    least, most, wrap = group.least or 0, group.most, plan.wrap

    def fill(value: Any, out: Target) -> None:
        if type(value) is not list:
            if not wrap:
                raise Wrong(f"must be a list, not {kind_of(value)}")
            value = [value]
        if len(value) < least:
            raise Wrong(f"needs at least {least} items")
        if most is not None and len(value) > most:
            raise Wrong(f"has more than {most} items")
        try:
            _set(out, path, [convert(item) for item in value])
        except Wrong:
            raise _all_wrong(value, convert) from None

    return fill


def _all_wrong(value: list[object], convert: Convert) -> Wrong:
    """Every error of a list in which at least one item is wrong."""
    errors: list[tuple[str, str]] = []
    cause: Wrong | None = None
    for index, item in enumerate(value):
        try:
            convert(item)
        except Wrong as wrong:
            errors += wrong.under(index)
            cause = cause or wrong
        if len(errors) > MOST:
            break
    found = Wrong(errors=errors)
    found.__cause__ = cause
    return found
