"""What travels through a route: the exchange, and the reply that comes back.

Nothing here knows ASGI, so that another server can feed the same pipeline. Header names are lower-case bytes everywhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

Headers = list[tuple[bytes, bytes]]

OPERATION_ID: Final = b"x-operation-id"
"""The header by which every attempt to send a document carries the document's id."""


class _Absent:
    """The type of ``ABSENT``: no value, which is not the same as ``None`` (JSON null)."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = _Absent()


class Body(Protocol):
    """A request body not read yet."""

    async def read(self) -> bytes:
        """The whole body. Raises ``BodyTooLarge`` or ``RequestTimeout``."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, under the same limits."""
        ...


@dataclass(slots=True, frozen=True)
class Whole:
    """Implements ``Body`` for one that is here already."""

    content: bytes

    async def read(self) -> bytes:
        return self.content

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.content


@dataclass(slots=True, frozen=True)
class Principal:
    """Who is calling, as proved by a credential and by nothing else.

    :param subject: the name policy rows use: a satellite's client id, or a person's id.
    :param tenant: the legal entity the caller belongs to.
    :param roles: roles the credential itself carries, beside those the policy file gives to ``subject``.
    """

    subject: str
    tenant: str
    roles: tuple[str, ...] = ()


@dataclass(slots=True)
class Request:
    """One request as the edge has read it. ``path`` is canonical and is what was matched, authorised and forwarded."""

    method: str
    path: str
    query: str
    headers: Headers
    body: Body
    peer: str = ""

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header; ``name`` in lower case."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


@dataclass(slots=True)
class Outgoing:
    """One request to an upstream, ready to be sent.

    :param target: origin-form, ``/path?query``, percent-encoded.
    :param headers: without Host, Content-Length, Transfer-Encoding and Connection: the client owns the framing.
    :param safe: the method may be repeated without effect (RFC 9110 section 9.2.2), so a lost connection may be retried.
    """

    method: str
    target: str
    headers: Headers
    body: bytes | AsyncIterator[bytes] = b""
    safe: bool = False


@dataclass(slots=True)
class Reply:
    """What goes back. Either ``value`` (a JSON value, encoded once at the edge) or ``body`` (bytes, or a stream of them)."""

    status: int
    headers: Headers = field(default_factory=list)
    value: object = ABSENT
    body: bytes | AsyncIterator[bytes] = b""


class Guard(Protocol):
    """What policy restricts of a call's request."""

    def admit(self, value: object) -> object:
        """The request's value as it may go on. Raises ``Forbidden``."""
        ...


@dataclass(slots=True)
class Exchange:
    """One call on its way through the stages of its route.

    :param operation: the route's operation id, ``payments.create``; with ``version`` the object of the policy decision.
    :param params: path parameters, percent-decoded.
    :param trace: W3C ``traceparent`` for the next hop.
    :param value: the request as a JSON value once a stage has read it, else ``ABSENT``.
    :param content: the request body as it came, where a stage has read it whole.
    :param outgoing: what will be sent to the upstream, once prepared.
    :param headers: response headers that every outcome gets, a problem too.
    :param notes: facts for the access log; no payload, no secret.
    :param guard: asked about the request once it has been read, where policy restricts the caller.
    """

    request: Request
    id: str
    operation: str
    version: str
    params: Mapping[str, str]
    trace: bytes = b""
    principal: Principal | None = None
    value: object = ABSENT
    content: bytes = b""
    outgoing: Outgoing | None = None
    headers: Headers = field(default_factory=list)
    notes: dict[str, object] = field(default_factory=dict)
    guard: Guard | None = None
