"""HTTP/1.1 to one upstream, for the hot path: pooled connections on httptools and the event loop's own protocols.

Per call: one write, one wake-up, no task, no timer of its own. Everything doubtful about an answer is an error, and everything
doubtful about a connection closes it. A call is sent a second time only where that cannot book anything twice.
"""

from __future__ import annotations

import asyncio

from gateway.errors import Unreachable, UpstreamTimeout
from gateway.exchange import Outgoing
from gateway.upstreams.connection import Answer, Connection
from gateway.upstreams.framing import (
    AnswerParser,
    check_request_line,
    declared_length,
    exactly,
    request_framing,
    request_head,
)
from gateway.upstreams.pool import Pool
from gateway.upstreams.settings import ClientSettings, parse_base_url


class Http1Client:
    """Implements ``gateway.ports.Client``. Use within one event loop.

    :param base_url: ``http://host[:port][/prefix]`` or ``https://…``; the target of each call is appended to the prefix.
        Raises ValueError when it is nothing of the kind.
    """

    def __init__(self, base_url: str, settings: ClientSettings | None = None) -> None:
        self._settings = settings or ClientSettings()
        base = parse_base_url(base_url)
        self._prefix = base.prefix
        self._host = base.authority.encode()
        self._pool = Pool(base, self._settings)

    async def send(self, outgoing: Outgoing, *, timeout: float | None = None) -> Answer:
        """Send and wait for the answer's head.

        A streamed body goes out chunked, or under the Content-Length given for it, which it must then have. Other headers that
        frame a message or name its host are replaced. An answer's 1xx forerunners are passed over.

        :param timeout: seconds for the whole call, body included; None takes the settings'.
        :raises BadRequest: a header, the method or the target cannot be sent, or a stream has not its declared length.
        :raises Unreachable, UpstreamTimeout, BadAnswer: each with ``sent``.
        """
        settings = self._settings
        head = self._head(outgoing)
        if timeout is None:
            timeout = settings.timeout
        elif timeout <= 0:
            raise UpstreamTimeout("No time was left for the upstream.", sent=False)
        connection = self._pool.idle()
        loop = connection.loop if connection else asyncio.get_running_loop()
        deadline = loop.time() + timeout
        connection = connection or await self._pool.take(deadline)
        while True:
            parser = AnswerParser(
                head_only=outgoing.method == "HEAD", answer_limit=settings.answer_limit, head_limit=settings.head_limit
            )
            answer = connection.begin(parser, settings.answer_limit, deadline)
            try:
                body = outgoing.body
                if isinstance(body, bytes):
                    connection.write(head, body)
                else:
                    connection.write(head)
                    await self._upload(connection, answer, outgoing, deadline)
                return await answer.begun()
            except Unreachable as problem:
                if not _repeatable(connection, outgoing, problem):
                    answer.abandon()
                    raise
                answer.connection = None
                connection.abort()
                connection = await self._pool.connect(deadline)
            except BaseException:
                answer.abandon()
                raise

    async def aclose(self) -> None:
        """Refuse new calls, let those under way finish by their deadlines, close every connection."""
        await self._pool.aclose()

    def _head(self, outgoing: Outgoing) -> bytes:
        check_request_line(outgoing.method, outgoing.target)
        framing = request_framing(outgoing.method, outgoing.body, outgoing.headers)
        target = self._prefix + outgoing.target
        return request_head(outgoing.method, target, self._host, framing, outgoing.headers)

    async def _upload(self, connection: Connection, answer: Answer, outgoing: Outgoing, deadline: float) -> None:
        assert not isinstance(outgoing.body, bytes)
        length = declared_length(outgoing.headers)
        stream = outgoing.body if length is None else exactly(outgoing.body, length)
        await connection.upload(answer, stream, deadline, chunked=length is None)


def _repeatable(connection: Connection, outgoing: Outgoing, problem: Unreachable) -> bool:
    """Whether the call may be made again, once, on a new connection: only a reused connection can have been closed by the
    upstream while idle. What was sent is repeated only where that has no effect (RFC 9110 section 9.2.2), and a stream that
    was read is gone."""
    if not connection.reused:
        return False
    return not problem.sent or (outgoing.safe and isinstance(outgoing.body, bytes))
