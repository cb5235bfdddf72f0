"""Random schemas of two namespaces, as values that print themselves as XML Schema; drawn by Hypothesis, so that they shrink.

Content models are deterministic by construction: within a type every name is new, or separated by something required.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

from hypothesis import strategies as st

from tests.fuzz.texts import BUILTINS, FACETED, Simple

T, U = "urn:t", "urn:u"
_XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" xmlns:u="urn:u"'


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    type: Simple
    required: bool
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Element:
    """``type`` is a simple type, a complex one written in place, the name of a global one, or "" for ``anyType``."""

    name: str
    type: Simple | Complex | str
    low: int = 1
    high: int | None = 1
    nillable: bool = False
    namespace: str = ""
    ref: bool = False


@dataclass(frozen=True, slots=True)
class Any:
    low: int
    high: int | None
    process: str


@dataclass(frozen=True, slots=True)
class Group:
    kind: str
    items: tuple[Element | Any | Group, ...]
    low: int = 1
    high: int | None = 1


@dataclass(frozen=True, slots=True)
class Complex:
    name: str = ""
    base: str = ""
    abstract: bool = False
    mixed: bool = False
    content: Group | None = None
    simple: Simple | None = None
    attributes: tuple[Attribute, ...] = ()
    any_attribute: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Schema:
    """``types`` and ``elements`` are global, those of ``U`` too; ``heads`` are members by the head they may stand for."""

    types: dict[str, Complex]
    elements: dict[str, Element]
    heads: dict[str, list[str]]
    qualified: bool

    def main(self) -> str:
        body = "".join(_complex(type) for type in self.types.values())
        for name, element in self.elements.items():
            if element.namespace == T:
                head = next((head for head, members in self.heads.items() if name in members), "")
                body += _element(element, f' substitutionGroup="t:{head}"' if head else "")
        form = "qualified" if self.qualified else "unqualified"
        return (
            f'<xs:schema {_XS} targetNamespace="{T}" elementFormDefault="{form}">'
            f'<xs:import namespace="{U}" schemaLocation="other.xsd"/>{body}</xs:schema>'
        )

    def other(self) -> str:
        body = "".join(_element(element) for element in self.elements.values() if element.namespace == U)
        attributes = '<xs:attribute name="mark" type="xs:token"/>'
        return f'<xs:schema {_XS} targetNamespace="{U}" elementFormDefault="qualified">{body}{attributes}</xs:schema>'


# --- as XML Schema ---------------------------------------------------------------------------------------------------


def _occurs(low: int, high: int | None) -> str:
    return ("" if low == 1 else f' minOccurs="{low}"') + ("" if high == 1 else f' maxOccurs="{high or "unbounded"}"')


def _simple(type: Simple) -> str:
    return f"<xs:simpleType>{type.xsd}</xs:simpleType>" if type.xsd else ""


def _element(element: Element, more: str = "") -> str:
    occurs = _occurs(element.low, element.high)
    if element.ref:
        return f'<xs:element ref="{"t" if element.namespace == T else "u"}:{element.name}"{occurs}/>'
    nillable = ' nillable="true"' if element.nillable else ""
    start = f"<xs:element name={quoteattr(element.name)}{occurs}{nillable}{more}"
    if isinstance(element.type, str):
        return f'{start} type="{"t:" + element.type if element.type else "xs:anyType"}"/>'
    if isinstance(element.type, Simple) and element.type.builtin:
        return f'{start} type="xs:{element.type.builtin}"/>'
    inner = _simple(element.type) if isinstance(element.type, Simple) else _complex(element.type)
    return f"{start}>{inner}</xs:element>"


def _attribute(attribute: Attribute) -> str:
    use = ' use="required"' if attribute.required else ""
    if attribute.namespace:
        return f'<xs:attribute ref="u:{attribute.name}"{use}/>'
    if attribute.type.builtin:
        return f'<xs:attribute name="{attribute.name}" type="xs:{attribute.type.builtin}"{use}/>'
    return f'<xs:attribute name="{attribute.name}"{use}>{_simple(attribute.type)}</xs:attribute>'


def _particle(item: Element | Any | Group) -> str:
    if isinstance(item, Element):
        return _element(item)
    if isinstance(item, Any):
        return f'<xs:any namespace="##other" processContents="{item.process}"{_occurs(item.low, item.high)}/>'
    return f"<xs:{item.kind}{_occurs(item.low, item.high)}>{''.join(map(_particle, item.items))}</xs:{item.kind}>"


def _complex(type: Complex) -> str:
    attributes = "".join(map(_attribute, type.attributes))
    if type.any_attribute:
        attributes += '<xs:anyAttribute namespace="##other" processContents="lax"/>'
    content = _particle(type.content) if type.content is not None else ""
    inner = content + attributes
    if type.simple is not None:
        inner = f'<xs:simpleContent><xs:extension base="xs:{type.simple.builtin}">{attributes}</xs:extension></xs:simpleContent>'
    elif type.base:
        inner = f'<xs:complexContent><xs:extension base="t:{type.base}">{inner}</xs:extension></xs:complexContent>'
    flags = (f' name="{type.name}"' if type.name else "") + (' abstract="true"' if type.abstract else "")
    flags += ' mixed="true"' if type.mixed else ""
    return f"<xs:complexType{flags}>{inner}</xs:complexType>"


# --- drawn -----------------------------------------------------------------------------------------------------------

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Names:
    """Names new within one type, some of them hard for programs."""

    _HARD = ("class", "Ünit", "a.b", "x-1", "$", "_", "value", "self")

    def __init__(self, prefix: str) -> None:
        self._prefix, self._count = prefix, 0

    def __call__(self) -> str:
        self._count += 1
        hard = self._HARD[self._count % len(self._HARD)]
        return f"{self._prefix}{self._count}" if self._count % 3 or hard == "$" else f"{self._prefix}{self._count}{hard}"


def leaf() -> st.SearchStrategy[Simple]:
    return st.sampled_from(BUILTINS) | st.sampled_from(FACETED)


@st.composite
def occurrences(draw: st.DrawFn) -> tuple[int, int | None]:
    return draw(st.sampled_from([(1, 1), (1, 1), (0, 1), (0, 1), (0, None), (1, None), (2, 3), (0, 4)]))


@st.composite
def elements(draw: st.DrawFn, world: World, names: Names, depth: int, single: bool = False) -> Element:
    low, high = (1, 1) if single else draw(occurrences())
    choice = draw(st.integers(0, 19))
    nillable = draw(st.integers(0, 3)) == 0
    space = T if world.qualified else ""
    if choice < 9 or depth <= 0:
        return Element(names(), draw(leaf()), low, high, nillable, space)
    if choice < 14:
        return Element(names(), draw(complexes(world, depth - 1)), low, high, nillable, space)
    if choice < 16 and world.types:
        return Element(names(), draw(st.sampled_from(world.types)), low, high, nillable, space)
    if choice < 17 and world.recursive and not single:
        return Element(names(), world.recursive, 0, high, nillable, space)
    if choice < 18:
        return Element(names(), "", low, high, nillable, space)
    name, namespace = draw(st.sampled_from(world.globals))
    if name in names.__dict__.setdefault("used", set()):
        return Element(names(), draw(leaf()), low, high, nillable, space)
    names.__dict__["used"].add(name)
    return Element(name, "", low, high, False, namespace, ref=True)


@dataclass(slots=True)
class World:
    """What a type being drawn may refer to."""

    qualified: bool
    types: list[str]
    recursive: str
    globals: list[tuple[str, str]]


@st.composite
def groups(draw: st.DrawFn, world: World, names: Names, depth: int, nested: int = 0) -> Group:
    kind = draw(st.sampled_from(["sequence", "sequence", "choice"]))
    low, high = (1, 1) if nested == 0 and draw(st.integers(0, 3)) else draw(occurrences())
    count = draw(st.integers(1, 4))
    items: list[Element | Any | Group] = []
    for _ in range(count):
        if nested < 2 and draw(st.integers(0, 4)) == 0:
            items.append(draw(groups(world, names, depth, nested + 1)))
        else:
            items.append(draw(elements(world, names, depth)))
    return Group(kind, tuple(items), low, high)


@st.composite
def contents(draw: st.DrawFn, world: World, names: Names, depth: int, extensible: bool) -> Group:
    form = draw(st.integers(0, 11))
    if form == 0 and not extensible:
        members = [draw(elements(world, names, depth, single=True)) for _ in range(draw(st.integers(1, 4)))]
        low = draw(st.integers(0, 1))
        return Group("all", tuple(_optional(draw, member) for member in members), low)
    if form == 1:
        again = Element(names(), draw(st.sampled_from(BUILTINS)), namespace=T if world.qualified else "")
        return Group("sequence", (again, draw(elements(world, names, 0, single=True)), again))
    if form == 2:
        low, high = draw(occurrences())
        wild = Any(low, high, draw(st.sampled_from(["lax", "skip"])))
        local = [Element(names(), draw(leaf()), *draw(occurrences()), namespace=T if world.qualified else "") for _ in range(2)]
        return Group("sequence", (*local, wild))
    return draw(groups(world, names, depth))


def _optional(draw: st.DrawFn, member: Element) -> Element:
    low = draw(st.integers(0, 1))
    return Element(member.name, member.type, low, 1, member.nillable, member.namespace, member.ref)


@st.composite
def complexes(draw: st.DrawFn, world: World, depth: int, name: str = "", base: str = "", extensible: bool = False) -> Complex:
    attribute_names = Names(f"{name[:1].lower()}at")
    attributes = [Attribute(attribute_names(), draw(leaf()), draw(st.booleans())) for _ in range(draw(st.integers(0, 2)))]
    if not base and draw(st.integers(0, 7)) == 0:
        attributes.append(Attribute("mark", BUILTINS[3], draw(st.booleans()), U))
    free = not base and draw(st.integers(0, 9)) == 0
    if not name and draw(st.integers(0, 4)) == 0:
        simple = draw(st.sampled_from([b for b in BUILTINS if not b.qualified]))
        return Complex(simple=simple, attributes=tuple(attributes), any_attribute=free)
    if draw(st.integers(0, 7)) == 0 and not extensible:
        return Complex(name, base, attributes=tuple(attributes), any_attribute=free)
    names = Names(name[:1].lower() + _LETTERS[depth])
    content = draw(contents(world, names, depth, extensible))
    mixed = not extensible and not base and draw(st.integers(0, 9)) == 0
    return Complex(name, base, mixed=mixed, content=content, attributes=tuple(attributes), any_attribute=free)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    qualified = draw(st.booleans())
    types: dict[str, Complex] = {}
    globals_: dict[str, Element] = {}
    for name in ("ga", "gb"):
        globals_[name] = Element(name, draw(leaf()), nillable=draw(st.booleans()), namespace=U)
    globals_["ea2"] = Element("ea2", draw(leaf()), namespace=U)
    known = [(name, U) for name in globals_]
    heads: dict[str, list[str]] = {}
    if draw(st.booleans()):
        kind = draw(st.sampled_from(BUILTINS[:20]))
        for name in ("head", "memberOne", "memberTwo"):
            globals_[name] = Element(name, kind, namespace=T)
        heads["head"] = ["memberOne", "memberTwo"]
        known.append(("head", T))
    world = World(qualified, [], "", known)
    if draw(st.booleans()):
        abstract = draw(st.booleans())
        base = draw(complexes(world, 0, "Base", extensible=True))
        types["Base"] = Complex("Base", "", abstract, base.mixed, base.content, None, base.attributes, base.any_attribute)
        for name in ("Derived", "Other"):
            types[name] = draw(complexes(world, 0, name, base="Base"))
        types["Deep"] = draw(complexes(world, 0, "Xdeep", base="Derived"))
        types["Deep"] = Complex("Deep", "Derived", False, False, types["Deep"].content, None, types["Deep"].attributes)
        world.types = ["Base", "Derived"]
    world.recursive = "Tree"
    types["Tree"] = draw(complexes(world, 1, "Tree"))
    root = draw(complexes(world, 2))
    globals_["Root"] = Element("Root", root, namespace=T)
    return Schema(types, globals_, heads, qualified)
