"""Each outcome has an example of its status that fits the schema."""

from __future__ import annotations

from jsonschema import Draft202012Validator

from gateway.edge.following import DOCUMENT_EXAMPLE, DOCUMENT_PROBLEMS, DOCUMENT_SCHEMA
from gateway.edge.problems import PROBLEM_EXAMPLES, PROBLEM_SCHEMA, PROBLEMS, response


def test_every_outcome_has_a_fitting_example() -> None:
    for status, text in {**PROBLEMS, **DOCUMENT_PROBLEMS}.items():
        shown = response(status, text)["content"]["application/problem+json"]
        Draft202012Validator(PROBLEM_SCHEMA).validate(shown["example"])
        assert shown["example"]["status"] == int(status)
    assert PROBLEM_EXAMPLES.keys() == PROBLEMS.keys() | DOCUMENT_PROBLEMS.keys()


def test_the_example_of_a_document_fits() -> None:
    Draft202012Validator(DOCUMENT_SCHEMA).validate(DOCUMENT_EXAMPLE)
