"""From a JSON pointer on one side of a table to the place on the other: what is found late is said in the reader's terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gateway.mapping.path import EACH, Path
from gateway.mapping.wrong import escape, unescape


@dataclass(slots=True)
class _Place:
    shared: Path | None = None
    children: dict[str, _Place] = field(default_factory=dict)
    leaf: bool = False


def compile_places(ways: Iterable[tuple[Path, Path]]) -> Callable[[str], str]:
    """``ways`` are pairs of a path on the side asked about and its path on the side answered. A pointer to something between two
    rows gives the nearest place around both."""
    root = _Place()
    for asked, answered in ways:
        place = root
        for step in (None, *asked):
            place = place if step is None else place.children.setdefault(step, _Place())
            place.shared = answered if place.shared is None else _common(place.shared, answered)
        place.leaf = True
    return lambda pointer: _translate(root, pointer)


def _common(one: Path, other: Path) -> Path:
    length = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:length]


def _translate(root: _Place, pointer: str) -> str:
    place, indices = root, []
    tokens = [unescape(token) for token in pointer.split("/")[1:]]
    used = 0
    for token in tokens:
        step = EACH if token.isdigit() and EACH in place.children else token
        if step not in place.children:
            break
        indices += [token] if step == EACH else []
        place = place.children[step]
        used += 1
    rest = [escape(token) for token in tokens[used:]] if place.leaf and not place.children else []
    return "".join("/" + token for token in [*_filled(place.shared or (), indices), *rest])


def _filled(path: Path, indices: list[str]) -> list[str]:
    """The path's tokens with its lists numbered, as far as there are numbers."""
    tokens: list[str] = []
    numbers = iter(indices)
    for step in path:
        token = next(numbers, None) if step == EACH else escape(step)
        if token is None:
            break
        tokens.append(token)
    return tokens
