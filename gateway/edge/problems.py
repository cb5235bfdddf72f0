"""The outcomes of a call that are not its answer, as OpenAPI has them: by status, each with an example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.approvals.messages import msgid
from gateway.errors import (
    BadAnswer,
    BadRequest,
    BodyTooLarge,
    FieldError,
    Forbidden,
    KeyInUse,
    NotFound,
    PreconditionFailed,
    Problem,
    TooManyRequests,
    Unauthenticated,
    Unprocessable,
    Unreachable,
    UnsupportedMediaType,
    UpstreamTimeout,
)
from gateway.upstreams.refusals import BY_STATUS

Json = dict[str, Any]

PROBLEMS = {
    "400": msgid("The request cannot be read."),
    "401": msgid("A valid credential is needed."),
    "403": msgid("The policy does not allow this call."),
    "404": msgid("There is nothing at this path, or the ERP has no such record."),
    "409": msgid("The ERP holds something that stands against the request, or a call with the same key is still on its way."),
    "413": msgid("The request body is too large."),
    "415": msgid("This media type is not accepted here."),
    "422": msgid("The request does not fit the contract, the ERP refused it, or its key was used for another request."),
    "429": msgid("A rate limit or quota is used up; see Retry-After."),
    "502": msgid("The ERP failed, or its answer cannot be used."),
    "503": msgid("The ERP cannot be reached, or the gateway is at its limit."),
    "504": msgid("The ERP did not answer in time."),
}

PROBLEM_EXAMPLES: Mapping[str, Problem] = {
    "400": BadRequest("The body is no JSON: unexpected end of data."),
    "401": Unauthenticated("Send a bearer token or an API key."),
    "403": Forbidden("shop may not call payments.create@v1."),
    "404": NotFound(),
    "409": KeyInUse("Ask again in a moment."),
    "412": PreconditionFailed(),
    "413": BodyTooLarge("At most 1048576 bytes are accepted."),
    "415": UnsupportedMediaType("Send the body as Content-Type: application/json."),
    "422": Unprocessable(
        "2 fields are wrong.", errors=[FieldError("/amount", "is missing"), FieldError("/currency", "is not listed")]
    ),
    "429": TooManyRequests("Try again in 2 s."),
    "502": BadAnswer("The ERP's answer is not SOAP."),
    "503": Unreachable("The ERP cannot be reached."),
    "504": UpstreamTimeout("The ERP did not answer in time."),
}

PROBLEM_SCHEMA: Json = {
    "type": "object",
    "description": "RFC 9457 problem. `type` is stable; `instance` holds the request id.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri"},
        "origin": {"enum": ["client", "gateway", "upstream"]},
        "retryable": {"type": "boolean"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}


REQUEST = "urn:request:0a1b2c3d4e5f60718293a4b5c6d7e8f9"


def response(status: str, text: str) -> Json:
    """The response of a status that ``PROBLEM_EXAMPLES`` has an example of."""
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": PROBLEM_EXAMPLES[status].document(REQUEST)}
    return {"description": text, "content": {"application/problem+json": content}}


def refusal(status: int, faults: Json, detail: Json) -> Json:
    """The response of a status under which the ERP refuses with a declared fault.

    :param faults: schemas of the faults' values by name.
    :param detail: an example of ``fault.detail``.
    """
    told = {"type": "object", "properties": {"detail": {"type": "object", "properties": faults}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": {"fault": told}}]}
    fault = {"code": "Server", "subcodes": [], "reasons": {"en": "Refused."}, "detail": detail}
    example = BY_STATUS[status]("Refused.", extensions={"fault": fault}).document(REQUEST)
    return {"description": PROBLEMS[str(status)], "content": {"application/problem+json": {"schema": schema, "example": example}}}
