"""What a message of the facade consists of, read from the JSON Schema of a route's request or answer.

A shape says how a JSON value stands in elements, and nothing about what else the route demands: that is checked by the route, as
for a REST caller. A schema without an exact form in elements is ``Inexpressible``, with the place and the reason; nothing is ever
squeezed into text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from gateway.protocols.facade.facets import facets
from gateway.protocols.facade.names import ncname
from gateway.protocols.soap import lexical

Json = dict[str, Any]
Kind = Literal["string", "integer", "number", "boolean"]

DEFINITIONS: Final = "#/$defs/"


class Inexpressible(ValueError):
    """A schema that has no form in XML. The message names the place, as keys joined by dots, and the reason."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """Text of an XSD built-in. ``kind`` is what the JSON value is; a string keeps its digits."""

    builtin: str
    kind: Kind
    facets: tuple[tuple[str, str], ...] = ()
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """One key of an object: the element ``name``. ``rival`` is a number that exclusive keys share."""

    key: str
    name: str
    shape: Shape
    required: bool = False
    rival: int = 0
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of known keys, each an element, in order."""

    members: tuple[Member, ...]
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Many:
    """An array. As a member it is the member's element repeated; elsewhere, and where it may be null, ``item`` is repeated."""

    item: Shape
    min: int = 0
    max: int | None = None
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Map:
    """An object of free keys: a list of entries, each with ``key`` and ``value``."""

    value: Shape
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several: an element that says which, around its value. A ``flat`` one is an object of exactly one of the keys."""

    options: tuple[Member, ...]
    flat: bool = False
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Ref:
    """The shape of a definition, which may contain itself."""

    name: str
    nullable: bool = False


Shape = Leaf | Fields | Many | Map | Choice | Ref


@dataclass(frozen=True, slots=True)
class Shapes:
    """A shape and the definitions it refers to. Immutable."""

    root: Shape
    definitions: Mapping[str, Shape] = field(default_factory=dict)


def shapes_of(schema: Json) -> Shapes:
    """The shape of a JSON Schema (2020-12). Raises ``Inexpressible``."""
    reader = _Reader(schema.get("$defs", {}))
    root = reader.read({key: value for key, value in schema.items() if key != "$defs"}, ())
    while isinstance(root, Ref):
        root = replace(reader.found[root.name], nullable=False)
    return Shapes(root, reader.found)


class _Reader:
    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self._definitions = definitions
        self.found: dict[str, Shape] = {}

    def read(self, schema: Json, at: tuple[str, ...]) -> Shape:
        if "$ref" in schema:
            return self._reference(schema["$ref"], at)
        if "anyOf" in schema or "oneOf" in schema:
            return self._alternatives(schema, at)
        kinds = schema.get("type", ())
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        if "null" in kinds and len(kinds) > 1:
            rest = [kind for kind in kinds if kind != "null"]
            return replace(self.read({**schema, "type": rest if len(rest) > 1 else rest[0]}, at), nullable=True)
        if "object" in kinds:
            return self._object(schema, at)
        if "array" in kinds:
            items = schema.get("items")
            if not isinstance(items, dict):
                raise _wrong(at, "is a list of anything")
            return Many(self.read(items, at), schema.get("minItems", 0), schema.get("maxItems"))
        return _leaf(schema, kinds, at)

    def _reference(self, reference: str, at: tuple[str, ...]) -> Shape:
        name = reference.removeprefix(DEFINITIONS)
        if name not in self._definitions:
            raise _wrong(at, f"refers to {reference}")
        if name not in self.found:
            self.found[name] = Fields(())
            self.found[name] = self.read(self._definitions[name], (name,))
        return Ref(name)

    def _alternatives(self, schema: Json, at: tuple[str, ...]) -> Shape:
        every = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
        null = any(option.get("type") == "null" for option in every)
        options = [option for option in every if option.get("type") != "null"]
        if len(options) == 1:
            return replace(self.read(options[0], at), nullable=null)
        if schema.get("format") in ("float", "double"):
            return Leaf(schema["format"], "number", nullable=null)
        if options and all(_is_text(option) for option in options):
            return Leaf("string", "string", nullable=null)
        if options and all(_is_single(option) for option in options):
            members = tuple(self._member(key, inner, at) for option in options for key, inner in option["properties"].items())
            if len({member.key for member in members}) == len(options):
                return Choice(members, flat=True, nullable=null)
        return Choice(tuple(self._option(option, number, at) for number, option in enumerate(options, 1)), nullable=null)

    def _option(self, option: Json, number: int, at: tuple[str, ...]) -> Member:
        said = option.get("$ref", "").removeprefix(DEFINITIONS) or option.get("title") or f"option{number}"
        return Member(said, ncname(said), self.read(option, (*at, said)))

    def _object(self, schema: Json, at: tuple[str, ...]) -> Shape:
        properties, more = schema.get("properties"), schema.get("additionalProperties")
        if "patternProperties" in schema:
            raise _wrong(at, "has keys that only a pattern describes")
        if isinstance(more, dict) and more:
            if properties:
                raise _wrong(at, "has free keys beside named ones")
            return Map(self.read(more, at))
        if properties is None and more is not False:
            raise _wrong(at, "is an object of which nothing is known")
        rivals = _rivals(schema)
        required = schema.get("required", ())
        members = [self._member(key, inner, at, key in required, rivals.get(key, 0)) for key, inner in (properties or {}).items()]
        return Fields(tuple(members))

    def _member(self, key: str, schema: Json, at: tuple[str, ...], required: bool = False, rival: int = 0) -> Member:
        return Member(key, ncname(key), self.read(schema, (*at, key)), required, rival, str(schema.get("description", "")))


def _wrong(at: tuple[str, ...], what: str) -> Inexpressible:
    return Inexpressible(f"{'.'.join(at) or 'the whole'} {what}, which has no form in XML")


def _is_text(option: Json) -> bool:
    values = option.get("enum", [option["const"]] if "const" in option else None)
    if values is not None:
        return all(isinstance(value, str) for value in values)
    return option.get("type") == "string"


def _is_single(option: Json) -> bool:
    """Whether it is a closed object of exactly one key."""
    names = list(option.get("properties", ()))
    return len(names) == 1 and option.get("required") == names and option.get("additionalProperties") is False


def _rivals(schema: Json) -> dict[str, int]:
    """The keys of which at most one may be there, as the contract's choices say it."""
    found: dict[str, int] = {}
    for number, rule in enumerate((schema, *schema.get("allOf", ())), 1):
        options = rule.get("oneOf", ())
        named = [option["required"][0] for option in options if list(option) == ["required"] and len(option["required"]) == 1]
        rest = [option for option in options if list(option) != ["required"]]
        if len(named) > 1 and all(list(option) == ["not"] for option in rest) and not found.keys() & set(named):
            found |= dict.fromkeys(named, number)
    return found


