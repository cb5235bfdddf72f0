"""The JSON form of a complex type: which keys an object has and how they follow from the content model.

One interpretation, used by writer, reader, checker, JSON Schema and field paths alike, so that they cannot disagree:

- ``fields``: every element name occurs once: one key each; choices are exclusive keys; one repeating group becomes the ordered
  array ``$items``, wildcards become ``$any``;
- ``content``: mixed text, repeated names or several repeating groups: the ordered array ``$content``;
- ``simple``: text under ``$value``.

Attributes are ``@name`` in each. A local name that two namespaces share is written ``{namespace}name``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from gateway.protocols.soap.lexical import QUALIFIED
from gateway.protocols.soap.model import (
    ANY_TYPE,
    ArrayType,
    Attribute,
    ComplexType,
    Element,
    ElementUse,
    Group,
    Message,
    Operation,
    Particle,
    SimpleType,
    Type,
    Wildcard,
    local,
)
from gateway.protocols.soap.order import Model

WILDCARD_SYMBOL = "\u00ff"
_FIRST_SYMBOL = 0x100


@dataclass(frozen=True, slots=True)
class Slot:
    """One element under one key. ``symbol`` stands for it in content patterns. ``max`` None or above 1 makes it an array."""

    key: str
    element: Element
    min: int
    max: int | None
    symbol: str

    @property
    def repeated(self) -> bool:
        return self.max is None or self.max > 1


@dataclass(frozen=True, slots=True)
class Items:
    """An ordered array of one-key objects (and text, when mixed). ``model`` is its content model over slot symbols."""

    key: str
    slots: tuple[Slot, ...]
    wildcards: tuple[Wildcard, ...]
    model: Model | None
    required: bool
    mixed: bool = False


@dataclass(frozen=True, slots=True)
class AnySlot:
    """A wildcard: ``$any`` holds a one-key object, or an array of them."""

    wildcard: Wildcard

    key = "$any"

    @property
    def repeated(self) -> bool:
        return self.wildcard.max is None or self.wildcard.max > 1


@dataclass(frozen=True, slots=True)
class Block:
    kind: Literal["sequence", "choice", "all"]
    nodes: tuple[FormNode, ...]
    required: bool


FormNode = Slot | Items | AnySlot | Block


@dataclass(frozen=True, slots=True)
class Form:
    kind: Literal["fields", "content", "simple"]
    attributes: tuple[tuple[str, Attribute], ...]
    any_attribute: Wildcard | None
    root: FormNode | None
    simple: SimpleType | None = None


def form_of(type: ComplexType) -> Form:
    """The JSON form of a complex type, worked out once."""
    if "form" not in type.derivations:
        type.derivations["form"] = _form(type)
    form: Form = type.derivations["form"]
    return form


def _form(type: ComplexType) -> Form:
    attributes = tuple(_attribute_keys(type.attributes))
    if type.simple is not None:
        return Form("simple", attributes, type.any_attribute, None, type.simple)
    content = simplify(type.content) if type.content is not None else None
    if type.mixed or (content is not None and not _is_flat(content)):
        items = _items("$content", content, _slot_map(content), type.mixed)
        return Form("content", attributes, type.any_attribute, items)
    root = _node(content, _slot_map(content)) if content is not None else None
    return Form("fields", attributes, type.any_attribute, root)


def _attribute_keys(attributes: Iterable[Attribute]) -> Iterator[tuple[str, Attribute]]:
    counts = Counter(local(a.name) for a in attributes)
    return ((f"@{local(a.name) if counts[local(a.name)] == 1 else a.name}", a) for a in attributes)


def keys(node: FormNode | None) -> Iterator[str]:
    """The object keys a node may use."""
    if isinstance(node, Block):
        for child in node.nodes:
            yield from keys(child)
    elif node is not None:
        yield node.key


def nullable(node: FormNode) -> bool:
    """Whether a node may be satisfied by nothing at all."""
    if isinstance(node, Slot):
        return node.min == 0
    if isinstance(node, Items):
        return not node.required
    if isinstance(node, AnySlot):
        return node.wildcard.min == 0
    if not node.required:
        return True
    return (any if node.kind == "choice" else all)(nullable(child) for child in node.nodes)


def beginnings(node: FormNode) -> tuple[list[str], list[Wildcard]]:
    """The element names and wildcards a node may begin with."""
    if isinstance(node, Slot):
        return [node.element.name], []
    if isinstance(node, Items):
        return [slot.element.name for slot in node.slots], list(node.wildcards)
    if isinstance(node, AnySlot):
        return [], [node.wildcard]
    names: list[str] = []
    wildcards: list[Wildcard] = []
    for child in node.nodes:
        more, wild = beginnings(child)
        names += more
        wildcards += wild
        if node.kind == "sequence" and not nullable(child):
            break
    return names, wildcards


# --- content models --------------------------------------------------------------------------------------------------


def simplify(particle: Particle) -> Particle | None:
    """An equal content model with fewer groups."""
    if particle.max == 0:
        return None
    if not isinstance(particle, Group):
        return particle
    items: list[Particle] = []
    for item in map(simplify, particle.items):
        if item is None:
            if particle.kind == "choice":
                particle = replace(particle, min=0)
        elif _splices(particle, item):
            items += item.items  # type: ignore[union-attr]
        else:
            items.append(item)
    if not items:
        return None
    if len(items) == 1:
        return _merged(replace(particle, items=tuple(items)), items[0])
    return replace(particle, items=tuple(items))


def _splices(outer: Group, inner: Particle) -> bool:
    if not isinstance(inner, Group) or inner.kind != outer.kind or inner.kind == "all" or inner.max != 1:
        return False
    return inner.min == 1 or (inner.kind == "sequence" and all(_emptiable(item) for item in inner.items))


def _emptiable(particle: Particle) -> bool:
    if particle.min == 0:
        return True
    if not isinstance(particle, Group):
        return False
    return (any if particle.kind == "choice" else all)(_emptiable(item) for item in particle.items)


def _merged(group: Group, item: Particle) -> Particle:
    """A group of one item as that item alone, where the number of occurrences can be said in one range."""
    if (group.min, group.max) == (1, 1):
        return item
    if (item.min, item.max) == (1, 1):
        return replace(item, min=group.min, max=group.max)
    if item.max == 1 or (group.max == 1 and item.min <= 1):
        return replace(item, min=item.min and group.min, max=group.max if item.max == 1 else item.max)
    return group


def _is_flat(particle: Particle) -> bool:
    """Whether one key per element name says it all."""
    names = Counter(use.element.name for use in _uses(particle))
    if any(count > 1 for count in names.values()):
        return False
    repeats = [p for p in _outermost(particle) if isinstance(p, Group)]
    wildcards = [p for p in _outermost(particle) if isinstance(p, Wildcard)]
    return len(repeats) <= 1 and len(wildcards) <= 1 and not (repeats and wildcards)


def _uses(particle: Particle | None) -> Iterator[ElementUse]:
    if isinstance(particle, ElementUse):
        yield particle
    elif isinstance(particle, Group):
        for item in particle.items:
            yield from _uses(item)


def _wildcards(particle: Particle | None) -> Iterator[Wildcard]:
    if isinstance(particle, Wildcard):
        yield particle
    elif isinstance(particle, Group):
        for item in particle.items:
            yield from _wildcards(item)


def _outermost(particle: Particle) -> Iterator[Particle]:
    """Wildcards and repeating groups that are not inside a repeating group."""
    if isinstance(particle, Wildcard) or (isinstance(particle, Group) and particle.max != 1):
        yield particle
    elif isinstance(particle, Group):
        for item in particle.items:
            yield from _outermost(item)


def _slot_map(particle: Particle | None) -> dict[str, Slot]:
    """A slot per element name. Occurrences are those of the only use, and unlimited for a name used more than once."""
    uses: dict[str, ElementUse] = {}
    for use in _uses(particle):
        uses[use.element.name] = use
    counts = Counter(local(name) for name in uses)
    result = {}
    for index, (name, use) in enumerate(uses.items()):
        key = local(name) if counts[local(name)] == 1 else name
        result[name] = Slot(key, use.element, use.min, use.max, chr(_FIRST_SYMBOL + index))
    return result


def _node(particle: Particle, by_name: Mapping[str, Slot]) -> FormNode:
    if isinstance(particle, ElementUse):
        return by_name[particle.element.name]
    if isinstance(particle, Wildcard):
        return AnySlot(particle)
    if particle.max != 1:
        return _items("$items", particle, by_name, mixed=False)
    return Block(particle.kind, tuple(_node(item, by_name) for item in particle.items), particle.min > 0)


def _items(key: str, particle: Particle | None, by_name: Mapping[str, Slot], mixed: bool) -> Items:
    names = dict.fromkeys(use.element.name for use in _uses(particle))
    required = particle is not None and not _emptiable(particle)
    found = tuple(by_name[name] for name in names)
    model = _model(particle, by_name) if particle is not None else None
    return Items(key, found, tuple(_wildcards(particle)), model, required, mixed)


def _model(particle: Particle, by_name: Mapping[str, Slot]) -> Model:
    """The content model over the symbols of its slots."""
    if isinstance(particle, ElementUse):
        return "symbol", by_name[particle.element.name].symbol, particle.min, particle.max
    if isinstance(particle, Wildcard):
        return "symbol", WILDCARD_SYMBOL, particle.min, particle.max
    return particle.kind, tuple(_model(item, by_name) for item in particle.items), particle.min, particle.max


# --- what an operation reaches ---------------------------------------------------------------------------------------


def names_of(type: Type) -> Iterator[str]:
    """The Clark names of the elements and attributes a type itself declares."""
    if isinstance(type, ComplexType):
        yield from (use.element.name for use in _uses(type.content))
        yield from (attribute.name for attribute in type.attributes)


def children_of(type: ComplexType) -> dict[str, str]:
    """The elements a type itself declares: Clark name to type key."""
    return {use.element.name: use.element.type for use in _uses(type.content)}


def has_wildcard(type: Type) -> bool:
    return isinstance(type, ComplexType) and (type.key == ANY_TYPE or any(True for _ in _wildcards(type.content)))


def reachable(keys: Iterable[str], types: Mapping[str, Type], derived: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Every type key that values of these types may contain, missing ones included."""
    found: dict[str, None] = {}
    pending = list(keys)
    while pending:
        key = pending.pop()
        if key in found:
            continue
        found[key] = None
        type = types.get(key)
        if isinstance(type, ComplexType):
            pending += derived.get(key, ())
            pending += [inner for inner in _leads(type) if inner not in found]
        elif isinstance(type, ArrayType):
            pending.append(type.item)
    return list(found)


