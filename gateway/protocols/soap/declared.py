"""What a node of a schema says by itself: how often it occurs, its facets and documentation, what a wildcard admits.

Nothing here looks another component up; that is ``schema.py``'s business.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.protocols.soap import simple
from gateway.protocols.soap.components import Component, Unresolved
from gateway.protocols.soap.documents import Node, children
from gateway.protocols.soap.model import XSD, Attribute, Facets, SimpleType, Wildcard, local


def documentation(node: Node) -> str:
    """The text of a node's annotation, one line."""
    texts = node.iterfind(f"{{{XSD}}}annotation/{{{XSD}}}documentation")
    return " ".join(" ".join("".join(map(str, text.itertext())).split()) for text in texts).strip()


def is_true(text: str | None) -> bool:
    """Whether an attribute of the schema says so."""
    return text in ("true", "1")


def occurs(node: Node) -> tuple[int, int | None]:
    """How often a particle occurs, at least and at most; None is unbounded. Raises ``Unresolved``."""
    low, high = node.get("minOccurs", "1"), node.get("maxOccurs", "1")
    try:
        return int(low), None if high == "unbounded" else int(high)
    except ValueError:
        raise Unresolved(f"minOccurs {low!r} or maxOccurs {high!r} is no number") from None


def wildcard_of(component: Component) -> Wildcard:
    """``xs:any`` or ``xs:anyAttribute``, its occurrences aside. Raises ``Unresolved``."""
    spaces = component.node.get("namespace", "##any").split()
    process = component.node.get("processContents", "strict")
    if process not in ("strict", "lax", "skip"):
        raise Unresolved(f"processContents {process!r} is unknown")
    if spaces == ["##any"]:
        return Wildcard(process=process)  # type: ignore[arg-type]
    if spaces == ["##other"]:
        return Wildcard(excluded=component.namespace, process=process)  # type: ignore[arg-type]
    known = {"##targetNamespace": component.namespace, "##local": ""}
    return Wildcard(tuple(known.get(space, space) for space in spaces), process=process)  # type: ignore[arg-type]


def prohibited(component: Component) -> set[str]:
    """The attributes a restriction takes away, by local name."""
    return {str(node.get("name")) for node in children(component.node, f"{{{XSD}}}attribute") if node.get("use") == "prohibited"}


def merged(base: tuple[Attribute, ...], own: tuple[Attribute, ...], without: set[str]) -> tuple[Attribute, ...]:
    """The attributes of a derived type."""
    both = {a.name: a for a in base if local(a.name) not in without} | {a.name: a for a in own}
    return tuple(both.values())


_COUNTS = {
    "length": "length",
    "minLength": "min_length",
    "maxLength": "max_length",
    "totalDigits": "total_digits",
    "fractionDigits": "fraction_digits",
}
_BOUNDS = {
    "minInclusive": "min_inclusive",
    "maxInclusive": "max_inclusive",
    "minExclusive": "min_exclusive",
    "maxExclusive": "max_exclusive",
}


def facets_of(base: Facets, node: Node) -> Facets:
    """The facets of a restriction: its own over those of its base. Raises ``Unresolved``."""
    values: dict[str, object] = {}
    patterns: list[str] = []
    enumeration: list[str] = []
    for child in children(node):
        name, value = local(str(child.tag)), child.get("value", "")
        if name in _COUNTS:
            if not value.strip().isdigit():
                raise Unresolved(f"the facet {name} has the value {value!r}")
            values[_COUNTS[name]] = int(value)
        elif name in _BOUNDS:
            values[_BOUNDS[name]] = value.strip()
        elif name == "whiteSpace":
            values["whitespace"] = value
        elif name == "pattern":
            patterns.append(value)
        elif name == "enumeration":
            enumeration.append(value)
    if patterns:
        values["patterns"] = (*base.patterns, tuple(patterns))
    if enumeration:
        values["enumeration"] = tuple(enumeration)
    return replace(base, **values)  # type: ignore[arg-type]


def checked(type: SimpleType) -> SimpleType:
    """The type, if its facets can be worked with. Raises ``Unresolved``."""
    try:
        simple.writer(type)
    except (ValueError, ArithmeticError) as error:
        facts = type.facets
        bounds = {name: getattr(facts, field) for name, field in _BOUNDS.items() if getattr(facts, field) is not None}
        said = str(error) if "pattern" in str(error) else f"a facet is no {type.builtin}: {bounds or facts.enumeration}"
        raise Unresolved(said) from error
    return type
