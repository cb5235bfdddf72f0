"""Every file in tests/golden/mapping is a field table and what it does to values, in both directions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway.config.source import Source, read_source
from gateway.errors import BadAnswer, Unprocessable
from gateway.mapping import Table, compile_answer, compile_request, read_tables
from gateway.mapping.layout import fields

GOLDEN = Path(__file__).parents[1] / "golden" / "mapping"
FILES = sorted(GOLDEN.glob("*.yaml"))


def golden(path: Path) -> tuple[Table, dict[str, list[dict[str, Any]]]]:
    data: Any = read_source(path).data
    cases = {key: data.pop(key, []) for key in ("both", "requests", "answers", "refused", "bad")}
    return read_tables(Source(path.name, {"tables": {"golden": data}}))["golden"], cases


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_requests(path: Path) -> None:
    table, cases = golden(path)
    if not list(fields(table, "request")):
        assert not cases["both"] + cases["requests"] + cases["refused"]
        return
    convert = compile_request(table)
    valid = jsonschema.Draft202012Validator(convert.schema())
    valid.check_schema(convert.schema())
    for case in cases["both"] + cases["requests"]:
        assert same(convert(case["rest"]), case["erp"]), case
    for case in cases["both"]:
        valid.validate(case["rest"])
    for case in cases["refused"]:
        with pytest.raises(Unprocessable) as caught:
            convert(case["rest"])
        assert {error.pointer: error.detail for error in caught.value.errors} == case["errors"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_answers(path: Path) -> None:
    table, cases = golden(path)
    unknown: list[str] = []
    convert = compile_answer(table, unknown=unknown.append)
    valid = jsonschema.Draft202012Validator(convert.schema())
    valid.check_schema(convert.schema())
    for case in cases["both"] + cases["answers"]:
        unknown.clear()
        value = convert(case["erp"])
        assert same(value, case["rest"]), case
        assert unknown == case.get("unknown", [])
        valid.validate(value)
    for case in cases["bad"]:
        with pytest.raises(BadAnswer) as caught:
            convert(case["erp"])
        assert caught.value.detail == case["detail"]


def same(one: object, other: object) -> bool:
    """Equality that tells 1 from 1.0 and from true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other
