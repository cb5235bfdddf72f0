"""A plan carried out by generated Python: straight code that takes the common path and raises where a value does not fit.

One function per list item and one for the body. ``engine.py`` then does the whole conversion again to find out everything that
was wrong, so nothing here has a message or knows a place. Names, codes and patterns of a table enter the source as names of
constants only; the constants live in the namespace the source runs in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from gateway.exchange import ABSENT
from gateway.mapping.path import EACH, Path
from gateway.mapping.plan import Convert, Move, Node, Plan, tree
from gateway.mapping.wrong import Wrong

UNFIT = (KeyError, Wrong)
"""What a program raises for a value it cannot convert."""

_DEEPEST = 24
"""Names in a path; Python's parser takes about a hundred blocks in each other. Deeper tables are left to the engine."""


def compile_program(plan: Plan) -> Convert | None:
    """A converter that gives what the engine gives, or raises one of ``UNFIT``. ``None`` for a table too deep for source code."""
    if any(len(path) > _DEEPEST for move in plan.moves for path in (move.source, move.target)):
        return None
    program = _Program(plan)
    name = program.item(tree(plan), ())
    program.build()
    return program.function(name)


def optimistic(program: Convert, engine: Convert) -> Convert:
    """The program's result, or else whatever the engine gives or raises."""

    def convert(value: object) -> object:
        try:
            return program(value)
        except UNFIT:
            return engine(value)

    return convert


