"""Dotted paths of field tables: ``payee.code``, ``lines[].unit``, ``Order.@currency``, ``{urn:x}Order.Total``.

A path is a tuple of names in which ``[]`` stands for "each item of the list just named". A dot inside a name is written ``\\.``.
"""

from __future__ import annotations

import re

from gateway.config.values import wrong

Path = tuple[str, ...]

EACH = "[]"
_NAME = re.compile(r"((?:\{[^{}]*\})?(?:\\\.|[^.\[\]{}\\\s])+)(\[\])?(?:\.|$)")


def parse_path(text: str) -> Path:
    """Raises a pydantic error with a remedy when the text is no path."""
    path: list[str] = []
    position = 0
    while position < len(text):
        match = _NAME.match(text, position)
        if not match:
            break
        path += [match[1].replace("\\.", ".")] + ([EACH] if match[2] else [])
        position = match.end()
    if not path or position != len(text) or (text.endswith(".") and not text.endswith("\\.")):
        raise wrong(
            f"is {text!r}", "write names joined by dots, such as payee.code, and [] after each list, such as lines[].unit"
        )
    return tuple(path)


def check_path(text: str) -> str:
    parse_path(text)
    return text


def show_path(path: Path) -> str:
    """The text of a path."""
    names = [name if name == EACH else "." + _quoted(name) for name in path]
    return "".join(names).removeprefix(".")


def _quoted(name: str) -> str:
    space, brace, local = name.rpartition("}")
    return space + brace + local.replace(".", "\\.")


def lists(path: Path) -> list[Path]:
    """The list prefixes of a path, outermost first: ``a[].b[].c`` has ``a[]`` and ``a[].b[]``."""
    return [path[: index + 1] for index, name in enumerate(path) if name == EACH]
