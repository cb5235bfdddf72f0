"""What one approvals file says otherwise than another, in sentences for the people who answer for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.approvals.compare import account_key
from gateway.approvals.file import Approvals, Rule, Thresholds

TIMES = ("window", "remind", "expires", "execute_within")
PATHS = ("amount", "currency", "entity", "payee", "payee_name", "initiator", "attachments", "lines")


@dataclass(frozen=True, slots=True)
class Told:
    """Immutable. One sentence, and the ``file:line`` it is about; empty where there is none."""

    what: str
    place: str = ""


def changes(old: Approvals, new: Approvals) -> list[Told]:
    """In the order of the new file, rules that are gone last. Who may approve is not said here: that is also the policy's."""
    found = []
    for name, rule in new.rules.items():
        before = old.rules.get(name)
        place = f"{new.source.path}:{new.source.line(('approvals', name))}"
        said = [f"waits for people now: {_terms(rule)}"] if before is None else _changed(before, rule)
        found += [Told(f"{name} {sentence}", place) for sentence in said]
    for name in old.rules.keys() - new.rules.keys():
        place = f"{old.source.path}:{old.source.line(('approvals', name))}"
        found.append(Told(f"{name} no longer waits for anybody", place))
    if old.calendar != new.calendar:
        line = new.source.line(("calendar",)) if new.calendar is not None else 0
        what = "all time counts, not business time" if new.calendar is None else "business time is counted otherwise"
        found.append(Told(what, f"{new.source.path}:{line}" if line else new.source.path))
    return found


def _terms(rule: Rule) -> str:
    over = ", ".join(f"{amount} {currency}" for currency, amount in rule.over.items())
    return f"{rule.required} of {rule.approvers} over {over}"


def _changed(old: Rule, new: Rule) -> Iterator[str]:
    if old.required != new.required:
        yield f"needs {new.required} people instead of {old.required}"
    if old.approvers != new.approvers:
        yield f"is decided by {new.approvers} instead of {old.approvers}"
    yield from _thresholds("", old.over, new.over)
    names = {account_key(name): name for rule in (old, new) for name in rule.entities}
    for key, name in names.items():
        yield from _thresholds(f" for entity {name}", _own(old, key), _own(new, key))
    if old.escalate != new.escalate:
        yield f"{_escalation(new)} instead of {_escalation(old)}" if old.escalate else _escalation(new)
    for name in TIMES:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield f"has '{name}' {_time(after)} instead of {_time(before)}"
    for name in PATHS:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield f"has '{name}' {_path(after)} instead of {_path(before)}"


def _own(rule: Rule, key: str) -> Thresholds:
    return next((over for name, over in rule.entities.items() if account_key(name) == key), rule.over)


def _thresholds(whose: str, old: Thresholds, new: Thresholds) -> Iterator[str]:
    for currency in dict.fromkeys([*old, *new]):
        before, after = old.get(currency), new.get(currency)
        if before is None:
            yield f"has a threshold{whose} of {after} {currency}, where every amount waited: less waits"
        elif after is None:
            yield f"has no threshold{whose} in {currency} any more, where it was {before}: every amount waits"
        elif before != after:
            raised = after > before
            what = "raised" if raised else "lowered"
            yield f"has its threshold{whose} {what} from {before} to {after} {currency}: {'less' if raised else 'more'} waits"


def _escalation(rule: Rule) -> str:
    return "never escalates" if rule.escalate is None else f"escalates to {rule.escalate.to} after {_time(rule.escalate.after)}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "none"
    return f"{seconds / 3600:g}h" if seconds >= 3600 else f"{seconds / 60:g}m"


def _path(path: tuple[str, ...] | None) -> str:
    return "none" if path is None else ".".join(("$", *path))
