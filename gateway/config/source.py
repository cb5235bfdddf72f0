"""A file somebody edits, read once, every value with the line it came from.

YAML is composed to nodes and converted here, so that each key and item keeps its place; pydantic then validates plain values
and its errors are given back their lines, a sentence and a remedy. Anchors, tags, directives and duplicate keys are refused: a
file means what it shows. Nothing here knows what a file is about, and no message ever shows a secret.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from gateway.config.files import read_file
from gateway.errors import ConfigError, Finding

Place = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

MAX_BYTES = 1024 * 1024
"""A larger file is a mistake: the longest field tables known are some hundred kilobytes, and a second reads about as much."""

MAX_KEPT = 100
"""Files of which the last version is remembered; a deployment has a few dozen."""

REFERENCE = re.compile(r"\$\{(env|file):([^}:]+)(?::-([^}]*))?\}")

_TAG = "tag:yaml.org,2002:"
_DIRECTIVE = re.compile(r"\ufeff?(?:[ \t]*(?:#[^\n]*)?\r?\n)*%")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Source:
    """Immutable. ``data`` holds plain values; ``lines`` the line of each place in it; ``references`` what the file says at each
    place whose text came, in whole or in part, from the environment or another file."""

    path: str
    data: object
    lines: Mapping[Place, int] = field(default_factory=dict)
    references: Mapping[Place, str] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 0)

    def finding(self, place: Place, what: str, remedy: str) -> Finding:
        """A finding about a place, in which values that came from elsewhere are not shown."""
        return Finding(self.path, self.line(place), _unsaid(self, place, what), _unsaid(self, place, remedy))


_LAST: dict[tuple[str, Path], tuple[bytes, Source]] = {}
"""What was last read of a file, by the name it has in findings and its path."""


def read_source(path: Path, *, name: str | None = None) -> Source:
    """Read one YAML file. ``name`` is how errors call it (default: the path as given). Raises ``ConfigError``.

    A file that says what it said the last time is not taken apart again, unless it refers to something outside: a reload would
    spend seconds on the field tables of a large contract.
    """
    shown = name or str(path)
    try:
        data = read_file(path)
    except OSError as error:
        raise ConfigError(
            [Finding(shown, 0, f"cannot be read ({error.strerror})", "put the file there and make it readable")]
        ) from error
    return remembered(data, path, name=shown)


def remembered(data: bytes, path: Path, *, name: str) -> Source:
    """The same of bytes that were read from there, or that stand in their place. Raises ``ConfigError`` and nothing else."""
    known = _LAST.get((name, path))
    if known is not None and known[0] == data:
        return known[1]
    source = parse_source(data, name=name, folder=path.parent)
    if not source.references:
        while len(_LAST) >= MAX_KEPT:
            _LAST.pop(next(iter(_LAST)), None)
        _LAST[name, path] = (data, source)
    return source


def parse_source(data: bytes, *, name: str, folder: Path) -> Source:
    """The same from bytes. ``${file:…}`` is relative to ``folder``. Raises ``ConfigError`` and nothing else."""
    if len(data) > MAX_BYTES:
        raise ConfigError([Finding(name, 0, f"is larger than {MAX_BYTES} bytes", "split it")])
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError([Finding(name, line, "is not UTF-8", "save the file as UTF-8")]) from error
    if directive := _DIRECTIVE.match(text):
        line = directive[0].count("\n") + 1
        raise ConfigError([Finding(name, line, "has a YAML directive", "remove the line that begins with %")])
    reader = _Reader(name, folder)
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.composer.warn_double_anchors = False  # An anchor is refused below, used once or twice.
        root = yaml.compose(text)
        value = None if root is None else reader.convert(root, ())
    except (YAMLError, RecursionError, OverflowError, ValueError) as error:
        raise ConfigError([*reader.findings, _unreadable(name, text, error)]) from error
    if reader.findings:
        raise ConfigError(reader.findings)
    return Source(name, value, reader.lines, reader.references)


def _unreadable(name: str, text: str, error: Exception) -> Finding:
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Finding(name, line, "holds a control character", "remove it")
    if isinstance(error, RecursionError):
        return Finding(name, 0, "is nested too deeply", "nest fewer levels")
    mark = (error.problem_mark or error.context_mark) if isinstance(error, MarkedYAMLError) else None
    if mark is None or not isinstance(error, MarkedYAMLError):
        return Finding(name, 0, "is not valid YAML", 'look for a broken escape such as "\\U…"')
    what = f"is not valid YAML: {error.problem or error.context}"
    return Finding(name, mark.line + 1, what, "mend the YAML syntax here or just above")


class _Reader:
    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.lines: dict[Place, int] = {}
        self.references: dict[Place, str] = {}
        self.findings: list[Finding] = []

    def convert(self, node: Node, place: Place) -> object:
        line = node.start_mark.line + 1
        self.lines.setdefault(place, line)
        if node.anchor:
            finding = Finding(self.name, line, "uses a YAML anchor or alias", "write the value out where it is needed")
            raise ConfigError([*self.findings, finding])
        if isinstance(node, MappingNode):
            self._plain_tag(node, "map")
            return self._mapping(node, place)
        if isinstance(node, SequenceNode):
            self._plain_tag(node, "seq")
            return [self.convert(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, place)

    def _wrong(self, node: Node, what: str, remedy: str) -> None:
        self.findings.append(Finding(self.name, node.start_mark.line + 1, what, remedy))

    def _plain_tag(self, node: Node, *kinds: str) -> None:
        if str(node.tag).removeprefix(_TAG) not in kinds:
            self._wrong(node, f"uses the YAML tag {node.tag}", "remove the tag")

    def _mapping(self, node: MappingNode, place: Place) -> dict[str, object]:
        result: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode) or key_node.anchor or _UNPRINTABLE.search(key_node.value):
                self._wrong(key_node, "has a key that is no plain text", "use a plain key")
                continue
            key = key_node.value
            if key in result:
                self._wrong(key_node, f"has the key '{key}' twice", "keep one of the two")
                continue
            self.lines[(*place, key)] = key_node.start_mark.line + 1
            result[key] = self.convert(value_node, (*place, key))
        return result

    def _scalar(self, node: Any, place: Place) -> object:
        text: str = node.value
        kind = node.tag.removeprefix(_TAG)
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind in ("int", "float"):
            return self._number(node, text, kind)
        self._plain_tag(node, "str", "timestamp", "value", "merge")
        return self._resolve(node, text, place)

    def _number(self, node: Node, text: str, kind: str) -> int | float:
        """YAML 1.2: ``0x``, ``0o`` and ``0b`` prefixes; other leading zeros are decimal."""
        digits = text.replace("_", "")
        try:
            if kind == "int":
                return int(digits, 0 if digits.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else 10)
            if math.isfinite(number := float(digits)):
                return number
        except ValueError:
            pass
        self._wrong(node, "holds a number that is none", "write it in plain digits, or in quotes if it is text")
        return 0

    def _resolve(self, node: Node, text: str, place: Place) -> str:
        if _UNPRINTABLE.search(text):
            self._wrong(node, "holds a control character", "remove it")
            return ""
        if "${" not in text:
            return text
        if "${" in REFERENCE.sub("", text):
            self._wrong(node, "holds a '${' that is no reference", "write ${env:NAME}, ${env:NAME:-default} or ${file:path}")
            return ""
        self.references[place] = text
        return REFERENCE.sub(lambda match: self._reference(node, match), text)

    def _reference(self, node: Node, match: re.Match[str]) -> str:
        kind, name, default = match.groups()
        value = os.environ.get(name) if kind == "env" else self._file(name)
        if value is None:
            value = default
        shown = f"${{{kind}:{name}}}"
        if value is None:
            remedy = f"set the environment variable {name}" if kind == "env" else f"create the file {name} beside {self.name}"
            self._wrong(node, f"refers to {shown}, which is not there", remedy)
            return ""
        if _UNPRINTABLE.search(value):
            self._wrong(node, f"refers to {shown}, which is no plain UTF-8 text", "remove what is no text from it")
            return ""
        return value

    def _file(self, name: str) -> str | None:
        try:
            return read_file(self.folder / name, MAX_BYTES).decode("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None


# --- validation with lines -------------------------------------------------------------------------------------------


def validate(source: Source, model: type[Model]) -> Model:
    """The file's values as a model. Raises ``ConfigError`` with every error, each with its line and a remedy."""
    try:
        return model.model_validate(source.data if source.data is not None else {})
    except ValidationError as error:
        schema = model.model_json_schema()
        raise ConfigError([_finding(source, schema, dict(detail)) for detail in error.errors(include_url=False)]) from error


