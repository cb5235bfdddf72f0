"""A SOAP operation as a route ends in it: value → field table → envelope → ERP → envelope → field table → value.

Everything that can be wrong with the input is found while preparing, and told in the satellite's own terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.errors import BadAnswer, FaultServer, Refused, Unprocessable, UpstreamProblem
from gateway.exchange import Exchange, Headers, Outgoing, Reply
from gateway.ports import Client, Incoming
from gateway.upstreams.refusals import BUSY, CREDENTIALS, answered, refused, refused_status
from gateway.upstreams.table import Table, in_rest_terms

XML_TYPES = (b"text/xml", b"application/soap+xml", b"application/xml")


class Codec(Protocol):
    """What this module needs of a compiled SOAP codec."""

    @property
    def content_type(self) -> str: ...

    @property
    def headers(self) -> Headers: ...

    def encode(self, value: object) -> bytes: ...

    def decode(self, envelope: bytes) -> object:
        """The answer's value. Raises ``BadAnswer`` for no bytes at all, except where the contract's operation is one-way."""
        ...


@dataclass(frozen=True, slots=True)
class SoapOperation:
    """Implements ``gateway.ports.Operation``.

    :param target: path of the service behind the client's base URL.
    :param coerce: turns parameters (strings) into the types of the contract, where no field table does.
    :param faults: REST status by name of a declared fault; others are 422.
    :param one_way: the contract has no answer; some servers send an empty envelope all the same.
    """

    codec: Codec
    client: Client
    target: str
    table: Table
    status: int = 200
    timeout: float | None = None
    safe: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = ()
    faults: Mapping[str, int] | None = None
    coerce: Callable[[object], object] | None = None
    one_way: bool = False

    def prepare(self, exchange: Exchange) -> Outgoing:
        value = self.coerce(exchange.value) if self.coerce else exchange.value
        if self.table.request is None:
            body = self.codec.encode(value)
        else:
            mapped = self.table.request(value)
            try:
                body = self.codec.encode(mapped)
            except Unprocessable as error:
                raise in_rest_terms(error, self.table.request) from error
        headers = [*self.headers, (b"x-request-id", exchange.id.encode("ascii")), (b"traceparent", exchange.trace)]
        return Outgoing("POST", self.target, headers, body, self.safe)

    async def send(self, outgoing: Outgoing) -> Reply:
        incoming = await self.client.send(outgoing, timeout=self.timeout)
        data = await incoming.read()
        if not data and incoming.status < 300:
            self.codec.decode(data)
            return Reply(202)
        try:
            _require_envelope(incoming, data)
            value = self.codec.decode(data)
        except Refused as fault:
            raise answered(refused(fault, self.faults or {}), incoming) from fault
        except UpstreamProblem as problem:
            answered(problem, incoming)
            raise
        if incoming.status >= 300:
            raise BadAnswer("The ERP answered with an error status and no fault.")
        if self.one_way:
            return Reply(202)
        if self.table.answer is not None:
            value = self.table.answer(value)
        return Reply(self.status, value=value)

    def request_schema(self) -> dict[str, Any] | None:
        return self.table.request_schema()

    def answer_schema(self) -> dict[str, Any] | None:
        return self.table.answer_schema()


def request_headers(codec: Codec, extra: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """The headers every request of an operation has: media type, SOAPAction, and the upstream's own credentials."""
    own = [(b"content-type", codec.content_type.encode("ascii")), (b"accept", b"text/xml, application/soap+xml")]
    return (*own, *codec.headers, *extra)


def _require_envelope(incoming: Incoming, data: bytes) -> None:
    """SOAP 1.1 and 1.2 send faults under 500 or 400; anything that is not XML is no SOAP at all."""
    if incoming.status in CREDENTIALS or incoming.status in BUSY:
        raise refused_status(incoming.status, "")
    kind = _media_type(incoming.headers)
    if kind not in XML_TYPES or not data:
        failure: type[UpstreamProblem] = FaultServer if incoming.status >= 500 else BadAnswer
        raise failure("The ERP's answer is not SOAP.")


def _media_type(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"content-type":
            return value.partition(b";")[0].strip().lower()
    return b""