def _leads(type: ComplexType) -> tuple[str, ...]:
    """The types of the elements a type itself declares."""
    if "leads" not in type.derivations:
        type.derivations["leads"] = tuple(dict.fromkeys(use.element.type for use in _uses(type.content)))
    leads: tuple[str, ...] = type.derivations["leads"]
    return leads


def incomplete(types: Mapping[str, Type], derived: Mapping[str, tuple[str, ...]]) -> set[str]:
    """The types whose values may contain one that is missing."""
    users: dict[str, list[str]] = {}
    for key, type in types.items():
        inner = (type.item,) if isinstance(type, ArrayType) else _leads(type) if isinstance(type, ComplexType) else ()
        for used in (*inner, *derived.get(key, ())):
            users.setdefault(used, []).append(key)
    found: set[str] = set()
    pending = [key for key in users if key not in types]
    while pending:
        more = set(users.get(pending.pop(), ())) - found
        found |= more
        pending += more
    return found


def message_types(message: Message | None) -> list[str]:
    return [element.type for element in (*message.body, *message.headers)] if message else []


def operation_types(operation: Operation) -> list[str]:
    return [*message_types(operation.input), *message_types(operation.output), *(e.type for e in operation.faults.values())]


def obstacle(
    operation: Operation, types: Mapping[str, Type], derived: Mapping[str, tuple[str, ...]], broken: Mapping[str, str]
) -> str:
    """Why an operation cannot be offered, or "" when it can."""
    reached = reachable(operation_types(operation), types, derived)
    for key in reached:
        type = types.get(key)
        if type is None:
            return broken.get(key, f"type {key} cannot be built")
        if any(_hides_qname(simple, inner) for simple, inner in _texts(type)):
            return f"a QName stands in a list, a union or simple content of {key}"
        if isinstance(type, ComplexType) and type.abstract and not derived.get(key):
            return f"type {key} is abstract and nothing is derived from it"
    arrays = any(isinstance(types[key], ArrayType) for key in reached)
    for message in (operation.input, operation.output or Message()):
        for key in reachable(message_types(message), types, derived) if arrays or message.encoded else ():
            reason = _misplaced(types[key], message.encoded)
            if reason:
                return reason
    return ""


