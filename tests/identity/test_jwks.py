"""The key store against an issuer that rotates, storms, lies and dies, served over real sockets where it matters."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from gateway.errors import Overloaded
from gateway.identity.fetch import KeyFetcher
from gateway.identity.jwks import MAX_AGE, NO_KEYS_PAUSE, UNKNOWN_KEY_PAUSE, FetchError, KeyStore
from gateway.identity.jws import Rejected

ONE = ECKey.generate_key("P-256", {"kid": "one"})
TWO = ECKey.generate_key("P-256", {"kid": "two"})
PLACE = "https://login.example.com/keys"


class Issuer:
    """Serves whatever ``answer`` is: keys, bytes, or an error to raise. ``gate`` holds answers back."""

    def __init__(self, *keys: Any) -> None:
        self.answer: bytes | Exception = b""
        self.fetches = 0
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.publish(*keys)

    def publish(self, *keys: Any) -> None:
        self.answer = json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()

    async def fetch(self, place: str) -> bytes:
        assert place == PLACE
        self.fetches += 1
        self.asked.set()
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def settle(store: KeyStore) -> None:
    """Wait for background fetches."""
    flights = [entry.flight for entry in store._entries.values() if entry.flight is not None]
    await asyncio.gather(*flights)


async def test_keys_are_fetched_once(clock: Any) -> None:
    issuer = Issuer(ONE, TWO)
    store = KeyStore(issuer.fetch, clock)
    assert (await store.key(PLACE, "one", "ES256")).kid == "one"
    assert (await store.key(PLACE, "two", "ES256")).kid == "two"
    assert issuer.fetches == 1
    assert store.version == 1


async def test_a_storm_of_unknown_keys_fetches_once(clock: Any) -> None:
    issuer = Issuer(ONE)
    issuer.gate.clear()
    store = KeyStore(issuer.fetch, clock)
    storm = [asyncio.create_task(store.key(PLACE, f"kid-{n}", "ES256")) for n in range(99)]
    good = asyncio.create_task(store.key(PLACE, "one", "ES256"))
    await issuer.asked.wait()
    issuer.gate.set()
    answers = await asyncio.gather(*storm, return_exceptions=True)
    assert all(isinstance(answer, Rejected) for answer in answers)
    assert (await good).kid == "one"
    assert issuer.fetches == 1

    for n in range(100):
        with pytest.raises(Rejected, match="unknown key"):
            await store.key(PLACE, f"later-{n}", "ES256")
    assert issuer.fetches == 1
    clock.advance(UNKNOWN_KEY_PAUSE)
    with pytest.raises(Rejected):
        await store.key(PLACE, "x", "ES256")
    assert issuer.fetches == 2


async def test_a_new_key_is_found_after_the_pause(clock: Any) -> None:
    issuer = Issuer(ONE)
    store = KeyStore(issuer.fetch, clock)
    await store.key(PLACE, "one", "ES256")
    issuer.publish(TWO)
    with pytest.raises(Rejected):
        await store.key(PLACE, "two", "ES256")
    clock.advance(UNKNOWN_KEY_PAUSE)
    assert (await store.key(PLACE, "two", "ES256")).kid == "two"
    assert store.version == 2
    with pytest.raises(Rejected):
        await store.key(PLACE, "one", "ES256")


async def test_a_withdrawn_key_ends_by_itself(clock: Any) -> None:
    issuer = Issuer(ONE, TWO)
    store = KeyStore(issuer.fetch, clock)
    await store.key(PLACE, "one", "ES256")
    issuer.publish(TWO)
    clock.advance(MAX_AGE)
    assert (await store.key(PLACE, "one", "ES256")).kid == "one"
    await settle(store)
    assert issuer.fetches == 2
    with pytest.raises(Rejected):
        await store.key(PLACE, "one", "ES256")


async def test_an_unchanged_set_changes_nothing(clock: Any) -> None:
    issuer = Issuer(ONE)
    store = KeyStore(issuer.fetch, clock)
    await store.key(PLACE, "one", "ES256")
    clock.advance(MAX_AGE)
    await store.key(PLACE, "one", "ES256")
    await settle(store)
    assert (issuer.fetches, store.version) == (2, 1)


LIES = [FetchError("gone"), b"<html>", b'{"keys": []}', b"\x00" * 1000]


@pytest.mark.parametrize("lie", LIES, ids=["gone", "html", "empty", "garbage"])
async def test_the_last_good_keys_stay(clock: Any, lie: bytes | Exception) -> None:
    issuer = Issuer(ONE)
    store = KeyStore(issuer.fetch, clock)
    await store.key(PLACE, "one", "ES256")
    issuer.answer = lie
    for _ in range(3):
        clock.advance(MAX_AGE)
        assert (await store.key(PLACE, "one", "ES256")).kid == "one"
        await settle(store)
    assert issuer.fetches == 4
    # Whether the issuer has made a new key cannot be known now, so its token is not called bad.
    with pytest.raises(Overloaded):
        await store.key(PLACE, "two", "ES256")


@pytest.mark.parametrize("lie", LIES, ids=["gone", "html", "empty", "garbage"])
async def test_without_any_key_nothing_is_decided(clock: Any, lie: bytes | Exception) -> None:
    issuer = Issuer(ONE)
    good, issuer.answer = issuer.answer, lie
    store = KeyStore(issuer.fetch, clock)
    for _ in range(10):
        with pytest.raises(Overloaded) as caught:
            await store.key(PLACE, "one", "ES256")
        assert caught.value.headers == {"retry-after": "5"}
    assert issuer.fetches == 1
    issuer.answer = good
    clock.advance(NO_KEYS_PAUSE)
    assert (await store.key(PLACE, "one", "ES256")).kid == "one"


async def test_a_fetch_that_hangs_is_given_up(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.identity.jwks.FETCH_SECONDS", 0.01)
    issuer = Issuer(ONE)
    issuer.gate.clear()
    store = KeyStore(issuer.fetch, clock)
    with pytest.raises(Overloaded):
        await store.key(PLACE, "one", "ES256")


async def test_a_caller_that_leaves_does_not_end_the_fetch(clock: Any) -> None:
    issuer = Issuer(ONE)
    issuer.gate.clear()
    store = KeyStore(issuer.fetch, clock)
    leaving = asyncio.create_task(store.key(PLACE, "one", "ES256"))
    staying = asyncio.create_task(store.key(PLACE, "one", "ES256"))
    await issuer.asked.wait()
    leaving.cancel()
    issuer.gate.set()
    assert (await staying).kid == "one"
    assert leaving.cancelled()
    assert issuer.fetches == 1


async def test_over_real_sockets_keys_rotate_and_a_storm_is_one_request(clock: Any, tmp_path: Path) -> None:
    issuer, requests = Issuer(ONE), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        body = await issuer.fetch(PLACE)
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
    fetcher = KeyFetcher(tmp_path)
    store = KeyStore(fetcher, clock)
    try:
        found = await asyncio.gather(*(store.key(url, "one", "ES256") for _ in range(100)))
        assert {key.kid for key in found} == {"one"}
        assert requests == 1
        issuer.publish(ONE, TWO)
        clock.advance(UNKNOWN_KEY_PAUSE)
        found = await asyncio.gather(*(store.key(url, "two", "ES256") for _ in range(100)))
        assert {key.kid for key in found} == {"two"}
        assert requests == 2
        server.close()
        await server.wait_closed()
        clock.advance(MAX_AGE)
        assert (await store.key(url, "one", "ES256")).kid == "one"
        await settle(store)
        assert (await store.key(url, "two", "ES256")).kid == "two"
    finally:
        server.close()
        await store.aclose()
        await fetcher.aclose()


async def test_closing_ends_fetches(clock: Any) -> None:
    issuer = Issuer(ONE)
    await (idle := KeyStore(issuer.fetch, clock)).key(PLACE, "one", "ES256")
    await idle.aclose()
    issuer.asked.clear()
    issuer.gate.clear()
    store = KeyStore(issuer.fetch, clock)
    waiting = asyncio.create_task(store.key(PLACE, "one", "ES256"))
    await issuer.asked.wait()
    await store.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
