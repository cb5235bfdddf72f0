"""A route is a handler compiled once: stages folded around a terminal call, in the order of their phases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from enum import IntEnum
from functools import reduce
from typing import ClassVar, Protocol

from gateway.exchange import Exchange, Reply
from gateway.ports import Runtime

Handler = Callable[[Exchange], Awaitable[Reply]]


class Stage(Protocol):
    """``stage(exchange, call_next)``: does its part and returns what the rest returns. Only a stage that waits, or that has
    something to do when the rest is done, is a coroutine."""

    def __call__(self, exchange: Exchange, call_next: Handler) -> Awaitable[Reply]: ...


class Phase(IntEnum):
    """Where a stage stands in every chain that has it: part of the security of a route, so it is not configurable."""

    OBSERVE = 10
    IDENTIFY = 20
    ACCESS = 30
    LIMIT = 40
    REQUEST = 50
    RECORD = 60
    CALL = 70


class StageConfig(Protocol):
    """A stage's configuration: a frozen dataclass whose fields are its keys in a route file and whose docstring is its manual."""

    phase: ClassVar[Phase]

    def build(self, runtime: Runtime) -> Stage: ...


def compose(stages: Iterable[Stage], terminal: Handler) -> Handler:
    """Fold stages, outermost first, around the terminal."""
    return reduce(_around, reversed(list(stages)), terminal)


def _around(call_next: Handler, stage: Stage) -> Handler:
    return lambda exchange: stage(exchange, call_next)
