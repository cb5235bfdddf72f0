"""Where the files of a contract come from: the WSDL, and the WSDLs and schemas it names by relative location.

Files come from disk below no other root than the operator's own choice of WSDL, or through the ``fetch`` the operator handed
in for a WSDL URL, and then only from that URL's own origin. No DTD, no entity, no ``file:`` or other scheme, no fetch nobody
asked for: what lies elsewhere stays unread and is remembered, so that only operations needing it are affected.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from lxml import etree

from gateway.config.files import read_file
from gateway.errors import ConfigError, Finding

Fetch = Callable[[str], bytes]
Node = etree._Element

MAX_FILES = 1_000
MAX_BYTES = 64 * 1024 * 1024


class Unavailable(Exception):
    """A document that is named but not read on purpose; the message says why."""


def is_url(location: str) -> bool:
    return urlsplit(location).scheme in ("http", "https")


@dataclass(frozen=True, slots=True)
class Document:
    """A document a contract was read from.

    :param written: its path before symbolic links were followed; of a URL the URL.
    :param location: where it was read, absolute.
    """

    written: str
    location: str
    sha256: str


class Documents:
    """The documents of one contract, each parsed once. Raises ``ConfigError`` for one that is missing or broken."""

    def __init__(self, source: str, fetch: Fetch | None = None) -> None:
        self.source = source if is_url(source) else str(Path(source).absolute())
        self._fetch = fetch
        self._roots: dict[str, Node] = {}
        self._bytes = 0
        self._written = {self.source: self.source}
        self._digests: dict[str, str] = {}

    def read(self) -> tuple[Document, ...]:
        """What has been read so far, the WSDL first."""
        digests = self._digests
        return tuple(Document(written, at, digests[at]) for written, at in self._written.items() if at in digests)

    def root(self) -> Node:
        return self.load(self.source, None)

    def load(self, location: str, referrer: Node | None) -> Node:
        """The root element at an absolute location; ``referrer`` is the node that names it."""
        known = self._roots.get(location)
        if known is not None:
            return known
        if len(self._roots) >= MAX_FILES:
            raise self._problem(referrer, f"the contract has more than {MAX_FILES} files", "split it")
        data = self._read(location, referrer)
        self._bytes += len(data)
        if self._bytes > MAX_BYTES:
            raise self._problem(referrer, f"the contract is larger than {MAX_BYTES >> 20} MiB", "split it")
        root = parse(data, location)
        self._roots[location] = root
        self._digests[location] = hashlib.sha256(data).hexdigest()
        return root

    def resolve(self, location: str, referrer: Node) -> str:
        """The absolute form of a location found in a document. Raises ``Unavailable`` for one that is not to be read."""
        location = location.strip()
        if is_url(self.source):
            target = urljoin(place(referrer), location)
            if urlsplit(target)[:2] != urlsplit(self.source)[:2]:
                raise Unavailable(f"{location} is on another host than the WSDL and is not fetched")
            self._written[target] = target
            return target
        if urlsplit(location).scheme and not _is_drive(location):
            raise Unavailable(f"{location} is not a file beside the WSDL and is not fetched")
        location = location.replace("\\", "/").partition("#")[0]
        if location.startswith("/") or _is_drive(location) or "\0" in location:
            raise Unavailable(f"{location} is an absolute path, only relative ones are read")
        written = Path(Path(place(referrer)).parent, location)
        return self._written.setdefault(str(written), str(written.resolve()))

    def _read(self, location: str, referrer: Node | None) -> bytes:
        if not is_url(location):
            try:
                return read_file(Path(location))
            except OSError as error:
                what = f"{location} cannot be read ({error.strerror})"
                raise self._problem(referrer, what, "check the path") from error
        if self._fetch is None:
            raise self._problem(referrer, f"{location} is a URL and no fetching is configured", "save it to a file")
        return self._fetch(location)

    def _problem(self, referrer: Node | None, what: str, remedy: str) -> ConfigError:
        if referrer is None:
            return ConfigError([Finding(self.source, 0, what, remedy)])
        return problem(referrer, what, remedy)


def _is_drive(location: str) -> bool:
    return len(location) > 1 and location[1] == ":"


def parse(data: bytes, location: str) -> Node:
    """Parse a contract file: no DTD, no entities, no network. Raises ``ConfigError``."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True)
    try:
        if _declares_doctype(data):
            raise ConfigError([Finding(location, 1, "the file has a DOCTYPE", "remove it: document types are not read")])
        root = etree.fromstring(data, parser, base_url=location)
    except etree.XMLSyntaxError as error:
        line = int(error.lineno or 0)
        raise ConfigError([Finding(location, line, f"not well-formed XML: {error.msg}", "correct the file")]) from error
    if root is None or has_doctype(root):
        raise ConfigError([Finding(location, 1, "the file has a DOCTYPE or no content", "remove it")])
    return root


def _declares_doctype(data: bytes) -> bool:
    """Look for a DOCTYPE in every encoding libxml2 detects before any declaration in it can be processed."""
    head = data.replace(b"\0", b"")
    return b"<!DOCTYPE" in head or b"<!ENTITY" in head


def has_doctype(root: Node) -> bool:
    docinfo: Any = root.getroottree().docinfo
    return bool(docinfo.doctype)


def place(node: Node) -> str:
    """The location of the document a node is in."""
    return str(node.getroottree().docinfo.URL or "")


def problem(node: Node, what: str, remedy: str) -> ConfigError:
    """The configuration error that points at a node."""
    line: Any = node.sourceline
    return ConfigError([Finding(place(node), int(line or 0), what, remedy)])


def children(node: Node, *tags: str) -> Iterator[Node]:
    """Child elements, of these Clark names when any are given."""
    return node.iterchildren(*(tags or ("*",)))
