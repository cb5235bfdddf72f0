"""Dotted paths into the values of an operation, as field tables write them: ``Payment.Items.Item[].WRBTR``.

A segment is a JSON key; ``[]`` after it steps into each item of an array. Keys holding dots (``{urn:a.b}x``) are read whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from gateway.protocols.soap import lexical
from gateway.protocols.soap.form import Block, FormNode, Items, Slot, form_of
from gateway.protocols.soap.model import (
    ArrayType,
    ComplexType,
    Contract,
    Element,
    ElementUse,
    Group,
    Message,
    Operation,
    SimpleType,
    Type,
)

_SEGMENT = re.compile(r"((?:\{[^}]*\}|[^.\[\]{}])+|@(?:\{[^}]*\})?[^.\[\]{}]+)(\[\])?(?:\.|$)")


_ATTACHMENTS = ComplexType("$attachments")


@dataclass(frozen=True, slots=True)
class Field:
    """What a path leads to.

    :param builtin: the XSD built-in of the text, local name; "" for an object and for an array of objects.
    :param repeated: the value is an array (the path does not end with ``[]``).
    :param required: whenever the object it belongs to is there, it must be there.
    :param number: a JSON number in answers; other numeric types travel as strings of digits.
    """

    builtin: str
    repeated: bool = False
    required: bool = False
    nillable: bool = False
    number: bool = False
    max_length: int | None = None
    total_digits: int | None = None
    fraction_digits: int | None = None
    enumeration: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    type: Type
    repeated: bool
    required: bool
    nillable: bool


def resolve(contract: Contract, operation: Operation, direction: Literal["request", "answer"], path: str) -> Field | None:
    """The field a path names in the request or answer value, or None when there is none."""
    return resolver(contract, operation, direction)(path)


def resolver(contract: Contract, operation: Operation, direction: Literal["request", "answer"]) -> Callable[[str], Field | None]:
    """``resolve`` for many paths of one value: what they have in common is looked up once."""
    message = operation.input if direction == "request" else operation.output
    if message is None:
        return lambda path: None
    return _Resolver(contract, message, attachments=message.attachments and direction == "answer")


class _Resolver:
    """Looks paths up from the root, each step after those before it, and remembers every one."""

    def __init__(self, contract: Contract, message: Message, *, attachments: bool) -> None:
        self._contract = contract
        self._roots = [*_roots(contract, message), *([_ATTACHMENTS] if attachments else [])]
        self._places: dict[tuple[tuple[str, bool], ...], _Place | None] = {}
        self._keys: dict[str, Mapping[str, _Place]] = {}

    def __call__(self, path: str) -> Field | None:
        segments = _segments(path)
        found = self._place(segments) if segments else None
        return _field(found) if found is not None else None

    def _place(self, segments: tuple[tuple[str, bool], ...]) -> _Place | None:
        if segments not in self._places:
            self._places[segments] = self._step(*segments)
        return self._places[segments]

    def _step(self, *segments: tuple[str, bool]) -> _Place | None:
        *before, (key, stepped) = segments
        types = self._roots
        if before:
            parent = self._place(tuple(before))
            types = [] if parent is None or parent.repeated else [parent.type]
        found = next((place for type in types for place in self._below(type, key)), None)
        if found is None or (stepped and not found.repeated):
            return None
        return _Place(found.type, False, found.required, found.nillable) if stepped else found

    def _below(self, type: Type, key: str) -> Iterator[_Place]:
        """The places of that name in values of a type or of one derived from it."""
        if not isinstance(type, ComplexType):
            return
        if type.key == key == "$headers":
            yield _Place(replace(type, key=""), False, False, False)
        elif type is _ATTACHMENTS and key == type.key:
            yield _Place(ComplexType(""), True, True, False)
        elif type.key != "$headers":
            types = self._contract.types
            for choice in (type, *(types[name] for name in self._contract.derived.get(type.key, ()))):
                if isinstance(choice, ComplexType) and key in self._known(choice):
                    yield self._known(choice)[key]

    def _known(self, type: ComplexType) -> Mapping[str, _Place]:
        if not type.key:
            return _keys(self._contract, type)
        if type.key not in self._keys:
            self._keys[type.key] = _keys(self._contract, type)
        return self._keys[type.key]


def _segments(path: str) -> tuple[tuple[str, bool], ...]:
    result, position = [], 0
    while position < len(path):
        match = _SEGMENT.match(path, position)
        if match is None:
            return ()
        result.append((match[1], bool(match[2])))
        position = match.end()
    return tuple(result) if not path.endswith(".") else ()


def _roots(contract: Contract, message: Message) -> list[Type]:
    """The types whose keys a path may begin with."""
    roots: list[Type] = [_keyed("", message.body)] if message.keyed else [contract.types[e.type] for e in message.body]
    return [*roots, _keyed("$headers", message.headers)] if message.headers else roots


def _keyed(key: str, elements: tuple[Element, ...]) -> ComplexType:
    """An object with one key per element, as a type of its own."""
    return ComplexType(key, content=Group("sequence", tuple(ElementUse(element) for element in elements)))


def _keys(contract: Contract, type: ComplexType) -> dict[str, _Place]:
    """What stands under each key of an object of exactly that type."""
    form = form_of(type)
    found: dict[str, _Place] = {}
    for key, attribute in form.attributes:
        found.setdefault(key, _Place(attribute.type, False, attribute.required, False))
    if form.simple is not None:
        found.setdefault("$value", _Place(form.simple, False, True, False))
    if form.root is not None:
        for key, place in _node_keys(contract, form.root, True):
            found.setdefault(key, place)
    return found


def _node_keys(contract: Contract, node: FormNode, certain: bool) -> Iterator[tuple[str, _Place]]:
    if isinstance(node, Block):
        inner = certain and node.required and node.kind != "choice"
        for child in node.nodes:
            yield from _node_keys(contract, child, inner)
    elif isinstance(node, Slot):
        required = certain and node.min > 0
        type = contract.types[node.element.type]
        if not isinstance(type, ArrayType):
            yield node.key, _Place(type, node.repeated, required, node.element.nillable)
        elif type.rank == 1 and not node.repeated:
            yield node.key, _Place(contract.types[type.item], True, required, True)
    elif isinstance(node, Items):
        uses = tuple(ElementUse(slot.element) for slot in node.slots)
        yield node.key, _Place(ComplexType("", content=Group("choice", uses)), True, certain and node.required, False)


def _field(place: _Place) -> Field:
    type = place.type
    if not isinstance(type, SimpleType):
        return Field("", place.repeated, place.required, place.nillable)
    repeated = place.repeated or type.variety == "list"
    base = type.item if type.variety == "list" and type.item is not None else type
    f = base.facets
    return Field(
        base.builtin,
        repeated,
        place.required,
        place.nillable,
        base.builtin in ("float", "double") or (base.builtin in lexical.INTEGERS and lexical.is_number(base)),
        f.max_length if f.length is None else f.length,
        f.total_digits,
        f.fraction_digits,
        f.enumeration,
    )
