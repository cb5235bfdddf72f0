"""An ERP's no, as the problem its caller can act on."""

from __future__ import annotations

import pytest

from gateway.errors import BadAnswer, FaultServer, Problem, Refused, RefusedConflict, RefusedInvalid, RefusedMissing
from gateway.upstreams.refusals import refused, refused_status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RefusedInvalid),
        (404, RefusedMissing),
        (409, RefusedConflict),
        (422, Refused),
        (412, Refused),
        (451, Refused),
        (401, FaultServer),
        (403, FaultServer),
        (407, FaultServer),
        (408, FaultServer),
        (425, FaultServer),
        (429, FaultServer),
        (405, BadAnswer),
        (415, BadAnswer),
        (431, BadAnswer),
    ],
)
def test_a_status_of_a_rest_upstream(status: int, kind: type[Problem]) -> None:
    problem = refused_status(status, "What it said.")
    assert type(problem) is kind
    assert (problem.detail == "What it said.") is isinstance(problem, Refused)


def test_a_declared_fault_keeps_what_it_says() -> None:
    fault = Refused("Gone.", extensions={"fault": {"detail": {"A": 1, "NotFound": 2}}})
    problem = refused(fault, {"NotFound": 404})
    assert (type(problem), problem.detail, problem.extensions) == (RefusedMissing, "Gone.", fault.extensions)
