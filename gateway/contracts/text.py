"""Names and texts of a contract in files of a deployment: made harmless, never trusted.

A name becomes a slug, a documentation one printable line, a value a quoted YAML scalar. Nothing from a contract can end a line, a
comment or a quote, and nothing can become a ``${env:…}`` reference.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

import orjson

_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z](?!s(?:[A-Z]|$))[a-z])|[^A-Za-z0-9]+")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
_SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"})

LONGEST_SLUG = 56
LONGEST_LINE = 300


def words(name: str) -> list[str]:
    """The words of a name in lower case: ``GetPOList`` is get, po, list."""
    return [word.lower() for word in _BORDER.split(name) if word]


def slug(name: str, otherwise: str) -> str:
    """A name as resources and operations of a route file have them: ``[a-z][a-z0-9-]*``."""
    made = "-".join(words(name))[:LONGEST_SLUG].strip("-")
    if not made or not made[0].isalpha():
        made = f"{otherwise}-{made}".strip("-")
    return made


def unused(name: str, taken: Container[str]) -> str:
    """The name, or the first of ``name-2``, ``name-3`` … nobody has."""
    number, made = 1, name
    while made in taken:
        number += 1
        made = f"{name}-{number}"
    return made


def segment(name: str, otherwise: str) -> str:
    """A name as one segment of a route's path; ``otherwise`` when it cannot be one."""
    return name if _SEGMENT.fullmatch(name) else otherwise


def one_line(text: str, most: int = LONGEST_LINE) -> str:
    """A text as one printable line that refers to nothing."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    joined = " ".join(printable.split()).replace("${", "$ {")
    return joined if len(joined) <= most else joined[: most - 1].rstrip() + "…"


def exact(text: str) -> bool:
    """Whether a configuration file can hold the text unchanged."""
    return text.isprintable() and "${" not in text


def quoted(value: str | int | bool) -> str:
    """A YAML scalar, good in block and flow style. Text must be ``exact``."""
    if isinstance(value, bool | int):
        return str(value).lower()
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return orjson.dumps(value).decode()


def flow(entries: Mapping[str, object]) -> str:
    """A YAML flow mapping on one line, of scalars, lists of scalars and mappings of both."""
    return "{" + ", ".join(f"{quoted(key)}: {_flow(value)}" for key, value in entries.items()) + "}"


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return flow(value)
    if isinstance(value, list):
        return "[" + ", ".join(quoted(_scalar(item)) for item in value) + "]"
    return quoted(_scalar(value))


def _scalar(value: object) -> str | int | bool:
    if isinstance(value, str | int | bool):
        return value
    raise TypeError(f"{value!r} is no scalar")
