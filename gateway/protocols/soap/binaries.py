"""Where an envelope has binary text: found by walking it together with the contract, never by looking at the text.

Only branches whose types can hold base64Binary are entered, so that a large message costs no more than the part of it that
matters. Where the contract leaves a type open, ``xsi:type`` or a global element says what is there, or nothing does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
        self._fertile: dict[str, bool] = {}

    def any(self, *, attached: bool = False) -> bool:
        """Whether there can be one at all; ``attached`` asks for references to attachments only."""
        return any(self._leads_to(key, attached) for key in self._tops.values())

    def find(self, envelope: Any) -> Iterator[tuple[Any, bool]]:
        """Each binary leaf, an lxml element, in document order, and whether the contract makes it refer to an attachment."""
        pending = [(envelope, _OPEN)]
        while pending:
            node, key = pending.pop()
            kind = _text(self._contract.types.get(key)) if key != _BINARY else SimpleType("base64Binary")
            if kind is not None and kind.variety == "atomic" and kind.builtin == "base64Binary":
                yield node, kind.name == SWA_REF
            elif kind is None:
                pending += [(child, found) for child in reversed(node) if (found := self._child(key, child)) is not None]

    def _child(self, parent: str, node: Any) -> str | None:
        """The type of a child, ``_OPEN`` where nothing says what it is, None where there is no need to look."""
        named = node.get(_TYPE)
        key = _qname(node, named) if named else None
        if key is None or not (key in self._contract.types or key == _BINARY):
            key = self._declared(parent, str(node.tag))
        if key in (_OPEN, _BINARY):
            return key
        if key not in self._fertile:
            self._fertile[key] = self._leads_to(key, attached=False)
        return key if self._fertile[key] else None

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

    def _leads_to(self, key: str, attached: bool) -> bool:
        """Whether values of a type can hold binary text. Open content can hold anything but a reference."""
        for each in reachable([key], self._contract.types, self._contract.derived):
            type = self._contract.types.get(each)
            text = _text(type)
            if text is not None and text.builtin == "base64Binary" and (text.name == SWA_REF or not attached):
                return True
            if not attached and type is not None and has_wildcard(type):
                return True
        return False


def _text(type: Type | None) -> SimpleType | None:
    if isinstance(type, ComplexType):
        return type.simple
    return type if isinstance(type, SimpleType) else None


def _qname(node: Any, text: str) -> str | None:
    prefix, _, name = text.strip().rpartition(":")
    space = node.nsmap.get(prefix or None)
    return f"{{{space}}}{name}" if space else name
