"""What a changed policy changes, as one person may see it: who gains and loses what, the lines, and what its tests say.

Made in a thread and once for each pair of policies. A person who sees one tenant is told that the rest is kept from them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from gateway.approvals.changes import changes as approval_changes
from gateway.bundle import Bundle
from gateway.deployment import Deployment, in_place_of
from gateway.errors import ConfigError
from gateway.exchange import Principal
from gateway.identity.changes import changes as satellite_changes
from gateway.live import Live
from gateway.people import Person
from gateway.policy.differences import Change as Tuple
from gateway.policy.differences import Side, differences
from gateway.policy.expectations import Outcome, outcomes
from gateway.policy.index import PolicyIndex, compile_policy
from gateway.policy.lines import Line, changed, concerns, lines_of
from gateway.scoping import asked
from gateway.snapshot import Snapshot

MOST_TUPLES = 200
MOST_LINES = 200
MOST_KEPT = 8
QUOTED = ("policy.csv", "tests.yaml", "approvals.yaml", "model.conf", "duties.yaml")
"""Files of the policies folder whose lines are shown. None of them may hold a secret."""
POLICY = "policy.csv"
EVERY = "*"


@dataclass(frozen=True, slots=True)
class Sight:
    """Immutable. How much of the policy somebody sees: the rows of a tenant and of every tenant, or all (``everywhere``)."""

    tenant: str
    everywhere: bool

    def sees(self, tenant: str) -> bool:
        return self.everywhere or tenant in (self.tenant, EVERY)

    def reads(self, line: str) -> bool:
        """Whether a line of policy.csv is about nobody else."""
        return self.everywhere or concerns(line, self.tenant)


def sight_of(policy: PolicyIndex, person: Person, *operations: str) -> Sight | None:
    """What somebody sees of the policy, for whom one of these operations opens it. The roles of a sign-in are of the person's own
    tenant and give nothing in others."""
    here, anywhere = Principal(person.subject, person.tenant, person.roles), Principal(person.subject, EVERY)
    held = [one for one in operations if policy.decide(here, one, "").allowed]
    return Sight(person.tenant, any(policy.decide(anywhere, one, "").allowed for one in held)) if held else None


@dataclass(frozen=True, slots=True)
class FileChange:
    """Immutable. The lines one of two forms of a file has alone; ``more`` are those beyond what is shown, which is all of them
    for a file that may hold secrets."""

    name: str
    lines: tuple[Line, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """Immutable. ``gained`` and ``lost`` are tuples; ``told`` is what approvals and satellites say otherwise; ``tests`` are the
    questions of the new policy's tests, answered by it. ``known`` is false where the new file is too broken to be asked.
    ``withheld`` counts what the person does not see, ``gains`` and ``losses`` all that they do."""

    gained: tuple[Tuple, ...] = ()
    lost: tuple[Tuple, ...] = ()
    told: tuple[str, ...] = ()
    files: tuple[FileChange, ...] = ()
    tests: tuple[Outcome, ...] = ()
    known: bool = True
    complete: bool = True
    withheld: int = 0
    gains: int = 0
    losses: int = 0

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.tests if outcome.wrong]

    def seen_by(self, sight: Sight) -> Change:
        """The same for one person, cut to what a page shows."""
        gained, lost = ([one for one in some if sight.sees(one.tenant)] for some in (self.gained, self.lost))
        tests = tuple(outcome for outcome in self.tests if sight.sees(outcome.principal.tenant))
        told = self.told if sight.everywhere else ()
        files = [_seen(file, sight) for file in self.files]
        lines = sum(len(file.lines) + file.more for file in self.files) - sum(len(file.lines) + file.more for file in files)
        hidden = len(self.gained) - len(gained) + len(self.lost) - len(lost) + len(self.told) - len(told) + lines
        return replace(
            self,
            gained=tuple(gained[:MOST_TUPLES]),
            lost=tuple(lost[:MOST_TUPLES]),
            told=told,
            files=tuple(_cut(file) for file in files if file.lines or file.more),
            tests=tests,
            withheld=hidden,
            gains=len(gained),
            losses=len(lost),
        )


class Changes:
    """The changes people look at, each made once while the same snapshot is live."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._made: tuple[Snapshot, dict[tuple[str, str], Change]] = (live.snapshot, {})

    async def between(self, old: Bundle, new: Bundle) -> Change:
        """What the files of ``new`` change, against those of ``old``."""
        snapshot, key = self._live.snapshot, (old.digest, new.digest)
        if self._made[0] is not snapshot or len(self._made[1]) >= MOST_KEPT:
            self._made = (snapshot, {})
        made = self._made[1]
        if key not in made:
            made[key] = await asyncio.to_thread(change_of, snapshot, old, new)
        return made[key]


def change_of(snapshot: Snapshot, old: Bundle, new: Bundle) -> Change:
    """What changes in the operations that are served when the files of ``new`` take the place of those of ``old``."""
    files = tuple(file_changes(old, new))
    before, after = (_read(snapshot, bundle) for bundle in (old, new))
    if before is None or after is None:
        return Change(files=files, known=False)
    found = differences(before.side, after.side, asked(snapshot.routes))
    told = [one.what for one in approval_changes(before.deployment.approvals, after.deployment.approvals)]
    told += satellite_changes(before.deployment.satellites, after.deployment.satellites)
    answers = tuple(outcomes(after.deployment.tests, after.policy))
    return Change(found.gained, found.lost, tuple(told), files, answers, complete=found.complete)


@dataclass(frozen=True, slots=True)
class _Read:
    policy: PolicyIndex
    deployment: Deployment

    @property
    def side(self) -> Side:
        tenants = frozenset(satellite.tenant for satellite in self.deployment.satellites)
        return Side(self.policy, self.deployment.approvals, tenants)


def _read(snapshot: Snapshot, bundle: Bundle) -> _Read | None:
    """A policy from its files; ``None`` where they are too broken to be asked. Where only those beside policy.csv are, the ones
    that are live stand in."""
    live = snapshot.deployment
    if bundle == live.bundle:
        return _Read(snapshot.policy, live)
    own = live.own_policies()
    try:
        try:
            deployment = live.under(in_place_of(own, bundle), sealed=False)
        except ConfigError:
            alone = Bundle({**live.bundle.files, POLICY: bundle.files.get(POLICY, b"")})
            deployment = live.under(in_place_of(own, alone), sealed=False)
        return _Read(compile_policy(deployment.policy), deployment)
    except ConfigError:
        return None


def file_changes(old: Bundle, new: Bundle) -> list[FileChange]:
    """The lines by which the files of two policies differ."""
    found = ((name, changed(_lines(old, name), _lines(new, name))) for name in new.changed(old))
    return [FileChange(name, tuple(lines)) if name in QUOTED else FileChange(name, (), len(lines)) for name, lines in found]


def _lines(bundle: Bundle, name: str) -> list[str]:
    return lines_of(bundle.files[name]) if name in bundle.files else []


def _seen(file: FileChange, sight: Sight) -> FileChange:
    if sight.everywhere:
        return file
    lines = tuple(line for line in file.lines if sight.reads(line.text)) if file.name == POLICY else ()
    return replace(file, lines=lines, more=0)


def _cut(file: FileChange) -> FileChange:
    return replace(file, lines=file.lines[:MOST_LINES], more=max(file.more, len(file.lines) - MOST_LINES))
