"""Bytes of a policy file to lines of text, refusing everything an editor or spreadsheet may do to them unseen.

Read once, judged here, so that no later reader can see another text: UTF-8 without a byte order mark, LF or CRLF line ends,
no NUL. Nothing is repaired.
"""

from __future__ import annotations

import re

from gateway.errors import ConfigError, Finding

MAX_BYTES = 64 * 1024 * 1024
"""A million rows of common length; more is a mistake."""

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
LONE_CR = re.compile(rb"\r(?!\n)")
AS_UTF8 = "save the file as UTF-8 without a byte order mark"


def read_lines(path: str, data: bytes) -> list[str]:
    """The lines, without their ends; the last one is what follows the last line end. Raises ``ConfigError``."""
    findings = [*_encoding(path, data)]
    if not findings:
        match = LONE_CR.search(data)
        if match:
            what = "a carriage return without a line feed"
            findings.append(Finding(path, _line(data, match.start()), what, "end lines with LF or CRLF"))
    if findings:
        raise ConfigError(findings)
    return data.decode("utf-8").replace("\r\n", "\n").split("\n")


def _encoding(path: str, data: bytes) -> list[Finding]:
    if len(data) > MAX_BYTES:
        return [Finding(path, 0, f"the file is larger than {MAX_BYTES} bytes", "split the work between deployments")]
    if data.startswith(UTF16_MARKS) or (len(data) > 3 and data[:64].count(0) * 3 > len(data[:64])):
        return [Finding(path, 1, "the file is UTF-16 (a spreadsheet may have saved it as Unicode text)", AS_UTF8)]
    if data.startswith(b"\xef\xbb\xbf"):
        return [Finding(path, 1, "the file starts with a byte order mark (a spreadsheet may have saved it)", AS_UTF8)]
    nul = data.find(0)
    if nul >= 0:
        return [Finding(path, _line(data, nul), "a NUL byte", "restore the file: it is damaged or no text")]
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return [Finding(path, _line(data, error.start), "bytes that are not UTF-8 (GBK?)", AS_UTF8)]
    return []


def _line(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + data[:offset].replace(b"\r\n", b"").count(b"\r") + 1