_REMEDIES = {
    "bool_type": "write true or false",
    "int_type": "write a whole number",
    "float_type": "write a number",
    "list_type": "write a list",
    "dict_type": "write keys and values",
    "model_type": "write keys and values",
    "model_attributes_type": "write keys and values",
    "dataclass_type": "write keys and values",
}


def _finding(source: Source, schema: dict[str, Any], error: dict[str, Any]) -> Finding:
    place = _real_place(source, error["loc"])
    hidden = place in source.references or any(part.get("writeOnly") for part in _at(schema, schema, place))
    what, remedy = _sentence(schema, place, error | {"input": _value(source, place, error["input"])}, hidden)
    what = re.sub(r"//[^\s'\"]*@", "//…@", what)
    return source.finding(place, _scrub(source, place, what), _scrub(source, place, remedy))


def _sentence(schema: dict[str, Any], place: Place, error: dict[str, Any], hidden: bool) -> tuple[str, str]:
    """What is wrong and what would be right. ``hidden`` values are not shown."""
    subject, context, value = _subject(place), error.get("ctx", {}), error["input"]
    shown = "has a value that cannot be used" if hidden else f"is {_show(value)}"
    if error["loc"][-1:] == ("[key]",):
        return f"the name {subject} cannot be used", context.get("remedy") or f"it must match {context['pattern']}"
    match error["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            known = [key for part in _at(schema, schema, place[:-1]) for key in part.get("properties", ())]
            return f"unknown key {subject}", _nearest(str(place[-1]), known)
        case "missing":
            return f"the key {subject} is missing", f"add '{place[-1]}:'"
        case "literal_error" | "enum":
            return f"{subject} {shown}", f"use {context['expected']}"
        case "value_error":
            return f"{subject} {shown if hidden else context['error']}", ""
        case "string_type":
            quote = isinstance(value, int | float) and not hidden
            return (
                f"{subject} {'is' if hidden else shown + ','} not text",
                f'put it in quotes: "{_plain(value)}"' if quote else "write text, in quotes",
            )
        case "string_pattern_mismatch":
            return f"{subject} {shown}", f"it must match {context['pattern']}"
    if "remedy" in context:
        return f"{subject} {shown if hidden else error['msg']}", str(context["remedy"])
    return f"{subject} {shown}", _REMEDIES.get(error["type"], _lower(error["msg"]))


def _scrub(source: Source, place: Place, text: str) -> str:
    """The text without what references stand for, and not endless."""
    text = _unsaid(source, place, text)
    return text if len(text) <= 300 else text[:299] + "…"


def _unsaid(source: Source, place: Place, text: str) -> str:
    for at, original in source.references.items():
        if at[: len(place)] == place:
            value = _value(source, at, "")
            shown = REFERENCE.sub(r"${\1:\2}", original)
            if value:
                text = text.replace(str(value), shown).replace(repr(value)[1:-1], shown)
    return text


def _value(source: Source, place: Place, otherwise: object) -> object:
    """What the file has at a place: before any conversion, which is how its author knows it."""
    value: Any = source.data
    for part in place:
        if value is None or (isinstance(value, dict) and part not in value):
            return otherwise
        value = value[part]
    return value if place else otherwise


def _subject(place: Place) -> str:
    if not place:
        return "the file"
    name = place[-1]
    return f"'{name}'" if isinstance(name, str) or len(place) < 2 else f"item {name + 1} of '{place[-2]}'"


def _real_place(source: Source, loc: tuple[str | int, ...]) -> Place:
    """Drop the parts pydantic adds for unions: only keys that are in the file, and the last one, which may be missing from it."""
    place: Place = ()
    value = source.data if source.data is not None else {}
    for index, part in enumerate(loc):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        elif index < len(loc) - 1 or not isinstance(value, dict) or not str(part).isidentifier():
            continue
        place = (*place, part)
    return place


def _at(root: dict[str, Any], schema: dict[str, Any], place: Place) -> Iterator[dict[str, Any]]:
    """The parts of a JSON Schema that speak about a place."""
    if "$ref" in schema:
        yield from _at(root, root["$defs"][schema["$ref"].rpartition("/")[2]], place)
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _at(root, branch, place)
    if not place:
        yield schema
        return
    patterns = schema.get("patternProperties", {}).values()
    named = schema.get("properties", {}).get(place[0])
    for inner in (named,) if named else (*patterns, schema.get("additionalProperties"), schema.get("items")):
        if isinstance(inner, dict):
            yield from _at(root, inner, place[1:])


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known here: {', '.join(known)}" if known else "remove it"


def _show(value: object) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    text = _plain(value) if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _plain(value: object) -> str:
    return {None: "empty", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def literal_secrets(source: Source, model: BaseModel, kind: type[SecretStr] = SecretStr) -> Iterator[Finding]:
    """A finding for each secret of exactly this kind that stands in the file itself, be it as the default of a reference."""
    for place in _secrets(model, (), kind):
        reference = source.references.get(place, "")
        if place in source.lines and (not reference or any(match[3] for match in REFERENCE.finditer(reference))):
            what = f"{_subject(place)} is a secret written into the file"
            yield source.finding(place, what, "use ${env:NAME} or ${file:path}")


def _secrets(value: object, place: Place, kind: type[SecretStr]) -> Iterator[Place]:
    if isinstance(value, SecretStr):
        if type(value) is kind:
            yield place
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name), (*place, name), kind)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets(inner, (*place, key), kind)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _secrets(inner, (*place, index), kind)
