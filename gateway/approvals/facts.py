"""What a rule needs to know of one document, read from its body, and the manifest a vote is bound to.

Every amount is an exact decimal on its whole way. A field that is missing, or an amount or currency that is not exactly what it
should be, is the caller's mistake and is told with its place; nothing is guessed, trimmed or rounded.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation, Rounded
from typing import Any

import rfc8785

from gateway.approvals.compare import account_key
from gateway.approvals.file import CURRENCIES, DIGITS, PLAIN_DECIMAL, Path, Rule
from gateway.errors import FieldError, Unprocessable
from gateway.exchange import ABSENT

MOST_ERRORS = 100
"""Errors told of one document; the rest of a hostile body is not looked at."""

MOST_LEVELS = 512
"""The deepest body any deployment may accept (``json_depth``)."""

_FRACTION = 5
"""fractionDigits of ISO 20022's ActiveOrHistoricCurrencyAndAmount, for currencies without a minor unit."""

_EXACT = Context(prec=200, traps=[Inexact, Rounded, InvalidOperation])
_NO_AMOUNT = 'must be a plain decimal above zero in a JSON string, such as "12.50"'


# --- facts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One payment: its amount, the payee's account as written and the key it is compared by, the payee's name."""

    amount: Decimal
    account: str
    key: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Immutable. ``lines`` has one line for a document that is one payment; a batch has several, and ``lines_at`` says where in
    the body they stand. ``initiator`` is what the body says: whether it counts, the caller decides."""

    lines: tuple[Line, ...]
    currency: str
    entity: str
    target: str
    initiator: str | None = None
    attachments: tuple[str, ...] = ()
    lines_at: Path | None = None

    @property
    def batch(self) -> bool:
        return self.lines_at is not None

    @property
    def amount(self) -> Decimal:
        """All lines together."""
        return total(line.amount for line in self.lines)

    @property
    def payees(self) -> dict[str, Decimal]:
        """What each payee's account gets, by key, in the order of the lines: what a ledger keeps to find siblings by."""
        amounts: dict[str, Decimal] = {}
        for line in self.lines:
            amounts[line.key] = _EXACT.add(amounts.get(line.key, Decimal(0)), line.amount)
        return amounts


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum, whatever precision the thread's context has."""
    result = Decimal(0)
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return result


def facts_of(rule: Rule, value: object, target: str) -> Facts:
    """The facts of a body. ``value`` is its JSON value, in which numbers may be ``Decimal``; ``target`` names where it will be
    sent. Raises ``Unprocessable`` with a pointer for each field that is missing or wrong."""
    read = _Reader()
    currency = read.currency(value, rule.currency)
    entity = "" if rule.entity is None else read.text(value, rule.entity)
    lines = read.lines(rule, value, currency)
    initiator = None if rule.initiator is None else read.text(value, rule.initiator, required=False)
    attachments = () if rule.attachments is None else read.attachments(value, rule.attachments)
    if read.errors:
        summary = f"{read.errors[0].pointer or 'the body'} {read.errors[0].detail}"
        raise Unprocessable(summary if len(read.errors) == 1 else f"{len(read.errors)} fields are wrong", errors=read.errors)
    return Facts(tuple(lines), currency, entity, target, initiator or None, attachments, rule.lines)


class _Reader:
    """Reads fields and keeps what is wrong with them."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def wrong(self, pointer: str, detail: str) -> None:
        self.errors.append(FieldError(pointer, detail))

    def text(self, value: object, path: Path, base: str = "", *, required: bool = True) -> str:
        pointer, found = base + _pointer(path), _at(value, path)
        if found is ABSENT or found is None:
            if required:
                self.wrong(pointer, "is missing")
            return ""
        if not isinstance(found, str):
            self.wrong(pointer, "must be a JSON string")
            return ""
        if required and not account_key(found):
            self.wrong(pointer, "is empty")
        return found

    def currency(self, value: object, path: Path) -> str:
        code = self.text(value, path)
        if code and code not in CURRENCIES:
            self.wrong(_pointer(path), "must be a currency code of ISO 4217, such as CNY")
        return code

    def lines(self, rule: Rule, value: object, currency: str) -> list[Line]:
        if rule.lines is None:
            return [self.line(rule, value, "", currency)]
        pointer, found = _pointer(rule.lines), _at(value, rule.lines)
        if not isinstance(found, list) or not found:
            self.wrong(pointer, "must be a list with at least one line")
            return []
        lines = []
        for number, item in enumerate(found):
            lines.append(self.line(rule, item, f"{pointer}/{number}", currency))
            if len(self.errors) >= MOST_ERRORS:
                break
        return lines

    def line(self, rule: Rule, value: object, base: str, currency: str) -> Line:
        amount = self.amount(_at(value, rule.amount), base + _pointer(rule.amount), currency)
        account = self.text(value, rule.payee, base)
        name = "" if rule.payee_name is None else self.text(value, rule.payee_name, base, required=False)
        return Line(amount, account, account_key(account), name)

    def amount(self, found: object, pointer: str, currency: str) -> Decimal:
        """An exact amount above zero. A float is refused: what the sender wrote is no longer known."""
        if found is ABSENT or found is None:
            self.wrong(pointer, "is missing")
            return Decimal(0)
        text = found if isinstance(found, str) else _digits(found)
        if not PLAIN_DECIMAL.fullmatch(text) or not text.strip("0."):
            self.wrong(pointer, _NO_AMOUNT)
            return Decimal(0)
        scale = CURRENCIES.get(currency)
        most = _FRACTION if scale is None else scale
        if len(text.partition(".")[2]) > most:
            self.wrong(pointer, f"has more digits after the decimal point than the {most} of {currency or 'any currency'}")
        elif len(text.replace(".", "")) > DIGITS:
            self.wrong(pointer, f"has more than {DIGITS} digits")
        else:
            return Decimal(text)
        return Decimal(0)

    def attachments(self, value: object, path: Path) -> tuple[str, ...]:
        """Names: the list's texts, or the ``name`` of its objects."""
        found = _at(value, path)
        if found is ABSENT or found is None:
            return ()
        names = [item.get("name") if isinstance(item, dict) else item for item in found] if isinstance(found, list) else [None]
        if all(isinstance(name, str) for name in names):
            return tuple(str(name) for name in names)
        self.wrong(_pointer(path), "must be a list of names, or of objects with a name")
        return ()


