"""Python source being generated, and the constants it refers to.

Whatever comes from a contract enters the source as the *name* of a constant only; the constant's value lives in the namespace
the source runs in. So no element name, enumeration value or pattern, however hostile, can become code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


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
