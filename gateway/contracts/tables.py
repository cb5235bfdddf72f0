"""A message's fields as rows of a field table: REST name = ERP name, with types, lengths, code lists and documentation.

Rows never promise more than the contract and never refuse what it allows; where no row type fits exactly, the row is ``any`` and
the contract's own codec checks the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from gateway.contracts.fields import Direction, Place
from gateway.contracts.text import exact, one_line
from gateway.mapping.contract import INTEGERS, TEXT
from gateway.mapping.numbers import SAFE
from gateway.mapping.path import show_path
from gateway.protocols.soap import lexical
from gateway.protocols.soap.model import Facets, SimpleType

Row = dict[str, object]

MOST_CODES = 500
LONGEST_CODE = 100

_ATOM = re.compile(r"([A-Za-z0-9_:/ -]|\[(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9_])+\])(\{[0-9]{1,3}(?:,[0-9]{1,3})?\}|\?)?")
_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


def rows(roots: list[Place], direction: Direction) -> list[Row]:
    """The rows of a table that carries everything the places hold."""
    return [row for root in roots for place in root.walk() for row in _rows(place, direction)]


def _rows(place: Place, direction: Direction) -> list[Row]:
    name = show_path(place.path)
    doc: Row = {"doc": one_line(place.doc)} if one_line(place.doc) else {}
    required: Row = {"required": True} if place.required and direction == "request" else {}
    found: list[Row] = []
    if place.repeated:
        bounds = _items(place) if direction == "request" else {}
        if required or bounds or (doc and place.children):
            found.append({"rest": name, "erp": name, "type": "list", **bounds, **required, **(doc if place.children else {})})
    elif place.children and ((direction == "request" and place.required != _needed(place)) or doc):
        found.append({"rest": name, "type": "object", **required, **doc})
    if place.children:
        return found
    form = _form(place, direction)
    nullable: Row = {"nullable": True} if place.nillable and form.get("type") != "any" else {}
    return [*found, {"rest": name, "erp": name, **form, **({} if place.repeated else required), **nullable, **doc}]


def _needed(place: Place) -> bool:
    """Whether a table takes an object for required without being told."""
    return any(child.required for child in place.children or ())


def _items(place: Place) -> Row:
    bounds: Row = {"min": place.least} if place.least else {}
    return _ordered(bounds | ({"max": place.most} if place.most is not None else {}))


def _ordered(bounds: Row) -> Row:
    """Bounds a value can meet; a contract that crosses them is left to its codec."""
    low, high = bounds.get("min"), bounds.get("max")
    if low is None or high is None or Decimal(str(low)) <= Decimal(str(high)):
        return bounds
    return {key: value for key, value in bounds.items() if key not in ("min", "max")}


def _form(place: Place, direction: Direction) -> Row:
    """The row's type and what bounds it."""
    type = place.type
    if not isinstance(type, SimpleType) or type.variety == "list":
        return {"type": "any"}
    if type.variety == "union":
        form: Row = {}
    elif type.builtin in INTEGERS:
        form = _integer(type)
    elif type.builtin in TEXT:
        form = _text(type)
    else:
        other = _OTHERS.get(type.builtin)
        form = other(type.facets) if other is not None else {}
    if place.repeated and not form.get("type") and direction == "answer":
        return {"type": "any"}  # an empty text in a list is an item, which a row of type string would refuse
    return form


def _octets(facets: Facets) -> Row:
    """A length of base64Binary or hexBinary counts octets, that of a string row characters."""
    return {} if facets.length is None and facets.max_length is None else {"type": "any"}


def _moment(type: str) -> Callable[[Facets], Row]:
    return lambda facets: {"type": type} if facets.enumeration is None else {}


def _decimal(facets: Facets) -> Row:
    form: Row = {"type": "decimal"}
    if facets.fraction_digits is not None and facets.fraction_digits <= 30:
        form["scale"] = facets.fraction_digits
    if facets.fraction_digits == 0 and 0 < (facets.total_digits or 0) <= 60:
        form["digits"] = facets.total_digits
    for key, bound in (("min", facets.min_inclusive), ("max", facets.max_inclusive)):
        if bound is not None and _DECIMAL.fullmatch(bound.strip()):
            form[key] = bound.strip()
    return _ordered(form)


_OTHERS: dict[str, Callable[[Facets], Row]] = {
    "boolean": lambda _: {"type": "boolean"},
    "decimal": _decimal,
    "float": lambda _: {"type": "any"},
    "double": lambda _: {"type": "any"},
    "date": _moment("date"),
    "dateTime": _moment("datetime"),
    "base64Binary": _octets,
    "hexBinary": _octets,
}
"""Every other built-in travels as its text."""


def _integer(type: SimpleType) -> Row:
    if not lexical.is_number(type):
        return {"type": "decimal", "scale": 0}
    low, high = lexical.integer_range(type)
    bounds: Row = {}
    if low is not None and low > -(2**31):
        bounds["min"] = max(low, -SAFE)
    if high is not None and high < 2**31 - 1:
        bounds["max"] = min(high, SAFE)
    return _ordered({"type": "integer", **bounds})


def _text(type: SimpleType) -> Row:
    facets = type.facets
    if facets.enumeration is not None and _codes(type):
        return {"type": "codes", "values": {code: code for code in facets.enumeration}}
    form: Row = {}
    least = facets.length if facets.length is not None else facets.min_length
    most = facets.length if facets.length is not None else facets.max_length
    if least:
        form["min"] = least
    if most is not None:
        form["max"] = most
    form = _ordered(form)
    if len(facets.patterns) == 1 and len(facets.patterns[0]) == 1 and _plain(facets.patterns[0][0]):
        form["pattern"] = facets.patterns[0][0]
    return form


def _codes(type: SimpleType) -> bool:
    codes = type.facets.enumeration or ()
    usable = all(code and exact(code) and code == code.strip() and len(code) <= LONGEST_CODE for code in codes)
    return usable and 0 < len(codes) <= MOST_CODES and len(set(codes)) == len(codes) and type.builtin not in lexical.QUALIFIED


def _plain(pattern: str) -> bool:
    """Whether a pattern means the same to XML Schema and Python and cannot be slow: classes and counts, one of them variable."""
    end = variable = 0
    while end < len(pattern):
        match = _ATOM.match(pattern, end)
        if match is None:
            return False
        variable += match[2] is not None and (match[2] == "?" or "," in match[2])
        end = match.end()
    try:
        re.compile(pattern, re.ASCII)
    except re.error:
        return False
    return variable <= 1 and len(pattern) <= 120
