"""A contract as data and back: JSON arrays whose shape follows from the annotations of the model, so that no field is forgotten.

Fields stand in the order of their declaration, those at the end that have their default are left out; a value that may be of
several classes has its class's name in front. Reading trusts nothing: what is not exactly a model is refused as a whole. No
pickle, no code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import orjson

from gateway.protocols.soap.model import Contract

SAFE_INTEGER: Final = 2**53

Step = Callable[[Any], Any]
Steps = tuple[Step, Step]
"""From the model to JSON, and back. The way back raises ``ValueError``."""


def dump(contract: Contract) -> bytes:
    """The contract as JSON. Raises ``ValueError`` for one that no JSON can hold, such as a path that is no Unicode."""
    try:
        return orjson.dumps(_CONTRACT[0](contract))
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise ValueError(f"the contract cannot be written as JSON: {error}") from error


def load(data: bytes) -> Contract:
    """The contract that was dumped. Raises ``ValueError`` for anything else."""
    try:
        found: Contract = _CONTRACT[1](orjson.loads(data))
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return found


def _steps(hint: Any, known: dict[type, Steps]) -> Steps:
    """The two directions of one annotation."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if is_dataclass(hint) and isinstance(hint, type):
        return _record(hint, known)
    if origin is Literal:
        return _literal(arguments)
    if origin is tuple:
        return _tuple(_steps(arguments[0], known))
    if origin is Mapping:
        return _mapping(_steps(arguments[1], known))
    if origin in (Union, UnionType):
        return _union(arguments, known)
    raise TypeError(f"the model has an annotation that cannot be stored: {hint}")


def _exactly(kind: type) -> Step:
    def check(value: Any) -> Any:
        if value.__class__ is not kind:
            raise ValueError(f"{kind.__name__} expected")
        return value

    return check


def _whole(value: Any) -> Any:
    """An integer; one that is too large for a JSON number is a string of digits."""
    if value.__class__ is str and value.removeprefix("-").isdecimal():
        return int(value)
    if value.__class__ is not int:
        raise ValueError("int expected")
    return value


def _same(value: Any) -> Any:
    return value


_PLAIN: Final[dict[Any, Steps]] = {
    str: (_same, _exactly(str)),
    bool: (_same, _exactly(bool)),
    int: (lambda value: value if -SAFE_INTEGER < value < SAFE_INTEGER else str(value), _whole),
}


def _literal(values: tuple[Any, ...]) -> Steps:
    def read(value: Any) -> Any:
        if value.__class__ is not str or value not in values:
            raise ValueError(f"one of {values} expected")
        return value

    return _same, read


def _tuple(item: Steps) -> Steps:
    write_item, read_item = item

    def read(value: Any) -> tuple[Any, ...]:
        if value.__class__ is not list:
            raise ValueError("array expected")
        return tuple([read_item(each) for each in value])

    return lambda value: [write_item(each) for each in value], read


def _mapping(item: Steps) -> Steps:
    write_item, read_item = item

    def read(value: Any) -> Mapping[str, Any]:
        if value.__class__ is not dict:
            raise ValueError("object expected")
        return MappingProxyType({key: read_item(each) for key, each in value.items()})

    return lambda value: {key: write_item(each) for key, each in value.items()}, read


def _union(kinds: tuple[Any, ...], known: dict[type, Steps]) -> Steps:
    """One kind or None; or one of several classes, named."""
    others = [kind for kind in kinds if kind is not NoneType]
    write, read = _steps(others[0], known) if len(others) == 1 else _named(others, known)
    if len(others) == len(kinds):
        return write, read
    return (lambda value: None if value is None else write(value)), (lambda value: None if value is None else read(value))


def _named(kinds: list[type], known: dict[type, Steps]) -> Steps:
    by_name = {kind.__name__: _record(kind, known) for kind in kinds}

    def write(value: Any) -> list[Any]:
        name = value.__class__.__name__
        return [name, *by_name[name][0](value)]

    def read(value: Any) -> Any:
        if value.__class__ is not list or not value or value[0].__class__ is not str or value[0] not in by_name:
            raise ValueError(f"one of {', '.join(by_name)} expected")
        return by_name[value[0]][1](value[1:])

    return write, read


def _record(kind: type, known: dict[type, Steps]) -> Steps:
    """A dataclass as the array of its fields. Classes that hold themselves find their own entry in ``known``."""
    if kind in known:
        return known[kind]
    parts: list[tuple[str, Step, Step]] = []
    defaults: list[Any] = []
    known[kind] = (
        lambda value: _trimmed([write(getattr(value, name)) for name, write, _ in parts], defaults),
        lambda value: kind(*_read(value, parts, defaults)),
    )
    hints = get_type_hints(kind)
    for field in fields(kind):
        if field.init:
            write, read = _steps(hints[field.name], known)
            parts.append((field.name, write, read))
            defaults.append(_default(field, write))
    return known[kind]


def _default(field: Field[Any], write: Step) -> Any:
    if field.default_factory is not MISSING:
        return write(field.default_factory())
    return MISSING if field.default is MISSING else write(field.default)


def _trimmed(values: list[Any], defaults: list[Any]) -> list[Any]:
    while values and values[-1] == defaults[len(values) - 1]:
        values.pop()
    return values


def _read(value: Any, parts: list[tuple[str, Step, Step]], defaults: list[Any]) -> list[Any]:
    if value.__class__ is not list or len(value) > len(parts):
        raise ValueError("array of fields expected")
    if len(value) < len(parts) and defaults[len(value)] is MISSING:
        raise ValueError(f"{parts[len(value)][0]} is missing")
    return [part[2](each) for part, each in zip(parts, value, strict=False)]


_CONTRACT: Final = _record(Contract, {})
