"""Two scopes of one caller compared part by part: what the second gives that the first did not, and the other way round.

Rows are not compared but what they leave: a field is seen or not, a value of a predicate, an address or an hour of the week is
let through or not, by the very trees and values that mask and judge a call. Whatever is not named is one part of its own ("any
other").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Any

from gateway.scope.conditions import DAYS, Hours, Network
from gateway.scope.fields import Node, Path, names_in, open_at
from gateway.scope.records import AMOUNT, OWN, Predicates, Who
from gateway.scope.scope import Kind, Scope

DAY = 24 * 60
WEEK = 7 * DAY
ALWAYS = (1 << WEEK) - 1
BOTH = 2
"""The two versions of IP: all of both is no restriction."""


Schema = Callable[[], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Part:
    """One thing a caller has or has not. ``text`` says what; ``kind`` is the type of row that decides it, and ``name`` the
    predicate or condition, or the field at ``path``: all that is in it, or with ``rest`` what no row or contract names there."""

    text: str
    kind: Kind
    name: str = ""
    path: Path = ()
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of an operation's fields: whether it writes, and what gives its JSON Schemas, where it has some. They are
    asked for only where a field differs."""

    writes: bool = True
    request: Schema = field(default=lambda: None, repr=False)
    answer: Schema = field(default=lambda: None, repr=False)


def compare(old: Scope, new: Scope, named: Iterable[Path], shape: Shape, who: Who) -> tuple[list[Part], list[Part]]:
    """What ``new`` gives beyond ``old``, and what it takes away. ``named`` are the fields that rows of either name."""
    gained, lost = seen(old, new, named, shape)
    for found in (_set(old, new, named, shape), _records(old.predicates, new.predicates, who)):
        gained += found[0]
        lost += found[1]
    for ours, theirs, into in ((new, old, gained), (old, new, lost)):
        into += [Part(f"call from {text}", "p4", "network") for text in _networks(ours.networks, theirs.networks)]
        into += [Part(f"call {text}", "p4", "time") for text in _times(ours.hours, theirs.hours)]
    return gained, lost


# --- fields ----------------------------------------------------------------------------------------------------------


def seen(old: Scope, new: Scope, named: Iterable[Path], shape: Shape) -> tuple[list[Part], list[Part]]:
    """The fields that only one of the two shows."""
    return _fields("see", old.fields.seen, new.fields.seen, named, (shape.answer, shape.request))


def _set(old: Scope, new: Scope, named: Iterable[Path], shape: Shape) -> tuple[list[Part], list[Part]]:
    if not shape.writes:
        return [], []
    return _fields("set", old.fields.settable, new.fields.settable, named, (shape.request,))


def _fields(verb: str, old: Node, new: Node, named: Iterable[Path], asked: Iterable[Schema]) -> tuple[list[Part], list[Part]]:
    if old == new:
        return [], []
    schemas = [schema for schema in (ask() for ask in asked) if schema is not None]
    tree: dict[str, Any] = {}
    for path in named:
        here = tree
        for name in path:
            here = here.setdefault(name, {})
    gained: list[Part] = []
    lost: list[Part] = []
    for ours, theirs, into in ((new, old, gained), (old, new, lost)):
        found, whole = _only(verb, (), tree, ours, theirs, schemas)
        into += [Part(f"{verb} every field", "p2")] if whole else found
    return gained, lost


def _only(
    verb: str, path: Path, below: Mapping[str, Any], ours: Node, theirs: Node, schemas: list[Mapping[str, Any]]
) -> tuple[list[Part], bool]:
    """The parts at and below a path that are open in ``ours`` alone, and whether that is all there is at it."""
    here = open_at(ours, path) and not open_at(theirs, path)
    shown = ".".join(path)
    if not below and path:
        return ([Part(f"{verb} {shown}", "p2", shown, path)], True) if here else ([], False)
    known = {name for schema in schemas for name in names_in(schema, path)}
    found: list[Part] = []
    whole = True
    for name in [*below, *sorted(known - below.keys())]:
        parts, all_of_it = _only(verb, (*path, name), below.get(name, {}), ours, theirs, schemas)
        found += parts
        whole = whole and all_of_it
    if not known:
        whole = whole and here
        if here:
            found.append(Part(f"{verb} any other field{f' of {shown}' if shown else ''}", "p2", shown, path, rest=True))
    return ([Part(f"{verb} {shown}", "p2", shown, path)], True) if whole and path else (found, whole)


# --- records ---------------------------------------------------------------------------------------------------------


def _records(old: Predicates, new: Predicates, who: Who) -> tuple[list[Part], list[Part]]:
    gained: list[Part] = []
    lost: list[Part] = []
    for name in sorted(old.keys() | new.keys()):
        ours, theirs = old.get(name), new.get(name)
        for only, beside, into in ((theirs, ours, gained), (ours, theirs, lost)):
            texts = _amounts(only, beside) if name == AMOUNT else _values(name, only, beside, who)
            into += [Part(f"records with {text}", "p3", name) for text in texts]
    return gained, lost


