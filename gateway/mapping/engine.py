"""A plan carried out by closures that find everything wrong with a value: what ``program.py`` leaves to somebody with time.

The source side decides the walk: an object dispatches each of its keys to what was compiled for it, a list converts each item
into a target of its own. Every closure either fills its target or raises ``Wrong`` with places relative to its own value, so
that a pointer costs nothing until something is wrong. Both directions use the same code: a request is strict (unknown keys are
errors), an answer drops what no row names.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from gateway.exchange import ABSENT
from gateway.mapping.path import EACH, Path
from gateway.mapping.plan import Convert, Group, Move, Node, Plan, tree
from gateway.mapping.texts import kind_of
from gateway.mapping.wrong import MOST, Wrong

Target = dict[str, Any]
Fill = Callable[[Any, Target], None]
"""Reads a value, fills a target object."""

_HINTS = 5
_LONGEST_HINT = 60


def compile_plan(plan: Plan) -> Convert:
    """The converter of whole values. It raises ``Wrong`` with every error, places relative to the value."""
    return _item(plan, tree(plan), ())


def _item(plan: Plan, node: Node, target: Path) -> Convert:
    """A converter from one source value to one target value of its own: the whole body, or an item of a list."""
    constants = [_put(c.target[len(target) :], c.value) for c in plan.constants_of(target)]
    if not node.moves:
        fill = _object(plan, node, len(target))
    elif not constants and node.moves[0].target == target:
        return _nullable(node.moves[0])
    else:
        fill = _leaf(plan.strict, node, len(target))
    bare = not constants and any(move.target == target for move in _below(node))

    def convert(value: object) -> object:
        out: Target = {}
        for put in constants:
            put(out)
        fill(value, out)
        if bare and "" not in out:
            raise Wrong("is empty")
        return out[""] if bare else out

    return convert


def _below(node: Node) -> list[Move]:
    return [*node.moves, *(move for name, child in node.children.items() if name != EACH for move in _below(child))]


def _nullable(move: Move) -> Convert:
    convert, nullable = move.convert, move.nullable

    def item(value: object) -> object:
        result = None if value is None and nullable else convert(value)
        if result is ABSENT:
            if nullable:
                return None
            raise Wrong("is empty")
        return result

    return item


def _put(path: Path, value: object) -> Callable[[Target], None]:
    def put(out: Target) -> None:
        _set(out, path, value)

    return put


def _set(out: Target, path: Path, value: object) -> None:
    for name in path[:-1]:
        out = out.setdefault(name, {})
    out[path[-1] if path else ""] = value


def _object(plan: Plan, node: Node, depth: int) -> Fill:
    """Fills the target from a source object. ``depth`` is how much of a target path leads to the target object itself."""
    fields = {name: _field(plan, child, depth) for name, child in node.children.items()}
    required = frozenset(name for name, child in node.children.items() if plan.is_required(child))
    absent = [(name, put) for name, child in node.children.items() for put in _absents(plan, child, depth)]
    unknown = _unknown(plan.unknown, list(fields)) if plan.strict else None
    get = fields.get

    def fill(value: Any, out: Target) -> None:
        if type(value) is not dict:
            value = _no_object(value, unknown is not None)
        found = _dispatch(value, out, get, unknown)
        if not value.keys() >= required:
            for key in sorted(required - value.keys()):
                found = _more(found, key, Wrong("is required"))
        if found is not None:
            raise found
        for key, put_default in absent:
            if key not in value:
                put_default(out)

    return fill


def _no_object(value: object, strict: bool) -> dict[str, object]:
    """An ERP's nil where an object could stand is an object without fields; anything else is wrong."""
    if value is None and not strict:
        return {}
    raise Wrong(f"must be an object, not {kind_of(value)}")


def _dispatch(
    value: dict[str, Any],
    out: Target,
    get: Callable[[str], Fill | None],
    unknown: Callable[[str, int], str] | None,
) -> Wrong | None:
    found: Wrong | None = None
    for key, item in value.items():
        put = get(key)
        try:
            if put is not None:
                put(item, out)
            elif unknown is not None:
                raise Wrong(unknown(key, len(found.errors) if found else 0))
        except Wrong as wrong:
            found = _more(found, key, wrong)
            if len(found.errors) > MOST:
                break
    return found


