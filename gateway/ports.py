"""The protocols through which the parts know each other. Adapters implement them; stages and tests depend on nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, NamedTuple, Protocol

from gateway.exchange import Exchange, Headers, Outgoing, Principal, Reply
from gateway.scope import Scope


class Clock(Protocol):
    """Time. ``now`` is Unix time in seconds, ``monotonic`` counts seconds from an arbitrary start."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...


class Incoming(Protocol):
    """An upstream's answer whose head has been read. Header names are lower case; hop-by-hop headers are gone."""

    status: int
    headers: Headers

    async def read(self) -> bytes:
        """The whole body, content codings undone. Raises ``BadAnswer`` when cut short or above the client's limit,
        ``UpstreamTimeout`` past the deadline."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, content codings left as they are, under the same limit and deadline."""
        ...

    async def aclose(self) -> None:
        """Give up what is not read. Safe to call twice; needed only when the body was not read to its end."""
        ...


class Client(Protocol):
    """HTTP to one upstream: its pool, its limits, its deadline."""

    async def send(self, outgoing: Outgoing, *, timeout: float | None = None) -> Incoming:
        """Send and wait for the answer's head. ``timeout``, in seconds, covers the whole call including the body; ``None``
        takes the upstream's own. Raises ``Unreachable``, ``UpstreamTimeout`` or ``BadAnswer``, each with ``sent``."""
        ...

    async def aclose(self) -> None: ...


class Operation(Protocol):
    """One call an upstream offers, compiled: what a route ends in.

    ``prepare`` is pure and finds everything wrong with the input before anything is recorded or sent; ``send`` is the I/O.
    """

    def prepare(self, exchange: Exchange) -> Outgoing:
        """Raises ``Unprocessable``."""
        ...

    async def send(self, outgoing: Outgoing) -> Reply: ...

    def request_schema(self) -> dict[str, Any] | None:
        """JSON Schema (2020-12) of the request value; ``None`` for a body that passes unread."""
        ...

    def answer_schema(self) -> dict[str, Any] | None: ...

    def refusals(self) -> Mapping[str, tuple[int, dict[str, Any]]]:
        """The declared faults by name: the status a route gives each, and the JSON Schema of its value under ``fault.detail``."""
        ...


class Authenticator(Protocol):
    def principal_now(self, headers: Headers) -> Principal | None:
        """``principal`` where nothing has to be waited for, else ``None``. Raises like it."""
        ...

    async def principal(self, headers: Headers) -> Principal:
        """Who sent these headers. Raises ``Unauthenticated``."""
        ...


class Decision(NamedTuple):
    """A policy decision and its reason. ``rows`` are the lines of the policy file that decided, as ``file:line``; ``scope`` is
    what restricts the caller in this operation, ``None`` where nothing does."""

    allowed: bool
    rows: tuple[str, ...] = ()
    scope: Scope | None = None


class Policy(Protocol):
    @property
    def sha256(self) -> str:
        """Digest, in hex, of the policy file's bytes."""
        ...

    def decide(self, principal: Principal, operation: str, version: str) -> Decision:
        """Whether the caller may, under the conditions that ``scope`` names."""
        ...

    def text(self, place: str) -> str:
        """The row at a place that a decision names, as it is written in the file but for runs of blanks."""
        ...


class Asked(NamedTuple):
    """A question put to policy: who asks for what, from where, in which request."""

    principal: Principal
    operation: str
    version: str
    address: str = ""
    request: str = ""


def asked_by(exchange: Exchange, principal: Principal) -> Asked:
    """The question that a call is."""
    return Asked(principal, exchange.operation, exchange.version, exchange.request.peer, exchange.id)


Rows = tuple[tuple[str, str], ...]
"""Policy rows: the place of each, and its text when it decided."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Calls that policy answered alike, as the decision log keeps them. Immutable.

    :param policy: SHA-256, in hex, of the policy file.
    :param rows: the rows that decided; none where no row matched.
    :param limits: the rows that restrict the caller in the operation.
    :param unmet: what these rows did not let through: ``network``, ``time``, ``fields``, ``records``.
    :param addresses: where the calls came from, as far as they were noted.
    :param request: the request id of the first call.
    :param first: when the first of these calls came, Unix time; ``last`` likewise.
    :param seq: the entry of the audit chain; 0 before it is written.
    :param of: the entry of the first call, where this one only counts further ones.
    :param document: what the call became, where it became a document.
    """

    principal: Principal
    operation: str
    version: str
    allowed: bool
    policy: str
    rows: Rows = ()
    limits: Rows = ()
    unmet: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    request: str = ""
    first: float = 0.0
    last: float = 0.0
    count: int = 1
    seq: int = 0
    of: int = 0
    document: str | None = None


class Decisions(Protocol):
    """The decision log of one policy. What is told to it are answers of that policy, never who could not be authenticated."""

    def count(self, exchange: Exchange, decision: Decision) -> None:
        """An ordinary call was allowed. Cheap enough for every call."""
        ...

    async def allowed(self, asked: Asked, decision: Decision) -> None:
        """A call of a sensitive operation is allowed. Returns when that is on disk. Raises ``LedgerUnavailable``, and then the
        call must not be made."""
        ...

    async def denied(self, asked: Asked, decision: Decision, unmet: tuple[str, ...] = ()) -> None:
        """A call is refused. Returns when that is on disk, or when it is clear that it must wait for the ledger."""
        ...

    def basis(self, exchange: Exchange) -> Decided | None:
        """What allowed a call that becomes a document, for the document's own first entry."""
        ...


@dataclass(frozen=True, slots=True)
class Limit:
    """``count`` calls per ``period`` seconds, ``burst`` of them at once. Headers and problems call it by ``name``; ``policy`` is
    its item of the RateLimit-Policy header."""

    name: str
    count: int
    period: float
    burst: int
    policy: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "policy", f'"{self.name}";q={self.count};w={ceil(self.period)}')


class Quote(NamedTuple):
    """What a counter said about one call against one limit. Seconds are rounded up by whoever shows them."""

    limit: Limit
    allowed: bool
    remaining: int
    reset: float
    retry_after: float


class Counters(Protocol):
    """Rate counters. All limits of a call are taken together: either each of them is charged or none is."""

    def take_now(self, limits: Sequence[tuple[Limit, str]]) -> list[Quote] | None:
        """``take`` where nothing has to be waited for, else ``None`` and nothing is charged."""
        ...

    async def take(self, limits: Sequence[tuple[Limit, str]]) -> list[Quote]:
        """Charge one call to every ``(limit, partition)``. The quotes come in the order of the limits."""
        ...

    async def aclose(self) -> None: ...


class Telemetry(Protocol):
    """Where stages report to. Both must be cheap enough for every call."""

    def count(self, operation: str, version: str, status: int, seconds: float) -> None: ...

    def access(self, entry: dict[str, object]) -> None:
        """One line of the access log: JSON values, no payload, no secret."""
        ...


class Runtime(Protocol):
    """What a stage may use when it is built. Each member is fixed for the life of the snapshot the stage belongs to."""

    @property
    def telemetry(self) -> Telemetry: ...

    @property
    def authenticator(self) -> Authenticator: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def decisions(self) -> Decisions: ...

    @property
    def counters(self) -> Counters: ...

    @property
    def clock(self) -> Clock: ...

    def limits_of(self, subject: str) -> Sequence[Limit]:
        """The limits a caller has of its own, on all routes together."""
        ...
