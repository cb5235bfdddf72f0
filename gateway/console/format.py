"""How values are shown to a person: money, times, states, reasons and what happened, in the person's language.

Everything returned is plain text; templates escape it. A value that is not what it should be is shown as it is, never hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_currency

from gateway.approvals import quorum, rules
from gateway.approvals.messages import msgid
from gateway.console.languages import Language
from gateway.errors import Problem

STATES: Mapping[str, str] = {
    "received": msgid("Received"),
    "held": msgid("Waiting for approval"),
    "approved": msgid("Approved, being sent"),
    "queued": msgid("Queued to be sent"),
    "sending": msgid("Being sent to the ERP"),
    "delivered": msgid("Booked in the ERP"),
    "refused": msgid("Refused by the ERP"),
    "unknown": msgid("Outcome unknown, asking the ERP"),
    "manual": msgid("Operators must decide"),
    "dead": msgid("Could not be sent"),
    "discarded": msgid("Discarded"),
    "rejected": msgid("Rejected"),
    "recalled": msgid("Recalled by the requester"),
    "expired": msgid("Expired, not sent"),
    "superseded": msgid("Replaced by another document"),
}

TONES: Mapping[str, str] = {
    "held": "wait",
    "approved": "go",
    "queued": "go",
    "sending": "go",
    "delivered": "good",
    "refused": "bad",
    "rejected": "bad",
    "unknown": "warn",
    "manual": "warn",
    "dead": "bad",
}
"""How a state feels; a colour that never stands alone."""

STORY: Mapping[str, str] = {
    "document.received": msgid("%(actor)s handed the document in."),
    "document.hold": msgid("The gateway held it: people must decide. Nothing was sent."),
    "document.queue": msgid("It needs nobody's approval and can go."),
    "document.vote": msgid("%(actor)s approved it. More approvals are needed; nothing was sent."),
    "document.approve": msgid("%(actor)s approved it, and that was enough: it was released."),
    "document.reject": msgid("%(actor)s rejected it."),
    "document.recall": msgid("%(actor)s recalled it."),
    "document.expire": msgid("Its time ran out. It was not sent."),
    "document.revise": msgid("%(actor)s changed it; earlier approvals no longer count."),
    "document.supersede": msgid("Another document took its place."),
    "document.remind": msgid("The approvers were reminded."),
    "document.escalate": msgid("It was escalated."),
    "document.reopen": msgid("What had been approved no longer stands; it waits again."),
    "document.distrust": msgid("What is kept is not what was approved, or cannot be sent any more; operators must decide."),
    "document.send": msgid("The gateway began to send it to the ERP."),
    "document.deliver": msgid("The ERP booked it."),
    "document.refuse": msgid("The ERP refused it."),
    "document.retry": msgid("The ERP could not be reached; certainly nothing was booked. It will be sent again."),
    "document.give_up": msgid("The gateway gave up."),
    "document.lose": msgid("No answer came: it may or may not have been booked."),
    "document.absent": msgid("The ERP has no such booking: it will be sent again."),
    "document.wait": msgid("The ERP was asked and could not say yet."),
    "document.attest": msgid("%(actor)s attested what the ERP shows."),
    "document.replay": msgid("%(actor)s had it sent again."),
    "document.discard": msgid("%(actor)s discarded it."),
    "document.revealed": msgid("%(actor)s looked at the full account number."),
}
"""What an audit entry says, by its kind."""

NOTICES: Mapping[str, str] = {
    "approved": msgid("Your approval is recorded. 1 more person at least must agree; nothing has been sent."),
    "released": msgid("Your approval was the last one needed. The document is released."),
    "rejected": msgid("You rejected the document. It will not be sent."),
    "confirmed": msgid("Thank you, it is you. Please decide now."),
    "signed-out": msgid("You are signed out."),
    "key-added": msgid("The security key is registered. From now on your approvals need it."),
    "key-removed": msgid("The security key is removed."),
    "delegated": msgid("The delegation is recorded."),
    "revoked": msgid("The delegation has ended."),
    "attested": msgid("Your word is recorded. A second operator must say the same."),
    "settled": msgid("Two operators agreed. The document is settled."),
    "replayed": msgid("The document is on its way again."),
    "discarded": msgid("The document is discarded."),
    "retry-key": msgid("The security key's answer did not fit this decision. Nothing was recorded; please try again."),
}
"""What a page says after something was done, by the code in its address."""

METHODS: Mapping[str, str] = {
    "oidc": msgid("company sign-in"),
    "webauthn": msgid("security key"),
    "demo": msgid("demo sign-in"),
}

TITLES: Mapping[int, str] = {
    400: msgid("This cannot be understood"),
    401: msgid("Please sign in"),
    403: msgid("This is not allowed"),
    404: msgid("There is nothing here"),
    405: msgid("There is nothing here"),
    409: msgid("Something changed in the meantime"),
    413: msgid("This is too large"),
    422: msgid("This does not fit"),
    500: msgid("Something went wrong"),
    503: msgid("Not available at the moment"),
}
ADVICE: Mapping[int, str] = {
    404: msgid("The page does not exist, or it is not yours to see."),
    405: msgid("The page does not exist, or it is not yours to see."),
    500: msgid("It is our mistake, and it is in the log. Nothing was sent because of it."),
    503: msgid("Please try again in a minute. Nothing was changed."),
}

SENTENCES: Mapping[str, str] = {**rules.MESSAGES, **quorum.MESSAGES}
DASH = "–"


@dataclass(frozen=True, slots=True)
class Format:
    """Immutable. For one page: its language, its time zone (``None``: the machine's) and the moment it is made."""

    language: Language
    timezone: tzinfo | None
    now: float

    def money(self, amount: object, currency: str | None) -> str:
        """An exact amount with the digits its currency has, never rounded; the currency is a code beside it."""
        if amount is None or amount == "":
            return DASH
        try:
            exact = Decimal(str(amount))
            return format_currency(exact, currency or "XXX", "#,##0.00", self.language.locale, decimal_quantization=False)
        except (InvalidOperation, ValueError):
            return str(amount)

    def at(self, moment: float | None) -> str:
        """A moment in full, with its time zone."""
        return DASH if moment is None else format_datetime(self._local(moment), "yyyy-MM-dd HH:mm zzz", locale=self.language.locale)

    def iso(self, moment: float) -> str:
        return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def ago(self, moment: float) -> str:
        """A moment against now: "3 hours ago", "in 2 days"."""
        return format_timedelta(timedelta(seconds=moment - self.now), add_direction=True, locale=self.language.locale, threshold=1.5)

    def left(self, moment: float | None) -> str:
        """Time until a moment, without direction; empty when there is none left."""
        if moment is None:
            return DASH
        return format_timedelta(timedelta(seconds=moment - self.now), locale=self.language.locale, threshold=1.5) if moment > self.now else ""

    def urgent(self, moment: float | None) -> bool:
        return moment is not None and moment - self.now < 4 * 3600

    def state(self, state: str) -> str:
        return self.language.gettext(STATES.get(state, state))

    def tone(self, state: str) -> str:
        return TONES.get(state, "quiet")

    def reason(self, reason: Mapping[str, Any]) -> str:
        """Why a document is held: a code with parameters, as the ledger keeps it."""
        code = str(reason.get("code", ""))
        return self.language.say(SENTENCES.get(code, code), self._amounts(reason))

    def event(self, kind: str, actor: str) -> str:
        """What an audit entry says."""
        return self.language.say(STORY.get(kind, kind), {"actor": actor})

    def notice(self, code: str) -> str:
        """A notice by its code, empty for a code nobody knows: addresses come from anywhere."""
        return self.language.gettext(NOTICES[code]) if code in NOTICES else ""

    def problem_title(self, problem: Problem) -> str:
        return self.language.gettext(TITLES.get(problem.status, problem.title))

    def problem(self, problem: Problem) -> str:
        """What went wrong, as far as the person may know: the sentence of a code with its parameters, else the detail."""
        code, parameters = problem.extensions.get("code"), problem.extensions.get("parameters")
        if isinstance(code, str) and isinstance(parameters, Mapping) and code in SENTENCES:
            return self.language.say(SENTENCES[code], parameters)
        return self.language.gettext(problem.detail or ADVICE.get(problem.status, ""))

    def method(self, method: str) -> str:
        return self.language.gettext(METHODS.get(method, method))

    def _amounts(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        currency = str(parameters.get("currency") or "XXX")
        money = {"amount", "threshold", "total"}
        return {name: self.money(value, currency) if name in money else value for name, value in parameters.items()}

    def _local(self, moment: float) -> datetime:
        there = datetime.fromtimestamp(moment, UTC)
        return there.astimezone(self.timezone)
