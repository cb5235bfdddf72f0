"""When and from where a call may come: hours of the week in a named time zone, networks in CIDR notation (RFC 4632).

Values are parsed once, when the policy is read; a context is judged against them. Whatever cannot be judged does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = re.compile(
    r"(?:(?P<first>[A-Z][a-z]{2})(?:-(?P<last>[A-Z][a-z]{2}))? )?(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)(?: (?P<zone>\S+))?"
)
_DAY = 24 * 60

Network = IPv4Network | IPv6Network


class Context(NamedTuple):
    """The circumstances of one call: Unix time in seconds, and the address it came from."""

    now: float
    address: str


@dataclass(frozen=True, slots=True)
class Hours:
    """From ``start`` until before ``end``, in minutes of the day, on days of the week that count from Monday. An end at or before
    the start is on the following day."""

    days: frozenset[int]
    start: int
    end: int
    zone: ZoneInfo

    def hold(self, now: float) -> bool:
        local = datetime.fromtimestamp(now, UTC).astimezone(self.zone)
        minute, today = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        yesterday = (local.date() - timedelta(days=1)).weekday()
        return (today in self.days and minute >= self.start) or (yesterday in self.days and minute < self.end)


@lru_cache(maxsize=1024)
def parse_hours(text: str) -> Hours:
    """``Mon-Fri 08:00-18:00 Asia/Shanghai``; without days it is every day. Raises ``ValueError`` with what and remedy."""
    match = _HOURS.fullmatch(text)
    remedy = "write days, hours and a time zone, such as Mon-Fri 08:00-18:00 Asia/Shanghai"
    if match is None or not match["zone"]:
        raise ValueError(f"'{text}' is no time" if match is None else f"'{text}' names no time zone", remedy)
    names = [name for name in (match["first"], match["last"]) if name]
    if any(name not in DAYS for name in names):
        raise ValueError(f"'{text}' names no day of the week", f"write days as {', '.join(DAYS)}")
    first, last = (DAYS.index(names[0]), DAYS.index(names[-1])) if names else (0, 6)
    start, end = _minutes(match["start"]), _minutes(match["end"])
    if start is None or end is None or start in (_DAY, end):
        raise ValueError(f"'{text}' has no hours", "write them from 00:00 to 24:00, such as 08:00-18:00")
    try:
        zone = ZoneInfo(match["zone"])
    except (ValueError, LookupError, OSError) as error:
        raise ValueError(f"'{match['zone']}' is no time zone this machine knows", remedy) from error
    days = frozenset((first + number) % 7 for number in range((last - first) % 7 + 1))
    return Hours(days, start, end, zone)


def _minutes(text: str) -> int | None:
    minutes = int(text[:2]) * 60 + int(text[3:])
    return minutes if minutes <= _DAY and int(text[3:]) < 60 else None


@lru_cache(maxsize=4096)
def parse_network(text: str) -> Network:
    """``10.20.0.0/16``, or one address. Raises ``ValueError`` with what and remedy."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"'{text}' is no network", "write a network such as 10.20.0.0/16, or an address") from error


def within(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks; an IPv4 address inside IPv6 counts as IPv4 (RFC 4291 section 2.5.5.2)."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip.version == network.version and ip in network for network in networks)
