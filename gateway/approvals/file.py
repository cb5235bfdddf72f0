"""``policies/approvals.yaml`` as values: which writes wait for how many people, and for how long.

The file is written by financial controllers. Whatever could make a rule weaker than it reads is an error with its line: a
threshold that is no exact decimal, a currency that does not exist, a name given twice in two spellings, fewer than two people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from holidays import list_supported_countries
from iso4217 import Currency
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from gateway.approvals.calendar import Calendar
from gateway.approvals.compare import account_key
from gateway.config.source import Source, validate
from gateway.config.values import Seconds, Section, written, wrong

Path = tuple[str, ...]

DIGITS = 18
"""Most digits of an amount: totalDigits of ISO 20022's ActiveOrHistoricCurrencyAndAmount."""

CURRENCIES: Mapping[str, int | None] = {currency.code: currency.exponent for currency in Currency}
"""ISO 4217: the digits after the decimal point of each currency; None where it has no minor unit, as gold."""

PLAIN_DECIMAL = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")

_PATH = re.compile(r"\$(?:\.[^\s.\[\]{}()*?@$'\"]+)*")
_OPERATION = re.compile(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_YEAR = 366 * 86400


def _path(text: Any) -> Path:
    if not isinstance(text, str) or not _PATH.fullmatch(text):
        raise wrong(f"is {text!r}", "write $ and names joined by dots, such as $.payee.account")
    return tuple(text.split(".")[1:])


def _amount(value: Any) -> Decimal:
    if isinstance(value, float):
        raise wrong(f"is {value!r}, a number with a fraction, which is not exact", 'put it in quotes, such as "500000.50"')
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not PLAIN_DECIMAL.fullmatch(text) or len(text.replace(".", "")) > DIGITS:
        raise wrong(f"is {value!r}", f'write a plain decimal of at most {DIGITS} digits, such as 500000 or "500000.50"')
    return Decimal(text)


def _currency(code: str) -> str:
    if code not in CURRENCIES:
        raise wrong(f"is {code!r}", "use a code of ISO 4217, such as CNY")
    return code


def _operation(name: str) -> str:
    if not _OPERATION.fullmatch(name):
        raise wrong(f"is {name!r}", "write an operation id, such as payments.create")
    return name


def _people(required: int) -> int:
    if not 2 <= required <= 20:
        raise wrong(f"is {required}", "write how many people must agree, 2 to 20; where nobody must, remove the rule")
    return required


def _distinct(entities: dict[str, Any]) -> dict[str, Any]:
    seen: dict[str, str] = {}
    for name in entities:
        if not (key := account_key(name)) or key in seen:
            what = f"names '{name}', which is '{seen[key]}'" if key else f"names {name!r}, which cannot be seen"
            raise wrong(what, "name each legal entity once")
        seen[key] = name
    return entities


def _day(text: Any) -> date:
    try:
        if isinstance(text, str) and len(text) == 10:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise wrong(f"is {text!r}", "write a date as YYYY-MM-DD, such as 2026-12-24")


def _hours(text: Any) -> tuple[int, int]:
    match = _HOURS.fullmatch(text) if isinstance(text, str) else None
    if match:
        opens = int(match[1]) * 60 + int(match[2])
        closes = int(match[3]) * 60 + int(match[4]) if match[3] else 24 * 60
        if closes - opens >= 60:
            return opens, closes
    raise wrong(f"is {text!r}", 'write when work begins and ends on one day, an hour apart or more, such as "09:00-18:00"')


def _zone(text: Any) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (TypeError, ValueError, LookupError, OSError) as error:
        raise wrong(f"is {text!r}, which this machine does not know", "use a name such as Asia/Shanghai") from error


def _country(code: str) -> str:
    if not re.fullmatch("[A-Z]{2}", code) or code not in list_supported_countries(include_aliases=False):
        raise wrong(
            f"is {code!r}, whose holidays are not known", "use a code of ISO 3166, such as CN, or list the days off in 'closed'"
        )
    return code


_PATH_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^\$(\.[^\s.\[\]{}()*?@$'\"]+)*$", "examples": ["$.payee.account"]})
_AMOUNT_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^(0|[1-9][0-9]*)(\.[0-9]+)?$"}]}
)
_DAY_SCHEMA = WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "examples": ["2026-12-24"]})

FieldPath = Annotated[Path, BeforeValidator(_path), _PATH_SCHEMA]
Amount = Annotated[Decimal, BeforeValidator(_amount), _AMOUNT_SCHEMA]
CurrencyCode = Annotated[str, AfterValidator(_currency)]
Thresholds = Annotated[dict[CurrencyCode, Amount], Field(min_length=1)]
Entities = Annotated[dict[str, Thresholds], AfterValidator(_distinct)]
Day = Annotated[date, BeforeValidator(_day), _DAY_SCHEMA]
Days = Annotated[list[Day], Field(max_length=5000)]
Hours = Annotated[tuple[int, int], BeforeValidator(_hours), WithJsonSchema({"type": "string", "examples": ["09:00-18:00"]})]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Asia/Shanghai"]})]
Role = Annotated[str, Field(min_length=1, max_length=200)]
Wait = Annotated[Seconds, Field(gt=0, le=_YEAR)]


