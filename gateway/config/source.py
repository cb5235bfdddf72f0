"""A file somebody edits, read once, every value with the line it came from.

YAML is composed to nodes and converted here, so that each key and item keeps its place; pydantic then validates plain values
and its errors are given back their lines, a sentence and a remedy. Anchors, tags and duplicate keys are refused: a file means
what it shows. Nothing here knows what a file is about.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, NodeEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gateway.errors import ConfigError, Finding

Place = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

MAX_BYTES = 4 * 1024 * 1024
"""A larger file is a mistake: the longest field tables known are some hundred kilobytes."""

REFERENCE = re.compile(r"\$\{(env|file):([^}:]*)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Source:
    """Immutable. ``data`` holds plain values; ``lines`` the line of each place in it; ``references`` the places whose text came
    from the environment or another file."""

    path: str
    data: object
    lines: Mapping[Place, int] = field(default_factory=dict)
    references: frozenset[Place] = frozenset()

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 0)

    def finding(self, place: Place, what: str, remedy: str) -> Finding:
        return Finding(self.path, self.line(place), what, remedy)


def read_source(path: Path, *, name: str | None = None) -> Source:
    """Read one YAML file. ``name`` is how errors call it (default: the path as given). Raises ``ConfigError``."""
    shown = name or str(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            [Finding(shown, 0, f"cannot be read ({error.strerror})", "put the file there and make it readable")]
        ) from error
    return parse_source(data, name=shown, folder=path.parent)


def parse_source(data: bytes, *, name: str, folder: Path) -> Source:
    """The same from bytes. ``${file:…}`` is relative to ``folder``."""
    if len(data) > MAX_BYTES:
        raise ConfigError([Finding(name, 0, f"is larger than {MAX_BYTES} bytes", "split it")])
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError([Finding(name, line, "is not UTF-8", "save the file as UTF-8")]) from error
    reader = _Reader(name, folder)
    try:
        _refuse_anchors(name, text)
        root = YAML(typ="safe", pure=True).compose(text)
        value = None if root is None else reader.convert(root, ())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"is not valid YAML: {error.problem or error.context}"
        raise ConfigError(
            [Finding(name, mark.line + 1 if mark else 0, what, "mend the YAML syntax here or just above")]
        ) from error
    except (YAMLError, RecursionError) as error:
        raise ConfigError([Finding(name, 0, "is not valid YAML", "remove control characters and deep nesting")]) from error
    if reader.findings:
        raise ConfigError(reader.findings)
    return Source(name, value, reader.lines, frozenset(reader.references))


def _refuse_anchors(name: str, text: str) -> None:
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor):
            line = event.start_mark.line + 1
            raise ConfigError([Finding(name, line, "uses a YAML anchor or alias", "write the value out where it is needed")])


class _Reader:
    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.lines: dict[Place, int] = {}
        self.references: set[Place] = set()
        self.findings: list[Finding] = []

    def convert(self, node: Node, place: Place) -> object:
        self.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return self._mapping(node, place)
        if isinstance(node, SequenceNode):
            return [self.convert(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, place)

    def _mapping(self, node: MappingNode, place: Place) -> dict[str, object]:
        result: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self.findings.append(Finding(self.name, line, "has a key that is no plain text", "use a plain key"))
                continue
            key = key_node.value
            if key in result:
                self.findings.append(Finding(self.name, line, f"has the key '{key}' twice", "keep one of the two"))
                continue
            self.lines[(*place, key)] = line
            result[key] = self.convert(value_node, (*place, key))
        return result

    def _scalar(self, node: Any, place: Place) -> object:
        text: str = node.value
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text.replace("_", ""), 0) if not text.lstrip("+-").startswith("0") else _int(text)
            case "float":
                return float(text.replace("_", ""))
            case "str" | "timestamp":
                return self._resolve(text, place)
        line = node.start_mark.line + 1
        self.findings.append(Finding(self.name, line, f"uses the YAML tag {node.tag}", "remove the tag"))
        return None

    def _resolve(self, text: str, place: Place) -> str:
        if "${" not in text:
            return text
        self.references.add(place)
        return REFERENCE.sub(lambda match: self._reference(match, place), text)

    def _reference(self, match: re.Match[str], place: Place) -> str:
        kind, name, default = match.groups()
        value = os.environ.get(name) if kind == "env" else self._file(name)
        if value is None:
            value = default
        if value is None:
            what = f"refers to {match.group(0)}, which is not there"
            remedy = f"set the environment variable {name}" if kind == "env" else f"create the file {name} beside {self.name}"
            self.findings.append(Finding(self.name, self.lines.get(place, 0), what, remedy))
            return ""
        return value

    def _file(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None


def _int(text: str) -> int:
    """YAML 1.2: ``0x`` and ``0o`` prefixes; other leading zeros are decimal."""
    digits = text.replace("_", "")
    return int(digits, 0) if digits.lstrip("+-")[:2].lower() in ("0x", "0o") else int(digits, 10)


# --- validation with lines -------------------------------------------------------------------------------------------


def validate(source: Source, model: type[Model]) -> Model:
    """The file's values as a model. Raises ``ConfigError`` with every error, each with its line and a remedy."""
    try:
        return model.model_validate(source.data if source.data is not None else {})
    except ValidationError as error:
        schema = model.model_json_schema()
        raise ConfigError([_finding(source, schema, dict(detail)) for detail in error.errors(include_url=False)]) from error


