"""Contracts on disk, as data, so that a start need not read a large WSDL again.

An entry is named by the hash of the WSDL, of where it lies and of the code that reads contracts, and holds the hash of every
other document it was read from. It counts only when all of them are still the same, the file is whole, and nobody else could have
written it. Anything else is left alone, said in the log and made anew: this is never a reason not to start.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

import orjson
import structlog

from gateway.protocols import soap
from gateway.protocols.soap.documents import Document, is_url
from gateway.protocols.soap.model import Contract
from gateway.protocols.soap.stored import dump, load

log = structlog.get_logger()

FORMAT: Final = b"erp-gateway contract 1\n"
MOST_ENTRIES: Final = 64
MOST_BYTES: Final = 256 * 1024 * 1024
"""That are read of an entry; the documents of a contract have at most 64 MiB."""
_FORGOTTEN: Final = 3600.0
_SUFFIX: Final = ".contract"

Read = Callable[[str], bytes]
"""The document at a location. Raises ``OSError``."""


class Ignored(Exception):
    """A folder or entry that cannot be trusted or used; the message says why."""


class ContractCache:
    """A folder of entries.

    :param folder: made with mode 0700 when it is not there; it should hold nothing else.
    :param writable: whether entries are made, or only used.
    """

    def __init__(self, folder: Path, *, writable: bool = True) -> None:
        self._folder = folder
        self._writable = writable

    def get(self, source: str, read: Read) -> tuple[Contract, tuple[Document, ...]] | None:
        """The contract of the WSDL at an absolute location with the documents it was read from, when there is one and none of
        them has changed. Raises ``OSError`` when ``read`` does."""
        path = self._folder / _name(source, hashlib.sha256(read(source)).hexdigest())
        try:
            data = self._entry(path)
            if data is None:
                return None
            documents, contract = _parts(data)
            if documents[0].location != source:
                raise Ignored("it is of another contract")
        except (OSError, ValueError, Ignored) as problem:
            log.warning("contract_cache.ignored", path=str(path), reason=str(problem))
            return None
        return (contract, documents) if unchanged(documents, read) else None

    def put(self, documents: tuple[Document, ...], contract: Contract) -> None:
        """Keep a contract; ``documents`` begin with its WSDL."""
        if not self._writable:
            return
        path = self._folder / _name(documents[0].location, documents[0].sha256)
        try:
            payload = _payload(documents, contract)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check(os.lstat(self._folder), stat.S_ISDIR)
            _write(path, FORMAT + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
            self._prune()
        except (OSError, ValueError, Ignored) as problem:
            log.warning("contract_cache.not_written", path=str(path), reason=str(problem))

    def _entry(self, path: Path) -> bytes | None:
        """What stands in an entry behind its head. Raises ``Ignored`` and ``OSError``."""
        try:
            _check(os.lstat(self._folder), stat.S_ISDIR)
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        try:
            _check(os.fstat(descriptor), stat.S_ISREG)
        except Ignored:
            os.close(descriptor)
            raise
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(MOST_BYTES)
            with suppress(OSError):
                os.utime(descriptor)
        if not data.startswith(FORMAT):
            raise Ignored("it is no contract of this version")
        digest, _, payload = data[len(FORMAT) :].partition(b"\n")
        if digest != hashlib.sha256(payload).hexdigest().encode():
            raise Ignored("it is damaged")
        return payload

    def _prune(self) -> None:
        """Remove the entries longest unused, and what a process that was killed left half written."""
        found = sorted(((file.stat().st_mtime, Path(file)) for file in os.scandir(self._folder)), reverse=True)
        entries = [path for _, path in found if path.suffix == _SUFFIX]
        left = [path for since, path in found if path.suffix != _SUFFIX and since < time.time() - _FORGOTTEN]
        for path in (*entries[MOST_ENTRIES:], *left):
            with suppress(FileNotFoundError):
                path.unlink()


def unchanged(documents: tuple[Document, ...], read: Read) -> bool:
    """Whether all documents are what they were. Raises ``OSError`` when ``read`` does."""
    local = not is_url(documents[0].location)
    for document in documents:
        if local and document is not documents[0] and str(Path(document.written).resolve()) != document.location:
            return False
        if hashlib.sha256(read(document.location)).hexdigest() != document.sha256:
            return False
    return True


def _name(source: str, digest: str) -> str:
    parts = (_reader(), os.fsencode(source), digest.encode())
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest() + _SUFFIX


@cache
def _reader() -> bytes:
    """The code that reads contracts: what another version made of the same documents is not what this one would."""
    folder = Path(soap.__file__).parent
    return b"".join(hashlib.sha256(path.read_bytes()).digest() for path in sorted(folder.glob("*.py")))


def _payload(documents: tuple[Document, ...], contract: Contract) -> bytes:
    try:
        head = orjson.dumps([[document.written, document.location, document.sha256] for document in documents])
    except orjson.JSONEncodeError as error:
        raise ValueError(f"a path is no text: {error}") from error
    return head + b"\n" + dump(contract)


def _parts(payload: bytes) -> tuple[tuple[Document, ...], Contract]:
    """Raises ``ValueError``."""
    head, _, body = payload.partition(b"\n")
    rows = orjson.loads(head)
    try:
        documents = tuple(Document(*(str(part) for part in row)) for row in rows)
    except TypeError as error:
        raise ValueError("its documents are no documents") from error
    if not documents:
        raise ValueError("it names no documents")
    return documents, load(body)


def _check(status: os.stat_result, is_kind: Callable[[int], bool]) -> None:
    """Raises ``Ignored`` for what another user owns or could have changed."""
    if not is_kind(status.st_mode):
        raise Ignored("it is of another kind than expected")
    if status.st_uid != os.geteuid():
        raise Ignored("it belongs to another user")
    if status.st_mode & 0o077:
        raise Ignored(f"others may use it (mode {stat.S_IMODE(status.st_mode):04o}): take that right away")


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