def _misplaced(type: Type, encoded: bool) -> str:
    """Why a type cannot stand in a message that is, or is not, encoded."""
    if isinstance(type, ArrayType):
        return "" if encoded else f"the SOAP array {local(type.key)} stands in a literal message"
    if encoded and isinstance(type, ComplexType) and type.key != ANY_TYPE:
        form = form_of(type)
        if form.kind == "content" or any(not isinstance(node, Slot) for node in leaves_of(form.root)):
            return f"type {local(type.key)} has repeated names, groups or any content, which SOAP encoding has no form for"
    return ""


def leaves_of(node: FormNode | None) -> Iterator[FormNode]:
    """The nodes of a form that are not blocks."""
    if isinstance(node, Block):
        for child in node.nodes:
            yield from leaves_of(child)
    elif node is not None:
        yield node


def _texts(type: Type) -> Iterator[tuple[SimpleType, bool]]:
    """The simple types a type consists of, and whether each is the content of a complex one."""
    if isinstance(type, SimpleType):
        yield type, False
        return
    if isinstance(type, ArrayType):
        return
    if type.simple is not None:
        yield type.simple, True
    yield from ((attribute.type, False) for attribute in type.attributes)


def _hides_qname(type: SimpleType, inner: bool) -> bool:
    """Whether a QName, whose prefix has to be declared beside it, stands where that cannot be done."""
    parts = (*type.members, *((type.item,) if type.item else ()))
    return (inner and type.builtin in QUALIFIED) or any(_hides_qname(part, True) for part in parts)
