"""Requests per second of the gateway pinned to one core, beside nginx, Envoy and the usual ways of writing it, in one run.

``python -m bench.edge [--seconds 5] [--rounds 3]``. The load and the upstream have the other core; the upstream's own figure is
the ceiling of the measurement. Rounds are interleaved and medians count, so that a busy moment meets everybody alike.
The last line is JSON. Exit 1 when a peer is missing or any answer was no success.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from bench._load import Measured, measure, median
from bench._machine import Missing, Processes, require_programs, two_cores
from bench._servers import Server, Servers, Wrong

CONNECTIONS = 32
WIDTH = 110
FULL = 0.9
"""Share of a core below which a server that has enough to do did not have it to itself."""
RATIOS = (
    ("passthrough_to_nginx", "passthrough", "nginx", 0.25),
    ("passthrough_to_envoy", "passthrough", "envoy", 0.7),
    ("passthrough_usual_to_nginx", "passthrough_usual", "nginx", None),
    ("soap_to_naive", "soap", "soap_naive", 20.0),
)


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    try:
        tested, other = two_cores()
        require_programs("nginx", "wrk")
        with tempfile.TemporaryDirectory(prefix="erp-gateway-bench-") as name:
            folder = Path(name)
            folder.chmod(0o711)  # nginx workers give up root, and have temporary files here
            with Processes(folder) as processes:
                servers = Servers(folder, processes, tested, other)
                started = servers.start()
                servers.check(started)
                results = _run(servers, started, options.seconds, options.rounds, other)
    except Missing as missing:
        console.print(f"The bench needs {missing}", style="red", highlight=False)
        return 1
    except Wrong as wrong:
        console.print(f"Nothing measured: {wrong}", style="red", highlight=False)
        return 1
    _show(console, started, results)
    sys.stdout.write(orjson.dumps(_figures(results)).decode() + "\n")
    return 1 if any(result.errors for result in results.values()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.edge", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _run(servers: Servers, started: list[Server], seconds: int, rounds: int, core: int) -> dict[str, Measured]:
    """A second of warm-up for each, then the rounds."""
    scripts = {server.name: servers.script(server) for server in started}

    def run(server: Server, seconds: int) -> Measured:
        script = scripts[server.name]
        return measure(script, server.call, seconds=seconds, core=core, connections=CONNECTIONS, server=server.pid)

    taken: dict[str, list[Measured]] = {server.name: [] for server in started}
    for server in started:
        run(server, 1)
    for _ in range(rounds):
        for server in started:
            taken[server.name].append(run(server, seconds))
    return {name: median(measured) for name, measured in taken.items()}


def _figures(results: dict[str, Measured]) -> dict[str, float]:
    figures: dict[str, float] = {name: round(_ratio(results, ours, theirs), 3) for name, ours, theirs, _ in RATIOS}
    for name, result in results.items():
        figures |= {
            f"{name}_rps": round(result.rps, 1),
            f"{name}_p50_ms": round(result.p50_ms, 3),
            f"{name}_p99_ms": round(result.p99_ms, 3),
            f"{name}_core": round(result.cpu, 2),
            f"{name}_cpu_us": round(result.cpu_us, 1),
            f"{name}_errors": result.errors,
        }
    return figures


def _ratio(results: dict[str, Measured], ours: str, theirs: str) -> float:
    return results[ours].rps / results[theirs].rps


def _show(console: Console, started: list[Server], results: dict[str, Measured]) -> None:
    columns = ("", "server", "requests/s", "p50 ms", "p99 ms", "of its core", "CPU µs", "errors")
    table = Table(*columns, title=f"One core, {CONNECTIONS} keep-alive connections")
    for column in table.columns[2:]:
        column.justify = "right"
    for server in started:
        result = results[server.name]
        speed = (f"{result.rps:,.0f}", f"{result.p50_ms:.2f}", f"{result.p99_ms:.2f}")
        table.add_row(server.name, server.title, *speed, f"{result.cpu:.0%}", f"{result.cpu_us:,.0f}", str(result.errors))
    console.print(table)
    ratios = Table("ratio", "measured", "target", "")
    for name, ours, theirs, target in RATIOS:
        value = _ratio(results, ours, theirs)
        verdict = "" if target is None else "[green]met[/]" if value >= target else "[red]missed[/]"
        ratios.add_row(name, f"{value:.3f}", "" if target is None else f"≥ {target:g}", verdict)
    console.print(ratios)
    if any(result.cpu < FULL for name, result in results.items() if not name.startswith("stub")):
        console.print("Something else used the core as well: the machine was not quiet, and neither are these figures.")


if __name__ == "__main__":
    sys.exit(main())
