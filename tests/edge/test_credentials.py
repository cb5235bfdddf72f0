"""Secrets sent with every message: checked where the token endpoint checks them, once in a while, never kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.edge.credentials import Credentials, basic
from gateway.errors import BadRequest, Unauthenticated
from gateway.identity.issuer import Answer, TokenRequest


class Clock:
    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> float:
        return self.seconds


@dataclass
class Checks:
    """Stands for the token endpoint's check; the secret is ``right``."""

    asked: list[tuple[str, str, str]] = field(default_factory=list)

    async def respond(self, issuer: Any, read: TokenRequest, peer: str) -> Answer:
        self.asked.append((read.client, read.secret, peer))
        if read.secret != "right":
            return Answer(401, {"error": "invalid_client"}, failed=True)
        return Answer(200, {"access_token": f"{read.client}.{len(self.asked)}", "expires_in": 3600})


def made() -> tuple[Credentials, Checks, Clock]:
    checks: Any = Checks()
    clock: Any = Clock()
    return Credentials(checks, clock), checks, clock


async def test_a_secret_is_checked_once_in_a_while() -> None:
    credentials, checks, clock = made()
    issuer: Any = object()
    assert await credentials.authorization(issuer, "oa", "right", "p") == b"Bearer oa.1"
    assert await credentials.authorization(issuer, "oa", "right", "p") == b"Bearer oa.1"
    assert await credentials.authorization(issuer, "crm", "right", "p") == b"Bearer crm.2"
    clock.seconds = 301.0
    assert await credentials.authorization(issuer, "oa", "right", "p") == b"Bearer oa.3"
    other: Any = object()
    assert await credentials.authorization(other, "oa", "right", "p") == b"Bearer oa.4"
    assert checks.asked[0] == ("oa", "right", "p")
    assert b"right" not in repr(credentials._known).encode()


async def test_what_was_remembered_does_not_help_a_wrong_secret() -> None:
    credentials, checks, _ = made()
    issuer: Any = object()
    await credentials.authorization(issuer, "oa", "right", "p")
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await credentials.authorization(issuer, "oa", "wrong", "p")
    with pytest.raises(Unauthenticated):
        await credentials.authorization(issuer, "o", "a\0right", "p")
    assert len(checks.asked) == 4


async def test_messages_that_come_at_once_share_one_check() -> None:
    credentials, checks, _ = made()
    issuer: Any = object()
    found = await asyncio.gather(*(credentials.authorization(issuer, "oa", "right", "p") for _ in range(100)))
    assert set(found) == {b"Bearer oa.1"}
    wrong = (credentials.authorization(issuer, "oa", "wrong", peer) for peer in ("p", "p", "q"))
    refused = await asyncio.gather(*wrong, return_exceptions=True)
    assert all(isinstance(one, Unauthenticated) for one in refused)
    assert checks.asked == [("oa", "right", "p"), ("oa", "wrong", "p"), ("oa", "wrong", "q")]


async def test_a_check_begun_before_a_reload_says_nothing_afterwards() -> None:
    credentials, checks, _ = made()
    before: Any = object()
    after: Any = object()
    told = await asyncio.gather(*(credentials.authorization(issuer, "oa", "right", "p") for issuer in (before, after)))
    assert told == [b"Bearer oa.1", b"Bearer oa.2"]
    assert len(checks.asked) == 2


async def test_a_client_that_goes_away_takes_nobody_with_it() -> None:
    credentials, _, _ = made()
    issuer: Any = object()
    first = asyncio.create_task(credentials.authorization(issuer, "oa", "right", "p"))
    second = asyncio.create_task(credentials.authorization(issuer, "oa", "right", "p"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == b"Bearer oa.1"
    assert credentials._asked == {}


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.edge.credentials.MOST", 2)
    credentials, checks, _ = made()
    issuer: Any = object()
    for client in ("a", "b", "c", "a"):
        await credentials.authorization(issuer, client, "right", "p")
    assert len(checks.asked) == 4
    assert len(credentials._known) == 2


async def test_a_gateway_that_issues_no_tokens() -> None:
    credentials, _, _ = made()
    with pytest.raises(Unauthenticated, match="bearer token"):
        await credentials.authorization(None, "oa", "right", "p")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"Basic b2E6YTpi", ("oa", "a:b")),
        (b"basic  b2E6", ("oa", "")),
        (b"Basic 5ryiOiV4", ("漢", "%x")),
        (b"Bearer b2E6YQ==", None),
    ],
)
def test_basic(value: bytes, found: tuple[str, str] | None) -> None:
    assert basic([(b"authorization", value)]) == found


@pytest.mark.parametrize(
    "values", [[b"Basic !"], [b"Basic /w=="], [b"Basic b2E="], [b"Basic b2E6YQ=="] * 2, [b"Bearer x", b"Basic b2E6YQ=="]]
)
def test_basic_that_is_none(values: list[bytes]) -> None:
    with pytest.raises(BadRequest):
        basic([(b"authorization", value) for value in values])
