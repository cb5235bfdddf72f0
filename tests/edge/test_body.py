"""A body under its limits: too large, too slow, cut off, and what is done with the rest."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.edge import body as module
from gateway.edge.body import AsgiBody
from gateway.errors import BadRequest, BodyTooLarge, RequestTimeout


def parts(*bodies: bytes, end: bool = True) -> Any:
    """A receive that delivers these parts; without ``end`` it then waits for ever."""
    messages = [{"type": "http.request", "body": body, "more_body": True} for body in bodies]
    if end:
        messages[-1]["more_body"] = False
    queue = iter(messages)

    async def receive() -> Any:
        message = next(queue, None)
        return message if message is not None else await asyncio.Event().wait()

    return receive


async def disconnect() -> Any:
    return {"type": "http.disconnect"}


async def never() -> Any:
    raise AssertionError("the body was asked for")


def body(receive: Any, *, limit: int = 10, timeout: float = 5, declared: int | None = None, expected: bool = False) -> AsgiBody:
    return AsgiBody(receive, limit=limit, timeout=timeout, declared=declared, expected=expected)


async def test_the_whole_body() -> None:
    whole = body(parts(b"ab", b"", b"cd"))
    assert await whole.read() == b"abcd"
    assert whole.finished
    assert await whole.read() == b""
    assert await whole.drain()


async def test_one_part_is_not_copied() -> None:
    data = b"abcd"
    assert await body(parts(data), declared=4).read() is data


async def test_no_body_is_not_asked_for() -> None:
    empty = body(never, declared=0)
    assert await empty.read() == b""
    assert await empty.drain()


async def test_the_limit_itself_is_allowed() -> None:
    assert await body(parts(b"x" * 10), declared=10).read() == b"x" * 10


async def test_a_declared_length_above_the_limit_is_not_read() -> None:
    with pytest.raises(BodyTooLarge, match="at most 10 bytes"):
        await body(never, declared=11).read()


async def test_counted_bytes_above_the_limit() -> None:
    large = body(parts(b"x" * 6, b"x" * 5, b"x"))
    with pytest.raises(BodyTooLarge):
        await large.read()
    assert not large.finished
    assert await large.drain()
    assert large.finished


async def test_the_deadline_is_for_the_whole_body() -> None:
    with pytest.raises(RequestTimeout, match="in time"):
        await body(parts(b"a", b"b", end=False), timeout=0.02).read()


async def test_a_client_that_goes_away() -> None:
    gone = body(disconnect)
    with pytest.raises(BadRequest, match="went away"):
        await gone.read()
    assert gone.finished


async def test_a_stream_has_the_same_limits() -> None:
    stream = body(parts(b"x" * 9, b"y" * 9)).chunks()
    assert await anext(stream) == b"x" * 9
    with pytest.raises(BodyTooLarge):
        await anext(stream)


async def test_draining_ends_at_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN_BYTES", 20)
    asked = 0

    async def endless() -> Any:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x" * 10, "more_body": True}

    assert not await body(endless).drain()
    assert asked == 2


async def test_draining_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.02)
    assert not await body(parts(b"x", end=False)).drain()


async def test_draining_ends_with_the_client() -> None:
    assert await body(disconnect).drain()


async def test_a_client_waiting_to_be_asked_is_not_asked_for_a_refused_body() -> None:
    assert not await body(never, expected=True).drain()


async def test_a_client_waiting_to_be_asked_is_asked_by_reading() -> None:
    waiting = body(parts(b"ab", b"x" * 20), expected=True)
    with pytest.raises(BodyTooLarge):
        await waiting.read()
    assert await waiting.drain()
