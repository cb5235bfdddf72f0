"""``policies/duties.yaml``: rights that nobody of this company may hold together, and conflicts it knows and lives with.

Optional: what the gateway looks for by itself needs no file. Every name must be one of the deployment's, so that a pair cannot be
without effect by a slip of the pen; what is accepted has a reason and a last day.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from gateway.approvals.file import Approvals
from gateway.config.source import Source, validate
from gateway.config.values import Section, wrong
from gateway.errors import ConfigError, Finding
from gateway.policy.differences import Asked, Side
from gateway.policy.duties import CODES, Client, Conflict, Pair, conflicts, folded
from gateway.policy.file import PolicyFile
from gateway.policy.holders import Holders, Right

MOST_FOUND = 50
"""Conflicts that ``check`` tells one by one."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")


def _pair_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise wrong(f"is {text!r}", "use lower-case letters, digits and '-', a letter first")
    if text in CODES:
        raise wrong(f"is {text!r}", "choose another name: this is a conflict the gateway itself looks for")
    return text


def _day(text: Any) -> date:
    try:
        if isinstance(text, str) and len(text) == len("2027-03-31"):
            return date.fromisoformat(text)
    except ValueError as error:
        raise wrong(f"is {text!r}", "write a date as YYYY-MM-DD, such as 2027-03-31") from error
    raise wrong(f"is {text!r}", "write a date as YYYY-MM-DD, such as 2027-03-31")


PairName = Annotated[str, AfterValidator(_pair_name)]
Names = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=200)]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class PairEntry(Section):
    """Two lists of which nobody may hold something of each."""

    one: Names = Field(description="Operations (`payments.create`, `payments.create@v1`), groups of policy.csv, or roles.")
    other: Names = Field(description="The same; nobody may hold one of these too.")

    @model_validator(mode="after")
    def _two(self) -> PairEntry:
        if both := set(self.one) & set(self.other):
            raise wrong(f"has '{min(both)}' on both sides, which nobody could hold", "keep it on one side")
        return self


class AcceptedEntry(Section):
    """A conflict the company knows and lives with for a time."""

    conflict: str = Field(min_length=1, description="Its code, as `policy sod` tells it, or the name of a pair.")
    who: str = Field(min_length=1, description="The name it is told of.")
    tenant: str | None = Field(None, description="The legal entity; left out, every one.")
    reason: str = Field(min_length=10, max_length=500, description="Why, for the auditor.")
    until: Day = Field(description="The last day, in UTC; after it the conflict counts again.")


class DutiesFile(Section):
    """Separation of duties, beyond what is always looked for."""

    enforce: bool = Field(
        False, description="Whether a policy with a conflict that was never accepted is refused, not only warned of."
    )
    pairs: dict[PairName, PairEntry] = Field({}, description="The company's own pairs by name.")
    accepted: list[AcceptedEntry] = Field([], max_length=1000, description="Conflicts that are known.")

    @model_validator(mode="after")
    def _known_codes(self) -> DutiesFile:
        for entry in self.accepted:
            if entry.conflict not in CODES and entry.conflict not in self.pairs:
                close = difflib.get_close_matches(entry.conflict, [*CODES, *self.pairs], n=1)
                remedy = f"did you mean '{close[0]}'?" if close else f"use one of {', '.join([*CODES, *self.pairs])}"
                raise wrong(f"accepts '{entry.conflict}', which is no conflict", remedy)
        return self


@dataclass(frozen=True, slots=True)
class Duties:
    """Immutable. The file; ``source`` is ``None`` where there is none."""

    source: Source | None = None
    file: DutiesFile = field(default_factory=DutiesFile)


@dataclass(frozen=True, slots=True)
class Judged:
    """Immutable. ``open`` are conflicts that count, those among them that were accepted for a time now past being in ``expired``
    too; ``accepted`` those that are accepted now. ``idle`` are entries of the file that accept nothing there is."""

    open: tuple[Conflict, ...] = ()
    expired: tuple[Conflict, ...] = ()
    accepted: tuple[Conflict, ...] = ()
    idle: tuple[Finding, ...] = ()


def read_duties(source: Source) -> Duties:
    """Raises ``ConfigError``."""
    return Duties(source, validate(source, DutiesFile))


def judge(
    duties: Duties, side: Side, approvals: Approvals, satellites: Sequence[Client], asked: Sequence[Asked], now: float
) -> Judged:
    """Every conflict of a deployment. ``now`` is in Unix seconds. Raises ``ConfigError`` for a name that nothing has."""
    pairs = _pairs(duties, side.policy.file, asked)
    found = conflicts(Holders(side, asked), approvals, satellites, asked, pairs)
    open_, expired, accepted = [], [], []
    used: set[int] = set()
    for conflict in found:
        entries = [number for number, entry in enumerate(duties.file.accepted) if _accepts(entry, conflict)]
        used.update(entries)
        until = max((duties.file.accepted[number].until for number in entries), default=None)
        if until is not None and now < _end(until):
            accepted.append(conflict)
        else:
            open_.append(conflict)
            expired += [conflict] if until is not None else []
    return Judged(tuple(folded(open_)), tuple(folded(expired)), tuple(folded(accepted)), tuple(_idle(duties, used)))


