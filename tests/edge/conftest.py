"""A real server on a loopback socket, and a raw socket as its client."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
import uvicorn

from gateway.edge.guard import GuardLimits, guarded
from gateway.server import Server as UvicornServer

Serve = Callable[..., Awaitable["Server"]]


class Answer:
    """One answer as read from the wire."""

    def __init__(self, head: bytes, body: bytes) -> None:
        line, *fields = head.decode("latin-1").split("\r\n")
        self.status = int(line.split(" ")[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields if field)}
        self.body = body

    def problem(self) -> str:
        """The slug, after checking that this is a refusal that ends the connection."""
        document = orjson.loads(self.body)
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["connection"] == "close"
        assert document["status"] == self.status
        return str(document["type"]).rpartition(":")[2]


class Wire:
    """A raw client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def answer(self) -> Answer:
        head = await self.reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 1"):
            return Answer(head, b"")
        answer = Answer(head, b"")
        if answer.headers.get("transfer-encoding") == "chunked":
            while size := int((await self.reader.readuntil(b"\r\n")).strip(), 16):
                answer.body += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            await self.reader.readexactly(2)
        else:
            answer.body = await self.reader.readexactly(int(answer.headers.get("content-length", "0")))
        return answer

    async def closed(self) -> bool:
        """Whether the server sent nothing more and closed."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True


class Server:
    def __init__(self, port: int) -> None:
        self.port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> Wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        return Wire(reader, writer)

    async def exchange(self, data: bytes) -> Answer:
        """Send bytes on a connection of its own and read one answer."""
        wire = await self.connect()
        await wire.send(data)
        return await wire.answer()

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start the given ASGI application behind the guard, and ``calls`` for what is not the site's."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(app: Any, calls: Any = None, idle: Any = 5, **limits: Any) -> Server:
            config = uvicorn.Config(
                app,
                http=guarded(GuardLimits(**limits), calls),
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=1,
                timeout_keep_alive=idle,
            )
            server = UvicornServer(config)
            sock = socket.socket()
            sock.bind(("127.0.0.1", 0))
            task = asyncio.create_task(server.serve(sockets=[sock]))
            await server.listening.wait()
            client = Server(sock.getsockname()[1])

            async def stop() -> None:
                await client.close()
                server.should_exit = True
                await task

            stack.push_async_callback(stop)
            return client

        yield start
