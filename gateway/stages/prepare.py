"""Read the request, check it against the contract, and have the upstream's request ready before anything is recorded or sent."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import ClassVar, Literal
from urllib.parse import parse_qsl, urlencode

from gateway.errors import BadRequest, FieldError, Forbidden, Unprocessable, UnsupportedMediaType
from gateway.exchange import Exchange, Reply, Request, Whole
from gateway.pipeline import Handler, Phase, Stage
from gateway.ports import Operation, Runtime
from gateway.protocols import json_http

Reads = Literal["json", "parameters", "bytes", "nothing"]

MAX_PARAMETERS = 100
"""More query parameters than any form has; the limit nginx and PHP admins know is of this order."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Read a JSON body (or the parameters, for methods without one), validate and map it.

    :param operation: what the route calls.
    :param reads: ``json`` reads a body, ``parameters`` takes path and query, ``bytes`` reads a body and passes it as it is,
        ``nothing`` leaves it to be streamed.
    :param depth: deepest nesting of the JSON body.
    """

    operation: Operation
    reads: Reads
    depth: int = 64
    phase: ClassVar[Phase] = Phase.REQUEST

    def build(self, runtime: Runtime) -> Stage:
        prepare_outgoing, depth = self.operation.prepare, self.depth

        async def prepare_json(exchange: Exchange, call_next: Handler) -> Reply:
            require_json(exchange.request)
            exchange.content = await exchange.request.body.read()
            value = json_http.loads(exchange.content, depth=depth)
            value = with_parameters(value, exchange) if exchange.params or exchange.request.query else value
            exchange.value = value if exchange.guard is None else exchange.guard.admit(value)
            exchange.outgoing = prepare_outgoing(exchange)
            return await call_next(exchange)

        def prepare_parameters(exchange: Exchange, call_next: Handler) -> Awaitable[Reply]:
            exchange.value = admitted_parameters(exchange) if exchange.guard is not None else parameters(exchange)
            try:
                exchange.outgoing = prepare_outgoing(exchange)
            except Unprocessable as error:
                raise Unprocessable(error.detail, errors=[at_parameter(e, exchange) for e in error.errors]) from error
            return call_next(exchange)

        def prepare_nothing(exchange: Exchange, call_next: Handler) -> Awaitable[Reply]:
            if exchange.guard is not None:
                return prepare_guarded(exchange, call_next)
            exchange.outgoing = prepare_outgoing(exchange)
            return call_next(exchange)

        async def prepare_guarded(exchange: Exchange, call_next: Handler) -> Reply:
            """What else would be streamed unread."""
            content = await exchange.request.body.read()
            exchange.request.body = Whole(content)
            admit_passed(exchange, content, depth)
            exchange.outgoing = prepare_outgoing(exchange)
            return await call_next(exchange)

        async def prepare_bytes(exchange: Exchange, call_next: Handler) -> Reply:
            exchange.content = await exchange.request.body.read()
            admit_passed(exchange, exchange.content, depth)
            exchange.outgoing = prepare_outgoing(exchange)
            exchange.outgoing.body = exchange.content
            return await call_next(exchange)

        return {
            "json": prepare_json,
            "parameters": prepare_parameters,
            "bytes": prepare_bytes,
            "nothing": prepare_nothing,
        }[self.reads]


def admitted_parameters(exchange: Exchange) -> dict[str, object]:
    """The parameters as the caller's policy lets them go on. Raises ``Forbidden``, ``Unprocessable`` or ``BadRequest``."""
    values = parameters(exchange)
    try:
        admitted = values if exchange.guard is None else exchange.guard.admit(values)
    except Forbidden as error:
        raise Forbidden(error.detail, errors=[at_parameter(e, exchange) for e in error.errors]) from error
    return admitted if isinstance(admitted, dict) else values


def admit_passed(exchange: Exchange, content: bytes, depth: int) -> None:
    """Look into what is passed on as it came, where policy restricts the caller: a body, or else the parameters, among which a
    filter may be set. Raises ``Forbidden`` or what a body that is no JSON deserves."""
    if exchange.guard is None:
        return
    if content:
        require_json(exchange.request)
        exchange.guard.admit(json_http.loads(content, depth=depth))
        return
    values = admitted_parameters(exchange)
    pairs = [(name, str(value)) for name, value in values.items() if name not in exchange.params]
    if pairs != query_pairs(exchange.request.query):
        exchange.request.query = urlencode(pairs)


def require_json(request: Request) -> None:
    """Raises ``UnsupportedMediaType`` unless the body says it is JSON (RFC 9110 section 8.3)."""
    kind = (request.header(b"content-type") or b"").partition(b";")[0].strip().lower()
    if kind != b"application/json" and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        raise UnsupportedMediaType("Send the body as Content-Type: application/json.", headers={"accept": "application/json"})
    if (request.header(b"content-encoding") or b"identity").lower() != b"identity":
        raise UnsupportedMediaType("Send the body without a Content-Encoding.", headers={"accept-encoding": "identity"})


def parameters(exchange: Exchange) -> dict[str, object]:
    """Path and query parameters as one object of strings. A name given twice has no single meaning and is refused."""
    values: dict[str, object] = dict(exchange.params)
    twice = []
    for name, value in query_pairs(exchange.request.query):
        if name in values:
            twice.append(FieldError(f"query/{name}", "is given twice"))
        values[name] = value
    if twice:
        raise Unprocessable(errors=twice)
    return values


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Names and values of a query, percent-decoded. Raises ``BadRequest`` for one that is not UTF-8 or has too many."""
    if not query:
        return []
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="strict")
    except ValueError as error:
        raise BadRequest("The query cannot be read.") from error


def with_parameters(value: object, exchange: Exchange) -> object:
    """A body together with the parameters of its path. The body may repeat a path parameter only with the same value."""
    wrong = [FieldError(f"query/{name}", "is not known here") for name, _ in query_pairs(exchange.request.query)]
    if isinstance(value, dict):
        for name, given in exchange.params.items():
            if str(value.setdefault(name, given)) != given:
                wrong.append(FieldError(f"/{name}", "is not what the path says"))
    if wrong:
        raise Unprocessable(errors=wrong)
    return value


def at_parameter(error: FieldError, exchange: Exchange) -> FieldError:
    """An error in an object made of parameters, in the caller's terms: ``/from`` is ``query/from``. Tables say so already."""
    if not error.pointer.startswith("/"):
        return error
    name = error.pointer.removeprefix("/")
    return FieldError(f"{'path' if name in exchange.params else 'query'}/{name}", error.detail)
