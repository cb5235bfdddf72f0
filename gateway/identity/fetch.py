"""Talk to an issuer: fetch its key set, over HTTP or from a file, or post to its token endpoint. Nothing is trusted about an
answer's size, speed or form, and no redirect is followed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx

from gateway.config.files import read_file
from gateway.config.identity import is_url
from gateway.identity.jwks import FetchError

MAX_BYTES = 256 * 1024
"""Largest answer; a hundred RSA keys with certificates are smaller."""

TIMEOUT = 5.0
"""Seconds for one whole exchange."""


class KeyFetcher:
    """A ``Fetch``. Paths are relative to ``folder``, that of ``gateway.yaml``. Nothing is opened before the first fetch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._client: httpx.AsyncClient | None = None

    async def __call__(self, place: str) -> bytes:
        """The bytes at a URL or in a file. Raises ``FetchError``."""
        if not is_url(place):
            try:
                return await asyncio.to_thread(_read, self._folder / place)
            except OSError as error:
                raise FetchError(f"{type(error).__name__}: {error}") from error
        status, body = await self._call("GET", place, {"accept": "application/jwk-set+json, application/json"}, b"")
        if status != 200:
            raise FetchError(f"answered {status}")
        return body

    async def post(self, url: str, headers: Mapping[str, str], form: bytes) -> tuple[int, bytes]:
        """Post a form (``application/x-www-form-urlencoded``); the status and body of whatever answer comes. Raises
        ``FetchError``."""
        accept = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
        return await self._call("POST", url, {**accept, **headers}, form)

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _call(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._bounded(method, url, {**headers, "accept-encoding": "identity"}, content)
        except TimeoutError as error:
            raise FetchError(f"no answer within {TIMEOUT:g} s") from error
        except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise FetchError(f"{type(error).__name__}: {error}") from error

    async def _bounded(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> tuple[int, bytes]:
        if self._client is None:
            self._client = httpx.AsyncClient(follow_redirects=False)
        async with self._client.stream(method, url, headers=headers, content=content, timeout=TIMEOUT) as response:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise FetchError("answered compressed, which was not asked for")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise FetchError(f"is larger than {MAX_BYTES} bytes")
            return response.status_code, bytes(body)


def _read(path: Path) -> bytes:
    data = read_file(path)
    if len(data) > MAX_BYTES:
        raise FetchError(f"is larger than {MAX_BYTES} bytes")
    return data