class _Program:
    """The functions generated for one plan, and their constants."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._names: dict[str, Any] = {"A": ABSENT, "Wrong": Wrong, "present": _present}
        self._lines: list[str] = []

    def constant(self, value: object) -> str:
        """The name of a constant."""
        name = f"k{len(self._names)}"
        self._names[name] = value
        return name

    def build(self) -> None:
        exec(compile("\n".join(self._lines), "<field table>", "exec"), self._names)  # noqa: S102

    def function(self, name: str) -> Convert:
        found: Convert = self._names[name]
        return found

    def item(self, node: Node, target: Path) -> str:
        """The function from one source value to one target value of its own: the whole body, or an item of a list."""
        scope = _Scope(self, len(target))
        constants = self.plan.constants_of(target)
        for constant in constants:
            scope.put(constant.target, self.constant(constant.value))
        if not node.moves:
            scope.object(node, "v")
        elif not constants and node.moves[0].target == target:
            scope.only(node.moves[0])
        else:
            for move in node.moves:
                scope.leaf(move, "v")
        name = self.constant(None)
        self._lines += [f"def {name}(v):", "    m = False", *(f"    {line}" for line in scope.finished())]
        return name


def _present(target: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in target.items() if value is not ABSENT}


class _Scope:
    """The statements of one function. Every field ends in a variable: ``A`` is no value, and ``m`` says some have none."""

    def __init__(self, program: _Program, depth: int) -> None:
        self._program = program
        self._plan = program.plan
        self._depth = depth
        self._lines: list[str] = []
        self._indent = ""
        self._sources = 0
        self._filled: dict[Path, str] = {}
        self._complete = True

    def put(self, target: Path, expression: str) -> None:
        self._filled[target[self._depth :]] = expression

    def finished(self) -> list[str]:
        """All statements, the return of the target value last."""
        if () in self._filled:
            value = self._filled[()]
            return [*self._lines, f"if {value} is A: raise Wrong", f"return {value}"]
        shape: dict[str, Any] = {}
        for path, value in self._filled.items():
            inner = shape
            for name in path[:-1]:
                inner = inner.setdefault(name, {})
            inner[path[-1]] = value
        self._line(f"return {self._target(shape, '')}")
        return self._lines

    def _target(self, shape: dict[str, Any], otherwise: str) -> str:
        """The variable of a target object. Objects inside it that would be empty are left out."""
        values = {name: self._target(inner, " or A") if isinstance(inner, dict) else inner for name, inner in shape.items()}
        target = self._source("t")
        self._line(f"{target} = {{{', '.join(f'{self._program.constant(name)}: {value}' for name, value in values.items())}}}")
        if not self._complete:
            self._line(f"if m: {target} = present({target}){otherwise}")
        return target

    # --- statements --------------------------------------------------------------------------------------------------

    def _line(self, text: str) -> None:
        self._lines.append(self._indent + text)

    @contextmanager
    def _block(self, header: str) -> Iterator[None]:
        self._line(header)
        self._indent += "    "
        yield
        self._indent = self._indent[:-4]

    def _source(self, letter: str) -> str:
        self._sources += 1
        return f"{letter}{self._sources}"

    def _variable(self, target: Path) -> str:
        """The variable of a target field."""
        return self._filled.setdefault(target[self._depth :], f"x{len(self._filled)}")

    def _nothing(self, variable: str) -> None:
        self._line(f"{variable} = A; m = True")
        self._complete = False

    # --- objects -----------------------------------------------------------------------------------------------------

    def object(self, node: Node, v: str) -> None:
        """Statements that read an object's keys. Known keys are counted, so that one comparison finds unknown ones."""
        self._line(f"if {v}.__class__ is not dict: raise Wrong")
        count = self._source("n")
        if self._plan.strict:
            self._line(f"{count} = {len(node.children)}")
        for name, child in node.children.items():
            key = self._program.constant(name)
            if self._plan.is_required(child):
                self._given(child, f"{v}[{key}]")
                continue
            with self._block(f"if {key} in {v}:"):
                self._given(child, f"{v}[{key}]")
            with self._block("else:"):
                if self._plan.strict:
                    self._line(f"{count} -= 1")
                self._absent(child)
        if self._plan.strict:
            self._line(f"if len({v}) != {count}: raise Wrong")

    def _given(self, node: Node, source: str) -> None:
        if EACH in node.children:
            self._list(node.children[EACH], source)
            return
        v = source if len(node.moves) == 1 else self._source("v")
        if v != source:
            self._line(f"{v} = {source}")
        if not node.moves:
            self.object(node, v)
        for move in node.moves:
            self.leaf(move, v)

    def _absent(self, node: Node, bare: bool = False) -> None:
        """Statements for a key that is not there. An object with a row of its own stays absent (``bare``), defaults and all."""
        if EACH in node.children:
            item = node.children[EACH].path
            self._no_list(item, self._variable(self._plan.pairs[item][:-1]), bare)
            return
        bare = bare or node.path in self._plan.groups
        for move in node.moves:
            x = self._variable(move.target)
            if bare or move.missing is ABSENT:
                self._nothing(x)
            else:
                self._line(f"{x} = {self._program.constant(move.missing)}")
        for child in node.children.values():
            self._absent(child, bare)

    # --- lists -------------------------------------------------------------------------------------------------------

    def _list(self, node: Node, source: str) -> None:
        inner, group = self._plan.pairs[node.path], self._plan.groups.get(node.path)
        x = self._variable(inner[:-1])
        self._line(f"{x} = {source}")
        if self._plan.wrap:
            self._line(f"if {x}.__class__ is not list: {x} = [{x}]")
        with self._block(f"if {x}.__class__ is list:"):
            if group is not None and group.least:
                self._line(f"if len({x}) < {self._program.constant(group.least)}: raise Wrong")
            if group is not None and group.most is not None:
                self._line(f"if len({x}) > {self._program.constant(group.most)}: raise Wrong")
            self._line(f"{x} = [{self._program.item(node, inner)}(y) for y in {x}]")
        if not self._plan.strict:
            with self._block(f"elif {x} is None:"):
                self._no_list(node.path, x, False)
        self._line("else: raise Wrong")

    def _no_list(self, path: Path, x: str, bare: bool) -> None:
        if self._plan.is_kept(path) and not bare:
            self._line(f"{x} = []")
        else:
            self._nothing(x)

    # --- fields ------------------------------------------------------------------------------------------------------

    def only(self, move: Move) -> None:
        """The list item that is a single value on both sides: it may be null, but not left out."""
        self.leaf(replace(move, required=True, missing=None if move.nullable else ABSENT), "v")

    def leaf(self, move: Move, source: str) -> None:
        x, inline = self._variable(move.target), move.inline
        self._line(f"{x} = {source}")
        names = {name: self._program.constant(value) for name, value in inline.names.items()}
        test, result = inline.test.format(x=x, **names), inline.result.format(x=x, **names)
        if not test:
            self._convert(move, x)
        elif result == x:
            with self._block(f"if not ({test}):"):
                self._convert(move, x)
        else:
            self._line(f"if {test}: {x} = {result}")
            with self._block("else:"):
                self._convert(move, x)

    def _convert(self, move: Move, x: str) -> None:
        call = f"{self._program.constant(move.inline.convert)}({x})"
        if move.nullable:
            self._line(f"if {x} is not None: {x} = {call}")
        elif self._plan.strict:
            self._line(f"{x} = {call}")
        else:
            self._line(f"{x} = A if {x} is None else {call}")
        with self._block(f"if {x} is A:"):
            if move.missing is not ABSENT:
                self._line(f"{x} = {self._program.constant(move.missing)}")
            elif move.required:
                self._line("raise Wrong")
            else:
                self._nothing(x)
