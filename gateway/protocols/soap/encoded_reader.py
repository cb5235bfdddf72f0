"""XML by the rules of SOAP encoding to JSON values: SOAP 1.1 section 5, SOAP 1.2 part 2 section 3.

What the encoding leaves open is read liberally: accessors in any order, an absent one as null, the wrapper under any name
(section 7.1), array items under any name. References (``href`` and ``id``, ``ref`` in SOAP 1.2) are followed; a value referred to
twice appears twice. Cycles are refused, and so is a message that unfolds into far more than was sent.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from gateway.protocols.soap import lexical, simple
from gateway.protocols.soap.encoded_writer import slots_of
from gateway.protocols.soap.form import Block, Form, FormNode, Slot, form_of, nullable
from gateway.protocols.soap.model import (
    ANY_TYPE,
    SOAP_ENC,
    XSD,
    ArrayType,
    ComplexType,
    Contract,
    Element,
    Message,
    SimpleType,
    Type,
    local,
    namespace,
)
from gateway.protocols.soap.nodes import MAX_DEPTH, TYPE, Misfit, attribute_reader, is_nil, prefixed, shown, too_deep
from gateway.protocols.soap.wildcards import inner_xml

MAX_SHARED: Final = 100_000
"""How many elements may be read through references."""
MAX_GAPS: Final = 100_000
"""How many places of an array may be empty because its items were not sent."""
_RPC_RESULT: Final = "{http://www.w3.org/2003/05/soap-rpc}result"
_OLD_XSD: Final = ("http://www.w3.org/1999/XMLSchema", "http://www.w3.org/2000/10/XMLSchema")
_ARRAY_TYPE: Final = re.compile(r"\s*([^\[\]]+)((?:\[[0-9, *]*\])*)\s*").fullmatch


class EncodedReader:
    """Reads the encoded messages of one contract. Safe to share between threads."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._slots: dict[str, dict[str, Slot]] = {}
        self._forms: dict[str, Form] = {}

    def body(self, message: Message, body: Any) -> dict[str, object]:
        """The parts of a call or answer, by name. Raises ``Misfit`` or another ``ValueError``."""
        calls = [child for child in body if _encoding_attribute(child, "root") != "0"]
        if not calls or any(_identity(child) is None for child in calls[1:]):
            raise Misfit("the body does not hold one call or answer")
        type = self._contract.types[message.body[0].type]
        assert isinstance(type, ComplexType)
        return _Reading(self, body).parts(type, calls[0])

    def element(self, element: Element, node: Any) -> object:
        """The value of a header or fault detail."""
        top = node
        while top.getparent() is not None and local(str(top.tag)) != "Envelope":
            top = top.getparent()
        return _Reading(self, top).read(node, element.type, 0)

    def type(self, key: str) -> Type | None:
        """A type of the contract, or one built into XML Schema or the encoding."""
        known = self._contract.types.get(key)
        if known is not None:
            return known
        space, name = namespace(key), local(key)
        if space in SOAP_ENC.values() and name == "Array":
            return ArrayType(key, ANY_TYPE, name=key)
        built_in = space == XSD or space in _OLD_XSD or space in SOAP_ENC.values()
        return lexical.builtin(name) if built_in and name in lexical.BUILTINS else None

    def derived(self, key: str) -> tuple[str, ...]:
        return self._contract.derived.get(key, ())

    def form(self, type: ComplexType) -> Form:
        if type.key not in self._forms:
            self._forms[type.key] = form_of(type)
        return self._forms[type.key]

    def slots(self, type: ComplexType) -> dict[str, Slot]:
        """The elements of a struct by local name, which is all that tells accessors apart (SOAP 1.1 section 5.1)."""
        if type.key not in self._slots:
            self._slots[type.key] = {local(slot.element.name): slot for slot in slots_of(self.form(type).root)}
        return self._slots[type.key]


