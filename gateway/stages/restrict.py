"""What policy restricts of one call: its request before anything is made of it, its answer after the ERP gave it.

Around everything that can answer, the ledger's stored answers too. What cannot be looked into is not passed on: an answer that is
no JSON is refused, and what an ERP writes in its own words is not repeated to somebody who does not see everything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.documents.view import reticent
from gateway.errors import BadAnswer, BadRequest, FieldError, Forbidden, Problem, RefusedMissing, UpstreamProblem
from gateway.exchange import ABSENT, Exchange, Headers, Principal, Reply
from gateway.pipeline import Handler
from gateway.protocols import json_http
from gateway.scope import Records, Scope, Who
from gateway.scope.fields import DROP, KEEP, Fields
from gateway.scope.records import AMOUNT, holds, permitted, seen_of

PROBLEM = b"application/problem+json"
FOLLOWED = b"/api/documents/"
TOLD: Final = frozenset({"type", "title", "status", "instance", "origin", "retryable", "outcome", "document"})
"""What is told of a stored problem: members of the gateway's own, none of the ERP's words."""
OF_THE_WHOLE: Final = frozenset(
    {
        b"etag",
        b"last-modified",
        b"content-digest",
        b"repr-digest",
        b"content-md5",
        b"content-length",
        b"content-range",
        b"x-total-count",
    }
)
"""Headers that speak of the answer as the ERP gave it."""
NOT_PERMITTED: Final = "is not permitted to you"
NOT_TOLD: Final = "is not right, with what you do not see of it"
UNSEEN: Final = "It does not fit the contract in fields you do not see or set."


@dataclass(frozen=True, slots=True)
class Restriction:
    """Implements ``gateway.exchange.Guard``. One scope over one operation.

    :param writes: whether a call changes something, so that locked fields count.
    """

    scope: Scope
    records: Records
    who: Who
    writes: bool

    # --- the request -------------------------------------------------------------------------------------------------

    def admit(self, value: object) -> object:
        """A request's value, narrowed where the backend filters. Raises ``Forbidden`` naming what may not be there."""
        touched = self.scope.fields.touched(value, writes=self.writes)
        if touched:
            what = "may not set" if self.writes else "may not ask by"
            named = ", ".join(pointer.removeprefix("/").replace("/", ".") for pointer in touched[:10])
            errors = [FieldError(pointer, f"is a field you {what}") for pointer in touched[:100]]
            raise Forbidden(f"{self.who.subject} {what} {named}.", errors=errors)
        return self._own_record(value) if self.writes else self._narrowed(value)

    def _own_record(self, value: object) -> object:
        for name, values in self.scope.predicates.items():
            place = self.records.places.get(name)
            if place is None or place.at is None or not holds(name, values, value, place, self.who):
                pointer = "/" + "/".join(place.at) if place is not None and place.at else ""
                detail = f"{self.who.subject} hands in no records of another {name.removesuffix('-up-to')} than policy permits."
                raise Forbidden(detail, errors=[FieldError(pointer, NOT_PERMITTED)])
        return value

    def _narrowed(self, value: object) -> object:
        if not isinstance(value, dict):
            return value
        for name, values in self.scope.predicates.items():
            place = self.records.places.get(name)
            if place is not None and place.filter is not None:
                value = self._filtered(value, name, place.filter, values)
        return value

    def _filtered(self, value: Mapping[str, object], name: str, parameter: str, values: frozenset[str]) -> dict[str, object]:
        """With the backend's filter set. Asked for one of several the caller may have; asked for none, the answer is filtered too
        where it can be, so that a filter is needed only where it cannot."""
        allowed = permitted(name, values, self.who)
        if name == AMOUNT:
            allowed = frozenset(limit.partition(" ")[0] for limit in allowed)
        given = value.get(parameter)
        if given is None and len(allowed) == 1:
            return {**value, parameter: next(iter(allowed))}
        place = self.records.places[name]
        if (given is None and place.at is not None) or (name != AMOUNT and str(given) in allowed):
            return dict(value)
        if name == AMOUNT and place.at is not None:
            return dict(value)
        detail = f"{self.who.subject} asks for no records of another {name} than policy permits; say which."
        raise Forbidden(detail, errors=[FieldError(f"query/{parameter}", NOT_PERMITTED)])

    # --- the answer --------------------------------------------------------------------------------------------------

    @property
    def judges_answers(self) -> bool:
        return self.scope.fields.masks or (bool(self.scope.predicates) and not self.writes)

    async def reply(self, reply: Reply) -> Reply:
        """The answer without what is not seen. Raises ``BadAnswer`` for one that cannot be looked into, ``RefusedMissing`` for a
        single record that is not seen."""
        if not self.judges_answers or reply.status in (204, 304):
            return reply
        value = reply.value
        if value is ABSENT:
            body = reply.body if isinstance(reply.body, bytes) else await _whole(reply.body)
            if not body:
                return reply
            value = _json(reply.headers, body)
        kind = _kind(reply.headers)
        headers = [header for header in reply.headers if header[0] not in OF_THE_WHOLE]
        if reply.status >= 400 or kind == PROBLEM:
            return Reply(reply.status, _as(headers, PROBLEM), value=told(value, reply.status))
        if reply.status == 202 and any(name == b"location" and value.startswith(FOLLOWED) for name, value in headers):
            return Reply(reply.status, headers, value=self.document(value) if isinstance(value, dict) else None)
        return Reply(reply.status, headers, value=self._seen(value))

    def document(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """A document as ``GET /api/documents/{id}`` tells it."""
        fields = self.scope.fields
        return reticent(told, reference=fields.sees(self.records.reference)) if fields.masks else dict(told)

    def _seen(self, value: object) -> object:
        if self.scope.predicates and not self.writes:
            value, seen = seen_of(self.scope.predicates, value, self.records, self.who)
            if not seen:
                raise RefusedMissing
        return self.scope.fields.shown(value)

    def problem(self, problem: Problem) -> Problem:
        """The problem without what is not seen: fields by their pointers, and the ERP's words altogether. One that policy itself
        gives names what the caller named."""
        if not self.judges_answers or isinstance(problem, Forbidden):
            return problem
        fields, errors = self.scope.fields, problem.errors
        problem.errors = tuple(_error(error, fields) for error in errors if fields.view(error.pointer) is not DROP)
        if problem.errors != errors:
            problem.detail = UNSEEN
        if isinstance(problem, UpstreamProblem):
            problem.detail = ""
            problem.errors = ()
            problem.extensions = {name: said for name, said in problem.extensions.items() if name in TOLD}
        return problem


def restricted(scope: Scope, records: Records, principal: Principal, *, writes: bool) -> Restriction:
    return Restriction(scope, records, Who(principal.subject, principal.tenant), writes)


Refused = Callable[[tuple[str, ...]], Awaitable[None]]
"""Told which kind of restriction refused a call, before the caller is."""


async def under(restriction: Restriction, refused: Refused, call_next: Handler, exchange: Exchange) -> Reply:
    """The rest of the chain under a restriction."""
    exchange.guard = restriction
    exchange.notes["restricted"] = restriction.scope.rows
    try:
        reply = await call_next(exchange)
    except Problem as problem:
        if isinstance(problem, Forbidden):
            await refused(refused_by(problem))
        shown = restriction.problem(problem)
        if shown is problem:
            raise
        raise shown from problem
    try:
        return await restriction.reply(reply)
    except RefusedMissing:
        await refused(("records",))
        raise


def refused_by(problem: Forbidden) -> tuple[str, ...]:
    """Which kind of restriction said no to a request."""
    return ("records",) if any(error.detail == NOT_PERMITTED for error in problem.errors) else ("fields",)


def _error(error: FieldError, fields: Fields) -> FieldError:
    """What is said of a thing that has hidden parts might name them."""
    return error if fields.view(error.pointer) is KEEP else replace(error, detail=NOT_TOLD)


def told(value: object, status: int) -> dict[str, Any]:
    """An error body of which only the gateway's own members are left."""
    said = {name: inner for name, inner in value.items() if name in TOLD} if isinstance(value, dict) else {}
    kind = str(said.get("type", ""))
    if not kind.startswith("urn:erp-gateway:"):
        said = {"type": "urn:erp-gateway:problem:refused", "title": "The ERP refused the request", "origin": "upstream"}
    return {**said, "status": status}


def _kind(headers: Headers) -> bytes:
    return next((value.partition(b";")[0].strip().lower() for name, value in headers if name == b"content-type"), b"")


def _as(headers: Headers, kind: bytes) -> Headers:
    return [*(header for header in headers if header[0] != b"content-type"), (b"content-type", kind)]


def _json(headers: Headers, body: bytes) -> object:
    kind = _kind(headers)
    coded = any(name == b"content-encoding" and value.lower() != b"identity" for name, value in headers)
    if coded or (kind != b"application/json" and not kind.endswith(b"+json")):
        raise BadAnswer("The ERP's answer is not JSON, so it cannot be told what of it you may see.")
    try:
        return json_http.loads(body)
    except BadRequest as error:
        raise BadAnswer("The ERP's answer is not JSON.") from error


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in body])
