"""A clock that stands still, and tokens made by hand, so that a test can also make bad ones."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jws import JWSRegistry

NOW = 1_800_000_000.0


class StandingClock:
    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time - NOW + 50.0

    def advance(self, seconds: float) -> None:
        self.time += seconds


def encode(data: bytes | dict[str, Any]) -> bytes:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def make_token(key: Any, header: bytes | dict[str, Any], payload: bytes | dict[str, Any], alg: str = "") -> bytes:
    """Sign whatever is given. ``alg`` is the algorithm really used, by default the header's."""
    name = alg or (header["alg"] if isinstance(header, dict) else "")
    signed = encode(header) + b"." + encode(payload)
    return signed + b"." + encode(JWSRegistry.algorithms[name].sign(signed, key))


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def sign() -> Callable[..., bytes]:
    return make_token