def _finding(source: Source, schema: dict[str, Any], error: dict[str, Any]) -> Finding:
    place = _real_place(source, error["loc"])
    name = str(place[-1]) if place else "the file"
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return source.finding(place, f"unknown key '{name}'", _nearest(name, _keys(schema, schema, place[:-1])))
        case "missing":
            return source.finding(place, f"the key '{name}' is missing", f"add '{name}:'")
        case "literal_error" | "enum":
            return source.finding(place, f"'{name}' is {_show(error['input'])}", f"use {context['expected']}")
        case "value_error":
            return source.finding(place, f"'{name}' {context['error']}", "")
        case "string_type":
            remedy = f'put it in quotes: "{error["input"]}"' if isinstance(error["input"], int | float | bool) else "give text"
            return source.finding(place, f"'{name}' is {_show(error['input'])}, not text", remedy)
    if "remedy" in context:
        return source.finding(place, f"'{name}' {error['msg']}", str(context["remedy"]))
    return source.finding(place, f"'{name}' is {_show(error['input'])}", _lower(error["msg"]))


def _real_place(source: Source, loc: tuple[str | int, ...]) -> Place:
    """Drop the parts pydantic adds for unions: only keys that are in the file, and the last one, which may be missing from it."""
    place: Place = ()
    value = source.data
    for index, part in enumerate(loc):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        elif index < len(loc) - 1 or not isinstance(value, dict) or not str(part).isidentifier():
            continue
        place = (*place, part)
    return place


def _keys(root: dict[str, Any], schema: dict[str, Any], place: Place) -> list[str]:
    """The keys a JSON Schema knows at a place."""
    if "$ref" in schema:
        return _keys(root, root["$defs"][schema["$ref"].rpartition("/")[2]], place)
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    if branches:
        return [key for branch in branches for key in _keys(root, branch, place)]
    if not place:
        return list(schema.get("properties", ()))
    inner = schema.get("properties", {}).get(place[0], schema.get("additionalProperties", schema.get("items", {})))
    return _keys(root, inner, place[1:]) if isinstance(inner, dict) else []


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known here: {', '.join(known)}" if known else "remove it"


def _show(value: object) -> str:
    return "a table" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def literal_secrets(source: Source, model: BaseModel) -> Iterator[Finding]:
    """A warning for each secret that stands in the file itself."""
    for place in _secrets(model, ()):
        if place not in source.references:
            what = f"'{place[-1]}' is a secret written into the file"
            yield source.finding(place, what, "use ${env:NAME} or ${file:path}")


def _secrets(value: object, place: Place) -> Iterator[Place]:
    if isinstance(value, SecretStr):
        yield place
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name), (*place, name))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets(inner, (*place, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _secrets(inner, (*place, index))
