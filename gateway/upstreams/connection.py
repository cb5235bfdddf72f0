"""One connection to an upstream, carrying one call at a time, and the answer to that call.

The event loop's protocol calls feed the parser directly; the caller's task is woken once the head is there (with a small answer
the body is there too, so that reading it never waits). A connection keeps a single timer that is only ever moved when it must
ring earlier: a deadline costs the hot path no timer of its own. An answer in doubt always closes the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final, Protocol, cast

from gateway.errors import BadAnswer, Problem, Unreachable, UpstreamProblem, UpstreamTimeout
from gateway.exchange import Headers
from gateway.upstreams.coding import decoded
from gateway.upstreams.framing import AnswerParser, FramingError

# Body bytes held for a slow reader before the socket is left alone.
HIGH_WATER: Final = 256 * 1024
_JOIN_LIMIT: Final = 64 * 1024
_CLOCK_GRAIN: Final = 0.001


class Owner(Protocol):
    """The pool, as a connection sees it."""

    def ended(self, connection: Connection, *, reusable: bool) -> None:
        """The call on this connection is over."""
        ...

    def dropped(self, connection: Connection) -> None:
        """The connection must not be given to another call. It may be idle, or just handed to one."""
        ...

    def made(self, connection: Connection) -> None: ...

    def gone(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """``reused``: it has carried a call before."""

    __slots__ = (
        "_answer",
        "_due",
        "_owner",
        "_paused",
        "_rings_at",
        "_timer",
        "_transport",
        "_uploading",
        "_writable",
        "loop",
        "reused",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: Owner) -> None:
        self.loop = loop
        self.reused = False
        self._owner = owner
        self._answer: Answer | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = self._rings_at = 0.0
        self._paused = self._uploading = False
        self._writable: asyncio.Future[None] | None = None

    # What the pool and the client call.

    def usable(self) -> bool:
        return not self._transport.is_closing()

    def begin(self, parser: AnswerParser, answer_limit: int, deadline: float) -> Answer:
        """Expect the answer to a request about to be written."""
        self._answer = answer = Answer(self, parser, answer_limit)
        self.ring_at(deadline)
        return answer

    def write(self, head: bytes, body: bytes = b"") -> None:
        """Raises Unreachable when the connection is known to be closed, so that nothing is sent."""
        if self._transport.is_closing():
            raise Unreachable("The connection to the upstream was closed.", sent=False)
        if len(body) > _JOIN_LIMIT:
            self._transport.write(head)
            self._transport.write(body)
        else:
            self._transport.write(head + body)

    async def upload(self, answer: Answer, stream: AsyncIterator[bytes], deadline: float, *, chunked: bool) -> None:
        """Write a streamed body, at the speed the upstream takes it, or until the answer is there without it."""
        self._uploading = True
        try:
            async with asyncio.timeout_at(deadline) as timer:
                async for data in stream:
                    if answer.settled:
                        return
                    if data:
                        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)
                        await self._drained()
        except TimeoutError as error:
            if not timer.expired():
                raise
            raise UpstreamTimeout("The request was not sent within the deadline.") from error
        if chunked and not answer.settled:
            self._transport.write(b"0\r\n\r\n")
        self._uploading = False

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def ring_at(self, when: float) -> None:
        """Fail the call, or drop the idle connection, at this loop time unless it is moved before."""
        self._due = when
        if self._timer is not None:
            if when >= self._rings_at:
                return
            self._timer.cancel()
        self._rings_at = when
        self._timer = self.loop.call_at(when, self._ring)

    def expire_in(self, seconds: float) -> None:
        """Drop the connection unless it is given to a call before."""
        self.ring_at(self.loop.time() + seconds)

    def close(self) -> None:
        """Close in order; what is written still leaves."""
        self._transport.close()

    def end(self) -> None:
        """Tell the pool that the call is over and this connection with it."""
        self._owner.ended(self, reusable=False)

    def cut(self) -> None:
        """Close at once. A call under way fails, and is not repeated."""
        self.reused = False
        self._transport.abort()

    def abort(self) -> None:
        """Close at once. Whatever comes in later is not looked at."""
        self._answer = None
        self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._owner.made(self)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            # Nobody asked. Kept, these bytes would become the start of the next call's answer.
            self._retire()
            return
        parser = answer.parser
        try:
            parser.feed(data)
        except FramingError as error:
            self._fail(answer, BadAnswer(str(error)), error)
            return
        if parser.complete:
            self._complete(answer)
        elif parser.buffered > HIGH_WATER and not answer.collecting:
            self._paused = True
            self._transport.pause_reading()
        answer.wake()

    def eof_received(self) -> None:
        self._lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._owner.gone(self)
        self._lost(exc)
        self.resume_writing()

    def pause_writing(self) -> None:
        self._writable = self.loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # Endings.

    def _complete(self, answer: Answer) -> None:
        self._answer = answer.connection = None
        self.reused = True
        transport = self._transport
        reusable = (
            answer.parser.reusable
            and not self._uploading
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        )
        self._owner.ended(self, reusable=reusable)

    def _fail(self, answer: Answer, problem: UpstreamProblem, cause: BaseException | None) -> None:
        problem.__cause__ = cause
        answer.problem = problem
        self.abort()
        self.resume_writing()
        if answer.delivered:
            answer.abandon()
        answer.wake()

    def _lost(self, exc: Exception | None) -> None:
        answer = self._answer
        if answer is None:
            self._retire()
            return
        if not answer.parser.began:
            self._fail(answer, Unreachable("The upstream closed the connection without an answer."), exc)
            return
        if exc is not None:
            self._fail(answer, BadAnswer("The answer is cut short."), exc)
            return
        try:
            answer.parser.feed_eof()
        except FramingError as error:
            self._fail(answer, BadAnswer(str(error)), error)
        else:
            self._complete(answer)
            answer.wake()

    def _retire(self) -> None:
        self.close()
        self._owner.dropped(self)

    def _ring(self) -> None:
        self._timer = None
        if self._due - self.loop.time() > _CLOCK_GRAIN:
            self.ring_at(self._due)
        elif self._answer is None:
            self._retire()
        else:
            self._fail(self._answer, UpstreamTimeout("The upstream did not answer within the deadline."), None)

    async def _drained(self) -> None:
        if self._writable is not None:
            await self._writable


class Answer:
    """An upstream's answer; implements ``gateway.ports.Incoming``.

    ``connection`` is set as long as the answer holds one, and with it a place in the pool; ``delivered`` once the caller of
    ``send`` has it; ``problem`` is what ended it early.
    """

    __slots__ = (
        "_body",
        "_limit",
        "_loop",
        "_waiter",
        "collecting",
        "connection",
        "delivered",
        "headers",
        "parser",
        "problem",
        "status",
    )

    def __init__(self, connection: Connection, parser: AnswerParser, limit: int) -> None:
        self.status = 0
        self.headers: Headers = []
        self.connection: Connection | None = connection
        self.parser = parser
        self.problem: Problem | None = None
        self.collecting = self.delivered = False
        self._limit = limit
        self._loop = connection.loop
        self._body: bytes | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def settled(self) -> bool:
        """The head is there, or will never be."""
        return self.parser.head_done or self.problem is not None

    async def begun(self) -> Answer:
        """Wait for the head. Raises what ended the call instead."""
        parser = self.parser
        while not parser.head_done and self.problem is None:
            await self._change()
        if self.problem is not None:
            raise self.problem
        self.status = parser.status
        self.headers = parser.headers
        self.delivered = True
        return self

    async def read(self) -> bytes:
        """The whole body with its content codings undone, which ``headers`` then no longer mention."""
        if self._body is None:
            if not self.parser.complete:
                await self._collect()
            self._body, self.headers = decoded(self.parser.take(), self.headers, self._limit)
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, codings untouched. The upstream is slowed down to the reader's speed."""
        parser = self.parser
        try:
            while True:
                if parser.buffered:
                    data = parser.take()
                    if self.connection is not None:
                        self.connection.resume()
                    yield data
                elif parser.complete:
                    return
                elif self.problem is not None:
                    raise self.problem
                else:
                    await self._change()
        finally:
            self.abandon()

    async def aclose(self) -> None:
        self.abandon()

    def abandon(self) -> None:
        """Give up the connection, if it is still held: an answer not read to its end makes it useless."""
        connection, self.connection = self.connection, None
        if connection is not None:
            self.problem = self.problem or BadAnswer("The answer was given up before its end.")
            connection.abort()
            connection.end()

    def wake(self) -> None:
        """Something changed; resume the reader if it is what the reader waits for."""
        waiter, parser = self._waiter, self.parser
        if waiter is None or waiter.done():
            return
        if parser.complete or self.problem is not None or (parser.head_done and not self.collecting):
            waiter.set_result(None)

    async def _collect(self) -> None:
        self.collecting = True
        if self.connection is not None:
            self.connection.resume()
        try:
            while not self.parser.complete:
                if self.problem is not None:
                    raise self.problem
                await self._change()
        except asyncio.CancelledError:
            self.abandon()
            raise
        finally:
            self.collecting = False

    def _change(self) -> asyncio.Future[None]:
        """Done when ``wake`` finds that something changed."""
        self._waiter = self._loop.create_future()
        return self._waiter
