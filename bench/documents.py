"""Documents a gateway process accepts a second, on SQLite and on PostgreSQL, beside the same payments passed through unrecorded.

``python -m bench.documents [--seconds 4] [--rounds 3]``. A payment below the limit is recorded, sent and answered 201; one above
is recorded and waits for two people, 202, nothing sent. Every request is a payment of its own. The gateway, worker and console
included, has one core; the load, the upstream and PostgreSQL have the other. Rounds are interleaved and medians count; commits
and syncs are counted in runs of their own. The last line is JSON. Exit 1 when a program is missing or any answer was another than
expected.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from bench._load import Measured, measure, median
from bench._machine import Missing, Processes, require_programs, two_cores
from bench._recorders import Counting, Counts, Recorder, Recorders, postgres_server, wait_until_quiet
from bench._servers import Wrong

WRITERS = (1, 8, 64)
WIDTH = 120
FULL = 0.9
"""Share of a core below which a gateway with 64 writers did not have it to itself, or waited for the disk."""
MOST_SYNCS = 0.1
"""Per document at ``WRITERS[-1]`` concurrent writers."""
TITLES = {
    ("direct", "direct"): "passed through: 201",
    ("sqlite", "inline"): "SQLite, sent: 201",
    ("sqlite", "held"): "SQLite, held: 202",
    ("postgres", "inline"): "PostgreSQL, sent: 201",
    ("postgres", "held"): "PostgreSQL, held: 202",
}


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One thing to measure. ``kind`` is direct, inline or held."""

    store: str
    kind: str
    writers: int

    @property
    def name(self) -> str:
        return f"{self.kind if self.kind == self.store else f'{self.store}_{self.kind}'}_{self.writers}"


@dataclass(slots=True)
class Bench:
    """Runs cases. ``core`` is the load's."""

    folder: Path
    recorders: Recorders
    core: int
    runs: Iterator[int]

    def load(self, recorder: Recorder, case: Case, seconds: float) -> Measured:
        """One run, and then until the gateway is at rest. Raises ``Wrong`` when something was sent that should wait."""
        held, before = case.kind == "held", self.recorders.sent()
        script = recorder.script(self.folder, f"r{next(self.runs)}", held=held)
        call = recorder.call()
        result = measure(script, call, seconds=seconds, core=self.core, connections=case.writers, server=recorder.pid)
        wait_until_quiet(recorder.pid)
        if held and self.recorders.sent() != before:
            raise Wrong(f"{case.name}: payments that should wait were sent")
        return result

    def count(self, counting: Counting, case: Case, seconds: float) -> tuple[Counts, int]:
        """What the ledger did in one run, and how many answers of it were wrong."""
        wait_until_quiet(counting.recorder.pid)
        before = counting.counts()
        errors = self.load(counting.recorder, case, seconds).errors
        return counting.counts().since(before), errors