def _values(name: str, ours: frozenset[str] | None, theirs: frozenset[str] | None, who: Who) -> Iterator[str]:
    """``None`` is no predicate: any value."""
    if theirs is None:
        return
    beside = _plain(name, theirs, who)
    if ours is None:
        yield f"another {name} than {', '.join(sorted(beside))}"
        return
    for value in sorted(_plain(name, ours, who) - beside):
        yield f"{name} {value}"


def _plain(name: str, values: frozenset[str], who: Who) -> frozenset[str]:
    """The values with the caller's own legal entity called so, however a row names it."""
    return frozenset(OWN if name == "entity" and value == who.tenant else value for value in values)


def _amounts(ours: frozenset[str] | None, theirs: frozenset[str] | None) -> Iterator[str]:
    """``None`` is any amount; a currency that is not named has none."""
    if theirs is None:
        return
    beside = _highest(theirs)
    mine = None if ours is None else _highest(ours)
    for currency in sorted(beside if mine is None else mine):
        limit, other = None if mine is None else mine[currency], beside.get(currency)
        if limit is None or other is None or limit > other:
            over = "" if other is None else f" over {other}"
            yield f"amounts in {currency}{over}{'' if limit is None else f' up to {limit}'}"
    if mine is None:
        yield f"amounts in another currency than {', '.join(sorted(beside))}"


def _highest(values: frozenset[str]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for number, currency in map(str.split, values):
        found[currency] = max(found.get(currency, Decimal(0)), Decimal(number).normalize() + 0)
    return {currency: Decimal(f"{limit:f}") for currency, limit in found.items()}


# --- conditions ------------------------------------------------------------------------------------------------------


def _networks(ours: Iterable[Network], theirs: Iterable[Network]) -> Iterator[str]:
    """Addresses that only ``ours`` lets through. No network is any."""
    mine, others = _collapsed(ours), _collapsed(theirs)
    if not others:
        return
    if not mine:
        yield f"elsewhere than {', '.join(map(str, others))}"
    around, holes = frozenset(others), _inside(others, frozenset(mine))
    for network in mine:
        if _covering(network, around) is None:
            without = ", ".join(map(str, holes.get(network, ())))
            yield f"{network} without {without}" if without else str(network)


def _collapsed(networks: Iterable[Network]) -> list[Network]:
    networks = list(networks)
    four = [network for network in networks if isinstance(network, IPv4Network)]
    six = [network for network in networks if isinstance(network, IPv6Network)]
    found: list[Network] = [*collapse_addresses(four), *collapse_addresses(six)]
    return [] if sum(network.prefixlen == 0 for network in found) == BOTH else found


def _inside(networks: Iterable[Network], around: frozenset[Network]) -> Mapping[Network, list[Network]]:
    """The networks that lie in one of ``around``, by that one."""
    found: dict[Network, list[Network]] = {}
    for network in networks:
        if (covering := _covering(network, around)) is not None:
            found.setdefault(covering, []).append(network)
    return found


def _covering(network: Network, around: frozenset[Network]) -> Network | None:
    """That of ``around`` which a network lies in, or is."""
    for length in range(network.prefixlen, -1, -1):
        wider: Network = network.supernet(new_prefix=length)
        if wider in around:
            return wider
    return None


def _times(ours: tuple[Hours, ...], theirs: tuple[Hours, ...]) -> Iterator[str]:
    """Minutes of the week that only ``ours`` lets through, zone by zone. No hours are any."""
    others = _weeks(theirs)
    if not others:
        return
    mine = _weeks(ours)
    if not mine:
        yield f"at another time than {', '.join(text for zone, week in others.items() for text in _spans(week, zone))}"
    for zone, week in mine.items():
        yield from (f"at {text}" for text in _spans(week & ~others.get(zone, 0), zone))


def _weeks(hours: Iterable[Hours]) -> dict[str, int]:
    """A bit for each minute of the week, by zone; nothing where every minute has one."""
    weeks: dict[str, int] = {}
    for one in hours:
        length = one.end - one.start if one.start < one.end else one.end + DAY - one.start
        for day in one.days:
            minutes = ((1 << length) - 1) << (day * DAY + one.start)
            weeks[one.zone.key] = weeks.get(one.zone.key, 0) | (minutes | minutes >> WEEK) & ALWAYS
    return {} if ALWAYS in weeks.values() else dict(sorted(weeks.items()))


def _spans(week: int, zone: str) -> Iterator[str]:
    """``Mon-Fri 08:00-18:00 Asia/Shanghai`` for each stretch of a day, with the days that have it."""
    spans: dict[tuple[int, int], list[int]] = {}
    for day in range(7):
        minutes = week >> (day * DAY) & ((1 << DAY) - 1)
        while minutes:
            start = (minutes & -minutes).bit_length() - 1
            run = minutes >> start
            end = start + (~run & (run + 1)).bit_length() - 1
            spans.setdefault((start, end), []).append(day)
            minutes = minutes >> end << end
    for (start, end), days in sorted(spans.items()):
        yield f"{_days(days)}{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02} {zone}"


def _days(days: list[int]) -> str:
    if len(days) == 7:
        return ""
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(DAYS[run[0]] + (f"-{DAYS[run[-1]]}" if len(run) > 1 else "") for run in runs) + " "
