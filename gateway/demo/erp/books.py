"""What the ERP keeps: its master data and its documents, in memory.

A document is found by the ERP's own number or by the sender's. The sender's number is unique within one set of books: a second
document under it is refused, whatever it says, so that a lost answer can be asked for and never booked again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

Fields = dict[str, Any]
"""Values as they came: a name leads to the lexical text, ``None`` (nil), nested fields, or a list of nested fields."""

ENTITIES = frozenset({"1000", "2000"})
UNITS = {"ST": "PC", "KGM": "KG", "MTR": "M"}


def knows_sku(text: str) -> bool:
    return len(text) == 6 and text.isascii() and text.isdigit() and text.startswith("000")


def knows_supplier(text: str) -> bool:
    return _in_range(text, 1000, 1999)


def knows_payee(text: str) -> bool:
    return _in_range(text, 4000, 4999)


def is_date(text: str) -> bool:
    """Whether a text of the form DD/MM/YYYY names a day of the calendar."""
    try:
        date(int(text[6:]), int(text[3:5]), int(text[:2]))
    except ValueError:
        return False
    return True


def _in_range(text: str, first: int, last: int) -> bool:
    return len(text) == 8 and text.isascii() and text.isdigit() and first <= int(text) <= last


class Refusal(Exception):
    """The ERP understood and says no.

    :param field: path of the offending field below the payload, such as ``Positions/Position[3]/MATNR``.
    :param number: the document already there, with code ``DUPLICATE``.
    """

    def __init__(self, code: str, field: str, text: str, number: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.field = field
        self.text = text
        self.number = number


class Books:
    """Numbered documents of one kind.

    :param first: the first number given.
    :param limit: how many documents to remember; the oldest are forgotten first. ``None`` remembers all.
    :param duplicates: accept a sender's number again, as a load test needs.
    """

    def __init__(self, first: int, *, limit: int | None = None, duplicates: bool = False) -> None:
        self._next = first
        self._limit = limit
        self._duplicates = duplicates
        self._documents: dict[str, tuple[str, Fields]] = {}
        self._numbers: dict[str, str] = {}

    def book(self, external: str, field: str, complete: Callable[[str], Fields]) -> Fields:
        """Give the next number and keep what ``complete`` makes of it. Raises ``Refusal`` with ``DUPLICATE``."""
        if not self._duplicates and (known := self._numbers.get(external)):
            raise Refusal("DUPLICATE", field, f"{external} is already booked as {known}", known)
        number = str(self._next)
        document = complete(number)
        self._next += 1
        self._documents[number] = (external, document)
        self._numbers[external] = number
        if self._limit is not None and len(self._documents) > self._limit:
            self._forget_oldest()
        return document

    def find(self, number: str) -> Fields | None:
        held = self._documents.get(number)
        return held[1] if held else None

    def find_external(self, external: str) -> Fields | None:
        number = self._numbers.get(external)
        return self.find(number) if number else None

    def _forget_oldest(self) -> None:
        number = next(iter(self._documents))
        external, _ = self._documents.pop(number)
        if self._numbers.get(external) == number:
            del self._numbers[external]