@dataclass(frozen=True, slots=True)
class Results:
    measured: dict[Case, Measured]
    counted: dict[Case, Counts]
    errors: int

    def to_direct(self, case: Case) -> float:
        return self.measured[case].rps / self.measured[Case("direct", "direct", case.writers)].rps

    def syncs(self, case: Case) -> float:
        return self.counted[case].syncs / self.counted[case].documents

    def commits(self, case: Case) -> float:
        return self.counted[case].commits / self.counted[case].documents


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    try:
        results = _results(options.seconds, options.rounds)
    except Missing as missing:
        console.print(f"The bench needs {missing}", style="red", highlight=False)
        return 1
    except Wrong as wrong:
        console.print(f"Nothing measured: {wrong}", style="red", highlight=False)
        return 1
    _show(console, results)
    sys.stdout.write(orjson.dumps(_figures(results)).decode() + "\n")
    return 1 if results.errors else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.documents", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _results(seconds: int, rounds: int) -> Results:
    tested, other = two_cores()
    require_programs("nginx", "wrk", "strace")
    os.sched_setaffinity(0, {other})  # and so has whatever is started without a word about cores, PostgreSQL for one
    with tempfile.TemporaryDirectory(prefix="erp-gateway-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # nginx workers give up root, and have temporary files here
        with postgres_server() as database, Processes(folder) as processes:
            recorders = Recorders(folder, processes, database, tested, other)
            started, counting = recorders.start()
            recorders.check(started)
            return _run(Bench(folder, recorders, other, count(1)), started, counting, seconds, rounds)


def _run(bench: Bench, started: list[Recorder], counting: list[Counting], seconds: int, rounds: int) -> Results:
    """A second of warm-up for each, then the rounds, then what is counted."""
    cases = [(recorder, case) for recorder in started for case in _cases(recorder.store)]
    taken: dict[Case, list[Measured]] = {case: [] for _, case in cases}
    for recorder in started:
        bench.load(recorder, Case(recorder.store, "inline", WRITERS[-1]), 1)
    for _ in range(rounds):
        for recorder, case in cases:
            taken[case].append(bench.load(recorder, case, seconds))
    measured = {case: median(runs) for case, runs in taken.items()}
    counted: dict[Case, Counts] = {}
    errors = sum(result.errors for result in measured.values())
    for counts, store in zip(counting, ("sqlite", "postgres"), strict=True):
        for case in _cases(store):
            counted[case], wrong = bench.count(counts, case, seconds)
            errors += wrong
    return Results(measured, counted, errors)


def _cases(store: str) -> list[Case]:
    kinds = ("direct",) if store == "direct" else ("inline", "held")
    return [Case(store, kind, writers) for kind in kinds for writers in WRITERS]


def _figures(results: Results) -> dict[str, float]:
    figures: dict[str, float] = {}
    for case, result in results.measured.items():
        name = case.name
        figures |= {
            f"{name}_per_s": round(result.rps, 1),
            f"{name}_p50_ms": round(result.p50_ms, 3),
            f"{name}_p99_ms": round(result.p99_ms, 3),
            f"{name}_core": round(result.cpu, 2),
            f"{name}_cpu_us": round(result.cpu_us, 1),
            f"{name}_errors": result.errors,
        }
        if case in results.counted:
            figures |= {
                f"{name}_to_direct": round(results.to_direct(case), 3),
                f"{name}_commits_per_document": round(results.commits(case), 4),
                f"{name}_fsyncs_per_document": round(results.syncs(case), 4),
            }
    return figures


def _show(console: Console, results: Results) -> None:
    columns = ("", "writers", "accepted/s", "to direct", "p50 ms", "p99 ms", "of its core", "CPU µs", "commits", "fsyncs")
    table = Table(*columns, title="One gateway process on one core; commits and fsyncs are those of one document")
    for column in table.columns[1:]:
        column.justify = "right"
    for case, result in results.measured.items():
        speed = (f"{result.p50_ms:.1f}", f"{result.p99_ms:.1f}", f"{result.cpu:.0%}", f"{result.cpu_us:,.0f}")
        recorded = ("", "", "")
        if case in results.counted:
            recorded = (f"{results.to_direct(case):.3f}", f"{results.commits(case):.3f}", f"{results.syncs(case):.3f}")
        row = (TITLES[case.store, case.kind], str(case.writers), f"{result.rps:,.0f}")
        table.add_row(*row, recorded[0], *speed, *recorded[1:], end_section=case.writers == WRITERS[-1])
    console.print(table)
    for case in results.counted:
        if case.writers == WRITERS[-1]:
            met = "[green]met[/]" if results.syncs(case) <= MOST_SYNCS else "[red]missed[/]"
            console.print(f"{case.name}: {results.syncs(case):.3f} fsyncs a document, target ≤ {MOST_SYNCS:g}: {met}")
    if results.errors:
        console.print(f"{results.errors} answers were not the expected ones.", style="red")
    if results.measured[Case("direct", "direct", WRITERS[-1])].cpu < FULL:
        console.print("Something else used the core as well: the machine was not quiet, and neither are these figures.")


if __name__ == "__main__":
    sys.exit(main())
