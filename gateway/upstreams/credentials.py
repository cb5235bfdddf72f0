"""How requests prove to an upstream who sends them: the Authorization header, and what of it anybody on the way could read."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from gateway.config.credentials import Credentials
from gateway.config.gateway import Upstream
from gateway.config.source import Place, Source
from gateway.config.values import Address
from gateway.errors import Finding
from gateway.exchange import Headers

_CLEAR: Final = "goes over the network in the clear"


def authorization(section: Credentials | None) -> Headers:
    """HTTP basic (RFC 7617, UTF-8) or bearer (RFC 6750), or nothing."""
    if section is None:
        return []
    if section.basic is not None:
        pair = f"{section.basic.user}:{section.basic.password.get_secret_value()}"
        return [(b"authorization", b"Basic " + base64.b64encode(pair.encode()))]
    if section.bearer is not None:
        return [(b"authorization", b"Bearer " + section.bearer.get_secret_value().encode("ascii"))]
    return []


def in_the_clear(upstream: Upstream, url: str, place: Place, source: Source) -> Iterator[Finding]:
    """A warning for each secret that travels to another machine without TLS."""
    parts = urlsplit(url)
    if parts.scheme == "https" or Address(parts.hostname or "", 0).loopback:
        return
    if authorization(upstream.credentials):
        yield source.finding((*place, "credentials"), f"the credential {_CLEAR}", "use an https:// URL")
    security = upstream.security
    if security is not None and security.password is not None and not security.digest:
        yield source.finding((*place, "security", "password"), f"the password {_CLEAR}", "use an https:// URL, or 'digest: true'")