def findings(judged: Judged, path: str) -> Iterator[tuple[Finding, bool]]:
    """What ``check`` says of it, at the row to change first, or at the file ``path`` that says who approves; and whether it is a
    conflict that was never accepted."""
    expired = frozenset(judged.expired)
    for conflict in judged.open[:MOST_FOUND]:
        place = next((row[0] for way in conflict.ways for row in way.rows), path)
        file, _, line = place.rpartition(":") if place != path else (path, "", "0")
        what = f"{conflict.code}: {conflict.who} of {tenants(conflict)} {conflict.what}"
        yield Finding(file, int(line), what, conflict.remedy), conflict not in expired
    if rest := judged.open[MOST_FOUND:]:
        what = f"and {len(rest)} more conflicts of duties"
        yield Finding(path, 0, what, "erp-gateway policy sod tells them all"), not expired.issuperset(rest)
    yield from ((finding, False) for finding in judged.idle)


def changes(old: Duties, new: Duties) -> list[str]:
    """What one file says otherwise than another, in sentences."""
    before, after = old.file, new.file
    found = []
    if before.enforce != after.enforce:
        found.append("conflicts are enforced now" if after.enforce else "conflicts are no longer enforced, only warned of")
    for name in dict.fromkeys([*before.pairs, *after.pairs]):
        if before.pairs.get(name) != after.pairs.get(name):
            how = "is new" if name not in before.pairs else "is gone" if name not in after.pairs else "names others"
            found.append(f"the pair {name} {how}")
    found += [f"{_entry(entry)} is accepted until {entry.until}" for entry in after.accepted if entry not in before.accepted]
    found += [
        f"{_entry(entry)} is no longer accepted until {entry.until}" for entry in before.accepted if entry not in after.accepted
    ]
    return found


def _entry(entry: AcceptedEntry) -> str:
    return f"{entry.conflict} of {entry.who}{f' in tenant {entry.tenant}' if entry.tenant else ''}"


def tenants(conflict: Conflict) -> str:
    """The tenants of a conflict in words."""
    if "*" in conflict.tenants:
        return "every tenant"
    return f"tenant {', '.join(conflict.tenants)}"


def _accepts(entry: AcceptedEntry, conflict: Conflict) -> bool:
    return (entry.conflict, entry.who) == (conflict.code, conflict.who) and entry.tenant in (None, *conflict.tenants)


def _end(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + timedelta(days=1).total_seconds()


def _idle(duties: Duties, used: set[int]) -> Iterator[Finding]:
    for number, entry in enumerate(duties.file.accepted):
        if number not in used and duties.source is not None:
            what = f"accepts {entry.conflict} of '{entry.who}', which is not there"
            yield duties.source.finding(("accepted", number), what, "remove it, so that it cannot accept a later one")


def _pairs(duties: Duties, file: PolicyFile, asked: Sequence[Asked]) -> list[Pair]:
    known = _Names(file, asked)
    wrong_names: list[Finding] = []
    found = []
    for name, entry in duties.file.pairs.items():
        rights = []
        for key, names in (("one", entry.one), ("other", entry.other)):
            rights.append(known.right(names))
            for number, unknown in enumerate(names):
                if not known.knows(unknown) and duties.source is not None:
                    close = difflib.get_close_matches(unknown, known.all, n=1)
                    remedy = f"did you mean '{close[0]}'?" if close else "name an operation, a group or a role of policy.csv"
                    what = f"nothing is called '{unknown}'"
                    wrong_names.append(duties.source.finding(("pairs", name, key, number), what, remedy))
        found.append(Pair(name, rights[0], rights[1]))
    if wrong_names:
        raise ConfigError(wrong_names)
    return found


class _Names:
    """What a name of a pair means: an operation, else a group, else a role."""

    def __init__(self, file: PolicyFile, asked: Sequence[Asked]) -> None:
        self._operations = {one.operation for one in asked} | {f"{one.operation}@{v}" for one in asked for v in one.versions if v}
        self._members = [(row.operation, row.group) for row in file.groupings]
        self._groups = file.groups()
        roles = (
            {row.role for row in file.grants} | {row.role for row in file.memberships} | {row.role for row in file.restrictions}
        )
        self._roles = roles | {row.member for row in file.memberships}
        self.all = sorted(self._operations | self._groups | self._roles)

    def knows(self, name: str) -> bool:
        return name in self._operations or name in self._groups or name in self._roles

    def right(self, names: Sequence[str]) -> Right:
        operations: dict[str, None] = {}
        roles = []
        for name in names:
            if name in self._operations:
                operations[name] = None
            elif name in self._groups:
                operations |= dict.fromkeys(sorted(self._inside(name) & self._operations))
            else:
                roles.append(name)
        return Right(f"have {' or '.join(names)}", tuple(operations), tuple(roles))

    def _inside(self, group: str) -> set[str]:
        found = {group}
        waiting = [group]
        while waiting:
            above = waiting.pop()
            more = {operation for operation, name in self._members if name == above} - found
            found |= more
            waiting += more
        return found
