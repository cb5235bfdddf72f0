"""JSON keys as XML names, and JSON pointers as paths of elements."""

from __future__ import annotations

import re

_START = "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u4e00-\u9fa5"
_OTHER = re.compile(rf"[^{_START}0-9.\-]")
_FIRST = re.compile(rf"[^{_START}]")


def ncname(key: str) -> str:
    """The element name of a JSON key. A character no name may hold becomes ``_xHHHH_``, as in SQL/XML (ISO 9075-14 section 9.1)
    and .NET's ``XmlConvert.EncodeLocalName``; so does the underscore of a ``_x``, so that no two keys share a name."""
    if not key:
        return "_x_"
    first, rest = key[0], key[1:].replace("_x", "_x005F_x")
    if key.startswith("_x"):
        first = "_x005F_"
    elif _FIRST.match(first):
        first = _escaped(first)
    return first + _OTHER.sub(lambda found: _escaped(found[0]), rest)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"_x{code:04X}_" if code < 0x10000 else f"_x{code:08X}_"


def element_path(pointer: str) -> str:
    """Where a field error is, in terms of elements: ``/lines/0/sku`` is ``lines[1]/sku``. Parameters are ``path/NAME`` and
    ``query/NAME`` in problems, and plain elements in a message."""
    if not pointer.startswith("/"):
        return ncname(pointer.partition("/")[2]) if "/" in pointer else ""
    found = ""
    for part in pointer[1:].split("/"):
        part = part.replace("~1", "/").replace("~0", "~")
        found += f"[{int(part) + 1}]" if part.isdecimal() and found else f"/{ncname(part)}"
    return found[1:]
