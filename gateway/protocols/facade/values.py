"""JSON values as a route takes and gives them, and as the SOAP codec of the facade's own WSDL has them.

The two differ only where a shape needs elements that JSON does not have: escaped names, wrapped lists, maps, choices; and in
numbers, which the codec may have as text. ``taken`` is strict and collects every misfit with its JSON pointer; ``given`` leaves
out what the published schema does not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from gateway.errors import FieldError
from gateway.protocols.facade.shapes import Choice, Fields, Leaf, Many, Map, Member, Ref, Shape

_LEAST: Final = -(2**63)
_MOST: Final = 2**64 - 1
_DECIMAL = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?")

Definitions = Mapping[str, Shape]


class Misfit(ValueError):
    """An answer's value that has no form in the shape. The message is a JSON pointer and what is wrong."""


# --- from elements -----------------------------------------------------------------------------------------------------


def taken(value: Any, shape: Shape, definitions: Definitions, at: str, errors: list[FieldError]) -> Any:
    """The JSON value a REST caller would have posted. What does not fit is added to ``errors``."""
    if value is None:
        if not shape.nullable:
            errors.append(FieldError(at, "may not be nil"))
        return None
    if isinstance(shape, Leaf):
        return _taken_leaf(value, shape, at, errors)
    if isinstance(shape, Ref):
        return taken(value, definitions[shape.name], definitions, at, errors)
    if isinstance(shape, Many):
        items = value.get("item", []) if isinstance(value, dict) else value
        return [taken(item, shape.item, definitions, f"{at}/{index}", errors) for index, item in enumerate(items)]
    if isinstance(shape, Map):
        return _taken_map(value, shape, definitions, at, errors)
    if isinstance(shape, Choice):
        return _taken_choice(value, shape, definitions, at, errors)
    found = {}
    for member in shape.members:
        if member.name in value and not _left_out(member, value[member.name]):
            found[member.key] = taken(value[member.name], member.shape, definitions, f"{at}/{_step(member.key)}", errors)
    return found


def _left_out(member: Member, value: Any) -> bool:
    """A list without items looks the same absent and empty: absent, unless the list must be there."""
    return value == [] and not member.required and not member.shape.nullable


def _taken_leaf(value: Any, leaf: Leaf, at: str, errors: list[FieldError]) -> Any:
    if leaf.kind == "integer":
        number = int(value) if len(str(value)) < 40 else _MOST + 1
        if not _LEAST <= number <= _MOST:
            errors.append(FieldError(at, "is beyond 64 bits"))
        return number
    if leaf.kind == "number" and leaf.builtin not in ("float", "double") and isinstance(value, str):
        errors.append(FieldError(at, "must be a number"))
    return _plain(value) if leaf.builtin == "decimal" else value


def _plain(text: str) -> str:
    """A decimal in the one notation REST has: no plus, no needless zero before the point, a digit on either side of it."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return text
    sign, whole, fraction = match.groups()
    return f"{'-' if sign == '-' else ''}{whole.lstrip('0') or '0'}{f'.{fraction}' if fraction else ''}"


def _taken_map(value: Any, shape: Map, definitions: Definitions, at: str, errors: list[FieldError]) -> Any:
    found: dict[str, Any] = {}
    for index, entry in enumerate(value.get("entry", [])):
        key = entry.get("key")
        if key is None or "value" not in entry:
            errors.append(FieldError(at, f"entry {index + 1} needs a key and a value"))
        elif key in found:
            errors.append(FieldError(f"{at}/{_step(key)}", "is given twice"))
        else:
            found[key] = taken(entry["value"], shape.value, definitions, f"{at}/{_step(key)}", errors)
    return found


def _taken_choice(value: Any, shape: Choice, definitions: Definitions, at: str, errors: list[FieldError]) -> Any:
    present = [option for option in shape.options if option.name in value]
    if len(present) != 1:
        errors.append(FieldError(at, f"must hold one of {', '.join(option.name for option in shape.options)}"))
        return None
    (option,) = present
    inner = f"{at}/{_step(option.key)}" if shape.flat else at
    found = taken(value[option.name], option.shape, definitions, inner, errors)
    return {option.key: found} if shape.flat else found


def _step(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


# --- to elements -------------------------------------------------------------------------------------------------------


def given(value: Any, shape: Shape, definitions: Definitions, at: str = "") -> Any:
    """The codec's value of a JSON value. Raises ``Misfit``."""
    if value is None:
        if shape.nullable:
            return None
        raise Misfit(f"{at} is null")
    if isinstance(shape, Leaf):
        return _given_leaf(value, shape, at)
    if isinstance(shape, Ref):
        return given(value, definitions[shape.name], definitions, at)
    if isinstance(shape, Many):
        return {"item": _given_items(value, shape, definitions, at)}
    if isinstance(shape, Choice):
        return _given_choice(value, shape, definitions, at)
    if not isinstance(value, dict):
        raise Misfit(f"{at} is no object")
    if isinstance(shape, Map):
        inner = shape.value
        entries = ((key, _given_member(v, inner, definitions, f"{at}/{_step(key)}")) for key, v in value.items())
        return {"entry": [{"key": key, "value": v} for key, v in entries]}
    return _given_fields(value, shape, definitions, at)


