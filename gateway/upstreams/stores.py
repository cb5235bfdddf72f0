"""What belongs to upstreams and outlives a snapshot: connection pools, and contracts already read.

A reload that does not change an upstream's settings keeps its client with all its connections; a contract is read again only when
one of its documents changed, and a start takes it from disk when none has.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydantic.main import IncEx

from gateway.config.files import read_file
from gateway.config.gateway import Upstream
from gateway.config.source import Place, Source
from gateway.errors import ConfigError
from gateway.ports import Client
from gateway.protocols.soap.documents import Document, Documents, is_url
from gateway.protocols.soap.model import Contract
from gateway.protocols.soap.wsdl import link
from gateway.upstreams.certificates import key_pair
from gateway.upstreams.contract_cache import ContractCache, unchanged
from gateway.upstreams.http1 import Http1Client
from gateway.upstreams.httpx_client import HttpxClient, fetch_document
from gateway.upstreams.settings import ClientSettings, parse_base_url, tls_context

log = structlog.get_logger()

ADAPTERS: dict[str, Callable[[str, ClientSettings], Client]] = {"http1": Http1Client, "httpx": HttpxClient}


# Settings that make no difference to connections.
_ELSEWHERE: Mapping[str, IncEx | bool] = {
    "headers": True,
    "forward": True,
    "security": True,
    "credentials": {"basic": True, "bearer": True},
}


class Clients:
    """One client per upstream and settings."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def client(self, name: str, url: str, upstream: Upstream, source: Source, folder: Path) -> Client:
        """The client of an upstream. Raises ``ConfigError`` for an address or certificate that cannot be used."""
        key = f"{name} {url} {upstream.model_dump_json(exclude=_ELSEWHERE)} {_files(upstream, folder)}"
        if key not in self._clients:
            self._clients[key] = ADAPTERS[upstream.adapter](url, _settings(upstream, ("upstreams", name), url, source, folder))
        return self._clients[key]

    def retire(self, client: Client) -> None:
        """No snapshot uses this client any more: close it once its calls have ended."""
        self._clients = {key: known for key, known in self._clients.items() if known is not client}
        task = asyncio.get_running_loop().create_task(client.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        await asyncio.gather(*self._closing, *(client.aclose() for client in self._clients.values()))


def _settings(upstream: Upstream, place: Place, url: str, source: Source, folder: Path) -> ClientSettings:
    try:
        parse_base_url(url)
    except ValueError as error:
        raise ConfigError([source.finding((*place, "url"), f"'url' is {url!r}", str(error))]) from error
    tls = _tls(upstream, place, url, source, folder)
    return ClientSettings(
        connections=upstream.connections,
        timeout=upstream.timeout,
        connect_timeout=upstream.connect_timeout,
        answer_limit=upstream.answer_limit,
        tls=tls,
    )


def _tls(upstream: Upstream, place: Place, url: str, source: Source, folder: Path) -> ssl.SSLContext | None:
    """Trust and client certificate, or ``None`` for the usual."""
    own = upstream.credentials.client_certificate if upstream.credentials else None
    shown: Place = (*place, "credentials", "client_certificate")
    if own is not None and not url.startswith("https:"):
        raise ConfigError(
            [source.finding(shown, f"'client_certificate' is for TLS, and 'url' is {url!r}", "use an https:// URL")]
        )
    if own is not None:
        key_pair(own, shown, source, folder)
    try:
        authority = folder / upstream.ca_file if upstream.ca_file else None
        if own is None:
            return tls_context(authority) if authority else None
        key = folder / own.key_file if own.key_file else None
        return tls_context(
            authority, folder / own.certificate_file, key, own.password.get_secret_value() if own.password else None
        )
    except OSError as error:
        what = f"'ca_file' cannot be used ({error.strerror or 'no certificate in it'})"
        raise ConfigError(
            [source.finding((*place, "ca_file"), what, "name a PEM file with the authority's certificate")]
        ) from error


def _files(upstream: Upstream, folder: Path) -> str:
    """A digest of what the files say, so that a changed certificate makes a new client at the next reload."""
    own = upstream.credentials.client_certificate if upstream.credentials else None
    digest = hashlib.sha256()
    for name in (upstream.ca_file, *((own.certificate_file, own.key_file) if own else ())):
        if name is not None and (folder / name).is_file():
            digest.update(hashlib.sha256(read_file(folder / name)).digest())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Known:
    """A contract with the documents it was read from."""

    contract: Contract
    documents: tuple[Document, ...]


class Contracts:
    """Contracts by WSDL. One is read again only when a document it was read from has changed.

    :param fetch: reads a URL; raises ``OSError``.
    :param writable: whether what was read is kept on disk, or only what others kept there is used.
    """

    def __init__(self, fetch: Callable[[str], bytes] = fetch_document, *, writable: bool = True) -> None:
        self._fetch = fetch
        self._writable = writable
        self._known: dict[str, _Known] = {}

    def contract(self, wsdl: str, folder: Path, cache: Path | None = None) -> Contract:
        """The contract of a WSDL, a path below ``folder`` or a URL. Raises ``ConfigError``, or ``OSError`` when a URL cannot be
        fetched and never could; a contract that could be fetched before stays good, because an ERP that is down must not keep a
        policy from being changed.

        :param cache: the folder where contracts are kept from one start to the next.
        """
        kept = ContractCache(cache, writable=self._writable) if cache is not None else None
        if is_url(wsdl):
            return self._remote(wsdl, kept)
        source = str((folder / wsdl).absolute())
        try:
            found = self._kept(source, _read_file, kept)
        except OSError:
            found = None  # Reading the contract says which file cannot be read, and who names it.
        return self._remember(source, found or _read(source, None, kept))

    def _remote(self, url: str, cache: ContractCache | None) -> Contract:
        pages: dict[str, bytes] = {}

        def fetch(location: str) -> bytes:
            if location not in pages:
                pages[location] = self._fetch(location)
            return pages[location]

        try:
            return self._remember(url, self._kept(url, fetch, cache) or _read(url, fetch, cache))
        except OSError as error:
            if url not in self._known:
                raise
            log.warning("contract.kept", url=url, reason=str(error))
            return self._known[url].contract

    def _kept(self, source: str, read: Callable[[str], bytes], cache: ContractCache | None) -> _Known | None:
        """The contract as it was read before, if it is still the same. Raises ``OSError`` when a document cannot be read."""
        known = self._known.get(source)
        if known is not None:
            return known if unchanged(known.documents, read) else None
        found = cache.get(source, read) if cache is not None else None
        return _Known(*found) if found is not None else None

    def _remember(self, source: str, known: _Known) -> Contract:
        self._known[source] = known
        return known.contract


def _read(source: str, fetch: Callable[[str], bytes] | None, cache: ContractCache | None) -> _Known:
    documents = Documents(source, fetch)
    known = _Known(link(documents), documents.read())
    if cache is not None:
        cache.put(known.documents, known.contract)
    return known


def _read_file(location: str) -> bytes:
    return read_file(Path(location))
