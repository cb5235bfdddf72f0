"""A contract's files in one folder: the WSDL and every WSDL and schema it names, collected once, with hashes in a lock file.

Files are read by relative path, URLs only from hosts somebody named; ``file:``, absolute paths, link-local addresses and
redirects are refused. References between the files are rewritten to names in the folder, so that at run time nothing is left to
be fetched.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import socket
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urldefrag, urljoin, urlsplit

import orjson
from lxml import etree

from gateway.contracts.text import one_line
from gateway.errors import ConfigError, Finding
from gateway.protocols.soap.documents import MAX_BYTES, MAX_FILES, Fetch, Node, Unavailable, is_url, parse, problem
from gateway.protocols.soap.model import XSD

WSDL = "http://schemas.xmlsoap.org/wsdl/"
LOCK = "contract.lock"
REFERENCES = {f"{{{WSDL}}}import": "location"} | {
    f"{{{XSD}}}{tag}": "schemaLocation" for tag in ("import", "include", "redefine")
}
PORTS = {"http": 80, "https": 443}

Resolve = Callable[[str], list[str]]
"""Host name to its addresses. Raises ``OSError``."""


@dataclass(frozen=True, slots=True)
class Page:
    """One file of a pinned contract.

    :param origin: where it came from: a URL, or a path relative to the WSDL.
    :param data: its bytes as pinned; ``original`` is the SHA-256 of what was read.
    """

    name: str
    origin: str
    data: bytes
    original: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A whole contract. The first page is the WSDL; ``unread`` are references left alone, each with the reason."""

    source: str
    pages: tuple[Page, ...]
    unread: tuple[tuple[str, str], ...]

    @property
    def wsdl(self) -> str:
        return self.pages[0].name

    def write(self, folder: Path) -> None:
        """Write the files and the lock into a folder, which is made when it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        for page in self.pages:
            (folder / page.name).write_bytes(page.data)
        (folder / LOCK).write_bytes(self.lock())

    def lock(self) -> bytes:
        """The lock file: where each file came from, and its hash before and after references were rewritten."""
        files = [
            {"name": page.name, "from": page.origin, "sha256": _sha256(page.data), "original_sha256": page.original}
            for page in self.pages
        ]
        unread = [{"location": location, "why": why} for location, why in self.unread]
        lock = {"source": self.source, "wsdl": self.wsdl, "files": files, "unread": unread}
        return orjson.dumps(lock, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def verify(folder: Path, name: str) -> list[Finding]:
    """What in a folder is not as its lock file says, called ``name`` in findings; nothing for a folder without a lock."""
    path = folder / LOCK
    if not path.is_file():
        return []
    remedy = "import the contract again with --force, or put back what was imported"
    try:
        files = {str(file["name"]): str(file["sha256"]) for file in orjson.loads(path.read_bytes())["files"]}
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return [Finding(f"{name}/{LOCK}", 0, "is no lock file", remedy)]
    found = []
    for file, digest in files.items():
        pinned = folder / PurePosixPath(file).name
        if not pinned.is_file():
            found.append(Finding(f"{name}/{one_line(file)}", 0, "is in the lock file and not in the folder", remedy))
        elif _sha256(pinned.read_bytes()) != digest:
            found.append(Finding(f"{name}/{one_line(file)}", 0, "is not what was imported: its hash has changed", remedy))
    return found


def addresses(host: str) -> list[str]:
    """What a host name stands for. Raises ``OSError``."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


def collect(source: str, *, hosts: Collection[str] = (), fetch: Fetch, resolve: Resolve = addresses) -> Bundle:
    """Read a contract from a path or URL with everything it names.

    :param hosts: hosts that may be fetched from beside the source's own, as ``host`` or ``host:port``.
    :param fetch: reads a URL without following redirects; raises ``OSError``.
    Raises ``ConfigError`` for a file that is missing, broken or refused where the contract cannot do without it.
    """
    collector = _Collector(source, hosts, fetch, resolve)
    collector.run()
    return collector.bundle()