def _given_fields(value: dict[str, Any], shape: Fields, definitions: Definitions, at: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member in shape.members:
        inner, place = value.get(member.key), f"{at}/{_step(member.key)}"
        if member.key not in value or (inner is None and not member.shape.nullable):
            continue
        found[member.name] = _given_member(inner, member.shape, definitions, place)
    return found


def _given_member(value: Any, shape: Shape, definitions: Definitions, at: str) -> Any:
    """The value of a member: a list that cannot be null is the member's element repeated."""
    if isinstance(shape, Many) and not shape.nullable:
        return _given_items(value, shape, definitions, at)
    return given(value, shape, definitions, at)


def _given_items(value: Any, shape: Many, definitions: Definitions, at: str) -> list[Any]:
    if not isinstance(value, list):
        raise Misfit(f"{at} is no list")
    return [given(item, shape.item, definitions, f"{at}/{index}") for index, item in enumerate(value)]


def _given_leaf(value: Any, leaf: Leaf, at: str) -> Any:
    expected = {"string": (str, int), "integer": (int,), "number": (int, float, str), "boolean": (bool,)}[leaf.kind]
    if not isinstance(value, expected) or (isinstance(value, bool) and leaf.kind != "boolean"):
        raise Misfit(f"{at} is no {leaf.kind}")
    return str(value) if leaf.kind == "string" else value


def _given_choice(value: Any, shape: Choice, definitions: Definitions, at: str) -> dict[str, Any]:
    """The first option the value fits wholly: an option's object knows every key of it."""
    for option in shape.options:
        inner = value.get(option.key) if shape.flat and isinstance(value, dict) else value
        if shape.flat and (not isinstance(value, dict) or list(value) != [option.key]):
            continue
        if not shape.flat and not _knows(inner, option.shape, definitions):
            continue
        try:
            return {option.name: given(inner, option.shape, definitions, at)}
        except Misfit:
            continue
    raise Misfit(f"{at} is none of what it may be")


def _knows(value: Any, shape: Shape, definitions: Definitions) -> bool:
    """Whether a value may be of a shape, by its keys and by those of its texts that can have one value only."""
    if value is None:
        return shape.nullable
    while isinstance(shape, Ref):
        shape = definitions[shape.name]
    if isinstance(shape, Leaf):
        allowed = [allowed for name, allowed in shape.facets if name == "enumeration"]
        return not isinstance(value, dict | list) and (not allowed or str(value) in allowed)
    if isinstance(shape, Many):
        return isinstance(value, list)
    if not isinstance(value, dict):
        return False
    if not isinstance(shape, Fields):
        return True
    members = {member.key: member for member in shape.members}
    if not value.keys() <= members.keys() or any(m.required and m.key not in value for m in shape.members):
        return False
    return all(_knows(value[key], members[key].shape, definitions) for key in value if isinstance(members[key].shape, Leaf))