def _digits(found: object) -> str:
    """A JSON number as plain digits; empty for anything else. ``str`` writes a large or small ``Decimal`` with an exponent."""
    if isinstance(found, bool) or not isinstance(found, int | Decimal):
        return ""
    return "" if isinstance(found, int) and found.bit_length() > 64 else str(found)


def _at(value: object, path: Path) -> object:
    for name in path:
        if not isinstance(value, dict):
            return ABSENT
        value = value.get(name, ABSENT)
    return value


def _pointer(path: Sequence[str]) -> str:
    """RFC 6901."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)


# --- the manifest ----------------------------------------------------------------------------------------------------


def manifest(facts: Facts, value: object, revision: int) -> dict[str, Any]:
    """What a person agrees to, as a JSON value: the fields they are shown, and the hash of the whole body, so that nothing that
    will be sent can change under a vote. A batch lists its lines, each with its own hash under the document's.
    Raises ``Unprocessable`` for a body that has no canonical form."""
    shown: dict[str, Any] = {
        "revision": revision,
        "target": facts.target,
        "entity": facts.entity,
        "currency": facts.currency,
        "amount": format(facts.amount, "f"),
        "initiator": facts.initiator,
        "attachments": list(facts.attachments),
        "payload": payload_hash(value),
    }
    payees = [{"account": line.account, "name": line.name} for line in facts.lines]
    if facts.lines_at is None:
        return shown | {"payee": payees[0]}
    items: Any = _at(value, facts.lines_at)
    amounts = [
        {"amount": format(line.amount, "f"), "payload": payload_hash(item)} for line, item in zip(facts.lines, items, strict=True)
    ]
    return shown | {"lines": [{"payee": payee, **amount} for payee, amount in zip(payees, amounts, strict=True)]}


def manifest_hash(manifest: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON (RFC 8785) of a manifest, 64 hexadecimal digits: what a vote names."""
    return _sha256(dict(manifest))


def payload_hash(value: object) -> str:
    """SHA-256 over a canonical form of a JSON value, 64 hexadecimal digits.

    RFC 8785 writes numbers as IEEE doubles, in which two amounts can be one. Here a number is ``["number", digits]`` with the
    digits as they stand and a list is ``["list", …]``, so that no two values share a form; the rest is RFC 8785. The form follows
    the value as it was parsed: ``1.0`` is not ``1``, and a parser that makes floats gives another hash than one that makes
    decimals. Raises ``Unprocessable`` for what JSON cannot hold or what is nested too deeply.
    """
    return _sha256(_tagged(value, (), 0))


def _sha256(value: Any) -> str:
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()


def _tagged(value: object, path: tuple[str, ...], depth: int) -> Any:
    # One frame a level, so that the deepest body leaves room on the interpreter's stack.
    if depth > MOST_LEVELS:
        raise _no_form(path[:8], f"is nested more than {MOST_LEVELS} levels deep")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _unicode(value, path)
    if isinstance(value, dict):
        fields = {}
        for name, inner in value.items():
            fields[_unicode(name, path)] = _tagged(inner, (*path, name), depth + 1)
        return fields
    if isinstance(value, list):
        items: list[Any] = ["list"]
        for number, inner in enumerate(value):
            items.append(_tagged(inner, (*path, str(number)), depth + 1))
        return items
    return ["number", _number(value, path)]


def _number(value: object, path: tuple[str, ...]) -> str:
    if isinstance(value, int) and value.bit_length() <= 4096:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    raise _no_form(path, "is no JSON value")


def _unicode(text: object, path: tuple[str, ...]) -> str:
    try:
        if isinstance(text, str):
            text.encode()
            return text
    except UnicodeEncodeError as error:
        raise _no_form(path, "holds text that is not Unicode") from error
    raise _no_form(path, "has a name that is no text")


def _no_form(path: tuple[str, ...], detail: str) -> Unprocessable:
    return Unprocessable(f"the body {detail}", errors=[FieldError(_pointer(path), detail)])