class _Reading:
    """One message being read: its elements by id, those whose content is being read, and what may still be unfolded."""

    def __init__(self, types: EncodedReader, scope: Any) -> None:
        self._types = types
        self._scope = scope
        self._ids: dict[str, Any] | None = None
        self._open: list[Any] = []
        self._left = MAX_SHARED

    def parts(self, type: ComplexType, node: Any) -> dict[str, object]:
        slots = self._types.slots(type)
        found = [child for child in node if child.tag != _RPC_RESULT]
        if len(slots) == 1 and len(found) == 1 and not next(iter(slots.values())).repeated:
            ((_, slot),) = slots.items()
            return {slot.key: self.read(found[0], slot.element.type, 1)}
        return self._members(type, node, found, 0)

    def read(self, node: Any, key: str, depth: int) -> object:
        """The value of an accessor of a declared type."""
        if depth > MAX_DEPTH:
            too_deep(node)
        followed = 0
        try:
            while (reference := _reference(node)) is not None:
                node = self._referred(reference, node)
                self._open.append(node)
                followed += 1
            if self._open:
                self._left -= 1
                if self._left < 0:
                    raise Misfit(f"its references unfold into more than {MAX_SHARED} elements")
            return self._value(node, key, depth)
        finally:
            del self._open[len(self._open) - followed :]

    def _referred(self, reference: str, node: Any) -> Any:
        if self._ids is None:
            self._ids = {}
            for each in self._scope.iter("*"):
                name = _identity(each)
                if name is not None and self._ids.setdefault(name, each) is not each:
                    raise Misfit("two elements have the same id")
        target = self._ids.get(reference)
        if target is None:
            raise Misfit(f"element {shown(node)}: refers to an element that is not in the message")
        if any(target is opened for opened in self._open):
            raise Misfit(f"element {shown(node)}: refers to what contains it")
        return target

    def _value(self, node: Any, key: str, depth: int) -> object:
        if is_nil(node):
            if len(node) or (node.text or "").strip():
                raise Misfit(f"element {shown(node)}: nil and yet with content")
            return None
        type = self._types.type(key)
        if key == ANY_TYPE or type is None:
            return self._open_value(node, depth)
        if isinstance(type, SimpleType):
            return _text(node, type)
        if isinstance(type, ArrayType):
            return self._array(node, type, depth)
        return self._struct(node, type, depth)

    # --- structs -----------------------------------------------------------------------------------------------------

    def _struct(self, node: Any, declared: ComplexType, depth: int) -> object:
        named = node.get(TYPE)
        key = prefixed(node, named) if named is not None else declared.key
        actual = self._types.type(key)
        if key in self._types.derived(declared.key) and isinstance(actual, ComplexType):
            return {"$type": key, **self._object(node, actual, depth)}
        if key != declared.key and isinstance(actual, ComplexType) and actual.key != ANY_TYPE:
            raise Misfit(f"element {shown(node)}: its xsi:type is not derived from the declared type")
        if declared.abstract:
            raise Misfit(f"element {shown(node)}: its type is abstract and its xsi:type is not known")
        return self._object(node, declared, depth)

    def _object(self, node: Any, type: ComplexType, depth: int) -> dict[str, object]:
        form = self._types.form(type)
        result = attribute_reader(form, ignore=True)(node)
        if form.simple is not None:
            return {**result, "$value": _text(node, form.simple)}
        return {**result, **self._members(type, node, list(node), depth)}

    def _members(self, type: ComplexType, node: Any, found: list[Any], depth: int) -> dict[str, object]:
        slots = self._types.slots(type)
        values: dict[str, list[object]] = {}
        if (node.text or "").strip() or any((child.tail or "").strip() for child in node):
            raise Misfit(f"element {shown(node)}: text where only elements belong")
        for child in found:
            slot = slots.get(local(str(child.tag)))
            if slot is None:
                raise Misfit(f"element {shown(node)}: {shown(child)} is out of place")
            values.setdefault(slot.key, []).append(self.read(child, slot.element.type, depth + 1))
        result: dict[str, object] = {}
        root = self._types.form(type).root
        if root is not None:
            _collect(root, values, result, True, shown(node))
        return result

    # --- arrays ------------------------------------------------------------------------------------------------------

    def _array(self, node: Any, type: ArrayType, depth: int) -> object:
        item, sizes = self._dimensions(node, type)
        children = list(node)
        places = _places(node, children, sizes)
        values = [self.read(child, item, depth + 1) for child in children]
        if places is None and len(sizes) == 1 and sizes[0] in (None, len(values)):
            return values
        total = _total(sizes, len(values), places)
        if total > len(values) + MAX_GAPS:
            raise Misfit(f"element {shown(node)}: an array with more than {MAX_GAPS} empty places")
        flat: list[object] = [None] * total
        for place, value in zip(places or range(len(values)), values, strict=True):
            if not 0 <= place < total:
                raise Misfit(f"element {shown(node)}: more items than the array has places")
            flat[place] = value
        return _nested(flat, [size for size in sizes[1:] if size is not None])

    def _dimensions(self, node: Any, type: ArrayType) -> tuple[str, list[int | None]]:
        """The type of items and the sizes an array says it has, None for one it does not say."""
        item = type.item
        sizes: list[int | None] = [None] * type.rank
        said = _encoding_attribute(node, "arrayType")
        match = _ARRAY_TYPE(said) if said is not None else None
        if said is not None and match is None:
            raise Misfit(f"element {shown(node)}: an array size that is no number")
        text = match[2].rpartition("[")[2].rstrip("]") if match is not None else _encoding_attribute(node, "arraySize")
        if text is not None:
            sizes = [_size(part, node) for part in text.replace(",", " , ").split() if part != ","] or sizes
        if type.item == ANY_TYPE:
            held = match[1] if match is not None and match[2].count("[") <= 1 else _encoding_attribute(node, "itemType")
            name = prefixed(node, held) if held is not None else ANY_TYPE
            item = name if self._types.type(name) is not None else ANY_TYPE
        elif len(sizes) != type.rank:
            raise Misfit(f"element {shown(node)}: an array of {len(sizes)} dimensions instead of {type.rank}")
        if None in sizes[1:]:
            raise Misfit(f"element {shown(node)}: an array that does not say its dimensions")
        return item, sizes

    # --- what only the message knows ---------------------------------------------------------------------------------

    def _open_value(self, node: Any, depth: int) -> object:
        """An ``anyType`` accessor: by its ``xsi:type`` where that is known."""
        named = node.get(TYPE)
        key = prefixed(node, named) if named is not None else ANY_TYPE
        type = self._types.type(key)
        if isinstance(type, ArrayType) or _encoding_attribute(node, "arrayType") or _encoding_attribute(node, "itemType"):
            return self._array(node, type if isinstance(type, ArrayType) else ArrayType("", ANY_TYPE), depth)
        if key == f"{{{XSD}}}string":
            return _text(node, lexical.builtin("string"))
        if isinstance(type, SimpleType):
            return {"$type": f"{{{XSD}}}{local(key)}" if namespace(key) in _OLD_XSD else key, "$value": _text(node, type)}
        if isinstance(type, ComplexType) and type.key != ANY_TYPE and not type.abstract:
            return {"$type": key, **self._object(node, type, depth)}
        return {"$xml": inner_xml(node)} if len(node) else node.text or ""


