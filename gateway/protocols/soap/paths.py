"""Dotted paths into the values of an operation, as field tables write them: ``Payment.Items.Item[].WRBTR``.

A segment is a JSON key; ``[]`` after it steps into each item of an array. Keys holding dots (``{urn:a.b}x``) are read whole.
"""

from __future__ import annotations

import re
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
    message = operation.input if direction == "request" else operation.output
    segments = _segments(path)
    if message is None or not segments:
        return None
    places = _roots(contract, message)
    found: _Place | None = None
    for key, stepped in segments:
        found = next((place for place in _steps(contract, places, key)), None)
        if found is None or (stepped and not found.repeated):
            return None
        if stepped:
            found = _Place(found.type, False, found.required, found.nillable)
        places = [] if found.repeated else [found.type]
    return _field(found) if found is not None else None


def _segments(path: str) -> list[tuple[str, bool]]:
    result, position = [], 0
    while position < len(path):
        match = _SEGMENT.match(path, position)
        if match is None:
            return []
        result.append((match[1], bool(match[2])))
        position = match.end()
    return result if not path.endswith(".") else []


def _roots(contract: Contract, message: Message) -> list[Type]:
    """The types whose keys a path may begin with."""
    roots: list[Type] = [_keyed("", message.body)] if message.keyed else [contract.types[e.type] for e in message.body]
    return [*roots, _keyed("$headers", message.headers)] if message.headers else roots


def _keyed(key: str, elements: tuple[Element, ...]) -> ComplexType:
    """An object with one key per element, as a type of its own."""
    return ComplexType(key, content=Group("sequence", tuple(ElementUse(element) for element in elements)))


def _steps(contract: Contract, places: list[Type], key: str) -> list[_Place]:
    found: list[_Place] = []
    for place in places:
        if not isinstance(place, ComplexType):
            continue
        if place.key == key == "$headers":
            found.append(_Place(replace(place, key=""), False, False, False))
        elif place.key != "$headers":
            derived = [contract.types[choice] for choice in contract.derived.get(place.key, ())]
            for type in (place, *derived):
                found += _type_steps(contract, type, key) if isinstance(type, ComplexType) else []
    return found


def _type_steps(contract: Contract, type: ComplexType, key: str) -> list[_Place]:
    form = form_of(type)
    for name, attribute in form.attributes:
        if name == key:
            return [_Place(attribute.type, False, attribute.required, False)]
    if key == "$value" and form.simple is not None:
        return [_Place(form.simple, False, True, False)]
    return _node_steps(contract, form.root, key, True) if form.root is not None else []


def _node_steps(contract: Contract, node: FormNode, key: str, certain: bool) -> list[_Place]:
    if isinstance(node, Block):
        inner = certain and node.required and node.kind != "choice"
        return [place for child in node.nodes for place in _node_steps(contract, child, key, inner)]
    if isinstance(node, Slot) and node.key == key:
        required = certain and node.min > 0
        type = contract.types[node.element.type]
        if isinstance(type, ArrayType):
            return [_Place(contract.types[type.item], True, required, True)] if type.rank == 1 and not node.repeated else []
        return [_Place(type, node.repeated, required, node.element.nillable)]
    if isinstance(node, Items) and node.key == key:
        uses = tuple(ElementUse(slot.element) for slot in node.slots)
        return [_Place(ComplexType("", content=Group("choice", uses)), True, certain and node.required, False)]
    return []


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
