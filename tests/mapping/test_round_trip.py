"""For every table whose rows invert, answer(request(value)) is the value, and each schema admits what its map takes or gives."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.source import Source
from gateway.errors import BadAnswer, Unprocessable
from gateway.mapping import Table, compile_answer, compile_request, read_tables

digits = st.text("0123456789", min_size=1, max_size=12)
signs = st.sampled_from(["", "-"])


@st.composite
def decimals(draw: st.DrawFn, scale: int) -> str:
    whole = draw(st.integers(0, 10**12))
    fraction = draw(st.text("0123456789", max_size=scale))
    text = f"{whole}.{fraction}" if fraction else str(whole)
    return "-" + text if draw(st.booleans()) and text.strip("0.") else text


@st.composite
def units(draw: st.DrawFn) -> str:
    text = draw(decimals(6))
    return text.rstrip("0").rstrip(".") if "." in text else text


days = st.dates(datetime.date(1, 1, 1)).map(str)
times = st.datetimes(datetime.datetime(1, 1, 1)).map(lambda t: t.replace(microsecond=0).isoformat())  # noqa: DTZ001
texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
)

KINDS: list[tuple[dict[str, Any], st.SearchStrategy[Any]]] = [
    ({}, texts),
    ({"nullable": True}, texts | st.none()),
    ({"type": "decimal"}, decimals(9)),
    ({"type": "decimal", "scale": 2, "digits": 15}, decimals(2)),
    ({"type": "integer"}, st.integers(-(2**53) + 1, 2**53 - 1)),
    ({"type": "boolean"}, st.booleans()),
    ({"type": "boolean", "values": {"true": "X", "false": ""}}, st.booleans()),
    ({"type": "date"}, days),
    ({"type": "date", "erp_form": "DD/MM/YYYY"}, days),
    ({"type": "date", "erp_form": "YYYYMMDD", "nullable": True}, days | st.none()),
    ({"type": "datetime"}, times),
    ({"type": "datetime", "erp_form": "DD.MM.YYYY, HH-mm-ss"}, times),
    ({"type": "code", "digits": 12}, digits.map(lambda text: text.lstrip("0") or "0")),
    ({"type": "codes", "values": {"PC": "ST", "KG": "KGM", "": "none", "one": 1}}, st.sampled_from(["PC", "KG", "", "one"])),
    ({"type": "unit", "factor": "0.025"}, units()),
    ({"type": "unit", "factor": 1000}, units()),
    ({"type": "any"}, json_values),
]


@st.composite
def trees(draw: st.DrawFn) -> tuple[Table, Any]:
    """A random table and a random value it accepts: objects and lists in each other, ERP paths of another shape."""
    rows: list[dict[str, Any]] = []

    def level(rest: str, erp: str, depth: int) -> st.SearchStrategy[Any]:
        fields: dict[str, st.SearchStrategy[Any]] = {}
        optional: dict[str, st.SearchStrategy[Any]] = {}
        for index in range(draw(st.integers(1, 3))):
            name, there = f"r{index}", "".join(draw(st.sampled_from([f"X{index}", f"In{index}.Y{index}", f"@a{index}"])))
            shape = draw(st.sampled_from(["leaf", "leaf", "list", "object", "array"])) if depth else "leaf"
            if shape == "object":
                fields[name] = level(f"{rest}{name}.", f"{erp}{draw(st.sampled_from(['', 'Sub.']))}{there}_", depth - 1)
            elif shape == "array":
                item = level(f"{rest}{name}[].", f"{erp}{there}.Item[].", depth - 1)
                optional[name] = st.lists(item, max_size=3)
            else:
                keys, values = draw(st.sampled_from(KINDS))
                each = "[]" if shape == "list" else ""
                required = draw(st.booleans())
                rows.append({"rest": f"{rest}{name}{each}", "erp": f"{erp}{there}{each}", "required": required, **keys})
                (fields if required else optional)[name] = st.lists(values, max_size=3) if each else values
        return st.fixed_dictionaries(fields, optional=optional)

    value = draw(level("", "Root.", 2))
    return read_tables(Source("t.yaml", {"tables": {"t": {"rows": rows}}}))["t"], value


def without_empty_objects(value: Any, table: Table) -> Any:
    """The canonical value: a nested object without fields says no more than its absence. Values of 'any' rows stay."""
    kept = {line.rest for line in table.lines if line.row.kind == "any"}

    def clean(value: Any, path: tuple[str, ...]) -> Any:
        if path in kept:
            return value
        if isinstance(value, list):
            return [clean(item, (*path, "[]")) for item in value]
        if isinstance(value, dict):
            inner = {key: clean(item, (*path, key)) for key, item in value.items()}
            return {key: item for key, item in inner.items() if item != {} or (*path, key) in kept}
        return value

    return clean(value, ())


@settings(max_examples=300)
@given(trees())
def test_round_trip(tree: tuple[Table, Any]) -> None:
    table, value = tree
    request, answer = compile_request(table), compile_answer(table)
    erp = request(value)
    assert answer(erp) == without_empty_objects(value, table)
    jsonschema.Draft202012Validator(request.schema()).validate(value)
    jsonschema.Draft202012Validator(answer.schema()).validate(answer(erp))


def table(*rows: dict[str, Any]) -> Table:
    return read_tables(Source("t.yaml", {"tables": {"t": {"rows": list(rows)}}}))["t"]


WIDE = table(
    *({"rest": f"f{i}", "erp": f"F{i}", **keys} for i, (keys, _) in enumerate(KINDS)),
    {"rest": "l[].x", "erp": "L.I[].X", "type": "date"},
    {"rest": "o.x", "erp": "OX", "type": "code", "digits": 3},
)
WIDE_REQUEST, WIDE_ANSWER = compile_request(WIDE), compile_answer(WIDE)
floats = st.floats(allow_nan=False, allow_infinity=False)
keys = st.sampled_from(["l", "x", "o", "L", "I", "X"]) | st.text()
hostile = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | st.text() | digits | days,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
)


def refusal(value: object) -> Unprocessable | None:
    try:
        erp = WIDE_REQUEST(value)
    except Unprocessable as problem:
        return problem
    assert json.loads(json.dumps(erp)) == erp
    return None


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([f"f{i}" for i in range(len(KINDS))] + ["l", "o"]), hostile))
def test_any_request_is_converted_or_refused_with_a_place(value: dict[str, Any]) -> None:
    problem = refusal(value)
    if problem is not None:
        assert problem.errors
        assert all(error.pointer.split("/")[1] in value and error.detail for error in problem.errors)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([f"F{i}" for i in range(len(KINDS))] + ["L", "OX"]), hostile))
def test_any_answer_fits_its_schema_or_is_bad(value: dict[str, Any]) -> None:
    try:
        rest = WIDE_ANSWER(value)
    except BadAnswer as problem:
        detail = problem.detail
    else:
        jsonschema.Draft202012Validator(WIDE_ANSWER.schema()).validate(rest)
        return
    assert detail.startswith("In the ERP's answer, ")


def naughty_strings() -> list[str]:
    corpora = os.environ.get("GATEWAY_CORPORA")
    if not corpora:
        if os.environ.get("CI"):
            pytest.fail("GATEWAY_CORPORA is not set")
        pytest.skip("needs GATEWAY_CORPORA")
    (path,) = Path(corpora, "security", "blns").rglob("blns.json")
    strings: list[str] = json.loads(path.read_text("utf-8"))
    return strings


def test_naughty_strings_pass_unchanged() -> None:
    request, answer = compile_request(table({"rest": "a", "erp": "A"})), compile_answer(table({"rest": "a", "erp": "A"}))
    strings = naughty_strings()
    assert len(strings) > 400
    for text in strings:
        assert answer(request({"a": text})) == {"a": text}


def test_naughty_strings_break_no_other_row() -> None:
    for text in naughty_strings():
        for index in range(len(KINDS)):
            problem = refusal({f"f{index}": text})
            assert problem is None or [error.pointer for error in problem.errors] == [f"/f{index}"]


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(Unprocessable, match="/a holds half of a surrogate pair, which is no character"):
        compile_request(table({"rest": "a", "erp": "A"}))({"a": "\ud800"})
