"""Fetching key sets over real sockets from a server that is honest, huge, slow, redirecting or gone."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.identity import fetch
from gateway.identity.fetch import MAX_BYTES, KeyFetcher
from gateway.identity.jwks import FetchError


@asynccontextmanager
async def server(*parts: bytes, hold: bool = False) -> AsyncIterator[str]:
    """Answers every request with ``parts``; then closes, or with ``hold`` keeps the connection open and silent."""
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for part in parts:
                writer.write(part)
                await writer.drain()
            if hold:
                await over.wait()
        except ConnectionError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/keys"
    finally:
        over.set()
        listening.close()
        await listening.wait_closed()


@pytest.fixture
async def fetcher(tmp_path: Path) -> AsyncIterator[KeyFetcher]:
    fetcher = KeyFetcher(tmp_path)
    yield fetcher
    await fetcher.aclose()


async def test_a_set_is_fetched(fetcher: KeyFetcher) -> None:
    async with server(b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"keys":[]}') as url:
        assert await fetcher(url) == b'{"keys":[]}'


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", "answered 503"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", "answered 302"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort", "RemoteProtocolError"),
        (b"nonsense\r\n\r\n", "RemoteProtocolError"),
        (b"", "RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n" + gzip.compress(bytes(10**7)), "compressed"),
    ],
)
async def test_another_answer_is_an_error(fetcher: KeyFetcher, answer: bytes, reason: str) -> None:
    async with server(answer) as url:
        with pytest.raises(FetchError, match=reason):
            await fetcher(url)


async def test_an_endless_answer_is_cut_off(fetcher: KeyFetcher) -> None:
    chunk = b" " * 65536
    async with server(b"HTTP/1.1 200 OK\r\n\r\n", *[chunk] * 100, hold=True) as url:
        with pytest.raises(FetchError, match=f"larger than {MAX_BYTES}"):
            await fetcher(url)


@pytest.mark.parametrize("parts", [(), (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{",)], ids=["silent", "stalls"])
async def test_a_slow_answer_is_given_up(fetcher: KeyFetcher, monkeypatch: pytest.MonkeyPatch, parts: tuple[bytes, ...]) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT", 0.05)
    async with server(*parts, hold=True) as url:
        with pytest.raises(FetchError, match=r"no answer within|ReadTimeout"):
            await fetcher(url)


async def test_an_issuer_that_is_gone_is_an_error(fetcher: KeyFetcher) -> None:
    async with server() as url:
        pass
    with pytest.raises(FetchError, match="ConnectError"):
        await fetcher(url)


async def test_files_are_read_beside_the_configuration(fetcher: KeyFetcher, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(b"{}")
    assert await fetcher("keys.json") == b"{}"
    with pytest.raises(FetchError, match="FileNotFoundError"):
        await fetcher("other.json")
    (tmp_path / "keys.json").write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(FetchError, match="larger than"):
        await fetcher("keys.json")
