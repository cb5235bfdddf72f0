"""What policy hides from a person in the answers of an operation is hidden in its documents too: body, facts, changes, history.

The same fields as at the API, put out of what was gathered. Words that another system wrote might repeat them and go as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from gateway.approvals.file import Rule
from gateway.desk.views import Change, Detail, Entry, Json, Row
from gateway.scope import Fields, Path

FACTS: Final = ("amount", "currency", "entity", "payee", "payee_name", "initiator", "attachments")
"""Facts by the keys of an approval rule, which says where each stands in the body."""
IN_LINES: Final = frozenset({"amount", "payee", "payee_name"})
MONEY: Final = frozenset({"amount", "currency", "payee", "payee_name"})
REFERENCE: Final[Path] = ("number",)
_WORDS: Final = frozenset({"detail", "problem", "fault", "answer"})


def hidden_facts(fields: Fields, rule: Rule | None) -> frozenset[str]:
    """The facts whose field in the body is not seen; all of them where nobody says any more where they stand."""
    if not fields.masks:
        return frozenset()
    if rule is None:
        return frozenset(FACTS)
    inside = _path(rule.lines)
    return frozenset(
        name
        for name in FACTS
        if getattr(rule, name) is not None
        and not fields.sees((*(inside if name in IN_LINES else ()), *_path(getattr(rule, name))))
    )


def _path(said: Collection[str] | None) -> Path:
    return tuple(said or ())


def restricted_row(row: Row, fields: Fields, rule: Rule | None) -> Row:
    """One document in a list."""
    gone = hidden_facts(fields, rule)
    if not fields.masks:
        return row
    blank: dict[str, str] = {name: "" for name in ("amount", "currency", "entity") if name in gone}
    blank |= {"payee": ""} if gone & {"payee", "payee_name"} else {}
    blank |= {"account": ""} if "payee" in gone else {}
    return replace(
        row,
        **blank,  # type: ignore[arg-type]
        initiator=None if "initiator" in gone else row.initiator,
        reasons=tuple({"code": reason["code"]} for reason in row.reasons),
        note=None if row.note is None else _quiet(row.note),
        reference=row.reference if fields.sees(REFERENCE) else None,
    )


def restricted_detail(detail: Detail, fields: Fields, rule: Rule | None) -> Detail:
    """One document as a whole."""
    if not fields.masks:
        return detail
    gone = hidden_facts(fields, rule)
    return replace(
        detail,
        row=restricted_row(detail.row, fields, rule),
        facts=_facts(detail.facts, gone),
        payload=fields.shown(detail.payload),
        siblings=() if gone & MONEY else detail.siblings,
        history=() if gone & MONEY else detail.history,
        revisions=tuple(replace(one, changes=tuple(_changes(one.changes, fields))) for one in detail.revisions),
        timeline=tuple(Entry(one.at, one.kind, one.actor, _quiet(one.details)) for one in detail.timeline),
        attachments=() if "attachments" in gone else detail.attachments,
        reference=detail.reference if fields.sees(REFERENCE) else None,
    )


def restricted_whole(revealed: Json, fields: Fields, rule: Rule | None) -> Json:
    """Accounts and body in full, as somebody who may reveal them sees them."""
    accounts = [] if "payee" in hidden_facts(fields, rule) else revealed["accounts"]
    return {"accounts": accounts, "payload": fields.shown(revealed["payload"])}


def _facts(facts: Mapping[str, Any], gone: Collection[str]) -> Json:
    kept = {name: value for name, value in facts.items() if name not in gone or name == "payee"}
    payee = kept.get("payee")
    if isinstance(payee, Mapping):
        hidden = {"account": "payee", "name": "payee_name"}
        kept["payee"] = {name: value for name, value in payee.items() if hidden.get(name) not in gone}
    if "lines" in kept:
        kept["lines"] = [_facts(line, gone) for line in kept["lines"]]
    return kept


def _changes(changes: Collection[Change], fields: Fields) -> Iterator[Change]:
    for change in changes:
        before, after = fields.shown_at(change.pointer, change.before), fields.shown_at(change.pointer, change.after)
        if before is not None or after is not None:
            yield Change(change.pointer, before, after)


def _quiet(details: Mapping[str, Any]) -> Json:
    """Without what an ERP or a satellite wrote in its own words."""
    kept = {name: value for name, value in details.items() if name not in _WORDS}
    return {name: _quiet(value) if isinstance(value, Mapping) else value for name, value in kept.items()}
