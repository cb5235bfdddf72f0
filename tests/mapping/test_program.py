"""A generated program gives exactly what the engine gives, or leaves the value to it: random tables, good and bad values."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from gateway.config.source import Source
from gateway.errors import BadAnswer, ConfigError, Unprocessable
from gateway.mapping import AnswerMap, RequestMap, Table, Wrong, compile_answer, compile_request, read_tables
from gateway.mapping.program import UNFIT

Convert = Callable[[object], object]
Rows = list[dict[str, Any]]

KINDS: list[tuple[dict[str, Any], list[Any]]] = [
    ({}, ["", "x", "é"]),
    ({"min": 1, "max": 3}, ["x", "xyz", "üé"]),
    ({"pattern": "[0-9]{3}|é*"}, ["123", "éé"]),
    ({"type": "decimal"}, ["0", "1.50", "-0.00", 7]),
    ({"type": "decimal", "scale": 2, "digits": 5, "min": "0.01", "max": 100}, ["0.01", "100", "99.99", 100]),
    ({"type": "decimal", "min": -1, "max": "0"}, ["0", "-0.5", "-1"]),
    ({"type": "decimal", "erp_form": "number"}, ["0.5", "12"]),
    ({"type": "integer"}, [0, -1, 2**53 - 1]),
    ({"type": "integer", "min": 1, "max": 99}, [1, 99]),
    ({"type": "boolean"}, [True, False]),
    ({"type": "boolean", "values": {"true": "X", "false": ""}}, [True, False]),
    ({"type": "date"}, ["2026-02-28", "0001-01-01"]),
    ({"type": "date", "erp_form": "DD/MM/YYYY"}, ["2026-02-28", "2024-02-29"]),
    ({"type": "datetime", "erp_form": "YYYYMMDDHHmmss"}, ["2026-02-28T09:30:00"]),
    ({"type": "code", "digits": 4}, ["0", "12", "0012"]),
    ({"type": "codes", "values": {"PC": "ST", "KG": ["KGM", 2], "": "none", "one": 1}, "serves": "answer"}, ["PC", "one"]),
    ({"type": "codes", "values": {"PC": "ST", "KG": "KGM", "one": 1}}, ["PC", "KG", "one"]),
    ({"type": "unit", "factor": 1000}, ["1.5", "0"]),
    ({"type": "any"}, [None, {"a": [1]}, "x"]),
    ({"call": "change"}, [{"a": 1}, "x", [1]]),
    ({"call": "change", "type": "string"}, ["x", "zz"]),
]
NASTY: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        1,
        2,
        -1,
        100,
        101,
        2**53,
        10**400,
        0.5,
        1.0,
        float("inf"),
        [],
        [None],
        {},
        {"a": {}},
        Decimal(1),
        b"x",
    ),
    *("", " ", "0", "-0", "-0.0", "00", "00000000", "00/00/0000", "1", "2", "0.009", "0.010", "100.01", "1e1", "٣", "+1", "\n1"),
    *("x" * 70, "é", "\ud800", "refuse", "nothing", "true", "X", "PC", "ST", "KGM", "ZZ", "none", "31/12/2026", "30/02/2026"),
    *("2026-02-30", "2026-02-28Z", "20260228093000", "2026-02-28T09:30:01", "12\n", "1.5\n", "123\n"),
]


def change(value: Any) -> object:
    """A company function with bad manners: it changes what it is given."""
    if value == "refuse":
        raise Wrong("is refused")
    if isinstance(value, dict):
        value["changed"] = value.get("changed", 0) + 1
    return {"nothing": None, "": value}.get(value, value) if isinstance(value, str) else value


def table(rows: Rows, **roots: str) -> Table:
    return read_tables(Source("t.yaml", {"tables": {"t": {"rows": rows, **roots}}}))["t"]


Values = st.SearchStrategy[Any]
either = st.booleans()


def leaf(draw: st.DrawFn, rows: Rows, rest: str, erp: str) -> Values:
    """A row for one field, and the values it takes."""
    keys, good = draw(st.sampled_from(KINDS))
    serves = draw(st.sampled_from(["both", "both", "request", "answer"]))
    row: dict[str, Any] = {"rest": rest, "erp": erp, "required": draw(either), "nullable": draw(either), "serves": serves, **keys}
    if row.get("call") and row["serves"] == "both":
        row["call"] = {"request": "change", "answer": "change"}
    elif isinstance(good[0], str | int) and not rest.endswith("]") and not row["required"]:
        keys_of = {"default": ("both", "request"), "answer_default": ("both", "answer")}
        row |= {key: good[0] for key, directions in keys_of.items() if row["serves"] in directions and draw(either)}
    rows.append(row)
    if draw(st.integers(0, 4)) == 0 and not erp.endswith("]"):
        rows.append({"rest": rest, "erp": f"{erp}_too", "serves": "request", "type": "any"})
    return st.sampled_from([*good, *([None] if row["nullable"] else [])]).map(copy.deepcopy)


def array(draw: st.DrawFn, rows: Rows, rest: str, erp: str, depth: int) -> Values:
    if draw(either):
        bounds = draw(st.sampled_from([{}, {"min": 1}, {"max": 2}, {"min": 1, "max": 2}]))
        rows.append({"rest": f"{rest}[]", "erp": f"{erp}[]", "type": "list", "required": draw(either), **bounds})
    if draw(either):
        rows.append({"erp": f"{erp}[].K.C", "constant": "c", "serves": "request"})
    return st.lists(level(draw, rows, f"{rest}[].", f"{erp}[].", depth), max_size=3)


def bare(draw: st.DrawFn, rows: Rows, rest: str, erp: str) -> Values:
    """A list of single values on one side at least."""
    inner = draw(st.sampled_from([("[]", "[]"), ("[]", "[].v"), ("[].v", "[]"), ("[].v.w", "[]")]))
    item = leaf(draw, rows, f"{rest}{inner[0]}", f"{erp}{inner[1]}")
    for key in reversed(inner[0].split(".")[1:]):
        item = st.fixed_dictionaries({key: item})
    return st.lists(item, max_size=3)


def level(draw: st.DrawFn, rows: Rows, rest: str, erp: str, depth: int) -> Values:
    """Rows for an object, and the values they take."""
    kept, optional = dict[str, Values](), dict[str, Values]()
    for index in range(draw(st.integers(1, 3))):
        name, there = f"r{index}", erp + draw(st.sampled_from([f"X{index}", f"In.Y{index}", f"In.To.Z{index}"]))
        fields = kept if draw(st.integers(0, 2)) else optional
        match draw(st.sampled_from(["leaf", "leaf", "bare", "object", "array"])) if depth else "leaf":
            case "object":
                fields[name] = level(draw, rows, f"{rest}{name}.", f"{there}_", depth - 1)
                if draw(either):
                    rows.append({"rest": f"{rest}{name}", "type": "object", "required": draw(either)})
            case "array":
                fields[name] = array(draw, rows, rest + name, there, depth - 1)
            case "bare":
                fields[name] = bare(draw, rows, rest + name, there)
            case _:
                fields[name] = leaf(draw, rows, rest + name, there)
    return st.fixed_dictionaries(kept, optional=optional)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Table, Any]:
    """A random table and a REST value that mostly fits it."""
    rows: Rows = []
    value = draw(level(draw, rows, "", "", 2))
    if draw(either):
        rows.append({"rest": "kind", "constant": 1, "serves": "answer"})
    roots = draw(st.sampled_from([{}, {}, {"erp": "Root"}, {"rest": "items[]", "erp": "Root.Item[]"}]))
    try:
        found = table(rows, **roots)
    except ConfigError as error:
        event("no table: " + error.findings[0].what)
        assume(False)
    return found, {"items": [value, copy.deepcopy(value)]} if "rest" in roots else value


@st.composite
def damaged(draw: st.DrawFn, value: Any) -> Any:
    """The value with up to three things put in place of others, left out or added."""
    holder = {"": copy.deepcopy(value)}
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(holder))
        container, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.sampled_from(["put", "put", "empty", "leave out", "leave out", "add"])):
            case "empty":
                container[key] = draw(st.sampled_from([None, ""]))
            case "put":
                container[key] = copy.deepcopy(draw(st.sampled_from(NASTY)))
            case "leave out" if container is not holder:
                del container[key]
            case "add" if isinstance(container[key], dict):
                container[key][draw(st.sampled_from(["r0", "r1", "r9", "X0", "In"]))] = copy.deepcopy(
                    draw(st.sampled_from(NASTY))
                )
    return copy.deepcopy(holder[""])


def _places(container: Any) -> Iterator[tuple[Any, Any]]:
    for key, item in list(container.items() if isinstance(container, dict) else enumerate(container)):
        yield container, key
        if isinstance(item, (dict, list)):
            yield from _places(item)


class Compared:
    """Stands where the program and the engine are put together, and runs both on values of their own."""

    def __init__(self) -> None:
        self.unknown = 0
        self.by_program = 0
        self.left = 0

    def report(self, name: str) -> None:
        self.unknown += 1

    def __call__(self, program: Convert, engine: Convert) -> Convert:
        def convert(value: object) -> object:
            own = copy.deepcopy(value)
            before = self.unknown
            try:
                result = program(value)
            except UNFIT:
                assert self.unknown == before
                assert own == value
                self.left += 1
                return engine(own)
            expected = engine(own)
            assert self.unknown == before
            assert exact(result) == exact(expected)
            self.by_program += 1
            return expected

        return convert


def exact(value: object) -> object:
    """A value that compares with the types of everything in it, the order of keys left out."""
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    return type(value), repr(value)


def compiled(rows: Table, compared: Compared, *, body: bool) -> tuple[RequestMap | None, AnswerMap | None]:
    functions: dict[str, Convert] = {"change": change}
    request, answer = None, None
    with patch("gateway.mapping.compiler.optimistic", compared):
        if any(line.row.serves != "answer" for line in rows.lines):
            request = compile_request(rows, functions=functions, body=body)
        if any(line.row.serves != "request" and line.row.kind != "object" for line in rows.lines):
            answer = compile_answer(rows, functions=functions, unknown=compared.report)
    return request, answer


@settings(max_examples=200, deadline=None)
@given(worlds(), st.data(), st.booleans())
def test_a_program_agrees_with_the_engine(world: tuple[Table, Any], data: st.DataObject, body: bool) -> None:
    rows, value = world
    compared = Compared()
    try:
        request, answer = compiled(rows, compared, body=body)
    except ConfigError:
        assume(False)
    erp: object = {}
    if request is not None:
        try:
            erp = request(copy.deepcopy(value))
            assert compared.left == 0, "a good request is left to the engine"
            event("a good request")
        except Unprocessable:
            event("a bad request")
        before = compared.left
        try:
            request(data.draw(damaged(value)))
            assert compared.left == before, "a good request is left to the engine"
        except Unprocessable:
            assert compared.left == before + 1
    if answer is not None:
        for given_erp in (erp, data.draw(damaged(erp))):
            try:
                answer(given_erp)
                event("a good answer")
            except BadAnswer:
                event("a bad answer")


def test_an_unknown_code_is_reported_once() -> None:
    rows = table([{"rest": "a", "erp": "A"}, {"rest": "unit", "erp": "U", "type": "codes", "values": {"PC": "ST"}}])
    reported: list[str] = []
    answer = compile_answer(rows, unknown=reported.append)
    assert answer({"A": "x", "U": "ZZ"}) == {"a": "x", "unit": "ZZ"}
    assert reported == ["unit"]


def test_a_function_is_never_given_what_it_changed() -> None:
    rows = table([{"rest": "a", "erp": "A", "call": "change", "serves": "request"}, {"rest": "b", "erp": "B", "max": 1}])
    request = compile_request(rows, functions={"change": change})
    assert request({"a": {"x": 1}}) == {"A": {"x": 1, "changed": 1}}
    seen: list[object] = []
    answers = table(
        [
            {"rest": "a", "erp": "A", "call": "look", "serves": "answer"},
            {"rest": "u", "erp": "U", "type": "codes", "values": {"P": "S"}},
        ]
    )

    def look(value: Any) -> object:
        seen.append(dict(value))
        return change(value)

    assert compile_answer(answers, functions={"look": look})({"A": {"x": 1}, "U": "Z"}) == {"a": {"x": 1, "changed": 1}, "u": "Z"}
    assert seen == [{"x": 1}, {"x": 1}]


def test_nothing_of_a_table_is_code() -> None:
    name = "x'\"+__import__('os')#;\N{LINE SEPARATOR}{}".replace("\N{LINE SEPARATOR}{}", "")
    words = {'"]}': "{x}", "{known}": "')\n"}
    rows = table(
        [
            {"rest": name, "erp": f"{name}.a", "required": True},
            {"rest": f"{name}s[].{name}", "erp": f"{name}s[].{name}", "type": "codes", "values": words},
            {"rest": "p", "erp": "p", "pattern": "[{}]x{2}"},
            {"erp": "c", "constant": "{x}", "serves": "request"},
        ]
    )
    value = {name: "1", f"{name}s": [{name: '"]}'}, {name: "{known}"}], "p": "{xx"}
    erp = {name: {"a": "1"}, f"{name}s": [{name: "{x}"}, {name: "')\n"}], "p": "{xx", "c": "{x}"}
    assert compile_request(rows)(value) == erp
    assert compile_answer(rows)(erp) == value


@pytest.mark.parametrize("depth", [1, 24, 25, 60])
def test_tables_of_any_depth(depth: int) -> None:
    names = [f"n{i}" for i in range(depth)]
    rows = table([{"rest": ".".join(names), "erp": "E"}])
    value: object = "x"
    for name in reversed(names):
        value = {name: value}
    assert compile_request(rows)(value) == {"E": "x"}
    assert compile_answer(rows)({"E": "x"}) == value
    assert compile_answer(rows)({}) == {}
