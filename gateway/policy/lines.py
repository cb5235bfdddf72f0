"""The lines of a policy file as people read them: around one that is wrong, and those by which two files differ.

The order of rows means nothing, so two files differ by the lines one has and the other has not; that takes as long as reading
them, whatever their length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.policy.file import COLUMNS

LONGEST = 400
"""Characters of a line that are shown."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``mark`` is ``wrong``, ``gone`` (only in the old file), ``new`` (only in the new one), or empty."""

    number: int
    text: str
    mark: Literal["", "wrong", "gone", "new"] = ""


def lines_of(data: bytes) -> list[str]:
    """The lines of a file, be it good or not, without their ends. What is no UTF-8 is replaced."""
    return data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")


def excerpt(lines: Sequence[str], number: int, around: int = 2) -> tuple[Line, ...]:
    """A line, counted from 1, and those around it; nothing where the file has no such line."""
    if not 1 <= number <= len(lines):
        return ()
    near = range(max(number - around, 1), min(number + around, len(lines)) + 1)
    return tuple(Line(at, lines[at - 1][:LONGEST], "wrong" if at == number else "") for at in near)


def changed(old: Sequence[str], new: Sequence[str]) -> list[Line]:
    """The lines only one of two files has, those of the old file first where they stand at the same place."""
    gone = _beyond(old, new)
    came = _beyond(new, old)
    lines = [Line(number, old[number - 1][:LONGEST], "gone") for number in gone]
    lines += [Line(number, new[number - 1][:LONGEST], "new") for number in came]
    return sorted(lines, key=lambda line: (line.number, line.mark == "new"))


def _beyond(lines: Sequence[str], others: Iterable[str]) -> list[int]:
    """The numbers of the lines that occur more often than among the others."""
    left = Counter(map(_said, others))
    numbers = []
    for number, line in enumerate(lines, 1):
        said = _said(line)
        if left[said] > 0:
            left[said] -= 1
        elif said:
            numbers.append(number)
    return numbers


def _said(line: str) -> str:
    """What a line says, however its columns are aligned."""
    text = line.strip(" ")
    return text if text.startswith("#") else ",".join(part.strip(" ") for part in text.split(","))


def concerns(line: str, tenant: str) -> bool:
    """Whether a line is about a tenant or about every tenant, and nothing else can be read from it. A comment may speak of
    anybody, and a row of the wrong shape may be about anybody."""
    kind, *values = (part.strip(" ") for part in line.split(","))
    if not line.strip(" "):
        return True
    columns = COLUMNS.get(kind)
    if columns is None or len(values) != len(columns):
        return False
    return "tenant" not in columns or values[columns.index("tenant")] in (tenant, "*")