def _collect(node: FormNode, values: dict[str, list[object]], result: dict[str, object], certain: bool, shown: str) -> None:
    """Put what was read under its keys, in the order of the declaration; an accessor that had to be there is null."""
    if isinstance(node, Slot):
        _collect_slot(node, values.get(node.key), result, certain, shown)
    elif isinstance(node, Block) and node.kind == "choice":
        chosen = [child for child in node.nodes if _present(child, values)]
        if len(chosen) > 1 or (not chosen and certain and not nullable(node)):
            raise Misfit(f"element {shown}: not exactly one of what it may choose from")
        for child in chosen:
            _collect(child, values, result, True, shown)
    elif isinstance(node, Block):
        inner = (certain and node.required) or _present(node, values)
        for child in node.nodes:
            _collect(child, values, result, inner, shown)


def _collect_slot(slot: Slot, found: list[object] | None, result: dict[str, object], certain: bool, shown: str) -> None:
    if slot.repeated:
        if found is not None or certain:
            result[slot.key] = found or []
    elif found is not None:
        if len(found) > 1:
            raise Misfit(f"element {shown}: {local(slot.element.name)} is there twice")
        result[slot.key] = found[0]
    elif certain and slot.min > 0:
        result[slot.key] = None


def _present(node: FormNode, values: dict[str, list[object]]) -> bool:
    return any(slot.key in values for slot in slots_of(node))


