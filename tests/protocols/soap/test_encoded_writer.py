"""Calls in SOAP encoding: types on everything, arrays with their dimensions, every error with its pointer."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from lxml import etree

from gateway.errors import Unprocessable
from gateway.protocols.soap import answer_schema, fault_schemas, request_schema, resolve
from tests.protocols.soap.encodings import CONTRACT, GOLDEN, VALUE, answer, codec


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_call_is_written_so_and_reads_back(version: str) -> None:
    envelope = codec(version).encode(VALUE)
    golden = GOLDEN / f"soap-{version}.xml"
    assert etree.tostring(etree.fromstring(envelope), pretty_print=True, encoding="unicode") == golden.read_text(encoding="utf-8")
    assert codec(version).decode(envelope) == VALUE
    assert codec(version).encode(codec(version).decode(envelope)) == envelope


def test_json_schema_describes_what_travels() -> None:
    operation = CONTRACT.operations[0]
    jsonschema.Draft202012Validator(request_schema(CONTRACT, operation)).validate(VALUE)
    described = answer_schema(CONTRACT, operation)
    assert described is not None
    judge = jsonschema.Draft202012Validator(described)
    judge.validate(codec().decode(codec().encode(VALUE)))
    judge.validate(codec().decode(answer("<person/>")))
    assert not judge.is_valid({**VALUE, "grid": [1]})
    assert list(fault_schemas(CONTRACT, operation)) == ["trouble"]
    found = resolve(CONTRACT, operation, "request", "people[].name")
    assert found is not None
    assert (found.builtin, found.required) == ("string", True)


@pytest.mark.parametrize(
    ("change", "pointer", "detail"),
    [
        ({"grid": [[1], [2, 3]]}, "/grid", "must be an array, 2 deep, with rows of equal length"),
        ({"grid": [1, 2]}, "/grid", "must be an array, 2 deep, with rows of equal length"),
        ({"people": {}}, "/people", "must be an array, 1 deep, with rows of equal length"),
        ({"people": [{"name": "a"}, {"name": 1}]}, "/people/1/name", "must be a string (string), not a number"),
        ({"rows": [[1], ["x"]]}, "/rows/1/0", "is not a valid int"),
        ({"person": {}}, "/person/name", "is required"),
        ({"free": [{}]}, "/free/0", 'must be a string, {"$type": ..., ...} or {"$xml": ...}'),
    ],
)
def test_what_is_wrong_has_its_pointer(change: dict[str, Any], pointer: str, detail: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        codec().encode({**VALUE, **change})
    (error,) = caught.value.errors
    assert error.pointer == pointer
    assert error.detail.startswith(detail)


@pytest.mark.parametrize("value", [None, [], "x", {**VALUE, "more": 1}])
def test_a_call_is_an_object_of_its_parts(value: object) -> None:
    with pytest.raises(Unprocessable):
        codec().encode(value)
