"""``policy log`` and ``policy replay``: what was decided, and what a candidate would have decided."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection

from gateway.cli.candidate import CannotAsk, JsonOption, asking, candidate
from gateway.cli.ledger import Unreadable, read_ledger
from gateway.cli.output import DEFAULT, ConfigPath, out
from gateway.documents.audit import timestamp
from gateway.documents.decisions import Search, decided_since, decisions
from gateway.policy.replay import Change, Replay
from gateway.ports import Decided, Rows

DAY = 86_400.0
MOST = 10_000

WhoOption = Annotated[str | None, typer.Option("--who", help="Only of this subject.")]
OperationOption = Annotated[str | None, typer.Option("--operation", help="Only of this operation, with or without @version.")]


def log(
    who: WhoOption = None,
    operation: OperationOption = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only of this tenant.")] = None,
    denied: Annotated[bool, typer.Option("--denied", help="Only what was refused.")] = False,
    since: Annotated[str | None, typer.Option("--since", help="Only from this time on (RFC 3339).")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="At most so many entries.")] = 50,
    config: ConfigPath = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Print what policy decided, the latest first: denials, sensitive calls and documents one by one, other calls as samples.

    Exit 0, or 2: the ledger cannot be read."""
    with _asking(json):
        search = Search(tenant, who, operation, False if denied else None, None if since is None else _moment(since))
        found = read_ledger(config, lambda connection: decisions(connection, search, limit=limit))
    if json:
        print(orjson.dumps({"decisions": [_entry(one) for one in found]}).decode())
    else:
        _print(found)


def replay(
    policy: Annotated[str, typer.Argument(metavar="CANDIDATE", help="A policy.csv, a policies folder or a git revision.")],
    days: Annotated[int, typer.Option("--days", min=1, max=3660, help="How far back.")] = 30,
    config: ConfigPath = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Put the recorded decisions of the last days to a candidate policy: who of those who called would be answered otherwise.

    Exit 0: nobody. 1: somebody. 2: the candidate or the ledger cannot be read."""
    with _asking(json):
        live, would = candidate(config, None), candidate(config, policy)
        heard = Replay(would.policy, live.policy)
        since = time.time() - days * DAY

        def hear(connection: Connection) -> None:
            for decided in decided_since(connection, Search(since=since)):
                heard.hear(decided)

        read_ledger(config, hear)
    changes = heard.changes()
    if json:
        print(orjson.dumps(_document(heard, changes, since, live.policy.sha256, would.policy.sha256)).decode())
    else:
        _tell(heard, changes, days, policy)
    if changes:
        raise typer.Exit(1)


@contextmanager
def _asking(json: bool) -> Iterator[None]:
    with asking(json):
        try:
            yield
        except Unreadable as error:
            raise CannotAsk(str(error)) from error


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CannotAsk(f"'{text}' is no time: write it as 2026-11-20T08:00:00+08:00, or 2026-11-20.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


# --- the log ---------------------------------------------------------------------------------------------------------


def _entry(one: Decided) -> dict[str, object]:
    about = asdict(one)
    who = about.pop("principal")
    return {"seq": one.seq, **who, **about, "first": timestamp(one.first), "last": timestamp(one.last)}


def _print(found: Iterable[Decided]) -> None:
    table = Table("last", "who", "tenant", "operation", "answer", "calls", "from", "rows", box=None, pad_edge=False)
    for one in found:
        cells = (
            timestamp(one.last)[:19],
            _who(one.principal.subject, one.principal.roles),
            one.principal.tenant,
            f"{one.operation}@{one.version}" if one.version else one.operation,
            _answer(one),
            str(one.count),
            ", ".join(one.addresses),
            ", ".join(place for place, _ in (*one.rows, *one.limits)) or "no row",
        )
        table.add_row(*map(escape, cells), style=None if one.allowed else "red")
    out.print(table)


def _answer(one: Decided) -> str:
    return "allowed" if one.allowed else " ".join(("denied", *one.unmet))


def _who(subject: str, roles: tuple[str, ...]) -> str:
    return f"{subject} ({', '.join(roles)})" if roles else subject


# --- the replay ------------------------------------------------------------------------------------------------------


def _document(heard: Replay, changes: list[Change], since: float, live: str, would: str) -> dict[str, object]:
    return {
        "since": timestamp(since),
        "live": live,
        "candidate": would,
        "entries": heard.entries,
        "calls": heard.calls,
        "callers": len(heard.callers),
        "already": heard.already,
        "changes": [_changed(one) for one in changes],
    }


def _changed(one: Change) -> dict[str, object]:
    about = asdict(one)
    return {**about.pop("principal"), **about, "last": timestamp(one.last)}


def _tell(heard: Replay, changes: list[Change], days: int, policy: str) -> None:
    for one in changes:
        _line(f"{_who(one.principal.subject, one.principal.roles)} of {one.principal.tenant} {_sentence(one)}")
        _line(f"    recorded: {one.calls} {'call' if one.calls == 1 else 'calls'}, the last {timestamp(one.last)[:19]}Z")
        _listed("-", one.before)
        _listed("+", one.now)
    hit = len({(one.principal.subject, one.principal.tenant) for one in changes})
    heard_of = f"{heard.calls} recorded calls of the last {days} days by {len(heard.callers)} callers"
    _line(f"{heard_of}: {policy} would change something for {hit or 'none'} of them.")
    if heard.already:
        _line(f"{heard.already} calls the policy in force answers otherwise already, and {policy} no differently.")


def _sentence(one: Change) -> str:
    operation = f"{one.operation}@{one.version}" if one.version else one.operation
    unmet = f" ({' and '.join(one.unmet)})" if one.unmet else ""
    return f"{one.effect} {operation}{unmet}"


def _listed(sign: str, rows: Rows) -> None:
    for place, text in rows:
        _line(f"    {sign} {place}: {text}")


def _line(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)
