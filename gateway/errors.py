"""Every way a call can end badly, one class per outcome.

    Problem
    ├── client    BadRequest 400 (KeyMissing) · Unauthenticated 401 · Forbidden 403 · NotFound 404 · MethodNotAllowed 405
    │             RequestTimeout 408 · Conflict 409 (KeyInUse) · PreconditionFailed 412 · BodyTooLarge 413
    │             UnsupportedMediaType 415 · Unprocessable 422 (KeyReused) · TooManyRequests 429 · HeadersTooLarge 431
    ├── gateway   Internal 500 · Overloaded 503 · LedgerUnavailable 503
    └── upstream  Unreachable 503 · UpstreamTimeout 504 · BadAnswer 502 (UntrustedAnswer)
                  Refused 422 (RefusedInvalid 400, RefusedMissing 404, RefusedConflict 409)   what the ERP declared
                  FaultClient 400 · FaultServer 502                                         what it did not declare

A problem is raised where it is found and rendered once, at the edge, as RFC 9457 ``application/problem+json``.
``detail`` is shown to the caller, so it never holds a secret, a payload or an upstream's internals; the cause travels as
``__cause__`` and reaches only the log, under the request id. Configuration errors are no calls: see ``ConfigError``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

Origin = Literal["client", "gateway", "upstream"]

TYPE_PREFIX = "urn:erp-gateway:problem:"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with the caller's input. ``pointer`` is an RFC 6901 JSON pointer into the body ("" is the whole
    body), or ``path/NAME`` and ``query/NAME`` for parameters."""

    pointer: str
    detail: str


class Problem(Exception):
    """One outcome of a call that is not the answer asked for.

    Class attributes are the stable part a caller's code may rely on; instance attributes are this occurrence.

    :param detail: one sentence for the caller: what was wrong and, where it can be said, what would be right.
    :param errors: each thing wrong with the input, when there is more to say than ``detail``.
    :param headers: response headers this outcome needs (``Allow``, ``Retry-After``, ``WWW-Authenticate`` …), names lower case.
    :param extensions: further RFC 9457 members, JSON values.
    """

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"
    origin: ClassVar[Origin] = "gateway"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extensions = dict(extensions or {})

    @property
    def type(self) -> str:
        return TYPE_PREFIX + self.slug

    def document(self, instance: str = "") -> dict[str, object]:
        """The RFC 9457 members, ready for a JSON encoder."""
        body: dict[str, object] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail:
            body["detail"] = self.detail
        if instance:
            body["instance"] = instance
        body["origin"] = self.origin
        body["retryable"] = self.retryable
        if self.errors:
            body["errors"] = [{"pointer": e.pointer, "detail": e.detail} for e in self.errors]
        return body | self.extensions


# --- the caller's side -----------------------------------------------------------------------------------------------


class ClientProblem(Problem):
    origin = "client"


class BadRequest(ClientProblem):
    status, slug, title = 400, "bad-request", "The request cannot be read"


class KeyMissing(BadRequest):
    slug, title = "idempotency-key-missing", "This operation needs an Idempotency-Key"


class Unauthenticated(ClientProblem):
    status, slug, title = 401, "unauthenticated", "A valid credential is needed"


class Forbidden(ClientProblem):
    status, slug, title = 403, "forbidden", "The policy does not allow this call"


class NotFound(ClientProblem):
    status, slug, title = 404, "not-found", "There is nothing at this path"


class MethodNotAllowed(ClientProblem):
    status, slug, title = 405, "method-not-allowed", "This path does not serve this method"


class RequestTimeout(ClientProblem):
    status, slug, title, retryable = 408, "request-timeout", "The request took too long to arrive", True


class Conflict(ClientProblem):
    """What is asked for does not go with the state things are in."""

    status, slug, title = 409, "conflict", "The state of the document does not allow this"


class KeyInUse(Conflict):
    slug, title, retryable = "idempotency-key-in-use", "A call with this key is still on its way", True


class PreconditionFailed(ClientProblem):
    status, slug, title = 412, "precondition-failed", "The document has changed since it was read"


class BodyTooLarge(ClientProblem):
    status, slug, title = 413, "body-too-large", "The request body is too large"


