"""XML Schema (1.0, part 1) components turned into the model.

An own walk over the parsed schema files rather than the components of the ``xmlschema`` package: real contracts hold schema
errors that package refuses as a whole, and building its components takes most of a second where this takes milliseconds, only
what operations reach being interpreted. ``xmlschema`` and libxml2 judge our envelopes in the tests instead. Element types are
queued, never recursed into, so recursive and very deep schemas cost no stack.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

from gateway.protocols.soap.components import Component, Components, Unresolved
from gateway.protocols.soap.declared import (
    checked,
    documentation,
    facets_of,
    is_true,
    merged,
    occurs,
    prohibited,
    wildcard_of,
)
from gateway.protocols.soap.documents import Node, children
from gateway.protocols.soap.model import (
    ANY_TYPE,
    SWA_REF,
    XSD,
    ArrayType,
    Attribute,
    ComplexType,
    Element,
    ElementUse,
    Facets,
    Group,
    Particle,
    SimpleType,
    Type,
    Wildcard,
    local,
    namespace,
)
from gateway.protocols.soap.standard import ANY, ATTRIBUTES, MAP, is_standard, standard_type

_COMPLEX, _SIMPLE = f"{{{XSD}}}complexType", f"{{{XSD}}}simpleType"
_GROUPS = {f"{{{XSD}}}{kind}": kind for kind in ("sequence", "choice", "all")}
_CONTENT = {f"{{{XSD}}}simpleContent": "simple", f"{{{XSD}}}complexContent": "complex"}
_DERIVATION = {f"{{{XSD}}}extension": "extension", f"{{{XSD}}}restriction": "restriction"}
_WSDL_ARRAY_TYPE = "{http://schemas.xmlsoap.org/wsdl/}arrayType"
_ARRAY_TYPE = re.compile(r"(.+?)((?:\[[0-9, ]*\])+)").fullmatch
_MAX_RANK = 5
_MAX_TYPES = 50_000


class Schema:
    """Builds the model types an element needs. ``types`` fills as elements are asked for."""

    def __init__(self, components: Components) -> None:
        self.types: dict[str, Type] = {ANY_TYPE: ANY}
        self._components = components
        self._building: set[str] = set()
        self._queue: list[tuple[str, Component]] = []
        self._inline: dict[str, Node] = {}
        self.broken: dict[str, str] = {}
        self._open = False
        self._members = self._substitutions()
        self._children = self._derivations()

    def element(self, name: str) -> Element:
        """The global element of that Clark name, its type reachable in ``types``. Raises ``Unresolved``."""
        component = self._components.get("element", name)
        return self._declaration(component, name, f"{name}@")

    def all_elements(self) -> dict[str, Element]:
        """Every global element that can be resolved, for wildcards; and every named type is built, for ``xsi:type``."""
        for name, _ in self._components.all("type"):
            self._reference(name)
        found = {}
        for name, _ in self._components.all("element"):
            with suppress(Unresolved):
                found[name] = self.element(name)
        return found

    def part(self, name: str, type: str) -> Element:
        """An RPC part accessor: an unqualified element of a named type."""
        return Element(name, self._reference(type), nillable=False)

    def complete(self) -> None:
        """Build every queued type, and every named type derived from one that was built. What fails is in ``broken``."""
        while self._queue:
            key, component = self._queue.pop()
            try:
                if len(self.types) > _MAX_TYPES:
                    raise Unresolved(f"the contract has more than {_MAX_TYPES} types")
                if key not in self.types and key not in self.broken:
                    self._build(key, component)
                for child in self._children.get(key, ()):
                    self._reference(child)
            except Unresolved as why:
                self.broken[key] = str(why)

    def derived(self) -> dict[str, tuple[str, ...]]:
        """For each complex type that was built, the types derived from it, directly or not."""
        result: dict[str, list[str]] = {}
        for key, type in self.types.items():
            base = type.base if isinstance(type, ComplexType) else None
            while base and type.name:
                result.setdefault(base, []).append(key)
                parent = self.types.get(base)
                base = parent.base if isinstance(parent, ComplexType) else None
        return {base: tuple(keys) for base, keys in result.items()}

    # --- elements ----------------------------------------------------------------------------------------------------

    def _declaration(self, component: Component, name: str, owner: str) -> Element:
        node = component.node
        return Element(
            name,
            self._element_type(component, owner),
            nillable=is_true(node.get("nillable")),
            default=node.get("default"),
            fixed=node.get("fixed"),
            documentation=documentation(node),
        )

    def _element_type(self, component: Component, owner: str) -> str:
        node = component.node
        if node.get("type"):
            return self._reference(component.name(node.get("type", "")))
        for inline in children(node, _COMPLEX, _SIMPLE):
            key = self._anonymous(owner, inline)
            self._queue.append((key, component.at(inline)))
            return key
        head = node.get("substitutionGroup")
        if head:
            name = component.name(head)
            return self._element_type(self._components.get("element", name), f"{name}@")
        return ANY_TYPE

    def _anonymous(self, owner: str, node: Node) -> str:
        key, count = owner, 1
        while self._inline.setdefault(key, node) is not node:
            count += 1
            key = f"{owner}~{count}"
        return key

    def _reference(self, name: str) -> str:
        """A named type's key, built now if it is built in, queued otherwise. Where any type may stand, maps do."""
        if name == ANY_TYPE and not self._open:
            self._open = True
            self._reference(MAP)
        if name in self.types or name in self._building or name in self.broken:
            return name
        if is_standard(name):
            self.types[name] = self._standard(name)
            return name
        try:
            self._queue.append((name, self._components.get("type", name)))
        except Unresolved as why:
            self.broken[name] = str(why)
        return name

    def _standard(self, name: str) -> Type:
        found = standard_type(name)
        if isinstance(found, ArrayType):
            self._reference(found.item)
        return found

    # --- types -------------------------------------------------------------------------------------------------------

    def _build(self, key: str, component: Component) -> Type:
        if key in self._building:
            raise Unresolved(f"type {key} is derived from itself")
        self._building.add(key)
        try:
            if component.node.tag == _SIMPLE:
                built: Type = self._simple(component)
            else:
                built = self._complex(key, component)
            self.types[key] = built
            return built
        finally:
            self._building.discard(key)

    def _named(self, name: str, within: Component) -> Type:
        """A base type, built at once. A redefinition that names itself means what it redefines."""
        original = within.original
        if original is not None and original.node.get("name") == local(name) and namespace(name) == within.namespace:
            key = f"{name}#redefined"
            known = self.types.get(key)
            return known or self._build(key, original)
        known = self.types.get(name)
        if known is not None:
            return known
        if is_standard(name):
            self.types[name] = self._standard(name)
            return self.types[name]
        component = self._components.get("type", name)
        self._queue.append((name, component))
        return self._build(name, component)

    def _complex(self, key: str, component: Component) -> ComplexType | ArrayType:
        node = component.node
        name = key if node.get("name") else None
        frame = ComplexType(
            key, name, abstract=is_true(node.get("abstract")), mixed=is_true(node.get("mixed")), documentation=documentation(node)
        )
        for content in children(node, *_CONTENT):
            for derivation in children(content, *_DERIVATION):
                frame = replace(frame, mixed=frame.mixed or is_true(content.get("mixed")))
                return self._derived(frame, component.at(derivation), _CONTENT[str(content.tag)])
        attributes, wildcard = self._attributes(component)
        return replace(frame, attributes=attributes, any_attribute=wildcard, content=self._content(component, key))

    def _derived(self, frame: ComplexType, component: Component, kind: str) -> ComplexType | ArrayType:
        node = component.node
        base_name = component.name(node.get("base", ""))
        base = self._named(base_name, component)
        if isinstance(base, ArrayType):
            return self._array(frame, base, component)
        extends = _DERIVATION[str(node.tag)] == "extension"
        attributes, wildcard = self._attributes(component)
        if isinstance(base, ComplexType):
            attributes = merged(base.attributes, attributes, prohibited(component))
            wildcard = (wildcard or base.any_attribute) if extends else wildcard
        result = replace(
            frame,
            base=base.key if isinstance(base, ComplexType) else None,
            derivation="extension" if extends else "restriction",
            attributes=attributes,
            any_attribute=wildcard,
        )
        if kind == "simple":
            return replace(result, simple=self._simple_content(base, component, extends), mixed=False)
        if isinstance(base, SimpleType):
            raise Unresolved(f"complex content of {frame.key} is derived from a simple type")
        own = self._content(component, frame.key)
        if not extends or base.key == ANY_TYPE:
            return replace(result, content=own, mixed=frame.mixed)
        both = tuple(p for p in (base.content, own) if p is not None)
        return replace(
            result,
            content=Group("sequence", both) if len(both) > 1 else (both[0] if both else None),
            mixed=frame.mixed or base.mixed,
            simple=base.simple,
        )

    def _array(self, frame: ComplexType, base: ArrayType, component: Component) -> ArrayType:
        """An array as WSDL 1.1 section 2.2 declares it: by ``wsdl:arrayType``, or by the one element it repeats."""
        named = ArrayType(frame.key, base.item, base.rank, frame.name, frame.documentation)
        for attribute in children(component.node, f"{{{XSD}}}attribute"):
            text = attribute.get(_WSDL_ARRAY_TYPE)
            if text is not None:
                item, rank = self._array_of(text, component.at(attribute))
                return replace(named, item=item, rank=rank)
        content = self._content(component, frame.key)
        if isinstance(content, Group) and len(content.items) == 1:
            content = content.items[0]
        return replace(named, item=content.element.type) if isinstance(content, ElementUse) else named

    def _array_of(self, text: str, component: Component) -> tuple[str, int]:
        """The item type and rank of an ``arrayType`` value, ``xsd:int[,]`` or, arrays of arrays, ``xsd:int[][]``."""
        match = _ARRAY_TYPE(text.strip())
        if match is None:
            raise Unresolved(f"the array type {text!r} has no dimensions")
        key = self._reference(component.name(match[1]))
        ranks = [part.count(",") + 1 for part in match[2][1:-1].split("][")]
        if max(ranks) > _MAX_RANK:
            raise Unresolved(f"the array type {text!r} has more than {_MAX_RANK} dimensions")
        for rank in ranks[:-1]:
            inner = ArrayType(f"{key}[{',' * (rank - 1)}]", key, rank)
            self.types.setdefault(inner.key, inner)
            key = inner.key
        return key, ranks[-1]

    def _simple_content(self, base: Type, component: Component, extends: bool) -> SimpleType:
        inner = base if isinstance(base, SimpleType) else base.simple if isinstance(base, ComplexType) else None
        for inline in children(component.node, _SIMPLE):
            inner = self._simple(component.at(inline))
        if inner is None:
            raise Unresolved("simple content is derived from a type without text")
        return inner if extends else checked(replace(inner, name=None, facets=facets_of(inner.facets, component.node)))

    def _simple(self, component: Component) -> SimpleType:
        node = component.node
        name = (component.namespace and f"{{{component.namespace}}}{node.get('name')}") or node.get("name")
        for child in children(node, f"{{{XSD}}}restriction", f"{{{XSD}}}list", f"{{{XSD}}}union"):
            built = getattr(self, "_by_" + local(str(child.tag)))(component.at(child))
            result: SimpleType = replace(built, name=name if node.get("name") else None, documentation=documentation(node))
            return checked(result)
        raise Unresolved(f"simple type {name or 'without a name'} has no content")

    def _by_restriction(self, component: Component) -> SimpleType:
        base = self._simple_base(component, "base")[0]
        if base.name == SWA_REF:
            raise Unresolved("a type is derived from swaRef")
        return replace(base, facets=facets_of(base.facets, component.node))

    def _by_list(self, component: Component) -> SimpleType:
        item = self._simple_base(component, "itemType")[0]
        return SimpleType("anySimpleType", variety="list", facets=Facets(whitespace="collapse"), item=item)

    def _by_union(self, component: Component) -> SimpleType:
        return SimpleType("anySimpleType", variety="union", members=tuple(self._simple_base(component, "memberTypes")))

    def _simple_base(self, component: Component, attribute: str) -> list[SimpleType]:
        names = component.node.get(attribute, "").split()
        found = [self._named(component.name(name), component) for name in names]
        found += [self._simple(component.at(inline)) for inline in children(component.node, _SIMPLE)]
        simple = [type for type in found if isinstance(type, SimpleType)]
        if not simple or len(simple) != len(found):
            raise Unresolved(f"{local(str(component.node.tag))} of a simple type names no simple type")
        return simple

    # --- attributes --------------------------------------------------------------------------------------------------

    def _attributes(self, component: Component, depth: int = 0) -> tuple[tuple[Attribute, ...], Wildcard | None]:
        found: dict[str, Attribute] = {}
        wildcard: Wildcard | None = None
        if depth > 50:
            raise Unresolved("attribute groups contain themselves")
        for node in children(component.node):
            tag = local(str(node.tag))
            if tag == "attribute" and node.get("use") != "prohibited":
                attribute = self._attribute(component.at(node))
                found[attribute.name] = attribute
            elif tag == "attributeGroup":
                inner, any_inner = self._attributes(self._group_reference(component.at(node), "attributeGroup"), depth + 1)
                found |= {a.name: a for a in inner}
                wildcard = wildcard or any_inner
            elif tag == "anyAttribute":
                wildcard = wildcard_of(component.at(node))
        return tuple(found.values()), wildcard

    def _attribute(self, component: Component) -> Attribute:
        node = component.node
        reference = node.get("ref")
        required = node.get("use") == "required"
        if reference:
            name = component.name(reference)
            if name in ATTRIBUTES:
                return Attribute(name, SimpleType(ATTRIBUTES[name]), required, node.get("default"), node.get("fixed"))
            declared = self._attribute_type(self._components.get("attribute", name))
            return Attribute(name, declared, required, node.get("default"), node.get("fixed"))
        form = node.get("form")
        qualified = form == "qualified" if form else component.qualified_attributes
        name = f"{{{component.namespace}}}{node.get('name')}" if qualified and component.namespace else str(node.get("name"))
        return Attribute(name, self._attribute_type(component), required, node.get("default"), node.get("fixed"))

    def _attribute_type(self, component: Component) -> SimpleType:
        named = component.node.get("type")
        if named:
            type = self._named(component.name(named), component)
            if isinstance(type, SimpleType) and type.name != SWA_REF:
                return type
            what = "refers to an attachment" if isinstance(type, SimpleType) else "has a complex type"
            raise Unresolved(f"attribute {component.node.get('name')} {what}")
        for inline in children(component.node, _SIMPLE):
            return self._simple(component.at(inline))
        return SimpleType("anySimpleType")

    def _group_reference(self, component: Component, kind: str) -> Component:
        name = component.name(component.node.get("ref", ""))
        original = component.original
        if original is not None and original.node.get("name") == local(name) and original.node.tag == component.node.tag:
            return original
        return self._components.get(kind, name)

    # --- content models ----------------------------------------------------------------------------------------------

    def _content(self, component: Component, owner: str) -> Particle | None:
        for node in children(component.node, *_GROUPS, f"{{{XSD}}}group"):
            return self._particle(component.at(node), owner, 0)
        return None

    def _particle(self, component: Component, owner: str, depth: int) -> Particle | None:
        node = component.node
        low, high = occurs(node)
        tag = local(str(node.tag))
        if high == 0:
            return None
        if depth > 50:
            raise Unresolved(f"model groups of {owner} contain themselves")
        if tag == "element":
            return self._element_particle(component, owner, low, high)
        if tag == "any":
            return replace(wildcard_of(component), min=low, max=high)
        if tag == "group":
            target = self._group_reference(component, "group")
            for child in children(target.node, *_GROUPS):
                inner = self._particle(target.at(child), owner, depth + 1)
                return replace(inner, min=low, max=high) if isinstance(inner, Group) else inner
            return None
        items = (
            self._particle(component.at(child), owner, depth + 1)
            for child in children(node)
            if child.tag in _GROUPS or local(str(child.tag)) in ("element", "any", "group")
        )
        return Group(_GROUPS[str(node.tag)], tuple(item for item in items if item is not None), low, high)  # type: ignore[arg-type]

    def _element_particle(self, component: Component, owner: str, low: int, high: int | None) -> Particle:
        node = component.node
        if node.get("ref"):
            return self._substitutable(component.name(node.get("ref", "")), low, high)
        form = node.get("form")
        qualified = form == "qualified" if form else component.qualified_elements
        name = f"{{{component.namespace}}}{node.get('name')}" if qualified and component.namespace else str(node.get("name"))
        return ElementUse(self._declaration(component, name, f"{owner}.{local(name)}"), low, high)

    def _substitutable(self, name: str, low: int, high: int | None) -> Particle:
        head = self._components.get("element", name)
        members = [] if is_true(head.node.get("abstract")) else [name]
        pending = list(self._members.get(name, ()))
        while pending:
            member = pending.pop(0)
            component = self._components.get("element", member)
            pending += self._members.get(member, ())
            if not is_true(component.node.get("abstract")) and member not in members:
                members.append(member)
        if not members:
            raise Unresolved(f"element {name} is abstract and nothing may stand for it")
        uses = tuple(ElementUse(self.element(member)) for member in members)
        return replace(uses[0], min=low, max=high) if len(uses) == 1 else Group("choice", uses, low, high)

    # --- indexes -----------------------------------------------------------------------------------------------------

    def _substitutions(self) -> dict[str, list[str]]:
        heads: dict[str, list[str]] = {}
        for name, component in self._components.all("element"):
            for head in (component.node.get("substitutionGroup") or "").split():
                heads.setdefault(component.name(head), []).append(name)
        return heads

    def _derivations(self) -> dict[str, list[str]]:
        bases: dict[str, list[str]] = {}
        for name, component in self._components.all("type"):
            for content in children(component.node, *_CONTENT):
                for derivation in children(content, *_DERIVATION):
                    bases.setdefault(component.at(derivation).name(derivation.get("base", "")), []).append(name)
        return bases
