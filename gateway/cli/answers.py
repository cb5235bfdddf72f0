"""How the answers of ``policy`` are told: to people within a hundred columns, to programs as JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from gateway.cli.output import err, out
from gateway.cli.world import World
from gateway.exchange import Principal
from gateway.policy.expectations import Outcome, PolicyTests
from gateway.policy.explain import Explanation, Reason
from gateway.policy.questions import ANY, Call, Holder, explained
from gateway.policy.words import answer, in_words, limiting

WIDTH = 100
ROOM = 18
"""What the last column of a table needs to be readable."""
MOST_LINES = 500
"""Holders shown as a table; laying out more takes longer than finding them, and nobody reads them."""

KINDS = ("satellite", "person", "role")
UNMET = {"network": "from there", "time": "then"}


def _say(line: str) -> None:
    out.print(line, markup=False, highlight=False, soft_wrap=True)


def _show(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table within the width. The last column gives way to the others as long as they leave it some room."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    firm = sum(widths[:-1]) + 2 * len(head) <= WIDTH - ROOM
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(head, 1):
        table.add_column(name, overflow="fold", no_wrap=firm and number < len(head))
    for row in rows:
        table.add_row(*map(Text, row))
    out.print(table, width=min(out.width, WIDTH))


# --- one caller, one operation ---------------------------------------------------------------------------------------


def verdicts(asked: World, found: Sequence[Explanation]) -> None:
    """Yes or no in one line; in one a version where they differ."""
    first = found[0]
    if all((told.decision, told.unmet) == (first.decision, first.unmet) for told in found) and not _mixed(asked, found):
        versions = ", ".join(told.version for told in found)
        _say(_verdict(asked, first, f"{first.operation} ({versions})" if len(found) > 1 else _name(first)))
    else:
        for told in found:
            _say(_verdict(asked, told, _name(told)))


def _mixed(asked: World, found: Sequence[Explanation]) -> bool:
    return len({_public(asked, told) for told in found}) > 1


def _public(asked: World, told: Explanation) -> bool:
    return asked.served[Call(told.operation, told.version)].public


def _name(told: Explanation) -> str:
    return str(Call(told.operation, told.version))


def _verdict(asked: World, told: Explanation, operation: str) -> str:
    who = f"{told.principal.subject} of tenant {told.principal.tenant}"
    rows = ", ".join(told.decision.rows)
    if _public(asked, told):
        return f"yes: anybody may call {operation}, it is public"
    if told.allowed:
        limits = in_words(limiting(told))
        return f"yes: {who} may call {operation} ({rows}){f'; {limits}' if limits else ''}"
    if told.decision.allowed:
        which = ", ".join(limit.place for limit in told.limits if limit.row in _conditions(told))
        return f"no: {who} may not call {operation} {' or '.join(UNMET[name] for name in told.unmet)} ({which})"
    if rows:
        return f"no: {who} may not call {operation}, denied by {rows}"
    return f"no: {who} may not call {operation}, since no row allows it"


def _conditions(told: Explanation) -> list[object]:
    return [row for row in limiting(told) if row.kind == "p4" and row.name in told.unmet]


def explanations(asked: World, found: Sequence[Explanation]) -> None:
    """Every sentence of the explanation, those of the reasons below the verdict."""
    for told in found:
        if _public(asked, told):
            _say(_verdict(asked, told, _name(told)))
            continue
        verdict, *reasons = told.lines()
        _say(verdict)
        for reason in reasons:
            _say(f"  {reason}")


# --- everybody, everything -------------------------------------------------------------------------------------------


def _holder(asked: World, call: Call, holder: Holder) -> Explanation:
    return explained(asked.policy, Principal(holder.subject, holder.tenant), call)


def _sorted(asked: World, holders: Iterable[Holder]) -> list[Holder]:
    """Satellites, people, roles; each by name."""
    kinds = asked.universe.subjects
    return sorted(holders, key=lambda holder: (KINDS.index(kinds[holder.subject]), holder.subject, holder.tenant))


def holders(asked: World, found: Mapping[Call, Sequence[Holder]]) -> None:
    """A table for each version, or one where all versions have the same holders."""
    each, *others = [(asked.served[call].public, held) for call, held in found.items()]
    same = all(other == each for other in others)
    for call, held in found.items():
        versions = ", ".join(other.version for other in found)
        name = f"{call.operation} ({versions})" if same and len(found) > 1 else str(call)
        if asked.served[call].public:
            _say(f"anybody may call {name}, it is public")
        else:
            _holders(asked, call, name, _sorted(asked, held))
        if same:
            return


def _holders(asked: World, call: Call, name: str, each: Sequence[Holder]) -> None:
    if not each:
        _say(f"nobody may call {name}")
        return
    _say(f"{name} may be called, by rows of {asked.policy.file.path}, by")
    rows = []
    for holder in each[:MOST_LINES]:
        told = _holder(asked, call, holder)
        ways = ", ".join(dict.fromkeys(filter(None, map(_way, told.reasons))))
        limits = in_words(limiting(told))
        kind = asked.universe.subjects[holder.subject]
        rows.append((holder.subject, kind, _tenant(holder), _lines(told), ways, limits))
    _show(("who", "is a", "in tenant", "row", "through", "restricted"), rows)
    if len(each) > MOST_LINES:
        _say(f"and {len(each) - MOST_LINES} more: --json has all of them")


def _way(reason: Reason) -> str:
    """How somebody comes by the role of a row; empty where the row names them."""
    return " → ".join(link.role for link in reason.roles)


def _tenant(holder: Holder) -> str:
    if holder.tenant != ANY:
        return holder.tenant
    return f"any but {', '.join(holder.otherwise)}" if holder.otherwise else "any"


def _lines(told: Explanation) -> str:
    return ", ".join(row.rpartition(":")[2] for row in told.decision.rows)


def holders_document(asked: World, found: Mapping[Call, Sequence[Holder]]) -> list[dict[str, Any]]:
    """Who, for each version. A tenant of ``*`` is every one but those in ``otherwise``."""
    return [
        {
            "operation": call.operation,
            "version": call.version,
            "public": asked.served[call].public,
            "holders": [_holder_document(asked, call, holder) for holder in _sorted(asked, each)],
        }
        for call, each in found.items()
    ]


def _holder_document(asked: World, call: Call, holder: Holder) -> dict[str, Any]:
    told = _holder(asked, call, holder)
    rows = [{"place": reason.place, "through": [link.role for link in reason.roles]} for reason in told.reasons]
    kept = {name: value for name, value in answer(told).items() if name in ("restrictions", "restricted_by")}
    kind = asked.universe.subjects[holder.subject]
    return {
        "subject": holder.subject,
        "kind": kind,
        "tenant": holder.tenant,
        "otherwise": list(holder.otherwise),
        "rows": rows,
        **kept,
    }


def rights(asked: World, principal: Principal, found: Sequence[Explanation]) -> None:
    """A table of what somebody may call."""
    who = f"{principal.subject} of tenant {principal.tenant}"
    if not found:
        _say(f"{who} may call nothing")
        return
    _say(f"{who} may call, by rows of {asked.policy.file.path},")
    rows = []
    for told in found:
        served = asked.served[Call(told.operation, told.version)]
        lines = "public" if served.public else _lines(told)
        rows.append((_name(told), served.method, served.path or "at the console", lines, in_words(limiting(told))))
    _show(("operation", "method", "path", "row", "restricted"), rows)


def place(asked: World, told: Explanation) -> dict[str, Any]:
    """Where a call is made, as JSON values."""
    served = asked.served[Call(told.operation, told.version)]
    return {"method": served.method, "path": served.path, "public": served.public}


# --- tests -----------------------------------------------------------------------------------------------------------


def tests(file: PolicyTests, found: Sequence[Outcome], failed: int) -> None:
    """A line for each question, and how many failed."""
    for outcome in found:
        who = f"{outcome.principal.subject} of {outcome.principal.tenant}"
        line = f"{_test_place(file, outcome)}: {who}, {outcome.name}: {outcome.expect}"
        _say(f"FAILED {line}: {outcome.wrong}" if outcome.wrong else f"ok     {line}")
    if file.source is None:
        err.print("There is no tests.yaml: nothing is asked of this policy.", style="yellow")
    _say(f"{len(found)} asked, {len(found) - failed} ok, {failed} failed")


def _test_place(file: PolicyTests, outcome: Outcome) -> str:
    return f"{file.source.path if file.source else ''}:{outcome.line}"


def tested(file: PolicyTests, outcome: Outcome) -> dict[str, Any]:
    """One question of tests.yaml and its answer, as JSON values."""
    principal = outcome.principal
    return {
        "place": _test_place(file, outcome),
        "ok": not outcome.wrong,
        "subject": principal.subject,
        "tenant": principal.tenant,
        "roles": list(principal.roles),
        "operation": outcome.operation,
        "version": outcome.version,
        "expect": outcome.expect,
        "wrong": outcome.wrong,
    }