class UnsupportedMediaType(ClientProblem):
    status, slug, title = 415, "unsupported-media-type", "This media type is not accepted here"


class Unprocessable(ClientProblem):
    """The body was read and does not fit the contract; ``errors`` says where."""

    status, slug, title = 422, "unprocessable", "The request does not fit the contract"


class KeyReused(Unprocessable):
    slug, title = "idempotency-key-reused", "This key was used for another request"


class TooManyRequests(ClientProblem):
    status, slug, title, retryable = 429, "too-many-requests", "A rate limit or quota is used up", True


class HeadersTooLarge(ClientProblem):
    status, slug, title = 431, "headers-too-large", "The request headers are too large"


# --- the gateway's side ----------------------------------------------------------------------------------------------


class Internal(Problem):
    """Something here is broken. The cause is in the log under the request id."""


class Overloaded(Problem):
    status, slug, title, retryable = 503, "overloaded", "The gateway is at its limit", True


class LedgerUnavailable(Problem):
    """Nothing can be recorded, so nothing may be sent. Where this happens after a send, the document still says ``sending`` and
    will become unknown."""

    status, slug, title, retryable = 503, "ledger-unavailable", "The ledger cannot be written", True


# --- the upstream's side ---------------------------------------------------------------------------------------------


class UpstreamProblem(Problem):
    """Something went wrong beyond the gateway.

    :param sent: whether any byte of the request may have reached the upstream. A write that was sent and got no answer has
        an unknown outcome; a write that was not sent certainly did not happen.
    :ivar answered: the HTTP status the upstream answered with, where it did.
    :ivar outcome_unknown: set by whoever knows that this was a write and that it may have been booked.
    """

    origin = "upstream"

    def __init__(
        self,
        detail: str = "",
        *,
        sent: bool = True,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail, errors=errors, headers=headers, extensions=extensions)
        self.sent = sent
        self.answered: int | None = None
        self.outcome_unknown = False

    def document(self, instance: str = "") -> dict[str, object]:
        """As every problem's, and where a write may have been booked it says so and does not invite a retry."""
        document = super().document(instance)
        if self.outcome_unknown:
            document |= {"retryable": False, "outcome": "unknown"}
        return document


class Unreachable(UpstreamProblem):
    """No connection, or one that ended before an answer began."""

    status, slug, title, retryable = 503, "upstream-unreachable", "The ERP cannot be reached", True


class UpstreamTimeout(UpstreamProblem):
    status, slug, title, retryable = 504, "upstream-timeout", "The ERP did not answer in time", True


class BadAnswer(UpstreamProblem):
    """The answer breaks HTTP, SOAP or the contract, is cut short, or is larger than allowed."""

    status, slug, title = 502, "upstream-bad-answer", "The ERP's answer cannot be used"


class UntrustedAnswer(BadAnswer):
    """The answer is not signed as the upstream's ``security`` asks. Nothing it says counts, its status included."""

    slug, title = "upstream-untrusted-answer", "The ERP's answer cannot be trusted"


class Refused(UpstreamProblem):
    """The ERP understood and said no: a fault its contract declares."""

    status, slug, title = 422, "refused", "The ERP refused the request"


class RefusedInvalid(Refused):
    status, title = 400, "The ERP cannot accept the request"


class RefusedMissing(Refused):
    status, title = 404, "The ERP has no such record"


class RefusedConflict(Refused):
    status, title = 409, "The ERP holds something that stands against the request"


class FaultClient(UpstreamProblem):
    """An undeclared SOAP fault that blames the request (``Client``, ``Sender``)."""

    status, slug, title = 400, "fault-client", "The ERP cannot accept the request"


class FaultServer(UpstreamProblem):
    """An undeclared SOAP fault, or an HTTP 5xx, that blames the ERP (``Server``, ``Receiver``)."""

    status, slug, title, retryable = 502, "fault-server", "The ERP failed", True


# --- configuration ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong in a file somebody edits. Lines count from 1; line 0 is the file as a whole."""

    file: str
    line: int
    what: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.what}; {self.remedy}" if self.remedy else f"{place}: {self.what}"


class ConfigError(Exception):
    """A deployment that must not go live. Carries every finding, sorted by place."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(sorted(set(findings)))
        super().__init__("\n".join(map(str, self.findings)))
