"""The fields of an operation's request or answer, as a tree of places with the paths that field tables use.

The tree is unfolded breadth first up to a limit. What a table cannot take apart stays one place that moves whole: recursive,
mixed, open and derived types, ordered content, names with dots.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from gateway.mapping.path import EACH, Path, show_path
from gateway.protocols.soap import Contract, Operation, resolver
from gateway.protocols.soap.form import AnySlot, Block, FormNode, Items, form_of
from gateway.protocols.soap.model import ANY_TYPE, ComplexType, Element, Message, Type, local

Direction = Literal["request", "answer"]

LIMIT = 400
"""Places one tree has at most."""

DEEPEST = 10
"""Objects within each other; each row is looked up in the contract level by level."""

_KEY = re.compile(r"(?:\{[^{}\s]*\})?[^.\[\]{}\\\s]+")


@dataclass(slots=True)
class Place:
    """One field, list or object. ``path`` ends with ``[]`` for a list. ``children`` is None for what moves whole.

    :param least: how many items a list has at least; ``most`` likewise, None without end.
    """

    path: Path
    type: Type
    required: bool = False
    nillable: bool = False
    least: int = 0
    most: int | None = 1
    doc: str = ""
    children: list[Place] | None = None
    inside: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def repeated(self) -> bool:
        return self.path[-1] == EACH

    def walk(self) -> Iterator[Place]:
        """This place and all below it, in the order of the contract."""
        yield self
        for child in self.children or ():
            yield from child.walk()


class NoTable(Exception):
    """A value that is no object of named fields. The message says what it is."""


def places(contract: Contract, operation: Operation, direction: Direction, limit: int = LIMIT) -> list[Place]:
    """The fields of a message, unfolded. Raises ``NoTable``."""
    message = operation.input if direction == "request" else operation.output
    if message is None:
        raise NoTable("the operation is one-way")
    roots = _roots(contract, message)
    if direction == "answer" and message.attachments:
        roots.append(Place(("$attachments",), ComplexType("")))
    count, pending = len(roots), list(roots)
    for place in pending:
        children = _children(contract, place)
        if children and count + len(children) <= limit:
            place.children = children
            count += len(children)
            pending += children
    named = resolver(contract, operation, direction)
    for root in roots:
        for place in root.walk():
            if named(show_path(place.path)) is None:
                raise NoTable(f"{show_path(place.path)} has no path")
    if not roots:
        raise NoTable("there are no fields")
    return roots


def _roots(contract: Contract, message: Message) -> list[Place]:
    headers = [_element(contract, ("$headers",), element) for element in message.headers]
    if any(not _KEY.fullmatch(place.path[-1]) for place in headers):
        raise NoTable("a header's name is no path")
    for header in headers:
        header.required = False
    if message.keyed:
        return [*(_element(contract, (), element) for element in message.body), *headers]
    if not message.body:
        return headers
    body = _element(contract, (), message.body[0])
    if not isinstance(body.type, ComplexType):
        raise NoTable("the body is a single value")
    children = _fields(contract, body.type, (), frozenset({body.type.key}))
    if children is None:
        raise NoTable("the body is open, mixed or of several types")
    return [*children, *headers]


def _element(contract: Contract, base: Path, element: Element) -> Place:
    return Place(
        (*base, local(element.name)), contract.types[element.type], True, element.nillable, 1, 1, _doc(contract, element)
    )


def _doc(contract: Contract, element: Element) -> str:
    return element.documentation or contract.types[element.type].documentation


def _children(contract: Contract, place: Place) -> list[Place] | None:
    type = place.type
    if not isinstance(type, ComplexType) or type.key in place.inside or len(place.inside) >= DEEPEST:
        return None
    return _fields(contract, type, place.path, place.inside | {type.key})


def _fields(contract: Contract, type: ComplexType, base: Path, inside: frozenset[str]) -> list[Place] | None:
    """The fields of a complex type; None for one that cannot be taken apart."""
    form = form_of(type)
    if type.key == ANY_TYPE or contract.derived.get(type.key) or form.any_attribute or form.kind == "content":
        return None
    found = [Place((*base, key), attribute.type, attribute.required) for key, attribute in form.attributes]
    if form.simple is not None:
        found.append(Place((*base, "$value"), form.simple, required=True))
    if form.root is not None:
        inner = list(_nodes(contract, form.root, base, certain=True))
        found += [place for place in inner if place is not None]
        if None in inner:
            return None
    if any(not _named(place.path) for place in found):
        return None
    for place in found:
        place.inside = inside
    return found


def _named(path: Path) -> bool:
    name = path[-2] if path[-1] == EACH else path[-1]
    return bool(_KEY.fullmatch(name)) and name.isprintable()


def _nodes(contract: Contract, node: FormNode, base: Path, *, certain: bool) -> Iterator[Place | None]:
    if isinstance(node, Block):
        inner = certain and node.required and node.kind != "choice"
        for child in node.nodes:
            yield from _nodes(contract, child, base, certain=inner)
    elif isinstance(node, AnySlot):
        yield None
    elif isinstance(node, Items):
        yield Place((*base, node.key), ComplexType(""), certain and node.required)
    else:
        path = (*base, node.key, EACH) if node.repeated else (*base, node.key)
        required = certain and node.min > 0
        element = node.element
        yield Place(path, contract.types[element.type], required, element.nillable, node.min, node.max, _doc(contract, element))
