"""Compiling a field table for one direction, which finds everything wrong with it in its surroundings: the functions it calls,
the contract it speaks to, its own defaults and examples. What converts and describes values is made when it is first used: a
deployment may have tables of thousands of rows, and every reload goes through all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import TypeVar

from gateway.errors import ConfigError, Finding
from gateway.exchange import ABSENT
from gateway.mapping.contract import Leaf, LeafOf, NamesOf, check_contract
from gateway.mapping.engine import compile_plan
from gateway.mapping.forms import answer_form, request_form
from gateway.mapping.functions import Function, Functions, why_unusable
from gateway.mapping.inline import answer_inline, request_inline
from gateway.mapping.layout import fields, origin, target
from gateway.mapping.maps import AnswerMap, RequestMap
from gateway.mapping.path import Path, lists, show_path
from gateway.mapping.places import compile_places
from gateway.mapping.plan import Constant, Convert, Group, Move, Plan
from gateway.mapping.program import compile_program, optimistic
from gateway.mapping.schema import answer_schema, request_schema
from gateway.mapping.table import Direction, Line, Table
from gateway.mapping.wrong import Wrong

A = TypeVar("A")
R = TypeVar("R")

UNKNOWN_FIELD = "is no field of this call"
UNKNOWN_PARAMETER = "is no parameter of this call"


def compile_request(
    table: Table,
    *,
    functions: Functions | None = None,
    leaf: LeafOf | None = None,
    names: NamesOf | None = None,
    path: Collection[str] = (),
    body: bool = True,
) -> RequestMap:
    """Compile a table's requests. Raises ``ConfigError`` with every finding.

    :param leaf: what the contract says about an ERP path; without it the contract is not checked.
    :param names: the contract's names below an ERP path, for better remedies.
    :param path: names of the route's path parameters. They, and query parameters (``body=False``), arrive as text.
    """
    compiler = _Compiler(table, "request", functions or {}, leaf)
    moves = [compiler.request_move(line, path, body) for line in fields(table, "request") if line.rest is not None]
    compiler.check_path_parameters(path)
    compiler.check(names)
    what = UNKNOWN_FIELD if body else UNKNOWN_PARAMETER
    convert = _compile(compiler.plan(tuple(moves), strict=True, unknown=what, wrap=not body))
    ways = [(line.erp, line.rest) for line in compiler.ways() if line.erp and line.rest]
    schema = cache(lambda: request_schema(table, compiler.most()))
    return RequestMap(table, frozenset(path), body, convert, _late(lambda: compile_places(ways)), schema)


def compile_answer(
    table: Table,
    *,
    functions: Functions | None = None,
    leaf: LeafOf | None = None,
    names: NamesOf | None = None,
    unknown: Callable[[str], None] | None = None,
) -> AnswerMap:
    """Compile a table's answers. Raises ``ConfigError`` with every finding.

    :param unknown: called with the REST name of a field (``lines[].unit``) whenever the ERP sent a code its list does not have;
        the code itself passes.
    """
    compiler = _Compiler(table, "answer", functions or {}, leaf)
    moves = [compiler.answer_move(line, unknown) for line in fields(table, "answer") if line.erp is not None]
    compiler.check(names)
    convert = _compile(compiler.plan(tuple(moves), strict=False, unknown="", wrap=False))
    ways = [(line.erp, line.rest) for line in compiler.ways() if line.erp and line.rest]
    return AnswerMap(table, convert, _late(lambda: compile_places(ways)), cache(lambda: answer_schema(table)))


def _compile(plan: Plan) -> Convert:
    engine = _late(lambda: compile_plan(plan))
    return optimistic(_late(lambda: compile_program(plan) or engine), engine)


def _late(make: Callable[[], Callable[[A], R]]) -> Callable[[A], R]:
    """The function that ``make`` gives, made at the first call."""
    made = cache(make)
    return lambda value: made()(value)


class _Compiler:
    """Collects the findings of one compilation."""

    def __init__(self, table: Table, direction: Direction, functions: Functions, leaf: LeafOf | None) -> None:
        self.table = table
        self.direction = direction
        self.functions = functions
        self.leaf = leaf
        self.findings: list[Finding] = []

    def check(self, names: NamesOf | None) -> None:
        if self.leaf is not None:
            self.findings += check_contract(self.table, self.direction, self.leaf, names)
        if not fields(self.table, self.direction):
            what = f"the table '{self.table.name}' has no row that serves {self.direction}s"
            remedy = "name another table, or add rows"
            self.findings.append(self.table.source.finding(("tables", self.table.name), what, remedy))
        if self.findings:
            raise ConfigError(self.findings)

    def check_path_parameters(self, path: Collection[str]) -> None:
        known = {line.rest[0] for line in self.table.of("request") if line.rest}
        place = ("tables", self.table.name)
        for name in path:
            if name not in known:
                what = f"the table '{self.table.name}' has no request row for the path parameter '{name}'"
                self.findings.append(self.table.source.finding(place, what, f"add a row with 'rest: {name}'"))

    def ways(self) -> Iterator[Line]:
        return (line for line in self.table.of(self.direction) if line.row.kind != "object")

    def most(self) -> dict[Path, int]:
        """Lengths the contract allows, by REST path."""
        found = [(line.rest, self._leaf(line)) for line in fields(self.table, "request") if line.row.kind == "string"]
        return {rest: leaf.max_length for rest, leaf in found if rest and leaf and leaf.max_length is not None}

    def _leaf(self, line: Line) -> Leaf | None:
        return self.leaf(show_path(line.erp)) if self.leaf is not None and line.erp is not None else None

    def _function(self, line: Line) -> Function | None:
        name = line.row.function(self.direction)
        if name is None:
            return None
        function = self.functions.get(name)
        if function is None:
            known = ", ".join(sorted(self.functions)) or "none yet"
            self.findings.append(
                self.table.finding(line, f"calls '{name}', which no transformers/*.py defines", f"functions are: {known}")
            )
        elif why := why_unusable(function):
            self.findings.append(self.table.finding(line, f"calls '{name}', which {why}", "write def name(value): ..."))
        return function

    def request_move(self, line: Line, path: Collection[str], body: bool) -> Move:
        row, rest, erp = line.row, line.rest or (), line.erp or ()
        parameter = not body or rest[0] in path
        leaf, function = self._leaf(line), self._function(line)
        convert = request_form(row, leaf, parameter=parameter, function=function)
        inline = request_inline(row, leaf, called=function is not None, convert=convert)
        missing = ABSENT if row.default is None else self._tried(line, "default", row.default, convert)
        if row.example is not None:
            self._tried(line, "example", row.example, convert)
        return Move(rest, erp, convert, inline, row.required, row.nullable or row.kind == "any", missing)

    def _tried(self, line: Line, key: str, value: object, convert: Convert) -> object:
        try:
            return convert(value)
        except Wrong as wrong:
            what = f"has the {key} {value!r}, which {wrong.errors[0][1]}"
            self.findings.append(self.table.finding(line, what, f"give '{key}' in its REST form"))
            return ABSENT

    def answer_move(self, line: Line, unknown: Callable[[str], None] | None) -> Move:
        row, rest, erp = line.row, line.rest or (), line.erp or ()
        name = show_path(rest)
        report = (lambda: unknown(name)) if unknown is not None else (lambda: None)
        function = self._function(line)
        convert = answer_form(row, unknown=report, function=function)
        inline = answer_inline(row, called=function is not None, convert=convert)
        if row.answer_default is not None:
            self._tried(line, "answer_default", row.answer_default, request_form(row, None, parameter=False, function=None))
        missing = ABSENT if row.answer_default is None else row.answer_default
        required = row.required and row.serves == "answer"
        return Move(erp, rest, convert, inline, required, row.nullable or row.kind == "any", missing)

    def plan(self, moves: tuple[Move, ...], *, strict: bool, unknown: str, wrap: bool) -> Plan:
        lines = list(self.table.of(self.direction))
        constants = [
            Constant(path, line.row.constant)
            for line in lines
            if line.row.constant is not None and (path := target(line, self.direction)) is not None
        ]
        groups = {
            path: _group(line, strict)
            for line in lines
            if line.row.kind in ("object", "list") and (path := origin(line, self.direction)) is not None
        }
        if not strict:
            groups |= {path: Group(True) for path in lists(self.table.erp_root)}
        pairs = {
            source: filled
            for line in lines
            for source, filled in zip(
                lists(origin(line, self.direction) or ()), lists(target(line, self.direction) or ()), strict=False
            )
        }
        return Plan(moves, tuple(constants), groups, pairs, strict, unknown, wrap)


def _group(line: Line, strict: bool) -> Group:
    row = line.row
    if not strict or row.kind == "object":
        return Group(row.required)
    return Group(row.required, *(None if bound is None else int(bound) for bound in (row.min, row.max)))
