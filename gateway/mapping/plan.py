"""What one direction of a table does, as values: moves, constants, groups, and the tree of what the source side may hold.

Both ways of carrying a plan out, ``program.py`` and ``engine.py``, read it from here, so that they agree on what is required.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.exchange import ABSENT
from gateway.mapping.inline import Inline
from gateway.mapping.path import EACH, Path

Convert = Callable[[object], object]


@dataclass(frozen=True, slots=True)
class Move:
    """One value's way. ``missing`` is what the target gets when the source has no value; ``ABSENT`` is nothing.

    ``convert`` says exactly what is wrong with a value; ``inline`` does the same to a good one, quickly.
    """

    source: Path
    target: Path
    convert: Convert
    inline: Inline
    required: bool = False
    nullable: bool = False
    missing: object = ABSENT


@dataclass(frozen=True, slots=True)
class Constant:
    target: Path
    value: object


@dataclass(frozen=True, slots=True)
class Group:
    """What a table says about a source object or list itself. ``least`` and ``most`` count items."""

    required: bool
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one direction of a table does. ``strict``: unknown keys are errors. ``wrap``: a single value counts as a list of
    one, as a repeatable query parameter does."""

    moves: tuple[Move, ...]
    constants: tuple[Constant, ...]
    groups: dict[Path, Group]
    pairs: dict[Path, Path]
    strict: bool
    unknown: str
    wrap: bool = False

    def constants_of(self, target: Path) -> list[Constant]:
        """The constants that stand in the target value at that path, not in a list further inside."""
        depth = len(target)
        return [c for c in self.constants if c.target[:depth] == target and EACH not in c.target[depth:]]

    def is_required(self, node: Node) -> bool:
        """Whether the object around must have this key: its group row says, else any required field inside does. In an answer a
        list that is not there is an empty one."""
        if EACH in node.children:
            if not self.strict:
                return False
            group = self.groups.get((*node.path, EACH))
            item = node.children[EACH]
            return group.required if group else any(move.required for move in item.moves)
        group = self.groups.get(node.path)
        if group is not None:
            return group.required
        return any(move.required for move in node.moves) or any(self.is_required(child) for child in node.children.values())

    def is_kept(self, path: Path) -> bool:
        """Whether an answer without that list gets an empty one: where the table requires it."""
        group = self.groups.get(path)
        return group is not None and group.required and not self.strict


@dataclass(slots=True)
class Node:
    """A place on the source side: a field with its moves, a list with the child ``[]``, or an object."""

    path: Path
    moves: list[Move] = field(default_factory=list)
    children: dict[str, Node] = field(default_factory=dict)


def tree(plan: Plan) -> Node:
    """The source side, from its root."""
    root = Node(())
    for move in plan.moves:
        _at(root, move.source).moves.append(move)
    for source in sorted(plan.pairs):
        _at(root, source)
    return root


def _at(node: Node, path: Path) -> Node:
    for name in path:
        node = node.children.setdefault(name, Node((*node.path, name)))
    return node
