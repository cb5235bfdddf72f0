"""The order of elements, frozen: what was published once keeps its place, and what is new goes last.

SOAP clients are compiled against an order. A field table's rows may be sorted by whoever edits it, so the order they have when a
service is first offered is written down, and from then on only added to. Objects are named by a path of elements: ``.`` is the
message, ``./payee`` a field's object, ``Node`` a definition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gateway.protocols.facade.shapes import Choice, Fields, Many, Map, Member, Shape, Shapes

Order = Mapping[str, Sequence[str]]
"""For each object the names of its elements."""

ROOT = "."


def arranged(shapes: Shapes, order: Order) -> Shapes:
    """The same shapes with every object's members in the frozen order; members it does not name follow in their own."""

    def arrange(members: tuple[Member, ...], path: str) -> tuple[Member, ...]:
        places = {name: place for place, name in enumerate(order.get(path, ()))}
        return tuple(sorted(members, key=lambda member: places.get(member.name, len(places))))

    return _mapped(shapes, arrange)


def listing(shapes: Shapes) -> dict[str, list[str]]:
    """The order these shapes have, to be frozen."""
    found: dict[str, list[str]] = {}

    def note(members: tuple[Member, ...], path: str) -> tuple[Member, ...]:
        if members:
            found[path] = [member.name for member in members]
        return members

    _mapped(shapes, note)
    return found


def missing(shapes: Shapes, order: Order) -> list[str]:
    """Elements the frozen order does not name yet, as paths."""
    return [f"{path}/{name}" for path, names in listing(shapes).items() for name in names if name not in order.get(path, ())]


def merged(shapes: Shapes, order: Order) -> dict[str, list[str]]:
    """The frozen order with what is new at the end. What is gone keeps its place, in case it comes back."""
    found = {path: list(names) for path, names in order.items()}
    for path, names in listing(shapes).items():
        known = found.setdefault(path, [])
        known += [name for name in names if name not in known]
    return found


def _mapped(shapes: Shapes, change: Callable[[tuple[Member, ...], str], tuple[Member, ...]]) -> Shapes:
    """The shapes with the members of every object changed; ``change`` is told each object's path."""

    def walk(shape: Shape, path: str) -> Shape:
        if isinstance(shape, Fields):
            return replace(shape, members=tuple(inner(member, path) for member in change(shape.members, path)))
        if isinstance(shape, Choice):
            return replace(shape, options=tuple(inner(option, path) for option in shape.options))
        if isinstance(shape, Many):
            return replace(shape, item=walk(shape.item, path))
        return replace(shape, value=walk(shape.value, path)) if isinstance(shape, Map) else shape

    def inner(member: Member, path: str) -> Member:
        return replace(member, shape=walk(member.shape, f"{path}/{member.name}"))

    root = walk(shapes.root, ROOT)
    return Shapes(root, {name: walk(shape, name) for name, shape in shapes.definitions.items()})
