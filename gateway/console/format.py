"""How values are shown to a person: money, times, states, reasons and what happened, in the person's language.

Everything returned is plain text; templates escape it. A value that is not what it should be is shown as it is, never hidden.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_currency

from gateway.approvals.messages import msgid
from gateway.desk import MESSAGES, Refusal
from gateway.errors import Problem
from gateway.holding import OBJECTIONS, REASONS, proposals
from gateway.languages import Language
from gateway.people import POLICY_ACTIVATE
from gateway.policy.matrix import Cell
from gateway.policy.sentences import Sentence

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

POLICY_STATES: Mapping[str, str] = {
    "approved": msgid("Approved, going live"),
    "delivered": msgid("Live since it was approved"),
    "refused": msgid("Did not go live"),
    "recalled": msgid("Withdrawn"),
    "expired": msgid("Expired, not live"),
}
"""The same where the document is a change of policy."""

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
    "message.sent": msgid("A message about it was sent."),
    "message.unaddressed": msgid("Nobody got a message: no channel leads to them."),
    "message.dropped": msgid("A message about it was not needed any more."),
    "message.given_up": msgid("A message about it could not be sent."),
}
"""What an audit entry says, by its kind."""

POLICY_STORY: Mapping[str, str] = {
    "document.received": msgid("The change was proposed."),
    "document.hold": msgid("It waits for a second person; nothing of it is live."),
    "document.approve": msgid("%(actor)s approved it: it goes live."),
    "document.recall": msgid("%(actor)s withdrew it."),
    "document.send": msgid("The gateway looked at it once more."),
    "document.expire": msgid("Its time ran out. It did not go live."),
    "document.deliver": msgid("It went live."),
    "document.refuse": msgid("It did not go live."),
}
"""The same where the document is a change of policy."""

MOODS: Mapping[str, str] = {
    "document.vote": "good",
    "document.approve": "good",
    "document.deliver": "good",
    "document.hold": "wait",
    "document.reject": "bad",
    "document.refuse": "bad",
    "document.give_up": "bad",
    "document.distrust": "bad",
    "document.expire": "bad",
    "document.lose": "warn",
    "document.escalate": "warn",
    "document.reopen": "warn",
}

NOTICES: Mapping[str, str] = {
    "proposed": msgid("The change is proposed. A second person must agree before it is live."),
    "withdrawn": msgid("The proposal is withdrawn. Nothing of it is live."),
    "agreed": msgid("You approved the change. It goes live in a moment."),
    "approved": msgid("Your approval is recorded. At least one more person must agree; nothing has been sent."),
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
ADVICE: Mapping[str, str] = {
    "not-found": msgid("The page does not exist, or it is not yours to see."),
    "method-not-allowed": msgid("The page does not exist, or it is not yours to see."),
    "internal": msgid("It is our mistake, and it is in the log. Nothing was sent because of it."),
    "ledger-unavailable": msgid("The ledger cannot be reached. Please try again in a minute; doing it twice does no harm."),
}
"""What to say instead of a detail that is not for people, by the problem's slug."""

NOTES: Mapping[str, str] = {
    **OBJECTIONS,
    **proposals.OBJECTIONS,
    "no_route": msgid("The route it came by is gone."),
    "not_accepted": msgid("It cannot be sent as it is any more: %(detail)s"),
    "sender_gone": msgid("Whoever was sending it stopped in the middle."),
    "attested": msgid("Two operators said what the ERP shows."),
}
"""Why a document is where it is, by the code of its note; other codes are told by the state."""

VERDICTS: Mapping[str, str] = {"allow": msgid("Allowed"), "deny": msgid("Denied"), "nothing": msgid("No row")}
OWN = msgid("by a row of its own")
THROUGH = msgid("through %(role)s")
GROUP = msgid("as part of %(group)s")
LIMITS: Mapping[str, str] = {
    "fields": msgid("some fields only"),
    "records": msgid("some records only"),
    "conditions": msgid("at some times or from some networks only"),
}

