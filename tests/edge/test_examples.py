"""Examples are valid by their schemas, and the same each time: the demo's, those of the corpora's contracts, and odd ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.edge.examples import PREFIX, NoExample, example
from gateway.protocols.soap import answer_schema, compile_operation, read_contract, request_schema
from tests.protocols.soap import accounting
from tests.protocols.soap.wsdls import contract, root


def problems(schema: Any, schemas: Any, value: object) -> list[str]:
    whole = {**schema, "components": {"schemas": schemas}}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


def made(schema: Any, **schemas: Any) -> Any:
    """An example, checked."""
    value = example(schema, schemas)
    assert problems(schema, schemas, value) == []
    assert example(schema, schemas) == value
    return value


CHOICE = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": "boolean"}},
    "additionalProperties": False,
}
NODE = {"type": "object", "properties": {"name": {"type": "string"}, "next": {"$ref": f"{PREFIX}node"}}}


def test_single_values() -> None:
    assert made({"type": "string"}) == "text"
    assert made({"type": "string", "minLength": 3, "maxLength": 3}) == "tex"
    assert made({"type": "string", "maxLength": 1}) == "1"
    assert made({"type": "string", "pattern": "^[A-Z]{3}$"}) == "ABC"
    assert made({"type": "string", "pattern": "^[A-Z]+$", "minLength": 5}) == "ABCDEF"
    assert made({"type": "string", "format": "date"}) == "2026-01-31"
    assert made({"type": "string", "x-xsd-type": "duration"}) == "P1D"
    assert made({"type": "string", "contentEncoding": "base16"}) == "0A1B2C"
    assert made({"type": "string", "format": "decimal", "x-total-digits": 3, "x-fraction-digits": 1}) == "1"
    assert made({"type": "string", "format": "decimal", "x-minimum": "100", "x-maximum": "200.0"}) == "100"
    assert made({"type": "integer", "minimum": 10}) == 10
    assert made({"type": "integer", "maximum": -5}) == -5
    assert made({"type": ["integer", "string"]}) == 1
    assert made({"enum": ["KG", "PC"]}) == "KG"
    assert made({"type": "string", "examples": ["OA-1"]}) == "OA-1"
    assert made({"anyOf": [{"type": "boolean"}, {"type": "null"}]}) is True


def test_objects_have_all_their_fields_and_one_branch_of_a_choice() -> None:
    assert made({**CHOICE, "required": ["a"]}) == {"a": "text", "b": 1, "c": True}
    one = {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    assert made({**CHOICE, "allOf": [one]}) == {"a": "text", "c": True}
    some = {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
    either = {"oneOf": [{"required": ["a", "c"]}, {"required": ["b"], "not": {"required": ["a"]}}, {"not": some}]}
    assert set(made({**CHOICE, "allOf": [either]})) == {"a", "c"}
    together = {"if": {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, "then": {"required": ["b"]}}
    assert set(made({**CHOICE, "allOf": [together]})) == {"a", "b", "c"}


def test_what_refers_to_itself_ends() -> None:
    assert made({"$ref": f"{PREFIX}node"}, node=NODE) == {"name": "text", "next": {}}
    endless = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": f"{PREFIX}node"}}}
    with pytest.raises(NoExample):
        example({"$ref": f"{PREFIX}node"}, {"node": endless})
    tree = {"type": "object", "required": ["of"], "properties": {"of": {"type": "array", "items": {"$ref": f"{PREFIX}tree"}}}}
    assert made({"$ref": f"{PREFIX}tree"}, tree=tree) == {"of": [{"of": []}]}


def test_a_choice_whose_first_branch_has_no_end_takes_another() -> None:
    schema = {
        "type": "object",
        "properties": {"not": {"$ref": f"{PREFIX}term"}, "value": {"type": "string"}},
        "allOf": [{"oneOf": [{"required": ["not"]}, {"required": ["value"]}]}],
    }
    assert made({"$ref": f"{PREFIX}term"}, term=schema) == {"not": {"value": "text"}}


@pytest.mark.parametrize(
    "schema",
    [False, {"type": "string", "pattern": "(?=a)b"}, {"type": "array", "minItems": 10_000}, {"$ref": "#/elsewhere"}, {"enum": []},
     {"type": "string", "minLength": 5, "maxLength": 2}, {"type": "string", "pattern": "["}],
)  # fmt: skip
def test_where_none_is_found_there_is_none(schema: Any) -> None:
    with pytest.raises(NoExample):
        example(schema)


def test_a_large_schema_has_a_small_example() -> None:
    wide = {
        f"t{n}": {"type": "object", "properties": {f"f{m}": {"$ref": f"{PREFIX}t{n + 1}"} for m in range(9)}} for n in range(9)
    }
    value = example({"$ref": f"{PREFIX}t0"}, {**wide, "t9": {"type": "string"}})
    assert len(str(value)) < 20_000


def test_an_ordered_group_has_each_member_once() -> None:
    slot = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
    other = {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"], "additionalProperties": False}
    assert made({"type": "array", "items": {"oneOf": [slot, other]}}) == [{"a": "text"}, {"b": 1}]


@given(
    st.recursive(
        st.sampled_from([True, {}, {"type": "string"}, {"type": "integer", "minimum": 3}, {"enum": [1, None]}, {"type": "null"}]),
        lambda inner: st.one_of(
            st.fixed_dictionaries({"type": st.just("array"), "items": inner, "minItems": st.integers(0, 3)}),
            st.dictionaries(st.sampled_from("abc"), inner, max_size=3).flatmap(
                lambda properties: st.lists(st.sampled_from(sorted(properties) or ["a"]), unique=True).map(
                    lambda required: {"type": "object", "properties": properties, "required": required}
                )
            ),
            st.lists(inner, min_size=1, max_size=2).map(lambda options: {"anyOf": options}),
        ),
        max_leaves=12,
    )
)
def test_examples_of_random_schemas_are_valid(schema: Any) -> None:
    value = example(schema)
    assert schema is True or problems(schema, {}, value) == []


def test_facets_a_schema_cannot_say_are_kept_all_the_same() -> None:
    body = (
        '<xs:simpleType name="S"><xs:restriction base="xs:token"><xs:pattern value="[A-F]{4}"/></xs:restriction></xs:simpleType>'
        '<xs:simpleType name="D"><xs:restriction base="xs:decimal"><xs:minInclusive value="100"/>'
        "</xs:restriction></xs:simpleType>"
    )
    fields = '<xs:sequence><xs:element name="s" type="t:S"/><xs:element name="d" type="t:D"/></xs:sequence>'
    made_of = contract(body + root(fields))
    operation = made_of.operations[0]
    schema = request_schema(made_of, operation, ref=PREFIX)
    value = example(schema, schema.pop("$defs", {}))
    assert value == {"s": "ABCD", "d": "100"}
    assert b"ABCD" in compile_operation(made_of, operation).encode(value)


def test_examples_of_real_contracts_are_valid_and_can_be_sent(corpora: Path) -> None:
    """Every request's example passes the codec, which checks more than a JSON Schema can say."""
    checked = 0
    for line in accounting.read():
        if not line.offered:
            continue
        found = read_contract(corpora / "soap" / line.file)
        for operation in found.operations:
            request = request_schema(found, operation, ref=PREFIX)
            schemas = request.pop("$defs", {})
            value = example(request, schemas)
            assert problems(request, schemas, value) == [], (line.file, operation.name)
            compile_operation(found, operation).encode(value)
            answer = answer_schema(found, operation, ref=PREFIX)
            if answer is not None:
                schemas = answer.pop("$defs", {})
                assert problems(answer, schemas, example(answer, schemas)) == [], (line.file, operation.name)
            checked += 1
    assert checked > 150
