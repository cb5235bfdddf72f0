"""Where the policy stands: what is live, what the last reload was refused for, and its tests, as one person may see it.

Files are read and tests asked in a thread, the tests once a snapshot: the page refreshes itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.errors import Finding
from gateway.live import Failure, Live
from gateway.policy.expectations import Outcome, outcomes
from gateway.policy.lines import Line, concerns, excerpt, lines_of
from gateway.snapshot import Snapshot

SHOWN = ("policy.csv", "tests.yaml", "approvals.yaml", "model.conf")
"""Files of the policies folder whose lines are shown. None of them may hold a secret."""
MOST_FINDINGS = 30
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sight:
    """Immutable. How much of the policy somebody sees: the rows of a tenant and of every tenant, or all (``everywhere``)."""

    tenant: str
    everywhere: bool

    def sees(self, tenant: str) -> bool:
        return self.everywhere or tenant in (self.tenant, "*")

    def reads(self, line: str) -> bool:
        """Whether a line of policy.csv is about nobody else."""
        return self.everywhere or concerns(line, self.tenant)


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding with the lines around it. It says nothing but its place where it is about something the person does not see."""

    place: str
    what: str
    remedy: str
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """``processes`` are what the processes of the deployment last reported, by name; none where there is only this one."""

    snapshot: Snapshot
    failure: Failure | None
    findings: tuple[Shown, ...]
    processes: Mapping[str, Mapping[str, Any]]
    tests: tuple[Outcome, ...]

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


class Standings:
    """What every person's ``Standing`` is made of, kept while it is the same."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._tests: tuple[Snapshot, tuple[Outcome, ...]] | None = None

    async def now(self, sight: Sight) -> Standing:
        snapshot, failure = self._live.snapshot, self._live.failure
        tests = await self._outcomes(snapshot)
        findings: tuple[Shown, ...] = ()
        if failure is not None:
            findings = await asyncio.to_thread(_findings, snapshot.deployment.folder, _shown(snapshot), failure, sight)
        mine = tuple(outcome for outcome in tests if sight.sees(outcome.principal.tenant))
        return Standing(snapshot, failure, findings, self._live.processes, mine)

    async def _outcomes(self, snapshot: Snapshot) -> tuple[Outcome, ...]:
        if self._tests is None or self._tests[0] is not snapshot:
            tests = snapshot.deployment.tests
            self._tests = (snapshot, await asyncio.to_thread(lambda: tuple(outcomes(tests, snapshot.policy))))
        return self._tests[1]


def _shown(snapshot: Snapshot) -> dict[str, bool]:
    """The files whose lines may be shown, as findings call them, and whether a line of it is about one tenant."""
    folder = snapshot.deployment.gateway.policies
    return {f"{folder}/{name}": name == "policy.csv" for name in SHOWN}


def _findings(folder: Path, shown: Mapping[str, bool], failure: Failure, sight: Sight) -> tuple[Shown, ...]:
    texts: dict[str, list[str]] = {}
    found = []
    for finding in failure.findings[:MOST_FINDINGS]:
        if finding.file in shown and finding.file not in texts:
            texts[finding.file] = _text(folder / finding.file)
        found.append(_finding(finding, texts.get(finding.file, []), shown.get(finding.file, False), sight))
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


def _text(path: Path) -> list[str]:
    """The lines of a file as it is now; none where it cannot be read, which is what the finding says."""
    try:
        with path.open("rb") as file:
            return lines_of(file.read(MOST_BYTES))
    except OSError:
        return []
