"""A SOAP operation as a route ends in it: value → field table → envelope → ERP → envelope → field table → value.

Everything that can be wrong with the input is found while preparing, and told in the satellite's own terms. What an envelope
gains beyond the value it gains at the moment it is sent, in this order: addressing, security, packing. An answer loses packing
and security first; whose answer it is and what it says is read of what was verified.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from gateway.errors import BadAnswer, FaultServer, Refused, Unprocessable, UntrustedAnswer, UpstreamProblem
from gateway.exchange import ABSENT, OPERATION_ID, Exchange, Headers, Outgoing, Reply
from gateway.ports import Client, Incoming
from gateway.protocols.soap.addressing import message_id
from gateway.protocols.soap.packages import Attachment, with_attachments
from gateway.upstreams.refusals import BUSY, CREDENTIALS, answered, refused, refused_status
from gateway.upstreams.table import Table, in_rest_terms

XML_TYPES = (b"text/xml", b"application/soap+xml", b"application/xml")
MULTIPART = b"multipart/related"
ACCEPT = b"text/xml, application/soap+xml, multipart/related"
_ID = re.compile(rb"[0-9a-f]{32}").fullmatch


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


class Addressing(Protocol):
    """Says which message an envelope is, and whether an answer belongs to it."""

    def dress(self, envelope: bytes, message: str) -> bytes: ...

    def owns(self, envelope: bytes, message: str) -> bool:
        """Whether an answer may belong to that message."""
        ...


class Packing(Protocol):
    """Envelopes with parts beside them."""

    @property
    def packs(self) -> bool:
        """Whether a request may have parts."""
        ...

    @property
    def attachments(self) -> bool:
        """Whether an answer's value has ``$attachments``."""
        ...

    def pack(self, envelope: bytes) -> tuple[bytes, bytes] | None:
        """Content-Type and body; None when the envelope travels as it is."""
        ...

    def unpack(self, content_type: str, body: bytes) -> tuple[bytes, list[Attachment]]:
        """The envelope and attachments of a multipart. Raises ``BadAnswer``."""
        ...


