"""Where a request came from when proxies stand in front: the nearest address that is none of theirs.

Each proxy adds to ``X-Forwarded-For``, on its right, whom it heard. What stands further left a client may have made up, so the
list is read from the right, and only as long as whoever wrote an entry is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address

from gateway.exchange import Headers
from gateway.scope.conditions import Network, within

HOPS = 16
"""More proxies than anybody has in a row; what is longer was made up."""

_ENTRY = re.compile(rb"[ \t]*(?:\[([0-9A-Fa-f:.]{2,45})\](?::\d{1,5})?|([0-9.]{7,15})(?::\d{1,5})?|([0-9A-Fa-f:.]{2,45}))[ \t]*")
"""An address, with the port some proxies add."""


def origin(peer: str, headers: Headers, proxies: Sequence[Network]) -> str:
    """The address of whoever called, ``peer`` itself unless it is one of ``proxies``. Empty where a proxy wrote what is no
    address: then nothing holds that depends on one."""
    listed = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    entries = listed.rsplit(b",", HOPS) if listed else []
    address = peer
    while entries and within(address, proxies):
        address = _address(entries.pop())
    return address


def _address(entry: bytes) -> str:
    found = _ENTRY.fullmatch(entry)
    if found is None:
        return ""
    try:
        return str(ip_address((found[1] or found[2] or found[3]).decode("ascii")))
    except ValueError:
        return ""
