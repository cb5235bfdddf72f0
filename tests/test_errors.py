"""Problems have a stable face; findings say file, line and remedy."""

from __future__ import annotations

import pytest

from gateway import errors
from gateway.errors import BodyTooLarge, ConfigError, FieldError, Finding, Internal, Problem, Unprocessable, Unreachable


def kinds(of: type[Problem] = Problem) -> list[type[Problem]]:
    return [of, *(kind for sub in of.__subclasses__() for kind in kinds(sub))]


def test_a_problem_as_rfc_9457_members() -> None:
    problem = Unprocessable("No.", errors=[FieldError("/a", "is wrong")], extensions={"fault": {"name": "X"}})
    assert problem.document("urn:request:1") == {
        "type": "urn:erp-gateway:problem:unprocessable",
        "title": "The request does not fit the contract",
        "status": 422,
        "detail": "No.",
        "instance": "urn:request:1",
        "origin": "client",
        "retryable": False,
        "errors": [{"pointer": "/a", "detail": "is wrong"}],
        "fault": {"name": "X"},
    }


def test_an_internal_problem_says_nothing() -> None:
    assert Internal().document().keys() == {"type", "title", "status", "origin", "retryable"}
    assert str(Internal()) == "Internal error"


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_has_a_face(kind: type[Problem]) -> None:
    assert 400 <= kind.status < 600
    assert kind.slug
    assert kind.title
    assert kind.origin in ("client", "gateway", "upstream")


def test_upstream_problems_know_whether_anything_was_sent() -> None:
    assert Unreachable().sent
    assert not Unreachable(sent=False).sent


def test_one_status_and_type_for_one_outcome() -> None:
    assert (BodyTooLarge.status, BodyTooLarge().type) == (413, errors.TYPE_PREFIX + "body-too-large")


def test_findings() -> None:
    error = ConfigError([Finding("b", 1, "x", "y"), Finding("a", 9, "is wrong", ""), Finding("a", 0, "is gone", "put it there")])
    assert str(error).split("\n") == ["a: is gone; put it there", "a:9: is wrong", "b:1: x; y"]
