"""Fetch a key set from an issuer, over HTTP or from a file, and trust nothing about the answer's size, speed or form."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from gateway.config.identity import is_url
from gateway.identity.jwks import FetchError

MAX_BYTES = 256 * 1024
"""Largest key set; a hundred RSA keys with certificates are smaller."""

TIMEOUT = 5.0
"""Seconds for one whole fetch."""


class KeyFetcher:
    """A ``Fetch``. Paths are relative to ``folder``, that of ``gateway.yaml``. Nothing is opened before the first fetch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._client: httpx.AsyncClient | None = None

    async def __call__(self, place: str) -> bytes:
        """The bytes at a URL or in a file. Raises ``FetchError``."""
        try:
            if not is_url(place):
                return await asyncio.to_thread(_read, self._folder / place)
            async with asyncio.timeout(TIMEOUT):
                return await self._get(place)
        except TimeoutError as error:
            raise FetchError(f"no answer within {TIMEOUT:g} s") from error
        except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchError(f"{type(error).__name__}: {error}") from error

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _get(self, url: str) -> bytes:
        if self._client is None:
            self._client = httpx.AsyncClient(follow_redirects=False)
        headers = {"accept": "application/jwk-set+json, application/json", "accept-encoding": "identity"}
        async with self._client.stream("GET", url, headers=headers, timeout=TIMEOUT) as response:
            if response.status_code != 200:
                raise FetchError(f"answered {response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise FetchError("answered compressed, which was not asked for")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise FetchError(f"is larger than {MAX_BYTES} bytes")
            return bytes(body)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise FetchError(f"is larger than {MAX_BYTES} bytes")
    return data