def _text(node: Any, type: SimpleType) -> object:
    if len(node):
        raise Misfit(f"element {shown(node)}: elements where only text belongs")
    text = node.text or ""
    try:
        return simple.reader(type)(prefixed(node, text) if type.builtin in lexical.QUALIFIED else text)
    except Misfit:
        raise
    except ValueError as error:
        raise Misfit(f"element {shown(node)}: {error}") from error


def _reference(node: Any) -> str | None:
    """The id a node refers to, when it stands for another element."""
    href = node.get("href")
    if href is not None and href.startswith("#"):
        return str(href[1:])
    if href is not None:
        raise Misfit(f"element {shown(node)}: refers to something outside the message")
    found: str | None = node.get(f"{{{SOAP_ENC['1.2']}}}ref")
    return found


def _identity(node: Any) -> str | None:
    found: str | None = node.get("id") or node.get(f"{{{SOAP_ENC['1.2']}}}id")
    return found


def _encoding_attribute(node: Any, name: str) -> str | None:
    for space in SOAP_ENC.values():
        found: str | None = node.get(f"{{{space}}}{name}")
        if found is not None:
            return found
    return None


def _size(text: str, node: Any) -> int | None:
    if text == "*":
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise Misfit(f"element {shown(node)}: an array size that is no number")
    return int(text)


def _places(node: Any, children: list[Any], sizes: list[int | None]) -> list[int] | None:
    """The place of each item, counted through all dimensions; None when they simply follow each other (section 5.4.2)."""
    offset = _encoding_attribute(node, "offset")
    positions = [_encoding_attribute(child, "position") for child in children]
    if offset is None and not any(positions):
        return None
    place = _place(offset, sizes, node) if offset is not None else 0
    result: list[int] = []
    for position in positions:
        place = _place(position, sizes, node) if position is not None else place
        if place in result[-1:]:
            raise Misfit(f"element {shown(node)}: two items in one place")
        result.append(place)
        place += 1
    if len(set(result)) != len(result):
        raise Misfit(f"element {shown(node)}: two items in one place")
    return result


def _place(text: str, sizes: list[int | None], node: Any) -> int:
    numbers = [_size(part.strip(), node) for part in text.strip().removeprefix("[").removesuffix("]").split(",")]
    if len(numbers) == 1 and numbers[0] is not None:
        return numbers[0]
    if len(numbers) != len(sizes) or None in numbers:
        raise Misfit(f"element {shown(node)}: a place that does not fit the array's dimensions")
    place = 0
    for number, size in zip(numbers, sizes, strict=True):
        place = place * (size or 0) + (number or 0)
    return place


def _total(sizes: list[int | None], count: int, places: list[int] | None) -> int:
    """How many places an array has."""
    width = math.prod(size or 0 for size in sizes[1:])
    if sizes[0] is not None:
        return sizes[0] * width
    reach = max(places) + 1 if places else count
    return -(-reach // width) * width if width else 0


def _nested(flat: list[object], widths: list[int]) -> list[Any]:
    """A list for each dimension after the first."""
    for width in reversed(widths):
        flat = [flat[start : start + width] for start in range(0, len(flat), width)] if width else []
    return flat