class Security(Protocol):
    """Proves to the other side who sent an envelope, and has that proved of answers."""

    @property
    def verifies(self) -> bool:
        """Whether an answer must be signed."""
        ...

    def outward(self, envelope: bytes) -> bytes: ...

    def inward(self, envelope: bytes, *, beside: bool) -> bytes:
        """What of an answer may be believed; ``beside``: there is content outside the envelope. Raises ``UntrustedAnswer``."""
        ...


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class SoapOperation:
    """Implements ``gateway.ports.Operation``.

    :param target: path of the service behind the client's base URL.
    :param coerce: turns parameters (strings) into the types of the contract, where no field table does.
    :param faults: REST status by name of a declared fault; others are 422. ``fault_schemas`` are those of their values.
    :param one_way: the contract has no answer; some servers send an empty envelope all the same.
    :param addressing: WS-Addressing, where it is spoken. The message's id is the document's, so that a message sent again is
        known as the same one.
    :param security: WS-Security. What it adds is good for one message and must not be stored.
    :param packing: MTOM and attachments. What it would put on a request is put there only if it ``packs``.
    :param new_id: 32 hexadecimal digits that nothing else has, for a message of no document.
    """

    codec: Codec
    client: Client
    target: str
    table: Table
    status: int = 200
    timeout: float | None = None
    safe: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    faults: Mapping[str, int] | None = None
    coerce: Callable[[object], object] | None = None
    fault_schemas: Callable[[], Mapping[str, dict[str, Any]]] = dict
    one_way: bool = False
    addressing: Addressing | None = None
    security: Security | None = None
    packing: Packing | None = None
    new_id: Callable[[], str] = _new_id

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
        message = self._message(outgoing) if self.addressing is not None else ""
        incoming = await self.client.send(self._dressed(outgoing, message), timeout=self.timeout)
        data = await incoming.read()
        if not data and incoming.status < 300:
            self.codec.decode(data)
            return Reply(202)
        plain, attachments = self._unpacked(incoming, data)
        try:
            envelope = self.security.inward(plain, beside=bool(attachments)) if self.security is not None else plain
            # What is signed may leave out what the envelope says of itself, and what is not signed may say too much.
            ours = self.addressing is None or all(self.addressing.owns(each, message) for each in {plain, envelope})
            value = self.codec.decode(envelope) if ours else ABSENT
        except Refused as fault:
            raise answered(refused(fault, self.faults or {}), incoming) from fault
        except UntrustedAnswer:
            raise  # Its status is proved no better than the rest, so that nothing follows from it.
        except UpstreamProblem as problem:
            answered(problem, incoming)
            raise
        if not ours:
            raise BadAnswer("The ERP's answer belongs to another message.")
        if incoming.status >= 300:
            raise BadAnswer("The ERP answered with an error status and no fault.")
        return Reply(202) if self.one_way else self._reply(value, attachments)

    def _reply(self, value: object, attachments: list[Attachment]) -> Reply:
        if self.packing is not None and self.packing.attachments:
            value = with_attachments(value, attachments)
        if self.table.answer is not None:
            value = self.table.answer(value)
        return Reply(self.status, value=value)

    def _message(self, outgoing: Outgoing) -> str:
        """The document's id, the same at every attempt; a new one for what has no document."""
        ids = [value.decode("ascii") for name, value in outgoing.headers if name == OPERATION_ID and _ID(value)]
        return message_id(ids[0] if ids else self.new_id())

    def _dressed(self, outgoing: Outgoing, message: str) -> Outgoing:
        """What was prepared as it goes out; what was prepared stays as it is, to be sent again."""
        if self.addressing is not None and isinstance(outgoing.body, bytes):
            outgoing = replace(outgoing, body=self.addressing.dress(outgoing.body, message))
        if self.security is not None:
            assert isinstance(outgoing.body, bytes)
            outgoing = replace(outgoing, body=self.security.outward(outgoing.body))
        if self.packing is not None and self.packing.packs and isinstance(outgoing.body, bytes):
            packed = self.packing.pack(outgoing.body)
            if packed is not None:
                headers = [(b"content-type", packed[0]), *(h for h in outgoing.headers if h[0] != b"content-type")]
                outgoing = replace(outgoing, headers=headers, body=packed[1])
        return outgoing

    def _unpacked(self, incoming: Incoming, data: bytes) -> tuple[bytes, list[Attachment]]:
        """The envelope and what is beside it. What has no envelope has no signature either, so that where answers are verified
        nothing follows from its status: a proxy's 429 does not say that the ERP booked nothing."""
        try:
            _require_envelope(incoming, data)
            if self.packing is not None and _media_type(incoming.headers) == MULTIPART:
                return self.packing.unpack(_content_type(incoming.headers).decode("latin-1"), data)
        except UpstreamProblem as problem:
            if self.security is not None and self.security.verifies:
                raise UntrustedAnswer("The ERP's answer is not signed as it has to be.") from problem
            answered(problem, incoming)
            raise
        return data, []

    def request_schema(self) -> dict[str, Any] | None:
        return self.table.request_schema()

    def answer_schema(self) -> dict[str, Any] | None:
        return self.table.answer_schema()

    def refusals(self) -> Mapping[str, tuple[int, dict[str, Any]]]:
        statuses = self.faults or {}
        return {name: (statuses.get(name, 422), schema) for name, schema in self.fault_schemas().items()}


def request_headers(codec: Codec, extra: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """The headers every request of an operation has: media type, SOAPAction, and the upstream's own credentials."""
    own = [(b"content-type", codec.content_type.encode("ascii")), (b"accept", ACCEPT)]
    return (*own, *codec.headers, *extra)


def _require_envelope(incoming: Incoming, data: bytes) -> None:
    """SOAP 1.1 and 1.2 send faults under 500 or 400; anything that is not XML is no SOAP at all."""
    if incoming.status in CREDENTIALS or incoming.status in BUSY:
        raise refused_status(incoming.status, "")
    kind = _media_type(incoming.headers)
    if (kind not in XML_TYPES and kind != MULTIPART) or not data:
        failure: type[UpstreamProblem] = FaultServer if incoming.status >= 500 else BadAnswer
        raise failure("The ERP's answer is not SOAP.")


def _media_type(headers: Headers) -> bytes:
    return _content_type(headers).partition(b";")[0].strip().lower()


def _content_type(headers: Headers) -> bytes:
    return next((value for name, value in headers if name == b"content-type"), b"")
