"""What belongs to upstreams and outlives a snapshot: connection pools, and contracts already read.

A reload that does not change an upstream's settings keeps its client with all its connections; a contract is read again only when
one of its files changed.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from gateway.config.gateway import Upstream
from gateway.config.source import Place, Source
from gateway.errors import ConfigError
from gateway.ports import Client
from gateway.protocols.soap.model import Contract
from gateway.protocols.soap.wsdl import read_contract
from gateway.upstreams.http1 import Http1Client
from gateway.upstreams.httpx_client import HttpxClient, fetch_document
from gateway.upstreams.settings import ClientSettings, parse_base_url, tls_context

log = structlog.get_logger()

ADAPTERS: dict[str, Callable[[str, ClientSettings], Client]] = {"http1": Http1Client, "httpx": HttpxClient}


class Clients:
    """One client per upstream and settings."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def client(self, name: str, url: str, upstream: Upstream, source: Source, folder: Path) -> Client:
        """The client of an upstream. Raises ``ConfigError`` for an address or certificate that cannot be used."""
        key = f"{name} {url} {upstream.model_dump_json(exclude={'headers', 'forward'})}"
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
    try:
        tls = tls_context(folder / upstream.ca_file) if upstream.ca_file else None
    except OSError as error:
        what = f"'ca_file' cannot be used ({error.strerror or 'no certificate in it'})"
        raise ConfigError(
            [source.finding((*place, "ca_file"), what, "name a PEM file with the authority's certificate")]
        ) from error
    return ClientSettings(
        connections=upstream.connections,
        timeout=upstream.timeout,
        connect_timeout=upstream.connect_timeout,
        answer_limit=upstream.answer_limit,
        tls=tls,
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """A contract with what it was read from: a digest for files, the documents themselves for a URL."""

    contract: Contract
    digest: str = ""
    pages: Mapping[str, bytes] = field(default_factory=dict)


class Contracts:
    """Contracts by WSDL. One is read again only when what it was read from has changed.

    :param fetch: reads a URL; raises ``OSError``.
    """

    def __init__(self, fetch: Callable[[str], bytes] = fetch_document) -> None:
        self._fetch = fetch
        self._known: dict[str, _Known] = {}

    def contract(self, wsdl: str, folder: Path) -> Contract:
        """The contract of a WSDL, a path below ``folder`` or a URL. Raises ``ConfigError``, or ``OSError`` when a URL cannot be
        fetched and never could; a contract that could be fetched before stays good, because an ERP that is down must not keep a
        policy from being changed."""
        if "://" in wsdl:
            return self._remote(wsdl)
        path = folder / wsdl
        known, digest = self._known.get(str(path)), _digest(path)
        if known is None or known.digest != digest:
            known = self._known[str(path)] = _Known(read_contract(path), digest)
        return known.contract

    def _remote(self, url: str) -> Contract:
        known = self._known.get(url)
        pages: dict[str, bytes] = {}

        def fetch(location: str) -> bytes:
            if location not in pages:
                pages[location] = self._fetch(location)
            return pages[location]

        try:
            if known is None or any(fetch(location) != page for location, page in known.pages.items()):
                known = self._known[url] = _Known(read_contract(url, fetch=fetch), pages=pages)
        except OSError as error:
            if known is None:
                raise
            log.warning("contract.kept", url=url, reason=str(error))
        return known.contract


def _digest(wsdl: Path) -> str:
    """Of everything beside and below the WSDL that could be part of it."""
    digest = hashlib.sha256()
    for path in sorted(p for p in wsdl.parent.rglob("*") if p.suffix in (".wsdl", ".xsd", ".xml") and p.is_file()):
        digest.update(str(path).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
