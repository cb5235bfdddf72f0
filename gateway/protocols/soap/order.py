"""Whether elements stand in an order a content model allows, asked of a string with one symbol for each element.

A regular expression answers for nearly every document, in linear time: its groups never backtrack. What it turns down is asked
again of the content model itself, by sets of positions, because a model may count in more than one way (``(a{2,3}){2}`` of four)
and only one of them may fit. That takes a bounded number of steps, however the model and the document are made.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal

Kind = Literal["symbol", "sequence", "choice", "all"]
Model = tuple[Kind, "str | tuple[Model, ...]", int, "int | None"]
"""Kind, symbol or parts, and how often it occurs; None is unbounded."""

MAX_STEPS: Final = 300_000
_MAX_REPEAT: Final = 2**32 - 2


def matcher(model: Model | None) -> Callable[[str], bool]:
    """The test of a content model; None allows nothing but no elements at all."""
    if model is None:
        return lambda symbols: not symbols
    plain = re.compile(pattern(model)).fullmatch

    def matches(symbols: str) -> bool:
        return plain(symbols) is not None or _Exact(symbols).matches(model)

    return matches


def pattern(model: Model) -> str:
    """The content model as a regular expression that may turn down what it allows, never the reverse."""
    kind, parts, low, high = model
    if isinstance(parts, str):
        return parts + _times(low, high)
    inner = [pattern(part) for part in parts]
    if kind == "all":
        return f"(?:{'|'.join(inner)})*+"
    joined = "|".join(inner) if kind == "choice" else "".join(inner)
    times = _times(low, high)
    return f"(?:{joined}){times}{'+' if times else ''}"


def _times(low: int, high: int | None) -> str:
    most = "" if high is None else min(high, _MAX_REPEAT)
    return "" if (low, most) == (1, 1) else f"{{{min(low, _MAX_REPEAT)},{most}}}"


class _TooLong(Exception):
    pass


class _Exact:
    """One string against a model: from a set of positions to the set of those where a part may end."""

    def __init__(self, symbols: str) -> None:
        self._symbols = symbols
        self._left = MAX_STEPS

    def matches(self, model: Model) -> bool:
        try:
            return len(self._symbols) in self._ends(model, {0})
        except _TooLong:
            return False

    def _ends(self, model: Model, starts: set[int]) -> set[int]:
        kind, parts, low, high = model
        if kind == "all":
            parts, low, high = (("choice", parts, 1, 1),), 0, None
        current, found = starts, set(starts) if low == 0 else set[int]()
        count = 0
        while current and (high is None or count < high):
            self._left -= len(current) + 1
            if self._left < 0:
                raise _TooLong
            before, current = current, self._once(kind, parts, current)
            count += 1
            if count >= low:
                current = current - found
                found |= current
            elif current == before:
                return found | current
        return found

    def _once(self, kind: Kind, parts: str | tuple[Model, ...], starts: set[int]) -> set[int]:
        if isinstance(parts, str):
            return {start + 1 for start in starts if self._symbols[start : start + 1] == parts}
        if kind == "choice":
            return set[int]().union(*(self._ends(part, starts) for part in parts))
        for part in parts:
            starts = self._ends(part, starts)
        return starts
