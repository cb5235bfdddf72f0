"""Where an envelope has binary text: found by walking it together with the contract, never by looking at the text.

Only branches whose types can hold base64Binary are entered, so that a large message costs no more than the part of it that
matters. Where the contract leaves a type open, ``xsi:type`` or a global element says what is there, or nothing does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from gateway.protocols.soap.form import children_of, has_wildcard, reachable
from gateway.protocols.soap.model import SWA_REF, XSD, XSI, ArrayType, ComplexType, Contract, Element, SimpleType, Type

_TYPE = f"{{{XSI}}}type"
_BINARY = f"{{{XSD}}}base64Binary"
_OPEN = ""


class Binaries:
    """Finds the binary leaves of messages that consist of these elements."""

    def __init__(self, contract: Contract, elements: Iterable[Element]) -> None:
        self._contract = contract
        self._tops = {element.name: element.type for element in elements}
        self._members: dict[str, dict[str, str]] = {}

    @property
    def refer(self) -> bool:
        """Whether the contract has references to attachments in them."""
        types = self._contract.types
        texts = (_text(types.get(key)) for key in reachable(self._tops.values(), types, self._contract.derived))
        return any(text is not None and text.name == SWA_REF for text in texts)

    def find(self, envelope: Any) -> Iterator[tuple[Any, bool]]:
        """Each binary leaf, an lxml element, in document order, and whether the contract makes it refer to an attachment."""
        pending = [(envelope, _OPEN)]
        while pending:
            node, key = pending.pop()
            type = self._contract.types.get(key)
            if key == _BINARY or _is_binary(type):
                text = _text(type)
                yield node, text is not None and text.name == SWA_REF
            elif _text(type) is None:
                pending += [(child, found) for child in reversed(node) if (found := self._child(key, child)) is not None]

    def _child(self, parent: str, node: Any) -> str | None:
        """The type of a child, ``_OPEN`` where nothing says what it is, None where there is no need to look."""
        named = node.get(_TYPE)
        key = _qname(node, named) if named else None
        if key is None or not (key in self._contract.types or key == _BINARY):
            key = self._declared(parent, str(node.tag))
        return None if key in self._barren else key

    def _declared(self, parent: str, name: str) -> str:
        type = self._contract.types.get(parent)
        if isinstance(type, ArrayType):
            return type.item
        if not isinstance(type, ComplexType):
            found = self._tops.get(name)
        else:
            if parent not in self._members:
                self._members[parent] = children_of(type)
            found = self._members[parent].get(name)
        if found is None:
            element = self._contract.elements.get(name)
            found = element.type if element is not None else _OPEN
        return found

    @cached_property
    def _barren(self) -> frozenset[str]:
        """The types these messages consist of whose values cannot hold binary text."""
        types, derived = self._contract.types, self._contract.derived
        keys = reachable(self._tops.values(), types, derived)
        owners: dict[str, list[str]] = {}
        for key in keys:
            for inner in (*_inner(types.get(key)), *derived.get(key, ())):
                owners.setdefault(inner, []).append(key)
        pending = [key for key in keys if _is_binary(types.get(key)) or _is_open(types.get(key))]
        fertile = set(pending)
        while pending:
            found = [owner for owner in owners.get(pending.pop(), ()) if owner not in fertile]
            fertile.update(found)
            pending += found
        return frozenset(keys) - fertile


def _inner(type: Type | None) -> Iterable[str]:
    if isinstance(type, ArrayType):
        return (type.item,)
    return children_of(type).values() if isinstance(type, ComplexType) else ()


def _is_open(type: Type | None) -> bool:
    return type is not None and has_wildcard(type)


def _is_binary(type: Type | None) -> bool:
    text = _text(type)
    return text is not None and text.variety == "atomic" and text.builtin == "base64Binary"


def _text(type: Type | None) -> SimpleType | None:
    if isinstance(type, ComplexType):
        return type.simple
    return type if isinstance(type, SimpleType) else None


def _qname(node: Any, text: str) -> str | None:
    prefix, _, name = text.strip().rpartition(":")
    space = node.nsmap.get(prefix or None)
    return f"{{{space}}}{name}" if space else name
