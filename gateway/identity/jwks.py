"""Key sets of issuers: fetched once, kept, fetched again when a token names a key nobody knows.

One fetch per place at a time, however many callers wait for it; the last good keys stay when the issuer is gone or lies. The
store outlives reloads. It never decides what a token may do, and a token never decides where keys come from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from gateway.errors import Overloaded
from gateway.identity.jws import PublicKey, Rejected
from gateway.identity.keys import KeySet, parse_key_set
from gateway.ports import Clock

Fetch = Callable[[str], Awaitable[bytes]]
"""Get the bytes of a key set from its place, a URL or a path. Raises ``FetchError``; bounded in size and time."""

UNKNOWN_KEY_PAUSE = 30.0
"""Seconds between two fetches caused by unknown keys: anybody can invent a ``kid``."""

NO_KEYS_PAUSE = 5.0
"""Seconds between two fetches while there are no keys at all and every token of the issuer fails."""

MAX_AGE = 300.0
"""Seconds after which a set is fetched again in the background, so that a key the issuer withdraws is soon no longer good."""

FETCH_SECONDS = 10.0
"""No fetch may hold its waiters longer, whatever the function handed in does."""

log = structlog.get_logger(__name__)


class FetchError(Exception):
    """A key set could not be fetched. The text is for the log."""


@dataclass(slots=True)
class _Entry:
    keys: KeySet = field(default_factory=KeySet)
    attempted: float = float("-inf")
    succeeded: float = float("-inf")
    flight: asyncio.Task[None] | None = None

    @property
    def failed(self) -> bool:
        return self.succeeded < self.attempted

    def may_fetch(self, now: float) -> bool:
        return now - self.attempted >= (UNKNOWN_KEY_PAUSE if self.keys.keys else NO_KEYS_PAUSE)


class KeyStore:
    """The keys of every issuer that publishes them. ``version`` grows whenever any set changes, so that whoever remembers what a
    key proved knows when to forget it."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self.version = 0

    async def key(self, place: str, kid: str | None, alg: str) -> PublicKey:
        """The key with this id from the set at ``place``. Raises ``Rejected`` when the issuer has no such key, and ``Overloaded``
        when that cannot be known because its key set cannot be fetched: a good token must then not be called bad."""
        entry = self._entries.setdefault(place, _Entry())
        found = entry.keys.find(kid, alg)
        if found is not None:
            if self._clock.monotonic() - entry.succeeded >= MAX_AGE:
                self._start(place, entry)
            return found
        self._start(place, entry)
        if entry.flight is not None:
            await asyncio.shield(entry.flight)
            found = entry.keys.find(kid, alg)
        if found is not None:
            return found
        if entry.failed:
            raise Overloaded(
                "The keys of the token's issuer cannot be fetched at the moment.", headers={"retry-after": f"{NO_KEYS_PAUSE:.0f}"}
            )
        raise Rejected("unknown key", kid=kid or "(none)")

    async def aclose(self) -> None:
        """Give up fetches under way."""
        flights = [entry.flight for entry in self._entries.values() if entry.flight is not None]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _start(self, place: str, entry: _Entry) -> None:
        now = self._clock.monotonic()
        if entry.flight is None and entry.may_fetch(now):
            entry.attempted = now
            entry.flight = asyncio.create_task(self._refresh(place, entry), name=f"jwks {place}")

    async def _refresh(self, place: str, entry: _Entry) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                keys = parse_key_set(await self._fetch(place))
        except (FetchError, Rejected, TimeoutError) as error:
            log.warning("jwks.fetch_failed", place=place, reason=str(error) or "timeout", kept=len(entry.keys.keys))
        else:
            entry.succeeded = entry.attempted
            if keys != entry.keys:
                entry.keys = keys
                self.version += 1
                log.info("jwks.changed", place=place, kids=[key.kid for key in keys.keys])
        finally:
            entry.flight = None
