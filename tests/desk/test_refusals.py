"""Refusals: a sentence for each code, and the right problem."""

from __future__ import annotations

import re

import pytest

from gateway.approvals import quorum
from gateway.desk.refusals import CONFLICTS, MESSAGES, WRONG_INPUT, Refusal
from gateway.errors import Conflict, Forbidden, Unprocessable


def test_every_code_has_a_sentence_and_a_kind_of_its_own() -> None:
    assert set(MESSAGES) >= CONFLICTS | WRONG_INPUT
    assert frozenset() == CONFLICTS & WRONG_INPUT
    assert set(quorum.MESSAGES) <= set(MESSAGES)


@pytest.mark.parametrize("code", sorted(MESSAGES))
def test_a_problem_carries_the_code_and_its_parameters(code: str) -> None:
    parameters = dict.fromkeys(re.findall(r"%\((\w+)\)s", MESSAGES[code]), "x")
    problem = Refusal(code, parameters).problem()
    expected = Conflict if code in CONFLICTS else Unprocessable if code in WRONG_INPUT else Forbidden
    assert type(problem) is expected
    assert problem.extensions == {"code": code, "parameters": parameters}
    assert problem.detail
    assert "%" not in problem.detail


def test_a_refusal_of_the_quorum_keeps_its_code() -> None:
    refusal = Refusal.of(quorum.Refusal("initiator", {"person": "clerk-1"}))
    assert (refusal.code, str(refusal)) == ("initiator", "clerk-1 asked for this payment and cannot decide on it.")
    assert refusal.message == MESSAGES["initiator"]
