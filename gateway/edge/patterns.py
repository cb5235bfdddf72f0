"""Text that a regular expression matches: for examples in the API documentation.

It reads what XML Schema, field tables and JSON Schema write: classes, groups, choices, counts. What it cannot read has no text,
and no text is promised to match: whoever asks tries it.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator

CLASSES = {
    "d": string.digits,
    "w": string.ascii_uppercase + string.digits + "_",
    "s": " ",
    "i": string.ascii_letters,
    "c": "abc1",
}
PREFERRED = string.ascii_uppercase + "123456789" + "0" + string.ascii_lowercase
LONGEST = 200
DEEPEST = 30

_COUNT = re.compile(r"\{(\d{1,4})(,?)(\d{0,4})\}")

Part = Callable[[int, int], str]
"""The text of one part: the number of its repetition, and how much more than the least a count may give."""


class Unreadable(ValueError):
    """A notation that is not understood here."""


def matching(pattern: str) -> Iterator[str]:
    """Texts that should match the whole of a pattern, short ones first; none where the pattern cannot be read."""
    try:
        part = _Reader(pattern).whole()
    except (Unreadable, IndexError):
        return
    seen: set[str] = set()
    for more in (0, 1, 2, 3, 5, 8, 13, 21, 34):
        text = part(0, more)
        if text not in seen and len(text) <= LONGEST:
            seen.add(text)
            yield text


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._depth = 0

    def whole(self) -> Part:
        part = self._choice()
        if self._at != len(self._text):
            raise Unreadable
        return part

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1]

    def _choice(self) -> Part:
        """Alternatives, of which the first is taken."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise Unreadable
        first = self._sequence()
        while self._peek() == "|":
            self._next()
            self._sequence()
        self._depth -= 1
        return first

    def _sequence(self) -> Part:
        parts: list[Part] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._counted(self._atom()))
        return lambda number, more: "".join(part(number, more) for part in parts)

    def _atom(self) -> Part:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return _one_of(self._class())
        if character == "\\":
            return _one_of(self._escaped())
        if character == ".":
            return _one_of(PREFERRED)
        if character in "^$":
            return lambda number, more: ""
        if character in "*+?{":
            raise Unreadable
        return lambda number, more: character

    def _group(self) -> Part:
        if self._peek() == "?":
            self._next()
            if self._next() != ":":
                raise Unreadable
        part = self._choice()
        if self._next() != ")":
            raise Unreadable
        return part

    def _escaped(self) -> str:
        character = self._next()
        if character in CLASSES:
            return CLASSES[character]
        if character.isalnum() and character not in "nrt":
            raise Unreadable
        return {"n": "\n", "r": "\r", "t": "\t"}.get(character, character)

    def _class(self) -> str:
        negated = self._peek() == "^"
        if negated:
            self._next()
        found = ""
        while self._peek() != "]" or not found:
            character = self._next()
            if character == "[":
                raise Unreadable
            found += self._escaped() if character == "\\" else character
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", "", "[", "\\"):
                self._next()
                found += _between(found[-1], self._next())
        self._next()
        return "".join(each for each in PREFERRED + " -_./" if each not in found) if negated else found

    def _counted(self, part: Part) -> Part:
        least, most = self._count()
        if (least, most) == (1, 1):
            return part
        if self._peek() == "?":
            self._next()

        def repeated(number: int, more: int) -> str:
            times = min(least + more, LONGEST) if most is None else min(least + more, most)
            return "".join(part(index, more) for index in range(times))

        return repeated

    def _count(self) -> tuple[int, int | None]:
        known: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if self._peek() in known:
            return known[self._next()]
        match = _COUNT.match(self._text, self._at)
        if match is None:
            return 1, 1
        self._at = match.end()
        least = int(match[1])
        if not match[2]:
            return least, least
        return least, int(match[3]) if match[3] else None


def _between(first: str, last: str) -> str:
    """The characters of a range after its first one; of a large one those people read."""
    low, high = ord(first) + 1, ord(last)
    if high - low > len(PREFERRED):
        return "".join(character for character in PREFERRED if low <= ord(character) <= high) or chr(high)
    return "".join(map(chr, range(low, high + 1)))


def _one_of(characters: str) -> Part:
    """One character, another one at each repetition, readable ones first."""
    usable = [each for each in PREFERRED if each in characters] or list(dict.fromkeys(characters))
    if not usable:
        raise Unreadable
    return lambda number, more: usable[number % len(usable)]
