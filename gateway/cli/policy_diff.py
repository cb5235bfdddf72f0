"""``policy diff``: who gains and who loses by a change, before it is live."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Annotated, Any, NamedTuple

import orjson
import typer

from gateway.approvals.changes import Told
from gateway.approvals.changes import changes as approval_changes
from gateway.cli.candidate import UNANSWERED, Candidate, JsonOption, asking, candidate
from gateway.cli.output import DEFAULT, ConfigPath, err, out
from gateway.deployment import Deployment, Findings
from gateway.identity.changes import changes as satellite_changes
from gateway.operations import Operations
from gateway.policy.causes import Cause
from gateway.policy.differences import Change, Differences, Side, differences
from gateway.policy.duties_file import changes as duty_changes
from gateway.ports import Operation
from gateway.runtime import check_stores
from gateway.scoping import asked
from gateway.snapshot import entries_of

CAUSES = 4
"""Rows told of one tuple; JSON has all of them."""


def diff(
    old: Annotated[
        str, typer.Argument(help="The policy before: a policy.csv, a policies folder or a git revision.", metavar="OLD")
    ] = "HEAD",
    new: Annotated[
        str | None, typer.Argument(help="The policy after, likewise; default: the deployment's files.", metavar="NEW")
    ] = None,
    config: ConfigPath = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Tell who gains and who loses what between two policies, with the rows that decide.

    Exit 0: nobody. 1: somebody, or approvals, satellites or duties differ. 2: it cannot be asked."""
    with asking(json):
        before, after = candidate(config, old), candidate(config, new)
        found = differences(side_of(before), side_of(after), asked(routes_of(after.deployment)))
    words = in_words(before.deployment, after.deployment)
    if json:
        print(orjson.dumps(document(before, after, found, words)).decode())
    else:
        for line in lines(found, words):
            out.print(line, markup=False, highlight=False, soft_wrap=True)
        if not found.complete:
            err.print("There is more than can be told: the two policies have little in common.", style="yellow")
    if found or any(words.values()):
        raise typer.Exit(1)
    if not found.complete:
        raise typer.Exit(UNANSWERED)


def in_words(old: Deployment, new: Deployment) -> dict[str, list[Told]]:
    """What the other files say otherwise, by file."""
    return {
        "approvals": approval_changes(old.approvals, new.approvals),
        "satellites": [Told(what) for what in satellite_changes(old.satellites, new.satellites)],
        "duties": [Told(what) for what in duty_changes(old.duties, new.duties)],
    }


def side_of(one: Candidate) -> Side:
    """A candidate as differences are asked of it."""
    tenants = frozenset(satellite.tenant for satellite in one.deployment.satellites)
    return Side(one.policy, one.deployment.approvals, tenants)


class Served(NamedTuple):
    """Implements ``gateway.scoping.Called``: a route that nobody needs to call."""

    operation: str
    version: str
    method: str
    call: Operation
    public: bool


def routes_of(deployment: Deployment) -> list[Served]:
    """A deployment's routes, whether or not its policy goes with them. Raises ``ConfigError``."""
    stores, findings = check_stores(deployment.folder / deployment.source.path), Findings()
    operations = Operations(deployment, stores.clients, stores.contracts, findings, stores.clock)
    entries = [entry for resource in deployment.resources for entry in entries_of(resource, operations, findings)]
    findings.raise_if_any()
    return [
        Served(entry.id, version, entry.config.method, entry.call, entry.config.public)
        for entry in entries
        for version in entry.versions
    ]


def document(before: Candidate, after: Candidate, found: Differences, words: Mapping[str, Sequence[Told]]) -> dict[str, Any]:
    """The whole answer as JSON values."""
    return {
        "old": before.name,
        "new": after.name,
        "gained": list(map(plain, found.gained)),
        "lost": list(map(plain, found.lost)),
        "without_effect": list(map(dataclasses.asdict, found.idle)),
        **{name: list(map(dataclasses.asdict, told)) for name, told in words.items()},
        "complete": found.complete,
    }


def plain(change: Change) -> dict[str, Any]:
    told = dataclasses.asdict(change)
    return told | {"because": told.pop("causes")}


def lines(found: Differences, words: Mapping[str, Sequence[Told]]) -> Iterator[str]:
    """The whole answer for people."""
    for title, sign, changes in (("gained", "+", found.gained), ("lost", "-", found.lost)):
        if changes:
            yield f"{title} ({len(changes)})"
            yield from _block(sign, changes)
    for title, told in words.items():
        if told:
            yield title
            yield from (f"  {one.what}{f'  ({one.place})' if one.place else ''}" for one in told)
    if found.idle:
        yield "without effect today"
        yield from (f"  {'+' if cause.side == 'new' else '-'} {cause.place}  {cause.text}" for cause in found.idle)
    if found.complete and not found and not any(words.values()):
        yield "Nobody gains or loses anything."


def _block(sign: str, changes: Iterable[Change]) -> Iterator[str]:
    for _, some in groupby(changes, key=lambda change: change.operation):
        rows = [(change.who, change.tenant, change.named, _what(change), _because(change.causes)) for change in some]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
            yield f"  {sign} {'  '.join(cells)}  {row[-1]}"


def _what(change: Change) -> str:
    return f"{change.what}, but not: {'; '.join(change.limits)}" if change.limits else change.what


def _because(causes: Sequence[Cause]) -> str:
    """The rows, with ``+`` and ``-`` where only one of the two policies has them."""
    signs = {"new": "+", "old": "-"}
    told = [f"{signs[cause.side] if cause.changed else ''}{cause.place}" for cause in causes[:CAUSES]]
    more = [f"{len(causes) - CAUSES} more"] if len(causes) > CAUSES else []
    return f"({', '.join([*told, *more])})"
