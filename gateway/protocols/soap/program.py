"""Python source being generated, and the constants it refers to.

Whatever comes from a contract enters the source as the *name* of a constant only; the constant's value lives in the namespace
the source runs in. So no element name, enumeration value or pattern, however hostile, can become code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

Pieces = list[tuple[bool, str]]
"""Alternating text constants (True, text) and expressions (False, source)."""


class Program:
    """Collects functions, then compiles them into one namespace."""

    def __init__(self, **names: object) -> None:
        self.names: dict[str, Any] = dict(names)
        self._lines: list[str] = []
        self._texts: dict[str, str] = {}

    def text(self, value: str) -> str:
        """The name of a string constant; equal strings share one."""
        if value not in self._texts:
            self._texts[value] = self.object(value)
        return self._texts[value]

    def object(self, value: object) -> str:
        name = f"k{len(self.names)}"
        self.names[name] = value
        return name

    def define(self, signature: str, body: Iterable[str]) -> None:
        self._lines += [f"def {signature}:", *(f"    {line}" for line in body)]

    def build(self) -> None:
        """Compile what was defined since the last build."""
        source = "\n".join(self._lines)
        self._lines.clear()
        exec(compile(source, "<soap codec>", "exec"), self.names)  # noqa: S102

    def function(self, name: str) -> Callable[..., Any]:
        found: Callable[..., Any] = self.names[name]
        return found


class Body:
    """The statements of one generated function. ``count`` is how many keys of its object they have surely used."""

    def __init__(self, program: Program) -> None:
        self.lines: list[str] = []
        self.count = 0
        self._program = program
        self._indent = ""
        self._variables = 0

    def add(self, text: str) -> None:
        self.lines.append(self._indent + text)

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        self.add(header)
        self._indent += "    "
        yield
        self._indent = self._indent[:-4]

    def variable(self) -> str:
        self._variables += 1
        return f"x{self._variables}"

    def join(self, pieces: Pieces) -> str:
        """An expression for the concatenation of pieces, neighbouring constants merged."""
        merged: Pieces = []
        for constant, text in pieces:
            if constant and merged and merged[-1][0]:
                merged[-1] = (True, merged[-1][1] + text)
            else:
                merged.append((constant, text))
        names = [self._program.text(text) if constant else text for constant, text in merged]
        if not names:
            return '""'
        return names[0] if len(names) == 1 else 'f"' + "".join(f"{{{name}}}" for name in names) + '"'
