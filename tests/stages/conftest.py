"""A runtime made of plain parts, and an exchange to send through a stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.exchange import Exchange, Headers, Principal, Reply, Request
from gateway.ports import Asked, Decision, Limit, Quote


@dataclass
class FakeRuntime:
    """Everything a stage may ask for; it is its own telemetry, authenticator, policy and counters. ``waits``: nothing is known
    at once."""

    who: Principal | Exception = field(default_factory=lambda: Principal("oa", "1000"))
    decision: Decision = field(default_factory=lambda: Decision(True, ("policy.csv:3",)))
    own: Sequence[Limit] = ()
    quotes: list[Quote] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    counted: list[tuple[str, str, int]] = field(default_factory=list)
    lines: list[dict[str, object]] = field(default_factory=list)
    noted: list[tuple[str, Any]] = field(default_factory=list)
    waits: bool = False

    @property
    def telemetry(self) -> FakeRuntime:
        return self

    authenticator = policy = decisions = counters = clock = telemetry

    def now(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return 0.0

    def count(self, *call: Any) -> None:
        """A finished call, or one that was allowed."""
        if isinstance(call[0], Exchange):
            self.noted.append(("counted", call[1]))
            return
        operation, version, status, seconds = call
        assert seconds >= 0
        self.counted.append((operation, version, status))

    async def allowed(self, asked: Asked, decision: Decision) -> None:
        self.noted.append(("allowed", asked))

    async def denied(self, asked: Asked, decision: Decision, unmet: tuple[str, ...] = ()) -> None:
        self.noted.append(("denied", (*asked[1:3], unmet)))

    def access(self, entry: dict[str, object]) -> None:
        self.lines.append(entry)

    def principal_now(self, headers: Headers) -> Principal | None:
        return None if self.waits else self._principal()

    async def principal(self, headers: Headers) -> Principal:
        return self._principal()

    def _principal(self) -> Principal:
        if isinstance(self.who, Exception):
            raise self.who
        return self.who

    def decide(self, principal: Principal, operation: str, version: str) -> Decision:
        self.asked.append((principal.subject, operation, version))
        return self.decision

    def take_now(self, limits: Sequence[tuple[Limit, str]]) -> list[Quote] | None:
        return None if self.waits else self._take(limits)

    async def take(self, limits: Sequence[tuple[Limit, str]]) -> list[Quote]:
        return self._take(limits)

    def _take(self, limits: Sequence[tuple[Limit, str]]) -> list[Quote]:
        self.asked.append([(limit.name, partition) for limit, partition in limits])
        return self.quotes

    def limits_of(self, subject: str) -> Sequence[Limit]:
        return self.own


class FixedBody:
    def __init__(self, data: bytes) -> None:
        self.data = data

    async def read(self) -> bytes:
        return self.data


@pytest.fixture
def runtime() -> FakeRuntime:
    return FakeRuntime()


@pytest.fixture
def exchange() -> Callable[..., Exchange]:
    def make(
        body: bytes = b"", *, query: str = "", headers: Headers | None = None, params: dict[str, str] | None = None
    ) -> Exchange:
        request = Request("POST", "/api/v1/r", query, headers or [], FixedBody(body), "127.0.0.1")  # type: ignore[arg-type]
        return Exchange(request, "", "r.create", "v1", params or {})

    return make


@pytest.fixture
def answering() -> Callable[[Any], Any]:
    """A handler that answers with a reply or raises, and remembers that it was called."""

    def make(outcome: Any) -> Any:
        async def handler(exchange: Exchange) -> Reply:
            handler.calls += 1  # type: ignore[attr-defined]
            if isinstance(outcome, BaseException):
                raise outcome
            reply: Reply = outcome
            return reply

        handler.calls = 0  # type: ignore[attr-defined]
        return handler

    return make