ACTIVATED: Mapping[str, str] = {
    "start": msgid("found at a start"),
    "file": msgid("files were changed"),
    "rollback": msgid("files were put back"),
    "document": msgid("two people agreed"),
}
RIGHTS: Mapping[str, str] = {
    "call": msgid("call"),
    "approve": msgid("approve"),
    "approve once escalated": msgid("approve once escalated"),
    "see every field": msgid("see every field"),
    "set every field": msgid("set every field"),
}
MORE_RIGHTS: Mapping[str, str] = {
    "see any other field of ": msgid("see any other field of %(what)s"),
    "set any other field of ": msgid("set any other field of %(what)s"),
    "see any other field": msgid("see any other field%(what)s"),
    "set any other field": msgid("set any other field%(what)s"),
    "see ": msgid("see %(what)s"),
    "set ": msgid("set %(what)s"),
    "records with ": msgid("records with %(what)s"),
    "call from ": msgid("call from %(what)s"),
    "call at ": msgid("call at %(what)s"),
}
"""By how they begin, the longer ones first."""

SENTENCES: Mapping[str, str] = {**REASONS, **proposals.REASONS, **MESSAGES}
DASH = "–"
JUST_NOW = msgid("just now")


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
            return format_currency(exact, currency or "", "#,##0.00", self.language.locale, decimal_quantization=False)
        except (InvalidOperation, ValueError):
            return str(amount)

    def at(self, moment: float | None) -> str:
        """A moment in full, with its time zone."""
        if moment is None:
            return DASH
        return format_datetime(self._local(moment), "yyyy-MM-dd HH:mm zzz", locale=self.language.locale)

    def iso(self, moment: float) -> str:
        """RFC 3339."""
        return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def ago(self, moment: float) -> str:
        """A moment against now: "3 hours ago", "in 2 days"."""
        if abs(moment - self.now) < 45:
            return self.language.gettext(JUST_NOW)
        return self._distance(moment - self.now, add_direction=True)

    def left(self, moment: float | None) -> str:
        """Time until a moment, without direction; empty when there is none left."""
        if moment is None:
            return DASH
        return self._distance(moment - self.now) if moment > self.now else ""

    def urgent(self, moment: float | None) -> bool:
        return moment is not None and moment - self.now < 4 * 3600

    def state(self, state: str, operation: str = "") -> str:
        """A state in words; a policy is not booked but live."""
        words = {**STATES, **POLICY_STATES} if operation == POLICY_ACTIVATE else STATES
        return self.language.gettext(words.get(state, state))

    def tone(self, state: str) -> str:
        return TONES.get(state, "quiet")

    def reason(self, reason: Mapping[str, Any]) -> str:
        """Why a document is held: a code with parameters, as the ledger keeps it."""
        code = str(reason.get("code", ""))
        return self.language.say(SENTENCES.get(code, code), self._amounts(reason))

    def event(self, kind: str, actor: str, operation: str = "") -> str:
        """What an audit entry says."""
        story = {**STORY, **POLICY_STORY} if operation == POLICY_ACTIVATE else STORY
        return self.language.say(story.get(kind, kind), {"actor": actor})

    def notice(self, code: str) -> str:
        """A notice by its code, empty for a code nobody knows: addresses come from anywhere."""
        return self.language.gettext(NOTICES[code]) if code in NOTICES else ""

    def problem_title(self, problem: Problem) -> str:
        return self.language.gettext(TITLES.get(problem.status, problem.title))

    def problem(self, problem: Problem) -> str:
        """What went wrong, as far as the person may know: the sentence of a code with its parameters, else the detail."""
        code, parameters = problem.extensions.get("code"), problem.extensions.get("parameters")
        if isinstance(code, str) and isinstance(parameters, Mapping) and code in SENTENCES:
            return self._sentence(SENTENCES[code], parameters)
        return self.language.gettext(ADVICE.get(problem.slug, problem.detail))

    def refusal(self, refusal: Refusal) -> str:
        return self._sentence(refusal.message, refusal.parameters)

    def told(self, sentence: Sentence) -> str:
        """A sentence of the policy's."""
        return sentence.told(self.language.say)

    def right(self, what: str) -> str:
        """What somebody gains or loses, as differences name it."""
        if what in RIGHTS:
            return self.language.gettext(RIGHTS[what])
        prefix = next((prefix for prefix in MORE_RIGHTS if what.startswith(prefix)), None)
        return what if prefix is None else self.language.say(MORE_RIGHTS[prefix], {"what": what.removeprefix(prefix)})

    def rights(self, several: Iterable[str]) -> str:
        return "; ".join(map(self.right, several))

    def activated(self, how: str) -> str:
        """How a policy went live."""
        return self.language.gettext(ACTIVATED.get(how, how))

    def cell(self, cell: Cell) -> str:
        """A cell of the policy's table in words."""
        told = [self.language.gettext(VERDICTS[cell.verdict])]
        if cell.verdict != "nothing":
            told.append(self.language.say(THROUGH if cell.through else OWN, {"role": cell.through}))
        if cell.group:
            told.append(self.language.say(GROUP, {"group": cell.group}))
        told += [self.language.gettext(LIMITS[limit]) for limit in cell.limits]
        return ", ".join(told)

    def note(self, note: Mapping[str, Any] | None) -> str:
        """Why the document is where it is; empty where its state says all."""
        code = str((note or {}).get("code", ""))
        return self.language.say(NOTES[code], note or {}) if code in NOTES else ""

    def json(self, value: object) -> str:
        """A JSON value as text, numbers with the digits they came with."""
        return value if isinstance(value, str) else "\n".join(_lines(value, ""))

    def moment(self, text: str) -> float:
        """Unix seconds of RFC 3339 text."""
        return datetime.fromisoformat(text).timestamp()

    def mood(self, kind: str) -> str:
        """How an entry of the story feels, as ``TONES``."""
        return MOODS.get(kind, "")

    def method(self, method: str) -> str:
        return self.language.gettext(METHODS.get(method, method))

    def _sentence(self, sentence: str, parameters: Mapping[str, Any]) -> str:
        """A sentence whose parameter ``state`` is told in words."""
        told = {name: _lowered(self.state(value)) if name == "state" else value for name, value in parameters.items()}
        return self.language.say(sentence, told)

    def _amounts(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        currency = str(parameters.get("currency") or "")
        money = {"amount", "threshold", "total"}
        return {name: self.money(value, currency) if name in money else value for name, value in parameters.items()}

    def _distance(self, seconds: float, *, add_direction: bool = False) -> str:
        span, locale = timedelta(seconds=seconds), self.language.locale
        return format_timedelta(span, "minute", 1.5, add_direction, locale=locale)

    def _local(self, moment: float) -> datetime:
        there = datetime.fromtimestamp(moment, UTC)
        return there.astimezone(self.timezone)


def _lowered(text: str) -> str:
    """For the middle of a sentence; names such as ERP stay."""
    return text[:1].lower() + text[1:]


def _lines(value: object, indent: str) -> list[str]:
    """JSON, two blanks a level. A ``Decimal`` is written as it came, which the standard encoder cannot."""
    inner = indent + "  "
    if isinstance(value, Mapping) and value:
        parts = [(f"{json.dumps(str(name), ensure_ascii=False)}: ", item) for name, item in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, list | tuple) and value:
        parts = [("", item) for item in value]
        opening, closing = "[", "]"
    else:
        return [str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=str)]
    lines = [opening]
    for number, (name, item) in enumerate(parts, 1):
        first, *rest = _lines(item, inner)
        lines += [inner + name + first, *rest]
        lines[-1] += "," if number < len(parts) else ""
    return [*lines, indent + closing]
