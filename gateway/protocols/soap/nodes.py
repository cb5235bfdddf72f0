"""What reads a single node of an answer, and what says that it does not fit: all a generated reader calls for.

Names elements in its errors, never values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from gateway.protocols.soap import lexical, simple
from gateway.protocols.soap.form import Form
from gateway.protocols.soap.model import XSI, SimpleType, local, namespace

ElementReader = Callable[[Any, int], object]

MAX_DEPTH = 100
NIL, TYPE = f"{{{XSI}}}nil", f"{{{XSI}}}type"


class Misfit(ValueError):
    """The XML does not have the structure the contract gives it."""


class NamespacesNeeded(Exception):
    """Met something whose meaning depends on prefixes; read again from a tree that keeps them."""


class _End:
    tag = ""


END = _End()
BARE = ElementTree.Element("a").__sizeof__()
"""The size of an element without attributes and children: one test for both. lxml's nodes have another and are read exactly."""


def shown(node: Any) -> str:
    return local(str(node.tag)) or "the end"


# --- what generated code calls when a test fails ---------------------------------------------------------------------


def missing(parent: Any, found: Any) -> None:
    raise Misfit(f"element {shown(parent)}: {'content is missing' if found is END else f'{shown(found)} is out of place'}")


def stray(node: Any) -> None:
    raise Misfit(f"element {shown(node)}: text where only elements belong")


def no_text(node: Any) -> None:
    if any(text and not text.isspace() for text in (node.text, *(child.tail for child in node))):
        stray(node)


def too_deep(node: Any) -> None:
    raise Misfit(f"element {shown(node)}: nested more than {MAX_DEPTH} deep")


def is_nil(node: Any) -> bool:
    return (node.get(NIL) or "").strip() in ("true", "1")


def prefixed(node: Any, text: str) -> str:
    """The Clark name of a QName in the scope of a node."""
    if not hasattr(node, "nsmap"):
        raise NamespacesNeeded
    prefix, _, name = text.strip().rpartition(":")
    space = node.nsmap.get(prefix or None)
    if space is None and prefix:
        raise Misfit(f"element {shown(node)}: the prefix of a name is not declared")
    return f"{{{space}}}{name}" if space else name


def check_attributes(node: Any, known: frozenset[str]) -> None:
    """Refuse attributes of no namespace that the contract does not declare; others are infrastructure."""
    for name in node.keys():  # noqa: SIM118
        if not name.startswith("{") and name not in known:
            raise Misfit(f"element {shown(node)}: the attribute {name} is unknown")


# --- readers of nodes that need no generated code ------------------------------------------------------------------


def selector(declared: str, choices: frozenset[str], compile: Callable[[str], ElementReader]) -> ElementReader:
    """Reads an element by the type its ``xsi:type`` names, compiled when it is first named."""
    table: dict[str, ElementReader] = {}

    def select(node: Any, d: int) -> object:
        named = node.get(TYPE)
        if named is None:
            raise Misfit(f"element {shown(node)}: its type is abstract and no xsi:type says which one it is")
        name = prefixed(node, named)
        if name not in choices:
            raise Misfit(f"element {shown(node)}: its xsi:type is not derived from the declared type")
        if name not in table:
            table[name] = compile(name)
        value: Any = table[name](node, d)
        return value if name == declared else {"$type": name, **value}

    return select


def nil_reader(form: Form) -> Callable[[Any], dict[str, object] | None]:
    attributes = attribute_reader(form)

    def read(node: Any) -> dict[str, object] | None:
        if len(node) or (node.text and not node.text.isspace()):
            raise Misfit(f"element {shown(node)}: nil and yet with content")
        found = attributes(node) if any(name not in (NIL, TYPE) for name in node.keys()) else {}  # noqa: SIM118
        return {"$nil": True, **found} if found else None

    return read


def attribute_reader(form: Form, *, ignore: bool = False) -> Callable[[Any], dict[str, object]]:
    """Reads the attributes of an element into a new object; ``ignore`` those nobody declared."""
    known = [(a.name, key, simple.reader(a.type), a.required, a.type.builtin in lexical.QUALIFIED) for key, a in form.attributes]
    names = frozenset(a.name for _, a in form.attributes)
    others = form.any_attribute

    def read(node: Any) -> dict[str, object]:
        result: dict[str, object] = {}
        for name, key, convert, required, qualified in known:
            text = node.get(name)
            if text is None:
                if required:
                    raise Misfit(f"element {shown(node)}: the attribute {local(name)} is missing")
                continue
            try:
                result[key] = convert(prefixed(node, text) if qualified else text)
            except ValueError as error:
                raise Misfit(f"element {shown(node)}: the attribute {local(name)} {error}") from error
        if len(node.keys()) != len(result) and not ignore:
            if others is None:
                check_attributes(node, names)
            else:
                result |= _extra_attributes(node, names)
        return result

    return read


def _extra_attributes(node: Any, known: frozenset[str]) -> dict[str, object]:
    return {f"@{name}": text for name, text in node.items() if name not in known and namespace(name) != XSI}


def leaf_reader(type: SimpleType, default: str | None) -> Callable[[Any], object]:
    """Reads an element of simple type, whatever state it is in."""
    convert = simple.reader(type)
    qualified = type.builtin in lexical.QUALIFIED

    def read(node: Any) -> object:
        if len(node):
            raise Misfit(f"element {shown(node)}: elements where only text belongs")
        check_attributes(node, frozenset())
        text = node.text or ""
        if is_nil(node):
            if text.strip():
                raise Misfit(f"element {shown(node)}: nil and yet with content")
            return None
        if not text and default is not None:
            text = default
        try:
            return convert(prefixed(node, text) if qualified else text)
        except Misfit:
            raise
        except ValueError as error:
            raise Misfit(f"element {shown(node)}: {error}") from error

    return read


def text_reader(type: SimpleType) -> Callable[[Any], object]:
    convert = simple.reader(type)

    def read(node: Any) -> object:
        if len(node):
            raise Misfit(f"element {shown(node)}: elements where only text belongs")
        try:
            return convert(node.text or "")
        except ValueError as error:
            raise Misfit(f"element {shown(node)}: {error}") from error

    return read
