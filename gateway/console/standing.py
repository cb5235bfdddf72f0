"""Where the policy stands: what is live, what the last reload was refused for, and its tests, as one person may see it.

Files are read and tests asked in a thread, the tests once a snapshot: the page refreshes itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.activation import Activation, Policies, Proposed
from gateway.bundle import Bundle
from gateway.console.change import POLICY, QUOTED, Change, Changes, Sight
from gateway.deployment import bundle_of
from gateway.errors import ConfigError, Finding
from gateway.live import Failure, Live, Pending
from gateway.people import Person
from gateway.policy.expectations import Outcome, outcomes
from gateway.policy.lines import Line, excerpt, lines_of
from gateway.snapshot import Snapshot

MOST_FINDINGS = 30
MOST_HISTORY = 10


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding with the lines around it. It says nothing but its place where it is about something the person does not see."""

    place: str
    what: str
    remedy: str
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """Immutable.

    :param failure: the last reload, where it was refused, with its ``findings``.
    :param processes: what the processes of the deployment last reported, by name; none where there is only this one.
    :param dual: whether a change needs two people; ``pending`` are the files that wait for them, where there are any.
    :param objections: what keeps those from being proposed.
    :param change: what the files on disk would change, where they differ from what is live.
    :param proposals: those the person may decide on.
    """

    snapshot: Snapshot
    failure: Failure | None
    findings: tuple[Shown, ...]
    processes: Mapping[str, Mapping[str, Any]]
    tests: tuple[Outcome, ...]
    dual: bool
    doubt: str
    pending: Pending | None
    objections: tuple[Shown, ...]
    change: Change | None
    proposals: tuple[Proposed, ...]
    history: tuple[Activation, ...]
    may_propose: bool

    @property
    def digest(self) -> str:
        return self.snapshot.policy.sha256

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.tests if outcome.wrong]

    @property
    def more(self) -> int:
        """Findings that are not shown."""
        return 0 if self.failure is None else len(self.failure.findings) - len(self.findings)

    @property
    def proposable(self) -> bool:
        """Whether the person may propose what waits: it is good, seen whole, and nobody has proposed it yet."""
        pending, change = self.pending, self.change
        if pending is None or pending.snapshot is None or change is None or not self.may_propose:
            return False
        return not change.withheld and all(one.proposal.digest != pending.digest for one in self.proposals)


class Standings:
    """What every person's ``Standing`` is made of, kept while it is the same."""

    def __init__(self, live: Live, policies: Policies, changes: Changes) -> None:
        self._live = live
        self._policies = policies
        self._changes = changes
        self._tests: tuple[Snapshot, tuple[Outcome, ...]] | None = None

    async def now(self, person: Person, sight: Sight) -> Standing:
        live, snapshot = self._live, self._live.snapshot
        failure, pending = live.failure, live.pending
        tests = await self._outcomes(snapshot)
        bundle = await self._on_disk(snapshot, failure, pending)
        change = None if bundle is None else (await self._changes.between(snapshot.deployment.bundle, bundle)).seen_by(sight)
        return Standing(
            snapshot=snapshot,
            failure=failure,
            findings=await asyncio.to_thread(_findings, snapshot, bundle, failure.findings if failure else (), sight),
            processes=live.processes,
            tests=tuple(outcome for outcome in tests if sight.sees(outcome.principal.tenant)),
            dual=live.dual,
            doubt=live.doubt,
            pending=pending,
            objections=await asyncio.to_thread(_findings, snapshot, bundle, pending.findings if pending else (), sight),
            change=change,
            proposals=tuple(await self._policies.open(person)),
            history=tuple(await self._policies.history(MOST_HISTORY)),
            may_propose=self._policies.may(person),
        )

    async def _on_disk(self, snapshot: Snapshot, failure: Failure | None, pending: Pending | None) -> Bundle | None:
        """The files that differ from what is live: those that wait for two people, or those a reload was refused for."""
        if pending is not None or failure is None:
            return None if pending is None else pending.bundle
        try:
            bundle = await asyncio.to_thread(bundle_of, snapshot.deployment.own_policies())
        except ConfigError:
            return None  # What keeps it from being read is among the findings.
        return None if bundle == snapshot.deployment.bundle else bundle

    async def _outcomes(self, snapshot: Snapshot) -> tuple[Outcome, ...]:
        if self._tests is None or self._tests[0] is not snapshot:
            tests = snapshot.deployment.tests
            self._tests = (snapshot, await asyncio.to_thread(lambda: tuple(outcomes(tests, snapshot.policy))))
        return self._tests[1]


def _findings(snapshot: Snapshot, bundle: Bundle | None, findings: Sequence[Finding], sight: Sight) -> tuple[Shown, ...]:
    """Findings with the lines they are about, of the files as they are on disk."""
    folder, texts = snapshot.deployment.gateway.policies, dict[str, list[str]]()
    found = []
    for finding in findings[:MOST_FINDINGS]:
        name = finding.file.removeprefix(f"{folder}/")
        if bundle is not None and finding.file == f"{folder}/{name}" and name in QUOTED and name not in texts:
            texts[name] = lines_of(bundle.files.get(name, b""))
        found.append(_finding(finding, texts.get(name, []), name == POLICY, sight))
    return tuple(found)


def _finding(finding: Finding, text: list[str], by_row: bool, sight: Sight) -> Shown:
    place = f"{finding.file}:{finding.line}" if finding.line else finding.file
    lines = excerpt(text, finding.line)
    if sight.everywhere:
        return Shown(place, finding.what, finding.remedy, lines)
    seen = tuple(line for line in lines if sight.reads(line.text)) if by_row else ()
    if any(line.mark for line in seen):
        return Shown(place, finding.what, finding.remedy, seen)
    return Shown(place, "", "")
