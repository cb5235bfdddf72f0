"""HTTP/1.1 messages as bytes (RFC 9112): write one request, read one answer. No sockets, no clock.

The parser is strict where leniency has let one answer pass for another: it finds the end of the head itself, lets httptools
judge its syntax and take chunks apart, and decides the length of the body by RFC 9112 section 6.3 with every doubtful case
refused. Only a head with nothing unusual in it is read without httptools, to the same result. One parser reads one answer;
bytes after its end make the connection unusable and are never looked at.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

import httptools

from gateway.errors import BadRequest
from gateway.exchange import Headers
from gateway.upstreams.headers import FRAMING, HOP_BY_HOP, Remembered

OWNED: Final = HOP_BY_HOP | FRAMING
_ENDS_WITH_CLOSE: Final = -1
_CHUNKED: Final = -2
_INTERIM_ANSWERS: Final = 8
_CHUNK_OVERHEAD: Final = 8
_TAIL: Final = 5

_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FIELD_TEXT: Final = frozenset([9, *range(32, 127), *range(128, 256)])
_ZEROED: Final = bytes(byte if byte in _FIELD_TEXT else 0 for byte in range(256))
_METHOD: Final = re.compile(r"(?!CONNECT\Z)[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_TARGET: Final = re.compile(r"/[!\"$-~]*")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_SPECIAL: Final = HOP_BY_HOP | {b"content-length"}

# The lines of a head that anybody would read alike: printable ASCII, one space after the colon, none at the end. What does not
# match is not wrong, only httptools' to judge; so is a status without a body.
_PLAIN_STATUS: Final = re.compile(rb"HTTP/1\.1 (?!204|304)([2-5][0-9][0-9]) [ -~]*\r\n")
_PLAIN_FIELD: Final = re.compile(rb"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([!-~][ -~]*+)(?<! )\r\n", re.MULTILINE)
_LENGTH_DIGITS: Final = 18


class FramingError(ValueError):
    """The answer breaks HTTP or a limit. The text is safe to show."""


def sendable(headers: Headers) -> Headers:
    """``headers`` without those the client writes itself. Raises BadRequest when a name is no token or a value holds a control
    character (RFC 9110 sections 5.1 and 5.5), which would let a caller write headers or requests of its own."""
    kept = [header for header in headers if _field_start[header[0]]]
    _check_values([value for _, value in kept])
    return kept


@Remembered
def _field_start(name: bytes) -> bytes:
    """What a field of this name begins with, the end of the line before it included; empty when the client owns the field.
    Raises BadRequest when the name is no token."""
    if name in OWNED:
        return b""
    if not name or name.translate(None, _TOKEN):
        raise BadRequest("A header holds characters that HTTP does not allow.")
    return b"\r\n%b: " % name


def _check_values(values: list[bytes]) -> None:
    if 0 in b"".join(values).translate(_ZEROED):
        raise BadRequest("A header holds characters that HTTP does not allow.")


def check_request_line(method: str, target: str) -> None:
    """Raises BadRequest unless ``method`` is a token other than CONNECT and ``target`` is in origin-form
    (RFC 9112 sections 3.1 and 3.2.1)."""
    if method not in _METHODS and not _METHOD.fullmatch(method):
        raise BadRequest("The method cannot be sent.")
    if not _TARGET.fullmatch(target):
        raise BadRequest("The request target holds characters that a URL does not allow.")


def request_framing(method: str, body: bytes | AsyncIterator[bytes], headers: Headers) -> tuple[bytes, bytes] | None:
    """The header that frames a request body: Content-Length for bytes, and for a stream when the caller declared one;
    Transfer-Encoding for other streams; None for no body."""
    if isinstance(body, bytes):
        return (b"content-length", b"%d" % len(body)) if body or method in _WITH_BODY else None
    length = declared_length(headers)
    return (b"transfer-encoding", b"chunked") if length is None else (b"content-length", b"%d" % length)


def declared_length(headers: Headers) -> int | None:
    """The Content-Length the caller gave for a stream. Raises BadRequest when it is no number or differs from another."""
    values = {value for name, value in headers if name == b"content-length"}
    if not values:
        return None
    value = values.pop()
    if values or not value.isdigit() or len(value) > _LENGTH_DIGITS:
        raise BadRequest("The Content-Length is not a number.")
    return int(value)


async def exactly(stream: AsyncIterator[bytes], length: int) -> AsyncIterator[bytes]:
    """``stream``, raising BadRequest where it turns out longer or shorter than the ``length`` declared for it."""
    async for chunk in stream:
        length -= len(chunk)
        if length < 0:
            raise BadRequest("The body is longer than its Content-Length.")
        yield chunk
    if length:
        raise BadRequest("The body is shorter than its Content-Length.")


def request_head(method: str, target: str, host: bytes, framing: tuple[bytes, bytes] | None, headers: Headers) -> bytes:
    """The request line and header section, of ``headers`` only what ``sendable`` leaves. Raises BadRequest like it.
    ``method`` and ``target`` have been checked."""
    parts = [f"{method} {target} HTTP/1.1\r\nhost: ".encode(), host]
    for name, value in headers:
        start = _field_start[name]
        if start:
            parts += (start, value)
    _check_values(parts[3::2])
    parts.append(b"\r\n\r\n" if framing is None else b"\r\n%b: %b\r\n\r\n" % framing)
    return b"".join(parts)


def plain_head(head: bytes) -> tuple[int, Headers, int] | None:
    """Status, end-to-end headers and Content-Length of an answer's head that leaves no room for doubt: HTTP/1.1, one length
    that counts, a connection that stays open, nothing else about the connection. None for every other head.

    :param head: up to and with its first empty line.
    """
    line = _PLAIN_STATUS.match(head)
    if line is None:
        return None
    fields = _PLAIN_FIELD.findall(head, line.end())
    if len(fields) != head.count(b"\n") - 2:  # a line that did not match
        return None
    headers: Headers = []
    length = -1
    for name, value in fields:
        lower, special = _kind[name]
        if not special:
            headers.append((lower, value))
        elif lower == b"content-length" and length < 0 and value.isdigit() and len(value) <= _LENGTH_DIGITS:
            length = int(value)
            headers.append((lower, value))
        elif lower != b"keep-alive" and (lower != b"connection" or value.lower() != b"keep-alive"):
            return None
    return None if length < 0 else (int(line[1]), headers, length)


@Remembered
def _kind(name: bytes) -> tuple[bytes, bool]:
    """A field's name in lower case, and whether it is one of those that decide how the answer is read."""
    lower = name.lower()
    return lower, lower in _SPECIAL


