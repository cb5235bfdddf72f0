"""MIME multipart/related as SOAP uses it (RFC 2387, RFC 2046 section 5.1, RFC 2045): bytes into parts.

Read in one pass and never guessed at: the first delimiter line says which line ending all others have, a line that merely begins
like a delimiter is content, and what has no closing delimiter was cut short. Parts are never looked into, so a multipart within a
part is a part like any other.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.errors import BadAnswer

MAX_PARTS: Final = 1_000
"""As Go's mime/multipart has it."""
MAX_HEAD: Final = 8_192
"""Bytes of one part's header fields; the usual limit of an HTTP server for a whole head."""

_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105
_TYPE: Final = re.compile(rf"[ \t]*({_TOKEN}/{_TOKEN})[ \t]*").match
_PARAMETER: Final = re.compile(
    rf';[ \t]*(?:({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\\r\n]|\\[^\r\n])*+)"|([^\s;"]+)))?[ \t]*', re.ASCII
).match
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]").fullmatch
_NAME: Final = re.compile(_TOKEN).fullmatch
_READ: Final = ("content-type", "content-id", "content-transfer-encoding")


@dataclass(frozen=True, slots=True)
class MediaType:
    """A Content-Type. ``name`` and the names of the parameters are in lower case."""

    name: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """One body part. ``id`` is its Content-ID without the brackets, "" for none; the transfer encoding is undone."""

    id: str
    type: MediaType
    content: bytes


def media_type(text: str) -> MediaType:
    """Read a Content-Type (RFC 9110 section 8.3.1; unquoted values may be any text, as many senders write them).

    Raises ``BadAnswer``."""
    found = _TYPE(text)
    position, parameters = found.end() if found else 0, dict[str, str]()
    while found is not None and position < len(text):
        found = _PARAMETER(text, position)
        if found is not None:
            position = found.end()
            name = (found[1] or "").lower()
            if name in parameters:
                raise BadAnswer("a media type in the answer has a parameter twice")
            if name:
                parameters[name] = found[3] or re.sub(r"\\(.)", r"\1", found[2] or "")
    if found is None:
        raise BadAnswer("a media type in the answer cannot be read")
    return MediaType(text.partition(";")[0].strip().lower(), parameters)


def read_package(type: MediaType, data: bytes) -> tuple[Part, list[Part]]:
    """The root part, which ``start`` names and else is the first, and the others in their order (RFC 2387 section 3.2).

    Raises ``BadAnswer``."""
    boundary = type.parameters.get("boundary", "")
    if not _BOUNDARY(boundary):
        raise BadAnswer("the answer's multipart has no usable boundary")
    parts = [_part(raw, newline) for raw, newline in _split(data, boundary.encode("ascii"))]
    if not parts:
        raise BadAnswer("the answer's multipart has no part")
    ids = [part.id for part in parts if part.id]
    if len(ids) != len(set(ids)):
        raise BadAnswer("two parts of the answer have the same Content-ID")
    start = type.parameters.get("start")
    root = parts[0] if start is None else next((part for part in parts if part.id == _bare(start)), None)
    if root is None:
        raise BadAnswer("the answer's multipart begins with a part that is not there")
    return root, [part for part in parts if part is not root]


def _split(data: bytes, boundary: bytes) -> Iterator[tuple[bytes, bytes]]:
    """What stands between the delimiter lines, and the line ending they have. Preamble and epilogue are left out."""
    mark = b"--" + boundary
    line = re.compile(re.escape(mark) + rb"(--)?+[ \t]*+(\r\n|\n|\Z)").match
    newline, begin, count = b"", -1, 0
    position = data.find(mark)
    while position >= 0:
        found = line(data, position)
        whole = found is not None and (not newline or found[1] is not None or found[2] == newline)
        if found is not None and whole and (position == 0 or data.endswith(newline or b"\n", 0, position)):
            if begin >= 0:
                count += 1
                if count > MAX_PARTS:
                    raise BadAnswer(f"the answer has more than {MAX_PARTS} parts")
                yield data[begin : position - len(newline)], newline
            if found[1]:
                return
            newline = newline or found[2]
            begin = found.end()
        position = data.find(mark, position + len(mark))
    raise BadAnswer("the answer's multipart is cut short")


def _part(raw: bytes, newline: bytes) -> Part:
    """A part with its header fields (RFC 2046 section 5.1.1)."""
    if raw.startswith(newline):
        head, content = b"", raw[len(newline) :]
    else:
        end = raw.find(newline * 2, 0, MAX_HEAD)
        if end < 0 and len(raw) > MAX_HEAD:
            raise BadAnswer("a part of the answer has too long a header")
        head, content = (raw.removesuffix(newline), b"") if end < 0 else (raw[:end], raw[end + 2 * len(newline) :])
    fields = _fields(head.decode("utf-8", "replace"))
    type = media_type(fields.get("content-type", "text/plain"))
    return Part(_bare(fields.get("content-id", "")), type, _decoded(content, fields.get("content-transfer-encoding", "")))


def _fields(head: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in re.split(r"\r?\n", re.sub(r"\r?\n[ \t]+", " ", head)) if head else ():
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not _NAME(name) or (name in fields and name in _READ):
            raise BadAnswer("the header of a part of the answer cannot be read")
        fields[name] = value.strip()
    return fields


def _bare(id: str) -> str:
    return id[1:-1] if id.startswith("<") and id.endswith(">") else id


def _decoded(content: bytes, encoding: str) -> bytes:
    """Without its transfer encoding (RFC 2045 section 6)."""
    encoding = encoding.lower()
    if encoding in ("", "7bit", "8bit", "binary"):
        return content
    if encoding == "quoted-printable":
        return binascii.a2b_qp(content)
    if encoding != "base64":
        raise BadAnswer("a part of the answer has a transfer encoding that is not known")
    try:
        return binascii.a2b_base64(content.translate(None, b" \t\r\n"), strict_mode=True)
    except binascii.Error as error:
        raise BadAnswer("a part of the answer is not valid base64") from error