def _more(found: Wrong | None, key: str | int, wrong: Wrong) -> Wrong:
    """What was found so far and one thing more. The first cause, if any, is the one the log shows."""
    found = found or Wrong(errors=[])
    found.errors += wrong.under(key)
    found.__cause__ = found.__cause__ or wrong.__cause__
    return found


def _unknown(what: str, known: list[str]) -> Callable[[str, int], str]:
    """The sentence for an unknown key. Only the first few get a suggestion: a hostile body would use the time it costs."""
    names = ", ".join(known)

    def sentence(key: str, before: int) -> str:
        if before < _HINTS and len(key) <= _LONGEST_HINT:
            close = difflib.get_close_matches(key, known, n=1)
            if close:
                return f"{what}; did you mean '{close[0]}'?"
            return f"{what}; known here: {names}" if len(names) < 200 else what
        return what

    return sentence


def _absents(plan: Plan, node: Node, depth: int) -> list[Callable[[Target], None]]:
    """What a key that is not there puts into the target all the same. An optional group stays absent, defaults and all."""
    if EACH in node.children:
        return [] if plan.strict else [_empty_list(plan, node.children[EACH], depth)]
    if node.path in plan.groups:
        return []
    here = [_put(move.target[depth:], move.missing) for move in node.moves if move.missing is not ABSENT]
    return here + [put for child in node.children.values() for put in _absents(plan, child, depth)]


def _field(plan: Plan, node: Node, depth: int) -> Fill:
    if EACH in node.children:
        return _list(plan, node.children[EACH], depth)
    return _leaf(plan.strict, node, depth) if node.moves else _object(plan, node, depth)


def _leaf(strict: bool, node: Node, depth: int) -> Fill:
    fills = [_single(strict, move, move.target[depth:]) for move in node.moves]
    if len(fills) == 1:
        return fills[0]

    def fill(value: Any, out: Target) -> None:
        for each in fills:
            each(value, out)

    return fill


def _single(strict: bool, move: Move, path: Path) -> Fill:
    convert, null = move.convert, _null(strict, move)

    def fill(value: Any, out: Target) -> None:
        result = convert(value) if value is not None else null()
        if result is not ABSENT:
            _set(out, path, result)
        else:
            _fill_missing(move, out, path)

    return fill


def _fill_missing(move: Move, out: Target, path: Path) -> None:
    if move.missing is not ABSENT:
        _set(out, path, move.missing)
    elif move.required:
        raise Wrong("is required")


def _null(strict: bool, move: Move) -> Callable[[], object]:
    """What null gives: itself where the row says so, else an error in a request and no value in an answer."""
    if move.nullable:
        return lambda: None
    return (lambda: move.convert(None)) if strict else (lambda: ABSENT)


def _list(plan: Plan, node: Node, depth: int) -> Fill:
    inner = plan.pairs[node.path]
    convert = _item(plan, node, inner)
    path = inner[depth:-1]
    group = plan.groups.get(node.path, Group(False))
    least, most, wrap = group.least or 0, group.most, plan.wrap
    empty = None if plan.strict else _empty_list(plan, node, depth)

    def fill(value: Any, out: Target) -> None:
        if type(value) is not list:
            if value is None and empty is not None:
                empty(out)
                return
            if not wrap:
                raise Wrong(f"must be a list, not {kind_of(value)}")
            value = [value]
        if len(value) < least:
            raise Wrong(f"needs at least {least} items")
        if most is not None and len(value) > most:
            raise Wrong(f"has more than {most} items")
        _set(out, path, _each(value, convert))

    return fill


def _empty_list(plan: Plan, node: Node, depth: int) -> Callable[[Target], None]:
    path, kept = plan.pairs[node.path][depth:-1], plan.is_kept(node.path)
    return lambda out: _set(out, path, []) if kept else None


def _each(value: list[object], convert: Convert) -> list[object]:
    items: list[object] = []
    append = items.append
    found: Wrong | None = None
    for item in value:
        try:
            append(convert(item))
        except Wrong as wrong:
            found = _more(found, len(items), wrong)
            append(None)
            if len(found.errors) > MOST:
                break
    if found is not None:
        raise found
    return items