class AnswerParser:
    """Reads one answer, fed in pieces of any size.

    ``began``: a byte has come. ``head_done``: ``status`` and ``headers`` are known, hop-by-hop fields taken out.
    ``complete``: so is the body. ``reusable``: the connection may carry another call. ``buffered``: body bytes not taken yet.

    :param head_only: the request was HEAD, so that no body follows whatever the headers say.
    """

    __slots__ = (
        "_answer_limit",
        "_fields",
        "_head_limit",
        "_head_only",
        "_interims",
        "_parser",
        "_parts",
        "_pending",
        "_received",
        "_remaining",
        "_tail",
        "_wire",
        "began",
        "buffered",
        "complete",
        "head_done",
        "headers",
        "reusable",
        "status",
    )

    def __init__(self, *, head_only: bool, answer_limit: int, head_limit: int) -> None:
        self.status = 0
        self.headers: Headers = []
        self.began = self.head_done = self.complete = False
        self.reusable = True
        self.buffered = 0
        self._head_only = head_only
        self._answer_limit = answer_limit
        self._head_limit = head_limit
        self._interims = 0
        self._pending = b""
        self._parts: list[bytes] = []
        self._received = self._wire = 0
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """The next bytes of the connection. Raises FramingError; the parser is of no use afterwards."""
        self.began = True
        if not self.head_done:
            data = self._feed_head(data)
        if 0 < len(data) <= self._remaining:
            self._remaining -= len(data)
            self.complete = not self._remaining
            self._parts.append(data)
            self.buffered += len(data)
        elif data:
            self._feed_body(data)

    def feed_eof(self) -> None:
        """The connection's orderly end. Raises FramingError when the answer is not complete by it."""
        if not self.complete:
            if not self.head_done or self._remaining != _ENDS_WITH_CLOSE:
                raise FramingError("The answer is cut short.")
            self.complete = True

    def take(self) -> bytes:
        """The body bytes that came since the last call."""
        parts = self._parts
        self.buffered = 0
        if len(parts) == 1:
            return parts.pop()
        body = b"".join(parts)
        parts.clear()
        return body

    def _feed_head(self, data: bytes) -> bytes:
        """Returns what follows the head of the final answer."""
        start = 0
        if self._pending:
            start = max(0, len(self._pending) - 3)
            data = self._pending + data
            self._pending = b""
        while not self.head_done:
            end = data.find(b"\r\n\r\n", start) + 4
            if end < 4:
                self._check_unfinished_head(data)
                self._pending = data
                return b""
            if end > self._head_limit:
                raise FramingError("The answer's headers are larger than allowed.")
            head, data = data[:end], data[end:]
            plain = None if self._head_only else plain_head(head)
            if plain is None:
                self._judge_head(head)
            else:
                self.status, self.headers, length = plain
                self._expect(length)
                self.head_done = True
            start = 0
        return data

    def _check_unfinished_head(self, data: bytes) -> None:
        """Refuse at once what can only end at the deadline."""
        if len(data) > self._head_limit:
            raise FramingError("The answer's headers are larger than allowed.")
        if data[:7] != b"HTTP/1."[: len(data)] or data.count(b"\n") != data.count(b"\r\n"):
            raise FramingError("The answer is not HTTP/1.1.")

    def _judge_head(self, head: bytes) -> None:
        if head[:7] != b"HTTP/1.":
            raise FramingError("The answer is not HTTP/1.1.")
        self._fields: Headers = []
        self._parser = parser = httptools.HttpResponseParser(self)
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade as error:
            raise FramingError("The answer changes to another protocol.") from error
        except httptools.HttpParserError as error:
            raise FramingError("The answer's head is not HTTP/1.1.") from error
        self.status = status = parser.get_status_code()
        if 200 <= status < 600:
            self._begin_body(old=head[7:8] == b"0")
            self.head_done = True
            return
        self._interims += 1
        if status < 100 or status >= 600 or self._interims > _INTERIM_ANSWERS:
            raise FramingError("The answer's status is not HTTP/1.1.")
        self.complete = False

    def _begin_body(self, *, old: bool) -> None:
        """RFC 9112 section 6.3. ``old``: the answer is HTTP/1.0."""
        length, coding, options = self._split_fields()
        self.reusable = b"keep-alive" in options if old else True
        if b"close" in options:
            self.reusable = False
        if coding is not None and (length is not None or old or coding != b"chunked"):
            raise FramingError("The answer's Transfer-Encoding leaves its length in doubt.")
        if self._head_only or self.status in (204, 304):
            self._remaining = 0
            self.complete = True
        elif coding is not None:
            self._remaining = _CHUNKED
            self.complete = False
        elif length is not None:
            self._expect(length)
        elif self.reusable:
            raise FramingError("The answer has no length.")
        else:
            self._remaining = _ENDS_WITH_CLOSE
            self.complete = False

    def _expect(self, length: int) -> None:
        if length > self._answer_limit:
            raise FramingError("The answer is larger than allowed.")
        self._remaining = length
        self.complete = not length

    def _split_fields(self) -> tuple[int | None, bytes | None, list[bytes]]:
        """Content-Length, Transfer-Encoding and the Connection options, the other end-to-end fields going to ``headers``."""
        length: int | None = None
        codings: list[bytes] = []
        options: list[bytes] = []
        self.headers = kept = []
        for field in self._fields:
            name, value = field
            if name not in _SPECIAL:
                kept.append(field)
            elif name == b"content-length":
                length = int(value)
                kept.append(field)
            elif name == b"transfer-encoding":
                codings.append(value.strip(b" \t").lower())
            elif name == b"connection":
                options += [option.strip(b" \t") for option in value.lower().split(b",")]
        if options:
            self.headers = [field for field in kept if field[0] not in options]
        return length, b",".join(codings) if codings else None, options

    def _feed_body(self, data: bytes) -> None:
        remaining = self._remaining
        if self.complete:
            self.reusable = False
        elif remaining == _CHUNKED:
            self._feed_chunked(data)
        elif remaining == _ENDS_WITH_CLOSE:
            self.on_body(data)
        else:  # more than was declared
            self.feed(data[:remaining])
            self.reusable = False
        if self._received > self._answer_limit:
            raise FramingError("The answer is larger than allowed.")

    def _feed_chunked(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.complete:
                raise FramingError("The answer's chunks are not HTTP/1.1.") from error
            self.reusable = False
        self._wire += len(data)
        if self._wire > self._head_limit + _CHUNK_OVERHEAD * self._received:
            raise FramingError("The answer is larger than allowed.")
        # httptools passes over line ends after the answer in silence; the answer's own end is one blank line.
        self._tail = (self._tail + data[-_TAIL:])[-_TAIL:]
        if self.complete and (self._tail[1:] != b"\r\n\r\n" or self._tail[:1] in b"\r\n"):
            self.reusable = False

    # What httptools calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.head_done:
            self._fields.append((name.lower(), value.rstrip(b" \t")))

    def on_body(self, data: bytes) -> None:
        if self.complete:  # the body of an answer nobody asked for
            return
        self._parts.append(data)
        self.buffered += len(data)
        self._received += len(data)

    def on_message_begin(self) -> None:
        if self.head_done:
            self.reusable = False

    def on_message_complete(self) -> None:
        self.complete = True
