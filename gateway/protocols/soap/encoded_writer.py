"""JSON values to XML by the rules of SOAP encoding: SOAP 1.1 section 5, SOAP 1.2 part 2 section 3.

Every accessor says its type (``xsi:type``), may be nil, and arrays say what they hold and how many. Values are trees, so nothing
is ever shared: no ``href``, no ``id``. The checker has been over the value before; here it is only rendered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.protocols.soap import leaves, lexical, simple
from gateway.protocols.soap.form import Block, FormNode, Slot, form_of
from gateway.protocols.soap.model import (
    ANY_TYPE,
    SOAP_ENC,
    XSD,
    ArrayType,
    ComplexType,
    Contract,
    Element,
    SimpleType,
    local,
    namespace,
)
from gateway.protocols.soap.wildcards import escape, escape_attribute, fragment
from gateway.protocols.soap.writer import Prefixes, attribute_writer, qualified

Render = Callable[[str, Any], str]


class EncodedWriter:
    """Renders the elements of encoded messages of one contract. ``prefixes`` are complete once it is made."""

    def __init__(self, contract: Contract, version: str) -> None:
        self.prefixes = Prefixes()
        self._contract = contract
        self._version = version
        self._encoding = self.prefixes.name(f"{{{SOAP_ENC[version]}}}x").rpartition(":")[0]
        self._known: dict[str, Render] = {}
        self._slots: dict[str, list[Slot]] = {}
        for space in dict.fromkeys([XSD, *(namespace(key) for key in contract.types)]):
            self.prefixes.name(f"{{{space}}}x" if space else "x")

    def wrapper(self, element: Element, envelope: str) -> Callable[[Any], str]:
        """The writer of a whole call: the element that stands in the body, its parts inside."""
        name = self.prefixes.name(element.name)
        start = f'<{name} {envelope}:encodingStyle="{SOAP_ENC[self._version]}">'
        type = self._contract.types[element.type]
        assert isinstance(type, ComplexType)
        return lambda value: f"{start}{self._members(type, value)}</{name}>"

    def element(self, element: Element) -> Callable[[Any], str]:
        """The writer of a header."""
        name = self.prefixes.name(element.name)
        return lambda value: self._accessor(name, element.type, value)

    def _accessor(self, name: str, key: str, value: Any) -> str:
        if value is None:
            return f'<{name} xsi:nil="true"/>'
        if key not in self._known:
            self._known[key] = self._render(key)
        return self._known[key](name, value)

    def _render(self, key: str) -> Render:
        type = self._contract.types.get(key) or lexical.builtin(local(key))
        if key == ANY_TYPE:
            return self._any
        if isinstance(type, SimpleType):
            return self._simple(type)
        if isinstance(type, ArrayType):
            return lambda name, value: self._array(type, name, value)
        return lambda name, value: self._struct(type, name, value)

    def _simple(self, type: SimpleType) -> Render:
        text = simple.writer(type)
        named = self._type_attribute(self._type_name(type))
        if type.builtin not in lexical.QUALIFIED:
            return lambda name, value: f"<{name}{named}>{escape(text(value))}</{name}>"

        def write(name: str, value: Any) -> str:
            space, shown = qualified(text(value), "q")
            return f"<{name}{named}{space}>{shown}</{name}>"

        return write

    # --- structs -----------------------------------------------------------------------------------------------------

    def _struct(self, type: ComplexType, name: str, value: Any) -> str:
        actual = self._contract.types[value["$type"]] if "$type" in value else type
        assert isinstance(actual, ComplexType)
        named = self._type_attribute(actual.name)
        form = form_of(actual)
        attributes = "".join(
            attribute_writer(self.prefixes.name(attribute.name), attribute)(value[key])
            for key, attribute in form.attributes
            if key in value
        )
        if form.simple is not None:
            return f"<{name}{named}{attributes}>{escape(simple.writer(form.simple)(value['$value']))}</{name}>"
        return f"<{name}{named}{attributes}>{self._members(actual, value)}</{name}>"

    def _members(self, type: ComplexType, value: Any) -> str:
        if type.key not in self._slots:
            self._slots[type.key] = list(slots_of(form_of(type).root))
        parts: list[str] = []
        for slot in self._slots[type.key]:
            if slot.key in value:
                name, given = self.prefixes.name(slot.element.name), value[slot.key]
                items = given if slot.repeated else [given]
                parts += [self._accessor(name, slot.element.type, item) for item in items]
        return "".join(parts)

    # --- arrays ------------------------------------------------------------------------------------------------------

    def _array(self, type: ArrayType, name: str, value: Any) -> str:
        sizes, items = [], value
        for depth in range(type.rank):
            sizes.append(len(items) if depth == 0 else len(items[0]) if items else 0)
            if depth:
                items = [item for row in items for item in row]
        named = self._type_attribute(type.name or f"{{{SOAP_ENC[self._version]}}}Array")
        content = "".join([self._accessor("item", type.item, item) for item in items])
        return f"<{name}{named}{self._dimensions(type.item, sizes)}>{content}</{name}>"

    def _dimensions(self, item: str, sizes: list[int]) -> str:
        encoding, held = self._encoding, self._item_name(item)
        if self._version == "1.1":
            return f' {encoding}:arrayType="{held}[{",".join(map(str, sizes))}]"'
        held = f"{encoding}:Array" if held.endswith("]") else held
        return f' {encoding}:itemType="{held}" {encoding}:arraySize="{" ".join(map(str, sizes))}"'

    def _item_name(self, key: str) -> str:
        type = self._contract.types.get(key)
        if isinstance(type, ArrayType) and type.name is None:
            return f"{self._item_name(type.item)}[{',' * (type.rank - 1)}]"
        name = self._type_name(type) if isinstance(type, SimpleType) else type.name if type is not None else None
        return self.prefixes.name(name or ANY_TYPE)

    # --- what is known only from the value ---------------------------------------------------------------------------

    def _any(self, name: str, value: Any) -> str:
        if isinstance(value, str):
            return f"<{name}{self._type_attribute(f'{{{XSD}}}string')}>{leaves.plain(value)}</{name}>"
        if isinstance(value, list):
            return self._array(ArrayType("", ANY_TYPE), name, value)
        if value.keys() == {"$xml"}:
            return f"<{name}>{fragment(value['$xml'])}</{name}>"
        key = value["$type"]
        type = self._contract.types.get(key) or lexical.builtin(local(key))
        return self._accessor(name, key, value["$value"] if isinstance(type, SimpleType) else value)

    def _type_name(self, type: SimpleType) -> str | None:
        if type.name is not None:
            return type.name
        return f"{{{XSD}}}{type.builtin}" if type.variety == "atomic" else None

    def _type_attribute(self, name: str | None) -> str:
        return f' xsi:type="{escape_attribute(self.prefixes.name(name))}"' if name else ""


def slots_of(node: FormNode | None) -> list[Slot]:
    """The elements of a struct, in the order of its declaration."""
    if isinstance(node, Block):
        return [slot for child in node.nodes for slot in slots_of(child)]
    return [node] if isinstance(node, Slot) else []
