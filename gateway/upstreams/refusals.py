"""An ERP's "no" as the problem its caller can act on: missing is 404, in conflict is 409, the rest is 422."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import BadAnswer, FaultServer, Refused, RefusedConflict, RefusedInvalid, RefusedMissing, UpstreamProblem
from gateway.ports import Incoming

BY_STATUS: Mapping[int, type[Refused]] = {400: RefusedInvalid, 404: RefusedMissing, 409: RefusedConflict, 422: Refused}

CREDENTIALS = (401, 403, 407)
BUSY = (408, 425, 429)
MISUSE = (405, 406, 411, 413, 414, 415, 417, 421, 426, 431)
"""What an upstream answers to a gateway that calls it wrongly: nothing its caller could mend."""


def refused(fault: Refused, statuses: Mapping[str, int]) -> Refused:
    """A declared SOAP fault under the status its route gives it (``faults: {NotFound: 404}``)."""
    told = fault.extensions.get("fault")
    detail = told.get("detail") if isinstance(told, dict) else None
    names = detail if isinstance(detail, dict) else {}
    kind = BY_STATUS[next((statuses[name] for name in names if name in statuses), 422)]
    return kind(fault.detail, errors=fault.errors, extensions=fault.extensions)


def refused_status(status: int, detail: str) -> UpstreamProblem:
    """A REST upstream's 4xx. ``detail`` is what the upstream itself wrote for its caller, or empty."""
    if status in CREDENTIALS:
        return FaultServer("The ERP does not accept the gateway's credentials.")
    if status in BUSY:
        return FaultServer("The ERP asks for fewer calls.")
    if status in MISUSE:
        return BadAnswer("The ERP does not take the call as the gateway makes it.")
    return BY_STATUS.get(status, Refused)(detail)


def answered(problem: UpstreamProblem, incoming: Incoming) -> UpstreamProblem:
    """The problem, knowing the status the upstream answered with."""
    problem.answered = incoming.status
    return problem
