"""One canonical path per request: what is matched, what is authorised and what is forwarded are the same bytes.

The strategy is to refuse rather than repair. Percent-encoded unreserved characters are decoded (RFC 3986 section 6.2.2.2) and
other encodings upper-cased; whatever two readers could understand differently (dot segments, empty segments, encoded slashes,
backslashes, path parameters, control characters, double encoding, invalid UTF-8) is a ``BadRequest``.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from gateway.errors import BadRequest

_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::[0-9]*)?([/?].*)?\Z", re.DOTALL)
_PLAIN = re.compile(rb"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9_~.\-]+)+\Z|/\Z")
_ALLOWED = re.compile(rb"(?:[A-Za-z0-9_~.\-!$&'()*+,=:@/]|%[0-9A-Fa-f]{2})+\Z")
_ENCODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_VISIBLE = re.compile(rb"[!-~]*\Z")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_AMBIGUOUS = frozenset(b"/\\%;?#") | frozenset(range(0x20)) | {0x7F}


def canonical(raw: bytes) -> str:
    """The canonical form of a raw path. Raises ``BadRequest`` when there is no single meaning."""
    if _PLAIN.match(raw):
        return raw.decode("ascii")
    if not raw.startswith(b"/") or not _ALLOWED.match(raw):
        raise BadRequest("The path holds a character that must be percent-encoded.")
    path = _ENCODED.sub(_normalise, raw)
    segments = path.split(b"/")[1:]
    if b"" in segments and path != b"/":
        raise BadRequest("The path holds an empty segment.")
    if b"." in segments or b".." in segments:
        raise BadRequest("The path holds a dot segment.")
    try:
        unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("The path is not UTF-8.") from error
    return path.decode("ascii")


def checked_query(raw: bytes) -> str:
    """The query as it came: visible ASCII. Raises ``BadRequest`` for what RFC 3986 has percent-encoded and parsers let pass."""
    if not _VISIBLE.match(raw):
        raise BadRequest("The query holds a character that must be percent-encoded.")
    return raw.decode("ascii")


def _normalise(match: re.Match[bytes]) -> bytes:
    code = int(match[1], 16)
    if code in _AMBIGUOUS:
        raise BadRequest("The path holds an encoded character that systems read differently.")
    return bytes([code]) if code in _UNRESERVED else match[0].upper()


def origin_form(target: bytes) -> bytes:
    """Path and query of a request target. Clients of proxies send the absolute form, which every server must accept (RFC 9112
    section 3.2.2). What is neither stays as it is, and is no path."""
    if target.startswith(b"/"):
        return target
    match = _ABSOLUTE.match(target)
    if match is None:
        return target
    rest: bytes = match[1] or b"/"
    return rest if rest.startswith(b"/") else b"/" + rest