class _Collector:
    def __init__(self, source: str, hosts: Collection[str], fetch: Fetch, resolve: Resolve) -> None:
        self.source = source
        self.start = source if is_url(source) else str(Path(source).resolve())
        self.fetch, self.resolve = fetch, resolve
        self.hosts = {host.lower() for host in hosts} | ({_place(source)} if is_url(source) else set())
        self.read: dict[str, bytes] = {}
        self.roots: dict[str, Node] = {}
        self.targets: dict[str, dict[str, str]] = {}
        self.unread: dict[str, str] = {}

    def run(self) -> None:
        """Read everything, breadth first."""
        pending: list[tuple[str, Node | None]] = [(self.start, None)]
        for location, referrer in pending:
            if location not in self.roots:
                self._load(location, referrer)
                pending += self._follow(location)

    def _load(self, location: str, referrer: Node | None) -> None:
        if len(self.roots) >= MAX_FILES:
            raise self._wrong(referrer, f"the contract has more than {MAX_FILES} files", "split it")
        try:
            if is_url(location):
                self._admit(location)
                data = self.fetch(location)
            else:
                data = Path(location).read_bytes()
        except (OSError, Unavailable) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise self._wrong(referrer, f"{location} cannot be read: {why}", "check the path or URL") from error
        self.read[location] = data
        if sum(map(len, self.read.values())) > MAX_BYTES:
            raise self._wrong(referrer, f"the contract is larger than {MAX_BYTES >> 20} MiB", "split it")
        self.roots[location] = parse(data, location)

    def _wrong(self, referrer: Node | None, what: str, remedy: str) -> ConfigError:
        return problem(referrer, what, remedy) if referrer is not None else ConfigError([Finding(self.source, 0, what, remedy)])

    def _follow(self, location: str) -> Iterator[tuple[str, Node]]:
        targets = self.targets.setdefault(location, {})
        for node, attribute in _references(self.roots[location]):
            written = node.get(attribute, "")
            try:
                target = self._target(location, written)
            except Unavailable as why:
                if attribute == "location":
                    raise problem(node, str(why), "name its host with --allow-host, or save it beside the WSDL") from why
                self.unread[written] = str(why)
                continue
            targets[written] = target
            yield target, node

    def _target(self, base: str, written: str) -> str:
        """The absolute location of a reference. Raises ``Unavailable``."""
        location = written.strip()
        if is_url(base) or is_url(location):
            target = urldefrag(urljoin(base, location) if is_url(base) else location)[0]
            self._admit(target)
            return target
        location = location.replace("\\", "/").partition("#")[0]
        if urlsplit(location).scheme or location.startswith("/") or "\0" in location:
            raise Unavailable(f"{one_line(written)} is not a relative path and is not read")
        return str(Path(Path(base).parent, location).resolve())

    def _admit(self, url: str) -> None:
        """Raises ``Unavailable`` for a URL nobody allowed."""
        shown = one_line(url)
        if not is_url(url):
            raise Unavailable(f"{shown} is no http or https URL and is not read")
        try:
            place, host = _place(url), urlsplit(url).hostname or ""
        except ValueError as error:
            raise Unavailable(f"{shown} is no URL") from error
        default = place.rpartition(":")[2] == str(PORTS[urlsplit(url).scheme])
        if place not in self.hosts and not (default and host in self.hosts):
            raise Unavailable(f"{shown} is on the host {host}, which was not named, and is not fetched")
        for address in self._addresses(host):
            if address.is_link_local or address.is_multicast or address.is_unspecified:
                raise Unavailable(f"{shown} leads to the address {address} and is not fetched")

    def _addresses(self, host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
        try:
            found = [ipaddress.ip_address(text.partition("%")[0]) for text in self.resolve(host)]
        except (OSError, UnicodeError) as error:
            raise Unavailable(f"the host {one_line(host)} is not known") from error
        return [getattr(address, "ipv4_mapped", None) or address for address in found]

    def bundle(self) -> Bundle:
        names: dict[str, str] = {}
        for location, root in self.roots.items():
            names[location] = _file_name(location, "wsdl" if root.tag == f"{{{WSDL}}}definitions" else "xsd", set(names.values()))
        pages = [
            Page(name, self._origin(location), self._rewritten(location, names), _sha256(self.read[location]))
            for location, name in names.items()
        ]
        shown = self.source if is_url(self.source) else Path(self.source).name
        return Bundle(shown, tuple(pages), tuple((one_line(location), why) for location, why in self.unread.items()))

    def _origin(self, location: str) -> str:
        if is_url(location):
            return location
        folder = Path(self.start).parent
        up = next((level for level, parent in enumerate((folder, *folder.parents)) if Path(location).is_relative_to(parent)), 0)
        return "../" * up + Path(location).relative_to((folder, *folder.parents)[up]).as_posix()

    def _rewritten(self, location: str, names: dict[str, str]) -> bytes:
        """The file's bytes, changed only where a reference does not say the new name already."""
        targets = self.targets[location]
        if all(names[target] == written for written, target in targets.items()):
            return self.read[location]
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        root = etree.fromstring(self.read[location], parser)
        for node, attribute in _references(root):
            target = targets.get(node.get(attribute, ""))
            if target is not None:
                node.set(attribute, names[target])
        return etree.tostring(root.getroottree(), encoding="utf-8", xml_declaration=True)


def _references(root: Node) -> Iterator[tuple[Node, str]]:
    """The nodes that name another file, with the attribute that does."""
    for node in root.iter(*REFERENCES):
        attribute = REFERENCES[str(node.tag)]
        if node.get(attribute):
            yield node, attribute


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or PORTS[parts.scheme]}"


def _file_name(location: str, suffix: str, taken: Collection[str]) -> str:
    parts = urlsplit(location) if is_url(location) else None
    last = PurePosixPath(parts.path if parts else location).name
    stem = last.rpartition(".")[0] if last.lower().endswith((".wsdl", ".xsd", ".xml", ".asmx", ".svc", ".php")) else last
    if parts and parts.query and parts.query.lower() not in ("wsdl", "singlewsdl"):
        stem += f"-{parts.query}"
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-")[:60] or "contract"
    others = {name.lower() for name in taken}
    number, made = 1, f"{stem}.{suffix}"
    while made.lower() in others:
        number += 1
        made = f"{stem}-{number}.{suffix}"
    return made


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