def _leaf(schema: Json, kinds: list[str], at: tuple[str, ...]) -> Leaf:
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is not None and not kinds:
        kinds = sorted({_KINDS.get(type(value), "") for value in values})
    if schema.get("format") == "decimal" or "string" in kinds:
        kind: Kind = "string"
    elif len(kinds) == 1 and kinds[0] in ("integer", "number", "boolean"):
        kind = kinds[0]  # type: ignore[assignment]
    else:
        raise _wrong(at, "may be anything" if not kinds else f"is {' or '.join(kinds)}")
    builtin = _builtin(schema, kind, kinds)
    return Leaf(builtin, kind, facets(schema, builtin, values))


_KINDS: Final[Mapping[type, str]] = {str: "string", bool: "boolean", int: "integer", float: "number"}
_FORMATS: Final = {"decimal": "decimal", "date": "date", "date-time": "dateTime", "uri": "anyURI"}
_CODINGS: Final = {"base64": "base64Binary", "base16": "hexBinary"}


def _builtin(schema: Json, kind: Kind, kinds: list[str]) -> str:
    if kind in ("boolean", "number"):
        return "boolean" if kind == "boolean" else "double"
    if kind == "integer":
        return _integer(schema)
    named = schema.get("x-xsd-type") or (schema.get("format") if "integer" in kinds else None)
    if named in lexical.BUILTINS and named not in lexical.QUALIFIED and named not in lexical.LISTS:
        return str(named)
    return _FORMATS.get(schema.get("format", ""), _CODINGS.get(schema.get("contentEncoding", ""), "string"))


def _integer(schema: Json) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    for name, bits in (("int", 31), ("long", 63)):
        if low is not None and high is not None and -(2**bits) <= low and high < 2**bits:
            return name
    return "integer"
