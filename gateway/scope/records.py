"""Which records somebody sees: named predicates of a closed list, and where an operation carries what they ask for.

A predicate's values add up: any of them will do. Different predicates must all hold. A record that does not carry what is asked
for is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from gateway.scope.fields import Path

OWN = "own"
AMOUNT = "amount-up-to"
PREDICATES = ("entity", "cost-centre", "satellite", AMOUNT)
"""What p3 rows may say."""

_AMOUNT = re.compile(r"(\d{1,18}(?:\.\d{1,6})?) ([A-Z]{3})")
_NUMBER = re.compile(r"-?\d{1,30}(?:\.\d{1,18})?")


class Who(NamedTuple):
    """The caller, as ``own`` means it: its name is a record's satellite, its tenant a record's legal entity."""

    subject: str
    tenant: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operation carries what one predicate asks for.

    :param at: the path below a record.
    :param filter: the request parameter by which the backend narrows.
    :param currency: the path of an amount's currency.
    """

    at: Path | None = None
    filter: str | None = None
    currency: Path | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """Immutable. What a route file says of an operation's records.

    :param within: the path of the list of records in an answer; empty where the answer itself is one, or a list of them.
    :param places: by predicate.
    :param reference: the path of the ERP's number of what was written.
    :param counts: the paths of an answer's numbers of records.
    """

    within: Path = ()
    places: Mapping[str, Place] = field(default_factory=dict)
    reference: Path = ()
    counts: tuple[Path, ...] = ()


Predicates = Mapping[str, frozenset[str]]
"""Values by predicate."""


def check_predicate(name: str, value: str) -> None:
    """Raises ``ValueError`` with what and remedy for a predicate or value nobody could judge."""
    if name not in PREDICATES:
        low = name.lower()
        remedy = f"write '{low}' in lower case" if low in PREDICATES else f"use one of {', '.join(PREDICATES)}"
        raise ValueError(f"'{name}' is no predicate", remedy)
    if name == AMOUNT and not _AMOUNT.fullmatch(value):
        raise ValueError(f"'{value}' is no amount", "write a number and a currency, such as 50000.00 CNY")
    if name == "satellite" and value != OWN:
        raise ValueError(f"'{value}' is no satellite", "write 'own': each satellite sees the records it made")


def permitted(name: str, values: frozenset[str], who: Who) -> frozenset[str]:
    """The values with ``own`` made plain."""
    mine = {"satellite": who.subject, "entity": who.tenant}.get(name)
    return frozenset(mine if value == OWN and mine is not None else value for value in values)


def holds(name: str, values: frozenset[str], record: object, place: Place, who: Who) -> bool:
    """Whether a record is one the predicate lets through. Where it carries several values, all of them must be."""
    found = list(_at(record, place.at)) if place.at is not None else []
    if not found:
        return False
    if name == AMOUNT:
        currencies = {str(one) for one in _at(record, place.currency)} if place.currency else set()
        return len(currencies) == 1 and _within_amount(found, currencies.pop(), values)
    allowed = permitted(name, values, who)
    return all(isinstance(one, str | int) and not isinstance(one, bool) and str(one) in allowed for one in found)


def _within_amount(found: list[object], currency: str, values: frozenset[str]) -> bool:
    limits = [Decimal(number) for number, limited in map(str.split, values) if limited == currency]
    amounts = [_number(one) for one in found]
    return bool(limits) and all(amount is not None and abs(amount) <= max(limits) for amount in amounts)


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    text = str(value)
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _at(value: object, path: Path) -> Iterator[object]:
    """Everything at a path, through lists."""
    if isinstance(value, list):
        for item in value:
            yield from _at(item, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def sees(predicates: Predicates, record: object, records: Records, who: Who) -> bool:
    """Whether all predicates hold of a record; one that only the backend can judge has been judged there."""
    for name, values in predicates.items():
        place = records.places.get(name)
        if place is None or (place.at is None and place.filter is None):
            return False
        if place.at is not None and not holds(name, values, record, place, who):
            return False
    return True


def seen_of(predicates: Predicates, answer: object, records: Records, who: Who) -> tuple[object, bool]:
    """An answer with only the records that are seen, and whether it is seen at all: a single record may not be. How many others
    there are is not told."""
    for path in records.counts:
        answer = _without(answer, path)
    return _seen(predicates, answer, records.within, records, who)


def _without(value: object, path: Path) -> object:
    """A value without what is at a path, through lists."""
    if isinstance(value, list):
        return [_without(item, path) for item in value]
    if not isinstance(value, dict) or path[0] not in value:
        return value
    rest = {name: inner for name, inner in value.items() if name != path[0]}
    return {**value, path[0]: _without(value[path[0]], path[1:])} if path[1:] else rest


def _seen(predicates: Predicates, value: object, within: Path, records: Records, who: Who) -> tuple[object, bool]:
    if isinstance(value, list):
        if within:
            return [_seen(predicates, item, within, records, who)[0] for item in value], True
        return [item for item in value if sees(predicates, item, records, who)], True
    if not within:
        return value, sees(predicates, value, records, who)
    if not isinstance(value, dict) or within[0] not in value:
        return value, True
    inner, seen = _seen(predicates, value[within[0]], within[1:], records, who)
    return {**value, within[0]: inner if seen else None}, True
