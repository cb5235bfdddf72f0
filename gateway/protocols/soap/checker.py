"""Everything wrong with a request value, each with its JSON pointer (RFC 6901).

Runs only after the compiled writer has refused a value, so it may be slow and thorough. It must find at least one error in every
value the writer refuses, and none in a value the writer accepts; tests hold the two against each other.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from gateway.errors import FieldError
from gateway.protocols.soap import lexical, simple
from gateway.protocols.soap.form import WILDCARD_SYMBOL, AnySlot, Block, Form, FormNode, Items, Slot, form_of, keys, nullable
from gateway.protocols.soap.model import (
    ANY_TYPE,
    XSD,
    XSI,
    ArrayType,
    ComplexType,
    Contract,
    Element,
    Message,
    SimpleType,
    Wildcard,
    local,
    namespace,
)
from gateway.protocols.soap.order import matcher
from gateway.protocols.soap.wildcards import fragment, one_element

MAX_ERRORS = 100
MAX_DEPTH = 100


class Checker:
    """Called with a value, returns the errors in it, at most ``MAX_ERRORS``."""

    def __init__(self, contract: Contract, message: Message) -> None:
        self._contract = contract
        self._message = message
        self._forms: dict[str, Form] = {}

    def __call__(self, value: object) -> list[FieldError]:
        found: list[FieldError] = []
        for error in self._message_errors(value):
            found.append(error)
            if len(found) >= MAX_ERRORS:
                break
        return found

    def _message_errors(self, value: Any) -> Iterator[FieldError]:
        if self._message.headers and isinstance(value, dict) and "$headers" in value:
            yield from self._headers(value["$headers"])
            value = {key: item for key, item in value.items() if key != "$headers"}
            if value.keys() == {"$value"}:
                value = value["$value"]
        body = self._message.body
        if self._message.encoded and value is None:
            yield FieldError("", "must be an object, not null")
        elif self._message.keyed or not body:
            yield from self._keyed({local(element.name): element for element in body}, value, "", required=True)
        else:
            yield from self._element(body[0], value, "", 0)

    def _headers(self, value: object) -> Iterator[FieldError]:
        elements = {local(element.name): element for element in self._message.headers}
        yield from self._keyed(elements, value, "/$headers", required=False)

    def _keyed(self, elements: Mapping[str, Element], value: Any, at: str, required: bool) -> Iterator[FieldError]:
        if value is None and not elements:
            return
        if not isinstance(value, dict):
            yield FieldError(at, f"must be an object, not {lexical.kind(value)}")
            return
        for key, element in elements.items():
            if key in value:
                yield from self._element(element, value[key], _at(at, key), 0)
            elif required:
                yield FieldError(_at(at, key), "is required")
        yield from _unknown(value, elements, at)

    # --- elements ----------------------------------------------------------------------------------------------------

    def _element(self, element: Element, value: Any, at: str, depth: int) -> Iterator[FieldError]:
        if depth > MAX_DEPTH:
            yield FieldError(at, "is nested too deep")
        elif value is None:
            yield from self._null(element, at)
        elif element.type == ANY_TYPE:
            yield from self._any_type(value, at, depth)
        else:
            type = self._contract.types[element.type]
            if isinstance(type, ArrayType):
                yield from self._soap_array(type, value, at, depth)
            elif isinstance(type, SimpleType):
                yield from _text(type, value, at, element.fixed)
            else:
                yield from self._typed(element, type, value, at, depth)

    def _null(self, element: Element, at: str) -> Iterator[FieldError]:
        type = self._contract.types[element.type]
        if self._message.encoded:
            return
        if not element.nillable:
            yield FieldError(at, "must not be null; leave the key out if there is no value")
        elif isinstance(type, ComplexType) and any(attribute.required for attribute in type.attributes):
            names = ", ".join(key for key, attribute in self._form(type).attributes if attribute.required)
            yield FieldError(at, f'must be {{"$nil": true}} with {names} instead of null')

    def _typed(self, element: Element, type: ComplexType, value: Any, at: str, depth: int) -> Iterator[FieldError]:
        if not isinstance(value, dict):
            yield FieldError(at, f"must be an object, not {lexical.kind(value)}")
            return
        if element.nillable and "$nil" in value and not self._message.encoded:
            yield from self._nil(type, value, at)
            return
        derived = self._contract.derived.get(type.key, ())
        used: set[str] = set()
        if derived:
            choices = [t for t in (self._contract.types[k] for k in (type.key, *derived)) if _concrete(t)]
            if "$type" in value or type.abstract:
                names = [t.key for t in choices if isinstance(t, ComplexType)]
                if value.get("$type") not in names:
                    yield FieldError(_at(at, "$type"), f"must be one of {', '.join(names[:12])}")
                    return
                actual = self._contract.types[value["$type"]]
                type, used = (actual if isinstance(actual, ComplexType) else type), {"$type"}
        yield from self._object(type, value, at, used, depth)

    def _soap_array(self, type: ArrayType, value: Any, at: str, depth: int) -> Iterator[FieldError]:
        if not self._message.encoded:
            yield from self._any_type(value, at, depth)
            return
        for size_at, items in _rows(value, at, type.rank):
            if items is None:
                yield FieldError(size_at, f"must be an array, {type.rank} deep, with rows of equal length")
                continue
            for index, item in enumerate(items):
                yield from self._element(Element("item", type.item), item, f"{size_at}/{index}", depth + 1)

    def _nil(self, type: ComplexType, value: dict[str, object], at: str) -> Iterator[FieldError]:
        if value["$nil"] is not True:
            yield FieldError(_at(at, "$nil"), "must be true")
        known = {"$nil"}
        if "$type" in value:
            derived = [self._contract.types[key] for key in self._contract.derived.get(type.key, ())]
            actual = next((t for t in derived if t.key == value["$type"] and _concrete(t)), None)  # type: ignore[union-attr]
            if not isinstance(actual, ComplexType):
                yield FieldError(_at(at, "$type"), "names no type derived from the declared one")
                return
            type, known = actual, {"$nil", "$type"}
        form = self._form(type)
        yield from self._attributes(form, value, at)
        known |= {key for key, _ in form.attributes}
        if form.any_attribute is not None:
            known |= {key for key in value if key.startswith("@")}
        yield from _unknown(value, known, at)

    def _form(self, type: ComplexType) -> Form:
        if type.key not in self._forms:
            self._forms[type.key] = form_of(type)
        return self._forms[type.key]

    def _object(self, type: ComplexType, value: dict[str, Any], at: str, used: set[str], depth: int) -> Iterator[FieldError]:
        form = self._form(type)
        yield from self._attributes(form, value, at)
        known = {*used, *(key for key, _ in form.attributes), *keys(form.root)}
        if form.kind == "simple" and form.simple is not None:
            known.add("$value")
            if "$value" in value:
                yield from _text(form.simple, value["$value"], _at(at, "$value"))
            else:
                yield FieldError(_at(at, "$value"), "is required")
        elif form.root is not None:
            yield from self._node(form.root, value, at, True, depth + 1)
        if form.any_attribute is not None:
            known |= {key for key in value if key.startswith("@")}
        yield from _unknown(value, known, at)

    def _attributes(self, form: Form, value: dict[str, object], at: str) -> Iterator[FieldError]:
        for key, attribute in form.attributes:
            if key in value:
                yield from _text(attribute.type, value[key], _at(at, key), attribute.fixed)
            elif attribute.required:
                yield FieldError(_at(at, key), "is required")
        if form.any_attribute is not None:
            declared = {key for key, _ in form.attributes}
            for key in value:
                if key.startswith("@") and key not in declared:
                    yield from _free_attribute(key, value[key], at)

    # --- content -----------------------------------------------------------------------------------------------------

    def _node(self, node: FormNode, value: dict[str, Any], at: str, certain: bool, depth: int) -> Iterator[FieldError]:
        if isinstance(node, Block):
            yield from self._block(node, value, at, certain, depth)
        elif node.key in value:
            yield from self._present(node, value[node.key], _at(at, node.key), depth)
        elif certain and not nullable(node):
            yield FieldError(_at(at, node.key), "is required")

    def _present(self, node: FormNode, value: Any, at: str, depth: int) -> Iterator[FieldError]:
        if isinstance(node, Items):
            yield from self._items(node, value, at, depth)
        elif isinstance(node, AnySlot):
            yield from self._any_slot(node, value, at, depth)
        elif isinstance(node, Slot) and node.repeated:
            yield from _array(value, at, node.min, node.max)
            for index, item in enumerate(value if isinstance(value, list) else ()):
                yield from self._element(node.element, item, f"{at}/{index}", depth)
        elif isinstance(node, Slot):
            yield from self._element(node.element, value, at, depth)

    def _block(self, block: Block, value: dict[str, Any], at: str, certain: bool, depth: int) -> Iterator[FieldError]:
        if block.kind == "choice":
            yield from self._choice(block, value, at, certain, depth)
        elif (certain and block.required) or any(key in value for key in keys(block)):
            for child in block.nodes:
                yield from self._node(child, value, at, True, depth)

    def _choice(self, block: Block, value: dict[str, Any], at: str, certain: bool, depth: int) -> Iterator[FieldError]:
        chosen = [child for child in block.nodes if any(key in value for key in keys(child))]
        if not chosen and certain and not nullable(block):
            names = " or ".join(" with ".join(keys(child)) for child in block.nodes[:12])
            yield FieldError(at, f"needs one of {names}")
        for child in chosen[:1]:
            yield from self._node(child, value, at, True, depth)
        for child in chosen[1:]:
            first = next(key for key in keys(chosen[0]) if key in value)
            yield from (
                FieldError(_at(at, key), f"excludes {first}: only one of them may be given")
                for key in keys(child)
                if key in value
            )

    def _items(self, node: Items, value: Any, at: str, depth: int) -> Iterator[FieldError]:
        if not isinstance(value, list):
            yield FieldError(at, f"must be an array of objects with one key each, not {lexical.kind(value)}")
            return
        by_key = {slot.key: slot for slot in node.slots}
        symbols, clean = [], True
        for index, item in enumerate(value):
            here = f"{at}/{index}"
            if isinstance(item, str) and node.mixed:
                yield from _text(SimpleType("string"), item, here)
                continue
            if not isinstance(item, dict) or len(item) != 1:
                clean = False
                yield FieldError(here, "must be an object with one key")
                continue
            ((key, inner),) = item.items()
            if key in by_key:
                symbols.append(by_key[key].symbol)
                yield from self._element(by_key[key].element, inner, _at(here, key), depth)
            elif node.wildcards:
                symbols.append(WILDCARD_SYMBOL)
                yield from self._wild(node.wildcards, key, inner, here, depth)
            else:
                clean = False
                yield from _unknown(item, by_key, here)
        if clean and not matcher(node.model)("".join(symbols)):
            yield FieldError(at, f"has {', '.join(by_key)} in an order or number the contract does not allow")

    # --- open content ------------------------------------------------------------------------------------------------

    def _any_slot(self, node: AnySlot, value: Any, at: str, depth: int) -> Iterator[FieldError]:
        items = [(at, value)]
        if node.repeated:
            yield from _array(value, at, node.wildcard.min, node.wildcard.max)
            items = [(f"{at}/{i}", item) for i, item in enumerate(value)] if isinstance(value, list) else []
        for here, item in items:
            if not isinstance(item, dict) or len(item) != 1:
                yield FieldError(here, "must be an object with one key")
                continue
            ((key, inner),) = item.items()
            yield from self._wild((node.wildcard,), key, inner, here, depth)

    def _wild(self, wildcards: tuple[Wildcard, ...], key: str, value: object, at: str, depth: int) -> Iterator[FieldError]:
        try:
            name = one_element(value)[1] if key == "$xml" else key
        except ValueError as error:
            yield FieldError(_at(at, key), str(error))
            return
        if not any(wildcard.admits(namespace(name)) for wildcard in wildcards):
            yield FieldError(_at(at, key), "is not in a namespace allowed here")
        elif key != "$xml" and key not in self._contract.elements:
            yield FieldError(_at(at, key), 'is no element of the contract; send others as {"$xml": "..."}')
        elif key != "$xml":
            yield from self._element(self._contract.elements[key], value, _at(at, key), depth)

    def _any_type(self, value: Any, at: str, depth: int) -> Iterator[FieldError]:
        if isinstance(value, str):
            yield from _text(SimpleType("string"), value, at)
        elif isinstance(value, list) and self._message.encoded:
            yield from self._soap_array(ArrayType("", ANY_TYPE), value, at, depth)
        elif isinstance(value, dict) and value.keys() == {"$xml"}:
            try:
                fragment(value["$xml"])
            except ValueError as error:
                yield FieldError(_at(at, "$xml"), str(error))
        elif isinstance(value, dict) and isinstance(value.get("$type"), str):
            yield from self._named(value["$type"], value, at, depth)
        else:
            yield FieldError(at, 'must be a string, {"$type": ..., ...} or {"$xml": ...}')

    def _named(self, name: str, value: dict[str, Any], at: str, depth: int) -> Iterator[FieldError]:
        type = self._contract.types.get(name)
        if type is None and namespace(name) == XSD and local(name) in lexical.BUILTINS:
            type = lexical.builtin(local(name))
        if isinstance(type, SimpleType) and type.builtin not in lexical.QUALIFIED:
            if "$value" not in value:
                yield FieldError(_at(at, "$value"), "is required")
            else:
                yield from _text(type, value["$value"], _at(at, "$value"))
            yield from _unknown(value, {"$type", "$value"}, at)
        elif isinstance(type, ComplexType) and type.name and not type.abstract and name != ANY_TYPE:
            yield from self._object(type, value, at, {"$type"}, depth)
        else:
            yield FieldError(_at(at, "$type"), "names no type that can be used here")


def _concrete(type: object) -> bool:
    return isinstance(type, ComplexType) and not type.abstract


def _text(type: SimpleType, value: object, at: str, fixed: str | None = None) -> Iterator[FieldError]:
    if fixed is not None:
        type = replace(type, facets=replace(type.facets, enumeration=(fixed,)))
    try:
        simple.writer(type)(value)
    except ValueError as error:
        yield FieldError(at, str(error))


def _rows(value: Any, at: str, rank: int) -> Iterator[tuple[str, list[Any] | None]]:
    """The innermost lists of a nested one, each with its pointer; None for one that is missing or of another length."""
    level: list[tuple[str, Any]] = [(at, value)]
    for depth in range(rank):
        if len({len(items) if isinstance(items, list) else -1 for _, items in level}) > 1:
            yield at, None
            return
        if any(not isinstance(items, list) for _, items in level):
            yield at, None
            return
        if depth < rank - 1:
            level = [(f"{here}/{n}", item) for here, items in level for n, item in enumerate(items)]
    yield from level


def _array(value: Any, at: str, low: int, high: int | None) -> Iterator[FieldError]:
    if not isinstance(value, list):
        yield FieldError(at, f"must be an array, not {lexical.kind(value)}")
    elif len(value) < low:
        yield FieldError(at, f"needs at least {low} {'item' if low == 1 else 'items'}")
    elif high is not None and len(value) > high:
        yield FieldError(at, f"has {len(value)} items, more than the {high} allowed")


def _free_attribute(key: str, value: object, at: str) -> Iterator[FieldError]:
    name = key[1:]
    if not lexical.MATCHERS["QName"](name) or namespace(name) == XSI or "xmlns" in (local(name), name):
        yield FieldError(_at(at, key), "is no attribute name")
    else:
        yield from _text(SimpleType("string"), value, _at(at, key))
        yield from _text(SimpleType("string"), namespace(name), _at(at, key))


def _unknown(value: Mapping[str, object], known: Iterable[str], at: str) -> Iterator[FieldError]:
    known = list(known)
    for key in value:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            yield FieldError(_at(at, key), f"is unknown; did you mean {close[0]}?" if close else "is unknown")


def _at(pointer: str, key: str) -> str:
    return f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