class Escalate(Section):
    """Who takes over a hold that nobody decided."""

    to: Role = Field(description="Casbin role that may approve too, once the time has passed.")
    after: Wait = Field(written("24h"), description="How long the approvers have before.")


class Rule(Section):
    """When one operation's documents wait for people, and which people."""

    amount: FieldPath = Field(description="Where the amount stands in the body, such as `$.amount`; with `lines`, in each line.")
    currency: FieldPath = Field(description="Where the currency stands in the body, an ISO 4217 code.")
    entity: FieldPath | None = Field(None, description="Where the paying legal entity stands in the body.")
    payee: FieldPath = Field(description="Where the payee's bank account stands; with `lines`, in each line.")
    payee_name: FieldPath | None = Field(None, description="Where the payee's name stands; with `lines`, in each line.")
    initiator: FieldPath | None = Field(
        None, description="Where the person who asks stands; counts only from satellites that vouch for it."
    )
    attachments: FieldPath | None = Field(None, description="Where the list of attachments stands, for their names.")
    lines: FieldPath | None = Field(None, description="Where the list of payments stands, when one document holds several.")
    over: Thresholds = Field(description="Amounts by currency: strictly more is held, and so is any currency not listed.")
    entities: Entities = Field({}, description="Amounts by currency for a legal entity, in the place of `over`.")
    window: Wait | None = Field(
        None, description="Payments to one account within this time count together; left out, each counts alone."
    )
    required: Annotated[int, AfterValidator(_people)] = Field(2, description="How many people must agree, two at least.")
    approvers: Role = Field(description="Casbin role of those who may approve.")
    remind: Wait = Field(written("4h"), description="When those who can approve are reminded.")
    escalate: Escalate | None = Field(None, description="Who takes over, and when: `{to: cfo, after: 24h}`.")
    expires: Wait = Field(written("72h"), description="When a hold that nobody decided ends, and nothing is sent.")
    execute_within: Wait = Field(
        written("24h"), description="When an approved document that was not sent must not be sent any more."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Rule:
        if self.entities and self.entity is None:
            raise wrong("has 'entities' and does not say where the entity stands", "add 'entity:', such as $.entity")
        if self.escalate is not None and self.escalate.after >= self.expires:
            raise wrong("expires before it escalates", "give 'expires' more time than 'after' of 'escalate'")
        if self.remind >= self.expires:
            raise wrong("expires before it reminds", "give 'expires' more time than 'remind'")
        return self

    def threshold(self, entity: str, currency: str) -> Decimal | None:
        """The amount that passes; ``None`` when the rule has none for this currency."""
        key = account_key(entity)
        own = next((over for name, over in self.entities.items() if account_key(name) == key), self.over)
        return own.get(currency)


class CalendarEntry(Section):
    """Which time counts for reminders, escalation and expiry."""

    timezone: Zone = Field(description="Time zone of the hours.")
    hours: Hours = Field(written("00:00-24:00"), description="Working hours: `24h` is 24 of these, not a day.")
    country: Annotated[str, AfterValidator(_country)] | None = Field(
        None, description="ISO 3166 country whose public holidays and working weekends count."
    )
    closed: Days = Field([], description="Days off beside them.")
    open: Days = Field([], description="Working days in spite of them.")

    @model_validator(mode="after")
    def _consistent(self) -> CalendarEntry:
        if both := set(self.closed) & set(self.open):
            raise wrong(f"has {min(both)} both closed and open", "keep one of the two")
        return self


class ApprovalsFile(Section):
    """The rules by operation id, and the business calendar."""

    calendar: CalendarEntry | None = Field(None, description="Business time; left out, all time counts.")
    approvals: dict[Annotated[str, AfterValidator(_operation)], Rule] = Field(description="Rules by operation id.")


@dataclass(frozen=True, slots=True)
class Approvals:
    """Immutable. The rules of a deployment by operation id. ``source`` gives findings their lines."""

    source: Source
    rules: Mapping[str, Rule]
    calendar: Calendar | None = None

    def after(self, start: float, seconds: float) -> float:
        """The moment when ``seconds`` of business time have passed since ``start``, both Unix seconds. Without a calendar all
        time counts."""
        return start + seconds if self.calendar is None else self.calendar.after(start, seconds)


def read_approvals(source: Source) -> Approvals:
    """What the file says. Raises ``ConfigError`` with every finding."""
    file = validate(source, ApprovalsFile)
    return Approvals(source, file.approvals, None if file.calendar is None else _calendar(file.calendar))


def _calendar(entry: CalendarEntry) -> Calendar:
    return Calendar(entry.timezone, entry.hours, entry.country, frozenset(entry.closed), frozenset(entry.open))
