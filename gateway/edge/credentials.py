"""Client id and secret where there is no token: SOAP clients send them with every message.

They are exchanged for an access token by the built-in token endpoint's own check, with its throttle and its time, and the token
is remembered for a while, so that the slow check is not paid per message; messages that come at once share one. From there on a
call is as any other with a bearer token. A secret is never kept: what is remembered is found by a keyed hash of it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

from gateway.edge.oauth import SecretChecks
from gateway.errors import BadRequest, Unauthenticated
from gateway.exchange import Headers
from gateway.identity.issuer import GRANT, METHODS, TokenIssuer, TokenRequest
from gateway.ports import Clock

MOST: Final = 1_000
SECONDS: Final = 300.0
"""Longest a checked secret is trusted; a reload ends it at once."""
_EARLY: Final = 10.0
"""So long before a token expires it is not used any more."""

_Asked = tuple[TokenIssuer, bytes, str]


class Credentials:
    """Tokens for clients that proved themselves, by issuer: each snapshot has its own, so a changed secret is checked anew."""

    def __init__(self, checks: SecretChecks, clock: Clock) -> None:
        self._checks = checks
        self._monotonic = clock.monotonic
        self._key = secrets.token_bytes(32)
        self._issuer: TokenIssuer | None = None
        self._known: dict[bytes, tuple[bytes, float]] = {}
        self._asked: dict[_Asked, asyncio.Task[bytes]] = {}

    async def authorization(self, issuer: TokenIssuer | None, client: str, secret: str, peer: str) -> bytes:
        """The Authorization header of this client. Raises ``Unauthenticated``, ``TooManyRequests`` or ``Overloaded``."""
        if issuer is None:
            raise Unauthenticated("This gateway checks no secrets; send a bearer token in the Authorization header.")
        if issuer is not self._issuer:
            self._issuer, self._known = issuer, {}
        key = hmac.digest(self._key, f"{client}\0{secret}".encode("utf-8", "replace"), hashlib.sha256)
        known = self._known.get(key)
        if known is not None and known[1] > self._monotonic():
            return known[0]
        asked = (issuer, key, peer)
        if asked not in self._asked:
            task = asyncio.create_task(
                self._check(issuer, key, TokenRequest({"grant_type": GRANT}, METHODS[1], client, secret), peer)
            )
            self._asked[asked] = task
            task.add_done_callback(lambda done: self._answered(asked, done))
        return await asyncio.shield(self._asked[asked])

    def _answered(self, asked: _Asked, done: asyncio.Task[bytes]) -> None:
        """Forget the check; whoever asked has its outcome, or has gone away."""
        del self._asked[asked]
        if not done.cancelled():
            done.exception()

    async def _check(self, issuer: TokenIssuer, key: bytes, read: TokenRequest, peer: str) -> bytes:
        answer = await self._checks.respond(issuer, read, peer)
        token = answer.body.get("access_token")
        if not isinstance(token, str):
            raise Unauthenticated("The user name or the password is wrong.")
        authorization = f"Bearer {token}".encode("ascii")
        lifetime = float(str(answer.body.get("expires_in", 0)))
        if issuer is self._issuer:
            self._remember(key, authorization, self._monotonic() + min(SECONDS, lifetime - _EARLY))
        return authorization

    def _remember(self, key: bytes, authorization: bytes, until: float) -> None:
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[key] = (authorization, until)


def basic(headers: Headers) -> tuple[str, str] | None:
    """Client id and secret of HTTP Basic (RFC 7617), UTF-8; None without it. Raises ``BadRequest``."""
    values = [value for name, value in headers if name == b"authorization"]
    value = next((value for value in values if value[:6].lower() == b"basic "), None)
    if value is None:
        return None
    try:
        text = base64.b64decode(value[6:].strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise BadRequest("The Authorization header is not HTTP Basic in UTF-8.") from error
    client, colon, secret = text.partition(":")
    if not colon or len(values) > 1:
        raise BadRequest("Send one Authorization header, with a user name and a password.")
    return client, secret
