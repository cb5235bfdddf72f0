"""What an upstream client needs to know: where the upstream is, how much and how long is allowed, and whom to trust."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Limits of one upstream's client. Times in seconds, sizes in bytes.

    :param connections: the most connections open at once; further calls wait in line.
    :param timeout: the deadline of a call that does not bring its own: wait for a connection, connect, send, answer and body.
    :param connect_timeout: the most one attempt to connect may take, TLS handshake included.
    :param answer_limit: the largest body, as transferred and as inflated.
    :param head_limit: the largest status line with its headers.
    :param idle: how long an unused connection is kept.
    :param tls: trust for ``https`` upstreams, see ``tls_context``; None trusts the system's authorities.
    :param shuns: whether an IP address must not be spoken to, whatever name led to it. Only ``http1`` asks.
    """

    connections: int = 64
    timeout: float = 30.0
    connect_timeout: float = 5.0
    answer_limit: int = 10 * MIB
    head_limit: int = 64 * 1024
    idle: float = 30.0
    tls: ssl.SSLContext | None = None
    shuns: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """An upstream's address, taken apart. ``prefix`` has no final slash; ``authority`` is what Host says."""

    scheme: str
    host: str
    port: int
    prefix: str
    authority: str


def parse_base_url(url: str) -> BaseUrl:
    """Take apart ``http://host[:port][/prefix]``. Raises ValueError saying what an upstream's address must look like."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("an upstream's address looks like http://host:port/prefix or https://host:port/prefix")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("an upstream's address has no user, query or fragment")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("an upstream's address is plain ASCII without spaces; write the host in its xn-- form")
    parts.hostname.encode("idna")
    default = 443 if parts.scheme == "https" else 80
    port = parts.port or default
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authority = host if port == default else f"{host}:{port}"
    return BaseUrl(parts.scheme, parts.hostname, port, parts.path.rstrip("/"), authority)


def tls_context(
    authority: str | Path | None = None,
    certificate: str | Path | None = None,
    key: str | Path | None = None,
    password: str | None = None,
) -> ssl.SSLContext:
    """Trust for an ``https`` upstream: certificate and host name are always verified, TLS 1.2 at least, HTTP/1.1 only.

    :param authority: PEM file of the certificate authority to trust instead of the system's.
    :param certificate: PEM file of the client certificate, with its chain. ``key``: its private key, if in a file of its own;
        ``password``: of the key.
    :raises OSError: a file cannot be read. ``ssl.SSLError`` is one: a file does not hold what it should.
    """
    context = ssl.create_default_context(cafile=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if certificate is not None:
        # Without a password of ours OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, lambda: password or "")
    return context
