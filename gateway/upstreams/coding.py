"""Undo the content codings of an answer (RFC 9110 section 8.4), never growing past a limit.

The limit holds for every layer's output while it is being inflated, so a small compressed answer cannot fill the memory.
Pure. It must never return part of a body: what is cut, damaged or followed by garbage is no answer.
"""

from __future__ import annotations

import zlib
from typing import Final

from gateway.errors import BadAnswer
from gateway.exchange import Headers

_GZIP: Final = 16 + zlib.MAX_WBITS
_ZLIB: Final = zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS
_LAYERS: Final = 4


def decoded(body: bytes, headers: Headers, limit: int) -> tuple[bytes, Headers]:
    """``body`` with its content codings undone, and ``headers`` without what described the coded form. Raises BadAnswer."""
    for name, _ in headers:
        if name == b"content-encoding":
            break
    else:
        return body, headers
    plain = decode(body, codings(headers), limit) if body else body
    return plain, [header for header in headers if header[0] not in (b"content-encoding", b"content-length")]


def codings(headers: Headers) -> list[bytes]:
    """The content codings of a message, in the order they were applied, without ``identity``. Names in lower case."""
    values = [value for name, value in headers if name == b"content-encoding"]
    if not values:
        return []
    tokens = (token.strip(b" \t") for token in b",".join(values).lower().split(b","))
    return [token for token in tokens if token not in (b"", b"identity")]


def decode(body: bytes, applied: list[bytes], limit: int) -> bytes:
    """Undo ``applied``, last first.

    :param limit: the most bytes any layer may inflate to.
    :raises BadAnswer: unknown coding, damaged or cut data, bytes after its end, or more than ``limit``.
    """
    if len(applied) > _LAYERS:
        raise BadAnswer("The answer has too many content codings.")
    for coding in reversed(applied):
        if coding in (b"gzip", b"x-gzip"):
            body = _gunzip(body, limit)
        elif coding == b"deflate":
            body = _inflate(body, _ZLIB if _has_zlib_header(body) else _RAW, limit)[0]
        else:
            raise BadAnswer("The answer has a content coding that was not asked for.")
    return body


def _gunzip(body: bytes, limit: int) -> bytes:
    """RFC 1952 section 2.2: a file is a series of members. An empty body is an empty file (answers to HEAD, 304)."""
    parts: list[bytes] = []
    room = limit
    while body:
        part, body = _inflate(body, _GZIP, room, more=True)
        parts.append(part)
        room -= len(part)
    return b"".join(parts)


def _inflate(body: bytes, wbits: int, limit: int, *, more: bool = False) -> tuple[bytes, bytes]:
    """One compressed stream and, where ``more`` may follow it, the rest."""
    inflater = zlib.decompressobj(wbits)
    try:
        # zlib reads a max_length of 0 as "no limit": one byte above the limit keeps it a limit and shows the excess.
        plain = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadAnswer("The answer's compressed body is damaged.") from error
    if len(plain) > limit:
        raise BadAnswer("The answer is larger than allowed.")
    if not inflater.eof:
        raise BadAnswer("The answer's compressed body is cut short.")
    if inflater.unused_data and not more:
        raise BadAnswer("The answer's compressed body is damaged.")
    return plain, inflater.unused_data


def _has_zlib_header(body: bytes) -> bool:
    """RFC 1950 section 2.2. ``deflate`` means zlib (RFC 9110 section 8.4.1.2), but some servers send the bare stream."""
    return len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
