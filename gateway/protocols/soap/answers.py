"""Bytes of an answer into an element tree: no document type, no entity, no surprise.

The text is brought to UTF-8 first, whatever it says it is, so that no encoding can hide a DOCTYPE from the one check there is.
Two trees are in use: the standard library's C tree is the fast one; lxml's keeps namespace prefixes, for QNames and raw XML.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, Final
from xml.etree import ElementTree
from xml.parsers import expat

from lxml import etree

from gateway.errors import BadAnswer

_DECLARED = re.compile(rb"""^<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")
_PLAIN = re.compile(rb"""<\?xml version="1\.0" encoding="(?:utf|UTF)-8"[^>]{0,20}\?>""").match
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ENCODINGS: Final = frozenset(
    [
        "utf-8",
        "us-ascii",
        "ascii",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "iso8859-1",
        "iso8859-2",
        "iso8859-15",
        "cp1252",
        "cp1250",
        "cp1251",
        "gb2312",
        "gbk",
        "gb18030",
        "big5",
        "shift_jis",
        "euc_jp",
        "euc_kr",
    ]
)


def tree(data: bytes) -> Any:
    """The root element, as the standard library has it. Raises ``BadAnswer``."""
    data = utf8(data)
    try:
        root = ElementTree.XML(data, ElementTree.XMLParser(encoding="utf-8"))  # noqa: S314
    except (ElementTree.ParseError, ValueError) as error:
        raise BadAnswer("the answer is not well-formed XML") from error
    return root


def tree_with_namespaces(data: bytes) -> Any:
    """The root element, as lxml has it. Raises ``BadAnswer``."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        strip_cdata=True,
        huge_tree=True,
        encoding="utf-8",
    )
    try:
        return etree.fromstring(utf8(data), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadAnswer("the answer is not well-formed XML") from error


def utf8(data: bytes) -> bytes:
    """The document in UTF-8. Raises ``BadAnswer`` when it has a document type or an encoding nobody uses for XML."""
    encoding = "utf-8" if data[:2] == b"<?" and _PLAIN(data) else _encoding(data)
    if encoding != "utf-8":
        try:
            data = data.decode(encoding).encode()
        except (UnicodeError, LookupError) as error:
            raise BadAnswer(f"the answer is not valid {encoding}") from error
    if b"<!DOCTYPE" in data and _has_doctype(data):
        raise BadAnswer("the answer has a document type, which SOAP forbids")
    return data


def read_as(data: bytes, charset: str) -> bytes:
    """The document in UTF-8, read in the encoding its media type names. Raises ``BadAnswer``."""
    name = _supported(charset)
    try:
        return data.decode(name).encode()
    except UnicodeError as error:
        raise BadAnswer(f"the answer is not valid {name}") from error


def _encoding(data: bytes) -> str:
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name
    if data[:2] in (b"\0<", b"<\0"):
        return "utf-16-be" if data[0] == 0 else "utf-16-le"
    declared = _DECLARED.match(data[:200])
    if declared is None:
        return "utf-8"
    name = _supported(declared[1].decode("ascii"))
    if name.startswith("utf-16"):
        raise BadAnswer("the answer declares an encoding that is not its own")
    return name


def _supported(declared: str) -> str:
    try:
        name = codecs.lookup(declared).name
    except LookupError:
        name = ""
    if name not in _ENCODINGS:
        raise BadAnswer("the answer declares an encoding that is not supported")
    return name


class _Doctype(Exception):
    pass


def _has_doctype(data: bytes) -> bool:
    """Whether the prolog has a document type; the text alone may stand in a comment or CDATA section."""

    def stop(*_: object) -> None:
        raise _Doctype

    parser = expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = stop
    try:
        parser.Parse(data, True)
    except _Doctype:
        return True
    except expat.ExpatError:
        return False
    return False
