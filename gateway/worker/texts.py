"""What a message says: one sentence and a link. Pure.

A message passes through other people's servers and over lock screens, so of a document it tells its amount, how many people
agreed, and where to look; never an account, a payee or anything else the satellite wrote.
"""

from __future__ import annotations

import gettext
import io
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from gateway.approvals.messages import msgid
from gateway.documents.records import Document
from gateway.people import POLICY_ACTIVATE

LOCALE: Final = Path(__file__).parent / "locale"

SUBJECTS: Final[Mapping[str, str]] = {
    "ask": msgid("Approval needed"),
    "remind": msgid("Reminder: approval needed"),
    "escalate": msgid("Escalated: approval needed"),
    "alarm": msgid("The ERP gateway needs an operator"),
}
SENTENCES: Final[Mapping[str, str]] = {
    "ask": msgid("%(payment)s waits for your approval (%(received)s of %(required)s)."),
    "remind": msgid("%(payment)s still waits for your approval (%(received)s of %(required)s) and expires in %(hours)s h."),
    "escalate": msgid(
        "%(payment)s was not decided in time and now waits for you too (%(received)s of %(required)s); it expires in %(hours)s h."
    ),
}
ALARMS: Final[Mapping[str, str]] = {
    "dead": msgid("%(operation)s: a document could not be delivered, and all tries are used up."),
    "manual": msgid("%(operation)s: a document needs the decision of two operators."),
    "expired": msgid("%(operation)s: an approved document was not sent in time and has expired."),
    "message-given-up": msgid("%(operation)s: people could not be told through the channel %(channel)s that a document waits."),
}
"""By the code of the alarm, or by the state the document came to."""

PAYMENT: Final = msgid("A payment of %(amount)s")
SOME_PAYMENT: Final = msgid("A payment")
POLICY: Final = msgid("A change of policy")
SOME_ALARM: Final = msgid("%(operation)s: a document needs an operator.")
NO_DOCUMENT: Final = msgid("Something in the gateway needs an operator (%(code)s).")

_AMOUNT: Final = re.compile(r"[0-9]{1,60}(?:\.[0-9]{1,60})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


class Text(NamedTuple):
    """``subject`` is for channels that have one, such as mail."""

    subject: str
    body: str


def compose(about: str, data: Mapping[str, Any], document: Document | None, *, now: float, language: str, console: str) -> Text:
    """The message.

    :param about: ask, remind, escalate or alarm. ``data`` is that of its work.
    :param now: Unix seconds. ``console`` is the URL below which documents are shown, without a final slash.
    """
    translate = catalogue(language).gettext
    if document is None:
        sentence = translate(NO_DOCUMENT) % {"code": data.get("code", "alarm")}
        return Text(translate(SUBJECTS["alarm"]), f"{sentence} {console}/")
    if about == "alarm":
        known = ALARMS.get(data.get("code") or data.get("state", ""), SOME_ALARM)
        sentence = translate(known) % {"operation": document.operation, "channel": data.get("channel", "")}
    else:
        sentence = translate(SENTENCES[about]) % _question(document, translate, now)
    return Text(translate(SUBJECTS[about]), f"{sentence} {console}/documents/{quote(document.id, safe='')}")


def _question(document: Document, translate: Any, now: float) -> dict[str, object]:
    hold = document.hold
    if hold is None:
        raise ValueError("nobody is asked about a document without a hold")
    amount = _amount(hold.facts)
    what = POLICY if document.operation == POLICY_ACTIVATE else SOME_PAYMENT
    return {
        "payment": translate(PAYMENT) % {"amount": amount} if amount else translate(what),
        "received": min(hold.received, hold.required),
        "required": hold.required,
        "hours": max(math.ceil((hold.expires_at - now) / 3600), 0),
    }


def _amount(facts: Mapping[str, Any]) -> str:
    """``CNY 500,000.01``; nothing where the facts hold no such amount."""
    amount, currency = facts.get("amount"), facts.get("currency")
    if not (isinstance(amount, str) and isinstance(currency, str)):
        return ""
    if not (_AMOUNT.fullmatch(amount) and _CURRENCY.fullmatch(currency)):
        return ""
    return f"{currency} {Decimal(amount):,f}"


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The translations of a language, which may be English, from ``locale/``."""
    path = LOCALE / language.replace("-", "_") / "LC_MESSAGES" / "messages.po"
    if not path.is_file():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
