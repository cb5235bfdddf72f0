"""Answers of the policy as JSON values and in short words, for the command line and whoever else shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.policy.explain import Explanation, Reason
from gateway.policy.file import Grant, Grouping, Membership, PolicyFile, Restriction

ACCESS = {"hide": "hidden", "lock": "locked", "show": "shown"}
KINDS = ("hidden", "locked", "shown", "records", "network", "time")


def restrictions(rows: Iterable[Restriction]) -> dict[str, list[str]]:
    """What rows restrict, under ``hidden``, ``locked``, ``shown``, ``records``, ``network`` and ``time``; only what there is, in
    this order."""
    found: dict[str, list[str]] = {name: [] for name in KINDS}
    for row in rows:
        if row.kind == "p2":
            found[ACCESS[row.value]].append(row.name)
        elif row.kind == "p3":
            found["records"].append(f"{row.name} {row.value}")
        else:
            found[row.name].append(row.value)
    return {name: list(dict.fromkeys(values)) for name, values in found.items() if values}


def in_words(rows: Iterable[Restriction]) -> str:
    """``hidden: total, currency; network: 10.0.0.0/8``."""
    names = {"shown": "shown only"}
    return "; ".join(f"{names.get(name, name)}: {', '.join(values)}" for name, values in restrictions(rows).items())


def limiting(told: Explanation) -> tuple[Restriction, ...]:
    """The rows that restrict, in the order of the file."""
    return tuple(limit.row for limit in told.limits if isinstance(limit.row, Restriction))


def answer(told: Explanation) -> dict[str, Any]:
    """The decision: whether, by which rows, under which restrictions."""
    return {
        "operation": told.operation,
        "version": told.version,
        "allowed": told.allowed,
        "rows": list(told.decision.rows),
        "unmet": list(told.unmet),
        "restrictions": restrictions(limiting(told)),
        "restricted_by": [limit.place for limit in told.limits],
    }


def document(file: PolicyFile, told: Explanation) -> dict[str, Any]:
    """The whole explanation. ``roles`` and ``groups`` are the ways from the caller and the operation to a row, step by step."""
    nearest = [{"place": near.place, **_row(near.row), "missing": list(near.missing)} for near in told.nearest]
    return answer(told) | {
        "reasons": [_reason(file, reason) for reason in told.reasons],
        "limits": [_reason(file, reason) for reason in told.limits],
        "nearest": nearest,
    }


def _reason(file: PolicyFile, reason: Reason) -> dict[str, Any]:
    ways: dict[str, Sequence[Membership] | Sequence[Grouping]] = {"roles": reason.roles, "groups": reason.groups}
    steps = {name: [_step(file, link) for link in links] for name, links in ways.items()}
    return {"place": reason.place, **_row(reason.row), "member": reason.member, **steps}


def _step(file: PolicyFile, link: Membership | Grouping) -> dict[str, str]:
    name = {"role": link.role} if isinstance(link, Membership) else {"group": link.group}
    return name | {"place": file.place(link)}


def _row(row: Grant | Restriction) -> dict[str, str]:
    named = {"role": row.role, "tenant": row.tenant, "operation": row.operation}
    if isinstance(row, Grant):
        return {"kind": "p", **named, "effect": row.effect}
    return {"kind": row.kind, **named, "name": row.name, "value": row.value}
